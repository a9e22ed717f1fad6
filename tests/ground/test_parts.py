"""Parts: their fields are their settings, from which checks, descriptions and words follow."""

import json
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from scratchgen import distributions, losses, optim
from scratchgen.distributions import LIKELIHOODS, Categorical, FixedGaussian, Gaussian, Likelihood
from scratchgen.ground.arguments import finite, whole
from scratchgen.ground.errors import KeywordError, KindError, OptionError
from scratchgen.ground.parts import (
    Part,
    Registry,
    build,
    choose,
    describe,
    option_of,
    setting,
    settings_of,
    with_values,
)
from scratchgen.losses import HINGE, LOSSES, PENALTIES, R1, AdversarialLoss, GradientPenalty
from scratchgen.optim import OPTIMIZERS, SCHEDULES, Chain, MovingAverage


@dataclass(frozen=True)
class Pull(Part):
    """A part of one's own."""

    name: ClassVar[str] = "pull"
    formula: ClassVar[str] = "weight |x|^2"
    weight: float = setting(1.0, finite, "weight of the pull", above=True)
    count: int = setting(3, whole, "how many", least=2)
    most: float | None = setting(None, finite, "the most")


@dataclass(frozen=True)
class Sum(Part):
    """Parts in a part."""

    parts: tuple = ()
    label: str = "sum"


PULLS = Registry("pull", "pulls.PULLS", {"pull": Pull, "sum": Sum})
OTHER_SETTINGS = {  # one of every kind, with settings that are not the default
    "penalty": (PENALTIES, [R1(2.0), GradientPenalty(0.1, target=0.5)]),
    "likelihood": (
        LIKELIHOODS,
        [
            distributions.Bernoulli(),
            Categorical(7),
            FixedGaussian(0.3),
            distributions.MeanSquaredError(),
            distributions.SharedGaussian(0.02),
            Gaussian(0.05),
        ],
    ),
    "game": (LOSSES, list(LOSSES.values())),
}
CASES = [
    pytest.param(known, part, id=str(part))
    for known, parts in OTHER_SETTINGS.values()
    for part in parts
]


@pytest.mark.parametrize(("known", "part"), CASES)
def test_a_part_is_built_again_from_its_description_in_json(known, part):
    description = json.loads(json.dumps(describe(part, known), allow_nan=False))
    assert description["name"] == part.name
    again = build(description, known)
    assert again == part
    assert type(again) is type(part)


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_every_kind_is_described_with_other_settings_than_its_default(name):
    known, parts = OTHER_SETTINGS[name]
    for part in [*parts, *known.examples().values()]:
        for field in settings_of(part) if isinstance(known[part.name], type) else ():
            assert field.name in describe(part, known)
            assert part not in parts or getattr(part, field.name) != field.default


def test_nothing_is_described_by_none():
    assert describe(None, PENALTIES) is None
    assert build(None, PENALTIES) is None


def test_settings_are_checked_when_a_part_is_made_and_kept_as_the_check_returns_them():
    pull = Pull(np.float32(2), np.int64(4), most=1)
    assert [type(value) for value in (pull.weight, pull.count, pull.most)] == [float, int, float]
    assert Pull().most is None
    with pytest.raises(OptionError, match=r"^Pull: weight=0: wants a number above 0"):
        Pull(0)
    with pytest.raises(OptionError, match=r"^Pull: count=None: wants a whole number of at least 2"):
        Pull(count=None)
    with pytest.raises(OptionError, match=r"^Pull: most=nan: wants a number"):
        Pull(most=math.nan)
    with pytest.raises(KeywordError, match="Pull has no 'lambda_', here it is 'weight'"):
        Pull(lambda_=3)


@dataclass(frozen=True)
class Push(Pull):
    """Another default, and a setting of its own."""

    weight: float = -2.0
    most: float | None = setting(7.0, finite, "another text")
    far: bool = False


def test_a_setting_that_is_declared_again_with_another_default_is_checked_as_before():
    with pytest.raises(OptionError, match=r"^Push: weight=-2.0: wants a number above 0"):
        Push()
    assert (Push(3).weight, Push(3).count, Push(3).most) == (3.0, 3, 7.0)
    texts = {field.name: field.metadata.get("text") for field in settings_of(Push)}
    assert list(texts) == ["weight", "count", "most", "far"]
    assert list(texts.values()) == ["weight of the pull", "how many", "another text", None]
    assert [field.default for field in settings_of(Push)] == [-2.0, 3, 7.0, False]


def test_parts_within_a_part_are_described_and_built_too():
    whole_sum = Sum((Pull(2.0), Sum((Pull(count=5),)), 3, "word", None))
    description = json.loads(json.dumps(describe(whole_sum, PULLS)))
    assert description["parts"][0] == {"name": "pull", "weight": 2.0, "count": 3, "most": None}
    assert build(description, PULLS) == whole_sum


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ({"name": "pul"}, "unknown pull 'pul', wants one of 'pull', 'sum'; did you mean 'pull'"),
        ({}, "unknown pull None"),
        ({"name": {}}, "unknown pull {}"),
        (
            {"name": "pull", "weight": 1},
            "'pull' is described by weight: wants weight, count",
        ),
        (
            {"name": "sum", "parts": [], "label": "", "x": 1},
            "by parts, label, x: wants parts, label",
        ),
        ({"name": "pull", "weight": -1, "count": 2, "most": None}, "Pull: weight=-1"),
        ({"name": "sum", "parts": {"name": "pul"}, "label": ""}, "unknown pull 'pul'"),
        ("pull", "is described by 'pull': wants a dict, such as {'name': 'pull'}"),
        (["pull"], "wants a dict"),
        (3, "wants a dict"),
    ],
    ids=str,
)
def test_what_describes_no_part_is_answered_with_what_is_wrong(description, text):
    with pytest.raises(OptionError, match=text):
        build(description, PULLS)


def test_a_description_of_a_game_is_its_name_alone():
    assert describe(HINGE, LOSSES) == {"name": "hinge"}
    with pytest.raises(OptionError, match="'hinge' is described by weight: wants its name"):
        build({"name": "hinge", "weight": 3}, LOSSES)


def test_a_long_description_is_cut_in_an_error():
    for description in ("x" * 10**6, {"name": "y" * 10**6}, {"name": "sum", "z" * 10**6: 1}):
        with pytest.raises(OptionError) as caught:
            build(description, PULLS)
        assert len(str(caught.value)) < 2_000


@dataclass(frozen=True)
class Own(R1):
    """A penalty of one's own."""

    slack: float = 0.5


def test_a_part_of_ones_own_is_described_once_it_is_known(monkeypatch):
    text = (
        r"the penalty Own\(weight=2.0, slack=0.5\) is not one of scratchgen's, so no file can "
        r"hold it: add the class to scratchgen.losses.PENALTIES, here and where the file is loaded"
    )
    with pytest.raises(OptionError, match=text):
        describe(Own(2.0), PENALTIES)
    monkeypatch.setitem(PENALTIES, "own", Own)
    description = describe(Own(2.0), PENALTIES)
    assert description == {"name": "own", "weight": 2.0, "slack": 0.5}
    assert build(description, PENALTIES) == Own(2.0)
    assert describe(R1(2.0), PENALTIES)["name"] == "r1"


def test_settings_that_are_no_fields_are_not_lost_in_silence(monkeypatch):
    class Loose:
        def __init__(self, weight=1.0):
            self.weight = weight

    class Slotted:
        __slots__ = ("weight",)

    for kind in (Loose, Slotted):
        monkeypatch.setitem(PULLS, kind.__name__, kind)
        with pytest.raises(OptionError, match="has settings, weight, that are not fields"):
            describe(kind(), PULLS)


def test_a_class_without_settings_needs_no_more_than_its_name(monkeypatch):
    class Bare:
        """Nothing to set."""

    monkeypatch.setitem(PULLS, "bare", Bare)
    assert describe(Bare(), PULLS) == {"name": "bare"}
    assert type(build({"name": "bare"}, PULLS)) is Bare


def test_a_game_of_ones_own_is_described_once_it_is_known(monkeypatch):
    own = AdversarialLoss("hinge", *[lambda *_: None] * 4)
    with pytest.raises(
        OptionError, match=r"game 'hinge' is not .*: add it to scratchgen\.losses\."
    ):
        describe(own, LOSSES)
    monkeypatch.setitem(LOSSES, "mine", own)
    assert describe(own, LOSSES) == {"name": "mine"}
    assert build({"name": "mine"}, LOSSES) is own


@pytest.mark.parametrize(
    "bad", [math.nan, -math.inf, 10**400, {"a": 1}, {1}, np.ones(2), len, b"x"]
)
def test_a_setting_that_no_file_can_hold_is_refused(bad):
    with pytest.raises(OptionError, match=r"has the setting .*, which no file can hold"):
        describe(Sum((bad,)), PULLS)


def test_numbers_of_numpy_are_described_as_pythons():
    plain = describe(Sum((np.float32(0.5), np.int8(3), np.True_)), PULLS)["parts"]
    assert [(value, type(value)) for value in plain] == [(0.5, float), (3, int), (True, bool)]


def test_a_part_is_chosen_by_name_class_or_object():
    assert choose("r1", PENALTIES, losses.Penalty) == R1()
    assert choose(R1, PENALTIES, losses.Penalty) == R1()
    assert choose(own := Own(), PENALTIES, losses.Penalty) is own
    assert choose(None, PENALTIES, losses.Penalty) is None
    assert choose("hinge", LOSSES, AdversarialLoss) is HINGE
    with pytest.raises(KindError, match=r"needs settings: write Categorical\(\.\.\.\)"):
        choose("categorical", LIKELIHOODS, Likelihood)
    with pytest.raises(
        KindError, match="penalty=3: wants a name, gradient_penalty or r1, or an ob"
    ):
        choose(3, PENALTIES, losses.Penalty)
    with pytest.raises(OptionError, match=r"unknown loss 'hing', .*did you mean 'hinge'"):
        choose("hing", LOSSES, AdversarialLoss, "loss")


@pytest.mark.parametrize("entry", [3, None, "r1", int, object()])
def test_what_is_of_another_kind_in_a_registry_is_named_with_its_place(entry, monkeypatch):
    monkeypatch.setitem(PENALTIES, "mine", entry)
    with pytest.raises(KindError, match=r"PENALTIES\['mine'\] is .*: wants a penalty, Penalty or"):
        choose("mine", PENALTIES, losses.Penalty)


def test_a_part_is_shown_by_its_formula_and_the_values_in_it():
    assert with_values(Pull(2.5)) == "weight |x|^2, weight = 2.5, count = 3"
    assert with_values(Pull(most=1)) == "weight |x|^2, weight = 1, count = 3, most = 1"
    assert with_values(Sum()) == "Sum, parts = (), label = sum"
    assert with_values(FixedGaussian(0.1)) == "x_j ~ N(raw_j, variance), variance = 0.1"
    assert with_values(distributions.Bernoulli()) == "x_j ~ Bernoulli(sigmoid(raw_j))"


KINDS = [*PENALTIES.values(), *LIKELIHOODS.values(), *OPTIMIZERS.values(), *SCHEDULES.values()]


@pytest.mark.parametrize("kind", [*KINDS, MovingAverage], ids=lambda kind: kind.__name__)
def test_every_setting_has_a_check_and_a_line_of_text_but_for_parts_within_a_part(kind):
    assert issubclass(kind, Part)
    for field in settings_of(kind):
        if (kind, field.name) in {(optim.ClipNorm, "optimizer"), (Chain, "schedules")}:
            continue
        text = field.metadata["text"]
        assert text == text.strip()
        assert text.isprintable()
        assert 0 < len(text) < 60
        assert not text.endswith(".")
        assert callable(field.metadata["check"])


def test_options_have_the_names_that_the_command_line_gives_them():
    options = {
        (kind, field.name): option_of(field) for kind in KINDS for field in settings_of(kind)
    }
    assert options[R1, "weight"] == options[GradientPenalty, "weight"] == "penalty-weight"
    assert options[GradientPenalty, "target"] == "penalty-target"
    assert options[FixedGaussian, "variance"] == "variance"
    assert options[Categorical, "classes"] == "classes"
    assert options[Gaussian, "least_variance"] == "least-variance"
    assert options[optim.Adam, "learning_rate"] == "lr"
    assert options[optim.AdamW, "weight_decay"] == "weight-decay"
    assert options[optim.ClipNorm, "norm"] == "clip-norm"

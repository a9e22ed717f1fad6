"""A family follows from the fields of its class, however their types are written."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import scratchgen as sg
from scratchgen.ground.parts import setting
from scratchgen.models import Model, family
from scratchgen.models.families import family_settings, network_names
from scratchgen.nn import Network


class Frame(Model):
    kind: ClassVar[str] = "Frame"
    reported: ClassVar[tuple[str, ...]] = ("error",)

    def fit_together(self) -> None:
        self.shape, self.latent = (2,), 0


@family
class OfText(Frame):
    """The annotations of this file are text."""

    players: ClassVar[dict[str, tuple[str, ...]]] = {"one": ("first",), "other": ("second",)}

    first: Network
    second: sg.nn.Network
    weight: float = setting(default=1.0)


@family
class Forgetful(Frame):
    players: ClassVar[dict[str, tuple[str, ...]]] = {"one": ("first", "second")}

    first: Network
    second: Any


def network():
    return Network((2,), sg.nn.Dense(2, 2))


def test_networks_are_found_where_annotations_are_text():
    assert network_names(OfText) == ("first", "second")
    assert [field.name for field in family_settings(OfText)] == ["weight"]
    model = OfText(network(), network(), rng=0)
    assert model.theta("one").size == model.theta("other").size == 6


def test_a_player_that_moves_an_undeclared_network_is_refused_with_advice():
    with pytest.raises(
        sg.errors.OptionError, match="moves 'second', which is none of its networks"
    ):
        Forgetful(network(), network(), rng=0)


@pytest.mark.parametrize(
    "name", ["vector", "views", "objective", "parts", "networks", "history", "shape", "players"]
)
@pytest.mark.parametrize("kind", ["Network", "sg.nn.Network", "float"])
def test_a_field_named_after_an_attribute_of_every_model_is_refused(name, kind):
    space = {"__annotations__": {name: kind}, "players": {"one": ("first",)}}
    with pytest.raises(sg.errors.OptionError, match=f"declares a field '{name}'"):
        family(type("Clashing", (OfText,), space))


def test_a_field_may_be_declared_again_with_another_default():
    @family
    class Heavier(OfText):
        weight: float = 2.0

    assert Heavier(network(), network(), rng=0).weight == 2.0


@pytest.mark.parametrize("field", [{"weight": 2.0}, {"more": setting(default=1.0)}])
def test_fields_of_a_class_that_is_not_a_family_are_refused(field):
    Plain = type("Plain", (OfText,), {**field, "__annotations__": dict.fromkeys(field, "float")})
    with pytest.raises(sg.errors.OptionError, match="is no family: put @family above it"):
        Plain(network(), network(), rng=0)


@pytest.mark.parametrize("players", [None, ["first"], {"one": "first"}])
def test_players_that_are_not_names_of_networks_are_refused(players):
    Odd = family(type("Odd", (OfText,), {"players": players}))
    with pytest.raises(sg.errors.OptionError, match="the players of Odd are"):
        Odd(network(), network(), rng=0)


@pytest.mark.parametrize(
    ("returned", "kind", "words"),
    [
        (None, "KindError", "gave None, wants numbers by name"),
        ({}, "KindError", "wants numbers by name"),
        (1.0, "KindError", "wants numbers by name"),
        ({"error": "text"}, "KindError", "wants a real number"),
        ({"error": None}, "KindError", "wants a real number"),
        ({"error": 1j}, "KindError", "wants a real number"),
        ({"error": [1.0, 2.0]}, "ShapeError", "wants one number"),
    ],
)
def test_minimise_must_return_a_number_under_each_name(returned, kind, words):
    Giving = family(type("Giving", (OfText,), {"minimise": lambda self, turn: returned}))
    model = Giving(network(), network(), rng=0)
    with pytest.raises(getattr(sg.errors, kind), match=words):
        model.objective("one", [[0.0, 0.0]], 0)


@pytest.mark.parametrize(
    "returned", [{"one": sg.optim.Adam()}, {"one": sg.optim.Adam(), "other": 3}, {}]
)
def test_a_family_must_have_an_optimizer_for_each_player(returned):
    space = {"optimizers": lambda self, steps, learning_rate=None: returned}
    model = family(type("Giving", (OfText,), space))(network(), network(), rng=0)
    with pytest.raises((sg.errors.OptionError, sg.errors.KindError), match="optimizer"):
        sg.fit(model, [[0.0, 0.0]], epochs=1)


@pytest.mark.parametrize(
    ("recipe", "name"), [("gan", "loss"), ("gan", "prior"), ("aae", "loss"), ("aae", "prior")]
)
def test_none_is_refused_for_a_part_that_a_model_needs(recipe, name):
    build = sg.models.RECIPES[recipe]
    with pytest.raises(sg.errors.KindError, match=f"{name}=None: wants a name"):
        build((2,), **{name: None})


def test_a_number_under_a_name_that_the_history_lacks_is_refused():
    space = {
        "minimise": lambda self, turn: {"eror": 1.0},
        "optimizers": lambda self, steps, learning_rate=None: dict.fromkeys(self.players, "sgd"),
    }
    model = family(type("Giving", (OfText,), space))(network(), network(), rng=0)
    with pytest.raises(
        sg.errors.OptionError, match="'eror', and reports error: add it to `reported`"
    ):
        sg.fit(model, [[0.0, 0.0]], epochs=1)

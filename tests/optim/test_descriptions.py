"""Optimizers and schedules are described, and built again from their descriptions."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.optim import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    AdamW,
    Chain,
    ClipNorm,
    Constant,
    Cosine,
    LinearDecay,
    Momentum,
    Nesterov,
    RMSProp,
    StepDecay,
    WarmUp,
    build,
    describe,
    recorded,
)

OTHER_SCHEDULES = [
    Constant(0.0),
    Constant(0.3, steps=4),
    LinearDecay(0.2, 7),
    StepDecay(0.3, 5, factor=0.25),
    Cosine(0.1, 40, least=0.01),
    WarmUp(0.4, 9),
    Chain(WarmUp(0.1, 3), Chain(Constant(0.1, 2), LinearDecay(0.1, 6)), Cosine(0.1, 5, 0.02)),
]
OTHER_OPTIMIZERS = [
    SGD(0.5),
    Momentum(0.3, momentum=0.5),
    Nesterov(0.2, momentum=0.0),
    RMSProp(0.1, keep=0.8, eps=1e-3, centred=True),
    Adam(0.1, b1=0.5, b2=0.75, eps=1e-5),
    AdamW(0.1, 0.4, 0.6, 1e-4, weight_decay=0.0),
    ClipNorm(Adam(Chain(WarmUp(0.1, 3), Cosine(0.1, 5))), norm=0.25),
    ClipNorm(ClipNorm(SGD(0.125), 2), norm=3),
    *OPTIMIZERS.examples().values(),
]


@dataclass(frozen=True)
class Sign:
    """A step of constant size against the sign of the gradient."""

    learning_rate: object = 0.1
    names: tuple = ()

    def memory(self, theta):
        return None

    def update(self, theta, gradient, memory):
        theta -= 0.1 * np.sign(gradient)


@dataclass(frozen=True)
class Sawtooth:
    """A rate that falls, and starts again every few steps."""

    rate: float
    every: int = 3

    def __call__(self, step):
        return self.rate / (1 + step % self.every)


def falls(step):
    return 1 / (1 + step)


def test_every_schedule_is_tested_with_other_settings_than_its_own():
    assert {type(schedule) for schedule in OTHER_SCHEDULES} == set(SCHEDULES.values())


@pytest.mark.parametrize("optimizer", OTHER_OPTIMIZERS, ids=str)
def test_an_optimizer_is_built_again_from_its_description_in_json(optimizer):
    description = json.loads(json.dumps(describe(optimizer), allow_nan=False))
    assert description == describe(optimizer)
    again = build(description)
    assert again == optimizer
    assert type(again) is type(optimizer)
    assert repr(again) == repr(optimizer)


@pytest.mark.parametrize("schedule", OTHER_SCHEDULES, ids=str)
@pytest.mark.parametrize("wrap", [Adam, lambda rate: ClipNorm(Momentum(rate))], ids=["", "clipped"])
def test_a_schedule_is_built_again_with_its_optimizer(schedule, wrap):
    optimizer = wrap(schedule)
    again = build(json.loads(json.dumps(describe(optimizer))))
    assert again == optimizer
    rate = getattr(again, "optimizer", again).learning_rate
    assert type(rate) is type(schedule)
    assert [rate(step) for step in range(12)] == [schedule(step) for step in range(12)]


def test_a_description_holds_every_setting_by_the_name_of_its_field():
    assert describe(ClipNorm(SGD(Chain(WarmUp(0.1, 5), Constant(0.1))), norm=2)) == {
        "name": "clip_norm",
        "norm": 2.0,
        "optimizer": {
            "name": "sgd",
            "learning_rate": {
                "name": "chain",
                "schedules": [
                    {"name": "warm_up", "rate": 0.1, "steps": 5},
                    {"name": "constant", "rate": 0.1, "steps": None},
                ],
            },
        },
    }


@pytest.mark.parametrize("choice", ["adam", Adam, Adam()], ids=str)
def test_a_name_or_class_is_described_as_an_optimizer_with_default_settings(choice):
    assert build(describe(choice)) == Adam()


@pytest.mark.parametrize("bad", [None, 0.1, Cosine(0.1, 5), "adm"], ids=str)
def test_describe_refuses_anything_that_is_not_an_optimizer(bad):
    with pytest.raises(errors.ScratchgenError, match=r"wants an optimizer|did you mean 'adam'"):
        describe(bad)


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ({"name": "adm"}, "unknown optimizer or schedule 'adm', .*did you mean 'adam'"),
        ({"learning_rate": 0.1}, "unknown optimizer or schedule None"),
        ({"name": ["sgd"]}, r"unknown optimizer or schedule \['sgd'\]"),
        ({"name": "sgd"}, "'sgd' is described by its name alone: wants learning_rate"),
        ({"name": "sgd", "lr": 0.1}, "'sgd' is described by lr: wants learning_rate"),
        ({"name": "sgd", "learning_rate": 0.1, "b1": 0}, "by learning_rate, b1: wants"),
        ({"name": "sgd", "learning_rate": -1}, "SGD: learning_rate=-1: wants a number above 0"),
        ({"name": "sgd", "learning_rate": {"name": "sgd", "learning_rate": 1}}, "wants a number"),
        ({"name": "sgd", "learning_rate": {"name": "cosin"}}, "did you mean 'cosine'"),
        ({"name": "sgd", "learning_rate": {"name": "chain", "schedules": []}}, "of no schedules"),
        ({"name": "sgd", "learning_rate": {"name": "chain", "schedules": 5}}, "Chain got 5"),
        ({"name": "sgd", "learning_rate": {"name": "chain", "schedules": None}}, "Chain got None"),
        ({"name": "clip_norm", "norm": 1, "optimizer": 3}, "ClipNorm: optimizer=3: wants an opt"),
        ({"name": "cosine", "rate": 1, "steps": 2, "least": 0}, "wants an optimizer, such as"),
        ("sgd2", "is described by 'sgd2': wants a dict, such as {'name': "),
        ([], r"is described by \[\]: wants a dict"),
    ],
    ids=str,
)
def test_build_says_what_is_wrong_with_an_invalid_description(description, text):
    with pytest.raises(errors.ScratchgenError, match=text):
        build(description)


def test_a_users_optimizer_and_schedule_are_described_after_they_are_registered(monkeypatch):
    own = ClipNorm(Sign(Chain(WarmUp(0.1, 2), Sawtooth(0.5)), names=("a", "b")))
    with pytest.raises(
        errors.OptionError, match=r"the optimizer Sign\(.*scratchgen.optim.OPTIMIZERS"
    ):
        describe(own)
    monkeypatch.setitem(OPTIMIZERS, "sign", Sign)
    text = (
        r"the schedule Sawtooth\(rate=0.5, every=3\) is not one of scratchgen's, so no file can "
        r"hold it: make its class a frozen dataclass, .*, and add it to scratchgen.optim.SCHEDULES"
    )
    with pytest.raises(errors.OptionError, match=text):
        describe(own)
    monkeypatch.setitem(SCHEDULES, "sawtooth", Sawtooth)
    description = json.loads(json.dumps(describe(own)))
    assert description["optimizer"]["name"] == "sign"
    assert description["optimizer"]["learning_rate"]["schedules"][1]["name"] == "sawtooth"
    assert build(description) == own
    assert build({"name": "sign", "learning_rate": 3, "names": []}) == Sign(3)


def test_a_function_as_a_schedule_is_not_described_and_the_error_says_what_to_do():
    text = (
        r"the schedule falls is a plain function, which no file can hold: make it a frozen "
        r"dataclass with a method __call__\(self, step\), and add that to .*optim.SCHEDULES"
    )
    for optimizer in (Adam(falls), ClipNorm(SGD(Chain(WarmUp(0.1, 3), falls)))):
        with pytest.raises(errors.OptionError, match=text):
            describe(optimizer)


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), 10**400, {"a": 1}, np.ones(2)], ids=str
)
def test_the_error_names_a_setting_that_no_file_can_hold(bad, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "sign", Sign)
    with pytest.raises(errors.OptionError, match=r"has the setting .*, which no file can hold"):
        describe(Sign(bad))
    assert json.loads(json.dumps(recorded(Sign(bad)), allow_nan=False))["name"] == "sign"


def test_a_part_with_settings_that_are_not_fields_is_refused(monkeypatch):
    class Plain:
        def __init__(self, rate=0.5):
            self.rate = rate

        def __call__(self, step):
            return self.rate

    monkeypatch.setitem(SCHEDULES, "plain", Plain)
    with pytest.raises(errors.OptionError, match="make its class a frozen dataclass"):
        describe(SGD(Plain(0.1)))
    assert recorded(SGD(Plain(0.1)))["learning_rate"] == {"name": "Plain"}


@pytest.mark.parametrize("optimizer", OTHER_OPTIMIZERS, ids=str)
def test_a_run_records_the_description_of_its_optimizer(optimizer):
    assert recorded(optimizer) == describe(optimizer)


def test_a_run_records_the_class_name_of_a_users_own_part():
    assert recorded(Sign()) == {"name": "Sign"}
    assert recorded(ClipNorm(Sign())) == {
        "name": "clip_norm",
        "optimizer": {"name": "Sign"},
        "norm": 1,
    }
    assert recorded(SGD(falls)) == {"name": "sgd", "learning_rate": {"name": "function"}}
    chain = recorded(SGD(Chain(WarmUp(0.1, 3), Sawtooth(0.1))))["learning_rate"]
    assert chain["schedules"] == [
        describe(SGD(WarmUp(0.1, 3)))["learning_rate"],
        {"name": "Sawtooth"},
    ]


def test_clip_norm_cannot_be_chosen_by_name_alone():
    with pytest.raises(errors.KindError, match=r"needs settings: write ClipNorm\(\.\.\.\)"):
        ClipNorm("clip_norm")


def test_the_optimizer_of_a_run_can_be_built_from_its_log(tmp_path):
    optimizer = ClipNorm(Adam(Chain(WarmUp(0.01, 2), Cosine(0.01, 5))), norm=0.5)
    model = sg.models.vae((2,), latent=2, hidden=(4,), rng=0)
    sg.fit(model, np.eye(2), epochs=2, seed=0, optimizer=optimizer)
    sg.save(model, tmp_path / "vae.npz")
    assert build(sg.load(tmp_path / "vae.npz").training_log[0]["optimizer"]["vae"]) == optimizer

"""Schedules at values worked out by hand, and invalid schedules."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.optim import (
    SCHEDULES,
    SGD,
    Chain,
    ClipNorm,
    Constant,
    Cosine,
    LinearDecay,
    StepDecay,
    WarmUp,
)

ROOT = math.sqrt(2)


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (Constant(0.3), {0: 0.3, 1: 0.3, 10**9: 0.3}),
        (Constant(0), {0: 0, 7: 0}),
        (LinearDecay(0.8, 4), {0: 0.8, 1: 0.6, 2: 0.4, 3: 0.2, 4: 0, 5: 0, 10**9: 0}),
        (StepDecay(2.0, 3), {0: 2, 2: 2, 3: 0.2, 5: 0.2, 6: 0.02, 9: 0.002}),
        (StepDecay(1.0, 1, 0.5), {0: 1, 1: 0.5, 2: 0.25, 10: 2**-10, 10**6: 0}),
        (StepDecay(1.0, 1, 1.0), {0: 1, 10**6: 1}),
        (Cosine(2.0, 4), {0: 2, 1: 1 + ROOT / 2, 2: 1, 3: 1 - ROOT / 2, 4: 0, 5: 0, 10**9: 0}),
        (Cosine(3.0, 6, least=1.0), {0: 3, 2: 2.5, 3: 2, 4: 1.5, 6: 1, 7: 1, 10**9: 1}),
        (Cosine(1.0, 5, least=1.0), {0: 1, 2: 1, 9: 1}),
        (WarmUp(2.0, 4), {0: 0.5, 1: 1, 2: 1.5, 3: 2, 4: 2, 10**9: 2}),
        (WarmUp(2.0, 1), {0: 2, 1: 2}),
        (Chain(WarmUp(2.0, 4), LinearDecay(2.0, 2)), {0: 0.5, 3: 2, 4: 2, 5: 1, 6: 0, 7: 0}),
        (Chain(Constant(0.5)), {0: 0.5, 9: 0.5}),
        (
            Chain(Constant(0.4, steps=2), Chain(WarmUp(1.0, 2), Constant(0.1, 1)), Cosine(2.0, 2)),
            {0: 0.4, 1: 0.4, 2: 0.5, 3: 1, 4: 0.1, 5: 2, 6: 1, 7: 0},
        ),
        (Chain(WarmUp(1.0, 2), lambda t: t), {0: 0.5, 1: 1, 2: 0, 3: 1, 7: 5}),
    ],
    ids=lambda case: str(case).split(" at 0x")[0],
)
def test_a_schedule_has_the_rates_worked_out_by_hand(schedule, wanted):
    for step, rate in wanted.items():
        assert schedule(step) == pytest.approx(rate, rel=1e-12, abs=1e-15)


def test_the_first_and_last_rates_are_exact():
    assert WarmUp(0.3, 7)(6) == WarmUp(0.3, 7)(7) == 0.3
    assert Cosine(0.3, 7, least=0.1)(7) == 0.1
    assert Cosine(0.3, 7)(0) == LinearDecay(0.3, 7)(0) == StepDecay(0.3, 7)(6) == 0.3


def test_a_chain_lasts_as_long_as_its_parts():
    assert Chain(WarmUp(1e-3, 500), Cosine(1e-3, 4500)).steps == 5000
    assert Chain(Chain(WarmUp(1.0, 2)), Chain(WarmUp(1.0, 3))).steps == 5
    assert Chain(WarmUp(1.0, 2), Constant(1.0)).steps is None
    assert Chain(WarmUp(1.0, 2), lambda step: 1.0).steps is None


def test_schedules_compare_by_their_settings_and_can_be_pickled():
    chain = Chain(WarmUp(1.0, 2), Cosine(1.0, 4))
    assert pickle.loads(pickle.dumps(chain)) == chain == Chain(WarmUp(1.0, 2), Cosine(1.0, 4))
    assert chain != Chain(WarmUp(1.0, 2), Cosine(1.0, 5))


def test_every_schedule_has_a_name():
    kinds = [Constant, LinearDecay, StepDecay, Cosine, WarmUp, Chain]
    names = ["constant", "linear", "step", "cosine", "warm_up", "chain"]
    assert dict(zip(names, kinds, strict=True)) == SCHEDULES


@pytest.mark.parametrize("kind", [LinearDecay, StepDecay, Cosine, WarmUp])
@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, "fast", True, None, [0.1]], ids=str)
def test_a_rate_at_the_start_or_end_has_to_be_above_zero(kind, bad):
    with pytest.raises(errors.OptionError, match=f"^{kind.__name__}: rate=.*wants a number above"):
        kind(bad, 5)


@pytest.mark.parametrize("kind", [LinearDecay, StepDecay, Cosine, WarmUp, Constant])
@pytest.mark.parametrize("bad", [0, -1, 2.0, "long", True], ids=str)
def test_a_schedule_lasts_a_whole_number_of_steps(kind, bad):
    wanted = f"^{kind.__name__}: (steps|every)=.*wants a whole number of at least 1"
    with pytest.raises(errors.OptionError, match=wanted):
        kind(0.1, bad)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Constant(-1), "^Constant: rate=-1: wants a number of at least 0"),
        (lambda: Constant(math.nan), "^Constant: rate=nan: wants a number"),
        (lambda: StepDecay(0.1, 5, factor=0), "factor=0: wants a number above 0"),
        (lambda: StepDecay(0.1, 5, factor=2), r"factor=2.0: wants a number in \(0, 1\]"),
        (lambda: Cosine(0.1, 5, least=-1), "least=-1: wants a number of at least 0"),
        (lambda: Cosine(0.1, 5, least=0.2), "least=0.2: wants at most the rate, which is 0.1"),
        (Chain, r"^Chain\(\) of no schedules: wants at least one, as in Chain\(WarmUp"),
        (lambda: Chain(5), "^Chain got 5: wants schedules one by one, as in"),
        (lambda: Chain([WarmUp(1.0, 2), Cosine(1.0, 2)]), "wants schedules one by one, as in"),
        (lambda: Chain(WarmUp(1.0, 2), Cosine), "^Chain got <class .*: wants schedules one by one"),
        (
            lambda: Chain(Constant(1.0), Cosine(1.0, 2)),
            r"Constant\(.* has no steps .*: put it last",
        ),
        (lambda: Chain(StepDecay(1.0, 2), Cosine(1.0, 2)), r"StepDecay\(.* has no steps"),
        (lambda: Chain(abs, Cosine(1.0, 2)), "abs has no steps and is not the last"),
        (lambda: Chain(Chain(Constant(1.0)), Cosine(1.0, 2)), r"Chain\(.* has no steps"),
        (lambda: Chain(Lasting(0), Cosine(1.0, 2)), "steps of lasting=0: wants a whole number"),
        (lambda: Chain(Lasting("ever"), Cosine(1.0, 2)), "steps of lasting='ever': wants a whole"),
    ],
)
def test_invalid_settings_are_refused(make, text):
    with pytest.raises(errors.OptionError, match=text):
        make()


class Lasting:
    """A user's schedule with a number of steps."""

    def __init__(self, steps):
        self.steps = steps

    def __repr__(self):
        return "lasting"

    def __call__(self, step):
        return 0.25


def test_a_function_with_steps_may_stand_anywhere_in_a_chain():
    chain = Chain(Lasting(3), Constant(1.0))
    assert [chain(step) for step in range(5)] == [0.25, 0.25, 0.25, 1, 1]


INVALID_RATES = [
    -1e-9,
    math.nan,
    math.inf,
    -math.inf,
    "0.1",
    b"1",
    None,
    True,
    np.True_,
    1j,
    np.complex128(1),
    np.array([0.1]),
    np.array([0.1, 0.2]),
    np.array("fast"),
    np.array(math.nan),
    [0.1],
    (),
    10**400,
    SGD(),
]


@pytest.mark.parametrize("bad", INVALID_RATES, ids=str)
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, ClipNorm])
def test_an_invalid_rate_is_an_error_that_names_schedule_and_step_and_nothing_moves(bad, wrap):
    def wild(step):
        return bad if step == 2 else 0.0

    theta, optimizer = np.ones(2), wrap(SGD(wild))
    memory = optimizer.memory(theta)
    optimizer.update(theta, np.ones(2), memory)
    optimizer.update(theta, np.ones(2), memory)
    with pytest.raises(errors.OptionError) as caught:
        optimizer.update(theta, np.ones(2), memory)
    start = (
        f"SGD: the schedule wild returned {bad!r} at step 2, wants a finite number of at least 0"
    )
    assert str(caught.value).startswith(start)
    assert "mend the schedule" in str(caught.value)
    assert (theta == 1).all()
    assert getattr(memory, "inner", memory).t == 2


@pytest.mark.parametrize(
    "rate", [0, 1, 0.5, np.float32(0.5), np.int64(1), np.array(0.5), Fraction(1, 2)], ids=repr
)
def test_any_kind_of_real_number_may_be_a_rate(rate):
    theta, sgd = np.ones(2, np.float32), SGD(lambda step: rate)
    sgd.update(theta, np.ones(2, np.float32), sgd.memory(theta))
    assert theta.dtype == np.float32
    assert (theta == 1 - float(rate)).all()


def test_an_invalid_rate_from_a_part_of_a_chain_is_an_error_that_names_the_chain():
    theta, sgd = np.ones(2), SGD(Chain(WarmUp(0.1, 1), Lasting(2), lambda step: -1))
    memory = sgd.memory(theta)
    for _ in range(3):
        sgd.update(theta, np.ones(2), memory)
    with pytest.raises(errors.OptionError, match=r"the schedule Chain\(.*returned -1 at step 3"):
        sgd.update(theta, np.ones(2), memory)


def test_an_error_inside_a_schedule_comes_through_and_nothing_moves():
    def broken(step):
        raise ZeroDivisionError("of the user's own")

    theta, sgd = np.ones(2), SGD(broken)
    memory = sgd.memory(theta)
    with pytest.raises(ZeroDivisionError, match="of the user's own"):
        sgd.update(theta, np.ones(2), memory)
    assert (theta == 1).all()
    assert memory.t == 0


def test_a_schedule_is_called_once_for_each_step_counted_from_zero():
    steps = []
    theta, sgd = np.ones(2), SGD(lambda step: steps.append(step) or 0.1)
    memory = sgd.memory(theta)
    for _ in range(4):
        sgd.update(theta, np.ones(2), memory)
    assert steps == [0, 1, 2, 3]

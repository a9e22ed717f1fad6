"""The checks that users call: their exceptions, their budgets, and their replays."""

import itertools
import warnings

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.command.pytest_plugin import Gradcheck
from scratchgen.gradcheck import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    GradientError,
    InconclusiveWarning,
    assert_gradients,
    check,
    check_cached,
    check_pair,
    check_second_order,
)
from scratchgen.gradcheck.certificate import specimens
from scratchgen.gradcheck.checks import run
from scratchgen.gradcheck.pairs.function_pairs import VJPPair
from scratchgen.ground import errors
from scratchgen.nn import Dropout, Tanh

X, W = np.random.default_rng(0).uniform(0.5, 1.5, (2, 4, 3))


def product(x, w):
    return x * w


def product_vjp(dy, x, w):
    return dy * w, dy * x


class Halved(Tanh):
    """A tanh whose gradient is half of the right one."""

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return 0.5 * super().backward(p, dy, tape, g, need_dx)


class Random(Tanh):
    """A tanh whose forward pass returns another result each time."""

    def forward(self, p, x, tape):
        return super().forward(p, x, tape) + np.random.default_rng().normal(size=x.shape)


# Assertions


def test_a_wrong_gradient_is_an_assertion_that_fails_with_the_text_of_the_report():
    with pytest.raises(AssertionError, match="FAIL") as problem:
        assert_gradients(Halved(), x=(2, 3))
    assert isinstance(problem.value, GradientError)
    assert "replay: check(" in str(problem.value)


def test_an_inconclusive_check_is_a_warning_and_with_strict_an_error():
    with pytest.warns(InconclusiveWarning, match="INCONCLUSIVE") as seen:
        report = assert_gradients(Random(), x=(2, 3))
    assert seen[0].filename == __file__
    assert report.verdict == INCONCLUSIVE
    assert not report.ok
    with pytest.raises(GradientError, match="INCONCLUSIVE"):
        assert_gradients(Random(), x=(2, 3), strict=True)


def test_a_right_gradient_causes_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert assert_gradients(Tanh(), x=(2, 3), strict=True).ok


# Budgets


class Clock:
    """A clock that advances by a second with every call of `product`."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def product(self, x, w):
        self.now += 1
        return x * w


@pytest.fixture
def clock(monkeypatch):
    """The clock of the budget."""
    clock = Clock()
    monkeypatch.setattr("scratchgen.gradcheck.pairs.budget.CLOCK", clock)
    return clock


def limit_evaluations(monkeypatch, evaluations):
    """Set the evaluations of a budget."""
    monkeypatch.setattr("scratchgen.gradcheck.pairs.budget.EVALUATIONS", evaluations)


def test_all_pairs_share_one_budget():
    pairs = [(str(k), VJPPair(product, product_vjp, (X, W))) for k in range(3)]
    report = run(pairs, "three", "three(", seconds=60)
    first, second, third = (pair.budget for _, pair in pairs)
    assert first is second is third
    assert [case.label for case in report.cases] == ["0", "1", "2"]


def test_a_check_ends_within_one_call_of_its_last_second(clock):
    report = check_pair(clock.product, product_vjp, (X, W), seconds=100)
    assert report.verdict == INCONCLUSIVE
    assert clock.now == 101  # with the pass that was running
    assert {block.reason for block in report.cases[0].blocks} == {"the budget of 100 s is spent"}


def test_without_seconds_evaluations_are_counted_and_the_clock_is_ignored(clock, monkeypatch):
    assert check_pair(clock.product, product_vjp, (X, W), seconds=None).verdict == PASS
    assert clock.now > 100  # seconds, ten times the default
    assert check_pair(clock.product, product_vjp, (X, W)).verdict == INCONCLUSIVE
    limit_evaluations(monkeypatch, 100)
    report = check_pair(product, product_vjp, (X, W), seconds=None)
    assert report.verdict == INCONCLUSIVE
    assert report.forward_calls + report.backward_calls <= 103
    assert {block.reason for block in report.cases[0].blocks} == {
        "the budget of 100 evaluations is spent"
    }


def test_an_evaluation_over_more_numbers_counts_more(monkeypatch):
    limit_evaluations(monkeypatch, 11)
    x = np.ones(50_000)  # 100,000 with the outputs: each pass counts 1 + 2 evaluations
    report = check_pair(np.sin, lambda dy, x: dy * np.cos(x), (x,), seconds=None)
    assert report.verdict == INCONCLUSIVE
    assert report.forward_calls + report.backward_calls == 5  # the last of them is refused


def test_a_wrong_block_fails_even_if_the_budget_ends_during_the_search_for_its_entries(monkeypatch):
    limit_evaluations(monkeypatch, 3_000)
    x = np.linspace(0.1, 1, 1_500)
    report = check_pair(np.sin, lambda dy, x: dy * np.cos(2 * x), (x,), seconds=None)
    assert report.verdict == FAIL
    assert report.forward_calls + report.backward_calls < 3_002


def test_assertions_the_fixture_and_the_certificate_depend_on_no_clock(monkeypatch):
    """The clock advances by an hour each time it is read."""
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("scratchgen.gradcheck.pairs.budget.CLOCK", lambda: next(hours))
    assert check(Tanh(), (2, 3)).verdict == INCONCLUSIVE
    assert assert_gradients(Tanh(), (2, 3)).verdict == PASS
    assert Gradcheck(0, strict=True, pictures=None)(Tanh(), (2, 3)).verdict == PASS
    for kind in ("likelihood", "second order", "function", "optimizer"):
        specimen = next(specimen for specimen in specimens() if specimen.kind == kind)
        assert {case.verdict for case in specimen.cases(0)} == {PASS}, specimen.name


def test_seconds_must_be_above_zero_and_may_be_infinite():
    assert check_pair(product, product_vjp, (X, W), seconds=np.inf).ok
    for seconds in (0, -1, np.nan, "2"):
        with pytest.raises(errors.OptionError, match="seconds"):
            check_pair(product, product_vjp, (X, W), seconds=seconds)
        with pytest.raises(errors.OptionError, match="seconds"):
            check(sg.optim.Adam(), seconds=seconds)


# The blocks to check


@pytest.mark.parametrize(
    ("wrt", "blocks"),
    [(None, "xw"), ("w", "w"), (0, "x"), ([1, "x"], "wx"), (("x", 0), "x"), (np.int64(1), "w")],
)
def test_wrt_takes_names_or_numbers_of_arguments(wrt, blocks):
    (case,) = check_pair(product, product_vjp, (X, W), wrt=wrt).cases
    assert [block.name for block in case.blocks] == list(blocks)


@pytest.mark.parametrize(
    ("wrt", "error"),
    [
        ("v", errors.OptionError),
        (2, errors.OptionError),
        (-1, errors.OptionError),
        ([], errors.OptionError),
        (True, errors.KindError),
        (1.0, errors.KindError),
    ],
)
def test_wrt_without_a_matching_block_is_refused(wrt, error):
    with pytest.raises(error, match="wrt="):
        check_pair(product, product_vjp, (X, W), wrt=wrt)


def test_wrt_of_an_argument_selects_all_of_its_blocks():
    def vjp(dy, p):
        return {"a": dy * p["b"], "b": dy * p["a"]}

    report = check_pair(lambda p: p["a"] * p["b"], vjp, ({"a": X, "b": W},), wrt="p")
    assert [block.name for block in report.cases[0].blocks] == ["p['a']", "p['b']"]


def test_a_wrong_block_outside_of_wrt_does_not_fail():
    half = lambda dy, x, w: (dy * w, 0.5 * dy * x)  # noqa: E731
    assert check_pair(product, half, (X, W), wrt="x").verdict == PASS
    assert check_pair(product, half, (X, W)).verdict == FAIL


# Replays


def test_without_a_seed_the_report_names_a_random_seed():
    first, second = (check(Tanh(), x=(2, 3), seed=None) for _ in range(2))
    assert first.seed != second.seed
    again = check(Tanh(), x=(2, 3), seed=first.seed)
    assert again.replay == first.replay == f"check(Tanh(), x=(2, 3), seed={first.seed})"
    measurements = [r.cases[0].blocks[0].measurements[0].numeric for r in (first, again, second)]
    assert measurements[0] == measurements[1] != measurements[2]


def test_a_replay_repeats_all_arguments_of_the_call():
    texts = [
        check(Dropout(0.5), x=(4, 3), training=True, seed=3).replay,
        check(Tanh(), x=np.ones((4, 3)), wrt="x", batch_axis=0).replay,
        check_pair(product, product_vjp, (X, W), wrt=["x"], surrogate=product).replay,
        check_cached(lambda x: (x, None), lambda dy, cache: dy, X).replay,
        check_second_order(Tanh(), (2, 3), wrt="x").replay,
    ]
    assert texts == [
        "check(Dropout(0.5), x=(4, 3), training=True, seed=3)",
        "check(Tanh(), x=(4, 3), wrt='x', batch_axis=0, seed=0)",
        "check_pair(product, product_vjp, args=..., surrogate=product, wrt=['x'], seed=0)",
        "check_cached(<lambda>, <lambda>, args=..., seed=0)",
        "check_second_order(Tanh(), x=(2, 3), wrt='x', seed=0)",
    ]

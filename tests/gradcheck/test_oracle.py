"""Verdicts: right gradients pass, wrong gradients fail, the rest is inconclusive with a reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.gradcheck.measuring.oracle import measure_all
from scratchgen.gradcheck.pairs.function_pairs import VJPPair
from scratchgen.gradcheck.results import FAIL, INCONCLUSIVE, PASS

seeds = st.integers(0, 2**32)


def measured(f, vjp, *args, seed=0):
    """The results of the oracle by block, and its notes."""
    with np.errstate(all="ignore"):
        results, notes = measure_all(VJPPair(f, vjp, args), np.random.default_rng(seed))
    return {result.name: result for result in results}, notes


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def dense(x, w, b):
    return np.tanh(x @ w + b)


def dense_vjp(dy, x, w, b):
    d = dy * (1 - np.tanh(x @ w + b) ** 2)
    return d @ w.T, x.T @ d, d.sum(axis=0)


@given(seeds)
def test_each_block_of_a_right_pair_passes_and_states_its_resolution(seed):
    found, _ = measured(
        dense, dense_vjp, normal(4, 5, seed=seed), normal(5, 3, seed=seed), normal(3), seed=seed
    )
    assert {result.verdict for result in found.values()} == {PASS}
    assert all(result.resolution < 1e-8 for result in found.values())
    assert all(result.exact < 1e-14 for result in found.values())  # the complex step agrees


@given(seeds, st.integers(0, 14), st.sampled_from([1e-2, 1e-5, 1e-8, 1e-10]))
def test_one_wrong_entry_fails_its_block_and_no_other(seed, place, size):
    def wrong(dy, x, w, b):
        dx, dw, db = dense_vjp(dy, x, w, b)
        dw.flat[place] += size * np.copysign(np.abs(dw).max(), dw.flat[place])
        return dx, dw, db

    found, _ = measured(dense, wrong, normal(4, 5), normal(5, 3), normal(3), seed=seed)
    assert [found[name].verdict for name in "xwb"] == [PASS, FAIL, PASS]


def test_a_tiny_block_is_not_drowned_by_a_large_one():
    def f(x, c):
        return 1e6 * x**2 + 1e-6 * c

    def vjp(dy, x, c):
        return dy * 2e6 * x, dy.sum() * 1.001e-6

    found, _ = measured(f, vjp, normal(6), 0.3)
    assert found["c"].verdict != PASS


@pytest.mark.parametrize(
    ("f", "slope", "x"),
    [
        (lambda x: np.sum(x**2) + 1e9, lambda x: 2 * x, normal(9)),
        (np.log, lambda x: 1 / x, np.full(4, 1.3e-5)),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x), np.full(4, 0.7e-5)),
        (lambda x: np.linalg.norm(x), lambda x: x / np.linalg.norm(x), 1e-6 * normal(5)),
        (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x)), 1e-8 * normal(5)),
        (lambda x: np.square(x.astype("f4")), lambda x: 2 * x, normal(7)),
        (lambda x: x.astype("f4"), np.ones_like, 100 * normal(50)),
        (lambda x: np.maximum(x, 0), lambda x: x > 0, normal(10_000)),
        (lambda x: 1e-6 * np.sum(x**2), lambda x: 2e-6 * x, normal(5)),
        (np.exp, np.exp, 30 * normal(6)),
    ],
)
def test_right_gradients_do_not_fail_where_differences_are_hard(f, slope, x):
    for seed in range(20):
        found, _ = measured(f, lambda dy, x: dy * slope(x), x, seed=seed)
        assert found["x"].verdict == PASS, found["x"]


@pytest.mark.parametrize(
    ("f", "vjp", "x"),
    [
        (lambda x: 1e-6 * np.sum(x**2), lambda dy, x: 0 * x, normal(5)),
        (lambda x: np.sum(x**2) + 1e9, lambda dy, x: 0 * x, normal(5)),
        (lambda x: x**2, lambda dy, x: 2 * abs(dy) * x, normal(5)),
        (lambda x: x**2, lambda dy, x: 2.02 * dy * x, normal(5).astype("f4").astype(float)),
    ],
)
def test_wrong_gradients_fail_that_other_checkers_pass(f, vjp, x):
    found, _ = measured(f, vjp, x)
    assert found["x"].verdict == FAIL


@given(seeds, st.integers(1, 6))
def test_the_slope_at_a_kink_is_measured_beside_it(seed, zeros):
    x = normal(8, seed=seed)
    x[:zeros] = 0
    for right in (lambda dy, x: dy * (x > 0), lambda dy, x: dy * (x >= 0)):
        found, notes = measured(lambda x: np.maximum(x, 0), right, x, seed=seed)
        assert found["x"].verdict == PASS
        assert "kink" in notes[0].text
    wrong = lambda dy, x: dy * (x >= -1)  # noqa: E731
    x[-1] = -0.5
    found, _ = measured(lambda x: np.maximum(x, 0), wrong, x, seed=seed)
    assert found["x"].verdict == FAIL


def test_the_slope_at_a_tie_of_a_maximum_is_measured_beside_it():
    def vjp(dy, x):
        return dy * (np.arange(4) == x.argmax())

    found, notes = measured(lambda x: np.max(x), vjp, np.array([1.0, 2, 2, 0]))
    assert found["x"].verdict == PASS
    assert notes


def test_a_nan_gradient_fails_where_the_derivative_is_finite():
    x = np.array([0.0, 1.0, -2.0])
    nan = lambda dy, x: dy * 2 * x**2 / x  # noqa: E731
    found, _ = measured(lambda x: x**2, nan, x)
    assert found["x"].verdict == FAIL
    assert "nan" in found["x"].reason


def test_an_infinite_slope_is_noted_and_the_rest_is_checked():
    x = np.array([0.0, 1.0, 4.0])
    right = lambda dy, x: dy * 0.5 / np.sqrt(abs(x)) * np.sign(x + (x == 0))  # noqa: E731
    found, notes = measured(lambda x: np.sqrt(abs(x)), right, x)
    assert found["x"].verdict == PASS
    assert "infinite" in notes[0].text


@pytest.mark.parametrize(
    "f", [lambda x: np.sin(1e9 * x), lambda x: x + 1e-3 * np.sin(1e12 * x), lambda x: x + 1e13]
)
def test_a_function_that_differences_cannot_resolve_is_inconclusive_with_a_reason(f):
    for seed in range(20):
        found, _ = measured(f, lambda dy, x: dy, normal(5), seed=seed)
        assert found["x"].verdict == INCONCLUSIVE
        assert found["x"].reason


def test_a_zero_derivative_passes_and_the_reason_says_so():
    found, _ = measured(lambda x: np.floor(x), lambda dy, x: 0 * dy, normal(5))
    assert found["x"].verdict == PASS
    assert found["x"].resolution is None
    x, centre = normal(6, 3), lambda x: x - x.mean(axis=0)
    for seed in range(20):  # a bias before a normalisation: both sides are rounding dust
        found, _ = measured(
            lambda b: centre(x + b), lambda dy, b: centre(dy).sum(axis=0), normal(3), seed=seed
        )
        assert found["b"].verdict == PASS
        assert "0, to within rounding" in found["b"].reason


def test_backward_draws_the_same_mask_as_forward():
    def dropout(x, rng):
        return x * (rng.random(x.shape) < 0.5)

    found, _ = measured(
        dropout, lambda dy, x, rng: dropout(dy, rng), normal(20), np.random.default_rng(0)
    )
    assert found["x"].verdict == PASS

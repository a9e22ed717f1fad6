"""The derivative along a direction is precise, and lies within its error bar."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scratchgen.gradcheck.measuring.differences import MANY, LineDifferences, best_entry
from scratchgen.gradcheck.measuring.rounding import EPS, table_noise

FUNCTIONS = {  # name -> f and f'
    "cube": (lambda t: t**3, lambda t: 3 * t**2),
    "exp": (np.exp, np.exp),
    "sin": (lambda t: np.sin(5 * t), lambda t: 5 * np.cos(5 * t)),
    "log": (lambda t: np.log(3 + t), lambda t: 1 / (3 + t)),
    "tanh": (np.tanh, lambda t: 1 - np.tanh(t) ** 2),
}
at = st.floats(-1.5, 1.5)
functions = st.sampled_from(sorted(FUNCTIONS))


def slope_of(f, x, u=1.0, noise=None):
    """The slope of f at x along u, for a function of one number."""
    values = lambda h: (np.atleast_1d(f(x + h * u)),)  # noqa: E731
    centre = values(0.0)
    noise = 4 * EPS * abs(centre[0][0]) if noise is None else noise
    return LineDifferences(values, (np.ones(1),), centre, noise).slope(MANY)


@given(functions, at)
@example("sin", 1e-16)  # where only the rounding of D is left
def test_the_derivative_lies_within_its_error_bar(name, x):
    f, slope = FUNCTIONS[name]
    found = slope_of(f, x)
    assert abs(found.value - slope(x)) <= 10 * found.error
    assert found.error <= 1e-9 * (1 + abs(slope(x)))


@given(functions, at)
def test_it_is_a_thousand_times_more_precise_than_a_difference_at_1e_5(name, x):
    f, slope = FUNCTIONS[name]
    plain = abs((f(x + 1e-5) - f(x - 1e-5)) / 2e-5 - slope(x))
    assert abs(slope_of(f, x).value - slope(x)) <= plain / 1000 + 1e-12


def test_a_kink_is_distinguished_from_a_slope():
    assert slope_of(abs, 0.0).is_kink()
    assert slope_of(lambda t: np.maximum(t, 0), 0.0).is_kink()
    assert not slope_of(np.tanh, 0.3).is_kink()
    assert not slope_of(abs, 0.001).is_kink()


def test_a_function_that_oscillates_within_every_step_has_a_huge_error():
    found = slope_of(lambda t: np.sin(1e9 * t), 0.3)
    assert 10 * found.error > 0.1 * found.scale


def test_a_jump_beside_the_point_is_not_mistaken_for_a_slope():
    found = slope_of(lambda t: np.floor(t), 1.0)
    assert 10 * found.error > 0.1 * found.scale


def test_finer_steps_catch_a_tableau_that_agrees_with_itself_by_chance():
    """D(h) = 0 at large steps and 1 at small steps: a jump at |h| = 1e-4."""
    found = slope_of(lambda t: t * (abs(t) < 1e-4), 0.0)
    assert abs(found.value - 1) <= 10 * found.error


@pytest.mark.parametrize("ratio", [1.6, 2.0])
def test_a_tableau_removes_one_power_after_the_other(ratio):
    steps = [0.1 / ratio**k for k in range(5)]
    values = {h: 7 + 3 * h**2 - 2 * h**4 + h**6 for h in steps}
    assert best_entry(steps, values, ratio, 2, 0.0).value == pytest.approx(7, abs=1e-12)
    one_sided = {h: 7 + 3 * h - 2 * h**2 + h**3 for h in steps}
    assert best_entry(steps, one_sided, ratio, 1, 0.0).value == pytest.approx(7, abs=1e-12)


@pytest.mark.parametrize("sigma", [1e-12, 1e-9, 1e-6])
def test_the_difference_table_sees_noise_of_any_size(sigma):
    rng, w = np.random.default_rng(0), (np.ones(1),)
    noisy = lambda h: (np.array([np.exp(h) + sigma * rng.standard_normal()]),)  # noqa: E731
    found = [table_noise(noisy, w, w, 1e-7) for _ in range(200)]
    assert np.median(found) == pytest.approx(sigma, rel=0.5)
    assert np.quantile(found, 0.05) > sigma / 4


def test_the_difference_table_sees_float32_inside():
    x = np.random.default_rng(0).standard_normal(5)
    f = lambda h: (np.square((x + h * x).astype(np.float32)).astype(float),)  # noqa: E731
    found = table_noise(f, (np.ones(5),), f(0.0), 1e-7)
    assert 1e-9 < found < 1e-5

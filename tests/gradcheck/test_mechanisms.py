"""Each part of the oracle, beside a function that made it necessary.

Without the part, that function would get a wrong verdict, or a wrong error bar.
"""

import numpy as np
import pytest
from test_differences import slope_of
from test_oracle import measured, normal

from scratchgen.gradcheck.library.mixed import check_mixed
from scratchgen.gradcheck.library.own_pairs import LayerPair
from scratchgen.gradcheck.library.second_order import second_order_pairs
from scratchgen.gradcheck.library.tangents import same_layer
from scratchgen.gradcheck.measuring import oracle
from scratchgen.gradcheck.measuring.claims import direction, draw_claim
from scratchgen.gradcheck.measuring.differences import FEW, MANY, LineDifferences, Side, Slope
from scratchgen.gradcheck.measuring.judging import verdict_on
from scratchgen.gradcheck.measuring.locate import entry_map
from scratchgen.gradcheck.measuring.rounding import EPS, forward_noise
from scratchgen.gradcheck.pairs.function_pairs import VJPPair
from scratchgen.gradcheck.results import FAIL, INCONCLUSIVE, PASS, Measurement
from scratchgen.nn import Tanh

# Differences


def waves(t):
    """Waves of height 0.001 that have a crest at each step 0.08 / 2^k."""
    return 0.001 * np.cos(2 * np.pi * np.log2(abs(t) / 0.08 + (t == 0))) * (abs(t) > 2e-3)


def test_a_second_ladder_sees_waves_that_fit_the_first():
    """At the steps 0.08 / 2^k the waves look like a slope; small steps drown in noise."""

    def f(t):
        return t * (1 + 1000 * t**2 + waves(t)) + 1e-7 * np.sin(1e9 * t)

    found = slope_of(f, 0.0, noise=1e-7)
    assert abs(found.value - 1) <= 10 * found.error


def test_two_finer_steps_contradict_a_ladder_of_few_steps():
    """The ten steps of a ladder are above 1e-4, where D(h) = 0; the slope is 1."""
    values = lambda h: (np.atleast_1d(h * (abs(h) < 1e-4)),)  # noqa: E731
    found = LineDifferences(values, (np.ones(1),), values(0.0), 0.0).slope(FEW)
    assert abs(found.value - 1) <= 10 * found.error


def test_finest_steps_that_agree_count_even_if_the_noise_is_overstated():
    found = slope_of(lambda t: t * (abs(t) < 1e-4), 0.0, noise=1e-5)
    assert abs(found.value - 1) <= 10 * found.error


def test_finer_steps_count_even_if_the_finest_drown_in_noise():
    found = slope_of(lambda t: t * (abs(t) < 1e-3) + 1e-8 * np.sin(1e12 * t), 0.0, noise=1e-8)
    assert abs(found.value - 1) <= 10 * found.error


def test_rounding_to_float16_may_hide_a_slope_and_a_staircase_may_not():
    hidden = slope_of(lambda t: float(np.float16(100 + t / 9)), 0.0)
    assert hidden.value == 0
    assert hidden.hidden > 1 / 9
    assert slope_of(np.floor, 0.5).hidden == 0


def test_a_kink_is_seen_even_if_it_is_small_beside_the_slope():
    assert slope_of(lambda t: np.exp(t) + 1e-9 * abs(t), 0.0).is_kink()


@pytest.mark.parametrize(
    ("apart", "slightly", "surely"), [(0.1, False, False), (0.5, True, False), (3, True, True)]
)
def test_slopes_may_be_a_kink_beyond_their_errors_and_are_a_kink_beyond_ten(
    apart, slightly, surely
):
    left, right = Side(1.0, 0.1, 0.01, 0.08), Side(1.0 + apart, 0.1, 0.01, 0.08)
    slope = Slope(1.0, 0.1, 1.0, 0.08, 0.0, 0.0, 0.08, left, right, ())
    assert slope.is_kink(surely=False) == slightly
    assert slope.is_kink() == surely


def test_a_small_output_is_not_rounded_away_beside_a_large_constant():
    values = lambda h: (np.array([np.sin(h), 1e9]),)  # noqa: E731
    found = LineDifferences(values, (np.ones(2),), values(0.0), 0.0).slope(MANY)
    assert abs(found.value - 1) < 1e-14


def test_the_scale_of_a_slope_counts_terms_that_cancel():
    values = lambda h: (np.array([h, -h]),)  # noqa: E731
    found = LineDifferences(values, (np.ones(2),), values(0.0), 0.0).slope(MANY)
    assert found.value == 0
    assert found.scale == pytest.approx(2)


# Noise

ONES = np.ones(20)


@pytest.mark.parametrize(
    ("f", "x", "least", "most"),
    [
        (lambda x: 0 * x + 5, ONES, 1e-16, 1e-13),  # the rounding of float64
        (np.floor, ONES, 0.1, 100),  # a jump between a point and its neighbour
        (lambda x: np.square(x.astype("f4")).astype(float), 1.1 * ONES, 1e-9, 1e-5),  # the table
        (lambda x: np.sin(1e6 * x), ONES, 1e-12, 1e-5),  # curvature, which is no noise
    ],
)
def test_each_estimate_of_the_noise_has_a_function_that_only_it_sees(f, x, least, most):
    pair = VJPPair(f, lambda dy, x: dy, (x,))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        noise = forward_noise(pair, pair.blocks, "x", x, (ONES,), rng)
        assert least < noise < most


def test_a_backward_that_cancels_is_as_noisy_as_its_neighbours_show():
    def cancels(dy, x):
        return dy * ((2 + 1e8) * x - 1e8 * x)

    found, _ = measured(lambda x: x**2, cancels, normal(6))
    assert found["x"].verdict == PASS


# The verdict


@pytest.mark.parametrize(
    ("bar", "off", "verdict"),
    [
        (1e-6, 0.9e-6, PASS),
        (1e-6, 1.1e-6, INCONCLUSIVE),
        (1e-6, 4e-6, INCONCLUSIVE),
        (1e-6, 9e-6, INCONCLUSIVE),
        (1e-6, 11e-6, FAIL),
        (1e-3, 0, INCONCLUSIVE),  # too wide for a PASS
        (0.2, 3.0, INCONCLUSIVE),  # and the differences have not settled
        (0.02, 3.0, FAIL),
    ],
)
def test_between_one_and_ten_bars_or_with_a_wide_bar_the_verdict_is_inconclusive(bar, off, verdict):
    side = Side(1.0, bar / 10, 0.01, 0.08)
    slope = Slope(1.0, bar / 10, 1.0, 0.08, 0.0, 0.0, 0.08, side, side, ())
    measurement = Measurement(1.0, 1.0 + off, bar, 1.0)
    assert verdict_on(measurement, slope, 1.0, False, False)[0] == verdict


def test_a_function_that_is_flat_at_the_point_has_settled_even_if_it_is_noisy_nearby():
    side = Side(0.0, 1.0, 0.01, 0.08)
    slope = Slope(0.0, 1.0, 0.0, 0.0, 0.08, 0.0, 0.08, side, side, ())
    measurement = Measurement(0.0, 1e3, 10.0, 1e3)
    assert verdict_on(measurement, slope, 1.0, False, False)[0] == FAIL


@pytest.mark.parametrize(
    ("bar", "still", "is_dust", "verdict"),
    [
        (1e-12, 0.0, True, PASS),
        (1e-12, 0.0, False, INCONCLUSIVE),
        (1e-5, 0.0, True, INCONCLUSIVE),  # too wide beside f to call it 0
        (1e-12, 0.08, True, PASS),
        (1e-12, 0.08, False, INCONCLUSIVE),  # rounding inside f could hide the claim
    ],
)
def test_a_derivative_of_0_up_to_rounding_passes_only_as_such(bar, still, is_dust, verdict):
    side = Side(0.0, bar / 10, 0.01, 0.08)
    slope = Slope(0.0, bar / 10, 0.0, 0.0, still, 0.0, 0.08, side, side, ())
    found, reason = verdict_on(Measurement(0.0, 1e-15, bar, 1e-15), slope, 1.0, is_dust, False)
    assert found == verdict
    assert ("to within rounding" in reason) == (verdict == PASS)


@pytest.mark.parametrize(("off", "verdict"), [(1e-5, INCONCLUSIVE), (1e-2, FAIL)])
def test_float32_inside_may_cause_a_slope_that_comes_from_small_steps(off, verdict):
    """Rounding to float32 can cause a slope of 1e-6 / 2h, and no larger slope."""
    side = Side(1.0, 1e-9, 1e-3, 5e-3)
    slope = Slope(1.0, 1e-9, 1.0, 0.08, 0.0, 0.0, 5e-3, side, side, ())
    measurement = Measurement(1.0, 1.0 + off, 1e-8, 1.0)
    assert verdict_on(measurement, slope, 1.0, False, True)[0] == verdict
    assert verdict_on(measurement, slope, 1.0, False, False)[0] == FAIL


def test_ripples_that_look_like_noise_are_measured_again_with_smaller_steps():
    f = lambda x: x + 1e-7 * np.sin(2e7 * x)  # noqa: E731
    for seed in range(6):
        right = lambda dy, x: dy * (1 + 2 * np.cos(2e7 * x))  # noqa: E731
        found, _ = measured(f, right, normal(4, seed=seed), seed=seed)
        assert found["x"].verdict == PASS


def test_a_slope_claimed_for_a_flat_function_fails_unless_rounding_could_hide_it():
    claims_one = lambda dy, x: dy  # noqa: E731
    assert measured(lambda x: np.floor(x), claims_one, normal(5))[0]["x"].verdict == FAIL
    hides = lambda x: (1 + 1e-17 * x) - 1  # noqa: E731
    found, _ = measured(hides, lambda dy, x: 1e-17 * dy, normal(5))
    assert found["x"].verdict == INCONCLUSIVE


def test_the_bar_covers_what_rounding_to_float16_hides():
    f = lambda x: (100 + x / 9).astype(np.float16).astype(float)  # noqa: E731
    found, _ = measured(f, lambda dy, x: dy / 9, normal(5))
    for measurement in found["x"].measurements:
        assert measurement.numeric == 0
        assert abs(measurement.analytic) <= measurement.bar


def test_another_direction_is_tried_where_two_lengths_do_not_decide(monkeypatch):
    shares = []

    def unsure(*given):
        shares.append(given[-1])
        judgement = judge(*given)
        judgement.verdict = INCONCLUSIVE if len(shares) % 3 else judgement.verdict
        return judgement

    judge = oracle.judge
    monkeypatch.setattr(oracle, "judge", unsure)
    found, _ = measured(np.tanh, lambda dy, x: dy / np.cosh(x) ** 2, normal(5))
    assert found["x"].verdict == PASS
    assert shares == 3 * [1.0, 1e-3, 1.0]


def test_an_entry_is_not_drowned_by_one_whose_gradient_is_huge():
    def tenth_too_large(dy, x):
        return -dy / x**2 * np.array([1, 1.1, 1])

    for seed in range(3):
        found, _ = measured(lambda x: 1 / x, tenth_too_large, np.array([1e-5, 1, 2]), seed=seed)
        assert found["x"].verdict == FAIL


def test_a_claim_of_zero_passes_if_f_changes_by_rounding_alone_unless_f_is_huge():
    centre = lambda x: x - x.mean(axis=0)  # noqa: E731
    x = normal(6, 3)
    found, _ = measured(lambda b: centre(x + b), lambda dy, b: 0 * b, normal(3))
    assert found["b"].verdict == PASS
    found, _ = measured(lambda x: x + 1e15, lambda dy, x: 0 * dy, normal(5))
    assert found["x"].verdict == INCONCLUSIVE


def test_a_claim_below_the_rounding_of_f_counts_as_zero():
    x = normal(6, 3)
    centre = lambda b: (x + b) - (x + b).mean(axis=0)  # noqa: E731
    found, _ = measured(centre, lambda dy, b: np.full(3, 1e-16), normal(3))
    assert found["b"].verdict == PASS


def test_a_right_gradient_does_not_fail_where_f_oscillates_within_every_step():
    for seed in range(5):
        x = normal(5, seed=seed)
        right = lambda dy, x: dy * 1e13 * np.cos(1e13 * x)  # noqa: E731
        found, _ = measured(lambda x: np.sin(1e13 * x), right, x, seed=seed)
        assert found["x"].verdict == INCONCLUSIVE


def test_a_function_that_is_flat_over_a_short_distance_has_no_slope_of_zero():
    found, _ = measured(lambda x: np.round(x, 2), lambda dy, x: 0 * dy, normal(5))
    assert found["x"].verdict == INCONCLUSIVE


def test_more_steps_are_measured_where_few_would_be_imprecise():
    right = lambda dy, x: dy * 300 * np.cos(300 * x)  # noqa: E731
    found, _ = measured(lambda x: np.sin(300 * x), right, normal(9))
    assert found["x"].verdict == PASS
    assert found["x"].resolution < 1e-8


def test_a_slope_that_passes_at_a_kink_is_not_measured_beside_it():
    found, notes = measured(abs, lambda dy, x: dy * np.sign(x), np.array([0.0, 1, -2]))
    assert found["x"].verdict == PASS
    assert notes == []


def test_where_kinks_meet_and_slopes_do_not_add_up_the_slope_is_measured_beside_them():
    """A median of zeros has the same slope on both sides, along every direction."""

    def median_vjp(dy, x):
        return dy * (np.arange(25) == np.argsort(x)[12])

    for seed in range(5):
        found, notes = measured(lambda x: np.sort(x)[12], median_vjp, np.zeros(25), seed=seed)
        assert found["x"].verdict == PASS
        assert "kink" in notes[0].text


def test_the_resolution_is_the_worst_of_the_measurements():
    found, _ = measured(lambda x: x**3, lambda dy, x: 3 * x**2 * dy, 10.0 ** np.arange(-5, 3))
    each = [measurement.resolution for measurement in found["x"].measurements]
    assert found["x"].resolution == max(each) > min(each)


def test_a_nan_gradient_leaves_no_note_of_an_infinite_slope():
    nan = lambda dy, x: dy * 2 * x**2 / x  # noqa: E731
    found, notes = measured(lambda x: x**2, nan, np.array([0.0, 1.0, -2.0]))
    assert found["x"].verdict == FAIL
    assert notes == []


# The claim


@pytest.mark.parametrize(
    ("block", "scaled", "size"),
    [
        ([3.0, 4, 0, 0], "rms", [2.5, 2.5, 2.5, 2.5]),
        ([3.0, 4, 0, 0], "own", [3, 4, 2.5, 2.5]),
        ([0.0, 0], "own", [1, 1]),
        ([1000.0, 1002], "rms", [1, 1]),  # far from 0, the spread is what counts
        ([1000.0, 1002], "own", [1, 1]),
    ],
)
def test_directions_have_the_size_of_their_block_or_of_its_entries(block, scaled, size):
    for seed in range(5):
        u = direction(np.array(block), scaled, np.random.default_rng(seed))
        assert (abs(u) >= 0.5 * np.array(size)).all()
        assert (abs(u) <= 1.5 * np.array(size)).all()


def test_a_gradient_in_float32_is_no_sharper_than_float32():
    single = lambda dy, x: (2 * x * dy).astype("f4").astype(float)  # noqa: E731
    found, _ = measured(lambda x: x**2, single, normal(6))
    assert found["x"].verdict == PASS
    assert found["x"].resolution > 1e-6
    wrong = lambda dy, x: single(1.001 * dy, x)  # noqa: E731
    assert measured(lambda x: x**2, wrong, normal(6))[0]["x"].verdict == FAIL


def test_the_cotangent_of_an_integer_output_is_zero():
    f = lambda x: (x**2, np.array(x.argmax()))  # noqa: E731
    found, _ = measured(f, lambda dy, x: 2 * x * dy[0] + dy[1], normal(5))
    assert found["x"].verdict == PASS


@pytest.mark.parametrize(
    ("f", "slope"), [(abs, np.sign), (lambda x: x * abs(x), lambda x: 2 * abs(x))]
)
def test_the_complex_step_counts_only_where_it_agrees(f, slope):
    found, _ = measured(f, lambda dy, x: dy * slope(x), normal(5))
    assert found["x"].verdict == PASS
    assert found["x"].exact is None


# The map


def mapped(f, vjp, x, seed=0):
    rng = np.random.default_rng(seed)
    pair = VJPPair(f, vjp, (x,))
    return entry_map(pair, "x", draw_claim(pair, pair.blocks, rng), rng)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        (lambda x: np.square(x.astype("f4")).astype(float), lambda x: 2 * x),
        (lambda x: np.sin(5 * x) + 1e4, lambda x: 5 * np.cos(5 * x)),
    ],
)
def test_right_entries_lie_within_their_bars(f, slope):
    found = mapped(f, lambda dy, x: dy * slope(x), normal(300))
    assert not found.wrong.any()
    assert (abs(found.analytic - found.numeric) <= found.bar).all()


def test_the_bars_of_a_map_are_at_least_ten_times_the_rounding_of_f_over_the_widest_step():
    found = mapped(lambda x: x + 1e4, lambda dy, x: dy, np.ones(1))
    least = 10 * (2 * EPS * 0.5 * 1e4) / 0.05  # where the cotangent is 0.5
    assert least <= found.bar[0] <= 10 * least


def test_a_tiny_entry_beside_large_entries_is_measured_as_precisely():
    x = normal(5)
    x[2] = 1e-12
    found = mapped(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), x)
    assert found.bar.max() < 1e-7


# Second order


class Steep(Tanh):
    """A tanh whose tangent and tangent_backward are too large by the same 1e-4."""

    def tangent(self, p, u, tape):
        return 1.0001 * super().tangent(p, u, tape)

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return super().tangent_backward(p, dy, 1.0001 * dv, tape, g, need_dx)


@pytest.mark.parametrize(("layer", "verdict"), [(Tanh(), PASS), (Steep(), FAIL)])
def test_mixed_differences_see_a_mistake_that_tangent_and_tangent_backward_share(layer, verdict):
    ((_, pair),) = second_order_pairs(layer, (3, 4))
    plain = LayerPair(**same_layer(pair))
    assert check_mixed(pair, plain, "x", np.random.default_rng(0)).verdict == verdict

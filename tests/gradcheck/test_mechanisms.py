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
    """A thousandth, in waves that steps halved from 0.08 always meet at the top."""
    return 0.001 * np.cos(2 * np.pi * np.log2(abs(t) / 0.08 + (t == 0))) * (abs(t) > 2e-3)


def test_two_ladders_see_what_one_meets_in_step():
    """Along 0.08 / 2^k, the waves are a slope of their own; small steps drown in noise."""

    def f(t):
        return t * (1 + 1000 * t**2 + waves(t)) + 1e-7 * np.sin(1e9 * t)

    found = slope_of(f, 0.0, noise=1e-7)
    assert abs(found.value - 1) <= 10 * found.error


def test_few_steps_are_contradicted_by_two_that_are_finer():
    """With ten steps to a ladder, none is below 1e-4: D(h) = 0 there, and the slope is 1."""
    values = lambda h: (np.atleast_1d(h * (abs(h) < 1e-4)),)  # noqa: E731
    found = LineDifferences(values, (np.ones(1),), values(0.0), 0.0).slope(FEW)
    assert abs(found.value - 1) <= 10 * found.error


def test_finest_steps_that_agree_speak_even_where_the_noise_is_overstated():
    found = slope_of(lambda t: t * (abs(t) < 1e-4), 0.0, noise=1e-5)
    assert abs(found.value - 1) <= 10 * found.error


def test_finer_steps_speak_even_where_the_finest_drown_in_noise():
    found = slope_of(lambda t: t * (abs(t) < 1e-3) + 1e-8 * np.sin(1e12 * t), 0.0, noise=1e-8)
    assert abs(found.value - 1) <= 10 * found.error


def test_a_slope_that_rounding_to_float16_could_hide_is_counted_and_that_of_a_staircase_is_not():
    hidden = slope_of(lambda t: float(np.float16(100 + t / 9)), 0.0)
    assert hidden.value == 0
    assert hidden.hidden > 1 / 9
    assert slope_of(np.floor, 0.5).hidden == 0


def test_a_kink_is_seen_where_it_is_small_beside_the_slope():
    assert slope_of(lambda t: np.exp(t) + 1e-9 * abs(t), 0.0).is_kink()


@pytest.mark.parametrize(
    ("apart", "slightly", "surely"), [(0.1, False, False), (0.5, True, False), (3, True, True)]
)
def test_slopes_that_differ_by_more_than_their_errors_may_be_a_kink_and_by_far_are_one(
    apart, slightly, surely
):
    left, right = Side(1.0, 0.1, 0.01, 0.08), Side(1.0 + apart, 0.1, 0.01, 0.08)
    slope = Slope(1.0, 0.1, 1.0, 0.08, 0.0, 0.0, 0.08, left, right, ())
    assert slope.is_kink(surely=False) == slightly
    assert slope.is_kink() == surely


def test_what_is_small_is_not_rounded_away_beside_what_is_large_and_does_not_move():
    values = lambda h: (np.array([np.sin(h), 1e9]),)  # noqa: E731
    found = LineDifferences(values, (np.ones(2),), values(0.0), 0.0).slope(MANY)
    assert abs(found.value - 1) < 1e-14


def test_the_scale_of_a_slope_is_what_it_would_be_if_nothing_cancelled():
    values = lambda h: (np.array([h, -h]),)  # noqa: E731
    found = LineDifferences(values, (np.ones(2),), values(0.0), 0.0).slope(MANY)
    assert found.value == 0
    assert found.scale == pytest.approx(2)


# Noise

ONES = np.ones(20)


@pytest.mark.parametrize(
    ("f", "x", "least", "most"),
    [
        (lambda x: 0 * x + 5, ONES, 1e-16, 1e-13),  # what the type must have at least
        (np.floor, ONES, 0.1, 100),  # a jump between a point and its neighbour
        (lambda x: np.square(x.astype("f4")).astype(float), 1.1 * ONES, 1e-9, 1e-5),  # the table
        (lambda x: np.sin(1e6 * x), ONES, 1e-12, 1e-5),  # curvature, which is no noise
    ],
)
def test_each_look_at_the_noise_has_a_function_that_it_alone_sees(f, x, least, most):
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
        (1e-3, 0, INCONCLUSIVE),  # too wide to say that anything is right
        (0.2, 3.0, INCONCLUSIVE),  # and the differences have not settled
        (0.02, 3.0, FAIL),
    ],
)
def test_between_one_bar_and_ten_nothing_is_said_nor_with_a_bar_that_is_wide(bar, off, verdict):
    side = Side(1.0, bar / 10, 0.01, 0.08)
    slope = Slope(1.0, bar / 10, 1.0, 0.08, 0.0, 0.0, 0.08, side, side, ())
    measurement = Measurement(1.0, 1.0 + off, bar, 1.0)
    assert verdict_on(measurement, slope, 1.0, False, False)[0] == verdict


def test_what_stays_where_it_is_has_settled_however_noisy_it_is_beside_the_point():
    side = Side(0.0, 1.0, 0.01, 0.08)
    slope = Slope(0.0, 1.0, 0.0, 0.0, 0.08, 0.0, 0.08, side, side, ())
    measurement = Measurement(0.0, 1e3, 10.0, 1e3)
    assert verdict_on(measurement, slope, 1.0, False, False)[0] == FAIL


@pytest.mark.parametrize(
    ("bar", "still", "is_dust", "verdict"),
    [
        (1e-12, 0.0, True, PASS),
        (1e-12, 0.0, False, INCONCLUSIVE),
        (1e-5, 0.0, True, INCONCLUSIVE),  # too wide beside f to say that it is 0
        (1e-12, 0.08, True, PASS),
        (1e-12, 0.08, False, INCONCLUSIVE),  # rounding inside f could hide the claim
    ],
)
def test_what_is_0_but_for_rounding_passes_as_that_alone(bar, still, is_dust, verdict):
    side = Side(0.0, bar / 10, 0.01, 0.08)
    slope = Slope(0.0, bar / 10, 0.0, 0.0, still, 0.0, 0.08, side, side, ())
    found, reason = verdict_on(Measurement(0.0, 1e-15, bar, 1e-15), slope, 1.0, is_dust, False)
    assert found == verdict
    assert ("to within rounding" in reason) == (verdict == PASS)


@pytest.mark.parametrize(("off", "verdict"), [(1e-5, INCONCLUSIVE), (1e-2, FAIL)])
def test_of_a_slope_from_small_steps_float32_inside_may_be_the_cause(off, verdict):
    """A number that is rounded to float32 makes a slope of 1e-6 / 2h, and no larger one."""
    side = Side(1.0, 1e-9, 1e-3, 5e-3)
    slope = Slope(1.0, 1e-9, 1.0, 0.08, 0.0, 0.0, 5e-3, side, side, ())
    measurement = Measurement(1.0, 1.0 + off, 1e-8, 1.0)
    assert verdict_on(measurement, slope, 1.0, False, True)[0] == verdict
    assert verdict_on(measurement, slope, 1.0, False, False)[0] == FAIL


def test_ripples_that_pass_for_noise_are_asked_again_with_smaller_steps():
    f = lambda x: x + 1e-7 * np.sin(2e7 * x)  # noqa: E731
    for seed in range(6):
        right = lambda dy, x: dy * (1 + 2 * np.cos(2e7 * x))  # noqa: E731
        found, _ = measured(f, right, normal(4, seed=seed), seed=seed)
        assert found["x"].verdict == PASS


def test_a_claim_for_what_does_not_move_fails_or_is_not_told_where_rounding_could_hide_it():
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


def test_another_direction_is_tried_where_two_lengths_of_one_do_not_tell(monkeypatch):
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


def test_a_claim_of_zero_is_right_where_f_moves_by_rounding_alone_and_not_known_where_f_is_huge():
    centre = lambda x: x - x.mean(axis=0)  # noqa: E731
    x = normal(6, 3)
    found, _ = measured(lambda b: centre(x + b), lambda dy, b: 0 * b, normal(3))
    assert found["b"].verdict == PASS
    found, _ = measured(lambda x: x + 1e15, lambda dy, x: 0 * dy, normal(5))
    assert found["x"].verdict == INCONCLUSIVE


def test_a_claim_that_is_dust_beside_f_is_zero():
    x = normal(6, 3)
    centre = lambda b: (x + b) - (x + b).mean(axis=0)  # noqa: E731
    found, _ = measured(centre, lambda dy, b: np.full(3, 1e-16), normal(3))
    assert found["b"].verdict == PASS


def test_what_swings_within_every_step_is_no_fail_for_its_right_gradient():
    for seed in range(5):
        x = normal(5, seed=seed)
        right = lambda dy, x: dy * 1e13 * np.cos(1e13 * x)  # noqa: E731
        found, _ = measured(lambda x: np.sin(1e13 * x), right, x, seed=seed)
        assert found["x"].verdict == INCONCLUSIVE


def test_what_stays_for_a_short_way_only_is_not_said_to_have_a_slope_of_zero():
    found, _ = measured(lambda x: np.round(x, 2), lambda dy, x: 0 * dy, normal(5))
    assert found["x"].verdict == INCONCLUSIVE


def test_more_steps_are_taken_where_few_would_be_blunt():
    right = lambda dy, x: dy * 300 * np.cos(300 * x)  # noqa: E731
    found, _ = measured(lambda x: np.sin(300 * x), right, normal(9))
    assert found["x"].verdict == PASS
    assert found["x"].resolution < 1e-8


def test_the_slope_at_a_kink_that_passes_is_not_asked_beside_it():
    found, notes = measured(abs, lambda dy, x: dy * np.sign(x), np.array([0.0, 1, -2]))
    assert found["x"].verdict == PASS
    assert notes == []


def test_where_kinks_meet_slopes_do_not_add_up_and_the_question_is_asked_beside_them():
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


def test_a_gradient_that_is_not_a_number_leaves_no_note_of_a_slope_that_is_infinite():
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
def test_directions_are_of_the_size_of_their_block_or_of_its_entries(block, scaled, size):
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


def test_an_output_of_whole_numbers_gets_zeros_for_its_cotangent():
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
def test_no_entry_that_is_right_is_called_wrong_and_bars_hold(f, slope):
    found = mapped(f, lambda dy, x: dy * slope(x), normal(300))
    assert not found.wrong.any()
    assert (abs(found.analytic - found.numeric) <= found.bar).all()


def test_bars_of_a_map_are_ten_times_what_rounding_of_f_makes_of_the_widest_step():
    found = mapped(lambda x: x + 1e4, lambda dy, x: dy, np.ones(1))
    least = 10 * (2 * EPS * 0.5 * 1e4) / 0.05  # where the cotangent is 0.5
    assert least <= found.bar[0] <= 10 * least


def test_a_tiny_entry_beside_large_ones_is_measured_as_sharply():
    x = normal(5)
    x[2] = 1e-12
    found = mapped(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), x)
    assert found.bar.max() < 1e-7


# Second order


class Steep(Tanh):
    """A tanh whose tangent is too large by 1e-4, and so is what tangent_backward makes of it."""

    def tangent(self, p, u, tape):
        return 1.0001 * super().tangent(p, u, tape)

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return super().tangent_backward(p, dy, 1.0001 * dv, tape, g, need_dx)


@pytest.mark.parametrize(("layer", "verdict"), [(Tanh(), PASS), (Steep(), FAIL)])
def test_mixed_differences_see_what_tangent_and_tangent_backward_have_wrong_alike(layer, verdict):
    ((_, pair),) = second_order_pairs(layer, (3, 4))
    plain = LayerPair(**same_layer(pair))
    assert check_mixed(pair, plain, "x", np.random.default_rng(0)).verdict == verdict

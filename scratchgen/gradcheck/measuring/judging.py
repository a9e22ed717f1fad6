"""The verdict along one direction: the derivative that was measured, and the one that is claimed.

    D = d/dt <w, f(x + t u)> at t = 0          measured, with an error (differences.py)          (1)
    s = <backward(w), u>                       claimed (claims.py)                               (2)
    bar = 10 (error of D + noise of s)         the error of D includes noise of f / h            (3)
    scale = max(|g * u|_2, sum_j |w_j| |f_j(x + h u) - f_j(x - h u)| / 2h)                       (4)

    PASS           |D - s| <= bar, and bar / scale < 1e-4
    FAIL           |D - s| > 10 bar, and the differences settle: 10 error is less than a tenth of
                   the sum in (4), or negligible beside f itself
    INCONCLUSIVE   everything else

An entry of typical size, |g * u|_2 / sqrt(n), would have failed if it were wrong by more than
10 bar / typical, relatively. That is the *resolution* of a PASS. A FAIL must be confirmed by steps
a thousand times smaller, because large steps may miss the curvature in entries that are tiny.

A derivative of 0, such as that of a bias whose effect the next layer subtracts again, has no
relative error. So D and s need only agree within a bar that is negligible beside f, if s is as
small as its own noise or that of f, or is 0 while f changes by noise alone. Where f does not change
at all, a claim of 0 passes, and a claim above its noise that rounding inside f could hide is
INCONCLUSIVE.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from ..results import FAIL, INCONCLUSIVE, PASS, Measurement
from .claims import Claim
from .differences import FEW, LEAST, MANY, QUANTUM, LineDifferences, Slope, Values
from .passes import Blocks, PassPair
from .rounding import EPS, along, forward_noise


@dataclass
class Judgement:
    """One measurement, the verdict on it with its reason if it needs one, and the slope.

    `is_kink` says that the point may lie on a kink, where there is no gradient.
    """

    measurement: Measurement
    verdict: str
    reason: str
    slope: Slope
    is_kink: bool = False


def judge(
    pair: PassPair,
    blocks: Blocks,
    name: str,
    u: Array,
    claimed: Claim,
    rng: np.random.Generator,
    noise: float | None = None,
    share: float = 1.0,
) -> Judgement:
    """The verdict along u at the point `blocks`; `noise` is that of f, None to measure it.

    `share` is the length of u, relative to a direction as claims.py draws it.
    """
    f = along(pair, blocks, name, u)
    if noise is None:
        noise = forward_noise(pair, blocks, name, u, claimed.w, rng)
    slope = measure_slope(f, claimed, name, u, noise)
    s, claim_noise, length = claimed.derivative(name, u)
    slope.error = max(slope.error, slope.hidden if s else 0.0)
    bar = 10 * (slope.error + claim_noise)  # (3)
    scale = max(length, slope.scale)  # (4)
    typical = length / math.sqrt(max(u.size, 1))
    measurement = Measurement(slope.value, s, bar, scale, slope.ladders, typical)
    # the scale of f, beside which a derivative may be called 0
    size = claimed.size() + slope.largest_change + np.finfo(float).tiny / FLAT
    # a claim that is 0 except for rounding: as small as its own noise or that of f, or 0 while f
    # changes by noise alone, unless f is so large that this noise could hide a slope
    is_dust = 0 < abs(s) <= max(10 * claim_noise, DUST * size)
    is_modest = claimed.size() <= MODEST * float(np.linalg.norm(u))
    is_dust = is_dust or (s == 0 and slope.largest_change <= 10 * noise and is_modest)
    verdict, reason = verdict_on(measurement, slope, size, is_dust, share * slope.widest < NARROW)
    is_kink = verdict != PASS and slope.is_kink(surely=False)
    if verdict == FAIL and not is_kink:
        finer = _slope_along(FINER * u, pair, blocks, name, claimed, rng)
        if abs(finer.value / FINER - slope.value) > 10 * (slope.error + finer.error / FINER):
            verdict, reason = INCONCLUSIVE, "steps a thousand times smaller give another slope"
        is_kink = finer.is_kink() or not _adds_up(u, slope, pair, blocks, name, claimed, rng)
    return Judgement(measurement, verdict, reason, slope, is_kink)


def _slope_along(
    u: Array, pair: PassPair, blocks: Blocks, name: str, claimed: Claim, rng: np.random.Generator
) -> Slope:
    """(1) along another direction."""
    noise = forward_noise(pair, blocks, name, u, claimed.w, rng)
    return measure_slope(along(pair, blocks, name, u), claimed, name, u, noise)


def _adds_up(
    u: Array,
    slope: Slope,
    pair: PassPair,
    blocks: Blocks,
    name: str,
    claimed: Claim,
    rng: np.random.Generator,
) -> bool:
    """Whether D along u is the sum of D along two parts of u, as it is if there is a gradient.

    Where kinks meet, the slopes on both sides may be equal although there is no gradient.
    """
    mask = rng.random(u.shape) < 0.5
    first = _slope_along(np.where(mask, u, 0.0), pair, blocks, name, claimed, rng)
    second = _slope_along(np.where(mask, 0.0, u), pair, blocks, name, claimed, rng)
    gap = abs(first.value + second.value - slope.value)
    return gap <= 10 * (first.error + second.error + slope.error)


def measure_slope(f: Values, claimed: Claim, name: str, u: Array, noise: float) -> Slope:
    """(1) from few steps, and from many where few do not decide."""
    differences = LineDifferences(f, claimed.w, claimed.outputs, noise)
    slope = differences.slope(FEW)
    s, _, _ = claimed.derivative(name, u)
    if slope.error <= GOOD * slope.scale and abs(slope.value - s) <= 10 * slope.error:
        return slope
    if s == slope.largest_change == 0:
        return slope
    return differences.slope(MANY)


def verdict_on(
    measurement: Measurement, slope: Slope, size: float, is_dust: bool, is_narrow: bool
) -> tuple[str, str]:
    """The verdict on one measurement, and its reason where it needs one.

    `size` is |w * f|; `is_dust` says that the claim is 0 except for rounding, `is_narrow` that the
    slope comes from small steps alone.
    """
    numeric, analytic = measurement.numeric, measurement.analytic
    bar, scale, flat = measurement.bar, measurement.scale, FLAT * size
    if not math.isfinite(numeric) or not math.isfinite(bar):
        return INCONCLUSIVE, "forward is not finite around the point"
    off, error = abs(numeric - analytic), 10 * slope.error
    if analytic == numeric == 0 and (slope.largest_change == 0 or slope.flat_up_to >= FLAT_WIDTH):
        return PASS, "the derivative is 0: forward does not move"
    hidden = slope.flat_up_to * abs(analytic)
    if numeric == 0 < hidden <= QUANTUM * size + LEAST:
        if is_dust:
            return PASS, "the derivative is 0, to within rounding"
        return INCONCLUSIVE, "forward does not move, as if it were rounded to few digits"
    is_settled = error <= max(flat, SETTLED * slope.scale) or numeric == 0 < slope.flat_up_to
    if off > bar and is_narrow and 2 * slope.widest * off <= SINGLE * size:
        return INCONCLUSIVE, "rounding to float32 inside forward could make this difference"
    if off > 10 * bar and is_settled:
        return FAIL, ""
    if off <= bar <= PRECISE * scale:
        return PASS, ""
    if off <= bar <= flat and is_dust:
        return PASS, "the derivative is 0, to within rounding"
    if off > bar and error <= PRECISE * slope.scale:
        return INCONCLUSIVE, "the difference is too close to the error bar to call"
    reason = "differences of forward do not settle: it is too rough or noisy"
    share = f" (the error bar is {bar / scale:.0e} of the derivative)" if scale else ""
    return INCONCLUSIVE, reason + share


# where the verdicts begin
GOOD = 1e-12  # error / scale that needs no more steps
PRECISE = 1e-4  # bar / scale that a PASS needs
SETTLED = 0.1  # error bar / scale of differences that a FAIL needs
FINER = 1e-3  # of the direction: a FAIL is measured once more along this length

# of derivatives that are 0
FLAT = 1e-9  # bar, in units of |w * f|, below which a derivative may be called 0
FLAT_WIDTH = 0.02  # distance, in units of u, over which f must not change for a slope of 0
DUST = 30 * EPS  # claim, in units of |w * f|, that may be rounding of f
MODEST = 1e6  # |w * f| / |u| up to which f cannot hide a slope of 1

# of functions that compute in float32 inside
NARROW = 0.01  # widest step below which float32 inside f could make a slope
SINGLE = 1e-6  # change of f, in units of |w * f|, that rounding to float32 can cause

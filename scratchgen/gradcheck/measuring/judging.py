"""One direction, judged: the derivative measured, the claim beside it, and a verdict on the two.

    D = d/dt <w, f(x + t u)> at t = 0          measured, with an error bar (differences.py)      (1)
    s = <backward(w), u>                       claimed                                           (2)
    bar = 10 (error of D + noise of s)         error of D includes noise of f / h                (3)
    scale = max(|g * u|_2, sum_j |w_j| |f_j(x + h u) - f_j(x - h u)| / 2h)                       (4)

    PASS           |D - s| <= bar, and bar / scale < 1e-4
    FAIL           |D - s| > 10 bar, and the differences settle: 10 error is less than a tenth of
                   the sum in (4), or nothing beside f itself
    INCONCLUSIVE   everything else

One entry of typical size, |g * u|_2 / sqrt(n), that is wrong by more than 10 bar / typical,
relatively, would have failed: that is the *resolution* of a PASS. A FAIL must be borne out by steps
a thousand times smaller: where some entries are tiny beside others, large steps may see none of
their curvature.

A derivative that is 0 has no relative error. It passes where f stays where it is; and where D lies
within a bar that is tiny beside f, if s is rounding dust, as small as its own noise or that of f,
or is 0 and f moves by noise alone. (The bias before a normalisation has such a gradient.) Where
steps leave f exactly where it is, a claim that rounding inside f could hide there is INCONCLUSIVE.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from ..results import FAIL, INCONCLUSIVE, PASS, Measurement
from .claims import Claim
from .differences import FEW, LEAST, MANY, QUANTUM, Climb, Slope, Values
from .passes import Blocks, PassPair
from .rounding import EPS, along, forward_noise

GOOD = 1e-12  # error / scale that needs no more steps
WANTED = 1e-4  # bar / scale that a PASS needs
SETTLED = 0.1  # error bar / scale of differences that a FAIL needs
MODEST = 1e6  # times as large as what is moved, f would hide a slope of 1
FINER = 1e-3  # of the direction, along which a FAIL is measured once more
FLAT = 1e-9  # bar, in units of |w * f|, below which a derivative may be called 0
DUST = 30 * EPS  # claim, in units of |w * f|, that may be rounding of f
NARROW = 0.01  # a step so small that float32 inside f may have no part in a slope
SINGLE = 1e-6  # change of f, in its units, that rounding to float32 can make
STILL = 0.02  # distance, in units of the direction, over which f must stay for a slope of 0


@dataclass
class Judged:
    """One measurement, the verdict on it, the reason where it is not plain, and its slope.

    `is_kink` says that the point may sit on a kink, where no slope is that of a gradient.
    """

    measurement: Measurement
    verdict: str
    reason: str
    slope: Slope
    is_kink: bool = False


def judged(
    pair: PassPair,
    blocks: Blocks,
    name: str,
    u: Array,
    claimed: Claim,
    rng: np.random.Generator,
    noise: float | None = None,
    share: float = 1.0,
) -> Judged:
    """The verdict along u at the point `blocks`; the noise of f is measured unless it is given.

    `share` is the length of u in units of a direction.
    """
    f = along(pair, blocks, name, u)
    if noise is None:
        noise = forward_noise(pair, blocks, name, u, claimed.w, rng)
    slope = climb(f, claimed, name, u, noise)
    s, claim_noise, length = claimed.about(name, u)
    slope.error = max(slope.error, slope.hidden if s else 0.0)
    bar = 10 * (slope.error + claim_noise)  # (3)
    scale = max(length, slope.scale)  # (4)
    typical = length / math.sqrt(max(u.size, 1))
    measurement = Measurement(slope.value, s, bar, scale, slope.ladders, typical)
    size = claimed.size() + slope.reach + np.finfo(float).tiny / FLAT
    is_dust = 0 < abs(s) <= max(10 * claim_noise, DUST * size)
    is_modest = claimed.size() <= MODEST * float(np.linalg.norm(u))
    is_dust = is_dust or (s == 0 and slope.reach <= 10 * noise and is_modest)
    verdict, reason = verdict_on(measurement, slope, size, is_dust, share * slope.widest < NARROW)
    is_kink = verdict != PASS and slope.is_kink(surely=False)
    if verdict == FAIL and not is_kink:
        finer = _along(FINER * u, pair, blocks, name, claimed, rng)
        if abs(finer.value / FINER - slope.value) > 10 * (slope.error + finer.error / FINER):
            verdict, reason = INCONCLUSIVE, "steps a thousand times smaller tell another slope"
        is_kink = finer.is_kink() or not _adds_up(u, slope, pair, blocks, name, claimed, rng)
    return Judged(measurement, verdict, reason, slope, is_kink)


def _along(
    u: Array, pair: PassPair, blocks: Blocks, name: str, claimed: Claim, rng: np.random.Generator
) -> Slope:
    """(1) along another direction."""
    noise = forward_noise(pair, blocks, name, u, claimed.w, rng)
    return climb(along(pair, blocks, name, u), claimed, name, u, noise)


def _adds_up(
    u: Array,
    slope: Slope,
    pair: PassPair,
    blocks: Blocks,
    name: str,
    claimed: Claim,
    rng: np.random.Generator,
) -> bool:
    """Whether D along u is the sum of those along two parts of u, as every gradient has it.

    Where kinks meet, a slope may be the same on both sides, and yet not be that of a gradient.
    """
    mask = rng.random(u.shape) < 0.5
    one = _along(np.where(mask, u, 0.0), pair, blocks, name, claimed, rng)
    other = _along(np.where(mask, 0.0, u), pair, blocks, name, claimed, rng)
    gap = abs(one.value + other.value - slope.value)
    return gap <= 10 * (one.error + other.error + slope.error)


def climb(f: Values, claimed: Claim, name: str, u: Array, noise: float) -> Slope:
    """(1) with few steps, and with many where these do not settle it."""
    walk = Climb(f, claimed.w, claimed.outputs, noise)
    slope = walk.slope(FEW)
    s, _, _ = claimed.about(name, u)
    if slope.error <= GOOD * slope.scale and abs(slope.value - s) <= 10 * slope.error:
        return slope
    if s == slope.reach == 0:
        return slope
    return walk.slope(MANY)


def verdict_on(
    one: Measurement, slope: Slope, size: float, is_dust: bool, is_narrow: bool
) -> tuple[str, str]:
    """The verdict on one measurement, and the reason where it is not plain.

    `size` is that of f, in the units of the bar; `is_dust` says that the claim is 0 but for
    rounding, `is_narrow` that the slope comes from small steps alone.
    """
    if not math.isfinite(one.numeric) or not math.isfinite(one.bar):
        return INCONCLUSIVE, "forward is not finite around the point"
    off, error, flat = abs(one.numeric - one.analytic), 10 * slope.error, FLAT * size
    if one.analytic == one.numeric == 0 and (slope.reach == 0 or slope.still >= STILL):
        return PASS, "the derivative is 0: forward does not move"
    hidden = slope.still * abs(one.analytic)
    if one.numeric == 0 < hidden <= QUANTUM * size + LEAST:
        if is_dust:
            return PASS, "the derivative is 0, to within rounding"
        return INCONCLUSIVE, "forward does not move, as if it were rounded to few digits"
    is_settled = error <= max(flat, SETTLED * slope.scale) or one.numeric == 0 < slope.still
    if off > one.bar and is_narrow and 2 * slope.widest * off <= SINGLE * size:
        return INCONCLUSIVE, "rounding to float32 inside forward could make this difference"
    if off > 10 * one.bar and is_settled:
        return FAIL, ""
    if off <= one.bar <= WANTED * one.scale:
        return PASS, ""
    if off <= one.bar <= flat and is_dust:
        return PASS, "the derivative is 0, to within rounding"
    if off > one.bar and error <= WANTED * slope.scale:
        return INCONCLUSIVE, "the difference is too close to the error bar to call"
    reason = "differences of forward do not settle: it is too rough or noisy"
    share = f" (the error bar is {one.bar / one.scale:.0e} of the derivative)" if one.scale else ""
    return INCONCLUSIVE, reason + share

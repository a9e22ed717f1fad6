"""The verdict on each block's gradient, without a tolerance for anyone to choose.

For random cotangents w and a random direction u in one block,

    D = d/dt <w, f(x + t u)> at t = 0          measured, with an error bar (differences.py)      (1)
    s = <backward(w), u>                       claimed                                           (2)
    bar = 10 (error of D + noise of f / h + noise of s)                                          (3)
    scale = max(|g * u|_2, sum_j |w_j| |f_j(x + h u) - f_j(x - h u)| / 2h)                       (4)

    PASS           |D - s| <= bar, and bar / scale < 1e-4
    FAIL           |D - s| > 10 bar, and differences settle: bar < scale / 10
    INCONCLUSIVE   else: another direction is tried

|u_i| and |w_j| lie in [0.5, 1.5], with random signs: every entry has weight. So one entry that is
wrong by more than 10 bar / scale, relatively, would have failed: that is the *resolution* of a
PASS. Blocks are measured one by one, because one direction over all would drown the small ones.
Each block has three directions, two scaled by its root mean square and one by each entry's own
size; all must pass, and a FAIL at the given point is final.

Where left and right derivatives differ, x sits on a kink, and the derivative there is a convention.
Then the question is asked again a little beside it, with every number of the block moved by 1 %.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..checks import Array
from .arguments import Blocks
from .differences import FEW, MANY, Climb, Slope, Values
from .noise import EPS, forward_noise, one_ulp_off
from .pair import Odd, OutOfTime, Pair
from .results import FAIL, INCONCLUSIVE, NOTE, PASS, BlockResult, Finding, Measurement, worst

REPEATS = ("rms", "rms", "own")  # how the directions of the three repeats are scaled
RETRIES = 2
GOOD = 1e-12  # error / scale that needs no more steps
WANTED = 1e-4  # bar / scale that a PASS needs
SETTLED = 0.1  # error bar / scale of differences that a FAIL needs
FLAT = 1e-7  # error bar, in units of |w * f|, below which a derivative may be called 0


@dataclass
class Claim:
    """What the backward pass says for one draw of w: its gradients, and at two neighbours of x."""

    w: tuple[Array, ...]
    outputs: tuple[Array, ...]
    gradients: dict[str, Array | Odd]
    neighbours: list[dict[str, Array | Odd]]

    def about(self, name: str, u: Array) -> tuple[float, float, float]:
        """s of (2), its noise, and |g * u|_2."""
        g = self.gradients[name]
        assert isinstance(g, np.ndarray)
        s = float(np.vdot(g, u))
        length = float(np.linalg.norm(g * u))
        noise = 2 * EPS * length
        for there in self.neighbours:
            other = there[name]
            if isinstance(other, np.ndarray):
                noise = max(noise, 3 * abs(float(np.vdot(other - g, u))))
        return s, noise, length


def measure_all(pair: Pair, rng: np.random.Generator) -> tuple[list[BlockResult], list[Finding]]:
    """A result for each block that is wanted, and notes about kinks."""
    results, notes = [], []
    try:
        claims = [claim(pair, pair.blocks, rng) for _ in REPEATS]
    except OutOfTime as stop:
        return [_unmeasured(pair, name, stop.text) for name in pair.wanted], []
    for name in pair.wanted:
        result, found = measure(pair, name, claims, rng)
        results.append(result)
        notes += found
    return results, notes


def claim(pair: Pair, blocks: Blocks, rng: np.random.Generator) -> Claim:
    """Draw w, and ask the backward pass at x and at two neighbours one ulp away."""
    run = pair.forward(blocks)
    w = tuple(cotangent(pair, y, rng) for y in run.outputs)
    outputs = tuple(y.copy() for y in run.outputs)
    gradients = owned(pair.backward(run, list(w)))
    neighbours = []
    for _ in range(2):
        moved = {name: one_ulp_off(block, rng) for name, block in blocks.items()}
        neighbours.append(owned(pair.backward(pair.forward(moved), list(w))))
    return Claim(w, outputs, gradients, neighbours)


def owned(gradients: dict[str, Array | Odd]) -> dict[str, Array | Odd]:
    """Copies, which no later call can write into."""
    return {name: g if isinstance(g, Odd) else g.copy() for name, g in gradients.items()}


def cotangent(pair: Pair, y: Array, rng: np.random.Generator) -> Array:
    """A random w for an output: zeros for one that is a constant, 1 for an objective's number."""
    if y.dtype.kind != "f":
        return np.zeros(y.shape)
    if not pair.takes_cotangents:
        return np.ones(y.shape)
    return signs(rng, y.shape)


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers in [0.5, 1.5] with random signs."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * (2.0 * (rng.random(shape) < 0.5) - 1))


def measure(
    pair: Pair, name: str, claims: list[Claim], rng: np.random.Generator
) -> tuple[BlockResult, list[Finding]]:
    """The verdict on one block, and what is to be noted of it."""
    first = claims[0].gradients[name]
    if isinstance(first, Odd):
        return BlockResult(name, pair.blocks[name].shape, FAIL, first.text), []
    if not first.size:
        return BlockResult(name, first.shape, PASS, "it holds no numbers"), []
    if not all(np.isfinite(np.asarray(one.gradients[name])).all() for one in claims):
        return _not_finite(pair, name, claims, rng)
    result = BlockResult(name, first.shape, INCONCLUSIVE)
    notes: list[Finding] = []
    noise: dict[str, float] = {}
    try:
        verdicts = [
            _repeat(pair, name, one, scaled, result, notes, noise, rng)
            for one, scaled in zip(claims, REPEATS, strict=True)
        ]
    except OutOfTime as stop:
        result.reason = stop.text
        return result, notes
    result.verdict = worst([verdict for verdict, _ in verdicts])
    reasons = [reason for verdict, reason in verdicts if verdict == result.verdict and reason]
    result.reason = reasons[0] if reasons else ""
    sharp = [one.resolution for one in result.measurements if math.isfinite(one.resolution)]
    result.resolution = max(sharp, default=None)
    return result, notes[:1]


def _repeat(
    pair: Pair,
    name: str,
    claimed: Claim,
    scaled: str,
    result: BlockResult,
    notes: list[Finding],
    noise: dict[str, float],
    rng: np.random.Generator,
) -> tuple[str, str]:
    """One repeat: measured along as many directions as it takes to be sure, or 1 + RETRIES.

    `noise` holds that of f for each way to scale directions; what is missing is measured.
    """
    verdict, reason = INCONCLUSIVE, ""
    for _ in range(1 + RETRIES):
        u = direction(pair.blocks[name], scaled, rng)
        f = along(pair, pair.blocks, name, u)
        if scaled not in noise:
            noise[scaled] = forward_noise(pair, pair.blocks, name, f, claimed.w, rng)
        slope = climb(f, claimed, name, u, noise[scaled])
        measurement = weigh(slope, claimed, name, u)
        verdict, reason = judge(measurement, slope, claimed)
        if verdict != PASS and slope.is_kink():
            left, right = slope.left.value, slope.right.value
            text = f"sits on a kink: left and right slopes are {left:.4g} and {right:.4g}"
            verdict, reason, measurement = beside(pair, name, scaled, rng, text, notes)
        if verdict != INCONCLUSIVE:
            break
    result.measurements.append(measurement)
    return verdict, reason


def direction(block: Array, scaled: str, rng: np.random.Generator) -> Array:
    """A random u: every entry in [0.5, 1.5] times the block's rms, or times the entry's size."""
    rms = math.sqrt(float(np.mean(block * block))) or 1.0
    size = abs(block) if scaled == "own" else rms
    return signs(rng, block.shape) * np.where(size == 0, rms, size)


def along(pair: Pair, blocks: Blocks, name: str, u: Array) -> Values:
    """h -> f with that block moved by h u."""
    block = blocks[name]

    def f(h: float) -> tuple[Array, ...]:
        return pair.forward({**blocks, name: block + h * u}).outputs

    return f


def climb(f: Values, claimed: Claim, name: str, u: Array, noise: float) -> Slope:
    """(1) with few steps, and with many where these do not settle it."""
    walk = Climb(f, claimed.w, claimed.outputs, noise)
    slope = walk.slope(FEW)
    s, _, _ = claimed.about(name, u)
    if slope.error <= GOOD * slope.scale and abs(slope.value - s) <= 10 * slope.error:
        return slope
    return walk.slope(MANY)


def weigh(slope: Slope, claimed: Claim, name: str, u: Array) -> Measurement:
    """What was measured beside what was claimed (3, 4)."""
    s, noise, length = claimed.about(name, u)
    bar = 10 * (slope.error + noise)
    return Measurement(slope.value, s, bar, max(length, slope.scale), slope.ladders)


def judge(one: Measurement, slope: Slope, claimed: Claim) -> tuple[str, str]:
    """The verdict on one measurement, and the reason where it is not plain."""
    off = abs(one.numeric - one.analytic)
    if not math.isfinite(one.numeric) or not math.isfinite(one.bar):
        return INCONCLUSIVE, "forward is not finite around the point"
    error = 10 * slope.error
    pairs = zip(claimed.w, claimed.outputs, strict=True)
    is_flat = error <= FLAT * math.sqrt(sum(float(np.sum((w * y) ** 2)) for w, y in pairs))
    if off > 10 * one.bar and (is_flat or error <= SETTLED * slope.scale):
        return FAIL, ""
    if off <= one.bar:
        if one.bar <= WANTED * one.scale:
            return PASS, ""
        if is_flat and max(abs(one.numeric), abs(one.analytic), one.scale) <= 10 * one.bar:
            return PASS, "the derivative is 0, to within rounding"
    if off > one.bar and error <= WANTED * slope.scale:
        return INCONCLUSIVE, "the difference is too close to the error bar to call"
    share = f"(the error bar is {one.bar / (slope.scale or 1):.0e} of the derivative)"
    return INCONCLUSIVE, f"differences of forward do not settle: it is too rough or noisy {share}"


def beside(
    pair: Pair,
    name: str,
    scaled: str,
    rng: np.random.Generator,
    text: str,
    notes: list[Finding],
) -> tuple[str, str, Measurement]:
    """The same question with the block moved by 1 %, and a note of what holds at the point."""
    block = pair.blocks[name]
    moved = {**pair.blocks, name: block + 0.01 * direction(block, "rms", rng)}
    claimed = claim(pair, moved, rng)
    u = direction(moved[name], scaled, rng)
    f = along(pair, moved, name, u)
    slope = climb(f, claimed, name, u, forward_noise(pair, moved, name, f, claimed.w, rng))
    measurement = weigh(slope, claimed, name, u)
    verdict, reason = judge(measurement, slope, claimed)
    if verdict == PASS:
        note = f"{name} {text}; checked with {name} moved by 1 %"
        notes.append(Finding("kink", NOTE, note, name))
    return verdict, reason, measurement


def _not_finite(
    pair: Pair, name: str, claims: list[Claim], rng: np.random.Generator
) -> tuple[BlockResult, list[Finding]]:
    """A gradient that holds NaN or infinity: wrong where both one-sided derivatives are numbers.

    Where they are not, as of a root at 0, the block is checked beside the point.
    """
    one = next(one for one in claims if not np.isfinite(np.asarray(one.gradients[name])).all())
    g = np.asarray(one.gradients[name])
    bad = np.argwhere(~np.isfinite(g))
    at = f"{name}{list(map(int, bad[0]))}" if g.ndim else name
    text = f"the gradient is {g[tuple(bad[0])]} at {at}, in {len(bad)} of {g.size} entries"
    result = BlockResult(name, g.shape, FAIL, f"{text}, where the derivative is finite")
    if _is_finite(pair, name, _without(one, name), ~np.isfinite(g), rng):
        return result, []
    notes: list[Finding] = []
    result.verdict, result.reason, measurement = beside(
        pair, name, "rms", rng, f"has an infinite slope here: {text}", notes
    )
    result.measurements.append(measurement)
    result.resolution = measurement.resolution
    return result, notes


def _is_finite(
    pair: Pair, name: str, claimed: Claim, mask: Array, rng: np.random.Generator
) -> bool:
    """Whether the derivatives along the entries in `mask` are numbers, on both sides."""
    u = np.where(mask, direction(pair.blocks[name], "rms", rng), 0.0)
    f = along(pair, pair.blocks, name, u)
    noise = forward_noise(pair, pair.blocks, name, f, claimed.w, rng)
    slope = climb(f, claimed, name, u, noise)
    allowed = 1e-3 * slope.scale + 1e3 * noise
    return max(slope.left.error, slope.right.error) <= allowed  # False for NaN


def _without(one: Claim, name: str) -> Claim:
    """The claim with zeros for a gradient that is not finite."""
    zeros = {**one.gradients, name: np.zeros(np.shape(one.gradients[name]))}
    return Claim(one.w, one.outputs, zeros, [])


def _unmeasured(pair: Pair, name: str, reason: str) -> BlockResult:
    return BlockResult(name, pair.blocks[name].shape, INCONCLUSIVE, reason)

"""Second derivatives of the forward pass alone, by mixed differences.

    d^2/ds dt <w, f(x + s a + t u)> at s = t = 0        measured, and claimed as <dx, a>     (1)
    M(h) = <w, f(++) - f(+-) - f(-+) + f(--)> / 4h^2,   f(+-) = f(x + h a - h u)             (2)

dx comes from tangent_backward for dy = 0 and dv = w. As central differences, (2) has even powers of
h in its error, so that the same tableau (differences.py) takes them away.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ..measuring.claims import Claim, direction, random_signs
from ..measuring.differences import LADDERS, best_entry
from ..measuring.judging import FLAT, PRECISE, SETTLED
from ..measuring.passes import Blocks, NoGradient, copied
from ..measuring.rounding import forward_noise, one_ulp_off
from ..results import FAIL, INCONCLUSIVE, PASS, BlockResult, Ladder, Measurement
from .own_pairs import LayerPair
from .tangents import TangentPair

STEPS = 9  # of each ladder
DRAWS = 4  # of a, u and w at most, for two that agree


@dataclass
class MixedDerivative:
    """A second derivative as measured: its value and error, and its size without signs."""

    value: float
    error: float
    scale: float
    ladders: tuple[Ladder, ...]


def check_mixed(
    pair: TangentPair, plain: LayerPair, name: str, rng: np.random.Generator
) -> BlockResult:
    """(1) for one block: PASS or FAIL where two draws agree on it."""
    result = BlockResult(name, pair.blocks[name].shape, INCONCLUSIVE)
    reason = ""
    for _ in range(DRAWS):
        measurement, verdict, reason = _mixed_once(pair, plain, name, rng)
        if measurement is None:
            return BlockResult(name, result.shape, FAIL, reason)
        result.measurements.append(measurement)
        result.reason = reason
        if verdict == result.verdict != INCONCLUSIVE:
            break
        result.verdict = verdict
    else:
        result.verdict = INCONCLUSIVE
    sharp = [
        measurement.resolution
        for measurement in result.measurements
        if measurement.bar < measurement.scale
    ]
    result.resolution = max(sharp, default=None)
    return result


def _mixed_once(
    pair: TangentPair, plain: LayerPair, name: str, rng: np.random.Generator
) -> tuple[Any, str, str]:
    """One draw of dv, u and a: the measurement, its verdict, and the reason."""
    u, a = direction(pair.blocks["x"], "rms", rng), direction(pair.blocks[name], "rms", rng)
    blocks = {**pair.blocks, "u": u}
    y = plain.forward(blocks).outputs[0].copy()
    w = random_signs(rng, y.shape)
    claimed = _claim(pair, blocks, y, w, rng)
    odd = claimed.gradients[name]
    if isinstance(odd, NoGradient):
        return None, FAIL, odd.text
    noise = forward_noise(plain, blocks, "x", u, (w,), rng)
    found = _mixed_differences(plain, blocks, name, a, u, w, noise)
    s, claim_noise, length = claimed.derivative(name, a)
    bar, scale = 10 * (found.error + claim_noise), max(length, found.scale)
    measurement = Measurement(found.value, s, bar, scale, found.ladders)
    return measurement, *_judged(measurement, found, claimed.size())


def _judged(measurement: Measurement, found: MixedDerivative, size: float) -> tuple[str, str]:
    """The verdict on one measurement, as in judging.py; `size` is that of <dv, f>."""
    if not np.isfinite(measurement.numeric + measurement.analytic + measurement.bar):
        return INCONCLUSIVE, "forward or gradient is not finite around the point"
    off, error = abs(measurement.numeric - measurement.analytic), 10 * found.error
    if off > 10 * measurement.bar and error <= max(FLAT * size, SETTLED * found.scale):
        return FAIL, ""
    if off <= measurement.bar <= PRECISE * measurement.scale:
        return PASS, ""
    if off <= measurement.bar <= FLAT * size and measurement.scale <= 10 * measurement.bar:
        return PASS, "the derivative is 0, to within rounding"
    return INCONCLUSIVE, "mixed differences of forward do not settle"


def _claim(
    pair: TangentPair, blocks: Blocks, y: Array, w: Array, rng: np.random.Generator
) -> Claim:
    """What tangent_backward says for dy = 0 and dv = w, at the point and two neighbours."""

    def asked(at: Blocks) -> dict[str, Array | NoGradient]:
        return copied(pair.backward(pair.forward(at), [np.zeros_like(w), w]))

    neighbours = [
        asked({name: one_ulp_off(block, rng) for name, block in blocks.items()}) for _ in range(2)
    ]
    return Claim((w,), (y,), asked(blocks), neighbours)


def _mixed_differences(
    plain: LayerPair, blocks: Blocks, name: str, a: Array, u: Array, w: Array, noise: float
) -> MixedDerivative:
    """(2) up two ladders, each through a tableau; the error is the worst that speaks for it."""
    found: dict[float, float] = {}  # h^2 -> M(h)
    sizes: dict[float, float] = {}

    def at(s: float, t: float) -> Array:
        moved = {**blocks, "x": blocks["x"] + t * u}
        moved[name] = moved[name] + s * a
        return plain.forward(moved).outputs[0].copy()

    def measure_slope(first: float, ratio: float) -> tuple[list[float], float]:
        steps = [first / ratio**k for k in range(STEPS)]
        for h in steps:
            change = (at(h, h) - at(h, -h)) - (at(-h, h) - at(-h, -h))
            found[h * h] = float(np.vdot(w, change)) / (4 * h * h)  # (2)
            sizes[h * h] = float(np.vdot(abs(w), abs(change))) / (4 * h * h)
        return [h * h for h in steps], ratio * ratio

    climbed = [measure_slope(*ladder) for ladder in LADDERS]
    first, other = (best_entry(squares, found, ratio, 1, noise) for squares, ratio in climbed)
    chosen = min(first, other, key=lambda side: side.error)
    error = max(first.error, other.error, abs(first.value - other.value))
    ladders = tuple(
        Ladder(np.sqrt(squares), np.array([found[h] for h in squares])) for squares, _ in climbed
    )
    return MixedDerivative(chosen.value, error, sizes[chosen.step], ladders)

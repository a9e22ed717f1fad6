"""Second derivatives measured from the forward pass alone, by mixed differences.

    d^2/ds dt <w, f(x + s a + t u)> at s = t = 0        measured, and claimed as <dx, a>     (1)
    M(h) = <w, f(++) - f(+-) - f(-+) + f(--)> / 4h^2,   f(+-) = f(x + h a - h u)             (2)

The claim is the dx of tangent_backward for dy = 0 and dv = w. Like a central difference, (2) has
only even powers of h in its error, and the same tableau (differences.py) removes them.
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
DRAWS = 4  # of a, u and w, at most, until two verdicts in a row agree


@dataclass
class MixedDerivative:
    """A measured second derivative: its value and error, and its size without signs."""

    value: float
    error: float
    scale: float
    ladders: tuple[Ladder, ...]


def check_mixed(
    pair: TangentPair, plain: LayerPair, name: str, rng: np.random.Generator
) -> BlockResult:
    """(1) for one block: PASS or FAIL if two draws in a row agree."""
    result = BlockResult(name, pair.blocks[name].shape, INCONCLUSIVE)
    reason = ""
    for _ in range(DRAWS):
        measurement, verdict, reason = _measure_once(pair, plain, name, rng)
        if measurement is None:
            return BlockResult(name, result.shape, FAIL, reason)
        result.measurements.append(measurement)
        result.reason = reason
        if verdict == result.verdict != INCONCLUSIVE:
            break
        result.verdict = verdict
    else:
        result.verdict = INCONCLUSIVE
    resolutions = [m.resolution for m in result.measurements if m.bar < m.scale]
    result.resolution = max(resolutions, default=None)
    return result


def _measure_once(
    pair: TangentPair, plain: LayerPair, name: str, rng: np.random.Generator
) -> tuple[Any, str, str]:
    """One draw of dv, u and a: the measurement, its verdict, and the reason."""
    u, a = direction(pair.blocks["x"], "rms", rng), direction(pair.blocks[name], "rms", rng)
    blocks = {**pair.blocks, "u": u}
    y = plain.forward(blocks).outputs[0].copy()
    w = random_signs(rng, y.shape)
    claimed = _claim(pair, blocks, y, w, rng)
    gradient = claimed.gradients[name]
    if isinstance(gradient, NoGradient):
        return None, FAIL, gradient.text
    noise = forward_noise(plain, blocks, "x", u, (w,), rng)
    mixed = _mixed_differences(plain, blocks, name, a, u, w, noise)
    s, claim_noise, length = claimed.derivative(name, a)
    bar, scale = 10 * (mixed.error + claim_noise), max(length, mixed.scale)
    measurement = Measurement(mixed.value, s, bar, scale, mixed.ladders)
    return measurement, *_verdict_on(measurement, mixed, claimed.size())


def _verdict_on(measurement: Measurement, mixed: MixedDerivative, size: float) -> tuple[str, str]:
    """The verdict on one measurement, as in judging.py; `size` is that of <dv, f>."""
    if not np.isfinite(measurement.numeric + measurement.analytic + measurement.bar):
        return INCONCLUSIVE, "forward or gradient is not finite around the point"
    off, error = abs(measurement.numeric - measurement.analytic), 10 * mixed.error
    if off > 10 * measurement.bar and error <= max(FLAT * size, SETTLED * mixed.scale):
        return FAIL, ""
    if off <= measurement.bar <= PRECISE * measurement.scale:
        return PASS, ""
    if off <= measurement.bar <= FLAT * size and measurement.scale <= 10 * measurement.bar:
        return PASS, "the derivative is 0, to within rounding"
    return INCONCLUSIVE, "mixed differences of forward do not settle"


def _claim(
    pair: TangentPair, blocks: Blocks, y: Array, w: Array, rng: np.random.Generator
) -> Claim:
    """The claim of tangent_backward for dy = 0 and dv = w, at the point and two neighbours."""

    def gradients_at(at: Blocks) -> dict[str, Array | NoGradient]:
        return copied(pair.backward(pair.forward(at), [np.zeros_like(w), w]))

    neighbours = [
        gradients_at({name: one_ulp_off(block, rng) for name, block in blocks.items()})
        for _ in range(2)
    ]
    return Claim((w,), (y,), gradients_at(blocks), neighbours)


def _mixed_differences(
    plain: LayerPair, blocks: Blocks, name: str, a: Array, u: Array, w: Array, noise: float
) -> MixedDerivative:
    """(2) along two ladders, each with its tableau; the error is the largest that any suggests."""
    values: dict[float, float] = {}  # h^2 -> M(h)
    sizes: dict[float, float] = {}

    def at(s: float, t: float) -> Array:
        moved = {**blocks, "x": blocks["x"] + t * u}
        moved[name] = moved[name] + s * a
        return plain.forward(moved).outputs[0].copy()

    def ladder(first: float, ratio: float) -> tuple[list[float], float]:
        steps = [first / ratio**k for k in range(STEPS)]
        for h in steps:
            change = (at(h, h) - at(h, -h)) - (at(-h, h) - at(-h, -h))
            values[h * h] = float(np.vdot(w, change)) / (4 * h * h)  # (2)
            sizes[h * h] = float(np.vdot(abs(w), abs(change))) / (4 * h * h)
        return [h * h for h in steps], ratio * ratio

    evaluated = [ladder(first, ratio) for first, ratio in LADDERS]
    first, second = (best_entry(squares, values, ratio, 1, noise) for squares, ratio in evaluated)
    chosen = min(first, second, key=lambda side: side.error)
    error = max(first.error, second.error, abs(first.value - second.value))
    ladders = tuple(
        Ladder(np.sqrt(squares), np.array([values[h] for h in squares])) for squares, _ in evaluated
    )
    return MixedDerivative(chosen.value, error, sizes[chosen.step], ladders)

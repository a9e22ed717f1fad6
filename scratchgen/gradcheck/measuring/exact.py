"""The complex step: a derivative without subtraction, for functions that take complex numbers.

    f(x + i h u) = f(x) + i h f'(x) u + O(h^2),   so   Im <w, f(x + i h u)> / h = phi'(0)        (1)

to the last digit, with h = 1e-30, since nothing cancels. It may confirm a verdict but never decides
one: abs, max, and arrays that keep only the real part break it without any error. So it counts only
where it agrees with the differences.

Source: Squire and Trapp 1998.
"""

import numpy as np

from ..results import Measurement
from .claims import Claim, direction
from .passes import PassPair

STEP = 1e-30


def complex_step(
    pair: PassPair, name: str, claimed: Claim, measured: Measurement, rng: np.random.Generator
) -> float | None:
    """The relative distance from the claim to (1); None where (1) fails for this function."""
    u = direction(pair.blocks[name], "rms", rng)
    outputs = pair.complex_outputs({**pair.blocks, name: pair.blocks[name] + 1j * STEP * u})
    if outputs is None or [y.shape for y in outputs] != [w.shape for w in claimed.w]:
        return None
    pairs = zip(claimed.w, outputs, strict=True)
    value = sum(float(np.vdot(w, np.imag(y))) for w, y in pairs) / STEP  # (1)
    s, _, length = claimed.derivative(name, u)
    scale = max(length, measured.scale)
    off = abs(value - s)
    agrees = off <= 10 * measured.bar and value != 0
    return off / scale if agrees and scale else None

"""How far rounding moves the values of a function, and its gradients: measured, not assumed.

The noise of phi(t) = <w, f(x + t u)> is the largest of three estimates:

    2 eps |w * f|_2                                      what float64 causes at least         (1)
    |phi at x moved by one ulp - phi|                    what rounding of x causes            (2)
    sigma_k = sqrt(gamma_k mean (Delta^k phi)^2),   gamma_k = (k!)^2 / (2k)!                  (3)

An ulp of a number is the distance to the next number in float64, and |a|_2 is the root of the sum
of squares. (3) uses k-th differences of phi at equally spaced points, Delta^k. They remove a smooth
function and leave its noise, so they show where f is computed in float32 inside. A k-th difference
is a sum of k + 1 values with the factors of (1 - t)^k, whose squares add up to (2k)! / (k!)^2: so
many times the variance of independent noise, which gamma_k undoes. Of three spacings the middle
result counts: at one spacing, a kink between the points would pass for noise, and float32 may show
at one spacing only. Noise does not depend on the spacing; a result that grows a hundredfold with it
is curvature. Source of (3): More and Wild 2011, section 3.
"""

import math

import numpy as np

from ...ground.arguments import Array
from .differences import EPS, Values
from .passes import Blocks, NoGradient, PassPair

SPACINGS = (1e-8, 1e-7, 1e-6)  # between the points of (3), in units of the direction
POINTS, ORDERS = 8, (4, 5, 6)  # of (3): the number of points, and the k
CURVED = 100  # a result that grows this many times with the spacing is not noise


def along(pair: PassPair, blocks: Blocks, name: str, u: Array) -> Values:
    """The function h -> f with the block `name` moved by h u."""
    block = blocks[name]

    def f(h: float) -> tuple[Array, ...]:
        return pair.forward({**blocks, name: block + h * u}).outputs

    return f


def forward_noise(
    pair: PassPair,
    blocks: Blocks,
    name: str,
    u: Array,
    w: tuple[Array, ...],
    rng: np.random.Generator,
) -> float:
    """The noise of <w, f> near the point `blocks`, where the block `name` moves along u."""
    f = along(pair, blocks, name, u)
    centre = tuple(y.copy() for y in f(0.0))
    squares = (float(np.sum((a * b) ** 2)) for a, b in zip(w, centre, strict=True))
    least = 2 * pair.eps * math.sqrt(sum(squares))  # (1)
    ulp = 0.0
    for _ in range(2):
        block = one_ulp_off(blocks[name], rng)
        moved = pair.forward({**blocks, name: block}).outputs
        ulp = max(ulp, abs(contracted(w, moved, centre)))  # (2)
    tables = [table_noise(f, w, centre, spacing) for spacing in SPACINGS]  # (3)
    finite = sorted(noise for noise in tables if math.isfinite(noise)) or [math.inf]
    table = finite[len(finite) // 2]  # the middle one
    if tables[0] > 0:
        table = min(table, CURVED * tables[0])  # the rest is curvature
    return max(least, ulp, table)


def table_noise(
    f: Values, w: tuple[Array, ...], centre: tuple[Array, ...], spacing: float
) -> float:
    """(3), the largest over the orders k."""
    row = np.array([contracted(w, f(k * spacing), centre) for k in range(1, POINTS + 1)])
    largest = 0.0
    for k in range(1, max(ORDERS) + 1):
        row = np.diff(row)
        if k in ORDERS:
            gamma = math.factorial(k) ** 2 / math.factorial(2 * k)
            largest = max(largest, math.sqrt(gamma * float(np.mean(row**2))))
    return largest


def contracted(w: tuple[Array, ...], y: tuple[Array, ...], centre: tuple[Array, ...]) -> float:
    """<w, y - centre>, the difference taken entry by entry."""
    return sum(float(np.vdot(a, b - c)) for a, b, c in zip(w, y, centre, strict=True))


def one_ulp_off(x: Array, rng: np.random.Generator) -> Array:
    """x with each number moved up or down by one ulp, at random; 0 is exact, and stays."""
    away = np.where(rng.random(x.shape) < 0.5, -np.inf, np.inf)
    return np.nextafter(x, np.where(x == 0, 0, away).astype(x.dtype))


def backward_noise(
    pair: PassPair, blocks: Blocks, dy: list[Array], rng: np.random.Generator
) -> dict[str, Array]:
    """How far each entry of each gradient moves when all blocks move by one ulp, in two trials.

    At least 4 eps times the entry, plus eps times the largest entry of the gradient.
    """
    at = pair.backward(pair.forward(blocks), dy)
    at = {name: g if isinstance(g, NoGradient) else g.copy() for name, g in at.items()}
    spread = {
        name: 4 * EPS * abs(g) + EPS * abs(g).max(initial=0.0)
        for name, g in at.items()
        if not isinstance(g, NoGradient)
    }
    for _ in range(2):
        moved = {name: one_ulp_off(block, rng) for name, block in blocks.items()}
        for name, g in pair.backward(pair.forward(moved), dy).items():
            if name in spread and not isinstance(g, NoGradient):
                spread[name] = np.maximum(spread[name], abs(g - at[name]))
    return spread

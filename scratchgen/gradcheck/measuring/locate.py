"""Which entries of a gradient are wrong, once the block is known to be wrong.

A small block is measured entry by entry. A large block is halved: each half is measured along a
random direction, and only a half that fails is halved again. So 40 measurements find a single wrong
entry among a million.
"""

import math
from collections.abc import Callable

import numpy as np

from ...ground.arguments import Array
from ..results import EntryMap
from .claims import Claim, direction, random_signs
from .differences import best_entry
from .passes import NoGradient, OutOfBudget, PassPair
from .rounding import along, forward_noise

MOST_ENTRIES = 1_024  # up to this many, all entries are measured
MOST_WRONG = 64  # wrong entries to find in a larger block
FIRST, RATIO, LEVELS = 0.05, 2.0, 12  # the steps of one measurement

Along = Callable[[Array], tuple[float, float]]  # u -> the derivative along u, and its error bar


def entry_map(
    pair: PassPair, name: str, claimed: Claim, rng: np.random.Generator
) -> EntryMap | None:
    """The entries of a block's gradient for the cotangents of `claimed`; None if there are none."""
    if isinstance(claimed.gradients[name], NoGradient):
        return None
    analytic = claimed.gradient(name).reshape(-1)
    block = pair.blocks[name]
    rms = math.sqrt(float(np.mean(block * block))) or 1.0
    size = np.where(block == 0, rms, abs(block)).reshape(-1)
    rows: dict[int, tuple[float, float]] = {}
    try:
        derivative = _derivative(pair, name, claimed, rng)
        places = list(range(block.size))
        if block.size > MOST_ENTRIES:
            places = _wrong_places(derivative, analytic, block, rng)
        for i in places:
            u = np.zeros(block.size)
            u[i] = max(size[i], 0.1 * rms)
            value, error = derivative(u.reshape(block.shape))
            rows[i] = (value / u[i], error / u[i])
    except OutOfBudget:
        if not rows:
            return None
    index = np.array(sorted(rows), np.int64)
    numeric, bar = np.array([rows[i] for i in index]).reshape(-1, 2).T
    return EntryMap(
        block.shape, index, analytic[index], numeric, bar, complete=len(rows) == block.size
    )


def _derivative(pair: PassPair, name: str, claimed: Claim, rng: np.random.Generator) -> Along:
    """A function that measures the derivative of <w, f> along u, with a single ladder of steps."""
    u = direction(pair.blocks[name], "rms", rng)
    noise = forward_noise(pair, pair.blocks, name, u, claimed.w, rng)

    def derivative(u: Array) -> tuple[float, float]:
        f = along(pair, pair.blocks, name, u)
        values: dict[float, float] = {}
        steps = [FIRST / RATIO**k for k in range(LEVELS)]
        for h in steps:
            above = tuple(y.copy() for y in f(h))
            triples = zip(claimed.w, above, f(-h), strict=True)
            values[h] = sum(float(np.vdot(w, high - low)) for w, high, low in triples) / (2 * h)
        best = best_entry(steps, values, RATIO, 2, noise)
        return best.value, 10 * best.error

    return derivative


def _wrong_places(
    derivative: Along, analytic: Array, block: Array, rng: np.random.Generator
) -> list[int]:
    """The flat indices of up to MOST_WRONG wrong entries."""
    # entries of many sizes, the product of two draws: wrong entries of one half should not cancel
    u = (random_signs(rng, block.shape) * direction(block, "rms", rng)).reshape(-1)
    found: list[int] = []
    halves = [(0, block.size)]
    while halves and len(found) < MOST_WRONG:
        low, high = halves.pop()
        part = np.zeros(block.size)
        part[low:high] = u[low:high]
        value, bar = derivative(part.reshape(block.shape))
        if abs(value - float(np.vdot(analytic, part))) <= bar:
            continue
        if high - low == 1:
            found.append(low)
        else:
            middle = (low + high) // 2
            halves += [(middle, high), (low, middle)]
    return found

"""Which entries of a gradient are wrong, asked only once it is known that some are.

A small block is measured entry by entry. In a large one, halves are measured along random
directions, and only halves that fail are halved again: 40 measurements find one wrong entry among a
million.
"""

import math
from collections.abc import Callable

import numpy as np

from ...ground.arguments import Array
from ..results import EntryMap
from .claims import Claim, direction, signs
from .differences import best
from .passes import NoGradient, OutOfBudget, PassPair
from .rounding import along, forward_noise

MOST_ENTRIES = 1_024  # up to which all entries are measured
MOST_WRONG = 64  # that are looked for in a larger block
FIRST, RATIO, LEVELS = 0.05, 2.0, 12  # the steps of one measurement

Along = Callable[[Array], tuple[float, float]]  # u -> derivative along u, and its bar


def entry_map(
    pair: PassPair, name: str, claimed: Claim, rng: np.random.Generator
) -> EntryMap | None:
    """Entries of the gradient of a block for the cotangents of `claimed`; None without any."""
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
    """The derivative of <w, f> along directions, by one ladder of steps each."""
    u = direction(pair.blocks[name], "rms", rng)
    noise = forward_noise(pair, pair.blocks, name, u, claimed.w, rng)

    def derivative(u: Array) -> tuple[float, float]:
        f = along(pair, pair.blocks, name, u)
        values: dict[float, float] = {}
        steps = [FIRST / RATIO**k for k in range(LEVELS)]
        for h in steps:
            above = tuple(y.copy() for y in f(h))
            both = zip(claimed.w, above, f(-h), strict=True)
            values[h] = sum(float(np.vdot(w, high - low)) for w, high, low in both) / (2 * h)
        found = best(steps, values, RATIO, 2, noise)
        return found.value, 10 * found.error

    return derivative


def _wrong_places(
    derivative: Along, analytic: Array, block: Array, rng: np.random.Generator
) -> list[int]:
    """Up to MOST_WRONG flat places of entries that are wrong."""
    u = (signs(rng, block.shape) * direction(block, "rms", rng)).reshape(-1)
    found: list[int] = []
    waiting = [(0, block.size)]
    while waiting and len(found) < MOST_WRONG:
        low, high = waiting.pop()
        here = np.zeros(block.size)
        here[low:high] = u[low:high]
        value, bar = derivative(here.reshape(block.shape))
        if abs(value - float(np.vdot(analytic, here))) <= bar:
            continue
        if high - low == 1:
            found.append(low)
        else:
            middle = (low + high) // 2
            waiting += [(middle, high), (low, middle)]
    return found

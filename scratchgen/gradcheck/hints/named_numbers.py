"""Numbers that have a meaning: 1/2, the length of an axis, a parameter of one entry.

A fitted factor of 0.25 is evidence, and 0.2731 is none: a number with a name costs few digits, one
without costs all that it has (guesses.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...ground.arguments import Array
from ..measuring.passes import Blocks

PLAIN = {1.0: 0.0, 2.0: 0.3, 0.5: 0.3, 3.0: 0.8, 4.0: 0.8, 0.25: 0.8}  # number: digits of choice
ROUND = [k / 20 for k in range(1, 21)] + [float(k) for k in range(1, 11)] + [1 / 3, 2 / 3]
ROUND += [1.25, 1.5, 2.5, 0.125, 0.01, 0.02, 0.001]


@dataclass(frozen=True)
class Named:
    """A number, how to write it, what it is, and the digits that choosing it costs."""

    value: float
    text: str
    meaning: str = ""
    choice: float = 1.0


class Names:
    """The numbers that have a name for one block: plain ones, and what `meanings` adds."""

    def __init__(self, meanings: Mapping[str, float]) -> None:
        self.known = [Named(value, short(value), "", PLAIN[value]) for value in PLAIN]
        for meaning, value in meanings.items():
            is_small = value in PLAIN
            choice = PLAIN[value] if is_small else 0.8
            self.known.append(Named(value, short(value), f"{short(value)} is {meaning}", choice))
            if value not in (0.0, 1.0):
                self.known.append(
                    Named(1 / value, f"1/{short(value)}", f"{short(value)} is {meaning}", choice)
                )
        for value in ROUND:
            self.known += [
                Named(value, short(value), "", 1.5),
                Named(1 / value, short(1 / value), "", 1.5),
            ]
        self.values = np.array([one.value for one in self.known])

    def name(self, number: float, tolerance: float) -> Named | None:
        """The cheapest name of |number|, within a tolerance; the sign is put before its text."""
        if not math.isfinite(number) or number == 0:
            return None
        near = np.flatnonzero(abs(self.values - abs(number)) <= tolerance)
        if not len(near):
            return None
        found = [self.known[i] for i in near]
        best = min(found, key=lambda one: (one.choice, not one.meaning))
        sign = "-" if number < 0 else ""
        return Named(math.copysign(best.value, number), sign + best.text, best.meaning, best.choice)


def names_for(name: str, blocks: Blocks, cotangents: list[Array]) -> Names:
    """The lengths of the axes of a block and of the cotangents, and parameters of one entry."""
    meanings: dict[str, float] = {}
    shapes = {name: blocks[name].shape} | ({"dy": cotangents[0].shape} if cotangents else {})
    for array, shape in shapes.items():
        for n in range(2, len(shape) + 1):
            for axes in combinations(range(len(shape)), n):
                what = "entries" if n == len(shape) else f"entries along axes {axes}"
                _add(
                    meanings, f"the number of {what} of {array}", math.prod(shape[i] for i in axes)
                )
        for axis, n in enumerate(shape):
            _add(meanings, f"the length of axis {axis} of {array}", n)
    for other, block in blocks.items():
        if block.size == 1 and math.isfinite(block.item()) and block.item() not in (0.0, 1.0):
            meanings[other] = abs(block.item())
    return Names(meanings)


def short(number: float) -> str:
    """Six digits, no more."""
    return f"{number:.6g}"


def _add(meanings: dict[str, float], meaning: str, value: float) -> None:
    if value > 1:
        meanings[meaning] = float(value)

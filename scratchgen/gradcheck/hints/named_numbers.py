"""Numbers with a meaning: 1/2, the length of an axis, a parameter with one entry.

A fitted factor of 0.25 is evidence, 0.2731 is not. A number with a name takes few digits to
describe; any other number takes all its digits (guesses.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...ground.arguments import Array
from ..measuring.passes import Blocks

PLAIN = {
    1.0: 0.0,
    2.0: 0.3,
    0.5: 0.3,
    3.0: 0.8,
    4.0: 0.8,
    0.25: 0.8,
}  # number: digits of choosing it
ROUND = [k / 20 for k in range(1, 21)] + [float(k) for k in range(1, 11)] + [1 / 3, 2 / 3]
ROUND += [1.25, 1.5, 2.5, 0.125, 0.01, 0.02, 0.001]


@dataclass(frozen=True)
class NamedNumber:
    """A number, its text, its meaning, and the digits of choosing it."""

    value: float
    text: str
    meaning: str = ""
    choice_digits: float = 1.0


class NumberNames:
    """The numbers with a name for one block: plain and round ones, and those in `meanings`."""

    def __init__(self, meanings: Mapping[str, float]) -> None:
        self.known = [NamedNumber(value, short(value), "", PLAIN[value]) for value in PLAIN]
        for meaning, value in meanings.items():
            is_small = value in PLAIN
            choice_digits = PLAIN[value] if is_small else 0.8
            self.known.append(
                NamedNumber(value, short(value), f"{short(value)} is {meaning}", choice_digits)
            )
            if value not in (0.0, 1.0):
                self.known.append(
                    NamedNumber(
                        1 / value,
                        f"1/{short(value)}",
                        f"{short(value)} is {meaning}",
                        choice_digits,
                    )
                )
        for value in ROUND:
            self.known += [
                NamedNumber(value, short(value), "", 1.5),
                NamedNumber(1 / value, short(1 / value), "", 1.5),
            ]
        self.values = np.array([number.value for number in self.known])

    def name(self, number: float, tolerance: float) -> NamedNumber | None:
        """The named number nearest in digits to |number|, within a tolerance, with its sign."""
        if not math.isfinite(number) or number == 0:
            return None
        near = np.flatnonzero(abs(self.values - abs(number)) <= tolerance)
        if not len(near):
            return None
        found = [self.known[i] for i in near]
        best = min(found, key=lambda match: (match.choice_digits, not match.meaning))
        sign = "-" if number < 0 else ""
        return NamedNumber(
            math.copysign(best.value, number), sign + best.text, best.meaning, best.choice_digits
        )


def names_for(name: str, blocks: Blocks, cotangents: list[Array]) -> NumberNames:
    """Names for the axis lengths of a block and of dy, and for parameters with one entry."""
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
    return NumberNames(meanings)


def short(number: float) -> str:
    """At most six digits."""
    return f"{number:.6g}"


def _add(meanings: dict[str, float], meaning: str, value: float) -> None:
    if value > 1:
        meanings[meaning] = float(value)

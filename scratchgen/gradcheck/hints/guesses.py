"""A wrong gradient, and guesses at what made it wrong, weighed in digits:

    price = digits of the choice + D * free numbers + n * log10(residual / floor)     (1)

The error E = analytic - numeric has n entries of D digits each. A guess that explains E leaves a
`residual`, |E - fit| / |E|, no larger than the `floor` that the error bars allow. It has then told
n D digits by a few: those that say which guess it is out of all that could have been made, and D
for each number in it that is fitted. The cheapest guess is the best (minimum description length,
Rissanen 1978). Without any idea, every wrong entry must be told by itself:

    price = log10(ways to choose k wrong entries of n) + D k                          (2)
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from ...ground.arguments import Array, Shape
from ..results import EntryMap

FINEST = 1e-9  # nothing is taken to fit better than this: D is 9 at most
COARSEST = 0.1
MOST_LEFT = 1e-3  # a guess that leaves more of the error is none, unless the floor is higher


@dataclass(frozen=True)
class WrongGradient:
    """Entries of a gradient, with what they should be; `wrong` marks those that are not it."""

    shape: Shape
    index: Array  # (n,) flat places in the block
    analytic: Array  # (n,)
    numeric: Array  # (n,)
    bar: Array  # (n,)
    wrong: Array  # (n,)
    complete: bool

    @classmethod
    def of(cls, entries: EntryMap) -> "WrongGradient":
        """The entries whose numbers are all finite."""
        flat = [np.ravel(one) for one in (entries.analytic, entries.numeric, entries.bar)]
        good = np.isfinite(flat[0]) & np.isfinite(flat[1]) & np.isfinite(flat[2])
        every = (np.ravel(entries.index), *flat, np.ravel(entries.wrong))
        index, analytic, numeric, bar, wrong = (one[good] for one in every)
        complete = entries.complete and bool(good.all())
        return cls(tuple(entries.shape), index, analytic, numeric, bar, wrong, complete)

    def at(self, rows: Array) -> "WrongGradient":
        """Some of the entries."""
        names = ("index", "analytic", "numeric", "bar", "wrong")
        return replace(self, complete=False, **{name: getattr(self, name)[rows] for name in names})

    @cached_property
    def error(self) -> Array:
        """(n,) E."""
        return self.analytic - self.numeric

    @cached_property
    def size(self) -> float:
        """|E|."""
        return float(np.linalg.norm(self.error))

    @cached_property
    def floor(self) -> float:
        """The share of |E| that any guess may leave: what the error bars and rounding allow."""
        rounding = 1e-14 * np.linalg.norm(self.numeric)
        allowed = (3 * np.linalg.norm(self.bar) + rounding) / self.size if self.size else COARSEST
        return float(np.clip(allowed, FINEST, COARSEST))

    @property
    def digits(self) -> float:
        """D in (1)."""
        return -math.log10(self.floor)

    @cached_property
    def places(self) -> tuple[Array, ...]:
        """The index of each entry, axis by axis: arrays (n,)."""
        return np.unravel_index(self.index.astype(np.intp), self.shape) if self.shape else ()

    def left(self, rest: Array) -> float:
        """The residual, where `rest` (n,) is E - fit."""
        share = float(np.linalg.norm(rest)) / self.size if self.size else math.inf
        return share if math.isfinite(share) else math.inf

    def unexplained(self) -> float:
        """The price of no idea (2)."""
        n, k = len(self.index), int(self.wrong.sum())
        return ways(n, k) + self.digits * k

    def groups(self, axes: tuple[int, ...]) -> Array:
        """(n,) a number for each entry: equal for those that differ along `axes` only."""
        others = [i for i in range(len(self.shape)) if i not in axes]
        if not others:
            return np.zeros(len(self.index), np.intp)
        place = [self.places[i] for i in others]
        group: Array = np.ravel_multi_index(place, [self.shape[i] for i in others])
        return np.unique(group, return_inverse=True)[1]

    def axis_sets(self) -> list[tuple[int, ...]]:
        """All sets of axes longer than 1, small ones first."""
        long = [i for i, n in enumerate(self.shape) if n > 1]
        return [axes for n in range(1, len(long) + 1) for axes in combinations(long, n)]


@dataclass(frozen=True)
class Guess:
    """A cause, in words, and what it costs: `choice` digits, `free` numbers, its `residual`."""

    cause: str
    text: str
    choice: float
    free: float = 0
    residual: float = 0.0

    def price(self, gradient: WrongGradient) -> float:
        """(1)."""
        missed = math.log10(max(self.residual / gradient.floor, 1))
        return self.choice + gradient.digits * self.free + len(gradient.index) * missed


def ways(n: int, k: int) -> float:
    """log10 of the number of ways to choose k of n."""
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)


def cheapest(guesses: list[Guess], gradient: WrongGradient) -> list[Guess]:
    """The guesses that tell the error by at least one digit less than no idea, best first."""
    limit, left = gradient.unexplained() - 1, max(MOST_LEFT, min(gradient.floor, 0.02))
    fits = [one for one in guesses if one.residual <= left and one.price(gradient) < limit]
    return sorted(fits, key=lambda one: one.price(gradient))


def listed_axes(axes: tuple[int, ...]) -> str:
    """`axis 1`, or `axes (0, 2)`."""
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"

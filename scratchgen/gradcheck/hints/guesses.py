"""A guess explains a wrong gradient if it describes the error in fewer digits than the entries do.

The error E = analytic - numeric has n entries of D digits each. A guess such as "the factor 1/2 is
missing" predicts E up to a residual |E - fit| / |E|, and its description has the length

    length = digits of the choice + D * fitted numbers + n * log10(residual / floor)  (1)

The choice says which of all guesses it is. Each fitted number costs D digits. A residual below the
`floor`, which the error bars set, costs nothing. The shortest description wins (minimum description
length, Rissanen 1978). Without a guess, the k wrong entries are listed one by one:

    length = log10(ways to choose k entries of n) + D k                               (2)
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from ...ground.arguments import Array, Shape
from ..results import EntryMap

FINEST = 1e-9  # the lowest floor, so D is at most 9
COARSEST = 0.1  # the highest floor
MOST_LEFT = 1e-3  # guesses with a larger residual are dropped, unless the floor is higher


@dataclass(frozen=True)
class WrongGradient:
    """Entries of a gradient as claimed and as measured; `wrong` marks those that differ."""

    shape: Shape
    index: Array  # (n,) flat indices into the block
    analytic: Array  # (n,) claimed
    numeric: Array  # (n,) measured
    bar: Array  # (n,) error bars of the measurement
    wrong: Array  # (n,)
    complete: bool  # every entry of the block is here

    @classmethod
    def of(cls, entries: EntryMap) -> "WrongGradient":
        """The entries whose numbers are all finite."""
        flat = [np.ravel(array) for array in (entries.analytic, entries.numeric, entries.bar)]
        good = np.isfinite(flat[0]) & np.isfinite(flat[1]) & np.isfinite(flat[2])
        every = (np.ravel(entries.index), *flat, np.ravel(entries.wrong))
        index, analytic, numeric, bar, wrong = (array[good] for array in every)
        complete = entries.complete and bool(good.all())
        return cls(tuple(entries.shape), index, analytic, numeric, bar, wrong, complete)

    def at(self, rows: Array) -> "WrongGradient":
        """These entries only."""
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
        """The residual that error bars and rounding alone explain."""
        rounding = 1e-14 * np.linalg.norm(self.numeric)
        allowed = (3 * np.linalg.norm(self.bar) + rounding) / self.size if self.size else COARSEST
        return float(np.clip(allowed, FINEST, COARSEST))

    @property
    def digits(self) -> float:
        """D in (1), significant digits of an entry."""
        return -math.log10(self.floor)

    @cached_property
    def places(self) -> tuple[Array, ...]:
        """The index of each entry, axis by axis: arrays (n,)."""
        return np.unravel_index(self.index.astype(np.intp), self.shape) if self.shape else ()

    def residual_of(self, rest: Array) -> float:
        """|rest| / |E|, for rest (n,) = E - fit."""
        share = float(np.linalg.norm(rest)) / self.size if self.size else math.inf
        return share if math.isfinite(share) else math.inf

    def unexplained(self) -> float:
        """The length of a plain list of the wrong entries (2)."""
        n, k = len(self.index), int(self.wrong.sum())
        return log10_binomial(n, k) + self.digits * k

    def groups(self, axes: tuple[int, ...]) -> Array:
        """(n,) group numbers; entries that differ only along `axes` share a group."""
        others = [i for i in range(len(self.shape)) if i not in axes]
        if not others:
            return np.zeros(len(self.index), np.intp)
        place = [self.places[i] for i in others]
        group: Array = np.ravel_multi_index(place, [self.shape[i] for i in others])
        return np.unique(group, return_inverse=True)[1]

    def axis_sets(self) -> list[tuple[int, ...]]:
        """All sets of axes of length 2 or more, small sets first."""
        long = [i for i, n in enumerate(self.shape) if n > 1]
        return [axes for n in range(1, len(long) + 1) for axes in combinations(long, n)]


@dataclass(frozen=True)
class Guess:
    """A cause, a sentence about it, and what (1) needs."""

    cause: str
    text: str
    choice_digits: float
    n_fitted: float = 0
    residual: float = 0.0

    def description_length(self, gradient: WrongGradient) -> float:
        """Digits by (1)."""
        residual_digits = math.log10(max(self.residual / gradient.floor, 1))
        return (
            self.choice_digits
            + gradient.digits * self.n_fitted
            + len(gradient.index) * residual_digits
        )


def log10_binomial(n: int, k: int) -> float:
    """log10 of the binomial coefficient, n over k."""
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)


def shortest(guesses: list[Guess], gradient: WrongGradient) -> list[Guess]:
    """Guesses at least one digit shorter than the list of wrong entries, shortest first."""
    limit, left = gradient.unexplained() - 1, max(MOST_LEFT, min(gradient.floor, 0.02))
    fits = [
        guess
        for guess in guesses
        if guess.residual <= left and guess.description_length(gradient) < limit
    ]
    return sorted(fits, key=lambda guess: guess.description_length(gradient))


@dataclass
class Explanation:
    """Guesses, and formulas of the gradient as it is and as it should be ("" where unknown)."""

    guesses: list[Guess]
    now: str = ""
    right: str = ""


def listed_axes(axes: tuple[int, ...]) -> str:
    """`axis 1`, or `axes (0, 2)`."""
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"

"""Where a gradient is wrong: conditions that hold exactly at the wrong entries.

A condition on values, such as `x < 0`, suggests a mask; one on indices, `the last row`, a border.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from .guesses import WrongGradient, log10_binomial
from .named_arrays import naming

ROUND = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0, -6.0)
MOST_NAMED = 4  # indices listed in a text


@dataclass(frozen=True)
class Place:
    """A condition in words, the cause that it suggests, and the digits of choosing it.

    A place that does not stand `alone` explains nothing unless the mistake there is known too.
    """

    cause: str
    text: str
    choice_digits: float
    alone: bool = True


def places(gradient: WrongGradient, values: Sequence[tuple[str, Array]]) -> list[Place]:
    """Conditions that separate wrong entries from right ones, fewest digits first.

    `values` are names and arrays (n,), the most probable in a comparison first.
    """
    wrong = gradient.wrong
    if not wrong.any() or wrong.all():
        return []
    found = [*_by_index(gradient), *_few(gradient), _anywhere(gradient)]
    counted = f" ({wrong.sum()} of {len(wrong)} entries)"
    for rank, (name, array) in enumerate(values, start=1):
        for text, choice_digits in _conditions(name, array, wrong):
            found.append(Place("mask", f"where {text}{counted}", choice_digits + naming(rank)))
    return sorted(found, key=lambda place: place.choice_digits)


def _conditions(name: str, v: Array, wrong: Array) -> Iterator[tuple[str, float]]:
    """Conditions on v that hold exactly at the wrong entries."""
    n = math.log10(len(v)) + 0.5
    for sign, holds in (("==", v == 0), ("!=", v != 0)):
        if np.array_equal(holds, wrong):
            yield _compared_with_zero(name, sign), 0.3
    for text, values, extra in ((name, v, 0.0), (f"|{name}|", abs(v), 0.5)):
        inside, outside = values[wrong], values[~wrong]
        if inside.max() < outside.min():
            t, choice_digits = _threshold(inside.max(), outside.min(), n)
            yield f"{text} < {t}", extra + choice_digits
        if inside.min() > outside.max():
            t, choice_digits = _threshold(outside.max(), inside.min(), n)
            yield f"{text} > {t}", extra + choice_digits
    inside, outside = v[wrong], v[~wrong]
    low, high = outside[outside < inside.min()], outside[outside > inside.max()]
    if len(low) and len(high) and len(low) + len(high) == len(outside):
        (a, more), (b, again) = (
            _threshold(low.max(), inside.min(), n),
            _threshold(inside.max(), high.min(), n),
        )
        yield f"{a} < {name} < {b}", more + again + 0.5
    low, high = inside[inside < outside.min()], inside[inside > outside.max()]
    if len(low) and len(high) and len(low) + len(high) == len(inside):
        (a, more), (b, again) = (
            _threshold(low.max(), outside.min(), n),
            _threshold(outside.max(), high.min(), n),
        )
        yield f"{name} < {a} or {name} > {b}", more + again + 0.5


def _compared_with_zero(name: str, sign: str) -> str:
    """`x == y` for a difference `(x - y)`."""
    if name.startswith("(") and " - " in name:
        return name[1:-1].replace(" - ", f" {sign} ")
    return f"{name} {sign} 0"


def _threshold(low: float, high: float, digits: float) -> tuple[str, float]:
    """A number from low to high, round if possible, and the digits of choosing it."""
    for i, number in enumerate(ROUND):
        if low <= number <= high:
            return f"{number:g}", 0.3 if i == 0 else 1.0
    return f"{(low + high) / 2:.3g}", digits


def _by_index(gradient: WrongGradient) -> Iterator[Place]:
    """Wrong at some indices of one axis, or along the whole edge."""
    edge = np.zeros(len(gradient.index), bool)
    for axis, (n, place) in enumerate(zip(gradient.shape, gradient.places, strict=True)):
        at = np.unique(place[gradient.wrong])
        edge |= (place == 0) | (place == n - 1)
        if len(at) == n or n < 2 or len(gradient.shape) < 2:
            continue
        if np.array_equal(np.isin(place, at), gradient.wrong):
            cause, text, choice_digits = _indices(at, n)
            yield Place(cause, f"{text} of axis {axis}", choice_digits + 0.3)
    if len(gradient.shape) > 1 and np.array_equal(edge, gradient.wrong):
        yield Place("border", "on the edge", 1.0)


def _indices(at: Array, n: int) -> tuple[str, str, float]:
    """Cause, text and digits of a set of indices below n."""
    k = len(at)
    if set(at) <= {0, n - 1} and (at[0] == 0 or k == 2):
        return "border", "at the first index" if k == 1 else "at the first and last index", 0.5
    if k > n // 2 and k > 2:
        rest = sorted(set(range(n)) - set(at.tolist()))
        left = ", ".join(map(str, rest[:MOST_NAMED])) + (" ..." if len(rest) > MOST_NAMED else "")
        return "mask", f"everywhere but at {left}", log10_binomial(n, k) + 0.5
    if at[0] == n - k:
        return "last rows", "at the last index" if k == 1 else f"at the last {k} indices", 0.7
    text = ", ".join(map(str, at[:MOST_NAMED])) + (" ..." if k > MOST_NAMED else "")
    return (
        "few entries",
        f"at {'index' if k == 1 else 'indices'} {text}",
        log10_binomial(n, k) + 0.5,
    )


def _few(gradient: WrongGradient) -> Iterator[Place]:
    """A few single entries."""
    n, k = len(gradient.index), int(gradient.wrong.sum())
    if k <= max(2, n // 50) and 2 * k <= n:
        text = "at " + named_entries(gradient, np.flatnonzero(gradient.wrong))
        yield Place("few entries", text, log10_binomial(n, k))


def _anywhere(gradient: WrongGradient) -> Place:
    """The wrong entries as a mask that no array explains, or as one entry of each row."""
    n, k = len(gradient.index), int(gradient.wrong.sum())
    if gradient.complete and len(gradient.shape) > 1:
        rows = np.bincount(gradient.groups((len(gradient.shape) - 1,)), gradient.wrong)
        if (rows == 1).all():
            choice_digits = len(rows) * math.log10(n / len(rows)) + 0.5
            return Place("mask", "at one entry of each row", choice_digits, alone=False)
    return Place("mask", f"at {k} of {n} entries", log10_binomial(n, k) + 0.5, alone=False)


def named_entries(gradient: WrongGradient, rows: Array) -> str:
    """`[2, 3] and [0, 1]`."""
    names = [str([int(axis[row]) for axis in gradient.places]) for row in rows[:MOST_NAMED]]
    more = len(rows) - len(names)
    text = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    return f"{text} and {more} more" if more > 0 else text

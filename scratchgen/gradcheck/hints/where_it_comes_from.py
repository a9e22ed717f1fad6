"""What both Jacobians say of a wrong gradient: on which side a factor is missing, or which axis.

claimed = diag(c) measured      each entry of dy lacks a factor
claimed = measured diag(c)      each entry of the gradient lacks one
claimed is 0 off the diagonal of an axis, and measured is not, or the other way
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...ground.arguments import Array, Shape
from .both_jacobians import Jacobians
from .formulas import search
from .guesses import Guess, WrongGradient
from .known_arrays import Known
from .named_numbers import Names
from .ways_to_sum import Weight, all_sums


def fits_sides(both: Jacobians, arrays: Sequence[Known], names: Names) -> Iterator[Guess]:
    """One is the other with each row, or each column, times a number of its own."""
    flat = both.flat()
    arrays = [arrays[0], *_centred(arrays[0]), *arrays[1:]]
    sides = (
        (1, both.shape, "dy lacks the factor", "dy has a factor too many:"),
        (0, both.block, "it lacks the factor", "it has a factor too many:"),
    )
    for axis, shape, lacks, too_many in sides:
        square = (both.measured**2).sum(axis=axis)
        along = (both.measured * both.claimed).sum(axis=axis)
        c = np.divide(along, square, out=np.ones_like(along), where=square > both.tolerance**2)
        fit = both.measured * (c[:, None] if axis else c)
        residual = flat.left((both.claimed - fit).ravel()[flat.index])
        free = float((abs(both.error) > both.tolerance).any(axis=axis).sum())
        side = "each entry of dy" if axis else "each of its entries"
        text = f"{side} is right up to a factor of its own: such a factor is missing"
        yield Guess("missing factor", text, 1.0, free, residual)
        used = np.flatnonzero(square > both.tolerance**2)
        for words, values in ((lacks, 1 / c), (too_many, c)):
            named = _named(values, used, shape, arrays, names) if residual < 1e-3 else ""
            if named:
                yield Guess("missing factor", f"{words} {named}", 2.0, 0, residual)


def _centred(x: Known) -> Iterator[Known]:
    """x less its mean along each of its axes."""
    for axis in range(x.values.ndim):
        mean = x.values.mean(axis=axis, keepdims=True)
        yield Known(f"({x.name} - its mean over axis {axis})", x.values - mean, made=True)


def _named(c: Array, used: Array, shape: Shape, arrays: Sequence[Known], names: Names) -> str:
    """What these factors are of the arrays at hand, "" if that is not known."""
    if len(used) < 3 or not np.isfinite(c).all() or np.ptp(c[used]) < 1e-6 * abs(c[used]).max():
        return ""
    one = np.ones(len(used))
    bar = 1e-8 * abs(c[used]).max() * one
    target = WrongGradient(shape, used, c[used], one, bar, one > 0, False)
    sums = next(all_sums(arrays, shape, [], elementwise=True))
    found = search(sums, Weight("", None, 0.0), [c[used]], target, names)[0]
    return found[0].text() if found and len(used) > 1 + found[0].free else ""


def mixed_axis(both: Jacobians) -> Guess | None:
    """Entries that depend on dy elsewhere along an axis, and should not, or the other way."""
    for axis in range(min(len(both.shape), len(both.block))):
        if both.shape[axis] != both.block[axis] or both.shape[axis] < 2:
            continue
        now, right = (both.mixes(one, axis) for one in (both.claimed, both.measured))
        if now and not right:
            text = f"an entry depends on dy at other places along axis {axis}, and should not"
            return Guess("axis", f"{text}: a sum or a mean is taken over the wrong axis", 1.0)
        if right and not now:
            text = f"an entry should depend on dy at other places along axis {axis}, and does not"
            return Guess("mean term", f"{text}: a sum or a mean over it is missing", 1.0)
    return None


def is_elementwise(both: Jacobians) -> bool:
    """Whether each entry depends on the entry of dy at its own place alone, as it should."""
    if both.shape != both.block or len(both.dy) < 2:
        return False
    every = abs(both.claimed) + abs(both.measured)
    return bool((every - np.diag(np.diag(every)) <= both.tolerance).all())

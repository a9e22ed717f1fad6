"""What both Jacobians say of a wrong gradient: which part of dy makes it wrong, and on which way.

claimed = diag(c) measured     dy lacks a factor          E has rank 1        a mean is wrong
claimed = measured diag(c)     the result lacks one       E off its blocks    a wrong axis
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...checks import Array, Shape
from .both_jacobians import Jacobians
from .formulas import search
from .guesses import Guess, WrongGradient, listed_axes
from .known_arrays import Known
from .named_numbers import Names
from .ways_to_sum import Weight, all_sums


def fits_sides(both: Jacobians, arrays: Sequence[Known], names: Names) -> Iterator[Guess]:
    """One is the other with each row, or each column, times a number of its own."""
    flat = both.flat()
    arrays = [*arrays, *_centred(arrays[0], both.block)]
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


def _centred(x: Known, shape: Shape) -> Iterator[Known]:
    """x less its mean along one axis, or all but one; only for a block like x itself."""
    n = x.values.ndim
    axes = {(i,) for i in range(n)} | {tuple(j for j in range(n) if j != i) for i in range(n)}
    if n > 1 and x.values.shape == shape:
        for one in sorted(axes):
            mean = x.values.mean(axis=one, keepdims=True)
            yield Known(f"({x.name} - its mean over {listed_axes(one)})", x.values - mean)


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


def fits_mean(both: Jacobians, arrays: Sequence[Known]) -> Iterator[Guess]:
    """E is of rank 1 in each group of entries: a weighted sum of dy there, times an array."""
    if both.shape != both.block:
        return
    flat, gradient = both.flat(), both.gradient()
    for axes in gradient.axis_sets():
        group = gradient.groups(axes)
        rest, left, right, free = both.error.copy(), np.zeros(len(group)), np.zeros(len(group)), 0
        for g in range(int(group.max()) + 1):
            at = np.flatnonzero(group == g)
            here = np.ix_(at, at)
            if np.linalg.matrix_rank(both.measured[here], both.tolerance) < 2:
                continue
            u, s, v = np.linalg.svd(both.error[here])
            rest[here] -= s[0] * np.outer(u[:, 0], v[0])
            left[at], right[at] = s[0] * u[:, 0], v[0]
            free += 2 * len(at) - 1
        where = listed_axes(axes)
        a, b = _like(right, group, gradient, arrays), _like(left, group, gradient, arrays)
        mean = f"a mean or a sum of {'dy' if b == '1' else f'dy * {b}' if b else 'dy'} over {where}"
        mean += "" if b else ", each with a weight,"
        text = f"{mean} {'' if a == '1' else f'times {a} ' if a else 'times an array '}"
        text = f"{' '.join(text.split())} is missing or wrong: the error is of that form"
        yield Guess("mean term", text, 2.0, free, flat.left(rest.ravel()[flat.index]))


def _like(vector: Array, group: Array, gradient: WrongGradient, arrays: Sequence[Known]) -> str:
    """The known array that these numbers are, up to a factor in each group; "" for none."""
    count = np.bincount(group)
    candidates = [("1", np.ones(len(group)))]
    for one in arrays:
        if one.values.shape == gradient.shape and not one.made:
            v = one.values.ravel()
            mean = (np.bincount(group, v) / count)[group]
            candidates += [(one.name, v), (f"({one.name} - mean({one.name}))", v - mean)]
    square = np.bincount(group, vector**2)
    for name, v in candidates:
        along, size = np.bincount(group, v * vector), np.bincount(group, v * v)
        if square.any() and (abs(along**2 - size * square) <= 1e-5 * size * square).all():
            return name
    return ""


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

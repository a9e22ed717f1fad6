"""Guesses from the claimed and the measured Jacobian: a missing factor, or a wrong axis.

claimed = diag(c) measured      a factor of dy is missing
claimed = measured diag(c)      a factor of the gradient is missing
off-diagonal entries along an axis in only one of the two: a sum or a mean over a wrong axis
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...ground.arguments import Array, Shape
from .gradient_formulas import search
from .guesses import Guess, WrongGradient
from .jacobians import Jacobians
from .named_arrays import NamedArray
from .named_numbers import NumberNames
from .ways_to_sum import Weight, all_sums


def fits_sides(
    jacobians: Jacobians, arrays: Sequence[NamedArray], names: NumberNames
) -> Iterator[Guess]:
    """claimed is measured, with each row or each column multiplied by its own number."""
    flat = jacobians.flat()
    arrays = [arrays[0], *_centred(arrays[0]), *arrays[1:]]
    sides = (
        (1, jacobians.shape, "dy lacks the factor", "dy has a factor too many:"),
        (0, jacobians.block, "it lacks the factor", "it has a factor too many:"),
    )
    for axis, shape, lacks, too_many in sides:
        square = (jacobians.measured**2).sum(axis=axis)
        along = (jacobians.measured * jacobians.claimed).sum(axis=axis)
        c = np.divide(along, square, out=np.ones_like(along), where=square > jacobians.tolerance**2)
        fit = jacobians.measured * (c[:, None] if axis else c)
        residual = flat.residual_of((jacobians.claimed - fit).ravel()[flat.index])
        n_fitted = float((abs(jacobians.error) > jacobians.tolerance).any(axis=axis).sum())
        side = "each entry of dy" if axis else "each of its entries"
        text = f"{side} is right up to a factor of its own: such a factor is missing"
        yield Guess("missing factor", text, 1.0, n_fitted, residual)
        used = np.flatnonzero(square > jacobians.tolerance**2)
        for words, values in ((lacks, 1 / c), (too_many, c)):
            named = _named(values, used, shape, arrays, names) if residual < 1e-3 else ""
            if named:
                yield Guess("missing factor", f"{words} {named}", 2.0, 0, residual)


def _centred(x: NamedArray) -> Iterator[NamedArray]:
    """x - mean(x), for each axis of x."""
    for axis in range(x.values.ndim):
        mean = x.values.mean(axis=axis, keepdims=True)
        yield NamedArray(f"({x.name} - its mean over axis {axis})", x.values - mean, derived=True)


def _named(
    c: Array, used: Array, shape: Shape, arrays: Sequence[NamedArray], names: NumberNames
) -> str:
    """A formula for these factors, "" if none is known."""
    if len(used) < 3 or not np.isfinite(c).all() or np.ptp(c[used]) < 1e-6 * abs(c[used]).max():
        return ""
    ones = np.ones(len(used))
    bar = 1e-8 * abs(c[used]).max() * ones
    target = WrongGradient(shape, used, c[used], ones, bar, ones > 0, False)
    sums = next(all_sums(arrays, shape, [], elementwise=True))
    formulas = search(sums, Weight("", None, 0.0), [c[used]], target, names)[0]
    return formulas[0].text() if formulas and len(used) > 1 + formulas[0].n_fitted else ""


def mixed_axis(jacobians: Jacobians) -> Guess | None:
    """A guess if only one of the two Jacobians mixes indices of an axis."""
    for axis in range(min(len(jacobians.shape), len(jacobians.block))):
        if jacobians.shape[axis] != jacobians.block[axis] or jacobians.shape[axis] < 2:
            continue
        now, right = (
            jacobians.mixes(jacobian, axis) for jacobian in (jacobians.claimed, jacobians.measured)
        )
        if now and not right:
            text = f"an entry depends on dy at other places along axis {axis}, and should not"
            return Guess("axis", f"{text}: a sum or a mean is taken over the wrong axis", 1.0)
        if right and not now:
            text = f"an entry should depend on dy at other places along axis {axis}, and does not"
            return Guess("mean term", f"{text}: a sum or a mean over it is missing", 1.0)
    return None


def is_elementwise(jacobians: Jacobians) -> bool:
    """Whether both Jacobians are diagonal."""
    if jacobians.shape != jacobians.block or len(jacobians.dy) < 2:
        return False
    every = abs(jacobians.claimed) + abs(jacobians.measured)
    return bool((every - np.diag(np.diag(every)) <= jacobians.tolerance).all())

"""Signs that one axis was taken for another.

analytic = a_g, and numeric is not       summed over the wrong axis
E = u_i v_j + s_i t_j                    a mean over the rows where one over columns belongs
"""

from collections.abc import Iterator

import numpy as np

from ...checks import Array
from .guesses import Guess, WrongGradient, listed_axes
from .shapes_by_group import without

LARGEST_MATRIX = 10**5  # entries


def fits_axis(gradient: WrongGradient) -> Iterator[Guess]:
    """One of the two is constant along an axis, and the other is not."""
    one = [np.ones(len(gradient.index))]
    for axes in gradient.axis_sets():
        group = gradient.groups(axes)
        pair = (
            ("it is", "should not be", gradient.analytic, gradient.numeric),
            ("it should be", "is not", gradient.numeric, gradient.analytic),
        )
        for has, lacks, flat, other in pair:
            rest, free = without(flat, one, group)
            if without(other, one, group)[0].any() and flat.any():
                text = f"{has} constant over {listed_axes(axes)}, and {lacks}: a sum or a mean is"
                yield Guess(
                    "axis", f"{text} taken over the wrong axis", 1.0, free, gradient.left(rest)
                )


def fits_two_axes(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """E, or E / (x - mean(x)), is a matrix of rank 1 or 2."""
    if not gradient.complete or len(gradient.shape) < 2 or len(gradient.index) > LARGEST_MATRIX:
        return
    columns = gradient.shape[-1]
    error = gradient.error.reshape(-1, columns)
    right = gradient.numeric.reshape(-1, columns)
    matrix = x.reshape(-1, columns)
    scaled = [np.ones_like(matrix), *(matrix - matrix.mean(axis=i, keepdims=True) for i in (0, 1))]
    for by in scaled:
        quotient = error / by
        if not np.isfinite(quotient).all():
            continue
        u, s, v = np.linalg.svd(quotient, full_matrices=False)
        for rank in (1, 2):
            rest = error - by * ((u[:, :rank] * s[:rank]) @ v[:rank])
            if _rank(right) <= rank or _rank(right / by) <= rank:
                continue  # the right gradient is such a matrix as well, so that this tells nothing
            free = rank * (sum(error.shape) - rank)
            cause = "mean term" if rank == 1 else "axis"
            yield Guess(cause, _rank_text(rank), 1.0 + rank, free, gradient.left(rest.ravel()))


def _rank(matrix: Array) -> int:
    return int((np.linalg.svd(matrix, compute_uv=False) > 1e-6 * abs(matrix).max()).sum())


def _rank_text(rank: int) -> str:
    if rank == 1:
        return (
            "the error is one number per row times one per column: a term that is a mean or "
            "a sum along one of them is missing or wrong"
        )
    return (
        "the error is a term that is constant along the rows and one along the columns: a mean "
        "is taken over the wrong axis"
    )

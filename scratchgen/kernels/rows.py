"""Rows are gathered into memory that is used again, averaged, summed, and put in order.

out_i = x_{rows_i}                                                     (1)
mean = sum_n value_n / N, in float64                                   (2)
"""

import functools

import numpy as np

from ..checks import Array
from .compiling import Kernel, helper
from .sharing import share
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"

BLOCK = 2**14  # numbers


def take_rows_reference(x: Array, rows: Array, out: Array) -> None:
    """x (M, D), rows (N,) in 0 ... M - 1: writes out (N, D)."""
    np.take(x, rows, axis=0, out=out, mode="clip")  # (1); "clip" writes without a detour


@twin_of(take_rows_reference, takes="x (M, D), rows (N,) int64 below M -> out (N, D)", of=2)
def take_rows(part, parts, x, rows, out):
    top, bottom = share(len(rows), part, parts)
    for i in range(top, bottom):
        from_row, to_row = x[rows[i]], out[i]
        for j in range(to_row.size):
            to_row[j] = from_row[j]  # (1)


def mean_reference(values: Array, out: Array) -> None:
    """values (N,): writes out (1,), in float64."""
    out[0] = np.add.reduce(values, dtype=np.float64) / len(values)  # (2)


@twin_of(mean_reference, takes="values (N,) -> out (1,) float64")
def mean(part, parts, values, out):
    if part == parts - 1:  # the sum is in one order, whatever `parts` is
        total = 0.0
        for n in range(len(values)):
            total += values[n]
        out[0] = total / len(values)  # (2)


@helper
def sum_of(terms):
    """The sum of terms (D,), which are written over.

    The second half is added onto the first until one is left: many at a time, in one order.
    """
    count = terms.size
    while count > 1:
        half = (count + 1) // 2
        for j in range(count - half):
            terms[j] += terms[half + j]
        count = half
    return terms[0] if terms.size else terms.dtype.type(0)


def in_blocks(reference: Kernel) -> Kernel:
    """A reference that treats each row of its arrays, or number of its vectors, by itself.

    It is given BLOCK numbers of the first array at once, and what belongs to them of all that are
    as long: what it makes on the way stays in the caches, and takes no new memory in every step.
    """

    @functools.wraps(reference)
    def block_by_block(first: Array, *others: Array) -> None:
        rows = max(1, BLOCK * len(first) // max(first.size, 1))
        for start in range(0, len(first), rows):
            block = slice(start, start + rows)
            reference(first[block], *(x[block] if len(x) == len(first) else x for x in others))

    return block_by_block


def plain(x: Array) -> Array:
    """x, or a copy where its memory is not in order, or read-only.

    For each kind of memory a twin would have to be compiled anew, which takes a second.
    """
    return x if x.flags.c_contiguous and x.flags.writeable else x.copy()

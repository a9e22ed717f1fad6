"""The loop of all three products: it takes a matrix product in tiles, by rows, or as dot products.

    c = first + a b    or    c = c + (a b),    a (rows, depth), b (depth, columns)          (1)

    several rows and columns         tiles, in an order that suits the caches: blocking.py   (2)
    one row, or one column           BROAD vectors of it at a time, b is read once           (3)
    the same, k along a and b        dot products, DOTS at a time                            (4)

Only the shapes and strides decide. A single row cannot fill a tile of several rows, and needs each
number of b only once.
"""

import functools
from typing import Any

import numpy as np

from ..ground.arguments import Array
from .blocking import BIAS, ITSELF, multiply_tiles
from .compiling import FromLLVM, Kernel, helper, with_types
from .packing import LINE
from .sharing import share

# mypy: disable-error-code="no-untyped-def"

WRITTEN = (3,)  # of the arguments of `multiply`, after part and parts
NEITHER, A, B = 0, 1, 2  # which of the two may be nothing but 0

# rows of dot products, vectors of a row, of VECTOR bytes, and what computes them
DOTS, BROAD, WIDTH, VECTOR = map(FromLLVM, ("DOTS", "BROAD", "WIDTH", "VECTOR"))
multiply_row, dot_rows = FromLLVM("multiply_row"), FromLLVM("dot_rows")
itemsize = FromLLVM("itemsize", "vectors")


def multiply(part, parts, a, b, bias, c, start, zero, panels):
    """(1), one part of it; `zero` says which of a and b is looked at first, whether it is 0."""
    item, (rows, depth), columns = itemsize(c), a.shape, b.shape[1]
    if (zero == A and is_zero(a)) or (zero == B and is_zero(b)):
        if start == ITSELF:
            return
        depth = 0
    at_a, (a_row, a_k) = np.intp(a.ctypes.data), a.strides
    at_b, (b_k, b_j) = np.intp(b.ctypes.data), b.strides
    at_c, c_row = np.intp(c.ctypes.data), c.strides[0]
    # the stride of an axis of size 1 is never used: any value will do
    b_k = item if depth == 1 else b_k
    b_j = item if columns == 1 else b_j
    c_row = item if rows == 1 else c_row
    at_first, first_j = np.intp(bias.ctypes.data), item if start == BIAS else 0
    # the address of what the sums are added to, 0 for nothing; ZERO adds 0.0, so -0.0 becomes 0.0
    rest, rest_j = (at_c, item) if start == ITSELF else (at_first, 0)
    rest = rest if start >= ITSELF else 0

    memory = (np.intp(panels[part].ctypes.data) + LINE - 1) & -LINE

    along_k = a_k == item and b_k == item
    if rows == 1 and along_k:
        if start == ITSELF:
            at_first, first_j = at_c, item
        _dots(c, part, parts, columns, depth, at_b, b_j, at_a, at_c, item, at_first, first_j)
    elif columns == 1 and along_k:
        first_row = 0
        if start == ITSELF:
            at_first, first_row = at_c, c_row
        _dots(c, part, parts, rows, depth, at_a, a_row, at_b, at_c, c_row, at_first, first_row)
    elif rows == 1 and b_j == item and columns * item > WIDTH * VECTOR:
        _row(
            c, part, parts, columns, depth, at_a, a_k, at_b, b_k, at_c, at_first, first_j,
            rest, rest_j, start, memory,
        )  # fmt: skip
    elif columns == 1 and a_row == item and c_row == item and start != BIAS:  # the same, transposed
        _row(
            c, part, parts, rows, depth, at_b, b_k, at_a, a_k, at_c, at_first, first_j,
            rest, rest_j, start, memory,
        )  # fmt: skip
    else:
        multiply_tiles(
            c, part, parts, rows, columns, depth, at_a, a_row, a_k, at_b, b_k, b_j,
            at_c, c_row, at_first, first_j, start, memory,
        )  # fmt: skip


@helper
def is_zero(x):
    """Whether x (N, D) is 0 everywhere; as a rule its first row decides."""
    for n in range(len(x)):
        has_other = False
        for j in range(x.shape[1]):
            has_other |= x[n, j] != 0
        if has_other:
            return False
    return True


@helper
def _row(
    like,
    part,
    parts,
    columns,
    depth,
    a,
    a_k,
    b,
    b_k,
    c,
    first,
    first_j,
    rest,
    rest_j,
    start,
    memory,
):
    item = itemsize(like)
    width = BROAD * VECTOR // item
    left, right = share(-(-columns // width), part, parts)
    left, right = left * width, min(columns, right * width)
    overlaps = start != ITSELF and right - left >= width
    for next_j in range(left, right, width):
        j = min(next_j, right - width) if overlaps else next_j
        if right - j < width:
            multiply_tiles(
                like, 0, 1, 1, right - j, depth, a, 0, a_k, b + j * item, b_k, item,
                c + j * item, 0, first + j * first_j, first_j, start, memory,
            )  # fmt: skip
        else:
            multiply_row(
                like, depth, a, a_k, b + j * item, b_k, c + j * item, first + j * first_j,
                rest + j * rest_j,
            )  # fmt: skip


@helper
def _dots(like, part, parts, rows, depth, a, a_row, b, c, c_row, first, first_row):
    top, bottom = share(rows, part, parts)
    for i in range(top, bottom, DOTS):
        count = min(DOTS, bottom - i)
        dot_rows(
            like, count, depth, a + i * a_row, a_row, b, c + i * c_row, c_row,
            first + i * first_row, first_row,
        )  # fmt: skip


@functools.cache
def loop_for(char: str) -> Kernel:
    """`multiply`, compiled once for that dtype, for matrices of any strides."""

    def types_of_arguments(types: Any) -> tuple[Any, ...]:
        dtype = types.float32 if char == "f" else types.float64
        any_strides = {"layout": "A", "aligned": False}
        read = types.Array(dtype, 2, readonly=True, **any_strides)
        bias = types.Array(dtype, 1, "C", readonly=True, aligned=False)
        written = types.Array(dtype, 2, **any_strides)
        panels = types.Array(types.uint8, 2, "C")
        return read, read, bias, written, types.intp, types.intp, panels

    return with_types(multiply, f"multiply_{char}", types_of_arguments)


@functools.cache
def zeros_like(char: str) -> Array:
    """What sums start from without a bias: as many zeros as any tile reads."""
    return np.zeros(512, char)

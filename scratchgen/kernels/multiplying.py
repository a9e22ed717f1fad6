"""One loop computes all three products of a layer: in tiles, row by row, or as dot products.

    c = first + a b    or    c = c + (a b),    a (rows, depth), b (depth, columns)          (1)

    several rows and columns             tiles, in an order that suits the caches            (2)
    one row, or one column               BROAD vectors of c at a time                        (3)
    one, where k is contiguous           dot products, DOTS at a time                        (4)

Only the shapes and strides decide. blocking.py has (2), and says what the addresses and strides
are. A single row cannot fill a tile of several rows, and needs each number of b only once. For (4)
the numbers k have to be contiguous in both a and b.
"""

import functools
from typing import Any

import numpy as np

from ..ground.arguments import Array
from . import blocking
from .blocking import BIAS, ITSELF, ZERO, multiply_tiles
from .compiling import FromLLVM, Kernel, helper, with_types
from .packing import LINE
from .recording import Call
from .sharing import share

# mypy: disable-error-code="no-untyped-def"

IN_ONE_SUM = 20  # multiply-adds that take as long as a sum of two numbers in memory
WRITTEN = (3,)  # the index of c among the arguments of `multiply` behind part and parts
NEITHER, A, B = 0, 1, 2  # which of a and b may be 0 everywhere, and is looked at first

# dot products at a time, vectors of VECTOR bytes in (3) and in a tile, and what computes them
DOTS, BROAD, WIDTH, VECTOR = map(FromLLVM, ("DOTS", "BROAD", "WIDTH", "VECTOR"))
multiply_row, dot_rows = FromLLVM("multiply_row"), FromLLVM("dot_rows")
itemsize = FromLLVM("itemsize", "vectors")


def multiply(part, parts, a, b, first, c, start, zero, scratch):
    """(1), one part of it, for a (rows, depth), b (depth, columns) and c (rows, columns).

    first (columns,) is the bias if `start` is BIAS, and zeros if it is NOTHING, ITSELF or ZERO (see
    blocking.py). `zero` is NEITHER, A or B. scratch (parts, bytes) has `blocking.scratch` bytes.
    """
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
    at_first, first_j = np.intp(first.ctypes.data), item if start == BIAS else 0
    # the address of what the sums are added to, 0 for nothing; ZERO adds 0.0, so -0.0 becomes 0.0
    rest, rest_j = (at_c, item) if start == ITSELF else (at_first, 0)
    rest = rest if start >= ITSELF else 0

    memory = (np.intp(scratch[part].ctypes.data) + LINE - 1) & -LINE

    along_k = a_k == item and b_k == item
    if rows == 1 and along_k:  # (4)
        if start == ITSELF:
            at_first, first_j = at_c, item
        _dots(c, part, parts, columns, depth, at_b, b_j, at_a, at_c, item, at_first, first_j)
    elif columns == 1 and along_k:  # (4)
        first_row = 0
        if start == ITSELF:
            at_first, first_row = at_c, c_row
        _dots(c, part, parts, rows, depth, at_a, a_row, at_b, at_c, c_row, at_first, first_row)
    elif rows == 1 and b_j == item and columns * item > WIDTH * VECTOR:  # (3)
        _row(
            c, part, parts, columns, depth, at_a, a_k, at_b, b_k, at_c, at_first, first_j,
            rest, rest_j, start, memory,
        )  # fmt: skip
    elif columns == 1 and a_row == item and c_row == item and start != BIAS:  # (3), transposed
        _row(
            c, part, parts, rows, depth, at_b, b_k, at_a, a_k, at_c, at_first, first_j,
            rest, rest_j, start, memory,
        )  # fmt: skip
    else:  # (2)
        multiply_tiles(
            c, part, parts, rows, columns, depth, at_a, a_row, a_k, at_b, b_k, b_j,
            at_c, c_row, at_first, first_j, start, memory,
        )  # fmt: skip


@helper
def is_zero(x):
    """Whether a matrix is 0 everywhere; as a rule its first row decides."""
    for n in range(len(x)):
        has_other = False
        for j in range(x.shape[1]):
            has_other |= x[n, j] != 0
        if has_other:
            return False
    return True


@helper
def _row(
    like, part, parts, columns, depth, a, a_k, b, b_k,
    c, first, first_j, rest, rest_j, start, memory,
):  # fmt: skip
    """(3), one part of it: c (columns,) = first + a b, plus `rest` unless its address is 0."""
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
    """(4), one part of it: c (rows,) = first + a b for a (rows, depth) and b (depth,)."""
    top, bottom = share(rows, part, parts)
    for i in range(top, bottom, DOTS):
        count = min(DOTS, bottom - i)
        dot_rows(
            like, count, depth, a + i * a_row, a_row, b, c + i * c_row, c_row,
            first + i * first_row, first_row,
        )  # fmt: skip


def product_call(
    a: Array, b: Array, first: Array, c: Array, start: int, zero: int = NEITHER
) -> Call:
    """(1) as a call of the loop, with its work and memory, for the arguments of `multiply`."""
    (rows, depth), columns = a.shape, c.shape[1]
    loop, adds = loop_for(c.dtype.char), start == ITSELF
    return Call(
        loop,
        (a, b, first, c, start, zero),
        c.size * depth / IN_ONE_SUM,
        WRITTEN,
        changed=WRITTEN if adds else (),
        scratch=blocking.scratch(rows, columns, depth, c.itemsize, start),
        onto_zero=(loop, (a, b, first, c, ZERO, zero)) if adds else None,
    )


@functools.cache
def loop_for(char: str) -> Kernel:
    """`multiply`, compiled once for that dtype, for matrices of any strides."""

    def types_of_arguments(types: Any) -> tuple[Any, ...]:
        dtype = types.float32 if char == "f" else types.float64
        any_strides = {"layout": "A", "aligned": False}
        read = types.Array(dtype, 2, readonly=True, **any_strides)
        first = types.Array(dtype, 1, "C", readonly=True, aligned=False)
        written = types.Array(dtype, 2, **any_strides)
        scratch = types.Array(types.uint8, 2, "C")
        return read, read, first, written, types.intp, types.intp, scratch

    return with_types(multiply, f"multiply_{char}", types_of_arguments)


@functools.cache
def no_bias(char: str) -> Array:
    """What sums start from without a bias: at least as many zeros as any tile reads."""
    return np.zeros(512, char)

"""A matrix product reads each number many times: blocking lets it find them in a cache.

    c = first + a b    or    c = c + (a b),    a (rows, depth), b (depth, columns)          (1)

Written as three loops, (1) waits for memory most of the time. Here c is cut into tiles, whose sums
stay in registers (native/tiles.py), and the tiles are taken in an order in which what a tile reads
is still in a cache (Goto and van de Geijn 2008):

    for each DEPTH numbers k                                                  (2)
        for each panel of b, as wide as a tile                                (3)
            copy the panel, rows side by side: it stays in the first cache    (4)
            for each tile of these columns of c, from top to bottom           (5)
                sums += a panel

Between two rounds of (2), sums wait in c. For c = c + (a b) they wait in a buffer instead, which
holds WAITING rows of one panel's columns: all rounds are finished for these rows before the next
rows begin.                                                                   (6)

(4) is left out where the numbers of a row of b lie side by side and fewer than COPY_FROM rows of c
would read the panel. A tile consists of whole vectors, because a mask would cost a register and
time in every round. A panel that sticks out of b is filled up with zeros, and a tile that sticks
out of c is computed beside it, from where the numbers inside c are copied.    (7)

A product with a single row or column cannot fill a tile: it is taken as dot
products, or in rows of BROAD vectors if it has more numbers than a tile is wide.

Threads share the columns of c, or its rows. One thread computes each number of c, and sums it over
k in one order, so no result depends on the number of threads.
"""

import functools
from typing import Any

import numpy as np

from ..ground.arguments import Array
from .compiling import FromLLVM, Kernel, helper, with_types
from .sharing import share

# mypy: disable-error-code="no-untyped-def"

DEPTH = 256
PANEL = DEPTH * 2 * 64  # bytes, of the longest vectors
COPY_FROM = 192  # rows of c
NOTHING, BIAS = 0, 1  # what a b is added to
ITSELF, ZERO = 2, 3  # c = c + (a b), and the same where c is known to be 0, and is not read
WAITING = 256  # rows of c whose sums wait (6)
WRITTEN = (3,)  # of the arguments of `multiply`, after part and parts
WAITED = WAITING * 2 * 64  # bytes of the sums that wait
TILE = 12 * 2 * 64  # of the largest tile
LINE = 64  # of a cache's line
SCRATCH = LINE + PANEL + WAITED + 2 * TILE  # for a thread
NEITHER, A, B = 0, 1, 2  # which of the two may be nothing but 0

# the sizes of tiles, in rows, numbers k, or vectors of VECTOR bytes, and what computes them
HEIGHT, WIDTH, BROAD, DOTS = map(FromLLVM, ("HEIGHT", "WIDTH", "BROAD", "DOTS"))
VECTOR = FromLLVM("VECTOR")
multiply_tile, multiply_row, dot_rows = map(FromLLVM, ("multiply_tile", "multiply_row", "dot_rows"))
copy_in, copy_out, transpose_panel = map(FromLLVM, ("copy_in", "copy_out", "transpose_panel"))


def multiply(part, parts, a, b, bias, c, start, zero, panels):
    """(1), one part of it."""
    item, (rows, depth), columns = c.itemsize, a.shape, b.shape[1]
    if (zero == A and is_zero(a)) or (zero == B and is_zero(b)):
        if start == ITSELF:
            return
        depth = 0
    at_a, (a_row, a_k) = a.ctypes.data, a.strides
    at_b, (b_k, b_j) = b.ctypes.data, b.strides
    at_c, c_row = c.ctypes.data, c.strides[0]
    # the stride of an axis of size 1 is never used: any value will do
    b_k = item if depth == 1 else b_k
    b_j = item if columns == 1 else b_j
    c_row = item if rows == 1 else c_row
    at_first, first_j = bias.ctypes.data, item if start == BIAS else 0
    # the address of what the sums are added to, 0 for nothing; ZERO adds 0.0, so -0.0 becomes 0.0
    rest, rest_j = (np.intp(at_c), item) if start == ITSELF else (np.intp(at_first), 0)
    rest = rest if start >= ITSELF else 0

    panel = (panels[part].ctypes.data + LINE - 1) & -LINE

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
            rest, rest_j, start, panel,
        )  # fmt: skip
    elif columns == 1 and a_row == item and c_row == item and start != BIAS:  # the same, transposed
        _row(
            c, part, parts, rows, depth, at_b, b_k, at_a, a_k, at_c, at_first, first_j,
            rest, rest_j, start, panel,
        )  # fmt: skip
    else:
        _tiles(
            c, part, parts, rows, columns, depth, at_a, a_row, a_k, at_b, b_k, b_j,
            at_c, c_row, at_first, first_j, start, panel,
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
def _tiles(
    like, part, parts, rows, columns, depth, a, a_row, a_k, b, b_k, b_j,
    c, c_row, first, first_j, start, panel,
):  # fmt: skip
    item = like.itemsize
    lanes = VECTOR // item
    top, bottom, left, right = 0, rows, 0, columns
    # a thread that takes rows reads and copies all of b; one that takes columns reads all of a, and
    # cuts the rows of c, which the next kernel reads whole. The smaller amount decides.
    cost = 2 if b_j == item else 4  # of copying a number, measured: 4 where it is transposed too
    if cost * depth * columns > rows * (depth + columns):
        vectors = -(-columns // lanes)
        left, right = share(vectors, part, parts)
        left, right = left * lanes, min(columns, right * lanes)
    else:
        top, bottom = share(rows, part, parts)
    tall, wide = max(1, bottom - top), max(1, right - left)
    waits = start == ITSELF and depth > DEPTH
    if waits:  # (6)
        blocks = -(-tall // WAITING)
        tall, wide = -(-tall // blocks), WIDTH * lanes
    for i in range(top, bottom, tall):
        for j in range(left, right, wide):
            _rounds(
                like, min(tall, bottom - i), min(wide, right - j), depth,
                a + i * a_row, a_row, a_k, b + j * b_j, b_k, b_j,
                c + i * c_row + j * item, c_row, first + j * first_j, first_j, start, waits, panel,
            )  # fmt: skip


@helper
def _rounds(
    like, rows, columns, depth, a, a_row, a_k, b, b_k, b_j,
    c, c_row, first, first_j, start, waits, panel,
):  # fmt: skip
    item = like.itemsize
    lanes = VECTOR // item
    step, step_row = WIDTH * lanes, WIDTH * VECTOR
    waiting, inside, added = panel + PANEL, panel + PANEL + WAITED, panel + PANEL + WAITED + TILE
    slices = max(1, -(-depth // DEPTH))  # one for depth = 0, to write `first`
    slice_depth = -(-depth // (slices * lanes)) * lanes
    for k in range(0, max(1, depth), max(1, slice_depth)):  # (2)
        few = min(slice_depth, depth - k)
        is_last = k + few >= depth
        for j in range(0, columns, step):  # (3)
            width = min(step, columns - j)
            vectors = 1 if width <= lanes else WIDTH
            sticks_out = width < vectors * lanes
            at_b, next_k = b + k * b_k + j * b_j, b_k
            if b_j != item:  # (4)
                transpose_panel(like, width, few, at_b, b_j, panel)
                at_b, next_k = panel, step_row
            elif rows >= COPY_FROM or sticks_out:
                copy_in(like, width, few, at_b, b_k, panel)
                at_b, next_k = panel, step_row
            i = 0
            while i < rows:  # (5)
                height = _height(rows - i)
                at_a, at_c = a + i * a_row + k * a_k, c + i * c_row + j * item
                sums, next_sums = at_c, c_row
                if waits:
                    sums, next_sums = waiting + i * step_row, step_row
                at_first, next_first = first + j * first_j, 0
                if k > 0:
                    at_first, next_first = sums, next_sums
                if is_last:
                    sums, next_sums = at_c, c_row
                rest, rest_row = at_c, c_row
                if start == ZERO:
                    rest, rest_row = first, 0
                if start < ITSELF or not is_last:
                    rest = 0
                if sticks_out:  # (7)
                    copy_in(like, width, height if next_first else 1, at_first, next_first, inside)
                    at_first, next_first = inside, step_row if next_first else 0
                    if rest:
                        copy_in(like, width, height if rest_row else 1, rest, rest_row, added)
                        rest, rest_row = added, step_row if rest_row else 0
                    multiply_tile(
                        like, height, vectors, few, at_a, a_row, a_k, at_b, next_k,
                        inside, step_row, at_first, next_first, rest, rest_row,
                    )  # fmt: skip
                    copy_out(like, width, height, inside, sums, next_sums)
                else:
                    multiply_tile(
                        like, height, vectors, few, at_a, a_row, a_k, at_b, next_k,
                        sums, next_sums, at_first, next_first, rest, rest_row,
                    )  # fmt: skip
                i += height


@helper
def _height(left):
    """Rows of the next tile, so that no tile of a few rows, which would be slow, is left over."""
    if left <= HEIGHT:
        return left
    return HEIGHT if left >= HEIGHT + 4 else (left + 1) // 2


@helper
def _row(
    like, part, parts, columns, depth, a, a_k, b, b_k, c, first, first_j, rest, rest_j, start, panel
):
    item = like.itemsize
    width = BROAD * VECTOR // item
    left, right = share(-(-columns // width), part, parts)
    for j in range(left * width, min(columns, right * width), width):
        if columns - j < width:
            _rounds(
                like, 1, columns - j, depth, a, 0, a_k, b + j * item, b_k, item,
                c + j * item, 0, first + j * first_j, first_j, start,
                start == ITSELF and depth > DEPTH, panel,
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

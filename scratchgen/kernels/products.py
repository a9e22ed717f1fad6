"""The three matrix products of a dense layer, and the sum over a batch.

    y  = x w + b                 affine, or times without the b    (1)
    dw = dw + (x^T dy)           add_outer                         (2)
    db = db + (sum_n dy_n)       add_sum                           (3)
    dx = dy w^T                  times_transpose                   (4)

N examples, I inputs, O outputs. `into` is added to, all else is returned. Where dy is nothing but
0, as the gradient by y is in the pass of a penalty, (2) and (4) multiply nothing. In (3) large
batches are first summed in blocks.

The brackets in (2) and (3) matter. Two passes can have the gradients S and -S, as those of real and
of fake examples can, and then exactly 0 must be left: Adam makes full steps of a rounding error, if
it always has the same sign. So each sum begins at 0, and is added as a whole to what is there.

These few lines are all the mathematics: `_affine`, `_add_outer`, `_add_sum` and `_times_transpose`
are what NumPy runs. All else in this file makes them fast.

The twin of (1), (2) and (4) is one function, c = first + a b or c = c + (a b). It cuts c into
tiles, whose sums stay in registers (native/tiles.py), and takes them in an order in which what a
tile reads is still in a cache:

    for each DEPTH numbers k                                                  (5)
        for each panel of b, as wide as a tile                                (6)
            copy the panel, rows side by side: it stays in the first cache    (7)
            for each tile of these columns of c, from top to bottom           (8)
                sums += a panel

Between two rounds of (5), sums wait in c. Where they are to be added to what is in c, they wait in
memory beside it, which has room for one panel's columns and WAITING rows: all rounds are done for
these before the next.                                                                        (9)

(7) is left out where the numbers of a row of b lie side by side and fewer than COPY_FROM rows of c
would read the panel. A product with a single row or column has no tile to fill, and is taken in
long rows of vectors where it has more numbers than a tile is wide. Threads share the columns of c,
or its rows; each number of c is one thread's, and one sum over k in one order, so that no result
depends on how many they are.
"""

import functools
import os
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..ground.errors import OptionError
from . import recording, workspaces
from .compiling import FromLLVM, Kernel, helper, with_types
from .formulas import call, formula, loop_of, may_run_loop_of
from .operands import Operands
from .recording import Call
from .sharing import share, share_row

# mypy: disable-error-code="no-untyped-def"

DEPTH = 256
PANEL = DEPTH * 2 * 64  # bytes, of the longest vectors
COPY_FROM = 192  # rows of c
AT_ONCE = 20  # multiply-adds in the time of a sum of two in memory
NOTHING, BIAS = 0, 1  # what a b is added to
ITSELF, ZERO = 2, 3  # c = c + (a b), and the same where c is known to be 0, and is not read
BATCH = 64  # examples in a block of (3), summed by the thread in whose cache they are
WAITING = 256  # rows of c of which sums wait (9)
WRITTEN = (3,)  # of the arguments of `multiply`, after part and parts
SCRATCH = PANEL + WAITING * 2 * 64  # bytes for a thread: a panel, and sums that wait
NEITHER, A, B = 0, 1, 2  # which of the two may be nothing but 0

# of two that do not fit, the one that stands last is blamed: see operand_errors.py
TIMES = Operands("times", "w (I, O), x (N, I) -> y (N, O)", ("x", "w"))
AFFINE = Operands("affine", "w (I, O), b (O,), x (N, I) -> y (N, O)", ("x", "w", "b"))
ADD_OUTER = Operands("add_outer", "x (N, I), dy (N, O) -> into (I, O) in place", strided=True)
ADD_SUM = Operands("add_sum", "dy (N, O) -> into (O,) in place, _sums (O,)", ("dy", "into"))
TIMES_TRANSPOSE = Operands("times_transpose", "w (I, O), dy (N, O) -> dx (N, I)", ("dy", "w"))

# the sizes of tiles, in rows, numbers k, or vectors of VECTOR bytes, and what computes them
HEIGHT, WIDTH, BROAD, DOTS = map(FromLLVM, ("HEIGHT", "WIDTH", "BROAD", "DOTS"))
VECTOR = FromLLVM("VECTOR")
multiply_tile, multiply_row, dot_rows = map(FromLLVM, ("multiply_tile", "multiply_row", "dot_rows"))
copy_panel, transpose_panel = map(FromLLVM, ("copy_panel", "transpose_panel"))


def times(x: Array, w: Array) -> Array:
    """x (N, I), w (I, O) -> (N, O)."""
    y = _room(TIMES.check(x, w), x, w)
    if y is None or not _multiplied(_times, x, w, None, y, NOTHING):
        (y,) = recording.by_numpy(_times, (x, w), TIMES, y, into=np.matmul)
    return workspaces.returned(y)


def _times(x: Array, w: Array) -> Array:
    return x @ w  # (1)


def affine(x: Array, w: Array, b: Array) -> Array:
    """x (N, I), w (I, O), b (O,) -> (N, O)."""
    y = _room(AFFINE.check(x, w, b), x, w)
    if y is None or not _multiplied(_affine, x, w, b, y, BIAS):
        (y,) = recording.by_numpy(_affine, (x, w, b), AFFINE, y, into=_affine_into)
    return workspaces.returned(y)


def _affine(x: Array, w: Array, b: Array) -> Array:
    return x @ w + b  # (N, O)   (1)


def _affine_into(x: Array, w: Array, b: Array, y: Array) -> None:
    np.matmul(x, w, out=y)
    np.add(y, b, out=y)


def add_outer(x: Array, dy: Array, into: Array) -> None:
    """x (N, I), dy (N, O), added into (I, O)."""
    ours = ADD_OUTER.check(x, dy, into)
    if not (ours and _multiplied(_add_outer, x.T, dy, None, into, ITSELF, zero=B)):
        recording.by_numpy(_add_outer, (x, dy, into), ADD_OUTER, onto_zero=_write_outer)


def _add_outer(x: Array, dy: Array, into: Array) -> None:
    into += x.T @ dy  # (I, O)   (2)


def _write_outer(x: Array, dy: Array, into: Array) -> None:
    if into.flags.c_contiguous:
        np.matmul(x.T, dy, out=into)
        into += 0  # as adding to 0 does it, -0.0 becomes 0.0
    else:  # where NumPy would multiply in another order
        np.add(x.T @ dy, 0, out=into)


def times_transpose(dy: Array, w: Array) -> Array:
    """dy (N, O), w (I, O) -> (N, I)."""
    dx = _room(TIMES_TRANSPOSE.check(dy, w), dy, w.T)
    if dx is None or not _multiplied(_times_transpose, dy, w.T, None, dx, NOTHING, zero=A):
        (dx,) = recording.by_numpy(
            _times_transpose, (dy, w), TIMES_TRANSPOSE, dx, into=_times_transpose_into
        )
    return workspaces.returned(dx)


def _times_transpose(dy: Array, w: Array) -> Array:
    return dy @ w.T  # (N, I)   (4)


def _times_transpose_into(dy: Array, w: Array, dx: Array) -> None:
    np.matmul(dy, w.T, out=dx)


def _room(ours: bool, a: Array, b: Array) -> Array | None:
    """An array for a b, if a loop can take the operands (`Operands.check` says so); else None."""
    return workspaces.empty((len(a), b.shape[1]), a.dtype) if ours else None


def add_sum(dy: Array, into: Array) -> None:
    """dy (N, O), its sum over examples added into (O,)."""
    if np.ndim(dy) and len(dy) > BATCH:
        dy = sum_blocks(dy)
    prepared = ADD_SUM.prepare(dy, into)
    if prepared is not None and may_run_loop_of(_add_sum):
        passed, _ = prepared
        # of the two that are written, `into` is named last: `onto_zero` is about the last
        call(Call(add_sum_loop, passed, dy.size, (2, 1), (1,), onto_zero=(write_sum_loop, passed)))
    else:
        recording.by_numpy(_add_sum, (dy, into), ADD_SUM, onto_zero=_write_sum)


def _add_sum(dy: Array, into: Array) -> None:
    into += dy.sum(axis=0)  # (O,)   (3)


def _write_sum(dy: Array, into: Array) -> None:
    np.add(dy.sum(axis=0), 0, out=into)


def add_sum_loop(part, parts, dy, into, sums):
    sum_rows_loop(part, parts, dy, sums)
    left, right = share_row(into.size, part, parts)
    for j in range(left, right):
        into[j] += sums[j]  # (3)


def write_sum_loop(part, parts, dy, into, _sums):
    sum_rows_loop(part, parts, dy, into)


@helper
def sum_rows_loop(part, parts, dy, sums):
    left, right = share_row(sums.size, part, parts)
    sums = sums[left:right]
    sums[:] = 0
    for n in range(len(dy)):
        row = dy[n, left:right]
        for j in range(sums.size):
            sums[j] += row[j]


@formula("dy (N, O) -> blocks (N by 64, O)")
def sum_blocks(dy: Array) -> Array:
    """dy (N, O) -> (B, O): the sums of BATCH rows each, and of what is left."""
    return np.add.reduceat(dy, np.arange(0, len(dy), BATCH), axis=0)


@loop_of(sum_blocks)
def sum_blocks_loop(part, parts, dy, blocks):
    first, last = share(len(blocks), part, parts)
    for b in range(first, last):
        into = blocks[b]
        into[:] = 0
        for n in range(b * BATCH, min((b + 1) * BATCH, len(dy))):
            row = dy[n]
            for j in range(into.size):
                into[j] += row[j]


def _multiplied(
    formula: Kernel,
    a: Array,
    b: Array,
    bias: Array | None,
    c: Array,
    start: int,
    zero: int = NEITHER,
) -> bool:
    """c = first + a b or, from ITSELF, c = c + (a b), by the loop; False leaves it to the formula.

    `zero` says which of a and b is looked at, because it may be nothing but 0.
    """
    if not may_run_loop_of(formula) or not ours_are_faster():
        return False
    char, item = c.dtype.char, c.itemsize
    if c.strides[1] != item and c.shape[1] != 1:
        return False
    if item not in b.strides and 1 not in b.shape:
        return False
    if bias is not None and bias.strides != (item,):
        return False
    loop, first, c = _loop(char), _zeros(char) if bias is None else bias, workspaces.writable(c)
    recording.keep(_zeros(char))
    work, adds = c.size * a.shape[1] / AT_ONCE, start == ITSELF
    changed = WRITTEN if adds else ()
    onto_zero = (loop, (a, b, first, c, ZERO, zero)) if adds else None
    args = (a, b, first, c, start, zero)
    call(Call(loop, args, work, WRITTEN, changed, SCRATCH, onto_zero=onto_zero))
    return True


def multiply(part, parts, a, b, bias, c, start, zero, panels):
    """c = first + a b or c = c + (a b), this part of it."""
    item, (rows, depth), columns = c.itemsize, a.shape, b.shape[1]
    if (zero == A and is_zero(a)) or (zero == B and is_zero(b)):
        if start == ITSELF:
            return
        depth = 0
    at_a, (a_row, a_k) = a.ctypes.data, a.strides
    at_b, (b_k, b_j) = b.ctypes.data, b.strides
    at_c, c_row = c.ctypes.data, c.strides[0]
    b_k = item if depth == 1 else b_k  # where there is no next one, its place is free
    b_j = item if columns == 1 else b_j
    c_row = item if rows == 1 else c_row
    at_first, first_j = bias.ctypes.data, item if start == BIAS else 0
    # what the sums are added to; 0: nothing. For ZERO that is 0.0 itself, as -0.0 becomes 0.0
    rest, rest_j = (np.intp(at_c), item) if start == ITSELF else (np.intp(at_first), 0)
    rest = rest if start >= ITSELF else 0

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
            rest, rest_j,
        )  # fmt: skip
    elif columns == 1 and a_row == item and c_row == item and start != BIAS:  # the same, transposed
        _row(
            c, part, parts, rows, depth, at_b, b_k, at_a, a_k, at_c, at_first, first_j,
            rest, rest_j,
        )  # fmt: skip
    else:
        _tiles(
            c, part, parts, rows, columns, depth, at_a, a_row, a_k, at_b, b_k, b_j,
            at_c, c_row, at_first, first_j, start, panels[part].ctypes.data,
        )  # fmt: skip


@helper
def is_zero(x):
    """Whether no number of x (N, D) is other than 0; as a rule the first one tells."""
    for n in range(len(x)):
        found = False
        for j in range(x.shape[1]):
            found |= x[n, j] != 0
        if found:
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
    # who shares rows reads and copies all of b; who shares columns reads all of a, and cuts rows
    # of c, which the next kernel reads whole. What counts is how many numbers these are.
    dearer = 2 if b_j == item else 4  # measured: a copy, and one that transposes
    if dearer * depth * columns > rows * (depth + columns):
        vectors = -(-columns // lanes)
        left, right = share(vectors, part, parts)
        left, right = left * lanes, min(columns, right * lanes)
    else:
        top, bottom = share(rows, part, parts)
    tall, wide = max(1, bottom - top), max(1, right - left)
    waits = start == ITSELF and depth > DEPTH
    if waits:  # (9)
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
    step = WIDTH * VECTOR // item
    copies = b_j != item or rows >= COPY_FROM
    at_k = 0
    while True:  # once for depth = 0, to write `first`
        few = min(DEPTH, depth - at_k)  # (5)
        is_last = at_k + few >= depth
        for j in range(0, columns, step):  # (6)
            width = min(step, columns - j)
            at_b, next_k = b + at_k * b_k + j * b_j, b_k
            if copies:  # (7)
                if b_j == item:
                    copy_panel(like, width, few, at_b, b_k, panel)
                else:
                    transpose_panel(like, width, few, at_b, b_j, panel)
                at_b, next_k = panel, WIDTH * VECTOR
            i = 0
            while i < rows:  # (8)
                height = _height(rows - i)
                at_a, at_c = a + i * a_row + at_k * a_k, c + i * c_row + j * item
                sums, next_sums = at_c, c_row
                if waits:
                    sums, next_sums = panel + PANEL + i * WIDTH * VECTOR, WIDTH * VECTOR
                at_first, next_first = first + j * first_j, 0
                if at_k > 0:
                    at_first, next_first = sums, next_sums
                if is_last:
                    sums, next_sums = at_c, c_row
                rest, rest_row = at_c, c_row
                if start == ZERO:
                    rest, rest_row = first, 0
                if start < ITSELF or not is_last:
                    rest = 0
                multiply_tile(
                    like, height, width, few, at_a, a_row, a_k, at_b, next_k,
                    sums, next_sums, at_first, next_first, rest, rest_row,
                )  # fmt: skip
                i += height
        at_k += few
        if is_last:
            break


@helper
def _height(left):
    """Rows of the next tile: no tile of a few rows is left, which would be slow."""
    if left <= HEIGHT:
        return left
    return HEIGHT if left >= HEIGHT + 4 else (left + 1) // 2


@helper
def _row(like, part, parts, columns, depth, a, a_k, b, b_k, c, first, first_j, rest, rest_j):
    item = like.itemsize
    width = BROAD * VECTOR // item
    left, right = share(-(-columns // width), part, parts)
    for j in range(left * width, min(columns, right * width), width):
        count = min(width, columns - j)
        multiply_row(
            like, count, depth, a, a_k, b + j * item, b_k, c + j * item, first + j * first_j,
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
def ours_are_faster() -> bool:
    """Whether the loops beat NumPy's products on this machine; SCRATCHGEN_PRODUCTS can say it too.

    Measured (docs/performance.md): with AVX-512 or AVX2 they do, beside OpenBLAS. Intel's and
    Apple's libraries know their CPUs, and a CPU without those vectors has no tiles.
    """
    asked = os.environ.get("SCRATCHGEN_PRODUCTS")
    if asked not in (None, "ours", "numpy"):
        raise OptionError(f"SCRATCHGEN_PRODUCTS={asked}: wants ours or numpy")
    from .native.vectors import BITS

    if asked == "numpy" or not BITS:
        return False
    return asked == "ours" or "openblas" in _blas()


def _blas() -> str:
    """The library that NumPy multiplies with, as its build says."""
    config = np.show_config(mode="dicts")
    return str(config.get("Build Dependencies", {}).get("blas", {}).get("name", "")).lower()


@functools.cache
def _loop(char: str) -> Kernel:
    """`multiply` for that dtype and matrices of any strides."""

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
def _zeros(char: str) -> Array:
    """What a sum starts from where there is no bias: as many zeros as any tile reads."""
    return np.zeros(512, char)

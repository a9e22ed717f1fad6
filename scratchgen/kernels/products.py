"""The three matrix products of a dense layer, and the sum over a batch.

    y  = x w + b                 affine, or times without the b    (1)
    dw = dw + (x^T dy)           add_outer                         (2)
    db = db + (sum_n dy_n)       add_sum                           (3)
    dx = dy w^T                  times_transpose                   (4)

N examples, I inputs, O outputs. `into` is added to; all else is returned. `_affine`, `_add_outer`,
`_add_sum` and `_times_transpose` are all the mathematics, and are what NumPy runs. The loop of (1),
(2) and (4) is `multiply` of multiplying.py, where that is faster than NumPy (choice.py).

The brackets in (2) and (3) matter. Two passes can have the gradients S and -S, as those of real and
of fake examples can. Then exactly 0 must be left: Adam makes a full step of a rounding error that
always has the same sign. So each sum begins at 0, and is added as a whole to what is there.

In the pass of a penalty the gradient by y is 0 everywhere; then (2) and (4) multiply nothing. In
(3) a large batch is first summed in blocks.
"""

import numpy as np

from ..ground.arguments import Array
from . import blocking, choice, multiplying, recording, workspaces
from .blocking import ITSELF
from .compiling import Kernel, helper
from .formulas import call, formula, loop_of, may_run_loop_of
from .multiplying import NEITHER, A, B
from .operands import Operands
from .product_trials import DY_WT, X_W, XT_DY
from .recording import Call
from .sharing import share, share_row

# mypy: disable-error-code="no-untyped-def"

BATCH = 64  # examples in a block of (3), summed by the thread in whose cache they are

# the names in brackets are in the order in which operands are checked: if two do not fit each
# other, an error names the later one (operand_errors.py)
TIMES = Operands("times", "w (I, O), x (N, I) -> y (N, O)", ("x", "w"))
AFFINE = Operands("affine", "w (I, O), b (O,), x (N, I) -> y (N, O)", ("x", "w", "b"))
ADD_OUTER = Operands("add_outer", "x (N, I), dy (N, O) -> into (I, O) in place", strided=True)
ADD_SUM = Operands("add_sum", "dy (N, O) -> into (O,) in place, _sums (O,)", ("dy", "into"))
TIMES_TRANSPOSE = Operands("times_transpose", "w (I, O), dy (N, O) -> dx (N, I)", ("dy", "w"))


def times(x: Array, w: Array) -> Array:
    """x (N, I), w (I, O) -> (N, O)."""
    y = _room(TIMES.check(x, w), x, w)
    if y is None or not _multiplied(_times, X_W, x, w, None, y, blocking.NOTHING):
        (y,) = recording.by_numpy(_times, (x, w), TIMES, y, into=np.matmul)
    return workspaces.returned(y)


def _times(x: Array, w: Array) -> Array:
    return x @ w  # (1)


def affine(x: Array, w: Array, b: Array) -> Array:
    """x (N, I), w (I, O), b (O,) -> (N, O)."""
    y = _room(AFFINE.check(x, w, b), x, w)
    if y is None or not _multiplied(_affine, X_W, x, w, b, y, blocking.BIAS):
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
    if not (ours and _multiplied(_add_outer, XT_DY, x.T, dy, None, into, ITSELF, zero=B)):
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
    if dx is None or not _multiplied(
        _times_transpose, DY_WT, dy, w.T, None, dx, blocking.NOTHING, zero=A
    ):
        (dx,) = recording.by_numpy(
            _times_transpose, (dy, w), TIMES_TRANSPOSE, dx, into=_times_transpose_into
        )
    return workspaces.returned(dx)


def _times_transpose(dy: Array, w: Array) -> Array:
    return dy @ w.T  # (N, I)   (4)


def _times_transpose_into(dy: Array, w: Array, dx: Array) -> None:
    np.matmul(dy, w.T, out=dx)


def _room(ours: bool, a: Array, b: Array) -> Array | None:
    """Memory for a b if a loop can take the operands, as `Operands.check` says; else None."""
    return workspaces.empty((len(a), b.shape[1]), a.dtype) if ours else None


def add_sum(dy: Array, into: Array) -> None:
    """dy (N, O), its sum over examples added into (O,)."""
    if np.ndim(dy) and len(dy) > BATCH:
        dy = sum_blocks(dy)
    prepared = ADD_SUM.prepare(dy, into)
    if prepared is not None and may_run_loop_of(_add_sum):
        passed, _ = prepared
        # `into` is the last of the two that are written: `onto_zero` is about the last
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
    form: str,
    a: Array,
    b: Array,
    bias: Array | None,
    c: Array,
    start: int,
    zero: int = NEITHER,
) -> bool:
    """c = a b, with the bias if there is one, or c = c + (a b) if `start` is ITSELF, by the loop.

    False leaves it to `formula`. `zero` says which of a and b may be 0 everywhere.
    """
    if not may_run_loop_of(formula):
        return False
    char, item = c.dtype.char, c.itemsize
    if c.strides[1] != item and c.shape[1] != 1:
        return False
    if item not in b.strides and 1 not in b.shape:
        return False
    if bias is not None and bias.strides != (item,):
        return False
    (rows, depth), columns = a.shape, c.shape[1]
    if choice.numpy_multiplies(form, char, rows, depth, columns):
        return False
    zeros = multiplying.no_bias(char)
    recording.note_constant(zeros)
    first = zeros if bias is None else bias
    call(multiplying.product_call(a, b, first, workspaces.writable(c), start, zero))
    return True

"""Sums, means and rows of arrays.

    add             x + other                                                      (1)
    add_scaled      x + scale y                                                    (2)
    approach        x = x + weight (y - x)                                         (3)
    mean            sum_n values_n / N, in float64                                 (4)
    take_rows       out_n = x_{rows_n}, and so look_up, for any dtype              (5)
    join            y_n = (x_n, rows_n)                                            (6)
    add_by_label    into_m = into_m + (sum of d_n over the n with labels_n = m)    (7)
    add_in_place    into = into + x                                                (8)
    scale           factor x                                                       (9)
    scale_rows      factor_n x_n                                                   (10)
    repeat          out_{n K + k} = x_n, for k = 0 ... K - 1: rows by (5)          (11)

All return new arrays, except approach, clip, add_by_label and add_in_place, which change an array.
"""

import math
from typing import Any

import numpy as np

from ..ground.arguments import Array, whole
from . import recording, workspaces
from .formulas import call, formula, loop_of, may_run_loop_of, want_loops
from .operands import Operands
from .recording import Call
from .sharing import share, share_row

# mypy: disable-error-code="no-untyped-def"

ADD = Operands("add_in_place", "x (...) -> into (...) in place", ("x", "into"))  # of (8)


@formula("x, other (...) -> y (...)")
def add(x: Array, other: Array) -> Array:
    """x, other, any shape -> the same shape."""
    return x + other  # (1)


@loop_of(add)
def add_loop(part, parts, x, other, y):
    start, stop = share_row(y.size, part, parts)
    x, other, y = x[start:stop], other[start:stop], y[start:stop]
    for i in range(y.size):
        y[i] = x[i] + other[i]  # (1)


@formula("x, y (...), scale () -> out (...)")
def add_scaled(x: Array, y: Array, scale: float) -> Array:
    """x, y, any shape -> x + scale y."""
    return x + scale * y  # (2)


@loop_of(add_scaled)
def add_scaled_loop(part, parts, x, y, scale, out):
    start, stop = share_row(out.size, part, parts)
    x, y, out = x[start:stop], y[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = x[i] + scale * y[i]  # (2)


@formula("x (...), factor () -> out (...)")
def scale(x: Array, factor: float) -> Array:
    """x, any shape -> factor x."""
    return factor * x  # (9)


@loop_of(scale)
def scale_loop(part, parts, x, factor, out):
    start, stop = share_row(out.size, part, parts)
    x, out = x[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = factor * x[i]  # (9)


def scale_rows(x: Array, factor: Array) -> Array:
    """x (N, ...), factor (N,) -> factor_n x_n (N, ...)."""
    return scale_flat_rows(_flat_rows(x), factor).reshape(x.shape)  # (N, ...)   (10)


@formula("x (N, D), factor (N,) -> out (N, D)")
def scale_flat_rows(x: Array, factor: Array) -> Array:
    """x (N, D), factor (N,) -> factor_n x_n (N, D)."""
    return factor[:, None] * x  # (N, D)   (10)


@loop_of(scale_flat_rows)
def scale_flat_rows_loop(part, parts, x, factor, out):
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, out_n, by = x[n], out[n], factor[n]
        for j in range(out_n.size):
            out_n[j] = by * x_n[j]  # (10)


@formula("y (P,), weight (1,) float64 -> x (P,) in place")
def approach(x: Array, y: Array, weight: Array) -> None:
    """x, y (P,), weight (1,): x moves towards y by that fraction of the distance."""
    x += x.dtype.type(weight[0]) * (y - x)  # (3)


@loop_of(approach)
def approach_loop(part, parts, x, y, weight):
    by = x.dtype.type(weight[0])
    start, stop = share_row(x.size, part, parts)
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        x[i] += by * (y[i] - x[i])  # (3)


@formula("low, high () -> x (P,) in place")
def clip(x: Array, low: float, high: float) -> None:
    """x (P,): a number outside [low, high] becomes the nearer of the two."""
    np.clip(x, low, high, out=x)


@formula("values (N,) -> out (1,) float64")
def mean(values: Array) -> Array:
    """values (N,) -> (1,), in float64."""
    return np.add.reduce(values, dtype=np.float64, keepdims=True) / len(values)  # (4)


@loop_of(mean)
def mean_loop(part, parts, values, out):
    if part == parts - 1:  # the sum has one order, whatever `parts` is
        total = 0.0
        for n in range(len(values)):
            total += values[n]
        out[0] = total / len(values)  # (4)


@formula("x (M, D), rows (N,) int64 below M -> out (N, D)")
def take_rows(x: Array, rows: Array) -> Array:
    """x (M, D), rows (N,) in 0 ... M - 1 -> (N, D)."""
    return x[rows]  # (5)


@loop_of(take_rows, of=2)
def take_rows_loop(part, parts, x, rows, out):
    top, bottom = share(len(rows), part, parts)
    for i in range(top, bottom):
        from_row, to_row = x[rows[i]], out[i]
        for j in range(to_row.size):
            to_row[j] = from_row[j]  # (5)


def repeat(x: Array, times: int) -> Array:
    """x (N, ...) of any dtype -> (N K, ...): each example K = `times` times in succession.

    Raises OptionError if `times` is below 1.

    >>> repeat(np.array([[1.0], [2.0]]), 3).ravel().tolist()
    [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    """
    count = len(x) * whole(times, "repeat: times", least=1)
    rows = full((count,), np.arange(count) // times, np.int64)  # (N K,)
    if x.dtype.kind != "f":
        return look_up(x, rows, x.dtype)  # (N K, ...)   (11)
    return take_rows(_flat_rows(x), rows).reshape(count, *x.shape[1:])  # (N K, ...)   (11)


def look_up(x: Array, rows: Array, dtype: Any) -> Array:
    """x (M, ...) of any dtype, rows (N,) in 0 ... M - 1 -> (N, ...), of the given dtype."""
    out = workspaces.empty((len(rows), *x.shape[1:]), dtype)
    recording.run_action(_look_up, (x, rows, out), (x, rows), (out,))
    return workspaces.returned(out)


def _look_up(x: Array, rows: Array, out: Array) -> None:
    out[...] = x[rows]  # (5)


@formula("x (N, D), rows (N, W) -> y (N, D + W)")
def join(x: Array, rows: Array) -> Array:
    """x (N, D), rows (N, W) -> (N, D + W): each example followed by its row."""
    return np.concatenate([x, rows], axis=1)  # (6)


def split(y: Array, at: int) -> tuple[Array, Array]:
    """y (N, W) -> the first `at` numbers of each example (N, at), and the others (N, W - at)."""
    return split_like(y, full((len(y), at), 0, y.dtype))  # (N, at), (N, W - at)


@formula("y (N, W), x (N, D) -> left (N, D), right (N, W - D)")
def split_like(y: Array, x: Array) -> tuple[Array, Array]:
    """y (N, W) -> the first D numbers of each example, D that of x (N, D), and the others."""
    d = x.shape[1]
    return y[:, :d].copy(), y[:, d:].copy()  # (N, D), (N, W - D)


@loop_of(split_like)
def split_like_loop(part, parts, y, x, left, right):
    d = x.shape[1]
    top, bottom = share(len(y), part, parts)
    for n in range(top, bottom):
        y_n, left_n, right_n = y[n], left[n], right[n]
        rest = y_n[d:]
        for j in range(left_n.size):
            left_n[j] = y_n[j]
        for j in range(right_n.size):
            right_n[j] = rest[j]


@formula("d (N, W), labels (N,) int64 below M -> into (M, W) in place")
def add_by_label(d: Array, labels: Array, into: Array) -> None:
    """d (N, W), labels (N,): the sum of the rows of each label, added as a whole into (M, W)."""
    sums = np.zeros_like(into)  # (M, W)
    np.add.at(sums, labels, d)  # a repeated label adds each time
    into += sums  # (7)


def full(shape: tuple[int, ...], value: Any, dtype: Any) -> Array:
    """A read-only array of that shape, filled with the value: a number, or an array.

    It must be the same in every step.
    """
    array = workspaces.constant(shape, value, dtype)
    recording.note_constant(array)
    return array


def zeros(size: int, dtype: Any) -> Array:
    """A vector of zeros to add gradients to; it outlasts steps.

    Gradients are for training, so from now on loops are worth compiling.
    """
    want_loops()
    return aligned_zeros(size, dtype)


def aligned_zeros(size: int, dtype: Any) -> Array:
    """A vector of zeros that begins at a cache line; it outlasts steps."""
    dtype = np.dtype(dtype)
    room = np.zeros(size * dtype.itemsize + workspaces.LINE, np.uint8)
    first = -room.__array_interface__["data"][0] % workspaces.LINE
    return room[first : first + size * dtype.itemsize].view(dtype)


def as_rows(x: Array) -> Array:
    """x (N, ..., F) -> (N ..., F): a row for each place, with its F features."""
    return recording.contiguous(x).reshape(-1, x.shape[-1])


def _flat_rows(x: Array) -> Array:
    """x (N, ...) -> (N, D): a row for each example."""
    return recording.contiguous(x).reshape(len(x), math.prod(x.shape[1:]))


def add_in_place(x: Array, into: Array) -> None:
    """x, any shape, added into an array of that shape.

    If the array was just cleared, a replay writes x instead, and reads no zeros: `onto_zero`.
    """
    prepared = ADD.prepare(x, into)
    if prepared is not None and may_run_loop_of(_add):
        passed, _ = prepared
        call(Call(add_in_place_loop, passed, x.size, (1,), (1,), onto_zero=(write_loop, passed)))
    else:
        recording.by_numpy(_add, (x, into), ADD, onto_zero=_write)


def _add(x: Array, into: Array) -> None:
    into += x  # (8)


def _write(x: Array, into: Array) -> None:
    np.add(x, 0, out=into)  # (8) onto 0, where -0.0 becomes 0.0


def add_in_place_loop(part, parts, x, into):
    start, stop = share_row(into.size, part, parts)
    x, into = x[start:stop], into[start:stop]
    for i in range(into.size):
        into[i] += x[i]  # (8)


def write_loop(part, parts, x, into):
    start, stop = share_row(into.size, part, parts)
    x, into = x[start:stop], into[start:stop]
    zero = x.dtype.type(0)
    for i in range(into.size):
        into[i] = zero + x[i]  # (8) onto 0

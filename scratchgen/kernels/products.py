"""The three matrix products of a dense layer, and the sum over a batch.

    y  = x w + b                 affine, or times without the b    (1)
    dw = dw + x^T dy             add_outer                         (2)
    db = db + sum_n dy_n         add_rows                          (3)
    dx = dy w^T                  times_transpose                   (4)

N examples, I inputs, O outputs. `out` is overwritten and returned,
`into` is added to.
"""

import numpy as np

from ..checks import Array


def times(x: Array, w: Array, out: Array) -> Array:
    """x (N, I), w (I, O) -> out (N, O)."""
    return np.matmul(x, w, out=out)  # (1)


def affine(x: Array, w: Array, b: Array, out: Array) -> Array:
    """x (N, I), w (I, O), b (O,) -> out (N, O)."""
    times(x, w, out)
    out += b  # (1)
    return out


def add_outer(x: Array, dy: Array, into: Array) -> None:
    """x (N, I), dy (N, O), added into (I, O)."""
    into += x.T @ dy  # (2)


def add_rows(dy: Array, into: Array) -> None:
    """dy (N, O), added into (O,)."""
    into += dy.sum(axis=0)  # (3)


def times_transpose(dy: Array, w: Array, out: Array) -> Array:
    """dy (N, O), w (I, O) -> out (N, I)."""
    return np.matmul(dy, w.T, out=out)  # (4)


def as_column(values: Array, like: Array) -> Array:
    """values (N,) with axes of length 1 behind, to multiply `like` (N, ...) example by example."""
    return values.reshape(-1, *[1] * (like.ndim - 1))

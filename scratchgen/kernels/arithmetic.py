"""Sums and masks of arrays, where nothing else is to be computed.

add_scaled    out = x + scale y                                              (1)
drop_out      out = x / (1 - drop) where uniform >= drop, else 0             (2)
approach      x = x + weight (y - x)                                         (3)
"""

import numpy as np

from ..checks import Array
from .sharing import share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def add_scaled_reference(x: Array, y: Array, scale: np.floating, out: Array) -> None:
    """x, y, any shape: writes out, which may be one of them."""
    np.add(x, scale * y, out=out)  # (1)


@twin_of(add_scaled_reference, takes="x, y (...), scale () -> out (...)")
def add_scaled(part, parts, x, y, scale, out):
    start, stop = share_row(out.size, part, parts)
    x, y, out = x[start:stop], y[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = x[i] + scale * y[i]  # (1)


def drop_out_reference(x: Array, uniform: Array, drop: np.floating, out: Array) -> None:
    """x, uniform, any shape, the latter in [0, 1): writes out."""
    np.multiply(x, (uniform >= drop) / (1 - drop), out=out)  # (2)


@twin_of(drop_out_reference, takes="x, uniform (...), drop () -> out (...)")
def drop_out(part, parts, x, uniform, drop, out):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    scale = one / (one - drop)
    start, stop = share_row(out.size, part, parts)
    x, uniform, out = x[start:stop], uniform[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = x[i] * (scale if uniform[i] >= drop else zero)  # (2)


def approach_reference(x: Array, y: Array, weight: Array) -> None:
    """x, y (P,), weight (1,): writes x in place."""
    x += weight * (y - x)  # (3)


@twin_of(approach_reference, takes="y (P,), weight (1,) -> x (P,)")
def approach(part, parts, x, y, weight):
    by = weight[0]
    start, stop = share_row(x.size, part, parts)
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        x[i] += by * (y[i] - x[i])  # (3)

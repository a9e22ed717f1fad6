"""Activations bend each number on its own.

    ReLU        y = max(x, 0)                  dx = dy [x > 0]                     (1)
    LeakyReLU   y = x if x > 0 else slope x    dx = dy if x > 0 else slope dy      (2)
    Tanh        y = tanh(x)                    dx = dy (1 - y^2)                   (3)
    Sigmoid     y = 1 / (1 + exp(-x))          dx = dy y (1 - y)                   (4)

ReLU's backward reads y > 0, which holds just where x > 0. At the kink of (1) and (2) the slope is
the one to the left of it: relu'(0) = 0, as everywhere in the field.
"""

from dataclasses import dataclass

import numpy as np

from .. import kernels
from ..checks import Array, real
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class ReLU(Layer):
    """Any shape -> the same shape.

    >>> ReLU().out_shape((128,))
    (128,)
    """

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.y = np.maximum(x, 0, out=tape.array("y", x.shape, x.dtype))  # (1)
        return tape.y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if not need_dx:
            return None
        return np.multiply(dy, tape.y > 0, out=tape.array("dx", dy.shape, dy.dtype))  # (1)


@dataclass(frozen=True, eq=False)
class LeakyReLU(Layer):
    """Any shape -> the same shape; `slope` is what is left of the negative side.

    >>> LeakyReLU(0.2).out_shape((128,))
    (128,)
    """

    slope: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope", real(self.slope, "LeakyReLU: slope"))

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.slopes = np.where(x > 0, x.dtype.type(1), x.dtype.type(self.slope))  # as x
        return np.multiply(x, tape.slopes, out=tape.array("y", x.shape, x.dtype))  # (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if not need_dx:
            return None
        return np.multiply(dy, tape.slopes, out=tape.array("dx", dy.shape, dy.dtype))  # (2)


@dataclass(frozen=True, eq=False)
class Tanh(Layer):
    """Any shape -> the same shape, in [-1, 1].

    >>> Tanh().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.y = np.tanh(x, out=tape.array("y", x.shape, x.dtype))  # (3)
        return tape.y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if not need_dx:
            return None
        return np.multiply(dy, 1 - tape.y**2, out=tape.array("dx", dy.shape, dy.dtype))  # (3)


@dataclass(frozen=True, eq=False)
class Sigmoid(Layer):
    """Any shape -> the same shape, in [0, 1].

    >>> Sigmoid().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.y = kernels.sigmoid(x, out=tape.array("y", x.shape, x.dtype))  # (4)
        return tape.y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if not need_dx:
            return None
        y = tape.y
        return np.multiply(dy, y * (1 - y), out=tape.array("dx", dy.shape, dy.dtype))  # (4)

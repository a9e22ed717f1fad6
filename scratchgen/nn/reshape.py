"""Reshape and Flatten change how numbers are laid out, and no number.

    y_n = x_n read in C order into another shape,    dx = dy read back into the first     (1)

Both give views: what is borrowed is borrowed on.
"""

import math
from dataclasses import dataclass

from ..checks import Array, Shape, sizes
from ..errors import ShapeError
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """(N, ...) -> (N, *shape), a view.

    >>> Reshape((28, 28, 1)).out_shape((784,))
    (28, 28, 1)
    """

    shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", sizes(self.shape, "Reshape: shape"))

    def out_shape(self, shape: Shape) -> Shape:
        if math.prod(shape) != math.prod(self.shape):
            raise ShapeError(
                f"{self} got examples of shape {shape}, {math.prod(shape)} numbers, wants "
                f"{math.prod(self.shape)}: make the layer before it give that many."
            )
        return self.shape

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.x_shape = x.shape
        return x.reshape(len(x), *self.shape)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return dy.reshape(tape.x_shape) if need_dx else None  # (1)


@dataclass(frozen=True, eq=False)
class Flatten(Layer):
    """(N, ...) -> (N, product of the rest), a view.

    >>> Flatten().out_shape((28, 28, 1))
    (784,)
    """

    def out_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.x_shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return dy.reshape(tape.x_shape) if need_dx else None  # (1)

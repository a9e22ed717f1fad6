"""Reshape and Flatten change the shape of an example, and none of its numbers.

    y_n = x_n, read in C order into another shape,    dx = dy, read back into the first shape   (1)

A tangent has the shape of y, a cotangent that of x. All results are views of their arguments.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from ..ground.arguments import Array, Shape, expect_floats, sizes
from ..ground.errors import ShapeError
from .draw import Draw
from .layer import Layer, Views, expect_shape
from .tape import Tape


class Relayout(Layer):
    """(N, ...) -> (N, *out_shape), a view: what Reshape and Flatten share."""

    example_wise: ClassVar[bool] = True

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.x_shape, tape.y_shape = x.shape, (len(x), *self.out_shape(x.shape[1:]))
        return x.reshape(tape.y_shape)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        expect_shape(self, "backward", "dy", dy, tape.y_shape)
        return dy.reshape(tape.x_shape) if need_dx else None  # (1)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        expect_shape(self, "tangent", "u", u, tape.x_shape)
        return u.reshape(tape.y_shape)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        expect_shape(self, "tangent_backward", "dy", dy, tape.y_shape)
        expect_shape(self, "tangent_backward", "dv", dv, tape.y_shape)
        if not need_dx:
            return None
        return SimpleNamespace(x=dy.reshape(tape.x_shape), u=dv.reshape(tape.x_shape))


@dataclass(frozen=True, eq=False)
class Reshape(Relayout):
    """(N, ...) -> (N, *shape), a view.

    >>> Reshape((28, 28, 1)).out_shape((784,))
    (28, 28, 1)
    """

    shape: Shape
    formula: ClassVar[str] = "y = x in another shape"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", sizes(self.shape, "Reshape: shape"))

    def out_shape(self, shape: Shape) -> Shape:
        if math.prod(shape) != math.prod(self.shape):
            raise ShapeError(
                f"{self} got examples of shape {shape}, {math.prod(shape)} numbers, wants "
                f"{math.prod(self.shape)}: make the layer before it give that many."
            )
        return self.shape

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        a, b, c = draw.size(), draw.size(), draw.size()
        before, after = draw.choice(
            (((a * b,), (a, b)), ((a, b), (a * b,)), ((a, b, c), (c, a, b)))
        )
        return cls(after), before


@dataclass(frozen=True, eq=False)
class Flatten(Relayout):
    """(N, ...) -> (N, product of the rest), a view.

    >>> Flatten().out_shape((28, 28, 1))
    (784,)
    """

    formula: ClassVar[str] = "y = x in one row"

    def out_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

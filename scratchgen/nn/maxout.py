"""Maxout keeps the largest of each group of numbers (Goodfellow et al. 2013).

    y_j = max_k x_{j,k} = x_{j, best(j)},   k = 1 ... pieces                      (1)
    dx_{j,k} = dy_j where k = best(j), else 0                                     (2)
    v_j = u_{j, best(j)},   du as (2) from dv: straight pieces have no curvature  (3)

After Dense(I, O pieces) it is the published unit: the largest of `pieces` affine functions, an
activation that learns its own shape.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from ..checks import Array, Shape, expect_floats, whole
from ..errors import ShapeError
from .layer import Layer, Views, expect_given
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Maxout(Layer):
    """(N, ..., O pieces) -> (N, ..., O), the largest of each `pieces` neighbours.

    >>> Maxout(5).out_shape((1000,))
    (200,)
    """

    pieces: int = 2
    formula: ClassVar[str] = "y_j = max_k x_jk"
    example_wise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces", whole(self.pieces, "Maxout: pieces", least=1))

    def out_shape(self, shape: Shape) -> Shape:
        if not shape or shape[-1] % self.pieces:
            raise ShapeError(
                f"{self} got examples of shape {shape}, wants a multiple of {self.pieces} at the "
                f"end: Dense(I, O * {self.pieces}) before it gives O numbers after it."
            )
        return (*shape[:-1], shape[-1] // self.pieces)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        groups = x.reshape(len(x), *self.out_shape(x.shape[1:]), self.pieces)  # (N, ..., O, pieces)
        tape.best = groups.argmax(axis=-1)[..., None]  # (N, ..., O, 1)
        tape.x_shape, tape.y_shape = x.shape, groups.shape[:-1]
        return np.take_along_axis(groups, tape.best, axis=-1)[..., 0]  # (N, ..., O)   (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        expect_given(self, "backward", "dy", dy, tape.y_shape)
        return self._spread(dy, tape, "dx") if need_dx else None  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        expect_given(self, "tangent", "u", u, tape.x_shape)
        groups = u.reshape(*tape.best.shape[:-1], self.pieces)  # (N, ..., O, pieces)
        return np.take_along_axis(groups, tape.best, axis=-1)[..., 0]  # (N, ..., O)   (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        expect_given(self, "tangent_backward", "dy", dy, tape.y_shape)
        expect_given(self, "tangent_backward", "dv", dv, tape.y_shape)
        if not need_dx:
            return None
        return SimpleNamespace(x=self._spread(dy, tape, "dx"), u=self._spread(dv, tape, "du"))

    def _spread(self, dy: Array, tape: Tape, name: str) -> Array:
        """dy (N, ..., O) in the places of the largest, 0 in the others: (N, ..., O pieces)."""
        dx = tape.array(name, tape.x_shape, dy.dtype)
        dx[...] = 0
        groups = dx.reshape(*tape.best.shape[:-1], self.pieces)
        np.put_along_axis(groups, tape.best, dy[..., None], axis=-1)  # (2)
        return dx

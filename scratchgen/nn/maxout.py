"""Maxout keeps the largest of each group of numbers (Goodfellow et al. 2013).

    y_j = max_k x_{j,k} = x_{j, best(j)},   k = 1 ... pieces                      (1)
    dx_{j,k} = dy_j where k = best(j), else 0                                     (2)
    v_j = u_{j, best(j)},   du as (2) from dv: straight pieces have no curvature  (3)

best(j) is a mask of the group: True at its largest number, the first if several are equal.

After Dense(I, O pieces) it is the published unit: the largest of `pieces` affine functions, an
activation that learns its shape.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from ..ground.arguments import Array, Shape, expect_floats, whole
from ..ground.errors import ShapeError
from ..ground.parts import setting
from ..kernels import formula
from .draw import Draw
from .layer import Layer, Views, expect_shape
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Maxout(Layer):
    """(N, ..., O pieces) -> (N, ..., O): the largest of every `pieces` neighbours.

    >>> Maxout(5).out_shape((1000,))
    (200,)
    """

    pieces: int = setting(2, whole, "how many numbers compete", least=1)
    formula: ClassVar[str] = "y_j = max_k x_jk"
    example_wise: ClassVar[bool] = True

    def out_shape(self, shape: Shape) -> Shape:
        if not shape or shape[-1] % self.pieces:
            raise ShapeError(
                f"{self} got examples of shape {shape}, wants a multiple of {self.pieces} at the "
                f"end: Dense(I, O * {self.pieces}) before it gives O numbers after it."
            )
        return (*shape[:-1], shape[-1] // self.pieces)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.x_shape, tape.y_shape = x.shape, (len(x), *self.out_shape(x.shape[1:]))
        tape.best = best_of(self._groups(x))  # (G, pieces)
        return self._taken(x, tape)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        expect_shape(self, "backward", "dy", dy, tape.y_shape)
        return self._spread(dy, tape) if need_dx else None  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        expect_shape(self, "tangent", "u", u, tape.x_shape)
        return self._taken(u, tape)  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        expect_shape(self, "tangent_backward", "dy", dy, tape.y_shape)
        expect_shape(self, "tangent_backward", "dv", dv, tape.y_shape)
        if not need_dx:
            return None
        return SimpleNamespace(x=self._spread(dy, tape), u=self._spread(dv, tape))  # (3)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        pieces, (*before, features) = draw.choice((2, 3, 4, 1)), draw.shape()
        return cls(pieces), (*before, pieces * features)

    def _groups(self, x: Array) -> Array:
        """x (N, ..., O pieces) -> (G, pieces), a group in each row, G = N ... O."""
        return x.reshape(-1, self.pieces)

    def _taken(self, x: Array, tape: Tape) -> Array:
        """The number at the best place of each group: x (N, ..., O pieces) -> (N, ..., O)."""
        return take_best(self._groups(x), tape.best).reshape(tape.y_shape)

    def _spread(self, dy: Array, tape: Tape) -> Array:
        """dy at the best places, 0 elsewhere: (N, ..., O) -> (N, ..., O pieces)."""
        return spread_to_best(dy.reshape(-1), tape.best).reshape(tape.x_shape)


@formula("groups (G, K) -> best (G, K) bool")
def best_of(groups: Array) -> Array:
    """groups (G, K) -> (G, K): True at the largest number of each row, the first if equal."""
    return groups.argmax(axis=1)[:, None] == np.arange(groups.shape[1])


@formula("groups (G, K), best (G, K) bool -> taken (G,)")
def take_best(groups: Array, best: Array) -> Array:
    """groups (G, K), best (G, K) -> (G,): the number of each row where best is True."""
    return groups[best]  # (1), (3)


@formula("dy (G,), best (G, K) bool -> dx (G, K)")
def spread_to_best(dy: Array, best: Array) -> Array:
    """dy (G,), best (G, K) -> (G, K): dy where best is True, 0 elsewhere."""
    return np.where(best, dy[:, None], dy.dtype.type(0))  # (2)

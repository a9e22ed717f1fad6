"""Dropout drops numbers at random in training, and nothing in evaluation (Srivastava et al. 2014).

    kept = [uniform >= drop] / (1 - drop),   drawn for each number in each pass     (1)
    y = kept x,   dx = kept dy                                                      (2)
    v = kept u,   du = kept dv: the mask of the pass, drawn once                    (3)

Dividing by 1 - drop keeps the mean, so that evaluation needs no change: y = x.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from ..checks import Array, fraction
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """Any shape -> the same shape; `drop` is the share of numbers dropped, in [0, 1).

    In training it needs `rng` on its tape: TapeError without.

    >>> Dropout(0.2).out_shape((128,))
    (128,)
    """

    drop: float = 0.5
    formula: ClassVar[str] = "y = kept x, kept = 0 or 1 / (1 - drop)"
    example_wise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", fraction(self.drop, "Dropout: drop"))

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.kept = None  # all of them
        if not tape.training:
            return x
        rng = tape.given("rng", f"{self} draws its mask from it in training")
        uniform = rng.random(x.shape, dtype=x.dtype)  # as x, in [0, 1)
        tape.kept = (uniform >= self.drop) / x.dtype.type(1 - self.drop)  # as x   (1)
        return self._mask(x, tape)  # (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self._mask(dy, tape) if need_dx else None  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return self._mask(u, tape)  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        if not need_dx:
            return None
        return SimpleNamespace(x=self._mask(dy, tape), u=self._mask(dv, tape))  # (3)

    def _mask(self, x: Array, tape: Tape) -> Array:
        return x if tape.kept is None else x * tape.kept

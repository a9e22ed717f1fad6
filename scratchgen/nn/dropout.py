"""Dropout drops numbers at random in training, and nothing in evaluation (Srivastava et al. 2014).

    kept = [uniform >= drop] / (1 - drop),   drawn for each number in each pass     (1)
    y = kept x,   dx = kept dy                                                      (2)
    v = kept u,   du = kept dv: the mask of the pass, drawn once                    (3)

Dividing by 1 - drop keeps the mean, so that evaluation needs no change: y = x.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from .. import kernels
from ..checks import Array, expect_floats, fraction
from ..rng import fill_uniform
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
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", fraction(self.drop, "Dropout: drop"))

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.uniform = None  # nothing is dropped
        if not tape.training:
            return x
        rng = tape.given("rng", f"{self} draws its mask from it in training")
        tape.uniform = tape.array("uniform", x.shape, x.dtype)  # as x, in [0, 1)
        kernels.before(fill_uniform, rng, tape.uniform)
        return self._mask(x, tape, "y")  # (1), (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self._mask(dy, tape, "dx") if need_dx else None  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return self._mask(u, tape, "v")  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        if not need_dx:
            return None
        return SimpleNamespace(x=self._mask(dy, tape, "dx"), u=self._mask(dv, tape, "du"))  # (3)

    def _mask(self, x: Array, tape: Tape, name: str) -> Array:
        """kept x, in the tape's memory of that name."""
        if tape.uniform is None:
            return x
        out, drop = tape.array(name, x.shape, x.dtype), x.dtype.type(self.drop)
        kernels.drop_out(x, tape.uniform, drop, out)
        return out

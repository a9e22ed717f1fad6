"""Dropout drops numbers at random in training, and nothing in evaluation (Srivastava et al. 2014).

    mask = [uniform >= drop] / (1 - drop),   drawn for each number in each pass     (1)
    y = mask x,   dx = mask dy                                                      (2)
    v = mask u,   du = mask dv,   with the mask of the same pass                    (3)

The division by 1 - drop keeps the mean, so evaluation needs no scale: y = x.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, fraction
from ..ground.parts import setting
from ..kernels import formula, loop_of, share_row
from .draw import Draw
from .layer import Layer, Views
from .tape import Tape

# mypy: disable-error-code="no-untyped-def"


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """Any shape -> the same shape; `drop`, in [0, 1), is the probability of dropping a number.

    In training it needs `rng` on its tape, and raises TapeError without it.

    >>> Dropout(0.2).out_shape((128,))
    (128,)
    """

    drop: float = setting(0.5, fraction, "fraction of numbers that are dropped")
    formula: ClassVar[str] = "y = mask x, mask = 0 or 1 / (1 - drop)"
    example_wise: ClassVar[bool] = True

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.uniform = None  # nothing is dropped
        if tape.training:
            rng = tape.given("rng", f"{self} draws its mask from it in training")
            tape.uniform = kernels.uniform(rng, x.shape, x.dtype)  # shaped like x, in [0, 1)
        return self._masked(x, tape)  # (1), (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self._masked(dy, tape) if need_dx else None  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return self._masked(u, tape)  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        if not need_dx:
            return None
        return SimpleNamespace(x=self._masked(dy, tape), u=self._masked(dv, tape))  # (3)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        return cls(draw.number(0, 0.9)), draw.shape()

    def _masked(self, x: Array, tape: Tape) -> Array:
        """x with the mask of the pass."""
        return x if tape.uniform is None else drop_out(x, tape.uniform, self.drop)


@formula("x, uniform (...), drop () -> y (...)")
def drop_out(x: Array, uniform: Array, drop: float) -> Array:
    """x, and uniform of its shape in [0, 1) -> mask x."""
    mask = (uniform >= drop) / (1 - uniform.dtype.type(drop))  # (1)
    return x * mask  # (2)


@loop_of(drop_out)
def drop_out_loop(part, parts, x, uniform, drop, y):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    scale = one / (one - drop)
    start, stop = share_row(y.size, part, parts)
    x, uniform, y = x[start:stop], uniform[start:stop], y[start:stop]
    for i in range(y.size):
        y[i] = x[i] * (scale if uniform[i] >= drop else zero)  # (1), (2)

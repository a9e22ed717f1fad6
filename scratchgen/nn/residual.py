"""A residual block adds what it computes to what it was given (He et al. 2016).

    y = x + f(x)                        f(x) of x's shape       (1)
    dx = dy + J^T dy                    J the Jacobian of f     (2)
    v = u + J u                                                 (3)
    dx = dy + f's .x for (dy, dv),   du = dv + f's .u           (4)

Gradients reach what lies before it undiminished, by the first term of (2).
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from .. import kernels
from ..checks import Array, Shape, expect_floats
from ..errors import ShapeError
from ..kernels import flat
from .layer import Layer, Views, as_layer
from .stand_in import noted
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Residual(Layer):
    """Any shape -> the same shape; `inner` is a layer or a network that keeps the shape.

    >>> from scratchgen.nn import Dense, Network, ReLU
    >>> Residual(Network((8,), Dense(8, 32), ReLU(), Dense(32, 8))).out_shape((8,))
    (8,)
    """

    inner: Layer
    formula: ClassVar[str] = "y = x + inner(x)"
    passes_all: ClassVar[bool] = True
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", as_layer(self.inner, "Residual"))

    def out_shape(self, shape: Shape) -> Shape:
        out = self.inner.out_shape(shape)
        if out != shape:
            raise ShapeError(
                f"Residual got examples of shape {shape} and its inner layer gives {out}: the two "
                f"are added, so end it in {shape}."
            )
        return shape

    @property
    def example_wise(self) -> bool:  # type: ignore[override]
        return all(layer.example_wise for layer in self.children())

    def children(self) -> tuple[Layer, ...]:
        return (self.inner,)

    def with_children(self, *children: Layer) -> "Residual":
        return Residual(*children)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        return _sum(x, noted(self.inner).forward(p[0], x, tape.inner(0)), tape, "y")  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        g_inner = None if g is None else g[0]
        dx = noted(self.inner).backward(p[0], dy, tape.inner(0), g_inner, need_dx)
        return None if dx is None else _sum(dy, dx, tape, "dx")  # (2)

    def why_no_tangent(self) -> str:
        return self.inner.why_no_tangent()

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return _sum(u, noted(self.inner).tangent(p[0], u, tape.inner(0)), tape, "v")  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        g_inner = None if g is None else g[0]
        d = noted(self.inner).tangent_backward(p[0], dy, dv, tape.inner(0), g_inner, need_dx)
        if d is None:
            return None
        return SimpleNamespace(x=_sum(dy, d.x, tape, "dx"), u=_sum(dv, d.u, tape, "du"))  # (4)

    def settle(self, p: Views, tape: Tape) -> None:
        noted(self.inner).settle(p[0], tape.inner(0))

    def __str__(self) -> str:
        return f"Residual({self.inner})"


def _sum(x: Array, y: Array, tape: Tape, name: str) -> Array:
    """x + y, in the tape's memory of that name."""
    out = tape.array(name, x.shape, x.dtype)
    kernels.add_scaled(flat(x), flat(y), x.dtype.type(1), flat(out))
    return out

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
from .layer import Layer, Views, as_layer
from .stand_in import expect, noted
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
        y = noted(self.inner).forward(p[0], x, tape.inner(0))
        return self._sum("forward", x, y, tape, "y")  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        g_inner = None if g is None else g[0]
        dx = noted(self.inner).backward(p[0], dy, tape.inner(0), g_inner, need_dx)
        return self._sum("backward", dy, dx, tape, "dx") if need_dx else None  # (2)

    def why_no_tangent(self) -> str:
        return self.inner.why_no_tangent()

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        v = noted(self.inner).tangent(p[0], u, tape.inner(0))
        return self._sum("tangent", u, v, tape, "v")  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        g_inner = None if g is None else g[0]
        d = noted(self.inner).tangent_backward(p[0], dy, dv, tape.inner(0), g_inner, need_dx)
        if not need_dx:
            return None
        x = self._sum("tangent_backward", dy, getattr(d, "x", None), tape, "x")  # (4)
        u = self._sum("tangent_backward", dv, getattr(d, "u", None), tape, "u")  # (4)
        return SimpleNamespace(x=x, u=u)

    def settle(self, p: Views, tape: Tape) -> None:
        noted(self.inner).settle(p[0], tape.inner(0))

    def _sum(self, verb: str, x: Array, y: Array | None, tape: Tape, name: str) -> Array:
        """x + y, for the y that the inner layer's verb gave, in the tape's memory of that name."""
        expect(self.inner, verb, name, y, x.shape)
        out = tape.array(name, x.shape, x.dtype)
        kernels.add_scaled(x, y, x.dtype.type(1), out)
        return out

    def __str__(self) -> str:
        return f"Residual({self.inner})"

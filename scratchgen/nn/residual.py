"""A residual block adds its output to its input (He et al. 2016).

    y = x + f(x)                        f(x) of x's shape       (1)
    dx = dy + J^T dy                    J the Jacobian of f     (2)
    v = u + J u                                                 (3)
    dx = dy + f's .x for (dy, dv),   du = dv + f's .u           (4)

By the first term of (2), gradients reach the layers before it undiminished.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats
from ..ground.errors import ShapeError
from .draw import Draw
from .layer import Layer, Views, accept, accept_x_and_u, as_layer
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
    def example_wise(self) -> bool:  # type: ignore[override] # by its layer
        return all(layer.example_wise for layer in self.children())

    def children(self) -> tuple[Layer, ...]:
        return (self.inner,)

    def with_children(self, *children: Layer) -> "Residual":
        return Residual(*children)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        y = self.inner.forward(p[0], x, tape.inner(0))
        return kernels.add(x, accept(self.inner, "forward", "y", y, x.shape, x.dtype))  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        g_inner = None if g is None else g[0]
        dx = self.inner.backward(p[0], dy, tape.inner(0), g_inner, need_dx)
        if not need_dx:
            return None
        return kernels.add(dy, accept(self.inner, "backward", "dx", dx, dy.shape, dy.dtype))  # (2)

    def why_no_tangent(self) -> str:
        return self.inner.why_no_tangent()

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        v = self.inner.tangent(p[0], u, tape.inner(0))
        return kernels.add(u, accept(self.inner, "tangent", "v", v, u.shape, u.dtype))  # (3)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        g_inner = None if g is None else g[0]
        d = self.inner.tangent_backward(p[0], dy, dv, tape.inner(0), g_inner, need_dx)
        if not need_dx:
            return None
        d = accept_x_and_u(self.inner, d, dy.shape, dy.dtype)
        return SimpleNamespace(x=kernels.add(dy, d.x), u=kernels.add(dv, d.u))  # (4)

    def settle(self, p: Views, tape: Tape) -> None:
        self.inner.settle(p[0], tape.inner(0))

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        from .dense import Dense
        from .dropout import Dropout
        from .layernorm import LayerNorm
        from .network import Network
        from .sigmoids import Tanh

        a, b = draw.size(), draw.size()
        inner, shape = draw.choice(
            (
                (Dense(a, a), (a,)),
                (Network((a,), Dense(a, b), Tanh(), Dense(b, a)), (a,)),
                (cls(LayerNorm(a + 2)), (2, a + 2)),
                (Network((a,), Dense(a, b), Dropout(0.3), Dense(b, a)), (a,)),
                (Tanh(), (a, b)),
            )
        )
        return cls(inner), shape

    def __str__(self) -> str:
        return f"Residual({self.inner})"

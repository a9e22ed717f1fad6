"""A dense layer mixes every input into every output.

    y = x w + b                                      (1)
    dL/dx = dL/dy w^T                                (2)
    dL/dw = x^T dL/dy,   dL/db = sum_n dL/dy_n       (3)

    v = u w                                          (4)
    dL'/du = dL'/dv w^T,   dL'/dw = x^T dL'/dy + u^T dL'/dv    (5)

(4) and (5) are second order. When x moves by u, y moves by v; L' is a number computed from y and v,
as in (4) of nn/layer.py. b is not in (4), so dL'/dx and dL'/db are (2) and (3) with L' for L.
`add_outer(x, dy, into)` adds x^T dy, and `times_transpose(dy, w)` is dy w^T.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, whole
from ..ground.errors import ShapeError
from .draw import Draw
from .initialisers import INITIALISERS, Initial, Initialiser, bound, initialiser_for
from .layer import Layer, Views, expect_shape
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """x (N, n_in) -> y (N, n_out), with w (n_in, n_out) and b (n_out,).

    `weights` and `bias` are initialisers, by name or as objects; bias=None or False leaves out b.

    >>> Dense(784, 256).out_shape((784,))
    (256,)
    >>> {name: shape for name, (shape, _) in Dense(784, 256).parameters().items()}
    {'w': (784, 256), 'b': (256,)}
    """

    n_in: int
    n_out: int
    weights: str | Initialiser = "glorot_uniform"
    bias: str | Initialiser | None = "zeros"
    formula: ClassVar[str] = "y = x w + b"
    example_wise: ClassVar[bool] = True

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        if x.shape[1:] != (self.n_in,):
            raise ShapeError(self._misfit(x.shape))
        tape.x = x  # (N, I)
        if self.bias is None:
            return kernels.times(x, p.w)  # (N, O)   (1) without b
        return kernels.affine(x, p.w, p.b)  # (N, O)   (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        x = tape.x
        expect_shape(self, "backward", "dy", dy, (len(x), self.n_out))
        if g is not None:
            kernels.add_outer(x, dy, into=g.w)  # (I, O)   (3)
            if self.bias is not None:
                kernels.add_sum(dy, into=g.b)  # (O,)   (3)
        return kernels.times_transpose(dy, p.w) if need_dx else None  # (N, I)   (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u  # (N, I)
        return kernels.times(u, p.w)  # (N, O)   (4)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        x, u = tape.x, tape.u
        expect_shape(self, "tangent_backward", "dy", dy, (len(x), self.n_out))
        expect_shape(self, "tangent_backward", "dv", dv, (len(x), self.n_out))
        if g is not None:
            kernels.add_outer(x, dy, into=g.w)  # (I, O)   (5)
            kernels.add_outer(u, dv, into=g.w)  # (I, O)   (5)
            if self.bias is not None:
                kernels.add_sum(dy, into=g.b)  # (O,)   (3)
        if not need_dx:
            return None
        dx = kernels.times_transpose(dy, p.w)  # (N, I)   (2)
        du = kernels.times_transpose(dv, p.w)  # (N, I)   (5)
        return SimpleNamespace(x=dx, u=du)

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        fans = (self.n_in, self.n_out)  # by which initialisers scale the first weights
        named: dict[str, tuple[Shape, Initial]] = {"w": (fans, bound(self.weights, fans))}
        if self.bias is not None:
            named["b"] = ((self.n_out,), bound(self.bias, fans))
        return named

    def out_shape(self, shape: Shape) -> Shape:
        if shape != (self.n_in,):
            raise ShapeError(self._misfit(("N", *shape)))
        return (self.n_out,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_in", whole(self.n_in, "Dense: n_in", least=1))
        object.__setattr__(self, "n_out", whole(self.n_out, "Dense: n_out", least=1))
        object.__setattr__(self, "weights", initialiser_for(self.weights, "Dense: weights"))
        bias: Any = self.bias
        if isinstance(bias, bool):
            bias = "zeros" if bias else None
        if bias is not None:
            bias = initialiser_for(bias, "Dense: bias")
        object.__setattr__(self, "bias", bias)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        n_in, n_out, bias = draw.size(), draw.size(), draw.choice(("zeros", None))
        return cls(n_in, n_out, draw.choice(tuple(INITIALISERS)), bias), (n_in,)

    def _misfit(self, shape: tuple[int | str, ...]) -> str:
        if len(shape) > 2:
            advice = "put Flatten() before it"
        elif len(shape) == 2:
            advice = f"Dense({shape[1]}, {self.n_out}) would take it"
        else:
            advice = "put the batch in front, x[None]"
        text = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        return f"{self} got x of shape {text}, wants (N, {self.n_in}): {advice}."

    def __str__(self) -> str:
        return f"Dense({self.n_in} -> {self.n_out})"

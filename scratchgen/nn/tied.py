"""A tied layer goes back through a dense layer: it uses the same weights, transposed.

    y = x w^T + b,   w of the other layer                          (1)
    dL/dw += (dL/dy)^T x, in addition to the other layer's dL/dw   (2)

The block's p.w and g.w are transposed views of the other layer's arrays. All else is a dense
layer: (2) is its dL/dw, transposed. A decoder tied to its encoder needs half the weights.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import ClassVar

from ..ground.arguments import Array, Shape
from ..ground.errors import KindError
from .dense import Dense
from .draw import Draw
from .initialisers import Initial, Initialiser
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Tied(Layer):
    """x (N, of.n_out) -> y (N, of.n_in), with the weights of `of` and a bias of its own.

    Both layers must be trained by the same player.

    >>> tied = Tied(Dense(784, 256))
    >>> tied.out_shape((256,)), list(tied.parameters())
    ((784,), ['b'])
    """

    of: Dense
    bias: str | Initialiser | None = "zeros"
    _back: Dense = field(init=False, repr=False)
    formula: ClassVar[str] = "y = x w^T + b, w of another layer"
    example_wise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.of, Dense):
            raise KindError(f"Tied got {self.of!r}, wants the Dense layer whose weights it shares")
        back = Dense(self.of.n_out, self.of.n_in, bias=self.bias)
        object.__setattr__(self, "_back", back)
        object.__setattr__(self, "bias", back.bias)

    def out_shape(self, shape: Shape) -> Shape:
        return self._back.out_shape(shape)

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return {name: entry for name, entry in self._back.parameters().items() if name != "w"}

    def borrows(self) -> dict[str, tuple[Layer, str]]:
        return {"w": (self.of, "w")}

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        return self._back.forward(p, x, tape)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self._back.backward(p, dy, tape, g, need_dx)  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return self._back.tangent(p, u, tape)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        return self._back.tangent_backward(p, dy, dv, tape, g, need_dx)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        from .network import Network
        from .sigmoids import Tanh

        bias = draw.choice(("zeros", None))
        dense = Dense(draw.size(), draw.size(), bias=bias)
        tied = cls(dense, bias)
        beside = Network((dense.n_in,), dense, Tanh(), tied, dense)
        return draw.choice(((tied, (dense.n_out,)), (beside, beside.in_shape)))

    def __str__(self) -> str:
        return f"Tied({self._back.n_in} -> {self._back.n_out})"

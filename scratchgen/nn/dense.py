"""A dense layer mixes every input into every output.

    y = x w + b                                      (1)
    dL/dx = dL/dy w^T                                (2)
    dL/dw = x^T dL/dy,   dL/db = sum_n dL/dy_n       (3)

The products themselves are in kernels/products.py.
"""

from dataclasses import dataclass

from .. import kernels
from ..checks import Array, Shape, one_of, whole
from ..errors import ShapeError
from .initialisers import INITIALISERS, Initialiser, zeros
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """x (N, n_in) -> y (N, n_out). `weights` names the initialiser of w; b starts at zero.

    >>> Dense(784, 256).out_shape((784,))
    (256,)
    >>> {name: shape for name, (shape, _) in Dense(784, 256).parameters().items()}
    {'w': (784, 256), 'b': (256,)}
    """

    n_in: int
    n_out: int
    weights: str = "glorot"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_in", whole(self.n_in, "Dense: n_in", least=1))
        object.__setattr__(self, "n_out", whole(self.n_out, "Dense: n_out", least=1))
        one_of(self.weights, INITIALISERS, "initialiser")

    def out_shape(self, shape: Shape) -> Shape:
        if shape != (self.n_in,):
            raise ShapeError(self._misfit(("N", *shape)))
        return (self.n_out,)

    def parameters(self) -> dict[str, tuple[Shape, Initialiser]]:
        return {
            "w": ((self.n_in, self.n_out), INITIALISERS[self.weights]),
            "b": ((self.n_out,), zeros),
        }

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        if x.shape[1:] != (self.n_in,):
            raise ShapeError(self._misfit(x.shape))
        tape.x = x  # (N, I)
        y = tape.array("y", (len(x), self.n_out), x.dtype)  # (N, O)
        return kernels.affine(x, p.w, p.b, out=y)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        x = tape.x
        if g is not None:
            kernels.add_outer(x, dy, into=g.w)  # (3)
            kernels.add_rows(dy, into=g.b)  # (3)
        if not need_dx:
            return None
        dx = tape.array("dx", x.shape, x.dtype)  # (N, I)
        return kernels.times_transpose(dy, p.w, out=dx)  # (2)

    def _misfit(self, shape: tuple[int | str, ...]) -> str:
        if len(shape) > 2:
            advice = "put Flatten() before it"
        elif len(shape) == 2:
            advice = f"Dense({shape[1]}, {self.n_out}) would take it"
        else:
            advice = "put the batch in front, x[None]"
        came = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        return f"{self} got x of shape {came}, wants (N, {self.n_in}): {advice}."

    def __str__(self) -> str:
        return f"Dense({self.n_in} -> {self.n_out})"

"""A dense layer mixes every input into every output.

    y = x w + b                                      (1)
    dL/dx = dL/dy w^T                                (2)
    dL/dw = x^T dL/dy,   dL/db = sum_n dL/dy_n       (3)

    v = u w                                          (4)
    dL'/du = dL'/dv w^T,   dL'/dw = x^T dL'/dy + u^T dL'/dv    (5)

u is a direction of x, v how y moves along it, and L' as in layer.py (4); db is as in (3).

The products themselves are in kernels/products.py.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, Shape, expect_floats, whole
from ..errors import ShapeError
from .initialisers import Initial, Initialiser, bound, initialiser_for
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """x (N, n_in) -> y (N, n_out), with w (n_in, n_out) and b (n_out,).

    `weights` and `bias` are initialisers, by name or as objects; bias=None, or False, leaves b out.

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
    overwrites: ClassVar[bool] = True
    replays: ClassVar[bool | None] = True

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

    def out_shape(self, shape: Shape) -> Shape:
        if shape != (self.n_in,):
            raise ShapeError(self._misfit(("N", *shape)))
        return (self.n_out,)

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        fans = (self.n_in, self.n_out)
        wanted: dict[str, tuple[Shape, Initial]] = {"w": (fans, bound(self.weights, fans))}
        if self.bias is not None:
            wanted["b"] = ((self.n_out,), bound(self.bias, fans))
        return wanted

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        if x.shape[1:] != (self.n_in,):
            raise ShapeError(self._misfit(x.shape))
        tape.x = x  # (N, I)
        y = tape.array("y", (len(x), self.n_out), x.dtype)  # (N, O)
        if self.bias is None:
            return kernels.times(x, p.w, out=y)
        return kernels.affine(x, p.w, p.b, out=y)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        x = tape.x
        if g is not None:
            new = getattr(g, "new", False)  # nothing there to add to: see Gradient in block.py
            kernels.add_outer(x, dy, g.w, new)  # (3)
            if self.bias is not None:
                self._add_sum(dy, g.b, new, tape)  # (3)
        if not need_dx:
            return None
        dx = tape.array("dx", x.shape, x.dtype)  # (N, I)
        return kernels.times_transpose(dy, p.w, out=dx)  # (2)

    def _add_sum(self, dy: Array, into: Array, new: bool, tape: Tape) -> None:
        """sum_n dy_n, added into the bias's gradient as a whole; see kernels/products.py.

        Of large batches blocks of rows are summed first.
        """
        rows = kernels.plain(dy)
        if len(rows) > kernels.BATCH:
            shape = (-(-len(rows) // kernels.BATCH), self.n_out)
            blocks = tape.array("blocks", shape, rows.dtype)
            kernels.sum_blocks(rows, blocks)
            rows = blocks
        sums = into if new else tape.array("db", into.shape, into.dtype)
        kernels.sum_rows(rows, sums)
        if not new:
            kernels.add_scaled(into, sums, into.dtype.type(1), into)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u  # (N, I)
        return kernels.times(u, p.w, out=tape.array("v", (len(u), self.n_out), u.dtype))  # (4)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        x, u = tape.x, tape.u
        some = tape.array("some", (1,), np.int64)
        # at the end of a penalty's network dy is 0, and often below it: two products to leave out
        kernels.any_of(kernels.plain(dy), some)
        if g is not None:
            kernels.add_outer(x, dy, into=g.w, some=some)
            kernels.add_outer(u, dv, into=g.w)  # (5)
            if self.bias is not None:
                self._add_sum(dy, g.b, False, tape)
        if not need_dx:
            return None
        dx, du = (tape.array(name, x.shape, x.dtype) for name in ("dx", "du"))  # (N, I)
        kernels.times_transpose(dy, p.w, out=dx, some=some)
        kernels.times_transpose(dv, p.w, out=du)  # (5)
        return SimpleNamespace(x=dx, u=du)

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

"""These layers append numbers to every example: the vector of its label, or learned numbers.

    JoinLabels        y_n = (x_n, table[label_n])                                       (1)
                      dx_n = the first part of dy_n,   dtable[label_n] += the rest      (2)
    JoinParameters    y_n = (x_n, b)                                                    (3)
                      dx_n = the first part of dy_n,   db += the rest                   (4)

The joined numbers do not depend on x: the tangent of (1) and (3) is v = (u, 0), and
tangent_backward is two backward passes, of which the one for dv adds nothing to the table or b.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, labels, whole
from ..ground.errors import ShapeError
from ..kernels import formula
from .draw import Draw
from .initialisers import Initial, Initialiser, bound, initialiser_for
from .layer import Layer, Views, expect_shape
from .tape import Tape


class Join(Layer):
    """(N, D) -> (N, D + size): what JoinLabels and JoinParameters share."""

    example_wise: ClassVar[bool] = True

    def size(self) -> int:
        """The number of numbers joined to an example."""
        raise NotImplementedError

    def join(self, p: Views, x: Array, tape: Tape) -> Array:
        """x (N, D) -> (N, D + size), with the numbers joined to each example."""
        raise NotImplementedError

    def add_gradient(self, djoined: Array, tape: Tape, g: Views) -> None:
        """Add the gradients of the parameters, for djoined (N, size)."""
        raise NotImplementedError

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError(
                f"{self} got examples of shape {shape}, wants (D,): put Flatten() before it."
            )
        return (shape[0] + self.size(),)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        self.out_shape(x.shape[1:])  # raises if examples are not (D,)
        tape.x = x  # (N, D)
        return self.join(p, x, tape)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        n, d = tape.x.shape
        expect_shape(self, "backward", "dy", dy, (n, d + self.size()))
        if g is not None:
            self.add_gradient(dy[:, d:], tape, g)
        return first_part(dy, tape.x) if need_dx else None

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        expect_shape(self, "tangent", "u", u, tape.x.shape)
        return kernels.join(u, kernels.full((len(u), self.size()), 0, u.dtype))  # (N, D + size)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        n, d = tape.x.shape
        expect_shape(self, "tangent_backward", "dv", dv, (n, d + self.size()))
        dx = self.backward(p, dy, tape, g, need_dx)
        return SimpleNamespace(x=dx, u=first_part(dv, tape.x)) if need_dx else None


@dataclass(frozen=True, eq=False)
class JoinLabels(Join):
    """(N, D) -> (N, D + width): joins the vector of its label, from a learned table.

    It needs `labels` on its tape, whole numbers (N,) from 0 to n_labels - 1. Raises TapeError
    without labels, and KindError, ShapeError or DataError for labels that do not fit.

    >>> JoinLabels(n_labels=10, width=4).out_shape((128,))
    (132,)
    """

    n_labels: int
    width: int
    table: str | Initialiser = "glorot_normal"
    formula: ClassVar[str] = "y = (x, table[label])"

    def __post_init__(self) -> None:
        n_labels = whole(self.n_labels, "JoinLabels: n_labels", least=1)
        object.__setattr__(self, "n_labels", n_labels)
        object.__setattr__(self, "width", whole(self.width, "JoinLabels: width", least=1))
        object.__setattr__(self, "table", initialiser_for(self.table, "JoinLabels: table"))

    def size(self) -> int:
        return self.width

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        shape = (self.n_labels, self.width)
        return {"table": (shape, bound(self.table, shape))}

    def label_classes(self) -> int:
        return self.n_labels

    def join(self, p: Views, x: Array, tape: Tape) -> Array:
        given, n = tape.given("labels", f"{self} joins one to each example"), len(x)
        tape.rows = labels(given, n, self.n_labels)  # (N,)
        return kernels.join(x, kernels.take_rows(p.table, tape.rows))  # (1)

    def add_gradient(self, djoined: Array, tape: Tape, g: Views) -> None:
        kernels.add_by_label(djoined, tape.rows, g.table)  # (2)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        return cls(n_labels=draw.size(), width=draw.size()), (draw.size(),)

    def __str__(self) -> str:
        return f"JoinLabels({self.n_labels} labels, width {self.width})"


@dataclass(frozen=True, eq=False)
class JoinParameters(Join):
    """(N, D) -> (N, D + n): joins the same n learned numbers to every example.

    Examples are the log-variance of an encoder whose posterior has the same spread for all x, and
    the variance of a SharedGaussian.

    >>> JoinParameters(1).out_shape((784,))
    (785,)
    """

    n: int
    values: str | Initialiser = "zeros"
    formula: ClassVar[str] = "y = (x, b)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole(self.n, "JoinParameters: n", least=1))
        object.__setattr__(self, "values", initialiser_for(self.values, "JoinParameters: values"))

    def size(self) -> int:
        return self.n

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return {"b": ((self.n,), bound(self.values, (1, self.n)))}

    def join(self, p: Views, x: Array, tape: Tape) -> Array:
        return join_to_each(x, p.b)  # (3)

    def add_gradient(self, djoined: Array, tape: Tape, g: Views) -> None:
        add_to_b(djoined, g.b)  # (4)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        return cls(draw.size()), (draw.size(),)

    def __str__(self) -> str:
        return f"JoinParameters({self.n})"


@formula("x (N, D), b (W,) -> y (N, D + W)")
def join_to_each(x: Array, b: Array) -> Array:
    """x (N, D), b (W,) -> (N, D + W): b joined to each example."""
    return np.concatenate([x, np.broadcast_to(b, (len(x), len(b)))], axis=1)  # (3)


@formula("djoined (N, W) -> db (W,) in place")
def add_to_b(djoined: Array, db: Array) -> None:
    """Add the sum of djoined (N, W) over the examples to db (W,)."""
    db += djoined.sum(axis=0)  # (4)


@formula("dy (N, W), x (N, D) -> dx (N, D)")
def first_part(dy: Array, x: Array) -> Array:
    """dy (N, W), x (N, D) -> (N, D): the part of dy that belongs to x."""
    return np.ascontiguousarray(dy[:, : x.shape[1]])  # (2), (4)

"""Layers that join something to every example: a label's vector, or learned numbers.

    JoinLabels        y_n = (x_n, table[label_n])                                       (1)
                      dx_n = the first part of dy_n,   dtable[label_n] += the rest      (2)
    JoinParameters    y_n = (x_n, b)                                                    (3)
                      dx_n = the first part of dy_n,   db += the rest                   (4)

What is joined does not depend on x: (1) and (3) have the tangent v = (u, 0), and tangent_backward
is backward twice, without a gradient of dv for the table or b.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, Shape, expect_floats, labels, whole
from ..errors import ShapeError
from .initialisers import Initial, Initialiser, bound, initialiser_for
from .layer import Layer, Views, expect_given
from .tape import Tape


class Join(Layer):
    """(N, D) -> (N, D + size): what both have in common."""

    example_wise: ClassVar[bool] = True

    def size(self) -> int:
        """How many numbers are joined to an example."""
        raise NotImplementedError

    def join(self, p: Views, tape: Tape, out: Array) -> None:
        """Write what is joined to the examples: out (N, size)."""
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
        self.out_shape(x.shape[1:])  # refuses examples that are not (D,)
        n, d = x.shape
        tape.d, tape.n = d, n
        y = tape.array("y", (n, d + self.size()), x.dtype)  # (N, D + size)
        kernels.here(np.copyto, y[:, :d], x)
        self.join(p, tape, y[:, d:])
        return y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        expect_given(self, "backward", "dy", dy, (tape.n, tape.d + self.size()))
        if g is not None:
            self.add_gradient(dy[:, tape.d :], tape, g)
        return self._of_x(dy, tape, "dx") if need_dx else None

    def _of_x(self, d: Array, tape: Tape, name: str) -> Array:
        """What d (N, D + size) holds of x (N, D), side by side in the tape's memory."""
        out = tape.array(name, (len(d), tape.d), d.dtype)
        kernels.here(np.copyto, out, d[:, : tape.d])
        return out

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        expect_given(self, "tangent", "u", u, (tape.n, tape.d))
        v = tape.array("v", (len(u), tape.d + self.size()), u.dtype)  # (N, D + size)
        kernels.here(np.copyto, v[:, : tape.d], u)
        kernels.here(np.copyto, v[:, tape.d :], 0)
        return v

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        expect_given(self, "tangent_backward", "dv", dv, (tape.n, tape.d + self.size()))
        dx = self.backward(p, dy, tape, g, need_dx)
        return SimpleNamespace(x=dx, u=self._of_x(dv, tape, "du")) if need_dx else None


@dataclass(frozen=True, eq=False)
class JoinLabels(Join):
    """(N, D) -> (N, D + width): to each example the vector of its label, from a learned table.

    It needs `labels` on its tape, whole numbers (N,) from 0 to n_labels - 1: TapeError without
    them, KindError, ShapeError or DataError where they do not fit.

    >>> JoinLabels(n_labels=10, width=4).out_shape((128,))
    (132,)
    """

    n_labels: int
    width: int
    table: str | Initialiser = "glorot_normal"
    formula: ClassVar[str] = "y = (x, table[label])"
    replays: ClassVar[bool | None] = True

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

    def join(self, p: Views, tape: Tape, out: Array) -> None:
        given = tape.given("labels", f"{self} joins one to each example")
        checked = labels(given, len(out), self.n_labels)  # (N,)
        tape.checked = tape.array("checked", checked.shape, checked.dtype)
        # what is given anew to a replay was checked when training began
        kernels.before(fill, tape.checked, given if isinstance(given, np.ndarray) else checked)
        kernels.here(look_up, p.table, tape.checked, out)  # (1)

    def add_gradient(self, djoined: Array, tape: Tape, g: Views) -> None:
        sums = tape.array("sums", g.table.shape, g.table.dtype)
        kernels.here(add_by_label, djoined, tape.checked, sums, g.table)  # (2)

    def __str__(self) -> str:
        return f"JoinLabels({self.n_labels} labels, width {self.width})"


@dataclass(frozen=True, eq=False)
class JoinParameters(Join):
    """(N, D) -> (N, D + n): to every example the same n numbers, which are learned.

    They can be, for instance, the log-variance of an encoder whose posterior has one spread for all
    x, or the one variance of a SharedGaussian.

    >>> JoinParameters(1).out_shape((784,))
    (785,)
    """

    n: int
    values: str | Initialiser = "zeros"
    formula: ClassVar[str] = "y = (x, b)"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole(self.n, "JoinParameters: n", least=1))
        object.__setattr__(self, "values", initialiser_for(self.values, "JoinParameters: values"))

    def size(self) -> int:
        return self.n

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return {"b": ((self.n,), bound(self.values, (1, self.n)))}

    def join(self, p: Views, tape: Tape, out: Array) -> None:
        kernels.here(np.copyto, out, p.b)  # (n,)   (3)

    def add_gradient(self, djoined: Array, tape: Tape, g: Views) -> None:
        kernels.here(add_sum, djoined, g.b)  # (4)

    def __str__(self) -> str:
        return f"JoinParameters({self.n})"


def look_up(table: Array, rows: Array, out: Array) -> None:
    """table (n_labels, width), rows (N,): writes out (N, width)."""
    out[:] = table[rows]


def fill(out: Array, labels: Array) -> None:
    """Labels (N,) of any dtype: writes out (N,)."""
    np.copyto(out, labels, casting="unsafe")


def add_by_label(d: Array, labels: Array, sums: Array, into: Array) -> None:
    """d (N, width), labels (N,): writes sums (n_labels, width), of equal labels, and adds them."""
    sums.fill(0)
    np.add.at(sums, labels, d)  # a label that comes twice adds twice
    into += sums


def add_sum(d: Array, into: Array) -> None:
    """d (N, n), its sum over examples added into (n,)."""
    into += d.sum(axis=0)

"""LayerNorm and BatchNorm give numbers mean 0 and spread 1, and then a spread and a mean to learn.

    r = 1 / sqrt(mean(c^2) + eps),   c = x - mean(x)                                  (1)
    h = r c,   y = gamma h + beta                                                     (2)

LayerNorm (Ba et al. 2016) takes the means over the features of one example, BatchNorm (Ioffe and
Szegedy 2015) over the examples of one feature; all else is alike. Every x moves r and mean(x), so
that the Jacobian of h is not diagonal, but it is symmetric, and its product with any q is

    J q = r (q - mean(q) - h mean(q h))                                               (3)
    dx = J (gamma dy),   dgamma = sum_n dy h,   dbeta = sum_n dy                      (4)

Second order, for LayerNorm. The tangent is v = gamma k with k = J u. With dk = gamma dv, and <.>
for the mean over the features of an example, the derivatives of <dk, J u> are

    du = J dk                                                                         (5)
    dx = J (gamma dy) - r (<u h> du + <dk h> k + <dk k> h)                            (6)
    dgamma = sum_n dy h + dv k,   dbeta = sum_n dy                                    (7)

<dk, J u> moves with x through h, which moves by J (the first two terms in the brackets), and
through r, whose derivative is dr/dx = -r^2 h / F (the third).

The arithmetic is in kernels/norms.py, on arrays of rows: (N, ..., F) as (N ..., F).
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, Shape, expect_floats, finite, fraction, whole
from ..errors import ShapeError
from ..kernels import plain
from .initialisers import Constant, Initial, bound
from .layer import Layer, Views
from .tape import Tape

TINY = 1e-5  # eps in (1), as in PyTorch
FLATTEN = "put Flatten() before it"


class Normalisation(Layer):
    """What both share: gamma and beta of the features, which stand on the last axis."""

    features: int
    eps: float

    def _check(self, least: int) -> None:
        name = type(self).__name__
        features = whole(self.features, f"{name}: features", least=least)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "eps", finite(self.eps, f"{name}: eps", above=True))

    def out_shape(self, shape: Shape) -> Shape:
        if shape[-1:] != (self.features,):
            fits = shape and shape[-1] > 1
            advice = f"{type(self).__name__}({shape[-1]}) would take it" if fits else FLATTEN
            raise ShapeError(
                f"{self} got examples of shape {shape}, wants {self.features} features on the last "
                f"axis: {advice}."
            )
        return shape

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        shape, fans = (self.features,), (1, self.features)
        return {
            "gamma": (shape, bound(Constant(1.0), fans)),
            "beta": (shape, bound(Constant(0.0), fans)),
        }

    def _two(self, tape: Tape, first: str, second: str, dtype: Any) -> tuple[Array, Array]:
        """Memory for two rows of features."""
        shape = (self.features,)
        return tape.array(first, shape, dtype), tape.array(second, shape, dtype)

    def _sums(self, dy: Array, h: Array, tape: Tape) -> tuple[Array, Array]:
        """dgamma and dbeta of (4), (F,) each."""
        dgamma, dbeta = self._two(tape, "dgamma", "dbeta", dy.dtype)
        kernels.norm_sums(rows(dy), rows(h), dgamma, dbeta)  # (4)
        return dgamma, dbeta

    def _add(self, dgamma: Array, dbeta: Array, g: Views) -> None:
        """The sums, added into the gradients as a whole; kernels/products.py says why."""
        one = dgamma.dtype.type(1)
        kernels.add_scaled(g.gamma, dgamma, one, g.gamma)
        kernels.add_scaled(g.beta, dbeta, one, g.beta)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.features})"


@dataclass(frozen=True, eq=False)
class LayerNorm(Normalisation):
    """(N, ..., F) -> the same shape, each example normalised over its F features by itself.

    >>> LayerNorm(128).out_shape((128,))
    (128,)
    """

    features: int
    eps: float = TINY
    formula: ClassVar[str] = "y = gamma h + beta, h = (x - mean) / std over features"
    example_wise: ClassVar[bool] = True
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        self._check(least=2)  # one number by itself has no spread

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        self.out_shape(x.shape[1:])
        tape.r = tape.array("r", (*x.shape[:-1], 1), x.dtype)  # (N, ..., 1)
        tape.h, y = (tape.array(name, x.shape, x.dtype) for name in ("h", "y"))  # (N, ..., F)
        eps, r = x.dtype.type(self.eps), tape.r.reshape(-1)
        kernels.layer_norm(
            rows(x),
            eps,
            plain(p.gamma),
            plain(p.beta),
            r,
            rows(tape.h),
            rows(y),
            self._terms(tape),
        )  # (1, 2)
        return y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if g is not None:
            self._add(*self._sums(dy, tape.h, tape), g)  # (4)
        return self._jacobian(p.gamma, dy, tape, "dx") if need_dx else None  # (4)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        one, v = tape.array("one", p.gamma.shape, u.dtype), tape.array("v", u.shape, u.dtype)
        kernels.before(one.fill, 1)
        tape.u, tape.k = u, self._jacobian(one, u, tape, "k")  # (N, ..., F)
        kernels.here(np.multiply, p.gamma, tape.k, v)
        return v

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        h, k = rows(tape.h), rows(tape.k)
        if g is not None:
            self._add(*self._sums(dy, tape.h, tape), g)  # (7)
            dgamma, _ = self._sums(dv, tape.k, tape)  # v has no beta
            kernels.add_scaled(g.gamma, dgamma, dv.dtype.type(1), g.gamma)  # (7)
        if not need_dx:
            return None
        dx = self._jacobian(p.gamma, dy, tape, "dx")  # (N, ..., F), the first term of (6)
        du = self._jacobian(p.gamma, dv, tape, "du")  # (N, ..., F)   (5)
        dk = tape.array("dk", dv.shape, dv.dtype)  # (N, ..., F)
        kernels.here(np.multiply, p.gamma, dv, dk)
        kernels.layer_norm_bend(
            rows(tape.u), rows(dk), tape.r.reshape(-1), h, k, rows(du), rows(dx), self._terms(tape)
        )  # (6)
        return SimpleNamespace(x=dx, u=du)

    def _jacobian(self, gamma: Array, q: Array, tape: Tape, name: str) -> Array:
        """J (gamma q) of (3), in the tape's memory of that name."""
        out, r = tape.array(name, q.shape, q.dtype), tape.r.reshape(-1)
        kernels.layer_norm_back(
            rows(q), plain(gamma), r, rows(tape.h), rows(out), self._terms(tape)
        )
        return out

    def _terms(self, tape: Tape) -> Array:
        """Room for the terms of a sum over features, for each thread."""
        return tape.array("terms", (kernels.threads_now(), self.features), tape.h.dtype)


@dataclass(frozen=True, eq=False)
class BatchNorm(Normalisation):
    """(N, ..., F) -> the same shape, each of F features normalised over all examples of the batch.

    In evaluation the running mean and variance stand in for the batch's. They are the layer's
    state: each pass that trains it leaves `keep` of them, and takes the rest from its batch
    (keep=0.9 is PyTorch's momentum=0.1, and Keras' momentum=0.9). The running variance is that of
    (1), without a correction for the size of the batch. A batch of one number per feature has no
    spread: it gives beta, and leaves the state alone.

    >>> BatchNorm(128).out_shape((128,))
    (128,)
    """

    features: int
    keep: float = 0.9
    eps: float = TINY
    formula: ClassVar[str] = "y = gamma h + beta, h = (x - mean) / std over the batch"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        self._check(least=1)
        object.__setattr__(self, "keep", fraction(self.keep, "BatchNorm: keep"))

    def state(self) -> dict[str, tuple[Shape, float]]:
        return {"mean": ((self.features,), 0.0), "var": ((self.features,), 1.0)}

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        self.out_shape(x.shape[1:])
        tape.of_batch = tape.training and len(x) > 0  # no examples have no mean
        tape.mean, tape.var = p.mean, p.var  # (F,) each
        if tape.of_batch:
            tape.mean, tape.var = self._two(tape, "mean", "var", x.dtype)
            kernels.column_moments(rows(x), tape.mean, tape.var)  # (1)
        tape.r = tape.array("r", p.gamma.shape, x.dtype)  # (F,)
        tape.h, y = (tape.array(name, x.shape, x.dtype) for name in ("h", "y"))  # (N, ..., F)
        eps, h = x.dtype.type(self.eps), rows(tape.h)
        kernels.batch_norm(
            rows(x),
            tape.mean,
            tape.var,
            eps,
            plain(p.gamma),
            plain(p.beta),
            tape.r,
            h,
            rows(y),
        )  # (1, 2)
        return y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        dgamma, dbeta = self._sums(dy, tape.h, tape)  # (F,) each   (4)
        if g is not None:
            self._add(dgamma, dbeta, g)
        if not need_dx:
            return None
        if not tape.of_batch:  # mean and r are constants: J is r alone, as (4) is without sums
            kernels.here(dgamma.fill, 0)
            kernels.here(dbeta.fill, 0)
        dx = tape.array("dx", dy.shape, dy.dtype)  # (N, ..., F)
        kernels.batch_norm_back(
            rows(dy), plain(p.gamma), tape.r, rows(tape.h), dgamma, dbeta, rows(dx)
        )  # (4)
        return dx

    def why_no_tangent(self) -> str:
        return (
            "it mixes the examples of a batch, and the penalty is on the gradient of each example "
            f"by itself: {self._instead()} (Gulrajani et al. 2017)"
        )

    def _instead(self) -> str:
        if self.features > 1:
            return f"put LayerNorm({self.features}) in its place"
        return "leave it out, or put Flatten() and LayerNorm in its place"

    def settle(self, p: Views, tape: Tape) -> None:
        if tape.of_batch and tape.h.size > self.features:  # more than one number per feature
            rest = tape.array("rest", (1,), p.mean.dtype)
            kernels.before(rest.fill, 1 - self.keep)
            kernels.approach(p.mean, tape.mean, rest)
            kernels.approach(p.var, tape.var, rest)


def rows(x: Array) -> Array:
    """x (N, ..., F) with the features of each place in a row: (N ..., F)."""
    return plain(x).reshape(-1, x.shape[-1])

"""LayerNorm and BatchNorm give numbers mean 0 and spread 1, and then a spread and a mean to learn.

    r = 1 / sqrt(mean(c^2) + eps),   c = x - mean(x)                                  (1)
    h = r c,   y = gamma h + beta                                                     (2)

LayerNorm (Ba et al. 2016) takes the means over the features of one example, BatchNorm (Ioffe and
Szegedy 2015) over the examples of one feature; all else is alike. Every x moves r and mean(x), so
that the Jacobian of h is not diagonal, but it is symmetric, and its product with any a is

    J a = r (a - mean(a) - h mean(a h))                                               (3)
    dx = J (gamma dy),   dgamma = sum dy h,   dbeta = sum dy                          (4)

Second order, for LayerNorm. The tangent is v = gamma k with k = J u. With w = gamma dv,
a = mean(w h), b = mean(u h) and s = mean(w u) - mean(w) mean(u) - a b, the sum <w, J u> is
n r s for n features, and its derivatives are

    du = J w                                                                          (5)
    dx = J (gamma dy - r (b w + a u)) - r^2 s h                                       (6)
    dgamma = sum dy h + dv k,   dbeta = sum dy                                        (7)

In (6), the first term is how h moves, and the second how r does: dr/dx = -r^2 h / n.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from ..checks import Array, Shape, real, share, whole
from ..errors import ShapeError
from .initialisers import Constant, Initial, bound
from .layer import Layer, Views
from .tape import Tape

TINY = 1e-5  # eps in (1), as in PyTorch and the papers' successors


class Normalisation(Layer):
    """What both share: gamma and beta of the features, which stand on the last axis."""

    features: int
    eps: float

    def _check(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "features", whole(self.features, f"{name}: features", least=1))
        object.__setattr__(self, "eps", real(self.eps, f"{name}: eps", above=True))

    def out_shape(self, shape: Shape) -> Shape:
        if shape[-1:] != (self.features,):
            raise ShapeError(
                f"{self} got examples of shape {shape}, wants {self.features} features on the last "
                f"axis: {type(self).__name__}({shape[-1] if shape else 1}) would take it."
            )
        return shape

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        shape, fans = (self.features,), (1, self.features)
        return {
            "gamma": (shape, bound(Constant(1.0), fans)),
            "beta": (shape, bound(Constant(0.0), fans)),
        }

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.features})"


@dataclass(frozen=True, eq=False)
class LayerNorm(Normalisation):
    """(N, ..., C) -> the same shape, each example normalised over its C features by itself.

    >>> LayerNorm(128).out_shape((128,))
    (128,)
    """

    features: int
    eps: float = TINY
    formula: ClassVar[str] = "y = gamma (x - mean) / std + beta"

    def __post_init__(self) -> None:
        self._check()

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        c = x - x.mean(axis=-1, keepdims=True)  # (N, ..., C)
        tape.r = 1 / np.sqrt((c * c).mean(axis=-1, keepdims=True) + self.eps)  # (N, ..., 1)   (1)
        tape.h = tape.r * c  # (N, ..., C)   (2)
        return p.gamma * tape.h + p.beta  # (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if g is not None:
            g.gamma += over_examples(dy * tape.h)  # (4)
            g.beta += over_examples(dy)  # (4)
        return _jacobian(p.gamma * dy, tape.h, tape.r, axis=-1) if need_dx else None  # (4)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u
        tape.k = _jacobian(u, tape.h, tape.r, axis=-1)  # (N, ..., C)
        return p.gamma * tape.k

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        h, r, u = tape.h, tape.r, tape.u
        if g is not None:
            g.gamma += over_examples(dy * h + dv * tape.k)  # (7)
            g.beta += over_examples(dy)  # (7)
        if not need_dx:
            return None
        w = p.gamma * dv  # (N, ..., C)
        a, b = _mean(w * h), _mean(u * h)  # (N, ..., 1) each
        s = _mean(w * u) - _mean(w) * _mean(u) - a * b  # (N, ..., 1)
        moved = p.gamma * dy - r * (b * w + a * u)  # (N, ..., C)
        dx = _jacobian(moved, h, r, axis=-1) - r * r * s * h  # (6)
        return SimpleNamespace(x=dx, u=_jacobian(w, h, r, axis=-1))  # (5)


@dataclass(frozen=True, eq=False)
class BatchNorm(Normalisation):
    """(N, ..., C) -> the same shape, each of C features normalised over all examples of the batch.

    In evaluation the running mean and variance stand in for the batch's. They are the layer's
    state: each step that trains it leaves `keep` of them, and takes the rest from its batch
    (keep=0.9 is PyTorch's momentum=0.1, and Keras' momentum=0.9). The running variance is that of
    (1), without a correction for the size of the batch. A batch of one number per feature has no
    spread: it gives beta, and leaves the state alone.

    >>> BatchNorm(128).out_shape((128,))
    (128,)
    """

    features: int
    keep: float = 0.9
    eps: float = TINY
    formula: ClassVar[str] = "y = gamma (x - mean_n) / std_n + beta"

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "keep", share(self.keep, "BatchNorm: keep"))

    def state(self) -> dict[str, tuple[Shape, float]]:
        return {"mean": ((self.features,), 0.0), "var": ((self.features,), 1.0)}

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.trained = tape.training and len(x) > 0
        rows = tuple(range(x.ndim - 1))  # every axis but that of the features
        tape.mean = x.mean(axis=rows) if tape.trained else p.mean  # (C,)
        c = x - tape.mean  # (N, ..., C)
        tape.var = (c * c).mean(axis=rows) if tape.trained else p.var  # (C,)
        tape.r = 1 / np.sqrt(tape.var + self.eps)  # (C,)   (1)
        tape.h = tape.r * c  # (N, ..., C)   (2)
        return p.gamma * tape.h + p.beta  # (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if g is not None:
            g.gamma += over_examples(dy * tape.h)  # (4)
            g.beta += over_examples(dy)  # (4)
        if not need_dx:
            return None
        if not tape.trained:  # mean and r are constants: J is r alone
            return p.gamma * tape.r * dy
        return _jacobian(p.gamma * dy, tape.h, tape.r, axis=tuple(range(dy.ndim - 1)))  # (4)

    def why_no_tangent(self) -> str:
        return (
            "it mixes the examples of a batch, and the penalty is on the gradient of each example "
            f"by itself: put LayerNorm({self.features}) in its place (Gulrajani et al. 2017)"
        )

    def settle(self, p: Views, tape: Tape) -> None:
        if tape.trained and tape.h.size > self.features:
            p.mean += (1 - self.keep) * (tape.mean - p.mean)
            p.var += (1 - self.keep) * (tape.var - p.var)


def over_examples(x: Array) -> Array:
    """The sum over all axes but the last: (N, ..., C) -> (C,)."""
    return x.sum(axis=tuple(range(x.ndim - 1)))


def _jacobian(a: Array, h: Array, r: Array, axis: Any) -> Array:
    """J a of (3), the means taken over `axis`."""
    mean_a = a.mean(axis=axis, keepdims=True)
    mean_ah = (a * h).mean(axis=axis, keepdims=True)
    return r * (a - mean_a - h * mean_ah)  # (3)


def _mean(a: Array) -> Array:
    """Over the features of each example: (N, ..., C) -> (N, ..., 1)."""
    return a.mean(axis=-1, keepdims=True)

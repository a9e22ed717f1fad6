"""LayerNorm and BatchNorm give numbers mean 0 and spread 1, and then a spread and a mean to learn.

    r = 1 / sqrt(mean(c^2) + eps),   c = x - mean(x)                                  (1)
    h = r c,   y = gamma h + beta                                                     (2)

LayerNorm (Ba et al. 2016) takes the means over the features of one example, BatchNorm (Ioffe and
Szegedy 2015) over the examples of one feature; all else is alike. Every x moves r and mean(x), so
that the Jacobian of h is not diagonal, but it is symmetric, and its product with any q is

    J q = r (q - mean(q) - h mean(q h))                                               (3)
    dx = J (gamma dy),   dgamma = sum_n dy h,   dbeta = sum_n dy                      (4)

Second order, for LayerNorm. The tangent is v = gamma k with k = J u. With dk = gamma dv,
m_dk = mean(dk h), m_u = mean(u h) and s = mean(dk u) - mean(dk) mean(u) - m_dk m_u, the sum
<dk, J u> is F r s for F features, and its derivatives are

    du = J dk                                                                         (5)
    dx = J (gamma dy - r (m_u dk + m_dk u)) - r^2 s h                                 (6)
    dgamma = sum_n dy h + dv k,   dbeta = sum_n dy                                    (7)

In (6), the first term is how h moves, and the second how r does: dr/dx = -r^2 h / F.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from ..checks import Array, Shape, finite, fraction, whole
from ..errors import ShapeError
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

    def _learn(self, dy: Array, h: Array, g: Views) -> None:
        g.gamma += over_examples(dy * h)  # (4)
        g.beta += over_examples(dy)  # (4)

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

    def __post_init__(self) -> None:
        self._check(least=2)  # one number by itself has no spread

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        c = x - x.mean(axis=-1, keepdims=True)  # (N, ..., F)
        tape.r = 1 / np.sqrt((c * c).mean(axis=-1, keepdims=True) + self.eps)  # (N, ..., 1)   (1)
        tape.h = tape.r * c  # (N, ..., F)   (2)
        return p.gamma * tape.h + p.beta  # (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if g is not None:
            self._learn(dy, tape.h, g)
        return _jacobian(p.gamma * dy, tape.h, tape.r, axis=-1) if need_dx else None  # (4)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u
        tape.k = _jacobian(u, tape.h, tape.r, axis=-1)  # (N, ..., F)
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
        dk = p.gamma * dv  # (N, ..., F)
        m_dk, m_u = _mean(dk * h), _mean(u * h)  # (N, ..., 1) each
        s = _mean(dk * u) - _mean(dk) * _mean(u) - m_dk * m_u  # (N, ..., 1)
        dh = p.gamma * dy - r * (m_u * dk + m_dk * u)  # (N, ..., F)   (6)
        dx = _jacobian(dh, h, r, axis=-1) - r * r * s * h  # (6)
        return SimpleNamespace(x=dx, u=_jacobian(dk, h, r, axis=-1))  # (5)


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

    def __post_init__(self) -> None:
        self._check(least=1)
        object.__setattr__(self, "keep", fraction(self.keep, "BatchNorm: keep"))

    def state(self) -> dict[str, tuple[Shape, float]]:
        return {"mean": ((self.features,), 0.0), "var": ((self.features,), 1.0)}

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        tape.of_batch = tape.training and len(x) > 0  # no examples have no mean
        rows = tuple(range(x.ndim - 1))  # every axis but that of the features
        tape.mean = x.mean(axis=rows) if tape.of_batch else p.mean  # (F,)
        c = x - tape.mean  # (N, ..., F)
        tape.var = (c * c).mean(axis=rows) if tape.of_batch else p.var  # (F,)
        tape.r = 1 / np.sqrt(tape.var + self.eps)  # (F,)   (1)
        tape.h = tape.r * c  # (N, ..., F)   (2)
        return p.gamma * tape.h + p.beta  # (2)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        if g is not None:
            self._learn(dy, tape.h, g)
        if not need_dx:
            return None
        if not tape.of_batch:  # mean and r are constants: J is r alone
            return p.gamma * tape.r * dy
        return _jacobian(p.gamma * dy, tape.h, tape.r, axis=tuple(range(dy.ndim - 1)))  # (4)

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
            p.mean += (1 - self.keep) * (tape.mean - p.mean)
            p.var += (1 - self.keep) * (tape.var - p.var)


def over_examples(x: Array) -> Array:
    """The sum over all axes but the last: (N, ..., F) -> (F,)."""
    return x.sum(axis=tuple(range(x.ndim - 1)))


def _jacobian(q: Array, h: Array, r: Array, axis: Any) -> Array:
    """J q of (3), the means taken over `axis`."""
    mean_q = q.mean(axis=axis, keepdims=True)
    mean_qh = (q * h).mean(axis=axis, keepdims=True)
    return r * (q - mean_q - h * mean_qh)  # (3)


def _mean(q: Array) -> Array:
    """Over the features of each example: (N, ..., F) -> (N, ..., 1)."""
    return q.mean(axis=-1, keepdims=True)

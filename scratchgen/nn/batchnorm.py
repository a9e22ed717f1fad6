"""BatchNorm gives each feature mean 0 and variance 1 over the batch (Ioffe and Szegedy 2015).

    r = 1 / sqrt(mean(c^2) + eps),   c = x - mean(x),   means over the examples       (1)
    h = r c,   y = gamma h + beta                                                     (2)
    dgamma = sum_n dy h,   dbeta = sum_n dy                                           (3)

The Jacobian of h is that of layernorm.py, with means over the examples. Here all numbers in a mean
have the same gamma, so the means of gamma dy and of gamma dy h follow from the sums of (3):

    dx = gamma r (dy - (dbeta + h dgamma) / N)                                        (4)
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, fraction
from ..kernels import formula, loop_of, share_row
from .draw import Draw
from .layer import Layer, Views
from .normalisation import TINY, Normalisation, norm_sums
from .tape import Tape

# mypy: disable-error-code="no-untyped-def"


@formula("x (N, F) -> mean, var (F,)")
def column_moments(x: Array) -> tuple[Array, Array]:
    """x (N, F) -> mean(x) and mean(c^2), (F,) each."""
    mean = x.mean(axis=0)  # (1)
    c = x - mean  # (N, F)   (1)
    return mean, (c * c).mean(axis=0)  # (1)


@formula("x (N, F), mean, var (F,), eps (), gamma, beta (F,) -> r (F,), h, y (N, F)")
def batch_norm(
    x: Array, mean: Array, var: Array, eps: float, gamma: Array, beta: Array
) -> tuple[Array, Array, Array]:
    """x (N, F), mean, var, gamma and beta (F,) -> r (F,), h and y (N, F)."""
    r = 1 / np.sqrt(var + eps)  # (F,)   (1)
    h = r * (x - mean)  # (2)
    return r, h, gamma * h + beta  # (2)


@formula("dy (N, F), gamma, r (F,), h (N, F), dgamma, dbeta (F,) -> dx (N, F)")
def batch_norm_backward(
    dy: Array, gamma: Array, r: Array, h: Array, dgamma: Array, dbeta: Array
) -> Array:
    """dy, h (N, F), the others (F,), with the sums of this batch, (3) -> dx (N, F)."""
    return gamma * r * (dy - (dbeta + h * dgamma) / len(dy))  # (4)


@dataclass(frozen=True, eq=False)
class BatchNorm(Normalisation):
    """(N, ..., F) -> the same shape, each of F features normalised over all examples of the batch.

    In evaluation the running mean and variance replace those of the batch. They are the layer's
    state: each step that trains the layer keeps the fraction `keep` of them, and takes the rest
    from its batch (keep=0.9 is PyTorch's momentum=0.1 and Keras' momentum=0.9). The running
    variance is that of (1), without a correction for the size of the batch. A batch with one number
    per feature has no variance: y is beta, and the state does not change.

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
        expect_floats(x, self)
        self.out_shape(x.shape[1:])
        rows = kernels.as_rows(x)  # (N ..., F)
        tape.of_batch = tape.training and len(x) > 0  # no examples have no mean
        tape.mean, tape.var = column_moments(rows) if tape.of_batch else (p.mean, p.var)  # (1)
        tape.r, tape.h, y = batch_norm(rows, tape.mean, tape.var, self.eps, p.gamma, p.beta)
        return y.reshape(x.shape)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        rows = kernels.as_rows(dy)  # (N ..., F)
        dgamma, dbeta = norm_sums(rows, tape.h)  # (3)
        if g is not None:
            kernels.add_in_place(dgamma, g.gamma)
            kernels.add_in_place(dbeta, g.beta)
        if not need_dx:
            return None
        if not tape.of_batch:  # mean and r are constants: (4) without the two sums
            dgamma = dbeta = kernels.full(p.gamma.shape, 0, dy.dtype)
        dx = batch_norm_backward(rows, p.gamma, tape.r, tape.h, dgamma, dbeta)  # (4)
        return dx.reshape(dy.shape)

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
        if tape.of_batch and len(tape.h) > 1:  # more than one number per feature
            rest = kernels.full((1,), 1 - self.keep, np.float64)
            kernels.approach(p.mean, tape.mean, rest)  # p.mean += rest (tape.mean - p.mean)
            kernels.approach(p.var, tape.var, rest)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        shape = draw.shape()
        return cls(shape[-1]), shape


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(column_moments, weight=2)
def column_moments_loop(part, parts, x, mean, var):
    count = x.dtype.type(len(x))
    left, right = share_row(mean.size, part, parts)
    mean, var = mean[left:right], var[left:right]
    mean[:] = 0
    var[:] = 0
    for n in range(len(x)):
        x_n = x[n, left:right]
        for j in range(mean.size):
            mean[j] += x_n[j]
    for j in range(mean.size):
        mean[j] /= count  # (1)
    for n in range(len(x)):
        x_n = x[n, left:right]
        for j in range(mean.size):
            c = x_n[j] - mean[j]  # (1)
            var[j] += c * c
    for j in range(mean.size):
        var[j] /= count  # (1)


@loop_of(batch_norm)
def batch_norm_loop(part, parts, x, mean, var, eps, gamma, beta, r, h, y):
    one = x.dtype.type(1)
    left, right = share_row(mean.size, part, parts)
    mean, var, r = mean[left:right], var[left:right], r[left:right]
    gamma, beta = gamma[left:right], beta[left:right]
    for j in range(r.size):
        r[j] = one / np.sqrt(var[j] + eps)  # (1)
    for n in range(len(x)):
        x_n, h_n, y_n = x[n, left:right], h[n, left:right], y[n, left:right]
        for j in range(r.size):
            h_nj = r[j] * (x_n[j] - mean[j])  # (2)
            h_n[j] = h_nj
            y_n[j] = gamma[j] * h_nj + beta[j]  # (2)


@loop_of(batch_norm_backward)
def batch_norm_backward_loop(part, parts, dy, gamma, r, h, dgamma, dbeta, dx):
    count = dy.dtype.type(len(dy))
    left, right = share_row(gamma.size, part, parts)
    gamma, r = gamma[left:right], r[left:right]
    dgamma, dbeta = dgamma[left:right], dbeta[left:right]
    for n in range(len(dy)):
        dy_n, h_n, dx_n = dy[n, left:right], h[n, left:right], dx[n, left:right]
        for j in range(gamma.size):
            moved = (dbeta[j] + h_n[j] * dgamma[j]) / count
            dx_n[j] = gamma[j] * r[j] * (dy_n[j] - moved)  # (4)

"""LayerNorm and BatchNorm give numbers mean 0 and spread 1, and then a spread and a mean to learn.

    r = 1 / sqrt(mean(c^2) + eps),   c = x - mean(x)                                  (1)
    h = r c,   y = gamma h + beta                                                     (2)

LayerNorm (Ba et al. 2016) takes the means over the features of one example, BatchNorm (Ioffe and
Szegedy 2015) over the examples of one feature; all else is alike. Every x moves r and mean(x), so
that the Jacobian of h is not diagonal, but it is symmetric, and its product with any q is

    J q = r (q - mean(q) - h mean(q h))                                               (3)
    dx = J (gamma dy),   dgamma = sum_n dy h,   dbeta = sum_n dy                      (4)

In BatchNorm all numbers of a mean have one gamma, so that the means in (4) are its two sums:

    dx = gamma r (dy - (dbeta + h dgamma) / N)                                        (5)

Second order, for LayerNorm. The tangent is v = gamma k with k = J u. With dk = gamma dv, and <.>
for the mean over the features of an example, the derivatives of <dk, J u> are

    du = J dk                                                                         (6)
    dx = J (gamma dy) - r (<u h> du + <dk h> k + <dk k> h)                            (7)
    dgamma = sum_n dy h + dv k,   dbeta = sum_n dy                                    (8)

<dk, J u> moves with x through h, which moves by J (the first two terms in the brackets), and
through r, whose derivative is dr/dx = -r^2 h / F (the third).

Each formula takes rows of features, (N, ..., F) as (N ..., F), and there N counts all these rows.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, finite, fraction, whole
from ..ground.errors import ShapeError
from ..kernels import formula, loop_of, share, share_row
from ..kernels.functions import sum_of
from .draw import Draw
from .initialisers import Constant, Initial, bound
from .layer import Layer, Views
from .tape import Tape

# mypy: disable-error-code="no-untyped-def"

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

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.features})"


@formula("dy, h (N, F) -> dgamma, dbeta (F,)")
def norm_sums(dy: Array, h: Array) -> tuple[Array, Array]:
    """dy, h (N, F) -> dgamma and dbeta (F,)."""
    return (dy * h).sum(axis=0), dy.sum(axis=0)  # (4)


@loop_of(norm_sums)
def norm_sums_loop(part, parts, dy, h, dgamma, dbeta):
    left, right = share_row(dgamma.size, part, parts)
    dgamma, dbeta = dgamma[left:right], dbeta[left:right]
    dgamma[:] = 0
    dbeta[:] = 0
    for n in range(len(dy)):
        dy_n, h_n = dy[n, left:right], h[n, left:right]
        for j in range(dgamma.size):
            dgamma[j] += dy_n[j] * h_n[j]  # (4)
            dbeta[j] += dy_n[j]  # (4)


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

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        shape = draw.shape(least=3)  # of two features, the spread is a constant
        return cls(shape[-1]), shape

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        self.out_shape(x.shape[1:])
        tape.r, tape.h, y = layer_norm(kernels.as_rows(x), self.eps, p.gamma, p.beta)  # (1, 2)
        return y.reshape(x.shape)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        rows = kernels.as_rows(dy)  # (N ..., F)
        if g is not None:
            dgamma, dbeta = norm_sums(rows, tape.h)  # (4)
            kernels.add_in_place(dgamma, g.gamma)
            kernels.add_in_place(dbeta, g.beta)
        if not need_dx:
            return None
        return layer_norm_backward(rows, p.gamma, tape.r, tape.h).reshape(dy.shape)  # (4)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = kernels.as_rows(u)  # (N ..., F)
        one = kernels.full(p.gamma.shape, 1, u.dtype)
        tape.k = layer_norm_backward(tape.u, one, tape.r, tape.h)  # J u, (N ..., F)   (3)
        return times_gamma(tape.k, p.gamma).reshape(u.shape)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        r, h, u, k = tape.r, tape.h, tape.u, tape.k
        rows_y, rows_v = kernels.as_rows(dy), kernels.as_rows(dv)  # (N ..., F) each
        if g is not None:
            dgamma, dbeta = norm_sums(rows_y, h)
            dgamma_of_v, _ = norm_sums(rows_v, k)  # v has no beta
            kernels.add_in_place(dgamma, g.gamma)  # (8)
            kernels.add_in_place(dbeta, g.beta)  # (8)
            kernels.add_in_place(dgamma_of_v, g.gamma)  # (8)
        if not need_dx:
            return None
        du, dk = layer_norm_backward(rows_v, p.gamma, r, h), times_gamma(rows_v, p.gamma)  # (6)
        dx = layer_norm_curvature(
            layer_norm_backward(rows_y, p.gamma, r, h), u, dk, r, h, k, du
        )  # (7)
        return SimpleNamespace(x=dx.reshape(dy.shape), u=du.reshape(dy.shape))


@formula("x (N, F) spread, eps (), gamma, beta (F,) -> r (N,), h, y (N, F), _terms (1+, F)")
def layer_norm(x: Array, eps: float, gamma: Array, beta: Array) -> tuple[Array, Array, Array]:
    """x (N, F), gamma and beta (F,) -> r (N,), h and y (N, F)."""
    c = x - x.mean(axis=1, keepdims=True)  # (N, F)   (1)
    r = 1 / np.sqrt((c * c).mean(axis=1) + eps)  # (N,)   (1)
    h = r[:, None] * c  # (2)
    return r, h, gamma * h + beta  # (2)


@loop_of(layer_norm, weight=2)
def layer_norm_loop(part, parts, x, eps, gamma, beta, r, h, y, _terms):
    features, one, mine = x.dtype.type(gamma.size), x.dtype.type(1), _terms[part]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, h_n, y_n = x[n], h[n], y[n]
        for j in range(gamma.size):
            mine[j] = x_n[j]
        mean = sum_of(mine) / features
        for j in range(gamma.size):
            c = x_n[j] - mean  # (1)
            mine[j] = c * c
        scale = one / np.sqrt(sum_of(mine) / features + eps)  # (1)
        for j in range(gamma.size):
            h_nj = scale * (x_n[j] - mean)  # (2)
            h_n[j] = h_nj
            y_n[j] = gamma[j] * h_nj + beta[j]  # (2)
        r[n] = scale


@formula("dy (N, F), gamma (F,), r (N,), h (N, F) -> dx (N, F), _terms (1+, F)")
def layer_norm_backward(dy: Array, gamma: Array, r: Array, h: Array) -> Array:
    """dy, h (N, F), gamma (F,), r (N,) -> dx (N, F): J of gamma dy."""
    q = gamma * dy  # (N, F)   (4)
    mean_q, mean_qh = q.mean(axis=1, keepdims=True), (q * h).mean(axis=1, keepdims=True)  # (N, 1)
    return r[:, None] * (q - mean_q - h * mean_qh)  # (3)


@loop_of(layer_norm_backward, weight=2)
def layer_norm_backward_loop(part, parts, dy, gamma, r, h, dx, _terms):
    features, mine = dy.dtype.type(gamma.size), _terms[part]
    top, bottom = share(len(dy), part, parts)
    for n in range(top, bottom):
        dy_n, h_n, dx_n, scale = dy[n], h[n], dx[n], r[n]
        for j in range(gamma.size):
            mine[j] = gamma[j] * dy_n[j]
        mean_q = sum_of(mine) / features
        for j in range(gamma.size):
            mine[j] = gamma[j] * dy_n[j] * h_n[j]
        mean_qh = sum_of(mine) / features
        for j in range(gamma.size):
            dx_n[j] = scale * (gamma[j] * dy_n[j] - mean_q - h_n[j] * mean_qh)  # (3)


@formula("k (N, F), gamma (F,) -> v (N, F)")
def times_gamma(k: Array, gamma: Array) -> Array:
    """k (N, F), gamma (F,) -> v (N, F)."""
    return gamma * k


@loop_of(times_gamma)
def times_gamma_loop(part, parts, k, gamma, v):
    top, bottom = share(len(k), part, parts)
    for n in range(top, bottom):
        k_n, v_n = k[n], v[n]
        for j in range(gamma.size):
            v_n[j] = gamma[j] * k_n[j]


@formula("a, u, dk (N, F), r (N,), h, k, du (N, F) -> dx (N, F), _terms (1+, F)")
def layer_norm_curvature(
    a: Array, u: Array, dk: Array, r: Array, h: Array, k: Array, du: Array
) -> Array:
    """a = J (gamma dy), u, dk, h, k, du (N, F), r (N,) -> dx (N, F)."""
    uh, dkh, dkk = (
        (one * other).mean(axis=1, keepdims=True) for one, other in ((u, h), (dk, h), (dk, k))
    )  # (N, 1) each
    return a - r[:, None] * (uh * du + dkh * k + dkk * h)  # (7)


@loop_of(layer_norm_curvature, weight=4)
def layer_norm_bend_loop(part, parts, a, u, dk, r, h, k, du, dx, _terms):
    mine, scale = _terms[part], r.dtype.type(1) / r.dtype.type(u.shape[1])
    top, bottom = share(len(u), part, parts)
    for n in range(top, bottom):
        a_n, u_n, dk_n, h_n, k_n, du_n, dx_n = a[n], u[n], dk[n], h[n], k[n], du[n], dx[n]
        for j in range(mine.size):
            mine[j] = u_n[j] * h_n[j]
        uh = scale * sum_of(mine)
        for j in range(mine.size):
            mine[j] = dk_n[j] * h_n[j]
        dkh = scale * sum_of(mine)
        for j in range(mine.size):
            mine[j] = dk_n[j] * k_n[j]
        dkk = scale * sum_of(mine)
        for j in range(mine.size):
            dx_n[j] = a_n[j] - r[n] * (uh * du_n[j] + dkh * k_n[j] + dkk * h_n[j])  # (7)


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

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        shape = draw.shape()
        return cls(shape[-1]), shape

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
        dgamma, dbeta = norm_sums(rows, tape.h)  # (4)
        if g is not None:
            kernels.add_in_place(dgamma, g.gamma)
            kernels.add_in_place(dbeta, g.beta)
        if not need_dx:
            return None
        if not tape.of_batch:  # mean and r are constants: (5) without the two sums
            dgamma = dbeta = kernels.full(p.gamma.shape, 0, dy.dtype)
        dx = batch_norm_backward(rows, p.gamma, tape.r, tape.h, dgamma, dbeta)  # (5)
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
            kernels.approach(p.mean, tape.mean, rest)
            kernels.approach(p.var, tape.var, rest)


@formula("x (N, F) -> mean, var (F,)")
def column_moments(x: Array) -> tuple[Array, Array]:
    """x (N, F) -> mean(x) and mean(c^2), (F,) each."""
    mean = x.mean(axis=0)  # (1)
    c = x - mean  # (N, F)   (1)
    return mean, (c * c).mean(axis=0)  # (1)


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


@formula("x (N, F), mean, var (F,), eps (), gamma, beta (F,) -> r (F,), h, y (N, F)")
def batch_norm(
    x: Array, mean: Array, var: Array, eps: float, gamma: Array, beta: Array
) -> tuple[Array, Array, Array]:
    """x (N, F), mean, var, gamma and beta (F,) -> r (F,), h and y (N, F)."""
    r = 1 / np.sqrt(var + eps)  # (F,)   (1)
    h = r * (x - mean)  # (2)
    return r, h, gamma * h + beta  # (2)


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


@formula("dy (N, F), gamma, r (F,), h (N, F), dgamma, dbeta (F,) -> dx (N, F)")
def batch_norm_backward(
    dy: Array, gamma: Array, r: Array, h: Array, dgamma: Array, dbeta: Array
) -> Array:
    """dy, h (N, F), the others (F,), with the sums (4) of this batch -> dx (N, F)."""
    return gamma * r * (dy - (dbeta + h * dgamma) / len(dy))  # (5)


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
            dx_n[j] = gamma[j] * r[j] * (dy_n[j] - moved)  # (5)

"""LayerNorm gives the features of each example mean 0 and variance 1 (Ba et al. 2016).

    r = 1 / sqrt(mean(c^2) + eps),   c = x - mean(x),   means over the features       (1)
    h = r c,   y = gamma h + beta                                                     (2)

Every x moves r and mean(x), so the Jacobian J of h is not diagonal. It is symmetric, and its
product with any q is

    J q = r (q - mean(q) - h mean(q h))                                               (3)
    dx = J (gamma dy),   dgamma = sum_n dy h,   dbeta = sum_n dy                      (4)

Second order. The tangent is v = gamma k with

    k = J u                                                                           (5)

With dk = gamma dv, and the means again over an example's features, the derivatives of <dk, J u> are

    du = J dk                                                                         (6)
    dx = J (gamma dy) - r (mean(u h) du + mean(dk h) k + mean(dk k) h)                (7)
    dgamma = sum_n dy h + dv k,   dbeta = sum_n dy                                    (8)

<dk, J u> moves with x through h, which moves by J (the first two terms in the brackets), and
through r, whose derivative is dr/dx = -r^2 h / F (the third).
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats
from ..kernels import formula, loop_of, share
from ..kernels.functions import sum_of
from .draw import Draw
from .layer import Layer, Views
from .normalisation import TINY, Normalisation, norm_sums
from .tape import Tape

# mypy: disable-error-code="no-untyped-def"


@formula("x (N, F) spread, eps (), gamma, beta (F,) -> r (N,), h, y (N, F), _terms (1+, F)")
def layer_norm(x: Array, eps: float, gamma: Array, beta: Array) -> tuple[Array, Array, Array]:
    """x (N, F), gamma and beta (F,) -> r (N,), h and y (N, F)."""
    c = x - x.mean(axis=1, keepdims=True)  # (N, F)   (1)
    r = 1 / np.sqrt((c * c).mean(axis=1) + eps)  # (N,)   (1)
    h = r[:, None] * c  # (2)
    return r, h, gamma * h + beta  # (2)


@formula("dy (N, F), gamma (F,), r (N,), h (N, F) -> dx (N, F), _terms (1+, F)")
def layer_norm_backward(dy: Array, gamma: Array, r: Array, h: Array) -> Array:
    """dy, h (N, F), gamma (F,), r (N,) -> dx (N, F): J of gamma dy."""
    q = gamma * dy  # (N, F)   (4)
    mean_q, mean_qh = q.mean(axis=1, keepdims=True), (q * h).mean(axis=1, keepdims=True)  # (N, 1)
    return r[:, None] * (q - mean_q - h * mean_qh)  # (3)


@formula("k (N, F), gamma (F,) -> v (N, F)")
def times_gamma(k: Array, gamma: Array) -> Array:
    """k (N, F), gamma (F,) -> v (N, F)."""
    return gamma * k


@formula("a, u, dk (N, F), r (N,), h, k, du (N, F) -> dx (N, F), _terms (1+, F)")
def layer_norm_curvature(
    a: Array, u: Array, dk: Array, r: Array, h: Array, k: Array, du: Array
) -> Array:
    """a = J (gamma dy), the first term of (7); u, dk, h, k, du (N, F), r (N,) -> dx (N, F)."""
    uh, dkh, dkk = (
        (first * second).mean(axis=1, keepdims=True) for first, second in ((u, h), (dk, h), (dk, k))
    )  # (N, 1) each
    return a - r[:, None] * (uh * du + dkh * k + dkk * h)  # (7)


@dataclass(frozen=True, eq=False)
class LayerNorm(Normalisation):
    """(N, ..., F) -> the same shape, each example normalised over its own F features.

    >>> LayerNorm(128).out_shape((128,))
    (128,)
    """

    features: int
    eps: float = TINY
    formula: ClassVar[str] = "y = gamma h + beta, h = (x - mean) / std over features"
    example_wise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check(least=2)  # one number by itself has no variance

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
        ones = kernels.full(p.gamma.shape, 1, u.dtype)
        tape.k = layer_norm_backward(tape.u, ones, tape.r, tape.h)  # (N ..., F)   (5)
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

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        shape = draw.shape(least=3)  # two features always become 1 and -1
        return cls(shape[-1]), shape


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


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


@loop_of(times_gamma)
def times_gamma_loop(part, parts, k, gamma, v):
    top, bottom = share(len(k), part, parts)
    for n in range(top, bottom):
        k_n, v_n = k[n], v[n]
        for j in range(gamma.size):
            v_n[j] = gamma[j] * k_n[j]


@loop_of(layer_norm_curvature, weight=4)
def layer_norm_curvature_loop(part, parts, a, u, dk, r, h, k, du, dx, _terms):
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

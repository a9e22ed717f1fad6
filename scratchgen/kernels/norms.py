"""LayerNorm and BatchNorm: means over rows, or over columns, and what they do to gradients.

    h = r (x - mean),   r = 1 / sqrt(var + eps),   y = gamma h + beta                     (1)
    mean = sum x / M,   var = sum (x - mean)^2 / M                                        (2)
    dgamma = sum_n dy_n h_n,   dbeta = sum_n dy_n                                         (3)

x (N, F) has an example's features in a row. LayerNorm takes (2) over each row, M = F, and BatchNorm
over each column, M = N. With <q> for a mean over the row, or the column,

    J q = r (q - <q> - h <q h>),   dx = J (gamma dy)                                      (4)

A column has one gamma, so that there (4) is, with the sums (3) of this batch,

    dx = gamma r (dy - (dbeta + h dgamma) / N)                                            (5)

Second order, for LayerNorm, where k = J u, dk = gamma dv, du = J dk and a = J (gamma dy):

    dx = a - r (<u h> du + <dk h> k + <dk k> h)                                           (6)

nn/normalisation.py says what they are for, and derives (4) and (6).
"""

from typing import Any

import numpy as np

from ..checks import Array
from .rows import sum_of
from .sharing import share, share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def layer_norm_reference(
    x: Array, eps: Any, gamma: Array, beta: Array, r: Array, h: Array, y: Array, _terms: Array
) -> None:
    """x (N, F), eps, gamma and beta (F,): writes r (N,), h and y (N, F).

    _terms (parts, F), here and below, is room for the terms of a sum, which only twins need.
    """
    c = x - x.mean(axis=1, keepdims=True)  # (N, F)
    np.divide(1, np.sqrt((c * c).mean(axis=1) + eps), out=r)  # (1, 2)
    np.multiply(r[:, None], c, out=h)
    y[...] = gamma * h + beta  # (1)


@twin_of(
    layer_norm_reference,
    takes="x (N, F), eps (), gamma, beta (F,) -> r (N,), h, y (N, F), _terms (1+, F)",
    weight=2,
)
def layer_norm(part, parts, x, eps, gamma, beta, r, h, y, _terms):
    features, one, mine = x.dtype.type(gamma.size), x.dtype.type(1), _terms[part]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, h_n, y_n = x[n], h[n], y[n]
        for j in range(gamma.size):
            mine[j] = x_n[j]
        mean = sum_of(mine) / features  # (2)
        for j in range(gamma.size):
            c = x_n[j] - mean
            mine[j] = c * c
        scale = one / np.sqrt(sum_of(mine) / features + eps)
        for j in range(gamma.size):
            h_nj = scale * (x_n[j] - mean)
            h_n[j] = h_nj
            y_n[j] = gamma[j] * h_nj + beta[j]  # (1)
        r[n] = scale


def layer_norm_back_reference(
    dy: Array, gamma: Array, r: Array, h: Array, dx: Array, _terms: Array
) -> None:
    """dy and h (N, F), gamma (F,), r (N,): writes dx (N, F)."""
    q = gamma * dy  # (N, F)
    mean_q, mean_qh = q.mean(axis=1, keepdims=True), (q * h).mean(axis=1, keepdims=True)
    np.multiply(r[:, None], q - mean_q - h * mean_qh, out=dx)  # (4)


@twin_of(
    layer_norm_back_reference,
    takes="dy (N, F), gamma (F,), r (N,), h (N, F) -> dx (N, F), _terms (1+, F)",
    weight=2,
)
def layer_norm_back(part, parts, dy, gamma, r, h, dx, _terms):
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
            dx_n[j] = scale * (gamma[j] * dy_n[j] - mean_q - h_n[j] * mean_qh)  # (4)


def layer_norm_bend_reference(
    u: Array, dk: Array, r: Array, h: Array, k: Array, du: Array, dx: Array, _terms: Array
) -> None:
    """u, dk, h, k and du (N, F), r (N,): dx (N, F) is a of (6), and what (6) takes off goes."""
    uh, dkh, dkk = ((a * b).mean(axis=1, keepdims=True) for a, b in ((u, h), (dk, h), (dk, k)))
    dx -= r[:, None] * (uh * du + dkh * k + dkk * h)  # (6)


@twin_of(
    layer_norm_bend_reference,
    takes="u, dk (N, F), r (N,), h, k, du (N, F) -> dx (N, F), _terms (1+, F)",
    weight=4,
)
def layer_norm_bend(part, parts, u, dk, r, h, k, du, dx, _terms):
    mine, scale = _terms[part], r.dtype.type(1) / r.dtype.type(u.shape[1])
    top, bottom = share(len(u), part, parts)
    for n in range(top, bottom):
        u_n, dk_n, h_n, k_n, du_n, dx_n = u[n], dk[n], h[n], k[n], du[n], dx[n]
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
            dx_n[j] -= r[n] * (uh * du_n[j] + dkh * k_n[j] + dkk * h_n[j])  # (6)


def column_moments_reference(x: Array, mean: Array, var: Array) -> None:
    """x (N, F): writes mean and var (F,)."""
    x.mean(axis=0, out=mean)  # (2)
    c = x - mean  # (N, F)
    (c * c).mean(axis=0, out=var)  # (2)


@twin_of(column_moments_reference, takes="x (N, F) -> mean, var (F,)", weight=2)
def column_moments(part, parts, x, mean, var):
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
        mean[j] /= count  # (2)
    for n in range(len(x)):
        x_n = x[n, left:right]
        for j in range(mean.size):
            c = x_n[j] - mean[j]
            var[j] += c * c
    for j in range(mean.size):
        var[j] /= count  # (2)


def batch_norm_reference(
    x: Array,
    mean: Array,
    var: Array,
    eps: Any,
    gamma: Array,
    beta: Array,
    r: Array,
    h: Array,
    y: Array,
) -> None:
    """x (N, F), mean, var, gamma and beta (F,): writes r (F,), h and y (N, F)."""
    np.divide(1, np.sqrt(var + eps), out=r)  # (1)
    np.multiply(r, x - mean, out=h)
    y[...] = gamma * h + beta  # (1)


@twin_of(
    batch_norm_reference,
    takes="x (N, F), mean, var (F,), eps (), gamma, beta (F,) -> r (F,), h, y (N, F)",
)
def batch_norm(part, parts, x, mean, var, eps, gamma, beta, r, h, y):
    one = x.dtype.type(1)
    left, right = share_row(mean.size, part, parts)
    mean, var, r = mean[left:right], var[left:right], r[left:right]
    gamma, beta = gamma[left:right], beta[left:right]
    for j in range(r.size):
        r[j] = one / np.sqrt(var[j] + eps)  # (1)
    for n in range(len(x)):
        x_n, h_n, y_n = x[n, left:right], h[n, left:right], y[n, left:right]
        for j in range(r.size):
            h_nj = r[j] * (x_n[j] - mean[j])
            h_n[j] = h_nj
            y_n[j] = gamma[j] * h_nj + beta[j]  # (1)


def batch_norm_back_reference(
    dy: Array, gamma: Array, r: Array, h: Array, dgamma: Array, dbeta: Array, dx: Array
) -> None:
    """dy and h (N, F), the others (F,), with the sums (3) of this batch: writes dx (N, F)."""
    np.multiply(gamma * r, dy - (dbeta + h * dgamma) / len(dy), out=dx)  # (5)


@twin_of(
    batch_norm_back_reference,
    takes="dy (N, F), gamma, r (F,), h (N, F), dgamma, dbeta (F,) -> dx (N, F)",
)
def batch_norm_back(part, parts, dy, gamma, r, h, dgamma, dbeta, dx):
    count = dy.dtype.type(len(dy))
    left, right = share_row(gamma.size, part, parts)
    gamma, r, dgamma, dbeta = (
        gamma[left:right],
        r[left:right],
        dgamma[left:right],
        dbeta[left:right],
    )
    for n in range(len(dy)):
        dy_n, h_n, dx_n = dy[n, left:right], h[n, left:right], dx[n, left:right]
        for j in range(gamma.size):
            moved = (dbeta[j] + h_n[j] * dgamma[j]) / count
            dx_n[j] = gamma[j] * r[j] * (dy_n[j] - moved)  # (5)


def norm_sums_reference(dy: Array, h: Array, dgamma: Array, dbeta: Array) -> None:
    """dy, h (N, F): writes dgamma and dbeta (F,)."""
    (dy * h).sum(axis=0, out=dgamma)  # (3)
    dy.sum(axis=0, out=dbeta)  # (3)


@twin_of(norm_sums_reference, takes="dy, h (N, F) -> dgamma, dbeta (F,)")
def norm_sums(part, parts, dy, h, dgamma, dbeta):
    left, right = share_row(dgamma.size, part, parts)
    dgamma, dbeta = dgamma[left:right], dbeta[left:right]
    dgamma[:] = 0
    dbeta[:] = 0
    for n in range(len(dy)):
        dy_n, h_n = dy[n, left:right], h[n, left:right]
        for j in range(dgamma.size):
            dgamma[j] += dy_n[j] * h_n[j]  # (3)
            dbeta[j] += dy_n[j]  # (3)

"""Gaussian log-densities of x, and their gradients by `raw`, the numbers that a decoder gives.

raw holds mu and, where the variance is learnt, a number s for the log-variance

    lv = log(exp(s) + exp(least))                                                            (1)

which never falls below `least`, the logarithm of the least variance. Nothing overflows if it is
computed from e = exp(-|s - least|):

    lv = max(s, least) + log(1 + e)                                                          (2)
    dlv/ds = exp(s) / (exp(s) + exp(least)) = sigmoid(s - least)                             (3)
           = (1 where s >= least, else e) / (1 + e)

The density and its gradients are those of gaussian.py:

    log p(x) = -1/2 sum_j [log 2 pi + lv_j + (x_j - mu_j)^2 exp(-lv_j)]                      (4)
    dmu = (x - mu) exp(-lv),   dlv = ((x - mu)^2 exp(-lv) - 1) / 2                           (5)
"""

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, helper, loop_of, share, sigmoid
from ..kernels.functions import exp, log1p_to_1, sum_of
from . import gaussian
from .gaussian import LOG_TWO_PI
from .rows import in_rows

# mypy: disable-error-code="no-untyped-def"


def log_variance(s: Array, least: float) -> Array:
    """log(exp(s) + exp(least)): any shape -> the same shape."""
    return np.logaddexp(s, least)  # (1)


@formula("x, mu (N, D), lv (), dvalue (N,) -> log_prob (N,), dmu (N, D), _terms (1+, D)")
def log_prob_fixed_gaussian(x: Array, mu: Array, lv: float, dvalue: Array) -> tuple[Array, Array]:
    """x, mu (N, D), one log-variance, dvalue (N,) -> log_prob (N,), nats, and dmu (N, D)."""
    log_var = np.full((1, 1), lv, mu.dtype)
    log_prob, dmu, _ = gaussian.value_and_gradient(x, mu, log_var, dvalue)  # (4, 5)
    return log_prob, dmu


@formula(
    "x (N, D), raw (N, D + 1), least (), dvalue (N,) "
    "-> log_prob (N,), d_raw (N, D + 1), _terms (1+, D)"
)
def log_prob_shared_gaussian(
    x: Array, raw: Array, least: float, dvalue: Array
) -> tuple[Array, Array]:
    """x (N, D), raw = (mu, s) (N, D + 1), dvalue (N,) -> log_prob (N,), and d_raw (N, D + 1)."""
    mu, s = raw[:, :-1], raw[:, -1:]  # (N, D) and (N, 1)
    lv = log_variance(s, least)  # (N, 1)   (1)
    log_prob, dmu, dlv = gaussian.value_and_gradient(x, mu, lv, dvalue)  # (4, 5)
    return log_prob, np.concatenate([dmu, dlv * sigmoid(s - least)], axis=1)  # (3)


@formula(
    "x (N, D), raw (N, 2 D), least (), width () int dividing D, dvalue (N,) "
    "-> log_prob (N,), d_raw (N, 2 D), _terms (1+, 3 D)"
)
def log_prob_gaussian(
    x: Array, raw: Array, least: float, width: int, dvalue: Array
) -> tuple[Array, Array]:
    """x (N, D), raw (N, 2 D), dvalue (N,) -> log_prob (N,), and d_raw (N, 2 D).

    A row of raw is `width` means, as many s, as many means, and so on.
    """
    places = raw.reshape(len(raw), x.shape[1] // width, 2 * width)  # (N, D / width, 2 width)
    mu, s = np.split(places, 2, axis=2)  # (N, D / width, width) each
    mu, s = in_rows(mu), in_rows(s)  # (N, D) each
    lv = log_variance(s, least)  # (N, D)   (1)
    log_prob, dmu, dlv = gaussian.value_and_gradient(x, mu, lv, dvalue)  # (4, 5)
    ds = dlv * sigmoid(s - least)  # (N, D)   (3)
    of_places = [d.reshape(*places.shape[:2], width) for d in (dmu, ds)]
    return log_prob, np.concatenate(of_places, axis=2).reshape(raw.shape)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(log_prob_fixed_gaussian)
def log_prob_fixed_gaussian_loop(part, parts, x, mu, lv, dvalue, log_prob, dmu, _terms):
    number = x.dtype.type
    precision, half, terms = exp(-lv), number(0.5), _terms[part]
    constant = number(terms.size) * (number(LOG_TWO_PI) + lv)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, mu_n, dmu_n, scale = x[n], mu[n], dmu[n], dvalue[n]
        for j in range(terms.size):
            d = x_n[j] - mu_n[j]
            terms[j] = d * (d * precision)
            dmu_n[j] = scale * (d * precision)  # (5)
        log_prob[n] = -half * (constant + sum_of(terms))  # (4)


@loop_of(log_prob_shared_gaussian)
def log_prob_shared_gaussian_loop(part, parts, x, raw, least, dvalue, log_prob, d_raw, _terms):
    number, terms = x.dtype.type, _terms[part]
    one, half, size = number(1), number(0.5), number(terms.size)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, raw_n, d_raw_n, scale, s = x[n], raw[n], d_raw[n], dvalue[n], raw[n, terms.size]
        e = exp(-abs(s - least))
        lv = max(s, least) + log1p_to_1(e)  # (2)
        precision = exp(-lv)
        for j in range(terms.size):
            d = x_n[j] - raw_n[j]
            terms[j] = d * (d * precision)
            d_raw_n[j] = scale * (d * precision)  # (5)
        squares = sum_of(terms)
        log_prob[n] = -half * (size * (number(LOG_TWO_PI) + lv) + squares)  # (4)
        slope = (one if s >= least else e) / (one + e)
        d_raw_n[terms.size] = half * scale * (squares - size) * slope  # (3, 5)


@loop_of(log_prob_gaussian, weight=6)
def log_prob_gaussian_loop(part, parts, x, raw, least, width, dvalue, log_prob, d_raw, _terms):
    number, size = x.dtype.type, x.shape[1]
    zero, one, half, log_two_pi = number(0), number(1), number(0.5), number(LOG_TWO_PI)
    mu, s, terms = _terms[part, :size], _terms[part, size : 2 * size], _terms[part, 2 * size :]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, scale = x[n], dvalue[n]
        take_apart(raw[n], width, mu, s)
        for j in range(size):
            t = s[j] - least
            e = exp(-abs(t))
            lv = max(s[j], least) + log1p_to_1(e)  # (2)
            d, precision = x_n[j] - mu[j], exp(-lv)
            square = d * (d * precision)
            terms[j] = log_two_pi + lv + square
            slope = (one if t >= zero else e) / (one + e)
            mu[j] = scale * (d * precision)  # (5): dmu and ds, from here on
            s[j] = half * scale * (square - one) * slope  # (3, 5)
        log_prob[n] = -half * sum_of(terms)  # (4)
        put_together(mu, s, width, d_raw[n])


@helper
def take_apart(row, width, mu, s):
    """Copy a row (2D,), `width` means, as many s, and so on, to mu (D,) and s (D,)."""
    if width == 1:  # mu and s alternate: LLVM finds vectors here, but not in D loops of length 1
        for j in range(mu.size):
            mu[j], s[j] = row[2 * j], row[2 * j + 1]
    else:
        for i in range(0, mu.size, width):
            mu_i, s_i, row_i = mu[i : i + width], s[i : i + width], row[2 * i : 2 * (i + width)]
            for j in range(width):
                mu_i[j], s_i[j] = row_i[j], row_i[width + j]


@helper
def put_together(mu, s, width, row):
    """The inverse of `take_apart`: mu and s, (D,) each, to a row (2D,)."""
    if width == 1:
        for j in range(mu.size):
            row[2 * j], row[2 * j + 1] = mu[j], s[j]
    else:
        for i in range(0, mu.size, width):
            mu_i, s_i, row_i = mu[i : i + width], s[i : i + width], row[2 * i : 2 * (i + width)]
            for j in range(width):
                row_i[j], row_i[width + j] = mu_i[j], s_i[j]

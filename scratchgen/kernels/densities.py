"""The Gaussian likelihoods of a batch and their gradients by what the decoder gives, in one pass.

    log p(x_n) = -1/2 sum_j [log 2 pi + lv + (x_nj - mu_nj)^2 exp(-lv)]                   (1)
    dmu_nj = dvalue_n (x_nj - mu_nj) exp(-lv)                                             (2)
    dlv = dvalue_n ((x_nj - mu_nj)^2 exp(-lv) - 1) / 2,   summed over j that share lv     (3)

The log-variance lv is the same for all numbers, or for those of an example, or is each number's
own. In the last two cases the decoder gives s, and a least variance, whose logarithm is `least`:

    lv = log(exp(s) + exp(least)) = max(s, least) + log(1 + e),   e = exp(-|s - least|)   (4)
    ds = dlv sigmoid(s - least)                                                           (5)

with sigmoid(t) = (1 where t >= 0, else e) / (1 + e). distributions/gaussian.py says what (1) is.
"""

import math
from typing import Any

import numpy as np

from ..checks import Array
from .elementwise import sigmoid
from .functions import exp, log1p
from .rows import sum_of
from .sharing import share
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"

LOG_TWO_PI = math.log(2 * math.pi)


def fixed_gaussian_pass_reference(
    x: Array, mu: Array, lv: Any, dvalue: Array, log_prob: Array, dmu: Array, _terms: Array
) -> None:
    """x, mu (N, D), lv, dvalue (N,): writes log_prob (N,), nats, and dmu (N, D).

    _terms (parts, D), here and below, is room for the terms of an example, which only twins need.
    """
    d = x - mu  # (N, D)
    scaled = d * np.exp(-lv)  # (N, D)
    constant = x.shape[1] * (x.dtype.type(LOG_TWO_PI) + lv)
    log_prob[...] = -(constant + (d * scaled).sum(axis=1)) / 2  # (1)
    np.multiply(dvalue[:, None], scaled, out=dmu)  # (2)


@twin_of(
    fixed_gaussian_pass_reference,
    takes="x, mu (N, D), lv (), dvalue (N,) -> log_prob (N,), dmu (N, D), _terms (1+, D)",
)
def fixed_gaussian_pass(part, parts, x, mu, lv, dvalue, log_prob, dmu, _terms):
    number = x.dtype.type
    precision, half, mine = exp(-lv), number(0.5), _terms[part]
    constant = number(mine.size) * (number(LOG_TWO_PI) + lv)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, mu_n, dmu_n, scale = x[n], mu[n], dmu[n], dvalue[n]
        for j in range(mine.size):
            d = x_n[j] - mu_n[j]
            mine[j] = d * (d * precision)
            dmu_n[j] = scale * (d * precision)  # (2)
        log_prob[n] = -half * (constant + sum_of(mine))  # (1)


def shared_gaussian_pass_reference(
    x: Array, raw: Array, least: Any, dvalue: Array, log_prob: Array, draw: Array, _terms: Array
) -> None:
    """x (N, D), raw = (mu, s) (N, D + 1), dvalue (N,): writes log_prob (N,), draw (N, D + 1)."""
    d, s = x - raw[:, :-1], raw[:, -1]  # (N, D) and (N,)
    lv = np.logaddexp(s, least)  # (N,)   (4)
    scaled = d * np.exp(-lv)[:, None]  # (N, D)
    squares = (d * scaled).sum(axis=1)  # (N,)
    log_prob[...] = -(x.shape[1] * (x.dtype.type(LOG_TWO_PI) + lv) + squares) / 2  # (1)
    np.multiply(dvalue[:, None], scaled, out=draw[:, :-1])  # (2)
    draw[:, -1] = dvalue * (squares - x.shape[1]) / 2 * sigmoid(s - least)  # (3, 5)


@twin_of(
    shared_gaussian_pass_reference,
    takes="x (N, D), raw (N, D + 1), least (), dvalue (N,) "
    "-> log_prob (N,), draw (N, D + 1), _terms (1+, D)",
)
def shared_gaussian_pass(part, parts, x, raw, least, dvalue, log_prob, draw, _terms):
    number, mine = x.dtype.type, _terms[part]
    one, half, size = number(1), number(0.5), number(mine.size)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, raw_n, draw_n, scale, s = x[n], raw[n], draw[n], dvalue[n], raw[n, mine.size]
        e = exp(-abs(s - least))
        lv = max(s, least) + log1p(e)  # (4)
        precision = exp(-lv)
        for j in range(mine.size):
            d = x_n[j] - raw_n[j]
            mine[j] = d * (d * precision)
            draw_n[j] = scale * (d * precision)  # (2)
        squares = sum_of(mine)
        log_prob[n] = -half * (size * (number(LOG_TWO_PI) + lv) + squares)  # (1)
        slope = (one if s >= least else e) / (one + e)
        draw_n[mine.size] = half * scale * (squares - size) * slope  # (3, 5)


def gaussian_pass_reference(
    x: Array,
    raw: Array,
    least: Any,
    width: int,
    dvalue: Array,
    log_prob: Array,
    draw: Array,
    _terms: Array,
) -> None:
    """x (N, D), raw (N, 2 D): `width` means, as many s, and so on. dvalue (N,).

    Writes log_prob (N,) and draw (N, 2 D). _terms is (parts, 3 D).
    """
    count, size = x.shape
    mu, s = np.split(raw.reshape(count, size // width, 2 * width), 2, axis=2)  # (N, P, width)
    d, lv = x.reshape(mu.shape) - mu, np.logaddexp(s, least)  # (N, P, width) each   (4)
    scaled, scale = d * np.exp(-lv), dvalue[:, None, None]  # (N, P, width) and (N, 1, 1)
    log_prob[...] = -(x.dtype.type(LOG_TWO_PI) + lv + d * scaled).sum(axis=(1, 2)) / 2  # (1)
    dmu = scale * scaled  # (2)
    ds = scale * (d * scaled - 1) / 2 * sigmoid(s - least)  # (3, 5)
    draw[...] = np.concatenate([dmu, ds], axis=2).reshape(raw.shape)


@twin_of(
    gaussian_pass_reference,
    takes="x (N, D), raw (N, 2 D), least (), width () int dividing D, dvalue (N,) "
    "-> log_prob (N,), draw (N, 2 D), _terms (1+, 3 D)",
    weight=6,
)
def gaussian_pass(part, parts, x, raw, least, width, dvalue, log_prob, draw, _terms):
    number, size = x.dtype.type, x.shape[1]
    one, half, log_two_pi = number(1), number(0.5), number(LOG_TWO_PI)
    mu, s, terms = _terms[part, :size], _terms[part, size : 2 * size], _terms[part, 2 * size :]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, raw_n, draw_n, scale = x[n], raw[n], draw[n], dvalue[n]
        for i in range(0, size, width):
            for j in range(width):
                mu[i + j], s[i + j] = raw_n[2 * i + j], raw_n[2 * i + width + j]
        for j in range(size):
            t = s[j] - least
            e = exp(-abs(t))
            lv = max(s[j], least) + log1p(e)  # (4)
            d, precision = x_n[j] - mu[j], exp(-lv)
            square = d * (d * precision)
            terms[j] = log_two_pi + lv + square
            slope = (one if t >= number(0) else e) / (one + e)
            mu[j] = scale * (d * precision)  # (2): dmu and ds, from here on
            s[j] = half * scale * (square - one) * slope  # (3, 5)
        log_prob[n] = -half * sum_of(terms)  # (1)
        for i in range(0, size, width):
            for j in range(width):
                draw_n[2 * i + j], draw_n[2 * i + width + j] = mu[i + j], s[i + j]

"""The diagonal Gaussian N(mu, exp(log_var)): the encoder's q(z|x), and one kind of p(x|z).

    z = mu + exp(log_var / 2) noise,   noise ~ N(0, I)                                  (1)
    dmu = dz,   dlog_var = dz noise exp(log_var / 2) / 2                                (2)
    KL(N(mu, exp(log_var)) || N(0, I)) = 1/2 sum_j (mu_j^2 + exp(lv_j) - 1 - lv_j)      (3)
    dKL/dmu = mu,   dKL/dlog_var = (exp(log_var) - 1) / 2                               (4)
    log N(x) = -1/2 sum_j (log 2 pi + lv_j + (x_j - mu_j)^2 exp(-lv_j))                 (5)
    dmu = (x - mu) exp(-lv),   dlog_var = ((x - mu)^2 exp(-lv) - 1) / 2,   dx = -dmu    (6)

lv is short for log_var. The noise is drawn by the caller, once: (1) and (2) are given the same.
Sources: Kingma and Welling 2014, section 2.4 and appendix B. All in nats.
"""

import math
from types import SimpleNamespace

import numpy as np

from .. import kernels
from ..checks import Array

LOG_TWO_PI = math.log(2 * math.pi)


def draw(mu: Array, log_var: Array, noise: Array) -> Array:
    """A draw, reparameterised: mu, log_var, noise (N, Z) -> z (N, Z)."""
    return mu + np.exp(log_var / 2) * noise  # (1)


def draw_gradients(log_var: Array, noise: Array, dz: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dz (N, Z) and the noise that was drawn."""
    return SimpleNamespace(mu=dz, log_var=dz * noise * np.exp(log_var / 2) / 2)  # (2)


def kl_terms(mu: Array, log_var: Array) -> Array:
    """The KL to N(0, 1) of each number, nats: mu, log_var (N, Z) -> (N, Z)."""
    return (mu**2 + np.expm1(log_var) - log_var) / 2  # (3)


def kl_to_standard(mu: Array, log_var: Array) -> Array:
    """KL to N(0, I), nats per example: mu, log_var (N, Z) -> (N,)."""
    return kl_terms(mu, log_var).sum(axis=1)  # (3)


def kl_to_standard_gradients(mu: Array, log_var: Array, dvalue: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dvalue (N,)."""
    scale = dvalue[:, None]  # (N, 1)
    return SimpleNamespace(mu=scale * mu, log_var=scale * np.expm1(log_var) / 2)  # (4)


def log_prob(x: Array, mu: Array, log_var: Array) -> Array:
    """The log-density of x, nats per example: x, mu, log_var (N, ...) -> (N,).

    Numbers may share a log_var: a scalar, or (N, 1, ...), does as well.
    """
    terms = LOG_TWO_PI + log_var + (x - mu) ** 2 * np.exp(-log_var)  # (N, ...)
    return -terms.sum(axis=tuple(range(1, terms.ndim))) / 2  # (5)


def log_prob_gradients(x: Array, mu: Array, log_var: Array, dvalue: Array) -> SimpleNamespace:
    """`.x`, `.mu` and `.log_var` (N, ...), for dvalue (N,).

    Where numbers share a log_var, its gradient is the sum of theirs.
    """
    scale = kernels.as_column(dvalue, x)  # (N, 1, ...)
    scaled = (x - mu) * np.exp(-log_var)  # (N, ...)
    dmu = scale * scaled
    return SimpleNamespace(x=-dmu, mu=dmu, log_var=scale * (scaled * (x - mu) - 1) / 2)  # (6)

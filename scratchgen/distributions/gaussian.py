"""The diagonal Gaussian N(mu, exp(log_var)): the encoder's q(z|x), and one kind of p(x|z).

    z = mu + exp(log_var / 2) noise,   noise ~ N(0, I)                                  (1)
    dmu = dz,   dlog_var = dz noise exp(log_var / 2) / 2                                (2)
    KL(N(mu, exp(log_var)) || N(0, I)) = 1/2 sum_j (mu_j^2 + exp(lv_j) - 1 - lv_j)      (3)
    dKL/dmu = mu,   dKL/dlog_var = (exp(log_var) - 1) / 2                               (4)
    log N(x) = -1/2 sum_j (log 2 pi + lv_j + (x_j - mu_j)^2 exp(-lv_j))                 (5)
    dmu = (x - mu) exp(-lv),   dlog_var = ((x - mu)^2 exp(-lv) - 1) / 2,   dx = -dmu    (6)

KL(q || p) = E_q[log q - log p] says how far q is from p. lv is short for log_var, the logarithm of
the variance: whatever number an encoder gives for it, the variance is above 0. `expm1(lv)` is
exp(lv) - 1 without the rounding error near 0.

A d in front of a name is the derivative of the loss: dz is dL/dz. The functions for (4) and (6) are
given dvalue (N,), the derivative of the loss by each example's KL or log N(x), and multiply by it.
The caller draws the noise, and passes the same noise to (1) and to its gradient (2).

Source: Kingma and Welling 2014, section 2.4 and appendix B. Everything is in nats.
"""

import math
from types import SimpleNamespace

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, loop_of, share, share_row
from ..kernels.functions import exp, expm1
from .rows import in_rows

# mypy: disable-error-code="no-untyped-def"

LOG_TWO_PI = math.log(2 * math.pi)


def draw(mu: Array, log_var: Array, noise: Array) -> Array:
    """The reparameterised draw: mu, log_var, noise (N, Z) -> z (N, Z)."""
    return mu + np.exp(log_var / 2) * noise  # (1)


def draw_gradients(log_var: Array, noise: Array, dz: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dz (N, Z) and the noise of the draw."""
    return SimpleNamespace(mu=dz, log_var=dz * noise * np.exp(log_var / 2) / 2)  # (2)


def kl_terms(mu: Array, log_var: Array) -> Array:
    """The KL of each latent to N(0, 1), nats: mu, log_var (N, Z) -> (N, Z)."""
    return (mu**2 + np.expm1(log_var) - log_var) / 2  # (3)


def kl_terms_gradients(mu: Array, log_var: Array, dterms: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dterms (N, Z), (N, 1) or (Z,)."""
    return SimpleNamespace(mu=dterms * mu, log_var=dterms * np.expm1(log_var) / 2)  # (4)


def kl_to_standard(mu: Array, log_var: Array) -> Array:
    """KL to N(0, I), nats per example: mu, log_var (N, Z) -> (N,)."""
    return kl_terms(mu, log_var).sum(axis=1)  # (3)


def kl_to_standard_gradients(mu: Array, log_var: Array, dvalue: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dvalue (N,)."""
    return kl_terms_gradients(mu, log_var, dvalue[:, None])  # (4)


@formula("heads (N, 2 Z), noise (N, Z) -> z (N, Z), kl (Z,) float64")
def draw_and_kl(heads: Array, noise: Array) -> tuple[Array, Array]:
    """heads (N, 2Z), noise (N, Z) -> z (N, Z), and the KL of each latent (Z,), in float64.

    A VAE takes this step forward, and `draw_and_kl_backward` on the way back. The encoder gives
    heads, mu and log_var side by side. The KL of a latent is the mean over the batch, and float64
    because a sum of many float32 numbers would lose digits.
    """
    mu, log_var = np.split(heads, 2, axis=1)  # (N, Z) each
    z = draw(mu, log_var, noise)  # (N, Z)   (1)
    return z, kl_terms(mu, log_var).mean(axis=0, dtype=np.float64)  # (Z,)   (3)


@formula(
    "heads (N, 2 Z), noise, dz (N, Z), kl (Z,) float64, beta (1,) float64, free_bits () float64"
    " -> dheads (N, 2 Z)"
)
def draw_and_kl_backward(
    heads: Array, noise: Array, dz: Array, kl: Array, beta: Array, free_bits: float
) -> Array:
    """heads (N, 2Z), noise, dz (N, Z), kl (Z,), beta (1,) -> dheads (N, 2Z).

    The loss is that of z plus beta times the KL. Latents whose kl is not above free_bits (a setting
    of the VAE, by default 0) are left out of the KL: see models/variational.py.
    """
    mu, log_var = np.split(heads, 2, axis=1)  # (N, Z) each
    weight = np.where(kl > free_bits, beta / len(heads), 0).astype(heads.dtype)  # (Z,)
    of_draw = draw_gradients(log_var, noise, dz)  # .mu, .log_var (N, Z)   (2)
    of_kl = kl_terms_gradients(mu, log_var, weight)  # .mu, .log_var (N, Z)   (4)
    dmu, dlog_var = of_draw.mu + of_kl.mu, of_draw.log_var + of_kl.log_var  # (N, Z) each
    return np.concatenate([dmu, dlog_var], axis=1)  # (N, 2Z)


def value_and_gradient(
    x: Array, mu: Array, log_var: Array, dvalue: Array
) -> tuple[Array, Array, Array]:
    """x, mu (N, D), log_var, dvalue (N,) -> log N(x) (N,), dmu (N, D) and dlog_var.

    log_var and dlog_var are (N, D). If the D numbers of an example share one log_var, it is (N, 1)
    or (1, 1): then (5) has D times log 2 pi + lv, and dlog_var (N, 1) is the sum of (6) over them.
    """
    count = x.shape[1] // log_var.shape[1]  # numbers that share a log_var
    d = x - mu  # (N, D)
    scaled = d * np.exp(-log_var)  # (N, D)
    squares = d * scaled  # (N, D)
    if count != 1:
        squares = squares.sum(axis=1, keepdims=True)  # (N, 1)
    log_prob = -(count * (LOG_TWO_PI + log_var) + squares).sum(axis=1) / 2  # (N,)   (5)
    scale = dvalue[:, None]  # (N, 1)
    return log_prob, scale * scaled, scale * (squares - count) / 2  # (6)


def log_prob(x: Array, mu: Array, log_var: Array) -> Array:
    """The log-density of x, nats per example: x, mu, log_var (N, ...) -> (N,).

    log_var may also be a scalar or (N, 1, ...), which all numbers of an example share.
    """
    x, mu, log_var = map(in_rows, np.broadcast_arrays(x, mu, log_var))  # (N, D) each
    return value_and_gradient(x, mu, log_var, np.ones(len(x), x.dtype))[0]


def log_prob_gradients(x: Array, mu: Array, log_var: Array, dvalue: Array) -> SimpleNamespace:
    """`.x`, `.mu` and `.log_var` (N, ...), for dvalue (N,).

    `.log_var` has an entry for each number: where numbers share a log_var, its gradient is the sum
    of theirs, which the caller takes.
    """
    shape = np.broadcast_shapes(*map(np.shape, (x, mu, log_var)))  # (N, ...)
    x, mu, log_var = map(in_rows, np.broadcast_arrays(x, mu, log_var))  # (N, D) each
    _, dmu, dlog_var = value_and_gradient(x, mu, log_var, dvalue)
    dmu = dmu.reshape(shape)
    return SimpleNamespace(x=-dmu, mu=dmu, log_var=dlog_var.reshape(shape))  # (6)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(draw_and_kl, weight=8)
def draw_and_kl_loop(part, parts, heads, noise, z, kl):
    count, latents = z.shape
    half = heads.dtype.type(0.5)
    left, right = share_row(latents, part, parts)
    kl = kl[left:right]
    kl[:] = 0
    for n in range(count):
        mu, lv = heads[n, left:right], heads[n, latents + left : latents + right]
        noise_n, z_n = noise[n, left:right], z[n, left:right]
        for j in range(kl.size):
            z_n[j] = mu[j] + exp(half * lv[j]) * noise_n[j]  # (1)
            kl[j] += half * (mu[j] * mu[j] + expm1(lv[j]) - lv[j])  # (3)
    for j in range(kl.size):
        kl[j] /= count


@loop_of(draw_and_kl_backward, weight=8)
def draw_and_kl_backward_loop(part, parts, heads, noise, dz, kl, beta, free_bits, dheads):
    count, latents = dz.shape
    half, zero = heads.dtype.type(0.5), heads.dtype.type(0)
    beta_share = heads.dtype.type(beta[0] / count)
    top, bottom = share(count, part, parts)
    for n in range(top, bottom):
        mu, lv = heads[n, :latents], heads[n, latents:]
        dmu, dlv = dheads[n, :latents], dheads[n, latents:]
        noise_n, dz_n = noise[n], dz[n]
        for j in range(latents):
            weight = beta_share if kl[j] > free_bits else zero
            dmu[j] = dz_n[j] + weight * mu[j]  # (2, 4)
            of_draw = dz_n[j] * noise_n[j] * exp(half * lv[j])
            dlv[j] = half * (of_draw + weight * expm1(lv[j]))  # (2, 4)

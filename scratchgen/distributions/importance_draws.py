"""K draws of q(z|x) for each example, each with its log-ratio, log p(z) - log q(z|x).

Draw k of example n is row n K + k. With z = mu + exp(lv / 2) noise, and the prior p = N(0, I),

    log p(z) - log q(z|x) = 1/2 sum_j (lv_j + noise_j^2 - z_j^2)                        (1)

because (z - mu) exp(-lv / 2) in the density of q is the noise, and log 2 pi cancels. An
importance-weighted bound (losses/importance.py) needs (1) and its gradient. Let r be the derivative
of the loss L by the log-ratio (1), and dz that by z through everything except (1). For each example

    dmu = sum_k d,   dlv = 1/2 sum_k (d noise exp(lv / 2) + r),   d = dz - r z          (2)

This is the total derivative: mu and log_var move z, and they also move the density q. If they are
held fixed in log q(z|x), so that they only move z, the derivative is

    dmu = sum_k (d + r noise exp(-lv / 2))
    dlv = 1/2 sum_k (d noise exp(lv / 2) + r noise^2)                                   (3)

(3) is (2) plus r times the gradient of log q(z|x) by mu and log_var at z, whose mean over the draws
is 0.

Sources: (1, 2) Burda et al. 2016; (3) Roeder et al. 2017. Everything is in nats.
"""

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, loop_of, share
from ..kernels.functions import exp, sum_of
from .gaussian import draw, draw_gradients

# mypy: disable-error-code="no-untyped-def"


@formula("heads (N, 2 Z), noise (N K, Z) -> z (N K, Z), log_ratio (N K,), _terms (1+, 2 Z)")
def draws_and_log_ratio(heads: Array, noise: Array) -> tuple[Array, Array]:
    """heads (N, 2Z), noise (N K, Z) -> z (N K, Z), and log p(z) - log q(z|x) (N K,)."""
    mu, log_var = np.split(heads[:, None], 2, axis=2)  # (N, 1, Z) each
    noise_k = by_example(noise, heads)  # (N, K, Z)
    z = draw(mu, log_var, noise_k)  # (N, K, Z)
    log_ratio = (log_var + noise_k**2 - z**2).sum(axis=2) / 2  # (N, K)   (1)
    return z.reshape(noise.shape), log_ratio.reshape(len(noise))


@formula("heads (N, 2 Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2 Z)")
def draws_and_log_ratio_backward(
    heads: Array, noise: Array, z: Array, dz: Array, dratio: Array
) -> Array:
    """heads (N, 2Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2Z), as in (2)."""
    _, log_var = np.split(heads[:, None], 2, axis=2)  # (N, 1, Z)
    r = by_example(dratio[:, None], heads)  # (N, K, 1)
    noise_k = by_example(noise, heads)  # (N, K, Z)
    d = by_example(dz, heads) - r * by_example(z, heads)  # (N, K, Z)
    of_draw = draw_gradients(log_var, noise_k, d)  # .mu, .log_var (N, K, Z)
    dmu, dlog_var = of_draw.mu, of_draw.log_var + r / 2  # (N, K, Z) each   (2)
    return np.concatenate([dmu.sum(axis=1), dlog_var.sum(axis=1)], axis=1)  # (N, 2Z)


@formula(
    "heads (N, 2 Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2 Z), _terms (1+, 2 Z)"
)
def draws_path_backward(heads: Array, noise: Array, z: Array, dz: Array, dratio: Array) -> Array:
    """heads (N, 2Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2Z), as in (3)."""
    _, log_var = np.split(heads[:, None], 2, axis=2)  # (N, 1, Z)
    r = by_example(dratio[:, None], heads)  # (N, K, 1)
    noise_k = by_example(noise, heads)  # (N, K, Z)
    d = by_example(dz, heads) - r * by_example(z, heads)  # (N, K, Z)
    of_draw = draw_gradients(log_var, noise_k, d)  # .mu, .log_var (N, K, Z)
    dmu = of_draw.mu + r * noise_k * np.exp(-log_var / 2)  # (N, K, Z)   (3)
    dlog_var = of_draw.log_var + r * noise_k**2 / 2  # (N, K, Z)   (3)
    return np.concatenate([dmu.sum(axis=1), dlog_var.sum(axis=1)], axis=1)  # (N, 2Z)


def by_example(x: Array, heads: Array) -> Array:
    """x (N K, ...), K rows for each row of heads (N, ...) -> (N, K, ...)."""
    return x.reshape(len(heads), len(x) // len(heads), *x.shape[1:])


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(draws_and_log_ratio, weight=4, of=1)
def draws_and_log_ratio_loop(part, parts, heads, noise, z, log_ratio, _terms):
    latents, half = noise.shape[1], heads.dtype.type(0.5)
    draws = len(noise) // len(heads)
    terms, std = _terms[part, :latents], _terms[part, latents : 2 * latents]
    top, bottom = share(len(heads), part, parts)
    for n in range(top, bottom):
        mu, lv = heads[n, :latents], heads[n, latents:]
        for j in range(latents):
            std[j] = exp(half * lv[j])
        for i in range(n * draws, (n + 1) * draws):
            noise_i, z_i = noise[i], z[i]
            for j in range(latents):
                z_i[j] = mu[j] + std[j] * noise_i[j]
                terms[j] = lv[j] + noise_i[j] * noise_i[j] - z_i[j] * z_i[j]
            log_ratio[i] = half * sum_of(terms)  # (1)


@loop_of(draws_and_log_ratio_backward, weight=4, of=1)
def draws_and_log_ratio_backward_loop(part, parts, heads, noise, z, dz, dratio, dheads):
    latents, half, zero = noise.shape[1], heads.dtype.type(0.5), heads.dtype.type(0)
    draws = len(noise) // len(heads)
    top, bottom = share(len(heads), part, parts)
    for n in range(top, bottom):
        lv, dmu, dlv = heads[n, latents:], dheads[n, :latents], dheads[n, latents:]
        dmu[:], dlv[:], of_ratios = zero, zero, zero
        for i in range(n * draws, (n + 1) * draws):
            noise_i, z_i, dz_i, r = noise[i], z[i], dz[i], dratio[i]
            of_ratios += r
            for j in range(latents):
                d = dz_i[j] - r * z_i[j]
                dmu[j] += d  # (2)
                dlv[j] += d * noise_i[j]
        for j in range(latents):
            dlv[j] = half * (dlv[j] * exp(half * lv[j]) + of_ratios)  # (2)


@loop_of(draws_path_backward, weight=4, of=1)
def draws_path_backward_loop(part, parts, heads, noise, z, dz, dratio, dheads, _terms):
    latents, half, zero = noise.shape[1], heads.dtype.type(0.5), heads.dtype.type(0)
    draws = len(noise) // len(heads)
    of_mu, of_lv = _terms[part, :latents], _terms[part, latents : 2 * latents]  # in log q
    top, bottom = share(len(heads), part, parts)
    for n in range(top, bottom):
        lv, dmu, dlv = heads[n, latents:], dheads[n, :latents], dheads[n, latents:]
        dmu[:], dlv[:], of_mu[:], of_lv[:] = zero, zero, zero, zero
        for i in range(n * draws, (n + 1) * draws):
            noise_i, z_i, dz_i, r = noise[i], z[i], dz[i], dratio[i]
            for j in range(latents):
                d, pull = dz_i[j] - r * z_i[j], r * noise_i[j]
                dmu[j] += d
                dlv[j] += d * noise_i[j]
                of_mu[j] += pull
                of_lv[j] += pull * noise_i[j]
        for j in range(latents):
            dmu[j] += of_mu[j] * exp(-half * lv[j])  # (3)
            dlv[j] = half * (dlv[j] * exp(half * lv[j]) + of_lv[j])  # (3)

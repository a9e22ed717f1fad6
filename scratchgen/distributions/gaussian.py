"""The diagonal Gaussian N(mu, exp(log_var)): the encoder's q(z|x), and one kind of p(x|z).

    z = mu + exp(log_var / 2) noise,   noise ~ N(0, I)                                  (1)
    dmu = dz,   dlog_var = dz noise exp(log_var / 2) / 2                                (2)
    KL(N(mu, exp(log_var)) || N(0, I)) = 1/2 sum_j (mu_j^2 + exp(lv_j) - 1 - lv_j)      (3)
    dKL/dmu = mu,   dKL/dlog_var = (exp(log_var) - 1) / 2                               (4)
    log N(x) = -1/2 sum_j (log 2 pi + lv_j + (x_j - mu_j)^2 exp(-lv_j))                 (5)
    dmu = (x - mu) exp(-lv),   dlog_var = ((x - mu)^2 exp(-lv) - 1) / 2,   dx = -dmu    (6)

lv is short for log_var. The noise is drawn by the caller, once: (1) and (2) are given the same.
Where several numbers share a log_var, its gradient is the sum of theirs.

In training, a VAE computes (1) with (3), and on the way back (2) with (4), from `heads` as an
encoder gives them: mu and log_var side by side. kl_j is the mean over the batch of latent j's term
in (3), and weight_j the dvalue that (4) is multiplied by, with beta and free bits as in
models/variational.py:

    kl_j = 1/N sum_n (mu_nj^2 + exp(lv_nj) - 1 - lv_nj) / 2                             (7)
    weight_j = beta / N where kl_j > free_bits, otherwise 0                             (8)

An importance-weighted bound (losses/importance.py) takes K draws for each example: draw k of
example n is row n K + k. Of its density under the prior p = N(0, I) and under q, the ratio is

    log p(z) - log q(z|x) = 1/2 sum_j (lv_j + noise_j^2 - z_j^2)                        (9)

because (z - mu) exp(-lv / 2) in (5) is the noise, and log 2 pi cancels. With r the derivative of L
by (9), and dz the gradient of L by z through all else but (9), the gradients of each example are

    dmu = sum_k d,   dlv = 1/2 sum_k (d noise exp(lv / 2) + r),   d = dz - r z          (10)

That is the total derivative: mu and log_var move z, by (1), and they move the density q. With mu
and log_var held fixed in log q(z|x), so that they move z alone, the derivative is

    dmu = sum_k (d + r noise exp(-lv / 2))
    dlv = 1/2 sum_k (d noise exp(lv / 2) + r noise^2)                                   (11)

(11) is (10) plus r times the gradient (6) of log q(z|x) at z, whose mean over the draws is 0.

Sources: (1) to (6) Kingma and Welling 2014, section 2.4 and appendix B; (9, 10) Burda et al. 2016;
(11) Roeder et al. 2017. All in nats.
"""

import math
from types import SimpleNamespace

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, share, share_row, twin_of
from ..kernels.functions import exp, expm1, sum_of
from .rows import in_rows

# mypy: disable-error-code="no-untyped-def"

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


def kl_terms_gradients(mu: Array, log_var: Array, dterms: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dterms (N, Z), or for dterms (N, 1) or (Z,), broadcast."""
    return SimpleNamespace(mu=dterms * mu, log_var=dterms * np.expm1(log_var) / 2)  # (4)


def kl_to_standard(mu: Array, log_var: Array) -> Array:
    """KL to N(0, I), nats per example: mu, log_var (N, Z) -> (N,)."""
    return kl_terms(mu, log_var).sum(axis=1)  # (3)


def kl_to_standard_gradients(mu: Array, log_var: Array, dvalue: Array) -> SimpleNamespace:
    """`.mu` and `.log_var` (N, Z), for dvalue (N,)."""
    return kl_terms_gradients(mu, log_var, dvalue[:, None])  # (4)


def log_prob(x: Array, mu: Array, log_var: Array) -> Array:
    """The log-density of x, nats per example: x, mu, log_var (N, ...) -> (N,).

    log_var may also be a scalar or (N, 1, ...), which the numbers share.
    """
    x, mu, log_var = map(in_rows, np.broadcast_arrays(x, mu, log_var))  # (N, D) each
    return value_and_gradient(x, mu, log_var, np.ones(len(x), x.dtype))[0]


def log_prob_gradients(x: Array, mu: Array, log_var: Array, dvalue: Array) -> SimpleNamespace:
    """`.x`, `.mu` and `.log_var` (N, ...), for dvalue (N,).

    `.log_var` has an entry for each number: where numbers share a log_var, the caller sums them.
    """
    shape = np.broadcast_shapes(*map(np.shape, (x, mu, log_var)))  # (N, ...)
    x, mu, log_var = map(in_rows, np.broadcast_arrays(x, mu, log_var))  # (N, D) each
    _, dmu, dlog_var = value_and_gradient(x, mu, log_var, dvalue)
    dmu = dmu.reshape(shape)
    return SimpleNamespace(x=-dmu, mu=dmu, log_var=dlog_var.reshape(shape))  # (6)


def value_and_gradient(
    x: Array, mu: Array, log_var: Array, dvalue: Array
) -> tuple[Array, Array, Array]:
    """x, mu (N, D), log_var, dvalue (N,) -> log N(x) (N,), dmu (N, D) and dlog_var.

    log_var and dlog_var are (N, D). Where the numbers of an example share one log_var, it is (N, 1)
    or (1, 1), and dlog_var (N, 1).
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


@formula("heads (N, 2 Z), noise (N, Z) -> z (N, Z), kl (Z,) float64")
def draw_and_kl(heads: Array, noise: Array) -> tuple[Array, Array]:
    """heads (N, 2Z), noise (N, Z) -> z (N, Z), and the KL of each latent (Z,), in float64."""
    mu, log_var = np.split(heads, 2, axis=1)  # (N, Z) each
    z = draw(mu, log_var, noise)  # (N, Z)   (1)
    return z, kl_terms(mu, log_var).mean(axis=0, dtype=np.float64)  # (Z,)   (7)


@twin_of(draw_and_kl, weight=8)
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
        kl[j] /= count  # (7)


@formula(
    "heads (N, 2 Z), noise, dz (N, Z), kl (Z,) float64, beta (1,) float64, free_bits () float64"
    " -> dheads (N, 2 Z)"
)
def draw_and_kl_backward(
    heads: Array, noise: Array, dz: Array, kl: Array, beta: Array, free_bits: float
) -> Array:
    """heads (N, 2Z), noise, dz (N, Z), kl (Z,), beta (1,) -> dheads (N, 2Z)."""
    mu, log_var = np.split(heads, 2, axis=1)  # (N, Z) each
    weight = np.where(kl > free_bits, beta / len(heads), 0).astype(heads.dtype)  # (Z,)   (8)
    of_draw = draw_gradients(log_var, noise, dz)  # .mu, .log_var (N, Z)   (2)
    of_kl = kl_terms_gradients(mu, log_var, weight)  # .mu, .log_var (N, Z)   (4)
    dmu, dlog_var = of_draw.mu + of_kl.mu, of_draw.log_var + of_kl.log_var  # (N, Z) each
    return np.concatenate([dmu, dlog_var], axis=1)  # (N, 2Z)


@twin_of(draw_and_kl_backward, weight=8)
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
            weight = beta_share if kl[j] > free_bits else zero  # (8)
            dmu[j] = dz_n[j] + weight * mu[j]  # (2, 4)
            of_draw = dz_n[j] * noise_n[j] * exp(half * lv[j])
            dlv[j] = half * (of_draw + weight * expm1(lv[j]))  # (2, 4)


@formula("heads (N, 2 Z), noise (N K, Z) -> z (N K, Z), log_ratio (N K,), _terms (1+, 2 Z)")
def draws_and_log_ratio(heads: Array, noise: Array) -> tuple[Array, Array]:
    """heads (N, 2Z), noise (N K, Z) -> z (N K, Z), and log p(z) - log q(z|x) (N K,)."""
    mu, log_var = np.split(heads[:, None], 2, axis=2)  # (N, 1, Z) each
    each = by_example(noise, heads)  # (N, K, Z)
    z = draw(mu, log_var, each)  # (N, K, Z)   (1)
    log_ratio = (log_var + each**2 - z**2).sum(axis=2) / 2  # (N, K)   (9)
    return z.reshape(noise.shape), log_ratio.reshape(len(noise))


@twin_of(draws_and_log_ratio, weight=4, of=1)
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
                z_i[j] = mu[j] + std[j] * noise_i[j]  # (1)
                terms[j] = lv[j] + noise_i[j] * noise_i[j] - z_i[j] * z_i[j]
            log_ratio[i] = half * sum_of(terms)  # (9)


@formula("heads (N, 2 Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2 Z)")
def draws_and_log_ratio_backward(
    heads: Array, noise: Array, z: Array, dz: Array, dratio: Array
) -> Array:
    """heads (N, 2Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2Z), as in (10)."""
    _, log_var = np.split(heads[:, None], 2, axis=2)  # (N, 1, Z)
    r = by_example(dratio[:, None], heads)  # (N, K, 1)
    each = by_example(noise, heads)  # (N, K, Z)
    d = by_example(dz, heads) - r * by_example(z, heads)  # (N, K, Z)
    of_draw = draw_gradients(log_var, each, d)  # .mu, .log_var (N, K, Z)   (2)
    dmu, dlog_var = of_draw.mu, of_draw.log_var + r / 2  # (N, K, Z) each   (10)
    return np.concatenate([dmu.sum(axis=1), dlog_var.sum(axis=1)], axis=1)  # (N, 2Z)


@twin_of(draws_and_log_ratio_backward, weight=4, of=1)
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
                dmu[j] += d  # (10)
                dlv[j] += d * noise_i[j]
        for j in range(latents):
            dlv[j] = half * (dlv[j] * exp(half * lv[j]) + of_ratios)  # (10)


@formula(
    "heads (N, 2 Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2 Z), _terms (1+, 2 Z)"
)
def draws_path_backward(heads: Array, noise: Array, z: Array, dz: Array, dratio: Array) -> Array:
    """heads (N, 2Z), noise, z, dz (N K, Z), dratio (N K,) -> dheads (N, 2Z), as in (11)."""
    _, log_var = np.split(heads[:, None], 2, axis=2)  # (N, 1, Z)
    r = by_example(dratio[:, None], heads)  # (N, K, 1)
    each = by_example(noise, heads)  # (N, K, Z)
    d = by_example(dz, heads) - r * by_example(z, heads)  # (N, K, Z)
    of_draw = draw_gradients(log_var, each, d)  # .mu, .log_var (N, K, Z)   (2)
    dmu = of_draw.mu + r * each * np.exp(-log_var / 2)  # (N, K, Z)   (11)
    dlog_var = of_draw.log_var + r * each**2 / 2  # (N, K, Z)   (11)
    return np.concatenate([dmu.sum(axis=1), dlog_var.sum(axis=1)], axis=1)  # (N, 2Z)


@twin_of(draws_path_backward, weight=4, of=1)
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
            dmu[j] += of_mu[j] * exp(-half * lv[j])  # (11)
            dlv[j] = half * (dlv[j] * exp(half * lv[j]) + of_lv[j])  # (11)


def by_example(x: Array, heads: Array) -> Array:
    """x (N K, ...), K rows for each row of heads (N, ...) -> (N, K, ...)."""
    return x.reshape(len(heads), len(x) // len(heads), *x.shape[1:])

"""The reparameterised draw of a VAE with its KL term, in one pass forward and one back.

    mu, lv = heads[:, :Z], heads[:, Z:]                 side by side, as an encoder gives them
    z = mu + exp(lv / 2) noise                                                          (1)
    kl_j = mean over n of (mu^2 + exp(lv) - 1 - lv) / 2                                 (2)
    dmu = dz + weight mu                                                                (3)
    dlv = dz noise exp(lv / 2) / 2 + weight (exp(lv) - 1) / 2                           (4)

lv is short for log_var. The sum over n of the KL of latent j has the weight beta / N in the loss,
and none where kl_j is free: not above free_bits. distributions/gaussian.py has each formula by
itself, and its source.
"""

import numpy as np

from ..checks import Array
from .functions import exp, expm1
from .sharing import share, share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def draw_and_kl_reference(heads: Array, noise: Array, z: Array, kl: Array) -> None:
    """heads (N, 2Z), noise (N, Z): writes z (N, Z) and kl (Z,), nats in float64."""
    mu, lv = np.split(heads, 2, axis=1)  # (N, Z) each
    z[...] = mu + np.exp(lv / 2) * noise  # (1)
    kl[...] = ((mu * mu + np.expm1(lv) - lv) / 2).mean(axis=0, dtype=np.float64)  # (2)


@twin_of(
    draw_and_kl_reference,
    takes="heads (N, 2 Z), noise (N, Z) -> z (N, Z), kl (Z,) float64",
    weight=8,
)
def draw_and_kl(part, parts, heads, noise, z, kl):
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
            kl[j] += half * (mu[j] * mu[j] + expm1(lv[j]) - lv[j])  # (2)
    for j in range(kl.size):
        kl[j] /= count


def draw_and_kl_back_reference(
    heads: Array, noise: Array, dz: Array, kl: Array, weighing: Array, dheads: Array
) -> None:
    """heads (N, 2Z), noise, dz (N, Z), kl (Z,), weighing = (beta / N, free_bits): writes dheads."""
    mu, lv = np.split(heads, 2, axis=1)  # (N, Z) each
    dmu, dlv = np.split(dheads, 2, axis=1)
    weight = np.where(kl > weighing[1], weighing[0], heads.dtype.type(0))  # (Z,)
    dmu[...] = dz + weight * mu  # (3)
    dlv[...] = dz * noise * np.exp(lv / 2) / 2 + weight * np.expm1(lv) / 2  # (4)


@twin_of(
    draw_and_kl_back_reference,
    takes="heads (N, 2 Z), noise, dz (N, Z), kl (Z,) float64, weighing (2,) -> dheads (N, 2 Z)",
    weight=8,
)
def draw_and_kl_back(part, parts, heads, noise, dz, kl, weighing, dheads):
    count, latents = dz.shape
    half, zero = heads.dtype.type(0.5), heads.dtype.type(0)
    full, free = weighing[0], weighing[1]
    top, bottom = share(count, part, parts)
    for n in range(top, bottom):
        mu, lv = heads[n, :latents], heads[n, latents:]
        dmu, dlv = dheads[n, :latents], dheads[n, latents:]
        noise_n, dz_n = noise[n], dz[n]
        for j in range(latents):
            weight = full if kl[j] > free else zero
            dmu[j] = dz_n[j] + weight * mu[j]  # (3)
            of_draw = dz_n[j] * noise_n[j] * exp(half * lv[j])
            dlv[j] = half * (of_draw + weight * expm1(lv[j]))  # (4)

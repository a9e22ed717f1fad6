"""The reparameterised draw of a VAE with its KL term, in one pass forward and one back.

    mu, lv = heads[:, :Z], heads[:, Z:]                 side by side, as an encoder gives them
    z = mu + exp(lv / 2) noise                                                          (1)
    kl_j = mean over n of (mu^2 + exp(lv) - 1 - lv) / 2                                 (2)
    dmu = dz + weight mu                                                                (3)
    dlv = dz noise exp(lv / 2) / 2 + weight (exp(lv) - 1) / 2                           (4)

lv is short for log_var. weight_j is what the sum over n of the KL of latent j weighs in the loss:
beta / N. distributions/gaussian.py has each formula by itself, and its source.
"""

import numpy as np

from ..checks import Array
from .compiling import twin_of
from .functions import exp, expm1
from .sharing import share_row


def draw_and_kl_reference(heads: Array, noise: Array, z: Array, kl: Array) -> None:
    """heads (N, 2Z), noise (N, Z): writes z (N, Z) and kl (Z,), nats in float64."""
    mu, lv = np.split(heads, 2, axis=1)  # (N, Z) each
    z[...] = mu + np.exp(lv / 2) * noise  # (1)
    kl[...] = ((mu * mu + np.expm1(lv) - lv) / 2).mean(axis=0, dtype=np.float64)  # (2)


@twin_of(draw_and_kl_reference, weight=8)
def draw_and_kl(part, parts, heads, noise, z, kl):  # type: ignore[no-untyped-def]
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
    heads: Array, noise: Array, dz: Array, weight: Array, dheads: Array
) -> None:
    """heads (N, 2Z), noise and dz (N, Z), weight (Z,): writes dheads (N, 2Z)."""
    mu, lv = np.split(heads, 2, axis=1)  # (N, Z) each
    dmu, dlv = np.split(dheads, 2, axis=1)
    dmu[...] = dz + weight * mu  # (3)
    dlv[...] = dz * noise * np.exp(lv / 2) / 2 + weight * np.expm1(lv) / 2  # (4)


@twin_of(draw_and_kl_back_reference, weight=8)
def draw_and_kl_back(part, parts, heads, noise, dz, weight, dheads):  # type: ignore[no-untyped-def]
    count, latents = dz.shape
    half = heads.dtype.type(0.5)
    left, right = share_row(latents, part, parts)
    weight = weight[left:right]
    for n in range(count):
        mu, lv = heads[n, left:right], heads[n, latents + left : latents + right]
        dmu, dlv = dheads[n, left:right], dheads[n, latents + left : latents + right]
        noise_n, dz_n = noise[n, left:right], dz[n, left:right]
        for j in range(weight.size):
            dmu[j] = dz_n[j] + weight[j] * mu[j]  # (3)
            of_draw = dz_n[j] * noise_n[j] * exp(half * lv[j])
            dlv[j] = half * (of_draw + weight[j] * expm1(lv[j]))  # (4)

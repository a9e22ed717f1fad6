"""Does a linear VAE find what probabilistic PCA knows? On three seeds, at three variances.

    python demos/ppca.py                prints a table, leaves ppca.png

The encoder is mu = x W + b with a log-variance for each latent, the decoder V z + c with variance
s2. The best such VAE is probabilistic PCA (Lucas et al. 2019): its loss is the least -log p(x) that
any x ~ N(c, V V^T + s2 I) with Z latents can have. With l_1 >= ... >= l_D the eigenvalues of the
data's covariance and k the number of the first Z that are above s2 (Tipping and Bishop 1999),

    max mean log p(x) = -1/2 [D log 2 pi + sum_{i<=k} log l_i + (D - k) log s2
                              + k + sum_{i>k} l_i / s2]                                  (1)

and where s2 is learned, the best is the mean of the last D - Z of the l_i. Then k latents carry
something, KL_j = log(l_j / s2) / 2 nats, and the others nothing.

All is Gaussian, so nothing here is estimated from draws: for z ~ N(mu, diag v)

    E|x - V z - c|^2 = |x - V mu - c|^2 + sum_j v_j |V_j|^2                              (2)
"""

import numpy as np

import scratchgen as sg
from scratchgen.distributions import FixedGaussian, SharedGaussian, gaussian

SEEDS = (0, 1, 2)
SPECTRUM = (12, 8, 4, 2, 0.5, 0.4, 0.12, 0.1, 0.08, 0.06)
VARIANCES = (3.0, 1.0, None)  # None is learned
LATENT, N, BATCH, EPOCHS = 6, 1_000, 100, 250
RATE, KEEP = 0.02, 0.99
ACTIVE = 0.01  # nats: a latent with more is active


def data(spectrum, n: int, rng) -> np.ndarray:
    """x (n, D) of mean 0 whose covariance has exactly these eigenvalues, in random directions."""
    rng = np.random.default_rng(rng)
    raw = rng.standard_normal((n, len(spectrum)))
    u, _, _ = np.linalg.svd(raw - raw.mean(axis=0), full_matrices=False)  # u^T u = I
    directions = sg.nn.Orthogonal()(rng, (len(spectrum),) * 2, (0, 0))  # (D, D)
    return u * np.sqrt(n * np.array(spectrum)) @ directions


def best(spectrum, latent: int, variance: float | None) -> tuple[float, int]:
    """The maximum (1), and k."""
    l, d = np.sort(spectrum)[::-1], len(spectrum)
    s2 = l[latent:].mean() if variance is None else variance
    k = int((l[:latent] > s2).sum())
    inside = np.log(l[:k]).sum() + (d - k) * np.log(s2) + k + (l[k:] / s2).sum()
    return -(d * np.log(2 * np.pi) + inside) / 2, k  # (1)


def linear_vae(d: int, latent: int, variance: float | None, rng) -> sg.models.VAE:
    """The model; its decoder ends in the one learned log-variance where `variance` is None."""
    encoder = sg.nn.Network((d,), sg.nn.Dense(d, latent), sg.nn.JoinParameters(latent))
    end = [sg.nn.JoinParameters(1)] if variance is None else []
    decoder = sg.nn.Network((latent,), sg.nn.Dense(latent, d), *end)
    likelihood = SharedGaussian() if variance is None else FixedGaussian(variance)
    return sg.models.VAE(encoder, decoder, likelihood, dtype="float64", rng=rng)


def train(model: sg.models.VAE, x, seed: int, epochs: int, batch: int, callbacks=()) -> None:
    """Adam with a rate that falls to 0, and averaged weights."""
    steps = epochs * -(-len(x) // batch)
    adam = sg.optim.Adam(sg.optim.Cosine(RATE, steps))
    more = {"optimizer": adam, "average": KEEP, "callbacks": callbacks}
    sg.fit(model, x, epochs=epochs, batch_size=batch, seed=seed, **more)


def kl_per_latent(model: sg.models.VAE, x) -> np.ndarray:
    """The mean KL of each latent: (Z,)."""
    q = model.posterior(x)
    return gaussian.kl_terms(q.mu, q.log_var).mean(axis=0)


def exact_elbo(model: sg.models.VAE, x, variance: float | None) -> float:
    """The mean over x of E[log p(x|z)] - KL, by (2)."""
    q, decoder = model.posterior(x), model.players["vae"].views.decoder
    s2 = np.exp(decoder[1].b[0]) + model.likelihood.least_variance if variance is None else variance
    spread = np.exp(q.log_var) @ (decoder[0].w ** 2).sum(axis=1)  # (N,): sum_j v_j |V_j|^2
    squared = ((x - model.decode(q.mu)) ** 2).sum(axis=1) + spread  # (N,)   (2)
    log_prob = -(x.shape[1] * np.log(2 * np.pi * s2) + squared / s2) / 2  # (N,)
    return float((log_prob - gaussian.kl_to_standard(q.mu, q.log_var)).mean())


def main() -> None:
    x = data(SPECTRUM, N, rng=0)
    print("variance  seed   maximum      ours  gap, nats   active  right")
    for variance in VARIANCES:
        maximum, k = best(SPECTRUM, LATENT, variance)
        for seed in SEEDS:
            kl: list[np.ndarray] = []
            model = linear_vae(len(SPECTRUM), LATENT, variance, rng=seed)
            note = lambda run: kl.append(kl_per_latent(run.model, x))
            train(model, x, seed, EPOCHS, BATCH, note)
            ours = exact_elbo(model, x, variance)
            active = int((kl_per_latent(model, x) > ACTIVE).sum())
            shown = variance or "learned"
            print(
                f"{shown!s:8}{seed:6}{maximum:10.4f}{ours:10.4f}{maximum - ours:11.5f}"
                f"{active:9}{k:7}"
            )

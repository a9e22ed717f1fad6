"""Does a linear VAE find the optimum of probabilistic PCA? Three variances, three seeds.

    python demos/ppca.py                prints a table, leaves ppca.png

The encoder is mu = x W + b, with one log-variance for each latent that does not depend on x; the
decoder is z V + c, with variance s2. The best such VAE is probabilistic PCA (Lucas et al. 2019):
there the encoder is exact, so that the ELBO equals log p(x), and no x ~ N(c, V^T V + s2 I) has a
larger one. Let l_1 >= ... >= l_D be the eigenvalues of the data's covariance, and k the number of
the first Z of them that are above s2. Then (Tipping and Bishop 1999)

    max mean log p(x) = -1/2 [D log 2 pi + sum_{i<=k} log l_i + (D - k) log s2
                              + k + sum_{i>k} l_i / s2]                                  (1)

A learned s2 becomes the mean of the last D - Z of the l_i. The k active latents have
KL_j = log(l_j / s2) / 2 nats; the others are pruned, with KL_j = 0.

The ELBO is computed exactly, without draws, because for z ~ N(mu, diag v)

    E|x - z V - c|^2 = |x - mu V - c|^2 + sum_j v_j |V_j|^2                              (2)
"""

import numpy as np

import scratchgen as sg
from scratchgen.distributions import FixedGaussian, SharedGaussian, gaussian

SEEDS, VARIANCES = (0, 1, 2), (None, 3.0, 1.0)  # None is learned
SPECTRUM = (12, 8, 4, 2, 0.7, 0.4, 0.24, 0.21, 0.19, 0.16)
LATENT, N, EPOCHS, BATCH = 6, 500, 1_500, 250
ACTIVE = 0.01  # nats: a latent whose KL is larger is active


def data(spectrum, n: int, rng: int) -> np.ndarray:
    """x (n, D) of mean 0 whose covariance has exactly these eigenvalues, in random directions."""
    stream = np.random.default_rng(rng)
    d = len(spectrum)
    drawn = stream.standard_normal((n, d))
    white, _, _ = np.linalg.svd(drawn - drawn.mean(axis=0), full_matrices=False)  # (n, D)
    directions = sg.nn.Orthogonal()(stream, (d, d), (d, d))  # (D, D)
    return np.sqrt(n) * white * np.sqrt(spectrum) @ directions


def best(spectrum, latent: int, variance: float | None) -> tuple[float, int]:
    """The maximum (1), and the number k of active latents."""
    values, d = np.sort(spectrum)[::-1], len(spectrum)  # l_1 >= ... >= l_D
    s2 = values[latent:].mean() if variance is None else variance
    k = int((values[:latent] > s2).sum())
    terms = d * np.log(2 * np.pi) + np.log(values[:k]).sum() + (d - k) * np.log(s2)
    return float(-(terms + k + values[k:].sum() / s2) / 2), k  # (1)


def linear_vae(d: int, latent: int, variance: float | None, rng: int) -> sg.models.VAE:
    """The model; for a variance of None its decoder ends in one learned log-variance."""
    learned = variance is None
    encoder = sg.nn.Network((d,), sg.nn.Dense(d, latent), sg.nn.JoinParameters(latent))
    end = [sg.nn.JoinParameters(1)] if learned else []
    decoder = sg.nn.Network((latent,), sg.nn.Dense(latent, d), *end)
    likelihood = SharedGaussian() if learned else FixedGaussian(variance)
    return sg.models.VAE(encoder, decoder, likelihood, dtype="float64", rng=rng)


def train(model: sg.models.VAE, x, seed: int, epochs: int, batch: int) -> dict[str, list[float]]:
    """Train with Adam at a rate that falls to 0, and average; the KL of each latent by epoch."""
    kl: dict[str, list[float]] = {f"z[{j}]": [] for j in range(model.latent)}

    def record(run) -> None:
        for values, value in zip(kl.values(), kl_per_latent(run.model, x), strict=True):
            values.append(value)

    adam = sg.optim.Adam(sg.optim.Cosine(0.1, epochs * -(-len(x) // batch)))
    settings = {"epochs": epochs, "batch_size": batch, "seed": seed}
    sg.fit(model, x, **settings, optimizer=adam, average=0.99, callbacks=record)
    return kl


def kl_per_latent(model: sg.models.VAE, x) -> np.ndarray:
    """The mean KL of each latent in nats: (Z,)."""
    q = model.posterior(x)
    return gaussian.kl_terms(q.mu, q.log_var).mean(axis=0)


def exact_elbo(model: sg.models.VAE, x, variance: float | None) -> float:
    """E[log p(x|z)] - KL by (2), a mean over x."""
    q, decoder = model.posterior(x), model.views.decoder
    s2 = variance or np.exp(decoder[1].b[0]) + model.likelihood.least_variance
    spread = np.exp(q.log_var) @ (decoder[0].w ** 2).sum(axis=1)  # (N,): sum_j v_j |V_j|^2
    squares = ((x - model.decode(q.mu)) ** 2).sum(axis=1) + spread  # (N,)   (2)
    log_prob = -(x.shape[1] * np.log(2 * np.pi * s2) + squares / s2) / 2  # (N,)
    return float((log_prob - gaussian.kl_to_standard(q.mu, q.log_var)).mean())


def main() -> None:
    x = data(SPECTRUM, N, rng=0)
    print("variance  maximum     ours      std   gaps, by seed, nats        active  true")
    for variance in VARIANCES:
        maximum, k = best(SPECTRUM, LATENT, variance)
        elbos, active = [], []
        for seed in SEEDS:
            model = linear_vae(len(SPECTRUM), LATENT, variance, rng=seed)
            kl = train(model, x, seed, EPOCHS, BATCH)
            elbos.append(exact_elbo(model, x, variance))
            active.append(str((kl_per_latent(model, x) > ACTIVE).sum()))
        gaps = "".join(f"{maximum - elbo:9.5f}" for elbo in elbos)
        numbers = f"{maximum:9.4f}{np.mean(elbos):9.4f}{np.std(elbos, ddof=1):9.5f}"
        print(f"{variance or 'learned'!s:8}{numbers}{gaps}{' '.join(active):>9}{k:6}")
    sg.plots.losses(kl, "ppca.png", f"KL of each latent in nats: {k} of {LATENT} stay active")


if __name__ == "__main__":
    main()

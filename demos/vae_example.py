"""Does our VAE reach the loss of PyTorch's example? Three seeds, the example's protocol.

    SCRATCHGEN_DATA=../shared/data python demos/vae_example.py      leaves vae_example.png

The network is 784-400-(20, 20)-400-784 with ReLU; pixels in [0, 1] are the targets of a Bernoulli
likelihood; Adam at 1e-3, batches of 128, ten epochs. The example's two heads of 20 are here the
columns of a single Dense(400, 40): both are drawn from U(-a, a), a = 1 / sqrt(400), so the initial
weights have the same distribution.

The example takes the gradient of a sum over the batch, we take that of the mean. Adam divides such
a factor out, except in its eps: with eps / 128 every full batch gives the example's step.
"""

import time

import numpy as np

import scratchgen as sg
from scratchgen.distributions import gaussian

SEEDS, EPOCHS, BATCH = (0, 1, 2), 10, 128
DATA, TRAIN, TEST = "mnist", 60_000, 10_000

THEIRS = {
    "test loss, z drawn": "105.59, 105.61",
    "test loss, z = mu": "97.02 to 97.68",
    "train loss, last epoch": "106.31",
    "seconds an epoch": "8.7 to 13.4",
}
DEVIATIONS = """deviations from the example:
  the last batch of an epoch, of 96, weighs as much in Adam as one of 128
  NumPy's random numbers"""


def example(seed: int) -> sg.models.VAE:
    """The example's model."""

    def dense(n_in: int, n_out: int) -> sg.nn.Dense:
        return sg.nn.Dense(n_in, n_out, weights="fan_in_uniform", bias="fan_in_uniform")

    shape = (28, 28, 1)
    encoder = sg.nn.Network(shape, sg.nn.Flatten(), dense(784, 400), sg.nn.ReLU(), dense(400, 40))
    decoder = sg.nn.Network(
        (20,), dense(20, 400), sg.nn.ReLU(), dense(400, 784), sg.nn.Reshape(shape)
    )
    return sg.models.VAE(encoder, decoder, "bernoulli", rng=seed)


def loss_at_mean(model: sg.models.VAE, x) -> float:
    """The loss with z = mu in place of a draw, which the example's first versions reported."""
    q = model.posterior(x)
    raw = model.apply("decoder", q.mu)  # (N, 28, 28, 1)
    loss = gaussian.kl_to_standard(q.mu, q.log_var) - model.likelihood.log_prob(x, raw)  # (N,)
    return float(loss.mean(dtype=np.float64))


def main() -> None:
    x, test = sg.data.load(DATA)[:TRAIN], sg.data.load(DATA, split="test")[:TEST]
    print(f"{DATA}: {len(x):,} to train on, {len(test):,} to test on; {EPOCHS} epochs")
    print(DEVIATIONS)
    adam = sg.optim.Adam(1e-3, eps=1e-8 / BATCH)
    ours: dict[str, list[float]] = {name: [] for name in THEIRS}
    for seed in SEEDS:
        model, start = example(seed), time.perf_counter()
        history = sg.fit(
            model,
            x,
            epochs=EPOCHS,
            batch_size=BATCH,
            seed=seed,
            optimizer=adam,
            even_batches=False,  # as in the example, whose last batch is shorter
        )
        seconds = (time.perf_counter() - start) / EPOCHS
        drawn = -float(model.elbo(test, rng=seed).mean(dtype=np.float64))
        numbers = (drawn, loss_at_mean(model, test), history["loss"][-1], seconds)
        for values, number in zip(ours.values(), numbers, strict=True):
            values.append(number)
    width = 7 * len(SEEDS)
    print(f"{'':23}{'ours, by seed':>{width}}{'mean':>7}{'std':>7}   theirs")
    for name, values in ours.items():
        each = "".join(f"{value:7.2f}" for value in values)
        spread = np.std(values, ddof=1)
        print(f"{name:23}{each}{np.mean(values):7.2f}{spread:7.2f}   {THEIRS[name]}")
    shown = test[:40]
    title = "test digits, and their reconstructions below"
    sg.plots.pairs(shown, model.reconstruct(shown), "vae_example.png", title)


if __name__ == "__main__":
    main()

"""The models on which training is measured: their sizes, and our versions of them.

    vae       784-128-20-128-784, Bernoulli logits, Adam 1e-3
    gaussian  784-128-20-128-1568, real numbers with a mean and a variance each, Adam 1e-3
    iwae      784-200-200-50-200-200-784, tanh, a plain ELBO step
    gan       2-128-128-2 against 2-128-128-1, non-saturating, both trained, Adam 1e-3, b1 = 0.5
    critic    784-256-256-1 with the gradient penalty, against a fixed generator 64-256-256-784

The operations of a VAE's step, for N examples and dense layers of I_k inputs and O_k outputs:

    6 N sum_k I_k O_k - 2 N I_0 O_0        the gradient by the examples is not needed     (1)

tests/peers/ has the same models in other tools, which start from the same weights and examples.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from .. import data, distributions, models, nn, optim
from ..ground.arguments import Array, Shape

RATES = {"vae": (1e-3, 0.9, 0.999), "gan": (1e-3, 0.5, 0.999), "critic": (1e-4, 0.5, 0.9)}
SLOPE = 0.2  # of LeakyReLU, in discriminators
PENALTY = 10.0  # the weight of the gradient penalty
LEAST = math.log(distributions.Gaussian().least_variance)
DRAWN = 2000  # digits, repeated: the time does not depend on what they show


@dataclass(frozen=True)
class Task:
    """One model at one batch size; an epoch has `examples` examples."""

    name: str
    game: str  # "vae", "gan" or "critic"
    size: int
    hidden: Shape  # of the encoder, or of the generator; mirrored in the other network
    latent: int
    batch: int
    examples: int
    activation: str = "relu"
    likelihood: str = "bernoulli"  # of a "vae", or "gaussian"
    compared: bool = True  # with other tools

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-self.examples // self.batch)

    @property
    def rate(self) -> tuple[float, float, float]:
        """The learning rate, b1 and b2 of Adam."""
        return RATES[self.game]

    def widths(self) -> dict[str, Shape]:
        """The widths of each network, from its input to its output."""
        wide, up = (self.size, *self.hidden), self.hidden[::-1]
        if self.game == "vae":
            raw = 2 * self.size if self.likelihood == "gaussian" else self.size
            return {"encoder": (*wide, 2 * self.latent), "decoder": (self.latent, *up, raw)}
        return {
            "generator": (self.latent, *self.hidden, self.size),
            "discriminator": (self.size, *up, 1),
        }

    def operations(self) -> float:
        """Multiplications and additions in the products of one step (1); 0 if it is no VAE."""
        if self.game != "vae":
            return 0.0
        layers = [a * b for widths in self.widths().values() for a, b in pairwise(widths)]
        return self.batch * (6.0 * sum(layers) - 2.0 * layers[0])  # (1)


def _vae(name: str, batch: int, examples: int, **sizes: Any) -> Task:
    known: dict[str, Any] = {"size": 784, "hidden": (128,), "latent": 20}
    return Task(name, "vae", batch=batch, examples=examples, **{**known, **sizes})


_odd: dict[str, Any] = {"size": 780, "hidden": (130,), "latent": 18, "compared": False}
TASKS = [
    _vae("vae 784-128-20, batch 20", 20, 10_240),
    _vae("vae 784-128-20, batch 128", 128, 25_600),
    _vae("vae 784-128-20, batch 512", 512, 51_200),
    _vae("vae 780-130-18, batch 19", 19, 9_728, **_odd),
    _vae("vae 780-130-18, batch 130", 130, 26_000, **_odd),
    _vae("vae 780-130-18, batch 500", 500, 50_000, **_odd),
    _vae("vae-example 784-400-20, batch 128", 128, 60_000, hidden=(400,)),
    _vae("iwae 784-200-200-50, batch 20", 20, 5_120, hidden=(200, 200), latent=50,
         activation="tanh"),
    Task("gan 2-128-128, batch 256", "gan", 2, (128, 128), 2, 256, 51_200),
    Task("critic 784-256-256-1, batch 64", "critic", 784, (256, 256), 64, 64, 6_400),
    _vae("gaussian 784-128-20, batch 20", 20, 10_240, likelihood="gaussian"),
    _vae("gaussian 784-128-20, batch 128", 128, 25_600, likelihood="gaussian"),
    _vae("gaussian 784-128-20, batch 512", 512, 51_200, likelihood="gaussian"),
]  # fmt: skip
STEP = TASKS[:3]  # each has a ratio of its own
ODD = TASKS[3:6]  # should be as efficient as STEP
EPOCH = TASKS[6]  # an epoch of 60,000 pictures
OTHERS = TASKS[6:10]  # their ratios have a geometric mean
GAUSSIAN = TASKS[10:]  # the default likelihood of vectors


def task(name: str) -> Task:
    """The task of that name."""
    return next(entry for entry in TASKS if entry.name == name)


def shortened(of: Task, examples: int) -> Task:
    """The same task with fewer examples."""
    return replace(of, examples=min(examples, of.examples))


def model(of: Task, dtype: str = "float32") -> models.Model:
    """Our model, with the weights that every tool starts from."""
    if of.game == "vae":
        kind = {"relu": nn.ReLU, "tanh": nn.Tanh}[of.activation]
        encoder, decoder = (
            nn.Network(widths[:1], *_dense(widths, kind)) for widths in of.widths().values()
        )
        return models.VAE(encoder, decoder, of.likelihood, dtype=dtype, rng=0)
    settings: dict[str, Any] = {"latent": of.latent, "hidden": of.hidden, "dtype": dtype, "rng": 0}
    if of.game == "gan":
        return models.gan((of.size,), **settings)
    never = 10**9  # steps until the generator's turn
    return models.wgan_gp((of.size,), output="sigmoid", discriminator_steps=never, **settings)


def _dense(widths: Shape, activation: type[nn.Layer]) -> list[nn.Layer]:
    layers: list[nn.Layer] = []
    for a, b in pairwise(widths):
        layers += [nn.Dense(a, b, weights="he_normal"), activation()]
    return layers[:-1]


def optimizers(of: Task) -> dict[str, optim.Optimizer]:
    """Adam for each player."""
    players = ("vae",) if of.game == "vae" else ("discriminator", "generator")
    rate, b1, b2 = of.rate
    return {player: optim.Adam(rate, b1=b1, b2=b2) for player in players}


def weights(of: models.Model) -> dict[str, list[Array]]:
    """Copies of w, b, w, b ... of each network, from its input to its output."""
    copies: dict[str, list[Array]] = {name: [] for name in of.networks}
    for entry, array in of.block.arrays():
        copies[entry.name.split(".")[0]].append(array.copy())
    return copies


def examples(of: Task, n: int | None = None) -> Array:
    """The examples of an epoch, or n of them, (n, size) float32: ring points or digits' pixels."""
    n = of.examples if n is None else n
    if of.game == "gan":
        return np.asarray(data.ring(n, rng=0))
    digits = data.digits(min(n, DRAWN), rng=0).reshape(-1, 784)[:, : of.size]
    return np.ascontiguousarray(np.resize(digits, (n, of.size)))

"""A small model of every kind, with all arguments of its objective, for tests of whole steps.

In float64, with drawn parameters and state, none at its initial value, and smooth: what has a kink
is drawn again until it is far enough from it for differences to be right.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import scratchgen as sg
from scratchgen.distributions import (
    LIKELIHOODS,
    Categorical,
    FixedGaussian,
    Likelihood,
    SharedGaussian,
    gaussian,
)
from scratchgen.losses import R1, GradientPenalty
from scratchgen.nn import (
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    JoinLabels,
    JoinParameters,
    Layer,
    LayerNorm,
    Network,
    Reshape,
    Residual,
    Tanh,
    Tied,
)

NOISE = 7  # one seed for all calls of objective: the noise is frozen
N_LABELS = 3
SHAPE, LATENT = (3,), 2


def network(*widths: int, first: tuple[Layer, ...] = (), last: tuple[Layer, ...] = ()) -> Network:
    """Dense layers with tanh between them, after `first` and before `last`."""
    n_in = widths[0] - sum(layer.size() for layer in first if isinstance(layer, JoinLabels))
    layers: list[Layer] = []
    for a, b in itertools.pairwise(widths):
        layers += [Dense(a, b), Tanh()]
    return Network((n_in,), *first, *layers[:-1], *last)


def hidden(n_in: int, n_out: int, *middle: Layer) -> Network:
    """Two dense layers with `middle` between them, which takes and gives four numbers."""
    return Network((n_in,), Dense(n_in, 4), *middle, Dense(4, n_out))


def vae(encoder=None, decoder=None, likelihood="bernoulli", **settings) -> sg.models.VAE:
    encoder, decoder = encoder or network(3, 4, 4), decoder or network(2, 4, 3)
    return sg.models.VAE(encoder, decoder, likelihood, dtype="float64", rng=0, **settings)


def gan(loss="non_saturating", generator=None, discriminator=None, **settings) -> sg.models.GAN:
    generator = generator or network(2, 4, 3)
    discriminator = discriminator or network(3, 4, 1)
    return sg.models.GAN(generator, discriminator, loss, dtype="float64", rng=0, **settings)


def batch_norm() -> tuple[Layer, ...]:
    """Its eps is so large that no drawn batch has a spread near a kink."""
    return BatchNorm(4, eps=0.3), Tanh()


def layer_norm() -> tuple[Layer, ...]:
    return LayerNorm(4, eps=0.3), Tanh()


def join() -> JoinLabels:
    return JoinLabels(N_LABELS, 2)


def residual() -> Residual:
    return Residual(network(4, 3, 4))


def tied_vae() -> sg.models.VAE:
    shared = Dense(3, 4)
    encoder = Network((3,), shared, Tanh(), Dense(4, 4))
    return vae(encoder, Network((2,), Dense(2, 4), Tanh(), Tied(shared)))


def twice_vae() -> sg.models.VAE:
    """A layer is used twice in the encoder and once in the decoder."""
    twice = Dense(3, 3)
    encoder = Network((3,), twice, Tanh(), Network((3,), twice, Tanh()), Dense(3, 4))
    return vae(encoder, Network((2,), Dense(2, 3), Tanh(), twice))


def twice_gan() -> sg.models.GAN:
    """Each network uses a layer twice; the discriminator is penalised."""
    maker, judge = Dense(3, 3), Dense(3, 3)
    generator = Network((2,), Dense(2, 3), Tanh(), maker, Tanh(), maker)
    discriminator = Network((3,), judge, Tanh(), judge, Tanh(), Dense(3, 1))
    return gan("least_squares", generator, discriminator, penalty=R1(2.0))


def reals(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal((n, *SHAPE))


def zeros_and_ones(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(2, size=(n, *SHAPE)).astype(float)


def classes(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(3, size=(n, *SHAPE)).astype(float)


@dataclass(frozen=True)
class Kind:
    """How to build a model and draw its data, whether it has labels, and the number of the step."""

    build: Callable[[], sg.models.Model]
    data: Callable[[np.random.Generator, int], np.ndarray] = reals
    labels: bool = False
    step: int | None = None


VAES = {
    "bernoulli": Kind(lambda: vae(beta=0.7), zeros_and_ones),
    "categorical": Kind(
        lambda: vae(None, network(2, 4, 9, last=(Reshape((3, 3)),)), Categorical(3)), classes
    ),
    "gaussian_fixed": Kind(lambda: vae(likelihood=FixedGaussian(0.5), beta=4.0)),
    "mse": Kind(lambda: vae(likelihood="mse")),
    "gaussian_shared": Kind(
        lambda: vae(None, network(2, 4, 3, last=(JoinParameters(1),)), SharedGaussian(0.1))
    ),
    "gaussian": Kind(lambda: vae(None, network(2, 4, 6), "gaussian", beta=0.7)),
    "warm_up": Kind(lambda: vae(beta=2.0, warm_up=10), zeros_and_ones, step=3),
    "free_bits": Kind(lambda: vae(beta=2.0, free_bits=1.0), zeros_and_ones),
    "VAE with batch norm": Kind(
        lambda: vae(hidden(3, 4, *batch_norm()), hidden(2, 3, *batch_norm())), zeros_and_ones
    ),
    "VAE with layer norm": Kind(
        lambda: vae(hidden(3, 4, *layer_norm()), hidden(2, 3, *layer_norm())), zeros_and_ones
    ),
    "VAE with dropout": Kind(
        lambda: vae(hidden(3, 4, Tanh(), Dropout(0.3)), hidden(2, 3, Dropout(0.3), Tanh()), "mse")
    ),
    "VAE with labels": Kind(
        lambda: vae(network(5, 4, 4, first=(join(),)), network(4, 4, 3, first=(join(),))),
        zeros_and_ones,
        labels=True,
    ),
    "VAE with tied weights": Kind(tied_vae, zeros_and_ones),
    "VAE with a layer used thrice": Kind(twice_vae, zeros_and_ones),
    "VAE with residuals": Kind(
        lambda: vae(hidden(3, 4, residual()), hidden(2, 3, residual())), zeros_and_ones
    ),
}


def vae_with(likelihood: Likelihood) -> sg.models.VAE:
    """A VAE whose decoder gives what the likelihood reads."""
    raw = likelihood.raw_shape(SHAPE)
    return vae(None, network(2, 4, math.prod(raw), last=(Reshape(raw),)), likelihood)


VAES |= {
    name: Kind(lambda likelihood=likelihood: vae_with(likelihood))  # type: ignore[misc]
    for name, likelihood in LIKELIHOODS.examples().items()
    if name not in VAES
}
GANS = {
    **{name: Kind(lambda name=name: gan(name)) for name in sg.losses.LOSSES},  # type: ignore[misc]
    "gradient_penalty": Kind(lambda: gan("wasserstein", penalty=GradientPenalty(10.0))),
    "r1": Kind(lambda: gan("non_saturating", penalty=R1(3.0))),
    "GAN with batch norm": Kind(
        lambda: gan("minimax", hidden(2, 3, *batch_norm()), hidden(3, 1, *batch_norm()))
    ),
    "penalised GAN with batch norm in its generator": Kind(
        lambda: gan("least_squares", hidden(2, 3, *batch_norm()), penalty=R1())
    ),
    "penalised GAN with layer norm": Kind(
        lambda: gan(
            "wasserstein",
            hidden(2, 3, *layer_norm()),
            hidden(3, 1, *layer_norm()),
            penalty="gradient_penalty",
        )
    ),
    "penalised GAN with dropout and noise": Kind(
        lambda: gan(
            "non_saturating",
            hidden(2, 3, Tanh(), Dropout(0.3)),
            Network((3,), GaussianNoise(0.3), Dense(3, 4), Dropout(0.3), Tanh(), Dense(4, 1)),
            penalty="r1",
        )
    ),
    "penalised GAN with labels": Kind(
        lambda: gan(
            "wasserstein",
            network(4, 4, 3, first=(join(),)),
            network(5, 4, 1, first=(join(),)),
            penalty="gradient_penalty",
        ),
        labels=True,
    ),
    "penalised GAN with residuals": Kind(
        lambda: gan("minimax", hidden(2, 3, residual()), hidden(3, 1, residual()), penalty="r1")
    ),
    "penalised GAN with layers used twice": Kind(twice_gan),
}
KINDS = VAES | GANS

# Parameters that a step need not move, because the number depends on them only by rounding: a bias
# before a batch norm, which subtracts the mean; the last bias of a critic of which only differences
# of scores count.
UNMOVED = {
    "VAE with batch norm": {"encoder.0.b", "decoder.0.b"},
    "GAN with batch norm": {"generator.0.b", "discriminator.0.b"},
    "penalised GAN with batch norm in its generator": {"generator.0.b"},
    "wasserstein": {"discriminator.2.b"},
    "gradient_penalty": {"discriminator.2.b"},
    "penalised GAN with layer norm": {"discriminator.3.b"},
    "penalised GAN with labels": {"discriminator.3.b"},
}


def owned(model: sg.models.Model, player: str) -> list[np.ndarray]:
    """Copies of what the player moves, and of the state of its networks."""
    states = [model.block.state_of(name).copy() for name in model.players[player]]
    return [model.theta(player).copy(), *states]


class Whole:
    """A model of that kind, its parameters drawn, and the arguments of its objective."""

    def __init__(self, kind: str, n: int, seed: int, training: bool = True) -> None:
        chosen, rng = KINDS[kind], np.random.default_rng(seed)
        self.model = chosen.build()
        self.x = chosen.data(rng, n)
        self.labels = rng.permutation(n) % N_LABELS if chosen.labels else None
        self.keywords = {"training": training, "step": chosen.step, "labels": self.labels}
        while True:
            for entry, array in self.model.block.arrays():
                if entry.trained:
                    array[...] = rng.standard_normal(array.shape) * 0.6
            self.model.state[:] = rng.uniform(0.5, 1.5, self.model.state.size)
            if self.is_far_from_kinks():
                return

    def objective(self, player, gradient=None, noise=NOISE, **changed) -> float:
        return self.model.objective(player, self.x, noise, gradient, **(self.keywords | changed))

    def fakes(self) -> np.ndarray:
        """The generator's examples for the frozen noise, in evaluation."""
        z = np.random.default_rng(NOISE).standard_normal((len(self.x), LATENT))
        return self.model.decode(z, self.labels)

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """dD(x_n)/dx_n, by differences of the scores alone, with an error of h^4."""
        slopes, h = np.empty_like(x), 1e-3
        for k in range(x.shape[1]):
            step = np.zeros_like(x)
            step[:, k] = h

            def score(times, step=step):
                return self.model.score(x + times * step, self.labels)

            slopes[:, k] = (8 * (score(1) - score(-1)) - (score(2) - score(-2))) / (12 * h)
        return slopes

    def points(self) -> np.ndarray:
        """Where the penalty takes the slope: at x, or at e x + (1 - e) G(z), e drawn after z."""
        if not isinstance(self.model.penalty, GradientPenalty):
            return self.x
        rng = np.random.default_rng(NOISE)
        rng.standard_normal((len(self.x), LATENT))
        e = rng.random(len(self.x))[:, None]
        return e * self.x + (1 - e) * self.fakes()

    def is_far_from_kinks(self) -> bool:
        """Whether differences see a smooth function; sets free_bits between two latents' KL."""
        model = self.model
        if getattr(model, "free_bits", 0):
            q = model.posterior(self.x)
            kl = gaussian.kl_terms(q.mu, q.log_var).mean(axis=0)  # (2,)
            model.free_bits = float(kl.mean())  # one below and one above
            return abs(kl[0] - kl[1]) > 0.1
        if isinstance(model, sg.models.VAE):
            return True
        if model.loss.name == "hinge":
            r, f = model.score(self.x), model.score(self.fakes())
            return min(np.abs(r - 1).min(), np.abs(f + 1).min()) > 0.05
        if isinstance(model.penalty, GradientPenalty):
            return np.linalg.norm(self.slopes(self.points()), axis=1).min() > 0.2
        return True

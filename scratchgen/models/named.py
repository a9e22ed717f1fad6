"""Models by name: from sizes to parts. Each says only how it is made."""

import math
from typing import Any

from ..checks import Shape, example_shape, one_of, real, sizes, whole
from ..distributions import Gaussian, Likelihood, likelihood_for
from ..losses import AdversarialLoss
from ..nn import (
    Dense,
    Flatten,
    GaussianNoise,
    Layer,
    LeakyReLU,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
)
from ..rng import Rng
from .adversarial import GAN
from .autoencoder import VAE

OUTPUTS: dict[str, tuple[type[Layer], ...]] = {
    "linear": (),
    "sigmoid": (Sigmoid,),
    "tanh": (Tanh,),
}


def vae(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128,),
    beta: float = 1.0,
    likelihood: str | Likelihood | None = None,
    dtype: Any = "float32",
    rng: Rng = None,
) -> VAE:
    """A dense VAE for examples of `shape`, its decoder the mirror of its encoder.

    Args:
        shape: of one example, (H, W, C) or (D,).
        latent: the size of z.
        hidden: the widths of the encoder's hidden layers, each followed by ReLU.
        beta: the weight of the KL term in training.
        likelihood: "bernoulli", "gaussian", or None: Bernoulli for pictures, Gaussian for vectors.
        dtype: "float32" or "float64".
        rng: for the first weights.

    Raises OptionError.

    >>> vae((28, 28, 1), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 28, 28, 1)
    """
    shape, hidden = example_shape(shape), sizes(hidden, "hidden")
    latent = whole(latent, "latent", least=1)
    likelihood = likelihood_for(likelihood, shape)
    raw_shape = likelihood.raw_shape(shape)
    # where a variance is learnt, one that begins far from 1 makes the first losses explode
    last = "normal" if isinstance(likelihood, Gaussian) else "glorot_uniform"
    n_raw = math.prod(raw_shape)
    encoder = (*_flat(shape), *_hidden(math.prod(shape), hidden, ReLU, 2 * latent, last))
    decoder = (*_hidden(latent, hidden[::-1], ReLU, n_raw, last), *_shaped(raw_shape))
    return VAE(
        encoder=Network(shape, *encoder),
        decoder=Network((latent,), *decoder),
        likelihood=likelihood,
        beta=beta,
        dtype=dtype,
        rng=rng,
    )


def gan(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128, 128),
    loss: str | AdversarialLoss = "non_saturating",
    discriminator_steps: int = 1,
    output: str | None = None,
    instance_noise: float | None = None,
    dtype: Any = "float32",
    rng: Rng = None,
) -> GAN:
    """A dense GAN for examples of `shape`: ReLU in the generator, LeakyReLU in the discriminator.

    Args:
        shape: of one example, (H, W, C) or (D,).
        latent: the size of z.
        hidden: the widths of the generator's hidden layers; the discriminator has them reversed.
        loss: "non_saturating" or "minimax".
        discriminator_steps: the discriminator's moves for each move of the generator.
        output: how the generator ends: "sigmoid", "tanh", "linear", or None: sigmoid for pictures,
            linear for vectors.
        instance_noise: the standard deviation of the noise that is added to whatever the
            discriminator sees in training; None: 0.5 for pictures, 0 for vectors.
        dtype: "float32" or "float64".
        rng: for the first weights.

    Raises OptionError.

    >>> gan((2,), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 2)
    """
    shape, hidden = example_shape(shape), sizes(hidden, "hidden")
    latent = whole(latent, "latent", least=1)
    default = "sigmoid" if len(shape) == 3 else "linear"
    end = OUTPUTS[default if output is None else one_of(output, OUTPUTS, "output")]
    if instance_noise is None:
        instance_noise = 0.5 if len(shape) == 3 else 0.0
    made = (*_hidden(latent, hidden, ReLU, math.prod(shape)), *_shaped(shape))
    judged = (*_flat(shape), *_hidden(math.prod(shape), hidden[::-1], LeakyReLU, 1))
    if real(instance_noise, "instance_noise"):
        judged = (GaussianNoise(instance_noise), *judged)
    return GAN(
        generator=Network((latent,), *made, *(layer() for layer in end)),
        discriminator=Network(shape, *judged),
        loss=loss,
        discriminator_steps=discriminator_steps,
        dtype=dtype,
        rng=rng,
    )


def _hidden(
    n_in: int, widths: Shape, activation: type[Layer], n_out: int, last: str = "glorot_uniform"
) -> list[Layer]:
    """Dense and activation for each width, and a last Dense to n_out with `last` weights."""
    layers: list[Layer] = []
    for a, b in zip((n_in, *widths), widths, strict=False):
        layers += [Dense(a, b, weights="he_normal"), activation()]
    return [*layers, Dense((n_in, *widths)[-1], n_out, weights=last)]


def _flat(shape: Shape) -> list[Layer]:
    return [] if len(shape) == 1 else [Flatten()]


def _shaped(shape: Shape) -> list[Layer]:
    return [] if len(shape) == 1 else [Reshape(shape)]

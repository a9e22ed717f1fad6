"""Models by name: from sizes to parts. Each says only how it is made, or how it differs."""

import math
from typing import Any

from ..checks import Shape, example_shape, finite, is_picture, one_of, sizes, whole
from ..data.scaling import Scaler
from ..distributions import Gaussian, Likelihood, SharedGaussian, likelihood_for
from ..keywords import explains_keywords
from ..losses import AdversarialLoss, Penalty
from ..nn import (
    Dense,
    Flatten,
    GaussianNoise,
    JoinLabels,
    JoinParameters,
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
LABEL_WIDTH = 16  # numbers that stand for a label


@explains_keywords
def vae(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128,),
    beta: float = 1.0,
    warm_up: int = 0,
    free_bits: float = 0.0,
    likelihood: str | Likelihood | None = None,
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> VAE:
    """A dense VAE for examples of `shape`, its decoder the mirror of its encoder.

    Args:
        shape: of one example: a picture, (H, W) or (H, W, C), or a vector, (D,).
        latent: the size of z.
        hidden: the widths of the encoder's hidden layers, each followed by ReLU.
        beta, warm_up, free_bits: of the KL term in training, see VAE.
        likelihood: a name of sg.distributions.LIKELIHOODS, a likelihood, or None: Bernoulli for
            pictures, Gaussian for vectors.
        n_labels: the number of classes; above 0 both networks are given the label of each example,
            and `fit`, `sample` and the rest want labels.
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: for vectors, what they are scaled by, such as sg.data.Scaler.standard(x); the model
            takes and gives x in the units that it was fitted on.

    Raises OptionError, ShapeError or KindError.

    >>> vae((28, 28, 1), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 28, 28, 1)
    """
    shape, hidden = example_shape(shape), sizes(hidden, "hidden")
    latent = whole(latent, "latent", least=1)
    likelihood = likelihood_for(likelihood, shape)
    raw_shape = likelihood.raw_shape(shape)
    # where a variance is learnt, one that begins far from 1 makes the first losses explode
    last = "normal" if isinstance(likelihood, Gaussian | SharedGaussian) else "glorot_uniform"
    end = [JoinParameters(1)] if isinstance(likelihood, SharedGaussian) else []
    n_raw = math.prod(raw_shape) - len(end)
    encoder = _stack(math.prod(shape), hidden, ReLU, 2 * latent, last, n_labels)
    decoder = _stack(latent, hidden[::-1], ReLU, n_raw, last, n_labels)
    return VAE(
        encoder=Network(shape, *_flat(shape), *encoder),
        decoder=Network((latent,), *decoder, *end, *_shaped(raw_shape)),
        likelihood=likelihood,
        beta=beta,
        warm_up=warm_up,
        free_bits=free_bits,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )


def beta_vae(shape: Any, *, beta: float = 4.0, **settings: Any) -> VAE:
    """A VAE whose KL term weighs more (Higgins et al. 2017); as `vae`.

    >>> beta_vae((2,), rng=0).beta
    4.0
    """
    return vae(shape, beta=beta, **settings)


@explains_keywords
def gan(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128, 128),
    loss: str | AdversarialLoss = "non_saturating",
    discriminator_steps: int = 1,
    penalty: str | Penalty | None = None,
    weight_clip: float | None = None,
    output: str | None = None,
    instance_noise: float | None = None,
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> GAN:
    """A dense GAN for examples of `shape`: ReLU in the generator, LeakyReLU in the discriminator.

    Args:
        shape: of one example: a picture, (H, W) or (H, W, C), or a vector, (D,).
        latent: the size of z.
        hidden: the widths of the generator's hidden layers; the discriminator has them reversed.
        loss: the game: a name of sg.losses.LOSSES, or an AdversarialLoss.
        discriminator_steps: the discriminator's moves for each move of the generator.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        weight_clip: what the discriminator's weights are cut to after its moves, or None.
        output: how the generator ends: "sigmoid", "tanh", "linear", or None: sigmoid for pictures,
            linear for vectors.
        instance_noise: the standard deviation of the noise that is added to whatever the
            discriminator sees in training; None: 0 for vectors, and where a penalty or a clip
            bounds its slope, otherwise 0.5.
        n_labels: the number of classes; above 0 both networks are given the label of each example,
            and `fit`, `sample` and the rest want labels.
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: for vectors, what they are scaled by, such as sg.data.Scaler.standard(x); the model
            takes and gives x in the units that it was fitted on.

    Raises OptionError, ShapeError or KindError.

    >>> gan((2,), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 2)
    """
    shape, hidden = example_shape(shape), sizes(hidden, "hidden")
    latent = whole(latent, "latent", least=1)
    default = "sigmoid" if is_picture(shape) else "linear"
    end = OUTPUTS[default if output is None else one_of(output, OUTPUTS, "output")]
    if instance_noise is None:
        steep = penalty is None and weight_clip is None
        instance_noise = 0.5 if is_picture(shape) and steep else 0.0
    blur = [GaussianNoise(instance_noise)] if finite(instance_noise, "instance_noise") else []
    n = math.prod(shape)
    made = _stack(latent, hidden, ReLU, n, "glorot_uniform", n_labels)
    judged = _stack(n, hidden[::-1], LeakyReLU, 1, "glorot_uniform", n_labels)
    return GAN(
        generator=Network((latent,), *made, *_shaped(shape), *(layer() for layer in end)),
        discriminator=Network(shape, *blur, *_flat(shape), *judged),
        loss=loss,
        discriminator_steps=discriminator_steps,
        penalty=penalty,
        weight_clip=weight_clip,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )


def lsgan(shape: Any, **settings: Any) -> GAN:
    """A GAN with the least-squares game (Mao et al. 2017); as `gan`.

    >>> lsgan((2,), rng=0).loss.name
    'least_squares'
    """
    return gan(shape, loss="least_squares", **settings)


def wgan(
    shape: Any, *, weight_clip: float = 0.01, discriminator_steps: int = 5, **settings: Any
) -> GAN:
    """A GAN with the Wasserstein game and clipped weights (Arjovsky et al. 2017); as `gan`.

    >>> wgan((2,), rng=0).weight_clip
    0.01
    """
    settings |= {"weight_clip": weight_clip, "discriminator_steps": discriminator_steps}
    return gan(shape, loss="wasserstein", **settings)


def wgan_gp(
    shape: Any,
    *,
    penalty: str | Penalty = "gradient_penalty",
    discriminator_steps: int = 5,
    **settings: Any,
) -> GAN:
    """A GAN with the Wasserstein game and the gradient penalty (Gulrajani et al. 2017); as `gan`.

    >>> wgan_gp((2,), rng=0).penalty
    GradientPenalty(weight=10.0, target=1.0)
    """
    settings |= {"penalty": penalty, "discriminator_steps": discriminator_steps}
    return gan(shape, loss="wasserstein", **settings)


RECIPES = {recipe.__name__: recipe for recipe in (vae, beta_vae, gan, lsgan, wgan, wgan_gp)}


def _stack(
    n_in: int,
    widths: Shape,
    activation: type[Layer],
    n_out: int,
    last: str,
    n_labels: int,
) -> list[Layer]:
    """Labels joined, if any; Dense and activation for each width; Dense with `last` weights."""
    layers: list[Layer] = []
    if whole(n_labels, "n_labels"):
        layers, n_in = [JoinLabels(n_labels, LABEL_WIDTH)], n_in + LABEL_WIDTH
    for a, b in zip((n_in, *widths), widths, strict=False):
        layers += [Dense(a, b, weights="he_normal"), activation()]
    return [*layers, Dense((n_in, *widths)[-1], n_out, weights=last)]


def _flat(shape: Shape) -> list[Layer]:
    return [] if len(shape) == 1 else [Flatten()]


def _shaped(shape: Shape) -> list[Layer]:
    return [] if len(shape) == 1 else [Reshape(shape)]

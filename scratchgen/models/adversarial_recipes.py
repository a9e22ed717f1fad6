"""Recipes of GANs of dense layers, by the game: `gan`, `lsgan`, `wgan`, `wgan_gp`."""

from typing import Any

from ..data.scaling import Scaler
from ..distributions import Prior
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng
from ..losses import AdversarialLoss, GradientPenalty, Penalty
from ..nn import Activation
from .adversarial import GAN
from .stacks import discriminator_stack, generator_stack, noise_for

__all__ = ["gan", "lsgan", "wgan", "wgan_gp"]


@GAN.named(
    "a generative adversarial network",
    pictures={
        "epochs": 60,
        "batch_size": 128,
        "latent": 32,
        "hidden": (256, 512),
        "output": "sigmoid",
    },
    vectors={
        "epochs": 20,
        "batch_size": 256,
        "latent": 2,
        "hidden": (128, 128, 128),
        "output": "linear",
    },
)
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
    activation: str | type[Activation] | Activation | None = None,
    instance_noise: float | None = None,
    prior: str | Prior = "standard_normal",
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> GAN:
    """A GAN of dense layers for examples of `shape`.

    Args:
        shape: of one example: a picture, (H, W) or (H, W, C), or a vector, (D,).
        latent: the size of z.
        hidden: the widths of the generator's hidden layers; the discriminator has them reversed.
        loss: the game: a name of sg.losses.LOSSES, or an AdversarialLoss.
        discriminator_steps: the discriminator's moves for each move of the generator.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        weight_clip: c, to clip the discriminator's weights to [-c, c] after its moves, or None.
        output: how the generator ends: "sigmoid", "tanh", "linear", or None: sigmoid for pictures,
            linear for vectors.
        activation: after each hidden layer of both networks: a name in any case, such as "silu" or
            "leaky_relu", of an activation in sg.nn.LAYERS; a class or an object; None: ReLU in
            the generator, LeakyReLU in the discriminator.
        instance_noise: the standard deviation of the noise that is added to the discriminator's
            input in training; None: 0 for vectors, and where a penalty or a clip bounds its slope,
            otherwise 0.5.
        prior: what z is drawn from: a name of sg.distributions.PRIORS, or a Prior.
        n_labels: the number of classes; above 0 both networks are given the label of each example,
            and `fit`, `sample` and the rest want labels.
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: for vectors, such as sg.data.Scaler.standard(x); the model takes and returns x in
            the units of the data that the scaler was fitted on.

    Raises OptionError, ShapeError or KindError.

    >>> gan((2,), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 2)
    """
    bounded = penalty is not None or weight_clip is not None
    return GAN(
        generator=generator_stack(shape, hidden, latent, output, n_labels, activation),
        discriminator=discriminator_stack(
            shape, hidden, 1, noise_for(shape, bounded, instance_noise), n_labels, activation
        ),
        loss=loss,
        discriminator_steps=discriminator_steps,
        penalty=penalty,
        weight_clip=weight_clip,
        prior=prior,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )


@GAN.named("a GAN with the least-squares game", like="gan", fixed=("loss",))
def lsgan(shape: Any, **settings: Any) -> GAN:
    """A GAN with the least-squares game (Mao et al. 2017); as `gan`.

    >>> lsgan((2,), rng=0).loss.name
    'least_squares'
    """
    return gan(shape, loss="least_squares", **settings)


@GAN.named(
    "a GAN with the Wasserstein game and clipped weights",
    like="gan",
    fixed=("loss",),
    # two time scales do the same as several moves of the discriminator, in fewer steps
    pictures={"discriminator_steps": 2, "weight_clip": 0.03},
    vectors={"discriminator_steps": 1, "weight_clip": 0.1},
)
def wgan(
    shape: Any, *, weight_clip: float = 0.01, discriminator_steps: int = 5, **settings: Any
) -> GAN:
    """A GAN with the Wasserstein game and clipped weights (Arjovsky et al. 2017); as `gan`.

    >>> wgan((2,), rng=0).weight_clip
    0.01
    """
    settings |= {"weight_clip": weight_clip, "discriminator_steps": discriminator_steps}
    return gan(shape, loss="wasserstein", **settings)


@GAN.named(
    "a GAN with the Wasserstein game and a gradient penalty",
    like="gan",
    fixed=("loss", "penalty"),
    pictures={"discriminator_steps": 1, "epochs": 40, "penalty": GradientPenalty()},
    vectors={"discriminator_steps": 1, "penalty": GradientPenalty(weight=1.0)},
)
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

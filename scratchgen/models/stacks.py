"""Networks of dense layers from a few sizes, for the recipes of all families."""

import copy
import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

from ..distributions import Likelihood, SharedGaussian, likelihood_for
from ..ground.arguments import (
    MOST_EXAMPLES,
    Shape,
    example_shape,
    finite,
    is_picture,
    one_of,
    sizes,
    whole,
)
from ..ground.parts import Registry, choose, matching_name, setting
from ..nn import (
    LAYERS,
    Activation,
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

OUTPUTS = Registry(
    "output",
    "scratchgen.models.stacks.OUTPUTS",
    {"linear": (), "sigmoid": (Sigmoid,), "tanh": (Tanh,)},
)
LABEL_WIDTH = 16  # learned numbers that represent a label
NOISE = 0.5  # standard deviation, for a discriminator of pictures without a bound on its slope


def option_name(name: str) -> str:
    """A class's name in small letters, its words joined by _: "LeakyReLU" -> "leaky_relu"."""
    return re.sub("(?<=[a-z]{2})(?=[A-Z])", "_", name).lower()


def _is_activation(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Activation)


def named_activations() -> Registry:
    """The activations in sg.nn.LAYERS, the library's and the user's, by `option_name`."""
    kinds = Registry("activation", "scratchgen.nn.LAYERS")
    for name, kind in LAYERS.items():
        if _is_activation(kind):
            kinds.setdefault(option_name(name), kind)
    return kinds


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The settings of a recipe's networks; others are those of its family."""

    latent: int = setting(check=whole, text="size of z", least=1, most=MOST_EXAMPLES)
    hidden: Shape = setting(check=sizes, text="widths of the hidden layers")
    activation: str | None = setting(
        None, text="after each hidden layer", registry=named_activations()
    )
    output: str | None = setting(None, text="how the generator ends", registry=OUTPUTS)
    instance_noise: float | None = setting(
        None, finite, "standard deviation of the noise that the discriminator sees"
    )


SIZES = {field.name: field for field in dataclasses.fields(Sizes)}


def encoder_stack(
    shape: Any,
    hidden: Any,
    n_out: int,
    likelihood: str | Likelihood | None = None,
    n_labels: int = 0,
    activation: Any = None,
) -> Network:
    """x (N, *shape) -> (N, n_out), with `activation`, by default ReLU, after each hidden layer."""
    shape, hidden = example_shape(shape), sizes(hidden, "hidden")
    last = _last_weights(likelihood_for(likelihood, shape))
    between = chosen_activation(activation, ReLU)
    layers = stack(math.prod(shape), hidden, between, n_out, last, n_labels)
    return Network(shape, *_flat(shape), *layers)


def decoder_stack(
    shape: Any,
    hidden: Any,
    latent: int,
    likelihood: str | Likelihood | None = None,
    n_labels: int = 0,
    activation: Any = None,
) -> Network:
    """z (N, latent) -> raw (N, ...) for the likelihood; `hidden` are the encoder's widths."""
    shape, hidden, latent = example_shape(shape), sizes(hidden, "hidden"), latent_size(latent)
    likelihood = likelihood_for(likelihood, shape)
    raw_shape = likelihood.raw_shape(shape)
    end = [JoinParameters(1)] if isinstance(likelihood, SharedGaussian) else []
    n_raw = math.prod(raw_shape) - len(end)
    between, last = chosen_activation(activation, ReLU), _last_weights(likelihood)
    layers = stack(latent, hidden[::-1], between, n_raw, last, n_labels)
    return Network((latent,), *layers, *end, *_shaped(raw_shape))


def _last_weights(likelihood: Likelihood) -> str:
    """The initialiser of the last layer.

    The small weights of "normal" let a learnt variance start near 1; far from 1 it makes the first
    losses explode.
    """
    return "normal" if likelihood.learns_variance else "glorot_uniform"


def generator_stack(
    shape: Any,
    hidden: Any,
    latent: int,
    output: str | None = None,
    n_labels: int = 0,
    activation: Any = None,
) -> Network:
    """z (N, latent) -> (N, *shape), with `activation`, by default ReLU, after each hidden layer.

    It ends in `output`, one of OUTPUTS; None is sigmoid for pictures and linear for vectors.
    """
    shape, hidden, latent = example_shape(shape), sizes(hidden, "hidden"), latent_size(latent)
    default = "sigmoid" if is_picture(shape) else "linear"
    end = OUTPUTS[default if output is None else one_of(output, OUTPUTS, "output")]
    between = chosen_activation(activation, ReLU)
    layers = stack(latent, hidden, between, math.prod(shape), "glorot_uniform", n_labels)
    return Network((latent,), *layers, *_shaped(shape), *(layer() for layer in end))


def discriminator_stack(
    shape: Any,
    hidden: Any,
    n_out: int = 1,
    noise: float = 0.0,
    n_labels: int = 0,
    activation: Any = None,
) -> Network:
    """x (N, *shape) -> (N, n_out), with `activation`, by default LeakyReLU.

    `hidden` are the generator's widths. `noise` is the standard deviation of the noise that is
    added to its input in training.
    """
    shape, hidden = example_shape(shape), sizes(hidden, "hidden")
    blur = [GaussianNoise(noise)] if finite(noise, "instance_noise") else []
    n = math.prod(shape)
    between = chosen_activation(activation, LeakyReLU)
    layers = stack(n, hidden[::-1], between, n_out, "glorot_uniform", n_labels)
    return Network(shape, *blur, *_flat(shape), *layers)


def chosen_activation(choice: Any, default: type[Activation]) -> Activation:
    """The activation that `choice` means: a name, a class or an object; None: default.

    A name is that of LAYERS, or one that differs from it only in case and in what joins its words.

    Raises OptionError for an unknown name, KindError for anything but an activation.
    """
    names = named_activations()
    if isinstance(choice, str) and _is_activation(LAYERS.get(choice)):
        choice = LAYERS[choice]
    elif isinstance(choice, str):
        choice = matching_name(choice, names)
    activation = choose(choice, names, Activation)
    return default() if activation is None else activation


def latent_size(latent: Any) -> int:
    """The size of z as an int. Raises OptionError."""
    return whole(latent, "latent", least=1)


def noise_for(shape: Any, is_bounded: bool, noise: float | None = None) -> float:
    """The standard deviation of the noise on a discriminator's input.

    By default it is 0 for vectors, and if a penalty or a clip bounds the slope; otherwise 0.5.
    """
    if noise is not None:
        return noise
    return NOISE if is_picture(example_shape(shape)) and not is_bounded else 0.0


def stack(
    n_in: int,
    widths: Sequence[int],
    activation: Activation,
    n_out: int,
    last: str,
    n_labels: int,
) -> list[Layer]:
    """Labels joined, if any; Dense and an activation for each width; Dense with `last` weights."""
    layers: list[Layer] = []
    if whole(n_labels, "n_labels"):
        layers, n_in = [JoinLabels(n_labels, LABEL_WIDTH)], n_in + LABEL_WIDTH
    for a, b in zip((n_in, *widths), widths, strict=False):
        layers += [Dense(a, b, weights="he_normal"), copy.copy(activation)]
    return [*layers, Dense((n_in, *widths)[-1], n_out, weights=last)]


def _flat(shape: Shape) -> list[Layer]:
    """The layer that flattens examples, unless they are vectors."""
    return [] if len(shape) == 1 else [Flatten()]


def _shaped(shape: Shape) -> list[Layer]:
    """The layer that gives flat examples their shape, unless they are vectors."""
    return [] if len(shape) == 1 else [Reshape(shape)]

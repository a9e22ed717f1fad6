"""An initialiser draws the first values of a parameter.

It is a function (rng, shape, fans) -> array. fans = (I, O) are the numbers of inputs and outputs of
the layer, on which a bias may depend too.

    Constant         c
    Normal           N(0, std^2)
    FanInUniform     U(-a, a), a = 1 / sqrt(I)             PyTorch's default, weights and biases (1)
    GlorotUniform    U(-a, a), a = sqrt(6 / (I + O))       Glorot and Bengio 2010               (2)
    GlorotNormal     N(0, 2 / (I + O))                     the same variance                    (3)
    HeUniform        U(-a, a), a = sqrt(6 / I)             the same variance as (5)             (4)
    HeNormal         N(0, 2 / I)                           He et al. 2015                       (5)
    Orthogonal       gain Q, Q^T Q = 1 or Q Q^T = 1        Saxe et al. 2014                     (6)

A layer keeps the variance of signals if its weights have variance 1 / I, and that of gradients if
they have 1 / O; (2) and (3) lie between. A ReLU removes half of a signal, and (4) and (5) make up
for it. A QR decomposition leaves signs open; (6) takes those that make every Q equally likely
(Mezzadri 2007).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape, as_object, finite, one_of
from ..ground.errors import KindError, ShapeError
from ..ground.keywords import ExplainsKeywords

Fans = tuple[int, int]
Initialiser = Callable[[np.random.Generator, Shape, Fans], Array]
Initial = Callable[[np.random.Generator, Shape], Array]  # an initialiser that knows its fans


@dataclass(frozen=True)
class Constant(ExplainsKeywords):
    """The same number everywhere.

    >>> Constant(0.5)(np.random.default_rng(0), (2,), (1, 2))
    array([0.5, 0.5])
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        value = finite(self.value, "Constant: value", least=-np.inf)
        object.__setattr__(self, "value", value)

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Normal(ExplainsKeywords):
    """N(0, std^2), the same for every layer."""

    std: float = 0.02

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", finite(self.std, "Normal: std"))

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return self.std * rng.standard_normal(shape)


@dataclass(frozen=True)
class FanInUniform:
    """PyTorch's default for linear layers, weights and biases alike."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return _uniform(rng, shape, 1 / math.sqrt(fans[0]))  # (1)


@dataclass(frozen=True)
class GlorotUniform:
    """For layers before a tanh or a sigmoid, and for the last layer."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return _uniform(rng, shape, math.sqrt(6 / sum(fans)))  # (2)


@dataclass(frozen=True)
class GlorotNormal:
    """A normal distribution with GlorotUniform's variance."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return math.sqrt(2 / sum(fans)) * rng.standard_normal(shape)  # (3)


@dataclass(frozen=True)
class HeUniform:
    """A uniform distribution with HeNormal's variance."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return _uniform(rng, shape, math.sqrt(6 / fans[0]))  # (4)


@dataclass(frozen=True)
class HeNormal:
    """For layers before a ReLU."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        return math.sqrt(2 / fans[0]) * rng.standard_normal(shape)  # (5)


@dataclass(frozen=True)
class Orthogonal(ExplainsKeywords):
    """A rotation times `gain`, which keeps lengths; for weights (I, O) only.

    >>> q = Orthogonal()(np.random.default_rng(0), (3, 2), (3, 2))
    >>> (q.T @ q).round(6) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", finite(self.gain, "Orthogonal: gain", above=True))

    def __call__(self, rng: np.random.Generator, shape: Shape, fans: Fans) -> Array:
        if len(shape) != 2:
            raise ShapeError(
                f"Orthogonal() got shape {shape}, wants that of a matrix (I, O): take another "
                f"initialiser, such as 'zeros', for biases"
            )
        tall = rng.standard_normal((max(shape), min(shape)))
        q, r = np.linalg.qr(tall)  # q (max, min)
        q = q * np.where(np.diag(r) < 0, -1, 1)
        return self.gain * (q if shape[0] >= shape[1] else q.T)  # (6)


INITIALISERS: dict[str, Initialiser] = {
    "zeros": Constant(0.0),
    "ones": Constant(1.0),
    "normal": Normal(),
    "fan_in_uniform": FanInUniform(),
    "glorot_uniform": GlorotUniform(),
    "glorot_normal": GlorotNormal(),
    "he_uniform": HeUniform(),
    "he_normal": HeNormal(),
    "orthogonal": Orthogonal(),
}
KINDS: dict[str, type[Any]] = {type(item).__name__: type(item) for item in INITIALISERS.values()}


def initialiser_for(value: Any, what: str) -> Any:
    """Check an initialiser: a name, a function (rng, shape, fans), or a class of this file.

    Raises OptionError or KindError for anything else.
    """
    if isinstance(value, type) and value in KINDS.values():
        value = as_object(value, value, what)
    if isinstance(value, str):
        one_of(value, INITIALISERS, "initialiser")
    elif not callable(value) or isinstance(value, type):
        raise KindError(
            f"{what}={value!r}: wants the name of an initialiser, such as 'he_normal', or an "
            f"object, such as sg.nn.Normal(0.02)"
        )
    return value


def bound(value: str | Initialiser, fans: Fans) -> Initial:
    """The initialiser of that name, or `value` itself, with the fans of its layer filled in."""
    initialiser = INITIALISERS[value] if isinstance(value, str) else value
    return lambda rng, shape: initialiser(rng, shape, fans)


def _uniform(rng: np.random.Generator, shape: Shape, most: float) -> Array:
    return rng.uniform(-most, most, shape)

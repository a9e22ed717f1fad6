"""What a decoder's numbers mean: the likelihood p(x|z) reads them, scores x, and draws.

    Bernoulli    the decoder gives a logit per pixel
    Gaussian     the decoder gives (mu, s) per number, and log_var = log(exp(s) + least)     (1)

The least variance keeps a density from growing without bound where the data lie on a surface. The
chain rule through (1) needs

    dlog_var/ds = exp(s) / (exp(s) + least)                                                  (2)
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, Shape, one_of, real, within
from ..rng import standard_normal
from . import bernoulli, gaussian


@dataclass(frozen=True)
class Bernoulli:
    """Pixels in [0, 1], scored by the cross-entropy with sigmoid(raw); see bernoulli.py.

    >>> Bernoulli().raw_shape((28, 28, 1))
    (28, 28, 1)
    """

    name: ClassVar[str] = "bernoulli"

    def raw_shape(self, shape: Shape) -> Shape:
        """What a decoder must give for examples of `shape`: as many logits."""
        return shape

    def check(self, x: Array, what: str = "x") -> None:
        """DataError unless x, called `what`, lies in [0, 1]."""
        within(x, 0, 1, "the likelihood is Bernoulli", what)

    def log_prob(self, x: Array, raw: Array) -> Array:
        """log p(x|z) in nats per example: x (N, ...), raw (N, ...) -> (N,)."""
        return bernoulli.log_prob(x, raw)

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        """d log p(x|z) / d raw (N, ...), each example weighed by dvalue (N,)."""
        return bernoulli.log_prob_gradients(x, raw, dvalue).logits

    def mean(self, raw: Array) -> Array:
        """E[x|z] (N, ...)."""
        return kernels.sigmoid(raw)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        """A draw of x given z (N, ...)."""
        return bernoulli.draw(raw, rng)


@dataclass(frozen=True)
class Gaussian:
    """Real numbers, each with a mean and a variance that the decoder gives; see gaussian.py.

    >>> Gaussian().raw_shape((2,))
    (4,)
    """

    least_variance: float = 1e-6
    name: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        least = real(self.least_variance, "Gaussian: least_variance", above=True)
        object.__setattr__(self, "least_variance", least)

    def raw_shape(self, shape: Shape) -> Shape:
        """What a decoder must give for examples of `shape`: mu and s, side by side."""
        return (*shape[:-1], 2 * shape[-1])

    def check(self, x: Array, what: str = "x") -> None:
        """Every real number will do."""

    def log_prob(self, x: Array, raw: Array) -> Array:
        """log p(x|z) in nats per example: x (N, ..., C), raw (N, ..., 2C) -> (N,)."""
        mu, _, log_var = self._read(raw)
        return gaussian.log_prob(x, mu, log_var)

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        """d log p(x|z) / d raw (N, ..., 2C), each example weighed by dvalue (N,)."""
        mu, s, log_var = self._read(raw)
        d = gaussian.log_prob_gradients(x, mu, log_var, dvalue)
        ds = d.log_var * np.exp(s - log_var)  # (N, ..., C)   (2)
        return np.concatenate([d.mu, ds], axis=-1)  # (N, ..., 2C)

    def mean(self, raw: Array) -> Array:
        """E[x|z] (N, ..., C)."""
        mu, _, _ = self._read(raw)
        return np.ascontiguousarray(mu)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        """A draw of x given z (N, ..., C)."""
        mu, _, log_var = self._read(raw)
        return gaussian.draw(mu, log_var, standard_normal(rng, mu.shape, mu.dtype))

    def _read(self, raw: Array) -> tuple[Array, Array, Array]:
        """mu, s and log_var (N, ..., C) of raw (N, ..., 2C)."""
        mu, s = np.split(raw, 2, axis=-1)  # (N, ..., C) each
        log_least = raw.dtype.type(math.log(self.least_variance))
        return mu, s, np.logaddexp(s, log_least)  # (1)


Likelihood = Bernoulli | Gaussian
LIKELIHOODS: dict[str, type[Likelihood]] = {kind.name: kind for kind in (Bernoulli, Gaussian)}


def likelihood_for(choice: str | Likelihood | None, shape: Shape) -> Likelihood:
    """`choice` itself, or by name; None is Bernoulli for pictures (H, W, C), else Gaussian."""
    if choice is None:
        return Bernoulli() if len(shape) == 3 else Gaussian()
    if isinstance(choice, Bernoulli | Gaussian):
        return choice
    return LIKELIHOODS[one_of(choice, LIKELIHOODS, "likelihood")]()


def describe_likelihood(likelihood: Likelihood) -> dict[str, Any]:
    """`{"name": "gaussian", "least_variance": 1e-06}`: what a file holds of a likelihood."""
    return {"name": likelihood.name, **dataclasses.asdict(likelihood)}


def build_likelihood(description: dict[str, Any]) -> Likelihood:
    """The likelihood of a description."""
    fields = dict(description)
    return LIKELIHOODS[one_of(fields.pop("name"), LIKELIHOODS, "likelihood")](**fields)

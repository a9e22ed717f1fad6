"""Gaussian likelihoods: four choices of the variance, from a setting to one for each number.

    FixedGaussian       the decoder gives mu per number; the variance is a setting
    MeanSquaredError    mu per number; the variance is D/2, and therefore
                        -log p(x|z) = 1/D sum_j (x_j - mu_j)^2 + D/2 log(pi D)               (1)
    SharedGaussian      mu per number, and one s per example
    Gaussian            mu and s per number
                        log_var = log(exp(s) + least variance)                               (2)

s is a number of the decoder, as mu is: (2) makes a log-variance of it.

The least variance keeps the density from growing without bound where the data lie on a surface.
The densities, with their gradients, are in gaussian_densities.py.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ..ground.arguments import Array, Shape, finite
from ..ground.errors import OptionError
from ..ground.parts import setting
from ..kernels import standard_normal
from . import gaussian
from .gaussian_densities import (
    log_prob_fixed_gaussian,
    log_prob_gaussian,
    log_prob_shared_gaussian,
    log_variance,
)
from .likelihoods import Likelihood
from .rows import alike, in_rows

LEAST = 1e-30  # below it, 1 / variance times a square could leave float32
LEAST_TEXT = "added to each variance that the decoder gives"


def variance_above_0(value: Any, what: str) -> float:
    """`value` as a variance; OptionError unless it is above 0."""
    try:
        return finite(value, what, least=LEAST)
    except OptionError as problem:
        raise OptionError(
            f"{problem}; a variance of 0 would make the density infinite: take a small one, such "
            f"as 1e-3"
        ) from None


class _Normal(Likelihood):
    """What the Gaussian likelihoods share; they differ in where raw holds mu and log_var."""

    def _value_and_gradient_in_rows(
        self, x: Array, raw: Array, dvalue: Array
    ) -> tuple[Array, Array]:
        """log p(x|z) (N,) and its gradient by raw, in rows."""
        raise NotImplementedError

    def _log_var(self, raw: Array) -> Any:
        """The log-variance of each number of `mean`, or one that several share."""
        raise NotImplementedError

    def log_prob(self, x: Array, raw: Array) -> Array:
        self.expect(x, raw)
        x, raw = alike(x, raw)
        return self._value_and_gradient_in_rows(x, raw, np.ones(len(x), x.dtype))[0]

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        self.expect(x, raw)
        return self._value_and_gradient_in_rows(*alike(x, raw, dvalue))[1].reshape(raw.shape)

    def value_and_gradient(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        self.expect(x, raw)
        log_prob, d_raw = self._value_and_gradient_in_rows(x, raw, dvalue)
        return log_prob, d_raw.reshape(raw.shape)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        mu = self.mean(raw)
        return gaussian.draw(mu, self._log_var(raw), standard_normal(rng, mu.shape, raw.dtype))


class _OneVariance(_Normal):
    """All numbers have one variance, and raw is mu."""

    def variance_for(self, shape: Shape) -> float:
        """The variance, for examples of `shape`."""
        raise NotImplementedError

    def _value_and_gradient_in_rows(
        self, x: Array, raw: Array, dvalue: Array
    ) -> tuple[Array, Array]:
        log_var = math.log(self.variance_for(x.shape[1:]))
        return log_prob_fixed_gaussian(in_rows(x), in_rows(raw), log_var, dvalue)

    def _log_var(self, raw: Array) -> Any:
        return raw.dtype.type(math.log(self.variance_for(raw.shape[1:])))

    def mean(self, raw: Array) -> Array:
        return raw


@dataclass(frozen=True)
class FixedGaussian(_OneVariance):
    """Real numbers around the decoder's mu, all with the same variance, which is not learnt.

    Raises OptionError unless the variance is above 0.

    >>> FixedGaussian(variance=0.1).raw_shape((2,))
    (2,)
    """

    variance: float = setting(1.0, variance_above_0, "variance of each number")
    name: ClassVar[str] = "gaussian_fixed"
    formula: ClassVar[str] = "x_j ~ N(raw_j, variance)"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.3),)

    def variance_for(self, shape: Shape) -> float:
        return self.variance


@dataclass(frozen=True)
class MeanSquaredError(_OneVariance):
    """The mean squared error as a likelihood: the Gaussian around mu with the variance D/2.

    By (1), `reconstruction` is then the mean squared error, plus a constant. But D/2, 392 for a
    digit, is far more than the variance of pixels in [0, 1]: draws drown in noise, and the KL term
    has much weight. To draw samples, take another Gaussian.

    >>> MeanSquaredError().variance_for((28, 28, 1))
    392.0
    """

    name: ClassVar[str] = "mse"
    formula: ClassVar[str] = "x_j ~ N(raw_j, D/2)"

    def variance_for(self, shape: Shape) -> float:
        """D/2, for examples of `shape`."""
        return math.prod(shape) / 2


@dataclass(frozen=True)
class SharedGaussian(_Normal):
    """Real numbers, each with its mean, and one variance for all numbers of an example.

    raw is (N, D + 1), whatever the shape of x: D means and one s; `mean` and `draw` are (N, D).
    If the decoder's last number is a learnt constant, one variance is learnt for all examples.
    Raises OptionError unless the least variance is above 0.

    >>> SharedGaussian().raw_shape((28, 28, 1))
    (785,)
    """

    least_variance: float = setting(1e-6, variance_above_0, LEAST_TEXT)
    name: ClassVar[str] = "gaussian_shared"
    formula: ClassVar[str] = "x_j ~ N(mu_j, exp(s) + least_variance), (mu, s) = raw"
    learns_variance: ClassVar[bool] = True

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.02),)

    def raw_shape(self, shape: Shape) -> Shape:
        """D means and one s in a row."""
        return (math.prod(shape) + 1,)

    def _value_and_gradient_in_rows(
        self, x: Array, raw: Array, dvalue: Array
    ) -> tuple[Array, Array]:
        return log_prob_shared_gaussian(in_rows(x), raw, math.log(self.least_variance), dvalue)

    def _log_var(self, raw: Array) -> Array:
        return log_variance(raw[:, -1:], math.log(self.least_variance))  # (N, 1)   (2)

    def mean(self, raw: Array) -> Array:
        return raw[:, :-1]  # (N, D)


@dataclass(frozen=True)
class Gaussian(_Normal):
    """Real numbers, each with a mean and a variance from the decoder; see gaussian.py.

    Raises OptionError unless the least variance is above 0.

    >>> Gaussian().raw_shape((2,))
    (4,)
    """

    least_variance: float = setting(1e-6, variance_above_0, LEAST_TEXT)
    name: ClassVar[str] = "gaussian"
    formula: ClassVar[str] = "x_j ~ N(mu_j, exp(s_j) + least_variance), (mu, s) = raw"
    learns_variance: ClassVar[bool] = True

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.05),)

    def raw_shape(self, shape: Shape) -> Shape:
        """mu and s, side by side in the last axis."""
        return (*shape[:-1], 2 * shape[-1])

    def _value_and_gradient_in_rows(
        self, x: Array, raw: Array, dvalue: Array
    ) -> tuple[Array, Array]:
        least, width = math.log(self.least_variance), x.shape[-1]
        return log_prob_gaussian(in_rows(x), in_rows(raw), least, width, dvalue)

    def _log_var(self, raw: Array) -> Array:
        _, s = np.split(raw, 2, axis=-1)  # (N, ..., C)
        return log_variance(s, math.log(self.least_variance))  # (N, ..., C)   (2)

    def mean(self, raw: Array) -> Array:
        mu, _ = np.split(raw, 2, axis=-1)  # (N, ..., C)
        return mu

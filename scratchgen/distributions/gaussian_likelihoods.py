"""Gaussian likelihoods: four ways to come by a variance, from a setting to one per number.

    FixedGaussian       the decoder gives mu per number; the variance is a setting
    MeanSquaredError    mu per number; the variance is D/2, and therefore
                        -log p(x|z) = 1/D sum_j (x_j - mu_j)^2 + D/2 log(pi D)               (1)
    SharedGaussian      mu per number, and one s per example
    Gaussian            mu and s per number
                        lv = log_var = log(exp(s) + least variance)                          (2)

The least variance keeps a density from growing without bound where the data lie on a surface. With
`least` for its logarithm, and e = exp(-|s - least|),

    lv = max(s, least) + log(1 + e)                                                          (3)
    dlv/ds = exp(s) / (exp(s) + exp(least)) = sigmoid(s - least)                             (4)
           = (1 where s >= least, else e) / (1 + e)

The density itself and its gradients are in gaussian.py:

    log p(x) = -1/2 sum_j [log 2 pi + lv_j + (x_j - mu_j)^2 exp(-lv_j)]                      (5)
    dmu = (x - mu) exp(-lv),   dlv = ((x - mu)^2 exp(-lv) - 1) / 2                           (6)
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..ground.arguments import Array, Shape, finite
from ..ground.errors import OptionError
from ..ground.parts import setting
from ..kernels import formula, loop_of, share, sigmoid, standard_normal
from ..kernels.functions import exp, log1p, sum_of
from . import gaussian
from .gaussian import LOG_TWO_PI
from .likelihoods import Likelihood
from .rows import alike, in_rows

# mypy: disable-error-code="no-untyped-def"

LEAST = 1e-30  # below it, 1 / variance times a square could leave float32
LEAST_TEXT = "what is added to each variance that the decoder gives"


def variance_above_0(value: Any, what: str) -> float:
    """`value` as a variance, which is above 0."""
    try:
        return finite(value, what, least=LEAST)
    except OptionError as problem:
        raise OptionError(
            f"{problem}; a variance of 0 would make the density infinite: take a small one, such "
            f"as 1e-3"
        ) from None


class _Normal(Likelihood):
    """What the Gaussian kinds share; they differ in where raw has mu and log_var."""

    def _score(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        """log p(x|z) (N,) and its gradient by raw, in rows."""
        raise NotImplementedError

    def _log_var(self, raw: Array) -> Any:
        """The log-variance of each number of `mean`, or one that numbers share."""
        raise NotImplementedError

    def log_prob(self, x: Array, raw: Array) -> Array:
        self.expect(x, raw)
        x, raw = alike(x, raw)
        return self._score(x, raw, np.ones(len(x), x.dtype))[0]

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        self.expect(x, raw)
        return self._score(*alike(x, raw, dvalue))[1].reshape(raw.shape)

    def value_and_gradient(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        self.expect(x, raw)
        log_prob, d_raw = self._score(x, raw, dvalue)
        return log_prob, d_raw.reshape(raw.shape)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        mu = self.mean(raw)
        return gaussian.draw(mu, self._log_var(raw), standard_normal(rng, mu.shape, raw.dtype))


class _OneVariance(_Normal):
    """All numbers have one variance, and raw is mu."""

    def variance_for(self, shape: Shape) -> float:
        """The variance, for examples of `shape`."""
        raise NotImplementedError

    def _score(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        log_var = math.log(self.variance_for(x.shape[1:]))
        return score_fixed_gaussian(in_rows(x), in_rows(raw), log_var, dvalue)

    def _log_var(self, raw: Array) -> Any:
        return raw.dtype.type(math.log(self.variance_for(raw.shape[1:])))

    def mean(self, raw: Array) -> Array:
        return raw


@dataclass(frozen=True)
class FixedGaussian(_OneVariance):
    """Real numbers around the decoder's mu, with one variance for all that is not learnt.

    Raises OptionError unless the variance is above 0.

    >>> FixedGaussian(variance=0.1).raw_shape((2,))
    (2,)
    """

    variance: float = setting(1.0, variance_above_0, "variance of each number")
    name: ClassVar[str] = "gaussian_fixed"
    formula: ClassVar[str] = "x_j ~ N(raw_j, variance)"

    def variance_for(self, shape: Shape) -> float:
        return self.variance


@dataclass(frozen=True)
class MeanSquaredError(_OneVariance):
    """The mean squared error as a likelihood: the Gaussian around mu with the variance D/2.

    By (1), `reconstruction` is then the mean squared error, plus a number that mu cannot change.
    D/2, 392 for a digit, is far more than pixels in [0, 1] vary by: draws drown in noise, and the
    KL term weighs much. To draw samples, take another Gaussian.

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
    Where the decoder's last number is a learnt constant, one variance is learnt for all examples.
    Raises OptionError unless the least variance is above 0.

    >>> SharedGaussian().raw_shape((28, 28, 1))
    (785,)
    """

    least_variance: float = setting(1e-6, variance_above_0, LEAST_TEXT)
    name: ClassVar[str] = "gaussian_shared"
    formula: ClassVar[str] = "x_j ~ N(mu_j, exp(s) + least_variance), (mu, s) = raw"

    def raw_shape(self, shape: Shape) -> Shape:
        """D means and one s in a row."""
        return (math.prod(shape) + 1,)

    def _score(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        return score_shared_gaussian(in_rows(x), raw, math.log(self.least_variance), dvalue)

    def _log_var(self, raw: Array) -> Array:
        return log_variance(raw[:, -1:], math.log(self.least_variance))  # (N, 1)

    def mean(self, raw: Array) -> Array:
        return raw[:, :-1]  # (N, D)


@dataclass(frozen=True)
class Gaussian(_Normal):
    """Real numbers, each with a mean and a variance that the decoder gives; see gaussian.py.

    Raises OptionError unless the least variance is above 0.

    >>> Gaussian().raw_shape((2,))
    (4,)
    """

    least_variance: float = setting(1e-6, variance_above_0, LEAST_TEXT)
    name: ClassVar[str] = "gaussian"
    formula: ClassVar[str] = "x_j ~ N(mu_j, exp(s_j) + least_variance), (mu, s) = raw"

    def raw_shape(self, shape: Shape) -> Shape:
        """mu and s, side by side in the last axis."""
        return (*shape[:-1], 2 * shape[-1])

    def _score(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        least, width = math.log(self.least_variance), x.shape[-1]
        return score_gaussian(in_rows(x), in_rows(raw), least, width, dvalue)

    def _log_var(self, raw: Array) -> Array:
        _, s = np.split(raw, 2, axis=-1)  # (N, ..., C)
        return log_variance(s, math.log(self.least_variance))

    def mean(self, raw: Array) -> Array:
        mu, _ = np.split(raw, 2, axis=-1)  # (N, ..., C)
        return mu


def log_variance(s: Array, least: float) -> Array:
    """log(exp(s) + exp(least)): any shape -> the same shape."""
    return np.logaddexp(s, least)  # (2)


@formula("x, mu (N, D), lv (), dvalue (N,) -> log_prob (N,), dmu (N, D), _terms (1+, D)")
def score_fixed_gaussian(x: Array, mu: Array, lv: float, dvalue: Array) -> tuple[Array, Array]:
    """x, mu (N, D), one log-variance, dvalue (N,) -> log_prob (N,), nats, and dmu (N, D)."""
    log_prob, dmu, _ = gaussian.value_and_gradient(
        x, mu, np.full((1, 1), lv, mu.dtype), dvalue
    )  # (5, 6)
    return log_prob, dmu


@formula(
    "x (N, D), raw (N, D + 1), least (), dvalue (N,) "
    "-> log_prob (N,), d_raw (N, D + 1), _terms (1+, D)"
)
def score_shared_gaussian(x: Array, raw: Array, least: float, dvalue: Array) -> tuple[Array, Array]:
    """x (N, D), raw = (mu, s) (N, D + 1), dvalue (N,) -> log_prob (N,), and d_raw (N, D + 1)."""
    mu, s = raw[:, :-1], raw[:, -1:]  # (N, D) and (N, 1)
    log_prob, dmu, dlv = gaussian.value_and_gradient(
        x, mu, log_variance(s, least), dvalue
    )  # (2, 5, 6)
    return log_prob, np.concatenate([dmu, dlv * sigmoid(s - least)], axis=1)  # (4)


@formula(
    "x (N, D), raw (N, 2 D), least (), width () int dividing D, dvalue (N,) "
    "-> log_prob (N,), d_raw (N, 2 D), _terms (1+, 3 D)"
)
def score_gaussian(
    x: Array, raw: Array, least: float, width: int, dvalue: Array
) -> tuple[Array, Array]:
    """x (N, D), raw (N, 2 D), which is `width` means, as many s, and so on; dvalue (N,).

    -> log_prob (N,), and d_raw (N, 2 D).
    """
    places = raw.reshape(len(raw), x.shape[1] // width, 2 * width)  # (N, P, 2 width), P places
    mu, s = np.split(places, 2, axis=2)  # (N, P, width) each
    mu, s = in_rows(mu), in_rows(s)  # (N, D) each
    log_prob, dmu, dlv = gaussian.value_and_gradient(
        x, mu, log_variance(s, least), dvalue
    )  # (2, 5, 6)
    ds = dlv * sigmoid(s - least)  # (N, D)   (4)
    of_places = [d.reshape(*places.shape[:2], width) for d in (dmu, ds)]  # (N, P, width) each
    return log_prob, np.concatenate(of_places, axis=2).reshape(raw.shape)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(score_fixed_gaussian)
def score_fixed_gaussian_loop(part, parts, x, mu, lv, dvalue, log_prob, dmu, _terms):
    number = x.dtype.type
    precision, half, mine = exp(-lv), number(0.5), _terms[part]
    constant = number(mine.size) * (number(LOG_TWO_PI) + lv)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, mu_n, dmu_n, scale = x[n], mu[n], dmu[n], dvalue[n]
        for j in range(mine.size):
            d = x_n[j] - mu_n[j]
            mine[j] = d * (d * precision)
            dmu_n[j] = scale * (d * precision)  # (6)
        log_prob[n] = -half * (constant + sum_of(mine))  # (5)


@loop_of(score_shared_gaussian)
def score_shared_gaussian_loop(part, parts, x, raw, least, dvalue, log_prob, d_raw, _terms):
    number, mine = x.dtype.type, _terms[part]
    one, half, size = number(1), number(0.5), number(mine.size)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, raw_n, d_raw_n, scale, s = x[n], raw[n], d_raw[n], dvalue[n], raw[n, mine.size]
        e = exp(-abs(s - least))
        lv = max(s, least) + log1p(e)  # (3)
        precision = exp(-lv)
        for j in range(mine.size):
            d = x_n[j] - raw_n[j]
            mine[j] = d * (d * precision)
            d_raw_n[j] = scale * (d * precision)  # (6)
        squares = sum_of(mine)
        log_prob[n] = -half * (size * (number(LOG_TWO_PI) + lv) + squares)  # (5)
        slope = (one if s >= least else e) / (one + e)
        d_raw_n[mine.size] = half * scale * (squares - size) * slope  # (4, 6)


@loop_of(score_gaussian, weight=6)
def score_gaussian_loop(part, parts, x, raw, least, width, dvalue, log_prob, d_raw, _terms):
    number, size = x.dtype.type, x.shape[1]
    one, half, log_two_pi = number(1), number(0.5), number(LOG_TWO_PI)
    mu, s, terms = _terms[part, :size], _terms[part, size : 2 * size], _terms[part, 2 * size :]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, raw_n, d_raw_n, scale = x[n], raw[n], d_raw[n], dvalue[n]
        for i in range(0, size, width):
            for j in range(width):
                mu[i + j], s[i + j] = raw_n[2 * i + j], raw_n[2 * i + width + j]
        for j in range(size):
            t = s[j] - least
            e = exp(-abs(t))
            lv = max(s[j], least) + log1p(e)  # (3)
            d, precision = x_n[j] - mu[j], exp(-lv)
            square = d * (d * precision)
            terms[j] = log_two_pi + lv + square
            slope = (one if t >= number(0) else e) / (one + e)
            mu[j] = scale * (d * precision)  # (6): dmu and ds, from here on
            s[j] = half * scale * (square - one) * slope  # (4, 6)
        log_prob[n] = -half * sum_of(terms)  # (5)
        for i in range(0, size, width):
            for j in range(width):
                d_raw_n[2 * i + j], d_raw_n[2 * i + width + j] = mu[i + j], s[i + j]

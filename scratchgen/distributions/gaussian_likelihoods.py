"""Gaussian likelihoods: four ways to come by a variance, from a setting to one per number.

    FixedGaussian       the decoder gives mu per number; the variance is a setting
    MeanSquaredError    mu per number; the variance is D/2, and therefore
                        -log p(x|z) = 1/D sum_j (x_j - mu_j)^2 + D/2 log(pi D)               (1)
    SharedGaussian      mu per number, and one s per example
    Gaussian            mu and s per number
                        log_var = log(exp(s) + least)                                        (2)

The least variance keeps a density from growing without bound where the data lie on a surface. The
chain rule through (2) needs

    dlog_var/ds = exp(s) / (exp(s) + least)                                                  (3)

The density itself is in gaussian.py.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, Shape, finite
from ..errors import OptionError
from ..nn import Tape
from ..rng import standard_normal
from . import gaussian
from .likelihoods import Likelihood, into, one_pass

LEAST = 1e-30  # below it, 1 / variance times a square could leave float32


class _Normal(Likelihood):
    """What the Gaussian kinds share; they differ in where mu and log_var stand in raw."""

    def _read(self, raw: Array) -> SimpleNamespace:
        """`.mu`, and `.log_var`, which numbers may share; see gaussian.py."""
        raise NotImplementedError

    def _join(self, d: SimpleNamespace, read: SimpleNamespace) -> Array:
        """d log p / d raw, from `d.mu`, `d.log_var` and what was read."""
        return d.mu

    def log_prob(self, x: Array, raw: Array) -> Array:
        self.expect(x, raw)
        read = self._read(raw)
        return gaussian.log_prob(x.reshape(read.mu.shape), read.mu, read.log_var)

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        self.expect(x, raw)
        read = self._read(raw)
        x = x.reshape(read.mu.shape)
        d = gaussian.log_prob_gradients(x, read.mu, read.log_var, dvalue)
        return self._join(d, read)

    def _with_variance(
        self, variance: float, x: Array, raw: Array, dvalue: Array, tape: Tape
    ) -> tuple[Array, Array]:
        """`both`, where all numbers have that variance, and raw is mu."""
        self.expect(x, raw)
        log_var = _log(variance, raw.dtype)
        return one_pass(kernels.fixed_gaussian_pass, x, raw, dvalue, tape, log_var)

    def mean(self, raw: Array, out: Array | None = None) -> Array:
        return into(np.ascontiguousarray(self._read(raw).mu), out)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        read = self._read(raw)
        noise = standard_normal(rng, read.mu.shape, raw.dtype)
        return gaussian.draw(read.mu, read.log_var, noise)


@dataclass(frozen=True)
class FixedGaussian(_Normal):
    """Real numbers around the decoder's mu, with one variance for all that is not learnt.

    Raises OptionError unless the variance is above 0.

    >>> FixedGaussian(variance=0.1).raw_shape((2,))
    (2,)
    """

    variance: float = 1.0
    name: ClassVar[str] = "gaussian_fixed"
    formula: ClassVar[str] = "x_j ~ N(raw_j, variance)"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "variance", _variance(self.variance, "FixedGaussian: variance"))

    def _read(self, raw: Array) -> SimpleNamespace:
        return SimpleNamespace(mu=raw, log_var=_log(self.variance, raw.dtype))

    def both(self, x: Array, raw: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        return self._with_variance(self.variance, x, raw, dvalue, tape)


@dataclass(frozen=True)
class MeanSquaredError(_Normal):
    """The mean squared error as a likelihood: the Gaussian around mu with the variance D/2.

    By (1), `reconstruction` is then the mean squared error, plus a number that mu cannot change.
    D/2 is far more than pixels in [0, 1] vary by (392 for a digit): draws drown in noise, and the
    KL term weighs much. For a likelihood to sample from take another Gaussian.

    >>> MeanSquaredError().variance_for((28, 28, 1))
    392.0
    """

    name: ClassVar[str] = "mse"
    formula: ClassVar[str] = "x_j ~ N(raw_j, D/2)"
    replays: ClassVar[bool | None] = True

    def variance_for(self, shape: Shape) -> float:
        """D/2, for examples of `shape`."""
        return math.prod(shape) / 2

    def _read(self, raw: Array) -> SimpleNamespace:
        return SimpleNamespace(mu=raw, log_var=_log(self.variance_for(raw.shape[1:]), raw.dtype))

    def both(self, x: Array, raw: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        return self._with_variance(self.variance_for(raw.shape[1:]), x, raw, dvalue, tape)


@dataclass(frozen=True)
class SharedGaussian(_Normal):
    """Real numbers, each with its mean, and one variance for all numbers of an example.

    raw is (N, D + 1), whatever the shape of x: D means and one s; `mean` and `draw` are (N, D).
    Where the decoder's last number is a learnt constant, one variance is learnt for all examples.
    Raises OptionError unless the least variance is above 0.

    >>> SharedGaussian().raw_shape((28, 28, 1))
    (785,)
    """

    least_variance: float = 1e-6
    name: ClassVar[str] = "gaussian_shared"
    formula: ClassVar[str] = "x_j ~ N(mu_j, exp(s) + least_variance), (mu, s) = raw"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        least = _variance(self.least_variance, "SharedGaussian: least_variance")
        object.__setattr__(self, "least_variance", least)

    def raw_shape(self, shape: Shape) -> Shape:
        """D means and one s in a row."""
        return (math.prod(shape) + 1,)

    def _read(self, raw: Array) -> SimpleNamespace:
        mu, s = raw[:, :-1], raw[:, -1:]  # (N, D) and (N, 1)
        log_var = np.logaddexp(s, _log(self.least_variance, raw.dtype))  # (N, 1)   (2)
        return SimpleNamespace(mu=mu, s=s, log_var=log_var)

    def _join(self, d: SimpleNamespace, read: SimpleNamespace) -> Array:
        dlog_var = d.log_var.sum(axis=1, keepdims=True)  # (N, 1)
        ds = dlog_var * np.exp(read.s - read.log_var)  # (N, 1)   (3)
        return np.concatenate([d.mu, ds], axis=1)  # (N, D + 1)

    def both(self, x: Array, raw: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        self.expect(x, raw)
        least = _log(self.least_variance, raw.dtype)
        return one_pass(kernels.shared_gaussian_pass, x, raw, dvalue, tape, least)


@dataclass(frozen=True)
class Gaussian(_Normal):
    """Real numbers, each with a mean and a variance that the decoder gives; see gaussian.py.

    Raises OptionError unless the least variance is above 0.

    >>> Gaussian().raw_shape((2,))
    (4,)
    """

    least_variance: float = 1e-6
    name: ClassVar[str] = "gaussian"
    formula: ClassVar[str] = "x_j ~ N(mu_j, exp(s_j) + least_variance), (mu, s) = raw"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        least = _variance(self.least_variance, "Gaussian: least_variance")
        object.__setattr__(self, "least_variance", least)

    def raw_shape(self, shape: Shape) -> Shape:
        """mu and s, side by side in the last axis."""
        return (*shape[:-1], 2 * shape[-1])

    def _read(self, raw: Array) -> SimpleNamespace:
        mu, s = np.split(raw, 2, axis=-1)  # (N, ..., C) each
        log_var = np.logaddexp(s, _log(self.least_variance, raw.dtype))  # (N, ..., C)   (2)
        return SimpleNamespace(mu=mu, s=s, log_var=log_var)

    def _join(self, d: SimpleNamespace, read: SimpleNamespace) -> Array:
        ds = d.log_var * np.exp(read.s - read.log_var)  # (N, ..., C)   (3)
        return np.concatenate([d.mu, ds], axis=-1)  # (N, ..., 2C)

    def both(self, x: Array, raw: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        self.expect(x, raw)
        least, width = _log(self.least_variance, raw.dtype), x.shape[-1]
        return one_pass(kernels.gaussian_pass, x, raw, dvalue, tape, least, width, room=3)


def _variance(value: Any, what: str) -> float:
    """`value` as a variance, which is above 0."""
    try:
        return finite(value, what, least=LEAST)
    except OptionError as problem:
        raise OptionError(
            f"{problem}; a variance of 0 would make the density infinite: take a small one, such "
            f"as 1e-3"
        ) from None


def _log(variance: float, dtype: np.dtype[Any]) -> Any:
    """log(variance), a scalar of that dtype."""
    return dtype.type(math.log(variance))

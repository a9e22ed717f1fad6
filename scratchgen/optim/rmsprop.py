"""RMSProp: a step along the gradient, each entry measured in units of its usual size.

    v = v + rest (g^2 - v),   rest = 1 - keep                                     (1)
    theta = theta - rate g / (sqrt(v) + eps)                                      (2)

v is a running mean of the squared gradient, and its root the usual size. The centred kind takes the
standard deviation instead; max is there because rounding can take the difference below 0:

    mean = mean + rest (g - mean)                                                 (3)
    theta = theta - rate g / (sqrt(max(v - mean^2, 0)) + eps)                     (4)

    v = 0 where v < least,   mean = 0 where |mean| < least                        (5)

(5) is (2) of descent.py.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ..ground.arguments import Array, finite, fraction, true_or_false
from ..ground.parts import setting
from ..kernels import formula, loop_of, share_row
from .descent import Descent, flush
from .memory import Memory
from .schedules import Schedule

# mypy: disable-error-code="no-untyped-def"


@dataclass(frozen=True)
class RMSProp(Descent):
    """A step of its own size for each parameter (Tieleman and Hinton 2012, lecture 6.5).

    The centred kind is that of Graves 2013, equations 38 to 40, without his momentum. eps is added
    outside the root, as in PyTorch; Graves adds it inside. The means start at 0, without Adam's
    correction, so the first step is 1 / sqrt(1 - keep) learning rates: ten, with the default.

    >>> theta, rmsprop = np.zeros(2), RMSProp(learning_rate=0.1, keep=0.75)
    >>> rmsprop.update(theta, np.array([1.0, 1000.0]), rmsprop.memory(theta))
    >>> theta.round(6)                                 # 0.1 / sqrt(0.25), however large g is
    array([-0.2, -0.2])
    """

    learning_rate: float | Schedule = 1e-3
    keep: float = setting(0.99, fraction, "weight of the old mean of squares")
    eps: float = setting(1e-8, finite, "added to the root of the mean square", above=True)
    centred: bool = setting(False, true_or_false, "divide by the standard deviation instead")
    name: ClassVar[str] = "rmsprop"
    arrays: ClassVar[tuple[str, ...]] = ("v", "mean")  # mean stays 0 unless centred
    n_coefficients: ClassVar[int] = 4

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(centred=True)

    def owner(self) -> str:
        return "RMSProp(centred=True)" if self.centred else "RMSProp"

    def coefficients(self, rate: float, t: int) -> tuple[float, ...]:
        return rate, 1 - self.keep, self.eps

    def move(self, theta: Array, g: Array, memory: Memory, coefficients: Array) -> None:
        if self.centred:
            centred_rmsprop_step(theta, g, memory.v, memory.mean, coefficients)
        else:
            rmsprop_step(theta, g, memory.v, coefficients)


@formula("g (P,), coefficients (4,) -> theta, v (P,) in place", row_by_row=True)
def rmsprop_step(theta: Array, g: Array, v: Array, coefficients: Array) -> None:
    """theta, g, v (P,), coefficients (rate, rest, eps, least): writes theta and v."""
    rate, rest, eps, least = coefficients
    v += rest * (g * g - v)  # (1)
    theta -= rate * g / (np.sqrt(v) + eps)  # (2)
    flush(v, least)  # (5)


@formula("g (P,), coefficients (4,) -> theta, v, mean (P,) in place", row_by_row=True)
def centred_rmsprop_step(
    theta: Array, g: Array, v: Array, mean: Array, coefficients: Array
) -> None:
    """theta, g, v, mean (P,), coefficients (rate, rest, eps, least): writes theta, v and mean."""
    rate, rest, eps, least = coefficients
    v += rest * (g * g - v)  # (1)
    mean += rest * (g - mean)  # (3)
    variance = np.maximum(v - mean * mean, 0)  # (P,)
    theta -= rate * g / (np.sqrt(variance) + eps)  # (4)
    flush(v, least)  # (5)
    flush(mean, least)  # (5)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(rmsprop_step)
def rmsprop_step_loop(part, parts, theta, g, v, coefficients):
    rate, rest, eps, least = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    start, stop = share_row(theta.size, part, parts)
    theta, g, v = theta[start:stop], g[start:stop], v[start:stop]
    for i in range(theta.size):
        new = v[i] + rest * (g[i] * g[i] - v[i])  # (1)
        theta[i] -= rate * g[i] / (np.sqrt(new) + eps)  # (2)
        v[i] = 0 if new < least else new  # (5)


@loop_of(centred_rmsprop_step)
def centred_rmsprop_step_loop(part, parts, theta, g, v, mean, coefficients):
    rate, rest, eps, least = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    zero = theta.dtype.type(0)
    start, stop = share_row(theta.size, part, parts)
    theta, g, v, mean = theta[start:stop], g[start:stop], v[start:stop], mean[start:stop]
    for i in range(theta.size):
        square = v[i] + rest * (g[i] * g[i] - v[i])  # (1)
        average = mean[i] + rest * (g[i] - mean[i])  # (3)
        variance = square - average * average
        spread = np.sqrt(zero if variance < zero else variance)
        theta[i] -= rate * g[i] / (spread + eps)  # (4)
        v[i] = 0 if square < least else square  # (5)
        mean[i] = 0 if abs(average) < least else average  # (5)

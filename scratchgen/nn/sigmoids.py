"""The sigmoid, and the activations that are made of it: tanh, softplus and SiLU.

    sig(x) = 1 / (1 + exp(-x)),   its slope r(x) = sig(x) sig(-x)                          (1)

Value, slope and curvature, for y = s(x):

    Sigmoid      sig               r                    s' (1 - 2 y)                       (2)
    Tanh         tanh(x)           4 r(2 x)             -2 y s'                            (3)
    Softplus     log(1 + exp(x))   sig                  r                                  (4)
    SiLU         x sig             sig + y (1 - sig)    r (2 + x - 2 y)                    (5)

The slope of (2) is also y (1 - y), that of (3) 1 - y^2. These would lose all their digits where y
rounds to 1, in float32 above x = 17 and 9, so they are computed from x. Source: (5) Elfwing et al.
2018.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array
from ..kernels import loops_of
from ..kernels.functions import FOUR, ONE, TWO, sigmoid, sigmoid_slope, softplus, tanh
from .activation import Activation

# mypy: disable-error-code="no-untyped-def"


def r(x: Array) -> Array:
    """The slope of the sigmoid: any shape -> the same shape."""
    return kernels.sigmoid(x) * kernels.sigmoid(-x)  # (1)


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """Any number -> [0, 1].

    >>> Sigmoid().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    formula: ClassVar[str] = "y = 1 / (1 + exp(-x))"

    def value(self, x: Array) -> Array:
        return kernels.sigmoid(x)  # (2)

    def slope(self, x: Array, y: Array) -> Array:
        return r(x)  # (2)

    def curvature(self, x: Array, y: Array) -> Any:
        return self.slope(x, y) * (1 - 2 * y)  # (2)


@loops_of(Sigmoid)
class SigmoidLoops:
    value = sigmoid

    def slope(x, y):
        return sigmoid_slope(x)

    def curvature(x, y):
        return sigmoid_slope(x) * (ONE - TWO * y)


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """Any number -> [-1, 1].

    >>> Tanh().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    formula: ClassVar[str] = "y = tanh(x)"

    def value(self, x: Array) -> Array:
        return np.tanh(x)  # (3)

    def slope(self, x: Array, y: Array) -> Array:
        return 4 * r(2 * x)  # (3)

    def curvature(self, x: Array, y: Array) -> Any:
        return -2 * y * self.slope(x, y)  # (3)


@loops_of(Tanh)
class TanhLoops:
    value = tanh

    def slope(x, y):
        return FOUR * sigmoid_slope(TWO * x)

    def curvature(x, y):
        return -TWO * y * (FOUR * sigmoid_slope(TWO * x))


@dataclass(frozen=True, eq=False)
class Softplus(Activation):
    """A smooth ReLU, positive everywhere.

    >>> Softplus().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = log(1 + exp(x))"

    def value(self, x: Array) -> Array:
        return kernels.softplus(x)  # (4)

    def slope(self, x: Array, y: Array) -> Array:
        return kernels.sigmoid(x)  # (4)

    def curvature(self, x: Array, y: Array) -> Any:
        return r(x)  # (4)


@loops_of(Softplus)
class SoftplusLoops:
    value = softplus

    def slope(x, y):
        return sigmoid(x)

    def curvature(x, y):
        return sigmoid_slope(x)


@dataclass(frozen=True, eq=False)
class SiLU(Activation):
    """x times its own sigmoid; also called swish.

    >>> SiLU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = x / (1 + exp(-x))"

    def value(self, x: Array) -> Array:
        return x * kernels.sigmoid(x)  # (5)

    def slope(self, x: Array, y: Array) -> Array:
        s = kernels.sigmoid(x)
        return s + y * (1 - s)  # (5)

    def curvature(self, x: Array, y: Array) -> Any:
        return r(x) * (2 + x - 2 * y)  # (5)


@loops_of(SiLU)
class SiLULoops:
    def value(x):
        return x * sigmoid(x)

    def slope(x, y):
        s = sigmoid(x)
        return s + y * (ONE - s)

    def curvature(x, y):
        return sigmoid_slope(x) * (TWO + x - TWO * y)

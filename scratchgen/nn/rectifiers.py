"""Rectifiers pass what is positive as it is, and little or nothing of the rest.

Value, slope and curvature, with [.] = 1 where the condition holds and 0 elsewhere:

    ReLU         max(x, 0)                     [x > 0]                0                    (1)
    LeakyReLU    x, or a x where x <= 0        1, or a                0                    (2)
    ELU          x, or alpha (exp(x) - 1)      1, or alpha exp(x)     0, or alpha exp(x)   (3)

a is the negative slope. (1), (2) and, unless alpha is 1, (3) have a kink at x = 0, where their
slope is the one on the left. So the slope of ReLU at 0 is 0, as in all common libraries.

The slope of (3) is also y + alpha. That would lose all its digits where y rounds to -alpha, in
float32 below x = -17, so it is computed from x. Sources: (2) Maas et al. 2013, (3) Clevert et al.
2016.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..ground.arguments import Array, Shape, finite
from ..ground.parts import setting
from ..kernels import loops_of
from ..kernels.functions import ONE, ZERO, exp, expm1
from .activation import Activation
from .draw import Draw
from .layer import Layer

# mypy: disable-error-code="no-untyped-def"


@dataclass(frozen=True, eq=False)
class ReLU(Activation):
    """What is positive passes, and all else becomes 0.

    >>> ReLU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = max(x, 0)"

    def value(self, x: Array) -> Array:
        return np.maximum(x, 0)  # (1)

    def slope(self, x: Array, y: Array) -> Array:
        return y > 0  # (1)

    def curvature(self, x: Array, y: Array) -> Any:
        return 0.0  # (1)


@loops_of(ReLU)
class ReLULoops:
    def value(x):
        return ZERO if x <= ZERO else x  # NaN passes, as through np.maximum

    def slope(x, y):
        return ONE if y > ZERO else ZERO

    def curvature(x, y):
        return ZERO


@dataclass(frozen=True, eq=False)
class LeakyReLU(Activation):
    """ReLU, but with the slope `negative_slope`, not 0, on the negative side.

    >>> LeakyReLU(0.2).out_shape((128,))
    (128,)
    """

    negative_slope: float = setting(0.2, finite, "slope where x is negative")
    formula: ClassVar[str] = "y = x if x > 0 else negative_slope x"

    def value(self, x: Array) -> Array:
        return x * self.slope(x, x)  # (2)

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.negative_slope))  # (2)

    def curvature(self, x: Array, y: Array) -> Any:
        return 0.0  # (2)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        return cls(draw.number(0, 0.9)), draw.shape()


@loops_of(LeakyReLU)
class LeakyReLULoops:
    def value(x, a):
        return x if x > ZERO else a * x

    def slope(x, y, a):
        return ONE if x > ZERO else a

    def curvature(x, y, a):
        return ZERO


@dataclass(frozen=True, eq=False)
class ELU(Activation):
    """ReLU with a bend: its negative side goes smoothly down to -alpha.

    >>> ELU().out_shape((128,))
    (128,)
    """

    alpha: float = setting(1.0, finite, "how far below 0 it goes")
    formula: ClassVar[str] = "y = x if x > 0 else alpha (exp(x) - 1)"

    def value(self, x: Array) -> Array:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))  # (3)

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), self._tail_slope(x))  # (3)

    def curvature(self, x: Array, y: Array) -> Any:
        return np.where(x > 0, x.dtype.type(0), self._tail_slope(x))  # (3)

    def _tail_slope(self, x: Array) -> Array:
        """alpha exp(x) where x <= 0; elsewhere alpha, for np.where to leave out."""
        return self.alpha * np.exp(np.minimum(x, 0))

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        return cls(draw.number(0.1, 2)), draw.shape()


@loops_of(ELU)
class ELULoops:
    def value(x, alpha):
        return x if x > ZERO else alpha * expm1(x)

    def slope(x, y, alpha):
        return ONE if x > ZERO else alpha * exp(x)

    def curvature(x, y, alpha):
        return ZERO if x > ZERO else alpha * exp(x)

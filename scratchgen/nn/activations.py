"""An activation bends each number by itself: y = s(x).

    backward            dx = s'(x) dy                                              (1)
    tangent             v = s'(x) u                                                (2)
    tangent_backward    dx = s'(x) dy + s''(x) u dv,   du = s'(x) dv               (3)

So each activation is its value s, its slope s' and its curvature s''. With [.] = 1 where it holds
and 0 elsewhere, and sig = 1 / (1 + exp(-x)):

    ReLU         max(x, 0)                     [x > 0]                0              (4)
    LeakyReLU    x, or a x where x <= 0        1, or a                0              (5)
    ELU          x, or alpha (exp(x) - 1)      1, or alpha exp(x)     0, or alpha exp(x) (6)
    Tanh         tanh x                        4 r(2 x)               -2 y s'        (7)
    Sigmoid      sig                           r                      s' (1 - 2 y)   (8)
    Softplus     log(1 + exp x)                sig                    r              (9)
    SiLU         x sig                         sig + y (1 - sig)      r (2 + x - 2 y) (10)
    GELU         x Phi(x)                      Phi + x phi            phi (2 - x^2)  (11)

with a the negative slope, r(x) = sig(x) sig(-x), and Phi, phi the normal distribution and density
of kernels/normal.py. From y alone the slope of (6) would be y + alpha, of (7) 1 - y^2, and of (8)
y (1 - y): nothing would be left of it where y rounds to -alpha or 1, in float32 at -17, 9 and 17.

At the kink of (4), (5) and, unless alpha is 1, (6) the slope is the one to the left of it:
relu'(0) = 0, as everywhere in the field. Sources: (5) Maas et al. 2013, (6) Clevert et al. 2016,
(10) Elfwing et al. 2018, (11) Hendrycks and Gimpel 2016, in its exact form.

Below each class stand the same three functions for one number x: loops call them, as functions
without a self, with the numbers of `settings()` behind (kernels/activation_loops.py).
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, finite
from ..kernels import loops_of, pointwise
from ..kernels.functions import (
    FOUR,
    ONE,
    TWO,
    ZERO,
    exp,
    expm1,
    normal_cdf,
    normal_density,
    sigmoid,
    sigmoid_slope,
    softplus,
    tanh,
)
from .draw import Draw
from .layer import Layer, Views
from .tape import Tape

# mypy: disable-error-code="no-untyped-def"


class Activation(Layer):
    """Any shape -> the same shape: what all activations share. Each gives its own s, s' and s''."""

    example_wise: ClassVar[bool] = True

    def value(self, x: Array) -> Array:
        """s(x)."""
        raise NotImplementedError

    def slope(self, x: Array, y: Array) -> Array:
        """s'(x), for y = s(x)."""
        raise NotImplementedError

    def curvature(self, x: Array, y: Array) -> Any:
        """s''(x), for y = s(x): an array, or 0.0 where s is piecewise linear."""
        raise NotImplementedError

    def settings(self) -> tuple[float, ...]:
        """The numbers that its formulas hold, such as alpha, in the order its loops take them."""
        return ()

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.x, tape.y = x, self.activate(x)
        return tape.y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self.times_slope(tape.x, tape.y, dy) if need_dx else None  # (1)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u
        return self.times_slope(tape.x, tape.y, u)  # (2)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        if not need_dx:
            return None
        dx, du = self.times_slope_and_curvature(tape.x, tape.y, tape.u, dy, dv)  # (3)
        return SimpleNamespace(x=dx, u=du)

    @pointwise("x (...) -> y (...)")
    def activate(self, x: Array) -> Array:
        """s(x)."""
        return self.value(x)

    @pointwise("x, y, dy (...) -> dx (...)")
    def times_slope(self, x: Array, y: Array, dy: Array) -> Array:
        """s'(x) dy."""
        return self.slope(x, y) * dy  # (1), and (2) for u in the place of dy

    @pointwise("x, y, u, dy, dv (...) -> dx, du (...)")
    def times_slope_and_curvature(
        self, x: Array, y: Array, u: Array, dy: Array, dv: Array
    ) -> tuple[Array, Array]:
        """dx and du, back through y = s(x) and (2)."""
        slope, curvature = self.slope(x, y), self.curvature(x, y)
        return slope * dy + curvature * u * dv, slope * dv  # (3)


@dataclass(frozen=True, eq=False)
class ReLU(Activation):
    """What is positive passes, and all else becomes 0.

    >>> ReLU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = max(x, 0)"

    def value(self, x: Array) -> Array:
        return np.maximum(x, 0)  # (4)

    def slope(self, x: Array, y: Array) -> Array:
        return y > 0  # (4)

    def curvature(self, x: Array, y: Array) -> Any:
        return 0.0  # (4)


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

    negative_slope: float = 0.2
    formula: ClassVar[str] = "y = x if x > 0 else negative_slope x"

    def __post_init__(self) -> None:
        slope = finite(self.negative_slope, "LeakyReLU: negative_slope")
        object.__setattr__(self, "negative_slope", slope)

    def settings(self) -> tuple[float, ...]:
        return (self.negative_slope,)

    def value(self, x: Array) -> Array:
        return x * self.slope(x, x)  # (5)

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.negative_slope))  # (5)

    def curvature(self, x: Array, y: Array) -> Any:
        return 0.0  # (5)

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

    alpha: float = 1.0
    formula: ClassVar[str] = "y = x if x > 0 else alpha (exp(x) - 1)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", finite(self.alpha, "ELU: alpha"))

    def settings(self) -> tuple[float, ...]:
        return (self.alpha,)

    def value(self, x: Array) -> Array:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))  # (6)

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), self._tail_slope(x))  # (6)

    def curvature(self, x: Array, y: Array) -> Any:
        return np.where(x > 0, x.dtype.type(0), self._tail_slope(x))  # (6)

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


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """Any number -> [-1, 1].

    >>> Tanh().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    formula: ClassVar[str] = "y = tanh(x)"

    def value(self, x: Array) -> Array:
        return np.tanh(x)  # (7)

    def slope(self, x: Array, y: Array) -> Array:
        return 4 * r(2 * x)  # (7)

    def curvature(self, x: Array, y: Array) -> Any:
        return -2 * y * self.slope(x, y)  # (7)


@loops_of(Tanh)
class TanhLoops:
    value = tanh

    def slope(x, y):
        return FOUR * sigmoid_slope(TWO * x)

    def curvature(x, y):
        return -TWO * y * (FOUR * sigmoid_slope(TWO * x))


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """Any number -> [0, 1].

    >>> Sigmoid().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    formula: ClassVar[str] = "y = 1 / (1 + exp(-x))"

    def value(self, x: Array) -> Array:
        return kernels.sigmoid(x)  # (8)

    def slope(self, x: Array, y: Array) -> Array:
        return r(x)  # (8)

    def curvature(self, x: Array, y: Array) -> Any:
        return self.slope(x, y) * (1 - 2 * y)  # (8)


@loops_of(Sigmoid)
class SigmoidLoops:
    value = sigmoid

    def slope(x, y):
        return sigmoid_slope(x)

    def curvature(x, y):
        return sigmoid_slope(x) * (ONE - TWO * y)


@dataclass(frozen=True, eq=False)
class Softplus(Activation):
    """A smooth ReLU, positive everywhere.

    >>> Softplus().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = log(1 + exp(x))"

    def value(self, x: Array) -> Array:
        return kernels.softplus(x)  # (9)

    def slope(self, x: Array, y: Array) -> Array:
        return kernels.sigmoid(x)  # (9)

    def curvature(self, x: Array, y: Array) -> Any:
        return r(x)  # (9)


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
        return x * kernels.sigmoid(x)  # (10)

    def slope(self, x: Array, y: Array) -> Array:
        s = kernels.sigmoid(x)
        return s + y * (1 - s)  # (10)

    def curvature(self, x: Array, y: Array) -> Any:
        return r(x) * (2 + x - 2 * y)  # (10)


@loops_of(SiLU)
class SiLULoops:
    def value(x):
        return x * sigmoid(x)

    def slope(x, y):
        s = sigmoid(x)
        return s + y * (ONE - s)

    def curvature(x, y):
        return sigmoid_slope(x) * (TWO + x - TWO * y)


@dataclass(frozen=True, eq=False)
class GELU(Activation):
    """x times the share of a normal distribution below it, exactly (no tanh in its place).

    >>> GELU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = x Phi(x), Phi the normal cdf"

    def value(self, x: Array) -> Array:
        return x * kernels.normal_cdf(x)  # (11)

    def slope(self, x: Array, y: Array) -> Array:
        return kernels.normal_cdf(x) + x * kernels.normal_density(x)  # (11)

    def curvature(self, x: Array, y: Array) -> Any:
        a = np.minimum(np.abs(x), kernels.FAR)  # where phi is 0; x^2 could overflow
        return kernels.normal_density(x) * (2 - a * a)  # (11)


@loops_of(GELU)
class GELULoops:
    def value(x):
        return x * normal_cdf(x)

    def slope(x, y):
        return normal_cdf(x) + x * normal_density(x)

    def curvature(x, y):
        density = normal_density(x)
        return density * (TWO - x * x) if density > ZERO else density  # x^2 could overflow


def r(x: Array) -> Array:
    """sig(x) sig(-x), the slope of sig: any shape -> the same shape."""
    return kernels.sigmoid(x) * kernels.sigmoid(-x)

"""Activations bend each number on its own: y = s(x).

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
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, expect_floats, finite
from .layer import Layer, Views
from .tape import Tape


class Activation(Layer):
    """Any shape -> the same shape: what all activations share. Each says what s, s', s'' are."""

    example_wise: ClassVar[bool] = True
    twins: ClassVar[type[kernels.Twins] | None] = None

    def __init_subclass__(cls) -> None:
        """The activations of this file have twins; formulas of others run as they are written."""
        cls.twins = kernels.ACTIVATIONS[cls.__name__] if cls.__module__ == __name__ else None

    def value(self, x: Array, out: Array) -> Array:
        """s(x), written into `out`."""
        raise NotImplementedError

    def slope(self, x: Array, y: Array) -> Array:
        """s'(x), for y = s(x)."""
        raise NotImplementedError

    def curvature(self, x: Array, y: Array) -> Any:
        """s''(x), for y = s(x): an array, or 0.0 where s is made of straight lines."""
        raise NotImplementedError

    def settings(self) -> tuple[float, ...]:
        """The numbers in the formulas, for the twins."""
        return ()

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.x, tape.y = x, tape.array("y", x.shape, x.dtype)
        self._run("bend", self.value, x, tape.y)
        return tape.y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self._pull(dy, tape, "dx") if need_dx else None  # (1)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u
        return self._pull(u, tape, "v")  # (2)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        if not need_dx:
            return None
        x, y, u = tape.x, tape.y, tape.u
        dx, du = (tape.array(name, dy.shape, dy.dtype) for name in ("dx", "du"))
        self._run("pull_both", self._write_both, x, y, u, dy, dv, dx, du)
        return SimpleNamespace(x=dx, u=du)

    def _write_both(
        self, x: Array, y: Array, u: Array, dy: Array, dv: Array, dx: Array, du: Array
    ) -> None:
        slope, curvature = self.slope(x, y), self.curvature(x, y)
        dx[...] = slope * dy + curvature * u * dv  # (3)
        np.multiply(slope, dv, out=du)  # (3)

    def _pull(self, dy: Array, tape: Tape, name: str) -> Array:
        """s'(x) dy, which is (1), and (2) for u in the place of dy."""
        dx = tape.array(name, dy.shape, dy.dtype)
        self._run("pull", self._write, tape.x, tape.y, dy, dx)
        return dx

    def _write(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        np.multiply(self.slope(x, y), dy, out=dx)

    def _run(self, loop: str, formula: Callable[..., Any], *arrays: Array) -> None:
        """That loop of kernels/activations.py, or, where there is none, the formula."""
        settings = tuple(map(arrays[-1].dtype.type, self.settings()))
        kernels.activate(loop, formula, self.twins, arrays, settings)


@dataclass(frozen=True, eq=False)
class ReLU(Activation):
    """What is positive passes.

    >>> ReLU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = max(x, 0)"
    replays: ClassVar[bool | None] = True

    def value(self, x: Array, out: Array) -> Array:
        return np.maximum(x, 0, out=out)  # (4)

    def slope(self, x: Array, y: Array) -> Array:
        return y > 0  # (4)

    def curvature(self, x: Array, y: Array) -> Any:
        return 0.0


@dataclass(frozen=True, eq=False)
class LeakyReLU(Activation):
    """ReLU, but `negative_slope` is what is left of the negative side.

    >>> LeakyReLU(0.2).out_shape((128,))
    (128,)
    """

    negative_slope: float = 0.2
    formula: ClassVar[str] = "y = x if x > 0 else negative_slope x"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        slope = finite(self.negative_slope, "LeakyReLU: negative_slope")
        object.__setattr__(self, "negative_slope", slope)

    def settings(self) -> tuple[float, ...]:
        return (self.negative_slope,)

    def value(self, x: Array, out: Array) -> Array:
        return np.multiply(x, self.slope(x, x), out=out)  # (5)

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.negative_slope))  # (5)

    def curvature(self, x: Array, y: Array) -> Any:
        return 0.0


@dataclass(frozen=True, eq=False)
class ELU(Activation):
    """ReLU with a bend: its negative side goes smoothly down to -alpha.

    >>> ELU().out_shape((128,))
    (128,)
    """

    alpha: float = 1.0
    formula: ClassVar[str] = "y = x if x > 0 else alpha (exp(x) - 1)"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", finite(self.alpha, "ELU: alpha"))

    def settings(self) -> tuple[float, ...]:
        return (self.alpha,)

    def value(self, x: Array, out: Array) -> Array:
        out[...] = np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))  # (6)
        return out

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), self._bend(x))  # (6)

    def curvature(self, x: Array, y: Array) -> Any:
        return np.where(x > 0, x.dtype.type(0), self._bend(x))  # (6)

    def _bend(self, x: Array) -> Array:
        """alpha exp(x) where x <= 0; beyond, alpha, which nobody reads."""
        return self.alpha * np.exp(np.minimum(x, 0))


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """Any number -> [-1, 1].

    >>> Tanh().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    formula: ClassVar[str] = "y = tanh(x)"
    replays: ClassVar[bool | None] = True

    def value(self, x: Array, out: Array) -> Array:
        return np.tanh(x, out=out)  # (7)

    def slope(self, x: Array, y: Array) -> Array:
        return 4 * sigmoid_slope(2 * x)  # (7)

    def curvature(self, x: Array, y: Array) -> Any:
        return -2 * y * self.slope(x, y)  # (7)


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """Any number -> [0, 1].

    >>> Sigmoid().out_shape((28, 28, 1))
    (28, 28, 1)
    """

    formula: ClassVar[str] = "y = 1 / (1 + exp(-x))"
    replays: ClassVar[bool | None] = True

    def value(self, x: Array, out: Array) -> Array:
        return kernels.sigmoid(x, out=out)  # (8)

    def slope(self, x: Array, y: Array) -> Array:
        return sigmoid_slope(x)  # (8)

    def curvature(self, x: Array, y: Array) -> Any:
        return self.slope(x, y) * (1 - 2 * y)  # (8)


@dataclass(frozen=True, eq=False)
class Softplus(Activation):
    """A smooth ReLU, positive everywhere.

    >>> Softplus().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = log(1 + exp(x))"
    replays: ClassVar[bool | None] = True

    def value(self, x: Array, out: Array) -> Array:
        return kernels.softplus(x, out=out)  # (9)

    def slope(self, x: Array, y: Array) -> Array:
        return kernels.sigmoid(x)  # (9)

    def curvature(self, x: Array, y: Array) -> Any:
        return sigmoid_slope(x)  # (9)


@dataclass(frozen=True, eq=False)
class SiLU(Activation):
    """x times its own sigmoid; also called swish.

    >>> SiLU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = x / (1 + exp(-x))"
    replays: ClassVar[bool | None] = True

    def value(self, x: Array, out: Array) -> Array:
        return np.multiply(x, kernels.sigmoid(x), out=out)  # (10)

    def slope(self, x: Array, y: Array) -> Array:
        s = kernels.sigmoid(x)
        return s + y * (1 - s)  # (10)

    def curvature(self, x: Array, y: Array) -> Any:
        return sigmoid_slope(x) * (2 + x - 2 * y)  # (10)


@dataclass(frozen=True, eq=False)
class GELU(Activation):
    """x times the share of a normal distribution below it, exactly (no tanh in its place).

    >>> GELU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = x Phi(x), Phi the normal cdf"
    replays: ClassVar[bool | None] = True

    def value(self, x: Array, out: Array) -> Array:
        return np.multiply(x, kernels.normal_cdf(x), out=out)  # (11)

    def slope(self, x: Array, y: Array) -> Array:
        return kernels.normal_cdf(x) + x * kernels.normal_density(x)  # (11)

    def curvature(self, x: Array, y: Array) -> Any:
        a = np.minimum(np.abs(x), kernels.FAR)  # where phi is 0; x^2 could overflow
        return kernels.normal_density(x) * (2 - a * a)  # (11)


def sigmoid_slope(x: Array) -> Array:
    """r(x), the slope of the sigmoid: any shape -> the same shape."""
    return kernels.sigmoid(x) * kernels.sigmoid(-x)

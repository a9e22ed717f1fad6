"""The twins of activations: for each, three functions of one number, in three loops.

    y  = s(x)                                           (1)
    dx = s'(x) dy                                       (2)
    dx = s'(x) dy + s''(x) u dv,   du = s'(x) dv        (3)

The formulas of value s, slope s' and curvature s'' are derived in nn/activations.py, where NumPy
runs them; here they are again for one number of x, and of y = s(x). Settings of a layer, as the
slope of LeakyReLU, come last. (2) takes a tangent forward as well: v = s'(x) u.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from ..checks import Array
from .compiling import Kernel, by_dtype, with_names
from .functions import (
    FOUR,
    ONE,
    SINGLE,
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
from .operands import Operands
from .sharing import share_row
from .twins import run_flat

# mypy: disable-error-code="no-untyped-def"

number = by_dtype(SINGLE)

value: Any = None  # in the place of these names the loops of an activation have its own
slope: Any = None
curvature: Any = None

TAKES = {
    name: Operands(name, declaration)
    for name, declaration in {
        "bend": "x (...) -> y (...)",
        "pull": "x, y, dy (...) -> dx (...)",
        "pull_both": "x, y, u, dy, dv (...) -> dx, du (...)",
    }.items()
}


def bend(part, parts, x, y, settings):
    start, stop = share_row(x.size, part, parts)
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = value(x[i], *settings)  # (1)


def pull(part, parts, x, y, dy, dx, settings):
    start, stop = share_row(x.size, part, parts)
    x, y, dy, dx = x[start:stop], y[start:stop], dy[start:stop], dx[start:stop]
    for i in range(x.size):
        dx[i] = slope(x[i], y[i], *settings) * dy[i]  # (2)


def pull_both(part, parts, x, y, u, dy, dv, dx, du, settings):
    start, stop = share_row(x.size, part, parts)
    x, y, u = x[start:stop], y[start:stop], u[start:stop]
    dy, dv, dx, du = dy[start:stop], dv[start:stop], dx[start:stop], du[start:stop]
    for i in range(x.size):
        first = slope(x[i], y[i], *settings)
        second = curvature(x[i], y[i], *settings)
        dx[i] = first * dy[i] + second * u[i] * dv[i]  # (3)
        du[i] = first * dv[i]


class Twins:
    """The three loops of an activation, from its three functions."""

    bend: ClassVar[Kernel]
    pull: ClassVar[Kernel]
    pull_both: ClassVar[Kernel]

    def __init_subclass__(cls) -> None:
        names = {name: vars(cls)[name] for name in ("value", "slope", "curvature")}
        for loop in (bend, pull, pull_both):
            setattr(cls, loop.__name__, with_names(loop, f"{cls.__name__}_{loop.__name__}", names))


class ReLU(Twins):
    @number
    def value(x):
        return ZERO if x <= ZERO else x  # and what is no number passes

    @number
    def slope(x, y):
        return ONE if y > ZERO else ZERO

    @number
    def curvature(x, y):
        return ZERO


class LeakyReLU(Twins):
    @number
    def value(x, a):
        return x if x > ZERO else a * x

    @number
    def slope(x, y, a):
        return ONE if x > ZERO else a

    @number
    def curvature(x, y, a):
        return ZERO


class ELU(Twins):
    @number
    def value(x, alpha):
        return x if x > ZERO else alpha * expm1(x)

    @number
    def slope(x, y, alpha):
        return ONE if x > ZERO else alpha * exp(x)

    @number
    def curvature(x, y, alpha):
        return ZERO if x > ZERO else alpha * exp(x)


class Tanh(Twins):
    value = tanh

    @number
    def slope(x, y):
        return FOUR * sigmoid_slope(TWO * x)

    @number
    def curvature(x, y):
        return -TWO * y * (FOUR * sigmoid_slope(TWO * x))


class Sigmoid(Twins):
    value = sigmoid

    @number
    def slope(x, y):
        return sigmoid_slope(x)

    @number
    def curvature(x, y):
        return sigmoid_slope(x) * (ONE - TWO * y)


class Softplus(Twins):
    value = softplus

    @number
    def slope(x, y):
        return sigmoid(x)

    @number
    def curvature(x, y):
        return sigmoid_slope(x)


class SiLU(Twins):
    @number
    def value(x):
        return x * sigmoid(x)

    @number
    def slope(x, y):
        s = sigmoid(x)
        return s + y * (ONE - s)

    @number
    def curvature(x, y):
        return sigmoid_slope(x) * (TWO + x - TWO * y)


class GELU(Twins):
    @number
    def value(x):
        return x * normal_cdf(x)

    @number
    def slope(x, y):
        return normal_cdf(x) + x * normal_density(x)

    @number
    def curvature(x, y):
        density = normal_density(x)
        return density * (TWO - x * x) if density > ZERO else density  # x^2 could overflow


ACTIVATIONS = {twins.__name__: twins for twins in Twins.__subclasses__()}


def activate(
    name: str,
    formula: Kernel,
    twins: type[Twins] | None,
    arrays: Sequence[Array],
    settings: tuple[Any, ...],
) -> None:
    """The loop of that name, (1), (2) or (3), of those twins, or else formula(*arrays)."""
    loop = None if twins is None else getattr(twins, name)
    run_flat(TAKES[name], formula, loop, arrays, settings, weight=4)

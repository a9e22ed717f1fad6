"""Penalties on the slope of a discriminator D, and their gradient by the weights of D.

Per example, with slope_n = dD(x_n)/dx_n, and |slope_n| its length over all numbers of x_n:

    gradient penalty    weight (|slope_n| - target)^2      at x = e real + (1 - e) fake       (1)
    R1                  weight / 2 |slope_n|^2             at x = real                        (2)

e_n ~ U(0, 1) is drawn for each example. The gradient of a penalty by slope_n is
u_n = factor_n slope_n, where factor_n is

    of (1)     2 weight (|slope_n| - target) / |slope_n|,   0 where slope_n = 0               (3)
    of (2)     weight                                                                         (4)

The weights of D learn from the penalties through the slopes. When the weights move, the penalties
move by sum_n <u_n, dslope_n>. So does sum_n <u_n, slope_n> with u_n held fixed, and that is the sum
of the tangents v_n of D along u_n. This gives the gradient exactly: one forward pass, one backward
pass for the slopes, one tangent along u, and one tangent_backward with dy = 0 and dv = 1 (these are
(3) and (4) of nn/layer.py):

    y = D(x),   slope = D.backward(dy=1),   v = D.tangent(u),   D.tangent_backward(0, 1)      (5)

If D gives other numbers beside the score, 1 means 1 for the score and 0 for the others. (5) holds
only if D treats each example by itself, so that slope_n depends on x_n alone. docs/derivations.md
goes through it step by step.

Sources: (1) Gulrajani et al. 2017, (2) Mescheder et al. 2018.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from .. import kernels
from ..ground.arguments import Array, finite
from ..ground.errors import ShapeError
from ..ground.parts import Part, Registry, setting
from ..kernels import formula, loop_of, scale_rows, share, share_row
from ..kernels.functions import sum_of
from ..nn import Bound
from ..nn.layer import accept

# mypy: disable-error-code="no-untyped-def"

WEIGHT = "weight of the penalty"


@formula("real, fake (N, D), e (N,) -> x (N, D)")
def between(real: Array, fake: Array, e: Array) -> Array:
    """real, fake (N, D), e (N,) in [0, 1) -> x (N, D)."""
    return e[:, None] * real + (1 - e)[:, None] * fake  # (N, D)   (1)


@formula("x (N, D) -> norm (N,), _terms (1+, D)")
def row_norms(x: Array) -> Array:
    """The length of each row: x (N, D) -> (N,)."""
    return np.sqrt(np.einsum("nj,nj->n", x, x))  # (N,)


@formula("y (N, C) -> first (N, C)")
def first_of(y: Array) -> Array:
    """y (N, C) -> (N, C): 1 in the first column, 0 in the others."""
    first = np.zeros_like(y)  # (N, C)
    first[:, 0] = 1
    return first


@formula("norm, dvalue (N,), weight, target () -> value, factor (N,)")
def gradient_penalty_and_factor(
    norm: Array, dvalue: Array, weight: float, target: float
) -> tuple[Array, Array]:
    """norm, the lengths of the slopes, dvalue (N,) -> value (N,), and factor (N,) of u."""
    value = weight * (norm - target) ** 2  # (N,)   (1)
    length = np.where(norm > 0, norm, 1)  # (N,)
    factor = np.where(norm > 0, 2 * weight * dvalue * (norm - target) / length, 0)  # (N,)   (3)
    return value, factor


@formula("norm, dvalue (N,), weight () -> value, factor (N,)")
def r1_and_factor(norm: Array, dvalue: Array, weight: float) -> tuple[Array, Array]:
    """norm, the lengths of the slopes, dvalue (N,) -> value (N,), and factor (N,) of u."""
    return weight / 2 * norm**2, weight * dvalue  # (N,), (N,)   (2), (4)


class Penalty(Part):
    """What all penalties do. Your own needs `points`, `value` and `slope_gradient`."""

    name: ClassVar[str]
    formula: ClassVar[str] = ""  # in a line, for `scratchgen explain`
    weight: float

    def points(self, real: Array, fake: Array, rng: np.random.Generator) -> Array:
        """The x (N, ...) whose slopes are penalised, from real and fake examples (N, ...)."""
        raise NotImplementedError

    def value(self, slope: Array) -> Array:
        """The penalty of each example: slope (N, ...) -> (N,)."""
        raise NotImplementedError

    def slope_gradient(self, slope: Array, dvalue: Array) -> Array:
        """u (N, ...), the gradient of the penalty by the slope, for dvalue (N,)."""
        raise NotImplementedError

    def value_and_gradient(self, slope: Array, dvalue: Array) -> tuple[Array, Array]:
        """`value` and `slope_gradient`; override it if one formula gives both."""
        return self.value(slope), self.slope_gradient(slope, dvalue)

    combined: ClassVar = {"value_and_gradient": ("value", "slope_gradient")}  # see Part


def points(penalty: Penalty, real: Array, fake: Array, rng: np.random.Generator) -> Array:
    """The penalty's `points`: (M, ...), with M = N for the penalties of this library.

    Raises ShapeError or KindError if a user's own penalty returns anything but examples.
    """
    x = penalty.points(real, fake, rng)
    count = len(x) if np.iterable(x) else len(real)
    return accept(penalty, "points", "x", x, (count, *real.shape[1:]), real.dtype)


def penalise(penalty: Penalty, d: Bound, x: Array, weight: float) -> Array:
    """The penalty of a discriminator d at each of the points x (M, ...): (M,).

    d gives a score (M, 1), or the score first and then C other numbers, (M, 1 + C). If d has
    gradients, the gradient of weight sum_n penalty_n is added to them. The tape of d must have
    begun. Raises ShapeError or KindError if a user's own penalty returns arrays that do not fit.
    """
    y = d.forward(x)  # (M, 1 + C)   (5)
    dscore = of_score(y)  # (M, 1 + C)
    slope = d.backward(dscore, learn=False)  # (M, ...)   (5)
    dvalue = kernels.full((len(x),), weight, y.dtype)  # (M,)
    value, u = penalty.value_and_gradient(slope, dvalue)
    value = accept(penalty, "value_and_gradient", "value", value, dvalue.shape, slope.dtype)  # (M,)
    u = accept(penalty, "value_and_gradient", "gradient", u, slope.shape, slope.dtype)  # (M, ...)
    if d.g is not None:
        d.tangent(u)  # (M, 1 + C)   (5)
        zero = kernels.full(y.shape, 0, y.dtype)  # (M, 1 + C)
        d.tangent_backward(zero, dscore, need_dx=False)  # (5)
    return value


def mean_penalty(
    penalty: Penalty, d: Bound, real: Array, fake: Array, rng: np.random.Generator
) -> Array:
    """The mean penalty (1,) of a discriminator d, at the penalty's points between real and fake.

    If d has gradients, the gradient of the mean is added to them; see `points` and `penalise`.
    """
    x = points(penalty, real, fake, rng)  # (M, ...)
    return kernels.mean(penalise(penalty, d, x, 1 / len(x)))  # (1,)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """(1): the slope should have the length `target` everywhere between fake and real examples."""

    weight: float = setting(10.0, finite, WEIGHT, "penalty-weight", above=True)
    target: float = setting(1.0, finite, "length that the slope should have", "penalty-target")
    name: ClassVar[str] = "gradient_penalty"
    formula: ClassVar[str] = "weight (|dD/dx| - target)^2 between real and fake x"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(7.0, 0.6),)

    def points(self, real: Array, fake: Array, rng: np.random.Generator) -> Array:
        """As in Penalty; raises ShapeError unless real and fake have the same shape."""
        if fake.shape != real.shape:
            raise ShapeError(
                f"{self}: fake has shape {fake.shape}, wants that of real, {real.shape}: each "
                f"point lies between a real and a fake example"
            )
        e = kernels.uniform(rng, (len(real),), real.dtype)  # (N,)
        return between(rows(real), rows(fake), e).reshape(real.shape)  # (N, ...)   (1)

    def value(self, slope: Array) -> Array:
        return GradientPenalty.value_and_gradient(self, slope, ones(slope))[0]

    def slope_gradient(self, slope: Array, dvalue: Array) -> Array:
        return GradientPenalty.value_and_gradient(self, slope, dvalue)[1]

    def value_and_gradient(self, slope: Array, dvalue: Array) -> tuple[Array, Array]:
        value, factor = gradient_penalty_and_factor(norms(slope), dvalue, self.weight, self.target)
        return value, scale_rows(slope, factor)  # (N,), (N, ...)   (1), (3)


@dataclass(frozen=True)
class R1(Penalty):
    """(2): the discriminator should be flat where the data are."""

    weight: float = setting(10.0, finite, WEIGHT, "penalty-weight", above=True)
    name: ClassVar[str] = "r1"
    formula: ClassVar[str] = "weight / 2 |dD/dx|^2 at real x"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(3.0),)

    def points(self, real: Array, fake: Array, rng: np.random.Generator) -> Array:
        return real

    def value(self, slope: Array) -> Array:
        return R1.value_and_gradient(self, slope, ones(slope))[0]

    def slope_gradient(self, slope: Array, dvalue: Array) -> Array:
        return R1.value_and_gradient(self, slope, dvalue)[1]

    def value_and_gradient(self, slope: Array, dvalue: Array) -> tuple[Array, Array]:
        value, factor = r1_and_factor(norms(slope), dvalue, self.weight)
        return value, scale_rows(slope, factor)  # (N,), (N, ...)   (2), (4)


PENALTIES = Registry("penalty", "scratchgen.losses.PENALTIES")  # see __init__.py


def of_score(y: Array) -> Array:
    """The gradient of the score by y (M, 1 + C): 1 for the score, 0 for the other numbers."""
    return kernels.full(y.shape, 1, y.dtype) if y.shape[1] == 1 else first_of(y)


def norms(slope: Array) -> Array:
    """The length of each example's slope: (N, ...) -> (N,)."""
    return row_norms(rows(slope))


def ones(slope: Array) -> Array:
    """A dvalue of 1 for each example: (N, ...) -> (N,)."""
    return kernels.full((len(slope),), 1, slope.dtype)


def rows(x: Array) -> Array:
    """The numbers of each example in a row: x (N, ...) -> (N, D)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(between)
def between_loop(part, parts, real, fake, e, x):
    one = e.dtype.type(1)
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        real_n, fake_n, x_n, w = real[n], fake[n], x[n], e[n]
        rest = one - w
        for j in range(x_n.size):
            of_real = w * real_n[j]
            x_n[j] = rest * fake_n[j] + of_real  # (1)


@loop_of(row_norms)
def row_norms_loop(part, parts, x, norm, _terms):
    terms = _terms[part]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n = x[n]
        for j in range(terms.size):
            terms[j] = x_n[j] * x_n[j]
        norm[n] = np.sqrt(sum_of(terms))


@loop_of(first_of)
def first_of_loop(part, parts, y, first):
    zero, one = y.dtype.type(0), y.dtype.type(1)
    top, bottom = share(len(y), part, parts)
    for n in range(top, bottom):
        first_n = first[n]
        first_n[0] = one
        for k in range(1, first_n.size):
            first_n[k] = zero


@loop_of(gradient_penalty_and_factor)
def gradient_penalty_and_factor_loop(part, parts, norm, dvalue, weight, target, value, factor):
    zero, two = norm.dtype.type(0), norm.dtype.type(2)
    start, stop = share_row(norm.size, part, parts)
    norm, dvalue = norm[start:stop], dvalue[start:stop]
    value, factor = value[start:stop], factor[start:stop]
    for n in range(norm.size):
        over = norm[n] - target
        value[n] = weight * over * over  # (1)
        factor[n] = two * weight * dvalue[n] * over / norm[n] if norm[n] > zero else zero  # (3)


@loop_of(r1_and_factor)
def r1_and_factor_loop(part, parts, norm, dvalue, weight, value, factor):
    half = norm.dtype.type(0.5)
    start, stop = share_row(norm.size, part, parts)
    norm, dvalue = norm[start:stop], dvalue[start:stop]
    value, factor = value[start:stop], factor[start:stop]
    for n in range(norm.size):
        value[n] = half * weight * norm[n] * norm[n]  # (2)
        factor[n] = weight * dvalue[n]  # (4)

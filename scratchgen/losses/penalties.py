"""Penalties on the slope of a discriminator D, per example: functions of slope_n = dD(x_n)/dx_n.

    gradient penalty    weight (|slope_n| - target)^2      at x = e real + (1 - e) fake       (1)
    R1                  weight / 2 |slope_n|^2             at x = real                        (2)

|slope_n| is the norm over all numbers of one example, and e_n ~ U(0, 1) is drawn for each example.
With respect to slope_n they have the gradients u_n

    2 weight (|slope_n| - target) slope_n / |slope_n|      0 where slope_n = 0                (3)
    weight slope_n                                                                            (4)

What is needed is the gradient with respect to the weights of D, which the slopes depend on. With u
held fixed, the penalty changes by sum_n <u_n, dslope_n>, as the sum of tangents <u_n, dD(x_n)/dx_n>
does. So one pass forward, one back for the slopes, one tangent with u, and one tangent_backward
with dy = 0, dv = 1 give the gradient exactly:

    y = D(x),   slope = D.backward(dy=1),   v = D.tangent(u),   D.tangent_backward(0, 1)      (5)

This holds where D treats examples one by one, so that slope_n is the slope at example n alone.
Sources: (1) Gulrajani et al. 2017, (2) Mescheder et al. 2018.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..checks import Array, finite, one_of
from ..errors import KindError, OptionError
from ..kernels import as_column
from ..nn import Network, Tape
from ..nn.layer import Views


class Penalty:
    """What all penalties do."""

    name: ClassVar[str]
    formula: ClassVar[str] = ""  # in a line, for `scratchgen explain`
    weight: float

    def points(self, real: Array, fake: Array, rng: np.random.Generator) -> Array:
        """Where the slope is judged: (N, ...), from real and fake examples (N, ...)."""
        raise NotImplementedError

    def value(self, slope: Array) -> Array:
        """The penalty of each example: slope (N, ...) -> (N,)."""
        raise NotImplementedError

    def slope_gradient(self, slope: Array, dvalue: Array) -> Array:
        """u, the penalty's gradient by the slope (N, ...), for dvalue (N,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """(1): slopes are to be `target`, all along the way between real and fake examples."""

    weight: float = 10.0
    target: float = 1.0
    name: ClassVar[str] = "gradient_penalty"
    formula: ClassVar[str] = "weight (|dD/dx| - target)^2 between real and fake x"

    def __post_init__(self) -> None:
        _check_weight(self)
        object.__setattr__(self, "target", finite(self.target, "GradientPenalty: target"))

    def points(self, real: Array, fake: Array, rng: np.random.Generator) -> Array:
        e = as_column(rng.random(len(real), dtype=real.dtype), real)  # (N, 1, ...)
        return e * real + (1 - e) * fake

    def value(self, slope: Array) -> Array:
        return self.weight * (norms(slope) - self.target) ** 2  # (N,)   (1)

    def slope_gradient(self, slope: Array, dvalue: Array) -> Array:
        norm = norms(slope)  # (N,)
        unit = slope / as_column(np.where(norm > 0, norm, 1), slope)  # (N, ...), or 0
        return as_column(2 * self.weight * dvalue * (norm - self.target), slope) * unit  # (3)


@dataclass(frozen=True)
class R1(Penalty):
    """(2): the discriminator is to be flat where the data are."""

    weight: float = 10.0
    name: ClassVar[str] = "r1"
    formula: ClassVar[str] = "weight / 2 |dD/dx|^2 at real x"

    def __post_init__(self) -> None:
        _check_weight(self)

    def points(self, real: Array, fake: Array, rng: np.random.Generator) -> Array:
        return real

    def value(self, slope: Array) -> Array:
        return self.weight / 2 * norms(slope) ** 2  # (N,)   (2)

    def slope_gradient(self, slope: Array, dvalue: Array) -> Array:
        return as_column(self.weight * dvalue, slope) * slope  # (4)


PENALTIES: dict[str, type[Any]] = {kind.name: kind for kind in (GradientPenalty, R1)}


def penalise(
    penalty: Penalty,
    network: Network,
    p: Views,
    x: Array,
    dvalue: Array,
    tape: Tape,
    g: Views = None,
) -> Array:
    """The penalty of `network` (N, ...) -> (N, 1) at each of x (N, ...): (N,).

    With g, the gradient of sum_n dvalue_n penalty_n with respect to p is added into it. The pass
    runs on `tape`, which has begun.
    """
    y = network.forward(p, x, tape)  # (N, 1)   (5)
    one = np.ones_like(y)
    slope: Any = network.backward(p, one, tape)  # (N, ...)   (5)
    slope = slope.copy()  # off the tape, which the tangent writes on
    if g is not None:
        u = penalty.slope_gradient(slope, dvalue)  # (N, ...)
        network.tangent(p, u, tape)  # (5)
        network.tangent_backward(p, np.zeros_like(one), one, tape, g, need_dx=False)  # (5)
    return penalty.value(slope)


def penalty_for(choice: Any) -> Penalty | None:
    """`choice` itself, or by name; None is none. Raises OptionError or KindError."""
    if choice is None or isinstance(choice, Penalty):
        return choice
    if not isinstance(choice, str):
        raise KindError(f"penalty={choice!r}: wants a name, {' or '.join(PENALTIES)}, or an object")
    return PENALTIES[one_of(choice, PENALTIES, "penalty")]()


def describe_penalty(penalty: Any) -> dict[str, Any] | None:
    """`{"name": "r1", "weight": 10.0}`: what a file holds of a penalty.

    Raises OptionError for one of the user's own that is not in PENALTIES.
    """
    if penalty is None:
        return None
    if type(penalty) not in PENALTIES.values():
        raise OptionError(
            f"{penalty!r} is not one of scratchgen's penalties, so no file can hold it: add the "
            f"class to scratchgen.losses.PENALTIES, here and where the file is loaded"
        )
    return {"name": penalty.name, **dataclasses.asdict(penalty)}


def build_penalty(description: dict[str, Any] | None) -> Penalty | None:
    """The penalty of a description."""
    if description is None:
        return None
    fields = dict(description)
    return PENALTIES[one_of(fields.pop("name"), PENALTIES, "penalty")](**fields)


def norms(slope: Array) -> Array:
    """The length of each example's slope: (N, ...) -> (N,)."""
    return np.sqrt((slope * slope).sum(axis=tuple(range(1, slope.ndim))))


def _check_weight(penalty: Any) -> None:
    weight = finite(penalty.weight, f"{type(penalty).__name__}: weight", above=True)
    object.__setattr__(penalty, "weight", weight)

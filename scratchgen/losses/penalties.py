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
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..checks import Array, as_object, finite, one_of
from ..errors import KindError, OptionError, ShapeError
from ..keywords import ExplainsKeywords
from ..nn import Network, Tape, noted
from ..nn.layer import Views
from ..rng import fill_uniform


class Penalty(ExplainsKeywords):
    """What all penalties do. Given a tape, they write into its memory."""

    name: ClassVar[str]
    formula: ClassVar[str] = ""  # in a line, for `scratchgen explain`
    replays: ClassVar[bool | None] = False  # whether `points` and `both` are kernels' work alone
    weight: float

    def __init_subclass__(cls, **settings: Any) -> None:
        """Where a class has a value or slope_gradient of its own, `both` is not an older one."""
        super().__init_subclass__(**settings)
        if {"value", "slope_gradient"} & vars(cls).keys() and "both" not in vars(cls):
            cls.both = Penalty.both  # type: ignore[method-assign] # of a class being made

    def points(
        self, real: Array, fake: Array, rng: np.random.Generator, tape: Tape | None = None
    ) -> Array:
        """Where the slope is judged: (N, ...), from real and fake examples (N, ...)."""
        raise NotImplementedError

    def value(self, slope: Array, tape: Tape | None = None) -> Array:
        """The penalty of each example: slope (N, ...) -> (N,)."""
        raise NotImplementedError

    def slope_gradient(self, slope: Array, dvalue: Array, tape: Tape | None = None) -> Array:
        """u, the penalty's gradient by the slope (N, ...), for dvalue (N,)."""
        raise NotImplementedError

    def both(self, slope: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        """`value` and `slope_gradient`, which a kind may have from one pass."""
        return self.value(slope, tape), self.slope_gradient(slope, dvalue, tape)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """(1): slopes are to be `target`, all along the way between real and fake examples."""

    weight: float = 10.0
    target: float = 1.0
    name: ClassVar[str] = "gradient_penalty"
    formula: ClassVar[str] = "weight (|dD/dx| - target)^2 between real and fake x"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        _check_weight(self)
        object.__setattr__(self, "target", finite(self.target, "GradientPenalty: target"))

    def points(
        self, real: Array, fake: Array, rng: np.random.Generator, tape: Tape | None = None
    ) -> Array:
        """As in Penalty; raises ShapeError unless real and fake have one shape."""
        if fake.shape != real.shape:
            raise ShapeError(
                f"{self}: fake has shape {fake.shape}, wants that of real, {real.shape}: a point "
                f"lies between one of each"
            )
        tape = tape or Tape()
        e = tape.array("e", (len(real),), real.dtype)
        kernels.before(fill_uniform, rng, e)
        x = tape.array("between", real.shape, real.dtype)
        kernels.between(kernels.plain(rows(real)), kernels.plain(rows(fake)), e, rows(x))
        return x

    def value(self, slope: Array, tape: Tape | None = None) -> Array:
        return self.weight * (norms(slope, tape) - self.target) ** 2  # (N,)   (1)

    def slope_gradient(self, slope: Array, dvalue: Array, tape: Tape | None = None) -> Array:
        return GradientPenalty.both(self, slope, dvalue, tape or Tape())[1]

    def both(self, slope: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        kernel, settings = kernels.gradient_penalty_pass, (self.weight, self.target)
        return one_pass(kernel, settings, slope, dvalue, tape)  # (1), (3)


@dataclass(frozen=True)
class R1(Penalty):
    """(2): the discriminator is to be flat where the data are."""

    weight: float = 10.0
    name: ClassVar[str] = "r1"
    formula: ClassVar[str] = "weight / 2 |dD/dx|^2 at real x"
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        _check_weight(self)

    def points(
        self, real: Array, fake: Array, rng: np.random.Generator, tape: Tape | None = None
    ) -> Array:
        return real

    def value(self, slope: Array, tape: Tape | None = None) -> Array:
        return self.weight / 2 * norms(slope, tape) ** 2  # (N,)   (2)

    def slope_gradient(self, slope: Array, dvalue: Array, tape: Tape | None = None) -> Array:
        return R1.both(self, slope, dvalue, tape or Tape())[1]

    def both(self, slope: Array, dvalue: Array, tape: Tape) -> tuple[Array, Array]:
        return one_pass(kernels.r1_pass, (self.weight, 0.0), slope, dvalue, tape)  # (2), (4)


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
    one, zero = (tape.array(name, y.shape, y.dtype) for name in ("one", "zero"))
    kernels.before(one.fill, 1)
    kernels.before(zero.fill, 0)
    slope: Any = network.backward(p, one, tape)  # (N, ...)   (5)
    each, u = noted(penalty).both(slope, dvalue, tape)  # (N,) and (N, ...)
    if g is not None:
        network.tangent(p, u, tape)  # (5)
        network.tangent_backward(p, zero, one, tape, g, need_dx=False)  # (5)
    return each


def penalty_for(choice: Any) -> Penalty | None:
    """A penalty: `choice` itself or, of a name or a class, the one with its default settings.

    None is none. Raises OptionError or KindError.
    """
    choice = as_object(choice, Penalty, "penalty")
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


def norms(slope: Array, tape: Tape | None = None) -> Array:
    """The length of each example's slope: (N, ...) -> (N,)."""
    tape, flat = tape or Tape(), kernels.plain(rows(slope))
    norm = tape.array("norm", (len(slope),), slope.dtype)
    terms = tape.array("terms", (kernels.threads_now(), flat.shape[1]), slope.dtype)
    kernels.row_norms(flat, norm, terms)
    return norm


def one_pass(
    kernel: Callable[..., None],
    settings: tuple[float, float],
    slope: Array,
    dvalue: Array,
    tape: Tape,
) -> tuple[Array, Array]:
    """The penalty (N,) and its gradient by the slope (N, ...), on the tape, from a kernel."""
    flat = kernels.plain(rows(slope))
    norm = norms(flat, tape)
    each, factor = (tape.array(name, norm.shape, norm.dtype) for name in ("each", "factor"))
    kernel(norm, dvalue, *map(norm.dtype.type, settings), each, factor)
    u = tape.array("u", slope.shape, slope.dtype)
    kernels.scale_rows(flat, factor, rows(u))
    return each, u


def rows(x: Array) -> Array:
    """x (N, ...) with the numbers of each example in a row: (N, D)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def _check_weight(penalty: Any) -> None:
    weight = finite(penalty.weight, f"{type(penalty).__name__}: weight", above=True)
    object.__setattr__(penalty, "weight", weight)

"""Optimizers turn a gradient into a step, on one flat vector, each a little cleverer than the last.

    memory = optimizer.memory(theta)
    optimizer.update(theta, gradient, memory)        writes theta and memory in place

With g the gradient, and `rate` the learning rate of this step:

    SGD         theta = theta - rate g                                        (1)
    Momentum    velocity = momentum velocity + g                              (2)
                theta = theta - rate velocity                                 (3)
    Nesterov    theta = theta - rate (g + momentum velocity), after (2)       (4)
    RMSProp     v = keep v + (1 - keep) g^2                                   (5)
                theta = theta - rate g / (sqrt(v) + eps)                      (6)
    centred     mean = keep mean + (1 - keep) g                               (7)
                theta = theta - rate g / (sqrt(max(v - mean^2, 0)) + eps)     (8)
    Adam        theta = theta - rate m^ / (sqrt(v^) + eps), see kernels/adam.py
    AdamW       theta = theta - rate weight_decay theta, and Adam's step      (9)
    ClipNorm    g = g min(1, norm / |g|), before any of them                  (10)

An optimizer is a set of constants and never changes; what it remembers is the caller's. `memory` is
made once, before the first step, for one vector, which is then written in place.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from .. import kernels
from ..checks import Array, as_object, finite, fraction, one_of
from ..errors import KindError, OptionError
from ..keywords import ExplainsKeywords
from ..nn import noted
from .memory import Memory, check_gradient, check_update, remember
from .schedules import Schedule, is_schedule, rate_at


class Optimizer(Protocol):
    """What `fit` asks of an optimizer."""

    def memory(self, theta: Array) -> Any:
        """What is remembered of parameters (P,) between steps, before the first."""

    def update(self, theta: Array, gradient: Array, memory: Any) -> None:
        """One step on theta (P,) by its gradient (P,): writes theta and memory in place."""


@dataclass(frozen=True)
class Descent(ExplainsKeywords):
    """What the optimizers below share: a learning rate, a memory, and the checks before a step.

    `learning_rate` is a number above 0, or a schedule: step, counted from 0 -> number.
    """

    learning_rate: float | Schedule
    arrays: ClassVar[tuple[str, ...]] = ()  # what is remembered
    replays: ClassVar[bool | None] = False  # whether `move` is a kernel's work alone

    def __post_init__(self) -> None:
        if not is_schedule(self.learning_rate):
            self._set("learning_rate", finite, above=True)

    def _set(self, name: str, check: Any, **bounds: Any) -> None:
        """Check a setting, and write it in the form the inside wants."""
        value = check(getattr(self, name), f"{type(self).__name__}: {name}", **bounds)
        object.__setattr__(self, name, value)

    def owner(self) -> str:
        """The name that its memories carry."""
        return type(self).__name__

    def memory(self, theta: Array) -> Memory:
        """Steps done, t = 0, and zeros (P,) by the names in `arrays`.

        Raises KindError or ShapeError unless theta is a flat array of float32 or float64.
        """
        memory = remember(self.owner(), theta, *self.arrays, t=0)
        numbers = [*self.numbers(0.0, 1), 0.0]  # the last is for the smallest normal number
        memory.numbers = kernels.lasting(np.zeros(len(numbers), theta.dtype.type))
        return memory

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0; OptionError if a schedule gives none."""
        rate = self.learning_rate
        return rate_at(rate, step, self.owner()) if callable(rate) else rate

    def update(self, theta: Array, gradient: Array, memory: Memory) -> None:
        """One step on theta (P,) by its gradient (P,): writes theta and memory in place.

        Raises, before anything is written, KindError or OptionError for a memory that was not made
        here for this vector, KindError or ShapeError for a gradient that does not fit, and
        OptionError for a schedule that gives no rate.
        """
        check_update(self.owner(), theta, memory)
        check_gradient(self.owner(), theta, gradient)
        if not gradient.flags.writeable:  # for which numba would compile anew
            gradient = gradient.copy()
        kernels.before(self._prepare, memory)
        self.move(theta, gradient, memory)

    def _prepare(self, memory: Memory) -> None:
        """The numbers of the next step, in theta's dtype, and, last, its smallest normal number."""
        rate = self.rate(memory.t)
        memory.t += 1
        memory.numbers[:] = *self.numbers(rate, memory.t), LEAST[memory.theta.dtype.char]

    def numbers(self, rate: float, t: int) -> tuple[float, ...]:
        """What the kernel needs besides arrays, for step number t, counted from 1."""
        return (rate,)

    def move(self, theta: Array, g: Array, memory: Memory) -> None:
        """The step itself, by `memory.numbers`."""
        raise NotImplementedError(f"{type(self).__name__} has no move")


@dataclass(frozen=True)
class SGD(Descent):
    """Stochastic gradient descent (Robbins and Monro 1951): downhill.

    >>> theta, sgd = np.zeros(1), SGD(learning_rate=0.1)
    >>> sgd.update(theta, np.array([2.0]), sgd.memory(theta))
    >>> theta
    array([-0.2])
    """

    learning_rate: float | Schedule = 1e-2
    replays: ClassVar[bool | None] = True

    def move(self, theta: Array, g: Array, memory: Memory) -> None:
        kernels.sgd_step(theta, g, memory.numbers)  # (1)


@dataclass(frozen=True)
class Momentum(Descent):
    """The heavy ball (Polyak 1964): steps that agree add up, steps that quarrel cancel.

    A constant gradient ends up 1 / (1 - momentum) times as fast as by SGD. The velocity is one of
    gradients, as in PyTorch: a new learning rate is felt at once.

    >>> theta, ball = np.zeros(1), Momentum(learning_rate=0.1, momentum=0.5)
    >>> memory = ball.memory(theta)
    >>> for _ in range(2):                             # -0.1 (2), then -0.1 (0.5 * 2 + 2)
    ...     ball.update(theta, np.array([2.0]), memory)
    >>> theta
    array([-0.5])
    """

    learning_rate: float | Schedule = 1e-2
    momentum: float = 0.9
    arrays: ClassVar[tuple[str, ...]] = ("velocity",)
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("momentum", fraction)

    def numbers(self, rate: float, t: int) -> tuple[float, ...]:
        return rate, self.momentum

    def move(self, theta: Array, g: Array, memory: Memory) -> None:
        kernels.momentum_step(theta, g, memory.velocity, memory.numbers)  # (2), (3)


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Nesterov's accelerated gradient (1983): the heavy ball that looks where it is rolling.

    Sutskever et al. 2013 (equations 3 and 4) take the gradient ahead of the parameters, where the
    velocity is about to carry them. Here, as in PyTorch, theta is that place ahead, so that the
    gradient is taken at theta; for a constant learning rate both walk the same path.

    >>> theta, ball = np.zeros(1), Nesterov(learning_rate=0.1, momentum=0.5)
    >>> ball.update(theta, np.array([2.0]), ball.memory(theta))
    >>> theta                                          # -0.1 (2 + 0.5 * 2)
    array([-0.3])
    """

    replays: ClassVar[bool | None] = True

    def move(self, theta: Array, g: Array, memory: Memory) -> None:
        kernels.nesterov_step(theta, g, memory.velocity, memory.numbers)  # (2), (4)


@dataclass(frozen=True)
class RMSProp(Descent):
    """A step of its own size for each parameter (Tieleman and Hinton 2012, lecture 6.5).

    g is divided by the root of its mean square; `centred` by its standard deviation instead (Graves
    2013, equations 38 to 40, without his momentum). eps stands outside the root, as in PyTorch;
    Graves has it inside. Moments start at 0 and are not corrected for it, so the first step is
    1 / sqrt(1 - keep) learning rates: ten, with the default.

    >>> theta, rmsprop = np.zeros(2), RMSProp(learning_rate=0.1, keep=0.75)
    >>> rmsprop.update(theta, np.array([1.0, 1000.0]), rmsprop.memory(theta))
    >>> theta.round(6)                                 # 0.1 / sqrt(0.25), however large g is
    array([-0.2, -0.2])
    """

    learning_rate: float | Schedule = 1e-3
    keep: float = 0.99
    eps: float = 1e-8
    centred: bool = False
    arrays: ClassVar[tuple[str, ...]] = ("v", "mean")  # mean stays 0 unless centred
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("keep", fraction)
        self._set("eps", finite, above=True)
        if not isinstance(self.centred, bool):
            raise OptionError(f"RMSProp: centred={self.centred!r}: wants True or False")

    def owner(self) -> str:
        return "RMSProp(centred=True)" if self.centred else "RMSProp"

    def numbers(self, rate: float, t: int) -> tuple[float, ...]:
        return rate, 1 - self.keep, self.eps

    def move(self, theta: Array, g: Array, memory: Memory) -> None:
        v, mean, numbers = memory.v, memory.mean, memory.numbers
        if self.centred:
            kernels.centred_rmsprop_step(theta, g, v, mean, numbers)  # (5), (7), (8)
        else:
            kernels.rmsprop_step(theta, g, v, numbers)  # (5), (6)


@dataclass(frozen=True)
class Adam(Descent):
    """Adaptive moment estimation (Kingma and Ba 2015, algorithm 1); equations in kernels/adam.py.

    Momentum (b1) over RMSProp (b2), both corrected for moments that start at 0.

    >>> theta, adam = np.zeros(1), Adam(learning_rate=0.1)
    >>> adam.update(theta, np.array([123.0]), adam.memory(theta))
    >>> theta.round(6)         # the first step is the learning rate, however large the gradient
    array([-0.1])
    """

    learning_rate: float | Schedule = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    arrays: ClassVar[tuple[str, ...]] = ("m", "v")
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("b1", fraction)
        self._set("b2", fraction)
        self._set("eps", finite, above=True)

    def numbers(self, rate: float, t: int) -> tuple[float, ...]:
        c1, c2 = 1 / (1 - self.b1**t), 1 / (1 - self.b2**t)
        return rate, 1 - self.b1, 1 - self.b2, self.eps, c1, c2, rate * self.decay()

    def move(self, theta: Array, g: Array, memory: Memory) -> None:
        kernels.adam_step(theta, g, memory.m, memory.v, memory.numbers)

    def decay(self) -> float:
        """The share of theta that is taken away in a step of rate 1."""
        return 0.0


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, and a pull towards 0 that is not divided by anything (Loshchilov and Hutter 2019).

    Adding weight_decay * theta to the gradient instead would have Adam divide it by sqrt(v), and
    leave the parameters with the largest gradients with the least decay. As in PyTorch the decay
    is multiplied by the learning rate, so it follows the schedule.

    >>> theta, adamw = np.ones(1), AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> adamw.update(theta, np.zeros(1), adamw.memory(theta))
    >>> theta                                          # 1 - 0.1 * 0.5
    array([0.95])
    """

    weight_decay: float = 0.01
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("weight_decay", finite)

    def decay(self) -> float:
        return self.weight_decay  # (9)


LEAST = {np.dtype(kind).char: np.finfo(kind).tiny for kind in (np.float32, np.float64)}


@dataclass(frozen=True)
class ClipNorm(ExplainsKeywords):
    """Another optimizer, given gradients no longer than `norm` (Pascanu et al. 2013, algorithm 1).

    The length is that of the whole vector, so the direction stays. A gradient that is short enough
    goes on as it is; so does one that holds NaN or infinity, for the caller to notice.

    >>> theta, short = np.zeros(2), ClipNorm(SGD(learning_rate=1.0), norm=1.0)
    >>> short.update(theta, np.array([30.0, 40.0]), short.memory(theta))
    >>> theta
    array([-0.6, -0.8])
    """

    optimizer: Optimizer
    norm: float = 1.0
    replays: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", optimizer_for(self.optimizer, "ClipNorm: optimizer"))
        object.__setattr__(self, "norm", finite(self.norm, "ClipNorm: norm", above=True))

    def memory(self, theta: Array) -> Memory:
        """Room for a clipped gradient (P,), and the memory of the optimizer inside.

        Raises KindError or ShapeError unless theta is a flat array of float32 or float64.
        """
        return remember("ClipNorm", theta, "work", inner=self.optimizer.memory(theta))

    def update(self, theta: Array, gradient: Array, memory: Memory) -> None:
        """One step of the optimizer inside; the gradient (P,) itself is left as it is.

        Raises what `Descent.update` raises.
        """
        check_update("ClipNorm", theta, memory)
        check_gradient("ClipNorm", theta, gradient)
        kernels.here(clip, gradient, self.norm, memory.work)
        noted(self.optimizer).update(theta, memory.work, memory.inner)


def clip(g: Array, norm: float, out: Array) -> None:
    """Writes out (P,): g (P,) where it is no longer than `norm`, else of that length, like g.

    g is divided by its largest entry first: squares of large float32 numbers would overflow.
    """
    largest = float(max(g.max(initial=0), -g.min(initial=0)))
    if largest > 0 and math.isfinite(largest):
        np.divide(g, largest, out=out)  # (P,), in [-1, 1]
        length = math.sqrt(np.square(out, dtype=np.float64).sum())  # |g| / largest, at least 1
        if largest * length > norm:
            out *= norm / length  # (10)
            return
    out[:] = g


PLAIN = 2**63  # numbers beyond it, and NaN, are recorded as text

OPTIMIZERS: dict[str, type[Descent]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}


def optimizer_for(choice: Any, what: str = "optimizer") -> Optimizer:
    """An optimizer: `choice` itself or, of a name or a class, the one with its default settings.

    Raises OptionError for an unknown name, KindError for what is no optimizer.

    >>> optimizer_for("adam")
    Adam(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-08)
    """
    if isinstance(choice, str):
        choice = OPTIMIZERS[one_of(choice, OPTIMIZERS, what)]
    one = as_object(choice, object, what)
    if not (hasattr(one, "update") and hasattr(one, "memory")):
        raise KindError(f"{what}={one!r}: wants an optimizer, such as sg.optim.Adam(1e-3)")
    optimizer: Optimizer = one
    return optimizer


def settings(optimizer: Any) -> dict[str, Any]:
    """An optimizer's name and settings, as plain numbers, strings and dicts, for a run's records.

    A setting of several parts is spread over its indices; one that is None is left out.

    >>> settings(SGD(0.1))
    {'name': 'SGD', 'learning_rate': 0.1}
    """
    named: dict[str, Any] = {"name": type(optimizer).__name__}
    for field in dataclasses.fields(optimizer) if dataclasses.is_dataclass(optimizer) else ():
        value = getattr(optimizer, field.name)
        if isinstance(value, tuple):
            named |= {f"{field.name}.{i}": _plain(part) for i, part in enumerate(value)}
        elif value is not None:
            named[field.name] = _plain(value)
    return named


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return settings(value)
    if isinstance(value, float | int | str):
        plain = value.isprintable() if isinstance(value, str) else abs(value) < PLAIN
        return value if plain else ascii(value)
    return type(value).__name__

"""Optimizers turn a gradient into a step, on one flat vector.

    memory = optimizer.memory(theta)
    optimizer.update(theta, gradient, memory)        writes theta and memory in place

The optimizer itself is a set of constants and never changes; what it remembers is the caller's.
"""

import dataclasses
import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from .. import kernels
from ..checks import Array, real
from ..errors import OptionError
from .schedules import Schedule


class Optimizer(Protocol):
    """What `fit` asks of an optimizer."""

    def memory(self, theta: Array) -> Any:
        """What is remembered of parameters (P,) between steps, before the first."""

    def update(self, theta: Array, gradient: Array, memory: Any) -> None:
        """One step on theta (P,) by its gradient (P,): writes theta and memory in place."""


@dataclass(frozen=True)
class Adam:
    """Adaptive moment estimation (Kingma and Ba 2015, algorithm 1); equations in kernels/adam.py.

    `learning_rate` is a number or a schedule, step -> number.

    >>> theta = np.zeros(1)
    >>> adam = Adam(learning_rate=0.1)
    >>> adam.update(theta, np.array([123.0]), adam.memory(theta))
    >>> theta.round(6)         # the first step is the learning rate, however large the gradient
    array([-0.1])
    """

    learning_rate: float | Schedule = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if not callable(self.learning_rate):
            rate = real(self.learning_rate, "Adam: learning_rate", above=True)
            object.__setattr__(self, "learning_rate", rate)
        for name in ("b1", "b2"):
            value = real(getattr(self, name), f"Adam: {name}")
            if value >= 1:
                raise OptionError(f"Adam: {name}={value!r}: wants a number in [0, 1), such as 0.9")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "eps", real(self.eps, "Adam: eps", above=True))

    def memory(self, theta: Array) -> SimpleNamespace:
        """Steps done, and the two moments (P,)."""
        return SimpleNamespace(t=0, m=np.zeros_like(theta), v=np.zeros_like(theta))

    def update(self, theta: Array, gradient: Array, memory: SimpleNamespace) -> None:
        """One step: theta, gradient (P,)."""
        rate = self.learning_rate
        rate = rate(memory.t) if callable(rate) else rate
        memory.t += 1
        b1, b2 = self.b1, self.b2
        number = theta.dtype.type
        kernels.adam_step(
            theta,
            gradient,
            memory.m,
            memory.v,
            *map(number, (rate, b1, b2, self.eps)),
            number(1 / (1 - b1**memory.t)),
            number(1 / (1 - b2**memory.t)),
            np.finfo(theta.dtype).tiny,
        )


def settings(optimizer: Any) -> dict[str, Any]:
    """An optimizer's name and settings, as plain numbers and strings, for a run's records."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return settings(value)
        if isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value)):
            return value
        return str(value) if isinstance(value, float) else type(value).__name__

    fields = dataclasses.fields(optimizer) if dataclasses.is_dataclass(optimizer) else ()
    named = {field.name: plain(getattr(optimizer, field.name)) for field in fields}
    return {"name": type(optimizer).__name__, **named}

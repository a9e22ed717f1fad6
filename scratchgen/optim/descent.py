"""An optimizer turns a gradient into a step on one flat vector; SGD, the simplest, goes downhill.

    memory = optimizer.memory(theta)
    optimizer.update(theta, gradient, memory)        writes theta and memory in place

With the gradient g, and the learning rate `rate` of this step, SGD is

    theta = theta - rate g                                                        (1)

Other optimizers keep running means of the gradients, in `memory`. An entry x of these becomes 0 if
it is below `least`, the smallest float with all its digits, because arithmetic on smaller numbers
is many times slower:

    x = 0 where |x| < least                                                       (2)

An optimizer is a set of constants and never changes. `memory` belongs to the caller: make it before
the first step, for one vector, which is then written in place. The numbers in a step, such as its
rate, are its coefficients. They are computed in double precision and rounded once, to an array with
`least` at its end.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from .. import kernels
from ..ground.arguments import Array, finite
from ..ground.parts import Part, setting
from ..kernels import formula, loop_of, share_row
from .memory import Memory, check_gradient, check_update, remember
from .schedules import Schedule, is_schedule, rate_at

# mypy: disable-error-code="no-untyped-def"

# `least` of (2): the smallest normal numbers of float32 and float64
LEAST = {np.dtype(kind).char: float(np.finfo(kind).tiny) for kind in (np.float32, np.float64)}


@runtime_checkable
class Optimizer(Protocol):
    """What `fit` needs of an optimizer."""

    def memory(self, theta: Array) -> Any:
        """What is kept between steps for parameters (P,), before the first step."""

    def update(self, theta: Array, gradient: Array, memory: Any) -> None:
        """One step on theta (P,) by its gradient (P,): writes theta and memory in place."""


@formula("g (P,), coefficients (2,) -> theta (P,) in place", row_by_row=True)
def sgd_step(theta: Array, g: Array, coefficients: Array) -> None:
    """theta, g (P,), coefficients (rate, least): writes theta."""
    rate, _least = coefficients
    theta -= rate * g  # (1)


def flush(x: Array, least: np.floating[Any]) -> None:
    """Entries of x (P,) that are smaller than `least` become 0."""
    x[np.abs(x) < least] = 0  # (2)


def rate_or_schedule(value: Any, what: str) -> float | Schedule:
    """`value` itself if it is a schedule, otherwise as a number above 0."""
    return value if is_schedule(value) else finite(value, what, above=True)


@dataclass(frozen=True)
class Descent(Part):
    """What the optimizers here share: a learning rate, a memory, and the checks before a step.

    `learning_rate` is a number above 0, or a schedule: a function from the step, counted from 0.
    """

    learning_rate: float | Schedule = setting(
        check=rate_or_schedule, text="learning rate", option="lr"
    )
    name: ClassVar[str]
    arrays: ClassVar[tuple[str, ...]] = ()  # the names of the arrays in its memory
    n_coefficients: ClassVar[int] = 2  # of a step, with `least`

    def owner(self) -> str:
        """The name of the optimizer in its memories."""
        return type(self).__name__

    def memory(self, theta: Array) -> Memory:
        """The number of steps done, t = 0, and zeros (P,) under the names in `arrays`.

        Raises KindError or ShapeError unless theta is a flat array of float32 or float64.
        """
        return remember(self.owner(), theta, *self.arrays, t=0)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0; OptionError if a schedule returns none."""
        rate = self.learning_rate
        return rate_at(rate, step, self.owner()) if callable(rate) else rate

    def update(self, theta: Array, gradient: Array, memory: Memory) -> None:
        """One step on theta (P,) by its gradient (P,): writes theta and memory in place.

        Before anything is written, raises KindError or OptionError for a memory that this optimizer
        did not make for this vector, KindError or ShapeError for a gradient that does not fit, and
        OptionError for a schedule that returns no rate.
        """
        check_update(self.owner(), theta, memory)
        check_gradient(self.owner(), theta, gradient)
        # an array of the numbers that the function returns, which is called anew in every step
        coefficients = kernels.scheduled(
            lambda: self._next_coefficients(memory), self.n_coefficients, theta.dtype
        )
        self.move(theta, gradient, memory, coefficients)

    def _next_coefficients(self, memory: Memory) -> tuple[float, ...]:
        """Those of the next step, with `least` at the end; the step is counted here."""
        rate = self.rate(memory.t)
        memory.t += 1
        return *self.coefficients(rate, memory.t), LEAST[memory.theta.dtype.char]

    def coefficients(self, rate: float, t: int) -> tuple[float, ...]:
        """The coefficients of step t without `least`; t counts from 1."""
        return (rate,)

    def move(self, theta: Array, g: Array, memory: Memory, coefficients: Array) -> None:
        """One step, which writes theta and memory; coefficients are (n_coefficients,)."""
        raise NotImplementedError(f"{type(self).__name__} has no move")


@dataclass(frozen=True)
class SGD(Descent):
    """Stochastic gradient descent (Robbins and Monro 1951).

    >>> theta, sgd = np.zeros(1), SGD(learning_rate=0.1)
    >>> sgd.update(theta, np.array([2.0]), sgd.memory(theta))
    >>> theta
    array([-0.2])
    """

    learning_rate: float | Schedule = 1e-2
    name: ClassVar[str] = "sgd"

    def move(self, theta: Array, g: Array, memory: Memory, coefficients: Array) -> None:
        sgd_step(theta, g, coefficients)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(sgd_step)
def sgd_step_loop(part, parts, theta, g, coefficients):
    rate = coefficients[0]
    start, stop = share_row(theta.size, part, parts)
    theta, g = theta[start:stop], g[start:stop]
    for i in range(theta.size):
        theta[i] -= rate * g[i]  # (1)

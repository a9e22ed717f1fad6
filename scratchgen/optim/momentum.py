"""Momentum: a step follows the sum of past gradients, as a heavy ball rolls on.

    velocity = momentum velocity + g                                              (1)
    Momentum    theta = theta - rate velocity                                     (2)
    Nesterov    theta = theta - rate (g + momentum velocity)                      (3)
    velocity = 0 where |velocity| < least                                         (4)

(4) comes last; it is (2) of descent.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from ..ground.arguments import Array, fraction
from ..ground.parts import setting
from ..kernels import formula, loop_of, share_row
from .descent import Descent, flush
from .memory import Memory
from .schedules import Schedule

# mypy: disable-error-code="no-untyped-def"


@dataclass(frozen=True)
class Momentum(Descent):
    """The heavy ball (Polyak 1964): gradients that agree add up, opposite ones cancel.

    Under a constant gradient, steps grow to 1 / (1 - momentum) times those of SGD. The velocity is
    a sum of gradients, as in PyTorch, so a new learning rate takes effect at once.

    >>> import numpy as np
    >>> theta, ball = np.zeros(1), Momentum(learning_rate=0.1, momentum=0.5)
    >>> memory = ball.memory(theta)
    >>> for _ in range(2):                             # -0.1 (2), then -0.1 (0.5 * 2 + 2)
    ...     ball.update(theta, np.array([2.0]), memory)
    >>> theta
    array([-0.5])
    """

    learning_rate: float | Schedule = 1e-2
    momentum: float = setting(0.9, fraction, "share of the velocity that a step keeps")
    name: ClassVar[str] = "momentum"
    arrays: ClassVar[tuple[str, ...]] = ("velocity",)
    n_coefficients: ClassVar[int] = 3

    def coefficients(self, rate: float, t: int) -> tuple[float, ...]:
        return rate, self.momentum

    def move(self, theta: Array, g: Array, memory: Memory, coefficients: Array) -> None:
        momentum_step(theta, g, memory.velocity, coefficients)


@formula("g (P,), coefficients (3,) -> theta, velocity (P,) in place", row_by_row=True)
def momentum_step(theta: Array, g: Array, velocity: Array, coefficients: Array) -> None:
    """theta, g, velocity (P,), coefficients (rate, momentum, least): writes theta and velocity."""
    rate, momentum, least = coefficients
    velocity *= momentum
    velocity += g  # (1)
    theta -= rate * velocity  # (2)
    flush(velocity, least)  # (4)


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Nesterov's accelerated gradient (1983): the heavy ball, with the gradient taken ahead of it.

    Sutskever et al. 2013 (equations 3 and 4) take the gradient at the point where the velocity is
    about to carry the parameters. Here, as in PyTorch, theta is that point; for a constant learning
    rate both take the same steps.

    >>> import numpy as np
    >>> theta, ball = np.zeros(1), Nesterov(learning_rate=0.1, momentum=0.5)
    >>> ball.update(theta, np.array([2.0]), ball.memory(theta))
    >>> theta                                          # -0.1 (2 + 0.5 * 2)
    array([-0.3])
    """

    name: ClassVar[str] = "nesterov"

    def move(self, theta: Array, g: Array, memory: Memory, coefficients: Array) -> None:
        nesterov_step(theta, g, memory.velocity, coefficients)


@formula("g (P,), coefficients (3,) -> theta, velocity (P,) in place", row_by_row=True)
def nesterov_step(theta: Array, g: Array, velocity: Array, coefficients: Array) -> None:
    """theta, g, velocity (P,), coefficients (rate, momentum, least): writes theta and velocity."""
    rate, momentum, least = coefficients
    velocity *= momentum
    velocity += g  # (1)
    theta -= rate * (g + momentum * velocity)  # (3)
    flush(velocity, least)  # (4)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(momentum_step)
def momentum_step_loop(part, parts, theta, g, velocity, coefficients):
    rate, momentum, least = coefficients[0], coefficients[1], coefficients[2]
    start, stop = share_row(theta.size, part, parts)
    theta, g, velocity = theta[start:stop], g[start:stop], velocity[start:stop]
    for i in range(theta.size):
        new = momentum * velocity[i] + g[i]  # (1)
        theta[i] -= rate * new  # (2)
        velocity[i] = 0 if abs(new) < least else new  # (4)


@loop_of(nesterov_step)
def nesterov_step_loop(part, parts, theta, g, velocity, coefficients):
    rate, momentum, least = coefficients[0], coefficients[1], coefficients[2]
    start, stop = share_row(theta.size, part, parts)
    theta, g, velocity = theta[start:stop], g[start:stop], velocity[start:stop]
    for i in range(theta.size):
        new = momentum * velocity[i] + g[i]  # (1)
        theta[i] -= rate * (g[i] + momentum * new)  # (3)
        velocity[i] = 0 if abs(new) < least else new  # (4)

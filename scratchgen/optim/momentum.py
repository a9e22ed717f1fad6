"""Momentum: a ball that rolls on, where plain descent would stop and turn at every step.

    velocity = momentum velocity + g                                              (1)
    Momentum    theta = theta - rate velocity                                     (2)
    Nesterov    theta = theta - rate (g + momentum velocity)                      (3)
    velocity = 0 where |velocity| < least                                         (4)

(4) comes last, and is that of descent.py (2).
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
    """The heavy ball (Polyak 1964): steps that agree add up, steps that quarrel cancel.

    A constant gradient ends up 1 / (1 - momentum) times as fast as by SGD. The velocity is one of
    gradients, as in PyTorch: a new learning rate is felt at once.

    >>> import numpy as np
    >>> theta, ball = np.zeros(1), Momentum(learning_rate=0.1, momentum=0.5)
    >>> memory = ball.memory(theta)
    >>> for _ in range(2):                             # -0.1 (2), then -0.1 (0.5 * 2 + 2)
    ...     ball.update(theta, np.array([2.0]), memory)
    >>> theta
    array([-0.5])
    """

    learning_rate: float | Schedule = 1e-2
    momentum: float = setting(0.9, fraction, "share of its velocity that the ball keeps")
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
    """Nesterov's accelerated gradient (1983): the heavy ball that looks where it is rolling.

    Sutskever et al. 2013 (equations 3 and 4) take the gradient ahead of the parameters, where the
    velocity is about to carry them. Here, as in PyTorch, theta is that place ahead, so that the
    gradient is taken at theta; for a constant learning rate both take the same steps.

    >>> import numpy as np
    >>> theta, ball = np.zeros(1), Nesterov(learning_rate=0.1, momentum=0.5)
    >>> ball.update(theta, np.array([2.0]), ball.memory(theta))
    >>> theta                                          # -0.1 (2 + 0.5 * 2)
    array([-0.3])
    """

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
        now = momentum * velocity[i] + g[i]  # (1)
        theta[i] -= rate * now  # (2)
        velocity[i] = 0 if abs(now) < least else now  # (4)


@loop_of(nesterov_step)
def nesterov_step_loop(part, parts, theta, g, velocity, coefficients):
    rate, momentum, least = coefficients[0], coefficients[1], coefficients[2]
    start, stop = share_row(theta.size, part, parts)
    theta, g, velocity = theta[start:stop], g[start:stop], velocity[start:stop]
    for i in range(theta.size):
        now = momentum * velocity[i] + g[i]  # (1)
        theta[i] -= rate * (g[i] + momentum * now)  # (3)
        velocity[i] = 0 if abs(now) < least else now  # (4)

"""One step of the plainer optimizers over a flat vector of parameters; Adam is in adam.py.

    SGD         theta = theta - rate g                                        (1)
    Momentum    velocity = momentum velocity + g                              (2)
                theta = theta - rate velocity                                 (3)
    Nesterov    theta = theta - rate (g + momentum velocity), after (2)       (4)
    RMSProp     v = v + rest (g^2 - v)                                        (5)
                theta = theta - rate g / (sqrt(v) + eps)                      (6)
    centred     mean = mean + rest (g - mean)                                 (7)
                theta = theta - rate g / (sqrt(max(v - mean^2, 0)) + eps)     (8)

rest is 1 - keep, rounded once. What is remembered becomes 0 below `least`, the smallest normal
number, where arithmetic is many times slower. These numbers stand in an array, so that they can
change from step to step; optim/optimizers.py has the sources.
"""

import numpy as np

from ..checks import Array
from .rows import in_blocks
from .sharing import share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


@in_blocks
def sgd_step_reference(theta: Array, g: Array, numbers: Array) -> None:
    """theta, g (P,), numbers (rate, least): writes theta in place."""
    rate, _least = numbers
    theta -= rate * g  # (1)


@twin_of(sgd_step_reference, takes="g (P,), numbers (2,) -> theta (P,)")
def sgd_step(part, parts, theta, g, numbers):
    rate = numbers[0]
    start, stop = share_row(theta.size, part, parts)
    theta, g = theta[start:stop], g[start:stop]
    for i in range(theta.size):
        theta[i] -= rate * g[i]  # (1)


@in_blocks
def momentum_step_reference(theta: Array, g: Array, velocity: Array, numbers: Array) -> None:
    """theta, g, velocity (P,), numbers (rate, momentum, least): writes theta and velocity."""
    rate, momentum, least = numbers
    velocity *= momentum
    velocity += g  # (2)
    theta -= rate * velocity  # (3)
    flush(velocity, least)


@twin_of(momentum_step_reference, takes="g (P,), numbers (3,) -> theta, velocity (P,)")
def momentum_step(part, parts, theta, g, velocity, numbers):
    rate, momentum, least = numbers[0], numbers[1], numbers[2]
    start, stop = share_row(theta.size, part, parts)
    theta, g, velocity = theta[start:stop], g[start:stop], velocity[start:stop]
    for i in range(theta.size):
        now = momentum * velocity[i] + g[i]  # (2)
        theta[i] -= rate * now  # (3)
        velocity[i] = 0 if abs(now) < least else now


@in_blocks
def nesterov_step_reference(theta: Array, g: Array, velocity: Array, numbers: Array) -> None:
    """theta, g, velocity (P,), numbers (rate, momentum, least): writes theta and velocity."""
    rate, momentum, least = numbers
    velocity *= momentum
    velocity += g  # (2)
    theta -= rate * (g + momentum * velocity)  # (4)
    flush(velocity, least)


@twin_of(nesterov_step_reference, takes="g (P,), numbers (3,) -> theta, velocity (P,)")
def nesterov_step(part, parts, theta, g, velocity, numbers):
    rate, momentum, least = numbers[0], numbers[1], numbers[2]
    start, stop = share_row(theta.size, part, parts)
    theta, g, velocity = theta[start:stop], g[start:stop], velocity[start:stop]
    for i in range(theta.size):
        now = momentum * velocity[i] + g[i]  # (2)
        theta[i] -= rate * (g[i] + momentum * now)  # (4)
        velocity[i] = 0 if abs(now) < least else now


@in_blocks
def rmsprop_step_reference(theta: Array, g: Array, v: Array, numbers: Array) -> None:
    """theta, g, v (P,), numbers (rate, rest, eps, least): writes theta and v in place."""
    rate, rest, eps, least = numbers
    v += rest * (g * g - v)  # (5)
    theta -= rate * g / (np.sqrt(v) + eps)  # (6)
    flush(v, least)


@twin_of(rmsprop_step_reference, takes="g (P,), numbers (4,) -> theta, v (P,)")
def rmsprop_step(part, parts, theta, g, v, numbers):
    rate, rest, eps, least = numbers[0], numbers[1], numbers[2], numbers[3]
    start, stop = share_row(theta.size, part, parts)
    theta, g, v = theta[start:stop], g[start:stop], v[start:stop]
    for i in range(theta.size):
        now = v[i] + rest * (g[i] * g[i] - v[i])  # (5)
        theta[i] -= rate * g[i] / (np.sqrt(now) + eps)  # (6)
        v[i] = 0 if now < least else now


@in_blocks
def centred_rmsprop_step_reference(
    theta: Array, g: Array, v: Array, mean: Array, numbers: Array
) -> None:
    """theta, g, v, mean (P,), numbers (rate, rest, eps, least): writes theta, v and mean."""
    rate, rest, eps, least = numbers
    v += rest * (g * g - v)  # (5)
    mean += rest * (g - mean)  # (7)
    variance = np.maximum(v - mean * mean, 0)  # rounding could take it below 0
    theta -= rate * g / (np.sqrt(variance) + eps)  # (8)
    flush(v, least)
    flush(mean, least)


@twin_of(centred_rmsprop_step_reference, takes="g (P,), numbers (4,) -> theta, v, mean (P,)")
def centred_rmsprop_step(part, parts, theta, g, v, mean, numbers):
    rate, rest, eps, least = numbers[0], numbers[1], numbers[2], numbers[3]
    zero = theta.dtype.type(0)
    start, stop = share_row(theta.size, part, parts)
    theta, g, v, mean = theta[start:stop], g[start:stop], v[start:stop], mean[start:stop]
    for i in range(theta.size):
        square = v[i] + rest * (g[i] * g[i] - v[i])  # (5)
        average = mean[i] + rest * (g[i] - mean[i])  # (7)
        variance = square - average * average
        spread = np.sqrt(zero if variance < zero else variance)
        theta[i] -= rate * g[i] / (spread + eps)  # (8)
        v[i] = 0 if square < least else square
        mean[i] = 0 if abs(average) < least else average


def flush(x: Array, least: np.floating) -> None:
    """x (P,): 0 where it is nearer to 0 than `least`."""
    x[np.abs(x) < least] = 0

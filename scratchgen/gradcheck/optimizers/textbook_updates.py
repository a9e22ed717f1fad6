"""The updates of optimizers as their papers define them, in arithmetic of any precision.

    sgd         theta - rate g
    momentum    velocity = momentum velocity + g,   theta - rate velocity
    nesterov    the same velocity,                  theta - rate (g + momentum velocity)
    rmsprop     v = keep v + (1 - keep) g^2,        theta - rate g / (sqrt(v) + eps)
    centred     mean = keep mean + (1 - keep) g,    sqrt(v - mean^2) for sqrt(v)
    adam        m = b1 m + (1 - b1) g,              m^ = m / (1 - b1^t)
                v = b2 v + (1 - b2) g^2,            v^ = v / (1 - b2^t)
                theta - rate m^ / (sqrt(v^) + eps)
    adamw       the same, and - rate weight_decay theta
    clipped     g min(1, norm / |g|), then any of these

Sources: Robbins and Monro 1951, Polyak 1964, Sutskever et al. 2013, Tieleman and Hinton 2012,
Graves 2013, Kingma and Ba 2015, Loshchilov and Hutter 2019, Pascanu et al. 2013.
They share no line with scratchgen/optim, and are meant to be compared with the papers. `past` is
the memory, a dict that is empty before the first step; t counts from 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ...optim import SGD, Adam, AdamW, ClipNorm, Momentum, Nesterov, Optimizer, RMSProp

Past = dict[str, Any]
Formula = Callable[..., Array]  # theta, g, past, t, rate, constants by name -> the next theta


def sgd(theta: Array, g: Array, _past: Past, _t: int, rate: Any) -> Array:
    """Gradient descent."""
    return theta - rate * g


def momentum(theta: Array, g: Array, past: Past, _t: int, rate: Any, momentum: Any) -> Array:
    """Momentum: the heavy ball."""
    past["velocity"] = momentum * past.get("velocity", 0) + g
    return theta - rate * past["velocity"]


def nesterov(theta: Array, g: Array, past: Past, _t: int, rate: Any, momentum: Any) -> Array:
    """The heavy ball with a look ahead: theta is where the ball is about to be."""
    past["velocity"] = momentum * past.get("velocity", 0) + g
    return theta - rate * (g + momentum * past["velocity"])


def rmsprop(
    theta: Array, g: Array, past: Past, _t: int, rate: Any, keep: Any, eps: Any, centred: bool
) -> Array:
    """Steps in units of the gradient's root mean square, or of its standard deviation."""
    past["v"] = keep * past.get("v", 0) + (1 - keep) * g**2
    past["mean"] = keep * past.get("mean", 0) + (1 - keep) * g
    variance = past["v"] - past["mean"] ** 2 if centred else past["v"]
    return theta - rate * g / (np.sqrt(np.maximum(variance, 0)) + eps)


def adam(
    theta: Array, g: Array, past: Past, t: int, rate: Any, b1: Any, b2: Any, eps: Any
) -> Array:
    """Momentum over RMSProp, both corrected for their start at 0."""
    past["m"] = b1 * past.get("m", 0) + (1 - b1) * g
    past["v"] = b2 * past.get("v", 0) + (1 - b2) * g**2
    m_hat, v_hat = past["m"] / (1 - b1**t), past["v"] / (1 - b2**t)
    return theta - rate * m_hat / (np.sqrt(v_hat) + eps)


def adamw(
    theta: Array,
    g: Array,
    past: Past,
    t: int,
    rate: Any,
    b1: Any,
    b2: Any,
    eps: Any,
    weight_decay: Any,
) -> Array:
    """Adam, and weight decay beside it."""
    return adam(theta, g, past, t, rate, b1, b2, eps) - rate * weight_decay * theta


def clipped(g: Array, norm: Any) -> Array:
    """g, shortened to the length `norm` if it is longer."""
    length = np.sqrt((g**2).sum())
    return g * (norm / length) if length > norm else g


FORMULAS: dict[type, Formula] = {
    SGD: sgd,
    Momentum: momentum,
    Nesterov: nesterov,
    RMSProp: rmsprop,
    Adam: adam,
    AdamW: adamw,
}


@dataclass(frozen=True)
class Published:
    """A formula with its constants: the right steps of an optimizer.

    Attributes:
        formula: one of FORMULAS, or a function like them.
        constants: by name.
        rate: step, counted from 0 -> learning rate.
        norms: the lengths to which gradients are clipped first, in this order.
    """

    formula: Formula
    constants: dict[str, Any]
    rate: Callable[[int], Any]
    norms: tuple[float, ...] = ()

    def step(self, theta: Array, g: Array, past: Past, t: int) -> Array:
        """theta after step t, in the precision of theta and g."""
        number = theta.dtype.type
        for norm in self.norms:
            g = clipped(g, number(norm))
        constants = {
            name: value if isinstance(value, bool) else number(value)
            for name, value in self.constants.items()
        }
        return self.formula(theta, g, past, t, number(self.rate(t - 1)), **constants)


def published(optimizer: Optimizer) -> Published | None:
    """The published formula of an optimizer of scratchgen; None if there is none."""
    norms: list[float] = []
    while type(optimizer) is ClipNorm:
        norms.append(optimizer.norm)
        optimizer = optimizer.optimizer
    formula = FORMULAS.get(type(optimizer))
    if formula is None:
        return None
    constants = dict(vars(optimizer))
    rate = constants.pop("learning_rate")
    return Published(
        formula, constants, rate if callable(rate) else partial(_constant, rate), tuple(norms)
    )


def _constant(rate: float, _step: int) -> float:
    return rate

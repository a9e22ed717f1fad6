"""Adam: a step along the mean gradient, measured in units of the gradient's usual size; and AdamW.

    m = m + rest1 (g - m),       rest1 = 1 - b1                                   (1)
    v = v + rest2 (g^2 - v),     rest2 = 1 - b2                                   (2)
    theta = theta - decay theta,   decay = rate weight_decay, and 0 for Adam      (3)
    theta = theta - rate (m c1) / (sqrt(v c2) + eps)                              (4)
    c1 = 1 / (1 - b1^t),   c2 = 1 / (1 - b2^t),   t = 1, 2, ...                   (5)
    m = 0 where |m| < least,   v = 0 where v < least                              (6)

g is the gradient. Each parameter has its own m, a running mean of its gradient, and its own v, one
of the square. The old mean has the weight b1 or b2: (1) is b1 m + (1 - b1) g in another order. Both
start at 0, and (5) corrects for that: after t steps with a constant gradient, m is (1 - b1^t) g,
and m c1 is g. A gradient that keeps its sign moves its parameter by about `rate` per step; one that
changes sign has a small m, and makes small steps. eps keeps (4) finite where v is 0. (3) is the
weight decay of AdamW. (6) is (2) of descent.py.

rest1 and rest2 are computed in double precision and rounded once: in float32, 1 - 0.999 would be
0.00100004.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ..ground.arguments import Array, finite, fraction
from ..ground.parts import setting
from ..kernels import formula, loop_of, share_row
from .descent import Descent, flush
from .memory import Memory
from .schedules import Schedule

# mypy: disable-error-code="no-untyped-def"


@formula("g (P,), coefficients (8,) -> theta, m, v (P,) in place", row_by_row=True)
def adam_step(theta: Array, g: Array, m: Array, v: Array, coefficients: Array) -> None:
    """theta, g, m, v (P,), coefficients (8,), named below: writes theta, m and v."""
    rate, rest1, rest2, eps, c1, c2, decay, least = coefficients
    m += rest1 * (g - m)  # (1)
    v += rest2 * (g * g - v)  # (2)
    if decay:
        theta -= decay * theta  # (3)
    theta -= rate * (m * c1) / (np.sqrt(v * c2) + eps)  # (4)
    flush(m, least)  # (6)
    flush(v, least)  # (6)


@dataclass(frozen=True)
class Adam(Descent):
    """Adaptive moment estimation (Kingma and Ba 2015, algorithm 1).

    >>> theta, adam = np.zeros(1), Adam(learning_rate=0.1)
    >>> adam.update(theta, np.array([123.0]), adam.memory(theta))
    >>> theta.round(6)         # the first step is the learning rate, however large the gradient
    array([-0.1])
    """

    learning_rate: float | Schedule = 1e-3
    b1: float = setting(0.9, fraction, "weight of the old mean of gradients")
    b2: float = setting(0.999, fraction, "weight of the old mean of squares")
    eps: float = setting(1e-8, finite, "added to the root of the mean square", above=True)
    name: ClassVar[str] = "adam"
    arrays: ClassVar[tuple[str, ...]] = ("m", "v")
    n_coefficients: ClassVar[int] = 8

    def coefficients(self, rate: float, t: int) -> tuple[float, ...]:
        c1, c2 = 1 / (1 - self.b1**t), 1 / (1 - self.b2**t)  # (5)
        return rate, 1 - self.b1, 1 - self.b2, self.eps, c1, c2, rate * self.decay()  # (1, 2, 3)

    def move(self, theta: Array, g: Array, memory: Memory, coefficients: Array) -> None:
        adam_step(theta, g, memory.m, memory.v, coefficients)

    def decay(self) -> float:
        """weight_decay of (3), which Adam does not have."""
        return 0.0


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019).

    If weight_decay * theta were added to the gradient instead, Adam would divide it by sqrt(v), and
    parameters with large gradients would decay least. As in PyTorch, the decay is multiplied by the
    learning rate, so it follows the schedule.

    >>> theta, adamw = np.ones(1), AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> adamw.update(theta, np.zeros(1), adamw.memory(theta))
    >>> theta                                          # 1 - 0.1 * 0.5
    array([0.95])
    """

    weight_decay: float = setting(0.01, finite, "pull towards 0, times the learning rate")
    name: ClassVar[str] = "adamw"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(weight_decay=0.05),)

    def decay(self) -> float:
        return self.weight_decay


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(adam_step)
def adam_step_loop(part, parts, theta, g, m, v, coefficients):
    rate, rest1, rest2, eps = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    c1, c2, decay, least = coefficients[4], coefficients[5], coefficients[6], coefficients[7]
    start, stop = share_row(theta.size, part, parts)
    theta, g, m, v = theta[start:stop], g[start:stop], m[start:stop], v[start:stop]
    for i in range(theta.size):
        mi = m[i] + rest1 * (g[i] - m[i])  # (1)
        vi = v[i] + rest2 * (g[i] * g[i] - v[i])  # (2)
        decayed = theta[i] - decay * theta[i]  # (3)
        theta[i] = decayed - rate * (mi * c1) / (np.sqrt(vi * c2) + eps)  # (4)
        m[i] = 0 if abs(mi) < least else mi  # (6)
        v[i] = 0 if vi < least else vi  # (6)

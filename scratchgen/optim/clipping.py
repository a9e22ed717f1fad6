"""A gradient that is too long is shortened before an optimizer takes a step with it.

    g = g min(1, norm / |g|)                                                      (1)

|g| is the length of the whole vector.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ..ground.arguments import Array, finite
from ..ground.parts import Part, setting
from ..kernels import formula
from .adam import Adam
from .descent import Optimizer
from .memory import Memory, check_gradient, check_update, remember
from .optimizers import optimizer_for


@dataclass(frozen=True)
class ClipNorm(Part):
    """Another optimizer, with gradients no longer than `norm` (Pascanu et al. 2013, algorithm 1).

    The length is that of the whole vector, so its direction does not change. A gradient that is
    short enough is passed on as it is; so is one with NaN or infinity, for the caller to notice.

    >>> from scratchgen.optim import SGD
    >>> theta, short = np.zeros(2), ClipNorm(SGD(learning_rate=1.0), norm=1.0)
    >>> short.update(theta, np.array([30.0, 40.0]), short.memory(theta))
    >>> theta
    array([-0.6, -0.8])
    """

    optimizer: Optimizer = setting(check=optimizer_for)
    norm: float = setting(1.0, finite, "largest norm of a gradient", "clip-norm", above=True)
    name: ClassVar[str] = "clip_norm"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(Adam(b1=0.5, b2=0.9), norm=0.5),)

    def memory(self, theta: Array) -> Memory:
        """The memory of the other optimizer.

        Raises KindError or ShapeError unless theta is a flat array of float32 or float64.
        """
        return remember("ClipNorm", theta, inner=self.optimizer.memory(theta))

    def update(self, theta: Array, gradient: Array, memory: Memory) -> None:
        """One step of the other optimizer; the gradient (P,) itself is not changed.

        Raises the errors of `Descent.update`.
        """
        check_update("ClipNorm", theta, memory)
        check_gradient("ClipNorm", theta, gradient)
        self.optimizer.update(theta, clip_norm(gradient, self.norm), memory.inner)


@formula("g (P,), norm () -> clipped (P,)")
def clip_norm(g: Array, norm: float) -> Array:
    """g (P,), no longer than `norm`, in a new array.

    g is divided by its largest entry first, because squares of large float32 numbers overflow.
    """
    largest = float(max(g.max(initial=0), -g.min(initial=0)))
    if not (largest > 0 and math.isfinite(largest)):
        return g.copy()
    direction = g / largest  # (P,), in [-1, 1]
    length = math.sqrt(np.square(direction, dtype=np.float64).sum())  # |g| / largest, at least 1
    return direction * (norm / length) if largest * length > norm else g.copy()  # (1)

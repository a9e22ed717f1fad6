"""The average of the weights over the last steps moves less than the weights do.

    a_t = keep a_{t-1} + (1 - keep) theta_t,   a_0 = 0,   average_t = a_t / (1 - keep^t)      (1)

In a_t, theta_1 ... theta_t have weights whose sum is 1 - keep^t. Dividing by it, as Adam does for
its moments, makes the first averages right too. (2) is the same in one line, without the division;
the average of a vector that never changes is exactly that vector:

    average_t = average_{t-1} + (theta_t - average_{t-1}) (1 - keep) / (1 - keep^t)           (2)
"""

from dataclasses import dataclass
from typing import Any

from .. import kernels
from ..ground.arguments import Array, fraction
from ..ground.errors import DataError
from ..ground.parts import Part, setting
from .memory import Memory, check_owner, check_update, remember


@dataclass(frozen=True)
class MovingAverage(Part):
    """The exponential moving average of a vector (P,), over about 1 / (1 - keep) steps.

    `keep`, a number in [0, 1), is the weight of the old average. Generators are often judged with
    averaged weights (Yazici et al. 2019, "The unusual effectiveness of averaging in GAN training").

    >>> import numpy as np
    >>> weights = np.zeros(1)
    >>> moving = MovingAverage(keep=0.5)
    >>> memory = moving.memory(weights)
    >>> for value in (3.0, 6.0):
    ...     weights[:] = value
    ...     moving.update(weights, memory)
    >>> moving.average(memory)         # (0.25 * 3 + 0.5 * 6) / 0.75
    array([5.])
    """

    keep: float = setting(0.999, fraction, "weight of the old average of the weights", "average")

    def memory(self, vector: Array) -> Memory:
        """The number of vectors averaged, t = 0, and their average (P,) in the vector's dtype.

        Raises KindError or ShapeError unless it is a flat array of float32 or float64.
        """
        return remember("MovingAverage", vector, "average", t=0)

    def update(self, vector: Array, memory: Memory) -> None:
        """Add the vector (P,) as it is now to the average; call it after each step of training.

        Raises KindError or OptionError for a memory that was not made for this vector.
        """
        check_update("MovingAverage", vector, memory)
        weight = kernels.scheduled(lambda: self._next_weight(memory))  # (1,)
        kernels.approach(memory.average, vector, weight)  # (2)

    def _next_weight(self, memory: Memory) -> float:
        """The weight in (2) of the next vector, which is counted here."""
        memory.t += 1
        return (1 - self.keep) / (1 - self.keep**memory.t)  # (2)

    def average(self, memory: Memory) -> Array:
        """A copy of the average (P,).

        Raises KindError for a memory of something else, DataError before the first update.
        """
        check_owner("MovingAverage", memory)
        if not memory.t:
            raise DataError(
                "MovingAverage has averaged nothing yet: call update(vector, memory) first"
            )
        average: Any = memory.average
        return average.copy()

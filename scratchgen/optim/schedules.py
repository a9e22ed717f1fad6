"""A schedule is a function from the step, counted from 0, to a learning rate.

    LinearDecay     rate (1 - t / T) for t < T, then 0     (1)

Any function of a step will do as one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..checks import real, whole

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class LinearDecay:
    """From `rate` at step 0 in a straight line down to 0 at step `steps`.

    >>> [LinearDecay(0.1, 4)(step) for step in (0, 2, 4)]
    [0.1, 0.05, 0.0]
    """

    rate: float
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", real(self.rate, "LinearDecay: rate", above=True))
        object.__setattr__(self, "steps", whole(self.steps, "LinearDecay: steps", least=1))

    def __call__(self, step: int) -> float:
        return self.rate * max(0.0, 1 - step / self.steps)  # (1)

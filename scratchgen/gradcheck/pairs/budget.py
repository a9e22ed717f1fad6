"""What a check may cost: seconds for a person who waits, evaluations for a test."""

import copy
import math
import time
from collections.abc import Callable

from ...ground.arguments import finite
from ..measuring.passes import OutOfBudget

CLOCK = time.perf_counter  # of seconds
SECONDS = 10.0  # that a person waits for a check
EVALUATIONS = 100_000  # in about as many seconds: each of ours takes 0.02 to 0.2 ms
NUMBERS = 50_000  # for which an evaluation takes about as long again


class Evaluations:
    """A clock that only evaluations move on, so that it is the same on every machine.

    One counts as 1, and as 1 more for each 50,000 numbers that it goes over. With a million in and
    as many out a budget has 2,400 of them, and 1,700 decide about a block.
    """

    def __init__(self) -> None:
        self.counted = 0.0

    def __call__(self) -> float:
        """How many there have been."""
        return self.counted

    def add(self, numbers: int) -> None:
        """Count one that goes over so many numbers."""
        self.counted += 1 + numbers / NUMBERS


class Budget:
    """What a check may take, from when it is made: seconds, or, for None, 100,000 evaluations.

    Seconds suit a person who waits, evaluations a test, whose verdict must not depend on what else
    a machine has to do. Raises OptionError for seconds that are no number above 0; infinity is no
    limit.
    """

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        self.clock: Callable[[], float]
        if seconds is None:
            self.most, self.unit, self.clock = float(EVALUATIONS), "evaluations", Evaluations()
        else:
            self.most = seconds if seconds == math.inf else finite(seconds, "seconds", above=True)
            self.unit, self.clock = "s", clock or CLOCK
        self.began = self.clock()

    def count(self, numbers: int) -> None:
        """Note an evaluation that goes over so many numbers."""
        if isinstance(self.clock, Evaluations):
            self.clock.add(numbers)

    def spent(self) -> float:
        """What is spent of it."""
        return self.clock() - self.began

    def part(self, share: float) -> "Budget":
        """A share of what is left, which is spent of the whole as well."""
        part = copy.copy(self)
        part.began, part.most = self.clock(), share * (self.most - self.spent())
        return part

    def check(self) -> None:
        """OutOfBudget once it is spent."""
        if self.spent() > self.most:
            raise OutOfBudget("budget", f"the budget of {self.most:,.6g} {self.unit} is spent")

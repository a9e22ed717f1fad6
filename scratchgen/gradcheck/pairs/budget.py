"""What a check may cost: seconds for a person who waits, evaluations for a test."""

import copy
import math
import time
from collections.abc import Callable

from ...ground.arguments import finite
from ..measuring.passes import OutOfBudget

CLOCK = time.perf_counter  # in seconds
SECONDS = 10.0  # that a person waits for a check
EVALUATIONS = 100_000  # in about as many seconds: each of ours takes 0.02 to 0.2 ms
NUMBERS = 50_000  # that double the time of an evaluation


class Evaluations:
    """A clock that counts evaluations, and so is the same on every machine.

    An evaluation counts 1, plus 1 for each 50,000 numbers in and out. With a million in and a
    million out, a budget contains 2,400 evaluations, and 1,700 decide about a block.
    """

    def __init__(self) -> None:
        self.counted = 0.0

    def __call__(self) -> float:
        """The count so far."""
        return self.counted

    def add(self, numbers: int) -> None:
        """Count an evaluation over so many numbers."""
        self.counted += 1 + numbers / NUMBERS


class Budget:
    """The limit of a check, from now on: seconds, or 100,000 evaluations for None.

    Seconds suit a person who waits. Evaluations suit a test, whose verdict must not depend on how
    busy the machine is. Raises OptionError unless `seconds` is a number above 0; infinity means no
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
        """Charge an evaluation over so many numbers, if evaluations are counted."""
        if isinstance(self.clock, Evaluations):
            self.clock.add(numbers)

    def spent(self) -> float:
        """The seconds or evaluations used so far."""
        return self.clock() - self.began

    def part(self, share: float) -> "Budget":
        """A budget for a share of what is left; spending it also spends this budget."""
        part = copy.copy(self)
        part.began, part.most = self.clock(), share * (self.most - self.spent())
        return part

    def check(self) -> None:
        """Raises OutOfBudget once the budget is spent."""
        if self.spent() > self.most:
            raise OutOfBudget("budget", f"the budget of {self.most:,.6g} {self.unit} is spent")

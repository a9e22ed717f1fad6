"""Two ways to the same result are timed in turns, within milliseconds, while others use the CPUs.

    seconds of a way = the smallest of its times: other programs only add to it        (1)
    sure             = the second smallest is at most AGREES times the smallest        (2)

In a turn each way runs twice in a row, so that the second run finds its operands in the caches and
its threads awake. No run begins after the deadline.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

AGREES = 1.25  # (2)

Name = TypeVar("Name", bound=Hashable)


def in_turns(ways: Mapping[Name, Callable[[], object]], seconds: float) -> dict[Name, list[float]]:
    """The times of each way, in seconds, by its name; all turns together take `seconds`."""
    times: dict[Name, list[float]] = {name: [] for name in ways}
    begin = now = time.perf_counter()
    while ways:
        for name, way in ways.items():
            for _ in range(2):
                if now - begin > seconds:
                    return times
                way()
                before, now = now, time.perf_counter()
                times[name].append(now - before)
    return times


def shortest(times: list[float]) -> float:
    """(1); infinite if there are none."""
    return min(times, default=float("inf"))


def is_sure(times: list[float]) -> bool:
    """(2); never with fewer than two times."""
    return len(times) > 1 and sorted(times)[1] <= AGREES * min(times)

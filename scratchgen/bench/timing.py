"""Calls are measured in turns, and compared by the median of their times.

    geometric mean = exp(mean log r_i)                                       (1)
    ratio of two tools = median of theirs / median of ours                   (2)

A machine slows down and speeds up during a measurement. Calls that are compared take turns, so that
this affects them equally. The first turn is a warm-up and is not counted.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Call = Callable[[], object]
LEAST = 2e-3  # seconds per turn: many ticks of the clock


@dataclass(frozen=True)
class Times:
    """The seconds of repeated measurements."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def most(self) -> float:
        return max(self.seconds)

    def record(self) -> dict[str, object]:
        """The times as plain values, for JSON."""
        return {"median": self.median, "min": self.least, "max": self.most, "all": [*self.seconds]}


def geometric_mean(ratios: Sequence[float]) -> float:
    """The geometric mean (1); nan of no ratios.

    >>> geometric_mean([0.5, 2.0, 8.0])
    2.0
    """
    if not ratios:
        return math.nan
    return round(math.exp(math.fsum(map(math.log, ratios)) / len(ratios)), 12)  # (1)


def fastest(times: Mapping[str, Times]) -> str:
    """The name with the smallest median; "" if there are no times."""
    return min(times, key=lambda name: times[name].median, default="")


def in_turns(
    calls: Mapping[str, Call], rounds: int, least: float = LEAST, pause: float = 0.0
) -> dict[str, Times]:
    """Seconds per call, measured in turns of at least `least` seconds.

    The order of the turns changes from round to round. The `pause` before each turn lets threads of
    the previous call go to sleep, which would otherwise use the CPUs of this one.
    """
    counts = {}
    for name, call in calls.items():
        time.sleep(pause)
        counts[name] = repeats(call, least)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in rotated(list(calls), number):
            time.sleep(pause)
            seconds[name].append(timed(calls[name], counts[name]))
    return {name: Times(tuple(times)) for name, times in seconds.items()}


def repeats(call: Call, least: float = LEAST) -> int:
    """How many calls take `least` seconds; the calls also warm up."""
    call()
    count = 1
    while (took := timed(call, count) * count) < least / 4:
        count *= 4
    return max(1, math.ceil(count * least / max(took, 1e-9)))


def timed(call: Call, count: int) -> float:
    """Seconds per call, over `count` calls."""
    calls = range(count)
    began = time.perf_counter()
    for _ in calls:
        call()
    return (time.perf_counter() - began) / count


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The names, starting from a different one for each number.

    >>> rotated(["a", "b", "c"], 4)
    ['b', 'c', 'a']
    """
    start = number % len(names) if names else 0
    return [*names[start:], *names[:start]]

"""Times are taken in turns, and told by their median.

    geometric mean = exp(mean log r_i)                                       (1)
    ratio of two tools = median of theirs / median of ours                   (2)

Machines slow down and speed up while they are measured. What is compared takes turns, so that both
have their share of either; the first turn is for warming up, and does not count.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Call = Callable[[], object]
LEAST = 2e-3  # seconds of one turn: many ticks of the clock


@dataclass(frozen=True)
class Times:
    """Seconds of one thing, measured a few times."""

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
        """As plain words and numbers."""
        return {"median": self.median, "min": self.least, "max": self.most, "all": [*self.seconds]}


def geometric_mean(ratios: Sequence[float]) -> float:
    """(1); nan where there is nothing to take it of.

    >>> geometric_mean([0.5, 2.0, 8.0])
    2.0
    """
    if not ratios:
        return math.nan
    return round(math.exp(math.fsum(map(math.log, ratios)) / len(ratios)), 12)  # (1)


def fastest(times: Mapping[str, Times]) -> str:
    """The name of whichever has the least median; "" of none."""
    return min(times, key=lambda name: times[name].median, default="")


def in_turns(
    calls: Mapping[str, Call], rounds: int, least: float = LEAST, pause: float = 0.0
) -> dict[str, Times]:
    """Seconds a call of each, measured in turns of at least `least` seconds.

    The order of the turns is another one in each round. `pause` seconds before each turn let the
    threads of the last one go to sleep, which else look for work on the CPUs of this one.
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
    return {name: Times(tuple(all_of)) for name, all_of in seconds.items()}


def repeats(call: Call, least: float = LEAST) -> int:
    """How many calls take `least` seconds; warms up on the way."""
    call()
    count = 1
    while (took := timed(call, count) * count) < least / 4:
        count *= 4
    return max(1, math.ceil(count * least / max(took, 1e-9)))


def timed(call: Call, count: int) -> float:
    """Seconds a call, of `count` calls."""
    again = range(count)
    began = time.perf_counter()
    for _ in again:
        call()
    return (time.perf_counter() - began) / count


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The names, begun at another one for each number.

    >>> rotated(["a", "b", "c"], 4)
    ['b', 'c', 'a']
    """
    start = number % len(names) if names else 0
    return [*names[start:], *names[:start]]

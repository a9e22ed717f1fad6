"""One product of each kind and form is timed, by the loop and by NumPy, in 50 milliseconds.

    ours  = the shorter of the loop's times on one thread and on several               (1)
    numpy = the time of NumPy's product, on as many threads as its library takes       (2)

Training takes the faster of the two ways in (1) too (sharing.FasterWay). The loop comes first: a
library's threads look for more work for some 30 ms after its last product, and would disturb those
of the loop. Then NumPy and the loop on one thread take turns. The times are sure (trials.py) if

    several threads were not slower than one, and were not in use by others            (3)
    one thread needed as long before as between NumPy's products                       (4)

A product is timed as it is in training: from a table, on several threads three of them in a row;
with the bias of x w, and with x^T dy written to where a gradient was cleared.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ground.arguments import Array
from . import blocking, multiplying, sharing
from .plans import Table
from .recording import Call
from .trials import AGREES, in_turns, is_sure, shortest

X_W, XT_DY, DY_WT = FORMS = ("x w", "x^T dy", "dy w^T")
SHAPES = {"thin": (20, 512, 256), "long": (96, 512, 96), "square": (192, 256, 192)}  # N, I, O
ROWS = 3  # products in a row
SECONDS = 0.02  # for the loop, and as much for the turns with NumPy

Way = Callable[[], object]


@dataclass
class Trial:
    """A product by both sides, and the times of each way by its name.

    Attributes:
        call: the loop's product.
        numpy: NumPy's.
        was_alone: whether another thread of Python had the threads.
    """

    call: Call
    numpy: Way
    times: dict[str, list[float]] = field(default_factory=dict)
    was_alone: bool = False

    @functools.cached_property
    def alone(self) -> Way:
        """The loop on one thread."""
        return functools.partial(Table([self.call], 1).go, 1)

    def together(self, threads: int) -> Way:
        """The loop on that many threads, ROWS times."""
        table = Table([self.call] * ROWS, threads)

        def go(parts: int) -> None:
            self.was_alone |= parts < threads
            table.go(parts)

        return functools.partial(sharing.run, go, threads)

    def seconds(self) -> tuple[float, float]:
        """(1) and (2)."""
        alone, again, together, numpy = map(self._shortest, ("alone", "again", "together", "numpy"))
        return min(alone, again, together / ROWS), numpy

    def is_sure(self) -> bool:
        """Whether nothing seems to have disturbed these times."""
        alone, again, together = map(self._shortest, ("alone", "again", "together"))
        waited = "together" in self.times and together / ROWS > AGREES * alone
        drifted = max(alone, again) > AGREES * min(alone, again)
        return all(map(is_sure, self.times.values())) and not (  # (3, 4)
            self.was_alone or waited or drifted
        )

    def _shortest(self, way: str) -> float:
        return shortest(self.times.get(way, []))


def measure(char: str) -> dict[str, Any]:
    """Seconds of ours and NumPy's by kind and form, the names of those that are sure, and threads.

    Seconds are None where there was no time to measure.
    """
    threads = most_of_numba(sharing.default_threads())
    trials = {
        f"{kind} {form}": trial(form, SHAPES[kind], char) for kind in SHAPES for form in FORMS
    }
    for each in trials.values():  # compiled, and all memory touched
        each.alone()
    some = trials["square x w"]
    ours = {(name, "alone"): each.alone for name, each in trials.items()}
    if threads > 1:
        some.together(threads)()  # compiled, too
        ours |= {(name, "together"): each.together(threads) for name, each in trials.items()}
    turns = {(name, "again"): each.alone for name, each in trials.items()}
    turns |= {(name, "numpy"): each.numpy for name, each in trials.items()}
    took = 0.0
    for ways, wake in ((ours, some.alone), (turns, some.numpy)):
        begin = time.perf_counter()
        wake()  # NumPy's threads, which may take longer than all other calls together
        left = SECONDS - (time.perf_counter() - begin)
        for (name, what), times in in_turns(ways, left).items():
            trials[name].times[what] = times
        took += time.perf_counter() - begin
    return {
        "seconds": {name: [_or_none(x) for x in each.seconds()] for name, each in trials.items()},
        "sure": [name for name, each in trials.items() if each.is_sure()],
        "threads": threads,
        "took": round(took, 4),
    }


def _or_none(seconds: float) -> float | None:
    return seconds if seconds < float("inf") else None


def most_of_numba(threads: int) -> int:
    """That many threads, or as many as numba has."""
    from .native.threads import most

    return min(threads, most())


def trial(form: str, shape: tuple[int, int, int], char: str) -> Trial:
    """A product of that form with N, I and O of a shape."""
    n, i, o = shape
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(sizes).astype(char) for sizes in ((n, i), (i, o), (n, o)))
    bias = np.zeros(o, char)
    if form == X_W:
        y = np.zeros((n, o), char)
        return Trial(_call(x, w, bias, y, blocking.BIAS), functools.partial(_affine, x, w, bias, y))
    if form == XT_DY:
        dw = np.zeros((i, o), char)
        ours = _call(x.T, dy, multiplying.zeros_like(char), dw, blocking.ZERO)
        return Trial(ours, functools.partial(_outer, x, dy, dw))
    dx = np.zeros((n, i), char)
    ours = _call(dy, w.T, multiplying.zeros_like(char), dx, blocking.NOTHING)
    return Trial(ours, functools.partial(np.matmul, dy, w.T, out=dx))


def _call(a: Array, b: Array, first: Array, c: Array, start: int) -> Call:
    (rows, depth), columns, item = a.shape, c.shape[1], c.itemsize
    work = c.size * depth / 20  # shared among all threads
    args = (a, b, first, c, start, multiplying.NEITHER)
    loop = multiplying.loop_for(c.dtype.char)
    scratch = blocking.scratch(rows, columns, depth, item, start)
    return Call(loop, args, work, multiplying.WRITTEN, scratch=scratch)


def _affine(x: Array, w: Array, b: Array, y: Array) -> None:
    np.matmul(x, w, out=y)
    np.add(y, b, out=y)


def _outer(x: Array, dy: Array, dw: Array) -> None:
    np.matmul(x.T, dy, out=dw)
    dw += 0

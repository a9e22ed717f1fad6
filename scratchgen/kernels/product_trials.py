"""One product of each kind and form is timed, by the loop and by NumPy, in 50 milliseconds.

    ours  = the shorter of the loop's times on one thread and on several               (1)
    numpy = the time of NumPy's product, on as many threads as its library takes       (2)

Training takes the faster of the two ways in (1) too (sharing.FasterWay). The loop comes first: a
library's threads look for more work for some 30 ms after its last product, and would disturb those
of the loop. Then NumPy and the loop on one thread take turns. The times are sure if each of them is
(trials.py), and if

    several threads were not slower than one, and no other thread of Python had them   (3)
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
    """A product, by the loop and by NumPy, and the times of each way.

    Attributes:
        call: the loop's product.
        numpy: NumPy's.
        times: seconds, by the name of the way: "alone" and "again", the loop on one thread, before
            NumPy and in turns with it; "together", on several; "numpy".
        was_alone: whether another thread of Python had the threads, so that "together" was alone.
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
        waited = "together" in self.times and together / ROWS > AGREES * alone  # (3)
        drifted = max(alone, again) > AGREES * min(alone, again)  # (4)
        is_each_sure = all(map(is_sure, self.times.values()))
        return is_each_sure and not (self.was_alone or waited or drifted)

    def _shortest(self, way: str) -> float:
        return shortest(self.times.get(way, []))


def measure(char: str) -> dict[str, Any]:
    """The times of all kinds and forms, for arrays of that dtype, "f" or "d".

    By name: `seconds`, of the loop and of NumPy by kind and form, None where there was no time to
    measure; `sure`, the kinds and forms whose times are; `threads`, how many the loop had; `took`,
    the seconds of the measurement.
    """
    threads = sharing.available(sharing.default_threads())
    trials = {
        f"{kind} {form}": trial(form, SHAPES[kind], char) for kind in SHAPES for form in FORMS
    }
    for each in trials.values():  # now it is compiled, and all its memory is touched
        each.alone()
    square = trials["square x w"]
    ours = {(name, "alone"): each.alone for name, each in trials.items()}
    if threads > 1:
        square.together(threads)()  # starts the threads
        ours |= {(name, "together"): each.together(threads) for name, each in trials.items()}
    turns = {(name, "again"): each.alone for name, each in trials.items()}
    turns |= {(name, "numpy"): each.numpy for name, each in trials.items()}
    took = 0.0
    for ways, wake in ((ours, square.alone), (turns, square.numpy)):
        begin = time.perf_counter()
        wake()  # NumPy's threads: the first call may take longer than all others together
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


def trial(form: str, shape: tuple[int, int, int], char: str) -> Trial:
    """A product of that form, for N, I and O as in `shape` and the dtype "f" or "d"."""
    n, i, o = shape
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(sizes).astype(char) for sizes in ((n, i), (i, o), (n, o)))
    bias = np.zeros(o, char)
    if form == X_W:
        y = np.zeros((n, o), char)
        ours = multiplying.product_call(x, w, bias, y, blocking.BIAS)
        return Trial(ours, functools.partial(_affine, x, w, bias, y))
    zeros = multiplying.no_bias(char)
    if form == XT_DY:
        dw = np.zeros((i, o), char)
        ours = multiplying.product_call(x.T, dy, zeros, dw, blocking.ZERO)
        return Trial(ours, functools.partial(_outer, x, dy, dw))
    dx = np.zeros((n, i), char)
    ours = multiplying.product_call(dy, w.T, zeros, dx, blocking.NOTHING)
    return Trial(ours, functools.partial(np.matmul, dy, w.T, out=dx))


def _affine(x: Array, w: Array, b: Array, y: Array) -> None:
    np.matmul(x, w, out=y)
    np.add(y, b, out=y)


def _outer(x: Array, dy: Array, dw: Array) -> None:
    np.matmul(x.T, dy, out=dw)
    dw += 0

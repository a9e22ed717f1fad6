"""One product of each kind and form is timed, by the loop and by NumPy, in 50 milliseconds.

    ours  = the shorter of the loop's times on one thread and on several               (1)
    numpy = the time of NumPy's product, on as many threads as its library takes       (2)

Training takes the faster of the two ways in (1) too (sharing.FasterWay). Several threads are only
tried where one does not decide: other programs disturb them more, and they may have to be
compiled. If they are slower than one, or are in use by another thread of Python, these times are
not sure.

A product is timed as it is in training: the loop's from a table, of three in a row; with the bias
of x w, and with x^T dy written to where a gradient was cleared.
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
SECONDS = 0.022  # for one thread, and as much for several


@dataclass
class Trial:
    """A product by both ways, and its times by name of the way: the loop's of ROWS products.

    Attributes:
        call: the loop's product.
        numpy: NumPy's.
        was_alone: whether another thread of Python had the threads.
    """

    call: Call
    numpy: Callable[[], object]
    times: dict[str, list[float]] = field(default_factory=dict)
    was_alone: bool = False

    @functools.cached_property
    def alone(self) -> Callable[[], object]:
        """The loop on one thread."""
        return functools.partial(Table([self.call] * ROWS, 1).go, 1)

    def together(self, threads: int) -> Callable[[], object]:
        """The loop on that many threads."""
        table = Table([self.call] * ROWS, threads)

        def go(parts: int) -> None:
            self.was_alone |= parts < threads
            table.go(parts)

        return functools.partial(sharing.run, go, threads)

    def seconds(self) -> tuple[float, float]:
        """(1) and (2), of one product."""
        ours = min(shortest(self.times.get(way, [])) for way in ("alone", "together"))
        return ours / ROWS, shortest(self.times["numpy"])

    def is_sure(self) -> bool:
        """Whether nothing seems to have disturbed these times."""
        alone, together = self.times["alone"], self.times.get("together")
        if together is not None:
            waited = self.was_alone or shortest(together) > AGREES * shortest(alone)
            if waited or not is_sure(together):
                return False
        return is_sure(alone) and is_sure(self.times["numpy"])


def measure(char: str, margin: float) -> dict[str, Any]:
    """Seconds of ours and NumPy's by kind and form, the names of those that are sure, and threads.

    One thread decides where NumPy does not beat it by that margin.
    """
    threads = most_of_numba(sharing.default_threads())
    trials = {
        f"{kind} {form}": trial(form, SHAPES[kind], char) for kind in SHAPES for form in FORMS
    }
    for each in trials.values():  # compiled, all memory touched, and NumPy's threads awake
        each.alone()
    trials["square x w"].numpy()
    begin = time.perf_counter()
    _time(trials, {name: {"alone": each.alone} for name, each in trials.items()})
    doubtful = {name: each for name, each in trials.items() if _loses(each, margin)}
    took = time.perf_counter() - begin
    if threads > 1 and doubtful:
        ways = {name: {"together": each.together(threads)} for name, each in doubtful.items()}
        next(iter(ways.values()))["together"]()  # compiled, and the threads are there
        begin = time.perf_counter()
        _time(doubtful, ways)
        took += time.perf_counter() - begin
    return {
        "seconds": {name: [_or_none(x) for x in each.seconds()] for name, each in trials.items()},
        "sure": [name for name, each in trials.items() if each.is_sure()],
        "threads": threads,
        "took": round(took, 4),
    }


def _time(trials: dict[str, Trial], ways: dict[str, dict[str, Callable[[], object]]]) -> None:
    """Time each trial's ways, and NumPy's, in turns of all trials."""
    flat = {(name, way): run for name, of_trial in ways.items() for way, run in of_trial.items()}
    flat |= {(name, "numpy"): each.numpy for name, each in trials.items()}
    for (name, way), times in in_turns(flat, SECONDS).items():
        trials[name].times.setdefault(way, []).extend(times)


def _loses(each: Trial, margin: float) -> bool:
    ours, numpy = each.seconds()
    return margin * numpy < ours


def _or_none(seconds: float) -> float | None:
    """A number for a file; None for infinity, if there was no time to measure."""
    return seconds if seconds < float("inf") else None


def most_of_numba(threads: int) -> int:
    """That many threads, or as many as numba has."""
    import numba

    return min(threads, int(numba.config.NUMBA_NUM_THREADS))


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

"""Silence, while code runs that may print and warn at each of a thousand calls.

sys.stdout, sys.stderr and the warnings filters belong to the whole process. The first thread that
wants silence changes them, and the last that had it puts them back; in between, only the threads
that asked for it are silent.
"""

import contextlib
import io
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

KEPT = 200  # letters of what is printed
_lock, _mine = threading.Lock(), threading.local()
_before: list[Any] = []  # what the process had, while any thread is silent
_threads = 0


class Sink:
    """Takes whatever is printed, and keeps the beginning."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Keep a little of it."""
        if len(self.text) < KEPT:
            self.text += text[:KEPT]
        return len(text)


class Stream(io.TextIOBase):
    """Writes to the sink of the thread that writes, or where it always went."""

    def __init__(self, otherwise: Any) -> None:
        self.otherwise = otherwise

    def write(self, text: str) -> int:
        """To the one or the other."""
        sink = getattr(_mine, "sink", None)
        return int((self.otherwise if sink is None else sink).write(text))


@contextlib.contextmanager
def quiet() -> Iterator[Sink]:
    """Nothing that is called herein prints or warns; yields what it would have printed."""
    outer, sink = getattr(_mine, "sink", None), Sink()
    _enter()
    _mine.sink = sink
    try:
        with np.errstate(all="ignore"):
            yield sink
    finally:
        _mine.sink = outer
        _leave()


def _enter() -> None:
    global _threads
    with _lock:
        if not _threads:
            _before[:] = [sys.stdout, sys.stderr, warnings.catch_warnings()]
            _before[2].__enter__()
            warnings.simplefilter("ignore")
            sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)
        _threads += 1


def _leave() -> None:
    global _threads
    with _lock:
        _threads -= 1
        if not _threads:
            sys.stdout, sys.stderr = _before[:2]
            _before[2].__exit__(None, None, None)

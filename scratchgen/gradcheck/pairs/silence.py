"""Silence while a user's code runs, which may print and warn at each of a thousand calls.

sys.stdout, sys.stderr and the warnings filters belong to the whole process. The first thread that
asks for silence replaces them, and the last thread restores them. In between, only the threads that
asked are silent.
"""

import contextlib
import io
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

KEPT = 200  # letters of the printed text
_lock, _mine = threading.Lock(), threading.local()
_before: list[Any] = []  # the streams and filters to restore
_threads = 0


class Sink:
    """A stream that keeps the beginning of the printed text."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Keep the text while there is room."""
        if len(self.text) < KEPT:
            self.text += text[:KEPT]
        return len(text)


class Stream(io.TextIOBase):
    """Writes to the sink of the current thread, or else to the original stream."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def write(self, text: str) -> int:
        """Write to the sink of this thread, if it is silent."""
        sink = getattr(_mine, "sink", None)
        return int((self.original if sink is None else sink).write(text))


@contextlib.contextmanager
def quiet() -> Iterator[Sink]:
    """Silence for the code within; yields what it would have printed."""
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

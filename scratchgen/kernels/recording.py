"""What a step does is noted while it does it, so that plans.py can do the same again.

    with recording() as notes: ...      runs as always; each kernel notes itself and its arguments

A kernel is noted as a Call of its loop, or, where it runs by NumPy, as an Action. So is a draw of
random numbers, and numbers that are computed anew for each step. Each says which memory it reads
and which it writes: from that plans.py knows what may be done ahead of the others.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks import Array
from . import memory, sharing
from .compiling import Kernel


@dataclass  # not frozen: that would take three times as long, at each kernel
class Call:
    """A kernel: loop(part, parts, *args), and its work in sums of two numbers, about.

    A part is one thread's share of it; see `sharing.share`. `written` are the indices of the
    arguments that it writes. Where `scratch` is not 0, the loop has one more argument: memory to
    work in, so many bytes for each part. `most` is how many parts there may be.
    """

    loop: Kernel
    args: tuple[Any, ...]
    work: float
    written: Sequence[int] = ()
    scratch: int = 0
    most: int = sharing.MOST_THREADS

    def parts(self, threads: int, fine: float) -> int:
        """In how many parts to run it, so that there is `fine` of the work for each."""
        parts = min(threads, self.most)
        return parts if self.work >= parts * fine else max(1, int(self.work / fine))


@dataclass
class Action:
    """f(*args), by Python, which reads and writes those arrays."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    reads: Sequence[Array] = ()
    writes: Sequence[Array] = ()


@dataclass
class Notes:
    """What was recorded, in order."""

    steps: list[Call | Action] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)  # that no step writes


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextmanager
def recording() -> Iterator[Notes]:
    """Within it, kernels and actions of this thread are noted as they run."""
    notes = Notes()
    outside = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(outside)


def is_recording() -> bool:
    """Whether kernels and actions of this thread are noted."""
    return _notes.get() is not None


def note(call: Call) -> None:
    """A kernel is about to run, by its loop."""
    if (notes := _notes.get()) is not None:
        notes.steps.append(call)


def act(
    f: Callable[..., Any], args: tuple[Any, ...], reads: Sequence[Any] = (), writes: Sequence[Any] = ()
) -> None:
    """f(*args), noted as one action, whatever it calls."""
    if (notes := _notes.get()) is None:
        f(*args)
        return
    notes.steps.append(Action(f, args, reads, writes))
    outside = _notes.set(None)
    try:
        f(*args)
    finally:
        _notes.reset(outside)


def plain(x: Array) -> Array:
    """x, or a copy where its memory is not in order, or read-only.

    For each kind of memory a loop would have to be compiled anew, which takes a second.
    """
    if x.flags.c_contiguous and x.flags.aligned:
        try:
            return memory.writable(x)  # loops do not write what they read
        except ValueError:
            pass
    copy = memory.empty(x.shape, x.dtype)
    act(np.copyto, (copy, x), reads=(x,), writes=(copy,))
    return copy


def by_numpy(formula: Kernel, args: tuple[Any, ...], operands: Any, out: Any = None) -> Any:
    """The arrays that a formula returns for those operands; recorded, in memory of the step.

    `out` is that memory, where there is already some.
    """
    pairs = list(zip(args, operands.given, strict=True))
    args = tuple(memory.writable(x) if one.in_place else _number(x, one) for x, one in pairs)
    if (notes := _notes.get()) is None:
        return as_tuple(formula(*args))
    outside = _notes.set(None)  # what the formula calls is part of it
    try:
        made = as_tuple(formula(*args))
    finally:
        _notes.reset(outside)
    kept = (out,) if out is not None else tuple(memory.empty(x.shape, x.dtype) for x in made)
    for place, x in zip(kept, made, strict=True):
        place[...] = x
    changed = [x for x, (_, one) in zip(args, pairs, strict=True) if one.in_place]
    arrays = [x for x in args if isinstance(x, np.ndarray)]
    notes.steps.append(Action(_again, (formula, args, kept), arrays, [*kept, *changed]))
    return kept


def _number(x: Any, one: Any) -> Any:
    """A number as one of Python, which takes the dtype of the arrays; all else as it is."""
    return x.item() if one.is_number and isinstance(x, np.generic) else x


def _again(formula: Kernel, args: tuple[Any, ...], kept: tuple[Array, ...]) -> None:
    """The formula, what it returns written where it was when it was recorded."""
    for place, x in zip(kept, as_tuple(formula(*args)), strict=True):
        place[...] = x


def keep(x: Array) -> None:
    """x is the same in every step: a plan can point to it."""
    if (notes := _notes.get()) is not None:
        notes.constants.append(x)


def numbers(f: Callable[[], Any], count: int = 1, dtype: Any = np.float64) -> Array:
    """The numbers (count,) that f() gives; in every step anew, before all else."""
    array = memory.empty((count,), dtype)
    act(_fill, (array, f), writes=(array,))
    return memory.returned(array)


def _fill(array: Array, f: Callable[[], Any]) -> None:
    array[:] = f()


def as_tuple(made: Any) -> tuple[Array, ...]:
    """What a formula returned: one array, several, or None.

    NumPy makes of arrays without axes what is none.
    """
    if made is None:
        return ()
    return tuple(map(np.asarray, made if isinstance(made, tuple) else (made,)))

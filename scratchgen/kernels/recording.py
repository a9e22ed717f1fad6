"""What a step does is noted while it does it, so that plans.py can do the same again.

    with recording() as notes: ...      runs as always; each kernel notes itself and its arguments

What a step does besides calling kernels has to be noted too, or a replay would leave it out:

    before(f, *args)       runs f(*args); in a replay, ahead of all kernels: draws, settings
    here(f, *args)         in its place between kernels, which costs some microseconds
    in_order(f, *args)     as here, and neither `before` nor `after` cross it: f may do anything,
                           draw or raise
    after(f, *args)        when all kernels have run, or in order: numbers are read
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..checks import Array
from . import sharing
from .compiling import Kernel


@dataclass  # not frozen: that would take three times as long, at each kernel
class Call:
    """A kernel: loop(part, parts, *args), and its work in sums of two numbers, about.

    A part is one thread's share of it; see `sharing.share`. Where `scratch` is not 0, the loop has
    one more argument: memory to work in, so many bytes for each part. `most` is how many parts
    there may be.
    """

    loop: Kernel
    args: tuple[Any, ...]
    work: float
    scratch: int = 0
    most: int = sharing.MOST_THREADS

    def parts(self, threads: int, fine: float) -> int:
        """In how many parts to run it, so that there is `fine` of the work for each."""
        parts = min(threads, self.most)
        return parts if self.work >= parts * fine else max(1, int(self.work / fine))

    def like(self, other: Any) -> bool:
        """Whether the other is the same kernel, in the same memory, with the same numbers."""
        return (
            isinstance(other, Call)
            and self.loop is other.loop
            and len(self.args) == len(other.args)
            and all(map(_same, self.args, other.args))
        )


@dataclass(frozen=True)
class Action:
    """f(*args), by Python."""

    f: Callable[..., Any]
    args: tuple[Any, ...]

    def like(self, other: Any) -> bool:
        """Whether the other calls the same function; its arguments may be others."""
        return isinstance(other, Action) and _code(self.f) == _code(other.f)


def _code(f: Callable[..., Any]) -> Any:
    return getattr(f, "__code__", None) or getattr(f, "__name__", f)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.__array_interface__ == b.__array_interface__
    return type(a) is type(b) and bool(a == b)


@dataclass
class Notes:
    """What was recorded: ahead of all kernels, among them, and after them."""

    ahead: list[Action] = field(default_factory=list)
    middle: list[Call | Action] = field(default_factory=list)
    last: list[Action] = field(default_factory=list)
    in_order: bool = False  # whether nothing more may go ahead or last

    def like(self, other: "Notes") -> bool:
        """Whether the other step was the same but for what its actions do."""
        lists = ((self.ahead, other.ahead), (self.middle, other.middle), (self.last, other.last))
        return all(
            len(a) == len(b) and all(x.like(y) for x, y in zip(a, b, strict=True)) for a, b in lists
        )

    def can_be_replayed(self) -> bool:
        """Whether all arrays that kernels, and actions between them, are given outlast a step."""
        arrays = (x for one in self.middle for x in one.args if isinstance(x, np.ndarray))
        return all(id(_owner(x)) in _lasting for x in arrays)


_lasting: WeakValueDictionary[int, Array] = WeakValueDictionary()  # arrays, by id
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
    """A kernel is about to run, by its twin."""
    if (notes := _notes.get()) is not None:
        notes.middle.append(call)


def before(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), which needs nothing that kernels compute in this step."""
    notes = _notes.get()
    _run(f, args, None if notes is None else notes.middle if notes.in_order else notes.ahead)


def here(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), in its place between kernels."""
    if (notes := _notes.get()) is None:
        f(*args)
    else:
        _run(f, args, notes.middle)


def in_order(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), which may do anything: all before it is done before, all after it later."""
    if (notes := _notes.get()) is not None:
        notes.in_order = True
        notes.middle += notes.last
        notes.last.clear()
    here(f, *args)


def after(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), of which no kernel in this step needs anything."""
    notes = _notes.get()
    _run(f, args, None if notes is None else notes.middle if notes.in_order else notes.last)


def _run(f: Callable[..., Any], args: tuple[Any, ...], notes: list[Any] | None) -> None:
    if notes is None:
        f(*args)
        return
    notes.append(Action(f, args))
    outside = _notes.set(None)  # what f calls is a part of it
    try:
        f(*args)
    finally:
        _notes.reset(outside)


def lasting(x: Array) -> Array:
    """x, whose memory stays in use from step to step, so that a plan may point to it.

    What NumPy makes anew in each step a plan would find with the numbers of the step that was
    recorded, and it is refused.
    """
    owner = _owner(x)
    _lasting[id(owner)] = owner
    return x


def _owner(x: Array) -> Array:
    """The array of which x is a view, or x itself."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x

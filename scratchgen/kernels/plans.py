"""A step is recorded once, and from then on replayed, without the Python between its kernels.

    with recording() as notes: ...      runs as always; each kernel notes itself and its arguments
    plan = Plan(notes, threads)
    plan.run()                          the same again, in the same memory

What a step does besides calling kernels has to be noted too, or a plan would leave it out:

    before(f, *args)       runs f(*args); in a plan, ahead of all kernels: draws of noise, settings
    here(f, *args)         in its place between kernels, which costs some microseconds
    anything(f, *args)     the same, and no later `before` goes ahead of it: f may draw noise too
    after(f, *args)        when all kernels have run: numbers are read

A plan is a table, with a row for each kernel: its address, its arguments, and in how many parts it
is worth to run it. All threads go through the table together,

    for each row:   run my part;   wait until the others have run theirs         (1)

so that they are woken once a step, and not once a kernel. Waiting for each other takes a tenth of a
microsecond, waking each other some microseconds: parts may be far smaller than where a kernel is
called by itself. That is a plan of one row.
"""

import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..checks import Array
from . import sharing
from .compiling import FromLLVM, Kernel, Twin, alone, compiled, entries, helper, jit, kept

# mypy: disable-error-code="no-untyped-def"

FINE = 4_000  # sums of two, about: what a part has at the least, where work has several
MOST_PARTS = sharing.MOST
ENTER = 20_000  # pauses, below a millisecond, in which all threads have to have come
COLUMNS = 5  # of a table
CALLER, FUNCTION, BLOCK, MOST, WAITS = range(COLUMNS)
# A gate is where threads wait for each other: rows done, summed over threads; TOGETHER or ALONE, as
# the first to decide has it; threads that came. Each lies in a line of the caches of its own.
DONE, MET, CAME = 0, 64, 128  # bytes
GATE_BYTES = 192
TOGETHER, ALONE = 1, 2

call, look, rest, count, change = (
    FromLLVM(name, "calls") for name in ("call", "look", "rest", "count", "change")
)


@dataclass(frozen=True)
class Call:
    """A kernel: loop(part, parts, *args), and its work in sums of two numbers, about.

    Where `scratch` is not 0, the loop has one more argument: memory to work in, so many bytes for
    each part. `most` is how many parts there may be.
    """

    loop: Kernel
    args: tuple[Any, ...]
    work: float
    scratch: int = 0
    most: int = MOST_PARTS

    def parts(self, threads: int, fine: float) -> int:
        """In how many parts to run it, each with `fine` of the work at the least."""
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
        """Whether the other comes from the same line; its arguments may be others."""
        return isinstance(other, Action) and _line(self.f) == _line(other.f)


def _line(f: Callable[..., Any]) -> Any:
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
    in_order: bool = False  # whether nothing more may go ahead

    def like(self, other: "Notes") -> bool:
        """Whether the other step was the same but for what its actions do."""
        lists = ((self.ahead, other.ahead), (self.middle, other.middle), (self.last, other.last))
        return all(
            len(a) == len(b) and all(x.like(y) for x, y in zip(a, b, strict=True)) for a, b in lists
        )

    def can_be_replayed(self) -> bool:
        """Whether all arrays among the kernels' arguments are there for more than a step."""
        arrays = (x for one in self.middle for x in one.args if isinstance(x, np.ndarray))
        return all(id(_owner(x)) in _lasting for x in arrays)


_mine = threading.local()
_lasting: WeakValueDictionary[int, Array] = WeakValueDictionary()  # arrays, by id
_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextmanager
def recording() -> Iterator[Notes]:
    """Within it, kernels and actions of this thread are noted as they run."""
    notes = Notes()
    before = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(before)


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


def anything(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), in its place between kernels, and before the draws of what follows."""
    if (notes := _notes.get()) is not None:
        notes.in_order = True
    here(f, *args)


def here(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), in its place between kernels."""
    notes = _notes.get()
    _run(f, args, None if notes is None else notes.middle)


def after(f: Callable[..., Any], *args: Any) -> None:
    """f(*args), of which no kernel in this step needs anything."""
    notes = _notes.get()
    _run(f, args, None if notes is None else notes.last)


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


class Plan:
    """What was recorded, ready to run again; on `threads` threads, where they can be had."""

    def __init__(self, notes: Notes, threads: int) -> None:
        self._todo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        calls: list[Call] = []
        for one in [*notes.ahead, *notes.middle, *notes.last, None]:
            if isinstance(one, Call):
                calls.append(one)
                continue
            if calls:
                self._todo.append((Table(calls, threads).run, ()))
                calls = []
            if one is not None:
                self._todo.append((one.f, one.args))

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a plan points to memory, and what copies it would not have that memory")

    def run(self) -> None:
        """The step once more."""
        for f, args in self._todo:
            f(*args)


class Table:
    """Calls in a row, (1); its columns are what `go_through` reads."""

    def __init__(self, calls: Sequence[Call], threads: int, fine: float | None = None) -> None:
        from .native.calls import pack

        self._calls = calls  # which keep the memory alive that the rows point to
        # a plan has memory of its own to work in: two may run at once
        self._room = np.empty((threads, max([one.scratch for one in calls])), np.uint8)
        args = [(*one.args, self._room) if one.scratch else one.args for one in calls]
        self._blocks = [pack(one) for one in args]
        self._ways = sharing.Ways()
        most = [one.parts(threads, FINE if fine is None else fine) for one in calls]
        # what has one part is all the first thread's, which need not wait between two of these
        waits = [not (one == other == 1) for one, other in zip(most, [*most[1:], 1], strict=True)]
        rows: list[int] = []
        loops = (one.loop for one in calls)
        places = entries(list(zip(loops, args, strict=True)))
        for place, block, *row in zip(places, self._blocks, most, waits, strict=True):
            rows += (*place, block.buffer_info()[0], *row)
        self._rows = np.array(rows, np.int64).reshape(len(calls), COLUMNS)
        self._threads = max(most)
        self._gate = np.zeros(GATE_BYTES // 8, np.int64)

    def run(self) -> None:
        """All calls."""
        if self._threads == 1:
            self.go(1)
        else:
            sharing.run(self.go, self._threads, self._ways)

    def go(self, parts: int) -> None:
        """All calls, on that many threads."""
        if parts == 1:
            alone(go_through)(0, 1, self._rows, self._gate)
        else:
            self._gate[:] = 0
            _region()(parts, self._rows, self._gate)


def at_once(call: Call, parts: int) -> None:
    """The kernel in that many parts, however small, at the same time."""
    sharing.run(functools.partial(_in_parts, call), parts)


def where_faster(call: Call, parts: int) -> None:
    """The kernel in that many parts, or in one, where that is faster."""
    ways = _ways_of(call.loop, parts, round(math.log2(call.work + 1)))
    sharing.run(functools.partial(_in_parts, call), parts, ways)


def _in_parts(call: Call, parts: int) -> None:
    if parts == 1:
        by_itself(call)
    else:
        Table([call], parts, fine=0).go(parts)


def by_itself(call: Call) -> None:
    """The kernel in one part."""
    room = (_scratch(call.scratch),) if call.scratch else ()
    alone(call.loop)(0, 1, *call.args, *room)


def _scratch(size: int) -> Array:
    """(1, size) bytes, this thread's own, to work in again and again."""
    have: Array | None = getattr(_mine, "scratch", None)
    if have is None or have.size < size:
        have = _mine.scratch = np.empty((1, size), np.uint8)
    return have


@functools.cache
def _ways_of(_loop: Kernel, _parts: int, _size: int) -> sharing.Ways:
    """What is known of calls of a loop that are about as long."""
    return sharing.Ways()


@helper
def go_through(part, parts, table, gate):
    """(1), for one thread. Kernels raise nothing, so what `call` gives is not looked at."""
    at, goal = gate.ctypes.data + DONE, 0
    for i in range(len(table)):
        mine = min(parts, table[i, MOST])
        if part < mine:
            call(table[i, CALLER], table[i, FUNCTION], part, mine, table[i, BLOCK])
        if parts > 1 and table[i, WAITS]:
            goal += parts
            count(at, 1)
            spins = 0
            while look(at) < goal:
                spins = rest(spins) + 1


@helper
def enter(part, parts, table, gate):
    """Go through the table together, when all have come.

    A thread that waits for others that never come would wait forever: numba may run parts one after
    the other. So the first that has waited too long goes through alone, and who comes then is late.
    """
    at = gate.ctypes.data
    came, spins = count(at + CAME, 1) + 1, 0
    while look(at + MET) == 0:
        if came == parts:
            change(at + MET, 0, TOGETHER)
        elif spins > ENTER and change(at + MET, 0, ALONE) == 0:
            go_through(0, 1, table, gate)
        spins = rest(spins) + 1
    if look(at + MET) == TOGETHER:
        go_through(part, parts, table, gate)


def region(parts, table, gate):
    """One thread for each part."""
    for one in prange(parts):
        enter(intp(one), parts, table, gate)  # numba counts in unsigned numbers


@functools.cache
def _region() -> Twin:
    return kept(jit(region, "region", {"enter": compiled(enter)}, parallel=True))


prange: Any = None  # in the place of these names numba finds its own
intp: Any = None

"""A recorded step is replayed, without the Python between its kernels.

    with recording() as notes: ...      a step, as always; see recording.py
    plan = Plan(notes, threads)         in another order, where that is faster; see reordering.py
    plan.run()                          the same again, in the same memory

Kernels that follow each other are a table, with a row for each: its address, its arguments, and in
how many parts it is worth running. A plan is a list of tables, and of the actions between them. All
threads go through a table together,

    for each row:   run my part;   wait until the others have run theirs         (1)

so that they are woken once a table, and not once a kernel. Waiting for each other takes a tenth of
a microsecond, waking each other some microseconds: parts may be far smaller than where a kernel is
called by itself. That is a plain call, or, where several threads are faster, a table of one row.
"""

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ground.arguments import Array
from . import sharing
from .compiling import (
    Dispatcher,
    FromLLVM,
    Kernel,
    compiled,
    entries,
    for_python,
    helper,
    jit,
    kept,
    with_types,
)
from .recording import Action, Call, Clear, Event, Recording
from .reordering import in_order, writing_first
from .sharing import share_row

# mypy: disable-error-code="no-untyped-def"

FINE = 4_000  # sums of two, about, for each part, where there are several
ENTER = 20_000  # pauses, in which all threads have to have come
COLUMNS = 5  # of a table
CALLER, FUNCTION, ARGUMENTS, PARTS, WAITS = range(COLUMNS)
# A gate is where threads wait for each other; its bytes, in three lines of the caches:
DONE = 0  # rows done, summed over threads
MET = 64  # how it is gone through: 0 for undecided, TOGETHER or ALONE; the first to decide has it
CAME = 128  # threads that came
GATE_BYTES = 192
TOGETHER, ALONE = 1, 2

call_by_address, read, pause, add, replace_if = (
    FromLLVM(name, "calls") for name in ("call_by_address", "read", "pause", "add", "replace_if")
)

_mine = threading.local()


class Plan:
    """What was recorded, ready to run again; on `threads` threads, where they can be had."""

    def __init__(self, notes: Recording, threads: int) -> None:
        ahead, among, last = in_order(writing_first(notes.events))
        loops = any(isinstance(event, Call) for event in among)
        ordered = [*ahead, *among, *last]
        self.events = [clearing(event) if loops else event for event in ordered]  # in their order
        self._todo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        calls: list[Call] = []
        for event in [*self.events, None]:
            if isinstance(event, Call):
                calls.append(event)
                continue
            if calls:
                self._todo.append((Table(calls, threads).run, ()))
                calls = []
            if isinstance(event, Action):
                self._todo.append((event.f, event.args))
            elif isinstance(event, Clear):
                self._todo.append((event.array.fill, (0,)))
        self.is_fenced = any(getattr(event, "fenced", False) for event in notes.events)
        self._memory = notes  # which keeps what the plan points to

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a plan points to memory, and what copies it would not have that memory")

    def run(self) -> None:
        """The step once more."""
        for f, args in self._todo:
            f(*args)


def clearing(event: Event) -> Event:
    """Memory that is cleared is cleared by a loop, where one can; all else is as it was."""
    if not isinstance(event, Clear) or not event.array.flags.carray:
        return event
    return Call(clear_loop, (event.array.reshape(-1),), event.array.size, written=(0,))


def clear_loop(part, parts, x):
    start, stop = share_row(x.size, part, parts)
    x[start:stop] = 0


class Table:
    """Calls in a row, (1); its columns are what `go_through` reads."""

    def __init__(self, calls: Sequence[Call], threads: int, fine: float | None = None) -> None:
        from .native.calls import pack

        self._calls = calls  # which keep the memory alive that the rows point to
        # a plan has memory of its own to work in: two may run at once
        self._room = np.empty((threads, max([one.scratch for one in calls])), np.uint8)
        args = [(*one.args, self._room) if one.scratch else one.args for one in calls]
        self._blocks = [pack(one) for one in args]
        self._ways = sharing.FasterWay()
        parts = [one.parts(threads, FINE if fine is None else fine) for one in calls]
        # what has one part is all the first thread's, which need not wait between two of these
        waits = [not (one == other == 1) for one, other in zip(parts, [*parts[1:], 1], strict=True)]
        rows: list[int] = []
        loops = (one.loop for one in calls)
        places = entries(list(zip(loops, args, strict=True)))
        for place, block, *row in zip(places, self._blocks, parts, waits, strict=True):
            rows += (*place, block.buffer_info()[0], *row)
        self._rows = np.array(rows, np.int64).reshape(len(calls), COLUMNS)
        self._threads = max(parts)
        self._gate = np.zeros(GATE_BYTES // 8, np.int64)

    def run(self) -> None:
        """All calls, on one thread or several, whichever is faster lately."""
        sharing.run(self.go, self._threads, self._ways)

    def run_together(self) -> None:
        """All calls, on as many threads as they have parts."""
        sharing.run(self.go, self._threads)

    def go(self, parts: int) -> None:
        """All calls, on that many threads."""
        if parts == 1:
            for_python(alone)(0, 1, self._rows, self._gate)
        else:
            self._gate[:] = 0
            _region()(parts, self._rows, self._gate)


def in_parts(call: Call, parts: int) -> None:
    """The kernel in that many parts, however small, at the same time."""
    sharing.run(functools.partial(_in_parts, call), parts)


def in_parts_if_faster(call: Call, parts: int) -> None:
    """The kernel in that many parts, or in one, where that is faster."""
    ways = _ways_of(call.loop, parts, round(math.log2(call.work + 1)))
    sharing.run(functools.partial(_in_parts, call), parts, ways)


def _in_parts(call: Call, parts: int) -> None:
    if parts == 1:
        in_one_part(call)
    else:
        Table([call], parts, fine=0).go(parts)


def in_one_part(call: Call) -> None:
    """The kernel in one part."""
    room = (_scratch(call.scratch),) if call.scratch else ()
    for_python(call.loop)(0, 1, *call.args, *room)


def _scratch(size: int) -> Array:
    """(1, size) bytes, this thread's own, to work in again and again."""
    have: Array | None = getattr(_mine, "scratch", None)
    if have is None or have.size < size:
        have = _mine.scratch = np.empty((1, size), np.uint8)
    return have


@functools.cache
def _ways_of(_loop: Kernel, _parts: int, _size: int) -> sharing.FasterWay:
    """What is known of calls of a loop that are about as long."""
    return sharing.FasterWay()


@helper
def go_through(part, parts, table, gate):
    """(1), for one thread. Kernels raise nothing, so whether they did is not looked at."""
    done, goal = gate.ctypes.data + DONE, 0
    for i in range(len(table)):
        shares = min(parts, table[i, PARTS])
        if part < shares:
            row = table[i]
            call_by_address(row[CALLER], row[FUNCTION], part, shares, row[ARGUMENTS])
        if parts > 1 and table[i, WAITS]:
            goal += parts  # each thread adds 1 for a row that all wait for
            add(done, 1)
            spins = 0
            while read(done) < goal:
                spins = pause(spins) + 1


def enter(part, parts, table, gate):
    """Go through the table together, when all have come.

    A thread that waits for others that never come would wait forever: numba may run parts one after
    the other. So the first that has waited too long goes through alone, and the others do nothing.
    """
    at = gate.ctypes.data
    came, spins = add(at + CAME, 1) + 1, 0
    while read(at + MET) == 0:
        if came == parts:
            replace_if(at + MET, 0, TOGETHER)
        elif spins > ENTER and replace_if(at + MET, 0, ALONE) == 0:
            go_through(0, 1, table, gate)
        spins = pause(spins) + 1
    if read(at + MET) == TOGETHER:
        go_through(part, parts, table, gate)


def region(parts, table, gate):
    """Each part once, on a thread of its own if numba has one for it."""
    for one in prange(parts):
        enter(intp(one), parts, table, gate)  # numba counts in unsigned numbers


def _table_and_gate(types: Any) -> tuple[Any, Any]:
    """Their types."""
    return types.Array(types.int64, 2, "C"), types.Array(types.int64, 1, "C")


alone = with_types(go_through, "go_through", _table_and_gate)


@functools.cache
def _region() -> Dispatcher:
    for_python(alone)  # which is tried too, sooner or later: so no later run has to compile it
    return kept(jit(region, "region", {"enter": compiled(enter)}, parallel=True))


prange: Any = None  # in the place of these names numba finds its own
intp: Any = None

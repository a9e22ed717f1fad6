"""A plan replays a recorded step without the Python between its kernels.

    with recording() as recorded: ...   a step, as always; see recording.py
    plan = Plan(recorded, threads)      reordered to run faster; see reordering.py
    plan.run()                          the same again, in the same memory

Kernels that follow each other form a table, with a row for each: its address, its arguments, and
the number of parts that its work is worth. A plan is a list of tables, and of the actions between
them. All threads go through a table together,

    for each row:   run my part;   wait until the others have run theirs         (1)

so they are woken once a table, and not once a kernel. To wait for each other takes them a tenth of
a microsecond, to be woken some microseconds. So parts can be far smaller than those of a kernel
called by itself: that is a plain call, or a table of a single row if several threads are faster.
"""

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ground.arguments import Array
from . import sharing
from .compiling import FromLLVM, Kernel, addresses_of, for_python, helper, with_types
from .native.blocks import pack, runner
from .recording import Action, Call, Clear, Event, Recording
from .reordering import in_order, writing_first
from .sharing import share_row

# mypy: disable-error-code="no-untyped-def"

FINE = 4_000  # additions, about, in each part of a kernel that has several
ENTER = 20_000  # pauses in which all threads have to arrive
COLUMNS = 4  # of a table: the kernel's address, its arguments' (blocks.py), its parts, and
KERNEL, BLOCK, PARTS, WAITS = range(COLUMNS)  # whether all threads wait after it
# A gate is a barrier, where threads wait for each other; its bytes, in three cache lines:
DONE = 0  # rows done, summed over threads
DECISION = 64  # 0 while undecided, then TOGETHER or ALONE, whichever is written first
ARRIVED = 128  # threads that have arrived
GATE_BYTES = 192
TOGETHER, ALONE = 1, 2

call_by_address, read, pause, add, replace_if = (
    FromLLVM(name, "calls") for name in ("call_by_address", "read", "pause", "add", "replace_if")
)

_of_thread = threading.local()


class Plan:
    """A recorded step, ready to run again, on `threads` threads if they are available."""

    def __init__(self, recorded: Recording, threads: int) -> None:
        ahead, among, last = in_order(writing_first(recorded.events))
        loops = any(isinstance(event, Call) for event in among)
        ordered = [*ahead, *among, *last]
        self.events = [clearing(event) if loops else event for event in ordered]
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
        self.is_fenced = any(getattr(event, "fenced", False) for event in recorded.events)
        self._memory = recorded  # which keeps alive what the plan points to

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a plan cannot be copied: it points to the memory of this one")

    def run(self) -> None:
        """The step again."""
        for f, args in self._todo:
            f(*args)


def clearing(event: Event) -> Event:
    """A Clear as the call of a loop, if its array is contiguous; any other event as it is."""
    if not isinstance(event, Clear) or not event.array.flags.carray:
        return event
    return Call(clear_loop, (event.array.reshape(-1),), event.array.size, written=(0,))


def clear_loop(part, parts, x):
    start, stop = share_row(x.size, part, parts)
    x[start:stop] = 0


class Table:
    """Calls that follow each other, (1), in parts of at least `fine` additions (FINE).

    `go_through` reads its columns.
    """

    def __init__(self, calls: Sequence[Call], threads: int, fine: float | None = None) -> None:
        self._calls = calls  # which keep the memory alive that the rows point to
        # not shared with other tables: two may run at the same time
        self._scratch = np.empty((threads, max([call.scratch for call in calls])), np.uint8)
        args = [(*call.args, self._scratch) if call.scratch else call.args for call in calls]
        self._blocks = [pack(block) for block in args]
        self._way = sharing.FasterWay()
        parts = [call.parts(threads, FINE if fine is None else fine) for call in calls]
        # a kernel in one part runs on the first thread, which need not wait between two of these
        waits = [not (n == after == 1) for n, after in zip(parts, [*parts[1:], 1], strict=True)]
        rows: list[int] = []
        loops = (call.loop for call in calls)
        places = addresses_of(list(zip(loops, args, strict=True)))
        for place, block, *row in zip(places, self._blocks, parts, waits, strict=True):
            rows += (place.kernel, block.buffer_info()[0], *row)
        self._rows = np.array(rows, np.int64).reshape(len(calls), COLUMNS)
        self._threads = max(parts)
        self._gate = np.zeros(GATE_BYTES // 8, np.int64)
        self._block = pack((self._rows, self._gate))
        at = self._block.buffer_info()[0]
        (self._enter,) = addresses_of([(enter, (self._rows, self._gate))])
        self._alone = functools.partial(runner(self._enter.kernel), 0, 1, at)
        self._together: dict[int, Callable[[], None]] = {}  # by the number of threads

    def run(self) -> None:
        """All calls, on one thread or several, whichever was faster lately."""
        sharing.run(self.go, self._threads, self._way)

    def run_together(self) -> None:
        """All calls, on as many threads as they have parts."""
        sharing.run(self.go, self._threads)

    def go(self, parts: int) -> None:
        """All calls, on that many threads."""
        if parts == 1:
            self._alone()
            return
        if parts not in self._together:
            from .native.threads import Together

            at = self._block.buffer_info()[0]
            self._together[parts] = Together(self._enter.on_thread, parts, at)
        self._gate[:] = 0
        self._together[parts]()


def in_parts(call: Call, parts: int) -> None:
    """The kernel in that many parts at the same time, however small they are."""
    sharing.run(functools.partial(_in_parts, call), parts)


def in_parts_if_faster(call: Call, parts: int) -> None:
    """The kernel in that many parts, or in a single part if that is faster."""
    way = _faster_way(call.loop, parts, round(math.log2(call.work + 1)))
    sharing.run(functools.partial(_in_parts, call), parts, way)


def _in_parts(call: Call, parts: int) -> None:
    if parts == 1:
        in_one_part(call)
    else:
        Table([call], parts, fine=0).go(parts)


def in_one_part(call: Call) -> None:
    """The kernel in a single part, on this thread."""
    scratch = (_scratch(call.scratch),) if call.scratch else ()
    for_python(call.loop)(0, 1, *call.args, *scratch)


def _scratch(size: int) -> Array:
    """A buffer of (1, size) bytes, which this thread uses again and again."""
    buffer: Array | None = getattr(_of_thread, "scratch", None)
    if buffer is None or buffer.size < size:
        buffer = _of_thread.scratch = np.empty((1, size), np.uint8)
    return buffer


@functools.cache
def _faster_way(_loop: Kernel, _parts: int, _size: int) -> sharing.FasterWay:
    """The last times of calls of a loop with about as much work."""
    return sharing.FasterWay()


@helper
def go_through(part, parts, table, gate):
    """(1), as the thread `part` does it. Kernels raise nothing, so their status is ignored."""
    done, goal = gate.ctypes.data + DONE, 0
    for i in range(len(table)):
        shares = min(parts, table[i, PARTS])
        if part < shares:
            row = table[i]
            call_by_address(row[KERNEL], part, shares, row[BLOCK])
        if parts > 1 and table[i, WAITS]:
            goal += parts  # each thread adds 1 for a row after which all wait
            add(done, 1)
            spins = 0
            while read(done) < goal:
                spins = pause(spins) + 1


def enter_together(part, parts, table, gate):
    """Go through the table together once all threads have arrived.

    Numba may run parts one after the other: then a thread that waits for the others would wait
    forever. So the first that has waited too long goes through alone, and the others do nothing.
    """
    at, mine, shares, decided = gate.ctypes.data, part, parts, TOGETHER
    if parts > 1:
        arrived, spins, decided = add(at + ARRIVED, 1) + 1, 0, read(at + DECISION)
        while decided == 0:
            if arrived == parts:
                replace_if(at + DECISION, 0, TOGETHER)
            elif spins > ENTER and replace_if(at + DECISION, 0, ALONE) == 0:
                mine, shares, decided = 0, 1, TOGETHER
                break
            spins = pause(spins) + 1
            decided = read(at + DECISION)
    if decided == TOGETHER:
        go_through(mine, shares, table, gate)


def _table_and_gate(types: Any) -> tuple[Any, Any]:
    """The types of `table` and `gate`."""
    return types.Array(types.int64, 2, "C"), types.Array(types.int64, 1, "C")


enter = with_types(enter_together, "enter", _table_and_gate)

"""Python costs more than the arithmetic of a small step, so a step is recorded and then replayed.

    with recording() as recorded: ...    runs as always; each kernel notes itself and its arguments

A kernel is noted as a Call of its loop, or as an Action if NumPy runs it. Draws of random numbers,
and numbers that change from step to step, are Actions too. Each event says which memory it reads
and which it writes, so that reordering.py knows what may move, and plans.py can replay the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ground.arguments import Array
from . import replaced, sharing, workspaces
from .compiling import Kernel


@dataclass(eq=False)  # not frozen, which would take three times as long at each kernel
class Call:
    """A kernel: loop(part, parts, *args), and its work, in additions, about.

    A part is the share of one thread; see `sharing.share`. `written` are the indices of the
    arguments that it writes, `changed` of those that it reads as well. Unless `scratch` is 0, the
    loop has another argument: a buffer of so many bytes for each part. There may be up to `most`
    parts.

    A kernel that adds to an array may have a second form, `onto_zero`: the loop and arguments that
    write into an array that is 0 everywhere.
    """

    loop: Kernel
    args: tuple[Any, ...]
    work: float
    written: Sequence[int] = ()
    changed: Sequence[int] = ()
    scratch: int = 0
    most: int = sharing.MOST_THREADS
    onto_zero: tuple[Kernel, tuple[Any, ...]] | None = None

    def parts(self, threads: int, fine: float) -> int:
        """The number of parts, each with at least `fine` of the work."""
        parts = min(threads, self.most)
        return parts if self.work >= parts * fine else max(1, int(self.work / fine))

    def reads(self) -> list[Array]:
        """The arrays that it reads."""
        only_written = set(self.written) - set(self.changed)
        return [x for i, x in enumerate(self.args) if _is_array(x) and i not in only_written]

    def writes(self) -> list[Array]:
        """The arrays that it writes."""
        return [self.args[i] for i in self.written]


@dataclass(eq=False)
class Action:
    """f(*args), run by Python, and the arrays that it reads and writes.

    No event moves past a `fenced` action, which may do anything. `also` are other objects that it
    changes, such as a generator of random numbers.
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]
    read: Sequence[Array] = ()
    written: Sequence[Array] = ()
    also: Sequence[Any] = ()
    fenced: bool = False
    onto_zero: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    def reads(self) -> Sequence[Array]:
        """The arrays that it reads."""
        return self.read

    def writes(self) -> Sequence[Array]:
        """The arrays that it writes."""
        return self.written


@dataclass(eq=False)
class Clear:
    """Set an array to 0."""

    array: Array

    def reads(self) -> Sequence[Array]:
        """None."""
        return ()

    def writes(self) -> Sequence[Array]:
        """The array."""
        return (self.array,)


Event = Call | Action | Clear


@dataclass
class Recording:
    """The events of a step, in order."""

    events: list[Event] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)  # which no step writes

    def foreign_arrays(self, own: Sequence[Array], workspace: workspaces.Workspace) -> list[Array]:
        """Arrays that kernels read or write, and that are neither in the workspace nor `own`.

        NumPy allocated them in this step: in a replay they would hold the numbers of an old step.
        """
        known = {id(workspaces.owner(x)) for x in (*own, *self.constants)}
        return [
            x
            for event in self.events
            if not (isinstance(event, Action) and event.fenced)
            for x in (*event.reads(), *event.writes())
            if x.size and id(workspaces.owner(x)) not in known and not workspace.holds(x)
        ]


_current: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording() -> Iterator[Recording]:
    """Within it, kernels and actions of this thread are noted as they run."""
    recorded = Recording()
    outside = _current.set(recorded)
    try:
        yield recorded
    finally:
        _current.reset(outside)


def is_recording() -> bool:
    """Whether kernels and actions of this thread are noted."""
    return _current.get() is not None


def note(call: Call) -> None:
    """Note a kernel that is about to run by its loop."""
    if (recorded := _current.get()) is not None:
        recorded.events.append(call)


def run_action(
    f: Callable[..., Any],
    args: tuple[Any, ...] = (),
    read: Sequence[Any] = (),
    written: Sequence[Any] = (),
    also: Sequence[Any] = (),
    fenced: bool = False,
) -> None:
    """f(*args), noted as a single action, whatever it calls."""
    if (recorded := _current.get()) is None:
        f(*args)
        return
    recorded.events.append(Action(f, args, read, written, also, fenced))
    with not_recording():
        f(*args)


@contextmanager
def not_recording() -> Iterator[None]:
    """Within it nothing is noted."""
    outside = _current.set(None)
    try:
        yield
    finally:
        _current.reset(outside)


def clear(x: Array) -> None:
    """x = 0, in place."""
    x = workspaces.writable(x) if workspaces.can_be_written(x) else x
    if (recorded := _current.get()) is not None:
        recorded.events.append(Clear(x))
    x.fill(0)


def contiguous(x: Array) -> Array:
    """x, or a copy if its memory is not contiguous and aligned, or is read-only.

    For each kind of memory a loop would have to be compiled again, which takes a second.
    """
    if x.flags.c_contiguous and x.flags.aligned:
        try:
            return workspaces.writable(x)  # loops do not write what they read
        except ValueError:
            pass
    copy = workspaces.empty(x.shape, x.dtype)
    run_action(np.copyto, (copy, x), read=(x,), written=(copy,))
    return copy


def by_numpy(
    formula: Kernel,
    args: tuple[Any, ...],
    operands: Any,
    out: Array | None = None,
    onto_zero: Kernel | None = None,
    into: Kernel | None = None,
) -> Any:
    """Run a formula by NumPy, and record it; return its results, in memory of the step.

    `out` is that memory, if there is already some. A replay may run another form of an unedited
    formula: `onto_zero`, if the last operand, changed in place, is 0 everywhere; or `into`, which
    writes the result into an array that it takes as its last argument.
    """
    pairs = list(zip(args, operands.arguments, strict=True))
    args = tuple(
        workspaces.writable(x) if operand.in_place else _number(x, operand) for x, operand in pairs
    )
    if (recorded := _current.get()) is None:
        return as_tuple(formula(*args))
    with not_recording(), workspaces.outside():
        results = as_tuple(formula(*args))
    kept = (out,) if out is not None else tuple(workspaces.empty(x.shape, x.dtype) for x in results)
    for place, x in zip(kept, results, strict=True):
        place[...] = x
    changed = [x for x, (_, operand) in zip(args, pairs, strict=True) if operand.in_place]
    arrays = [x for x in args if isinstance(x, np.ndarray)]
    if (into or onto_zero) and not replaced.is_published(formula):
        into = onto_zero = None
    if into:
        f, given = into, (*args, *kept)
    else:
        f, given = (_again_one if len(kept) == 1 else _again), (formula, args, *kept)
    other = (onto_zero, args) if onto_zero else None
    recorded.events.append(Action(f, given, arrays, [*kept, *changed], onto_zero=other))
    return kept


def _number(x: Any, operand: Any) -> Any:
    """A number as Python's, which takes the dtype of the arrays; an array as it is."""
    return x.item() if operand.is_number and isinstance(x, np.generic) else x


def _again(formula: Kernel, args: tuple[Any, ...], *kept: Array) -> None:
    """The formula, its results written where they were in the recorded step."""
    for place, x in zip(kept, as_tuple(formula(*args)), strict=True):
        place[...] = x


def _again_one(formula: Kernel, args: tuple[Any, ...], kept: Array) -> None:
    x = formula(*args)
    kept[...] = x[0] if type(x) is tuple else x


def note_constant(x: Array) -> None:
    """Note that x is the same in every step, so that a plan can point to it."""
    if (recorded := _current.get()) is not None:
        recorded.constants.append(x)


def scheduled(f: Callable[[], Any], count: int = 1, dtype: Any = np.float64) -> Array:
    """The numbers (count,) that f() returns; a replay calls f before all else."""
    array = workspaces.empty((count,), dtype)
    run_action(_fill, (array, f), written=(array,))
    return workspaces.returned(array)


def _fill(array: Array, f: Callable[[], Any]) -> None:
    array[:] = f()


def as_tuple(results: Any) -> tuple[Array, ...]:
    """The results of a formula that returned an array, several, or None.

    NumPy turns the results of arrays without axes into numbers; here they are arrays again.
    """
    if results is None:
        return ()
    return tuple(map(np.asarray, results if isinstance(results, tuple) else (results,)))


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)

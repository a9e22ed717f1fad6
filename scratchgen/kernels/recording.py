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

from ..ground.arguments import Array
from . import replaced, sharing, workspaces
from .compiling import Kernel


@dataclass(eq=False)  # not frozen: that would take three times as long, at each kernel
class Call:
    """A kernel: loop(part, parts, *args), and its work in sums of two numbers, about.

    A part is one thread's share of it; see `sharing.share`. `written` are the indices of the
    arguments that it writes, `changed` those of them that it reads as well. Where `scratch` is not
    0, the loop has one more argument: memory to work in, so many bytes for each part. `most` is how
    many parts there may be.

    What only adds to an array may have a second form, `onto_zero`: another loop and its arguments,
    for an array that holds nothing but 0.
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
        """In how many parts to run it, so that there is `fine` of the work for each."""
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
    """f(*args), by Python, and the arrays that it reads and writes.

    What is `fenced` may do anything: all before it stays before it, and all after it after it.
    `also` are other things that it changes, such as a generator of random numbers.
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
    """An array is set to 0."""

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
    """What was recorded, in order."""

    events: list[Event] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)  # that no step writes

    def foreign_arrays(self, own: Sequence[Array], workspace: workspaces.Workspace) -> list[Array]:
        """Arrays that kernels read or write, and that are neither in the workspace nor `own`.

        NumPy made them in this step, so that in the next one they would hold old numbers.
        """
        known = {id(workspaces.owner(x)) for x in (*own, *self.constants)}
        return [
            x
            for event in self.events
            if not (isinstance(event, Action) and event.fenced)
            for x in (*event.reads(), *event.writes())
            if x.size and id(workspaces.owner(x)) not in known and not workspace.holds(x)
        ]


_notes: ContextVar[Recording | None] = ContextVar("notes", default=None)


@contextmanager
def recording() -> Iterator[Recording]:
    """Within it, kernels and actions of this thread are noted as they run."""
    notes = Recording()
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
        notes.events.append(call)


def run_action(
    f: Callable[..., Any],
    args: tuple[Any, ...] = (),
    read: Sequence[Any] = (),
    written: Sequence[Any] = (),
    also: Sequence[Any] = (),
    fenced: bool = False,
) -> None:
    """f(*args), noted as one action, whatever it calls."""
    if (notes := _notes.get()) is None:
        f(*args)
        return
    notes.events.append(Action(f, args, read, written, also, fenced))
    with not_recording():
        f(*args)


@contextmanager
def not_recording() -> Iterator[None]:
    """Within it nothing is noted."""
    outside = _notes.set(None)
    try:
        yield
    finally:
        _notes.reset(outside)


def clear(x: Array) -> None:
    """Every number of x becomes 0."""
    x = workspaces.writable(x) if workspaces.can_be_written(x) else x
    if (notes := _notes.get()) is not None:
        notes.events.append(Clear(x))
    x.fill(0)


def contiguous(x: Array) -> Array:
    """x, or a copy where its memory is not in order, or read-only.

    For each kind of memory a loop would have to be compiled anew, which takes a second.
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
    """The arrays that a formula returns for those operands; recorded, in memory of the step.

    `out` is that memory, where there is already some. Two other forms may stand in the place of a
    formula that is as it was published: `onto_zero`, for a last operand, changed in place, that
    holds nothing but 0; and `into`, which writes what the formula returns into an array that it is
    given behind the operands.
    """
    pairs = list(zip(args, operands.arguments, strict=True))
    args = tuple(workspaces.writable(x) if one.in_place else _number(x, one) for x, one in pairs)
    if (notes := _notes.get()) is None:
        return as_tuple(formula(*args))
    with not_recording(), workspaces.outside():
        made = as_tuple(formula(*args))
    kept = (out,) if out is not None else tuple(workspaces.empty(x.shape, x.dtype) for x in made)
    for place, x in zip(kept, made, strict=True):
        place[...] = x
    changed = [x for x, (_, one) in zip(args, pairs, strict=True) if one.in_place]
    arrays = [x for x in args if isinstance(x, np.ndarray)]
    if (into or onto_zero) and not replaced.is_published(formula):
        into = onto_zero = None
    if into:
        f, given = into, (*args, *kept)
    else:
        f, given = (_again_one if len(kept) == 1 else _again), (formula, args, *kept)
    other = (onto_zero, args) if onto_zero else None
    notes.events.append(Action(f, given, arrays, [*kept, *changed], onto_zero=other))
    return kept


def _number(x: Any, one: Any) -> Any:
    """A number as one of Python, which takes the dtype of the arrays; all else as it is."""
    return x.item() if one.is_number and isinstance(x, np.generic) else x


def _again(formula: Kernel, args: tuple[Any, ...], *kept: Array) -> None:
    """The formula, what it returns written where it was when it was recorded."""
    for place, x in zip(kept, as_tuple(formula(*args)), strict=True):
        place[...] = x


def _again_one(formula: Kernel, args: tuple[Any, ...], kept: Array) -> None:
    x = formula(*args)
    kept[...] = x[0] if type(x) is tuple else x


def note_constant(x: Array) -> None:
    """x is the same in every step: a plan can point to it."""
    if (notes := _notes.get()) is not None:
        notes.constants.append(x)


def scheduled(f: Callable[[], Any], count: int = 1, dtype: Any = np.float64) -> Array:
    """The numbers (count,) that f() gives; in every step anew, before all else."""
    array = workspaces.empty((count,), dtype)
    run_action(_fill, (array, f), written=(array,))
    return workspaces.returned(array)


def _fill(array: Array, f: Callable[[], Any]) -> None:
    array[:] = f()


def as_tuple(made: Any) -> tuple[Array, ...]:
    """What a formula returned: one array, several, or None.

    NumPy makes of arrays without axes what is none.
    """
    if made is None:
        return ()
    return tuple(map(np.asarray, made if isinstance(made, tuple) else (made,)))


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)

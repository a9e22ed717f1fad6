"""New memory is slow, so the arrays of a step lie where those of the last such step lay.

    workspace = Workspace()
    with workspace.step("training"): ...      its arrays reuse the memory of the last such step
    with outside(): ...                       within it, arrays are new

A step asks for the same arrays, in the same order, as the last step of its kind. So requests are
counted from the beginning of the step, and each number has a place in the memory:

    request i of a step of that kind  ->  place i of that kind                          (1)

Within a step nothing is handed out twice. Steps of different kinds, such as batches of two sizes,
share the memory, but each kind has places of its own. Places never move, so a plan (plans.py) can
point to them. A workspace serves a single step at a time. The workspace in use belongs to the
context, and a step of another workspace can begin within a step.
"""

import math
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape

LINE = 64  # bytes in a cache line, where arrays begin
FIRST = 2**16  # bytes of the first chunk
PAGE = 2**21  # bytes of a huge page, where large chunks begin
GARBAGE = {"f": np.nan, "c": np.nan, "i": -(2**30), "u": 77, "b": True}


class Workspace:
    """An arena: memory that one step after the other uses.

    It grows in chunks: a small one first, then of `chunk` bytes or more. With fills, for tests, an
    array is filled with NaN when it is handed out. With guards, the arrays that kernels return are
    read-only; only kernels write into them.
    """

    def __init__(self, fills: bool = False, guards: bool = False, chunk: int = FIRST) -> None:
        self.fills, self.guards, self._chunk = fills, guards, chunk
        self._chunks: list[Array] = []  # of bytes
        self._ends: list[int] = []  # how many bytes of each have ever been handed out
        self._kinds: dict[Hashable, list[tuple[Array, int, int]]] = {}
        self._is_in_use = False

    @contextmanager
    def step(self, kind: Hashable = None) -> Iterator[None]:
        """Within it, arrays lie in this workspace, from the first place of that kind on.

        Raises RuntimeError during another step, whose arrays it would overwrite.
        """
        if self._is_in_use:
            raise RuntimeError("this workspace is in use, by a step that is not over")
        self._is_in_use = True
        outside = _step.set(Step(self, self._kinds.setdefault(kind, [])))
        try:
            yield
        finally:
            _step.reset(outside)
            self._is_in_use = False

    def holds(self, x: Array) -> bool:
        """Whether x lies in this workspace."""
        return any(owner(chunk) is owner(x) for chunk in self._chunks)

    def poison(self) -> None:
        """Turn all floats that were handed out into NaN, and whole numbers into -1."""
        for chunk, end in zip(self._chunks, self._ends, strict=True):
            chunk[:end] = 255

    def place(self, shape: Shape, dtype: np.dtype[Any], chunk: int, start: int) -> tuple[Any, ...]:
        """An array at the first free place from that byte of that chunk on, and its end."""
        size = max(1, math.prod(shape)) * dtype.itemsize
        while True:
            if chunk == len(self._chunks):
                self._chunks.append(self._new_chunk(size))
                self._ends.append(0)
            memory = self._chunks[chunk]
            start += -(memory.ctypes.data + start) % LINE
            if start + size <= len(memory):
                break
            chunk, start = chunk + 1, 0
        self._ends[chunk] = max(self._ends[chunk], start + size)
        array = memory[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
        return array, chunk, start + size

    def _new_chunk(self, size: int) -> Array:
        """A chunk with room for an array of that many bytes."""
        least = self._chunk if self._chunks else FIRST
        wanted = max(least, sum(map(len, self._chunks)), size + LINE)
        if wanted < PAGE:
            return np.empty(wanted, np.uint8)
        memory = np.empty(wanted + PAGE, np.uint8)
        return memory[-memory.ctypes.data % PAGE :][:wanted]


class Step:
    """The requests since a step began."""

    def __init__(self, workspace: Workspace, places: list[tuple[Array, int, int]]) -> None:
        self.workspace, self._places, self._next = workspace, places, 0

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """The array at the next place, (1)."""
        i, places = self._next, self._places
        self._next = i + 1
        if i < len(places) and places[i][0].shape == shape and places[i][0].dtype == dtype:
            array = places[i][0]
        else:
            _, chunk, end = places[i - 1] if i else (None, 0, 0)
            del places[i:]  # from here on this step differs from the last
            places.append(self.workspace.place(shape, dtype, chunk, end))
            array = places[i][0]
        if self.workspace.fills:
            array.fill(GARBAGE[dtype.kind])
        return array


_step: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def outside() -> Iterator[None]:
    """Within it no workspace is in use: arrays are new, and can be kept."""
    before = _step.set(None)
    try:
        yield
    finally:
        _step.reset(before)


def empty(shape: Shape, dtype: Any) -> Array:
    """An array of that shape, in the byte order of the CPU, not initialised."""
    dtype = np.dtype(dtype).newbyteorder("=")
    step = _step.get()
    return np.empty(shape, dtype) if step is None else step.empty(shape, dtype)


class Constant(np.ndarray):
    """Memory that is written only when it is allocated."""


def constant(shape: Shape, value: Any, dtype: Any) -> Array:
    """A read-only array filled with the value: a number, or an array."""
    array = Constant(shape, dtype)
    array[...] = value
    return read_only(array.view(np.ndarray))


def is_constant(x: Array) -> bool:
    """Whether x lies in the memory of a constant."""
    return isinstance(owner(x), Constant)


def returned(x: Array) -> Array:
    """x as a kernel returns it: read-only in a workspace with guards."""
    step = _step.get()
    return read_only(x) if step is not None and step.workspace.guards else x


def read_only(x: Array) -> Array:
    """A read-only view of x."""
    x = x.view()
    x.flags.writeable = False
    return x


def can_be_written(x: Array) -> bool:
    """Whether kernels may change x in place: in a step with guards, read-only views too.

    Memory that is itself read-only cannot be changed, as `writable` fails there.
    """
    if x.flags.writeable:
        return True
    step = _step.get()
    return step is not None and step.workspace.guards and bool(owner(x).flags.writeable)


def writable(x: Array) -> Array:
    """x, or a writable view of it. Raises ValueError if the memory itself is read-only."""
    if not x.flags.writeable:
        x = x.view()
        x.flags.writeable = True
    return x


def arrays_in(x: Any) -> Iterator[Array]:
    """The arrays in x: an array, or a namespace or list of arrays, as views of parameters are."""
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, SimpleNamespace | list):
        for item in vars(x).values() if isinstance(x, SimpleNamespace) else x:
            yield from arrays_in(item)


def owner(x: Array) -> Array:
    """The array that owns the memory of x: x itself, or the array that it is a view of."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x

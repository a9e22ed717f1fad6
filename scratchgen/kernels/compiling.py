"""From loops of Python to functions that the CPU runs, compiled once and kept.

    @helper
    def square(x): ...                            functions of numbers, compiled into loops

    def loop(part, parts, x, out): ...            its share of the work, 0 <= part < parts
    for_python(loop)(0, 1, x, out)                all of it, called from Python
    entries([(loop, (x, out))])                   the addresses by which plans.py calls it

Loops are compiled when they are first called, never at import, and kept on disk; see
native/caching.py.
"""

import dis
import functools
import importlib
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..ground.printing import to_stderr
from . import sharing

Kernel = Callable[..., Any]
Dispatcher = Any  # of numba: a compiled function for each set of types

FUSED = frozenset({"contract"})  # numba's flags: x y + z may be rounded once; sums keep their order
MEMORY = 0x503  # of NumPy's flags those that numba looks at: contiguous, aligned, writeable

_helpers: set[Kernel] = {sharing.share, sharing.share_row}
_rounded: set[Kernel] = set()
_types: dict[Kernel, Callable[[Any], tuple[Any, ...]]] = {}
_entries: dict[Any, tuple[int, int]] = {}
_lock = threading.RLock()


@dataclass(frozen=True)
class FromLLVM:
    """Stands for something in a file of native/, which cannot be imported without numba."""

    name: str
    file: str = "tiles"


def helper(function: Kernel) -> Kernel:
    """Mark a function that loops call; it is compiled with them."""
    _helpers.add(function)
    return function


def rounded(function: Kernel) -> Kernel:
    """Mark a loop, or a helper, in which each operation is rounded by itself, as NumPy does it."""
    _rounded.add(function)
    return helper(function)


def with_names(function: Kernel, name: str, names: Mapping[str, Any]) -> Kernel:
    """The same text, called `name`, in which those names mean something else."""
    scope = {**function.__globals__, **names}
    copy = types.FunctionType(function.__code__, scope, name, function.__defaults__)
    copy.__qualname__ = name
    return copy


class ByDtype:
    """A function of one number, or of a few of one dtype, that loops call: two texts in one name.

    A loop calls the text of its first number's dtype.
    """

    def __init__(self, double: Kernel, single: Kernel) -> None:
        self.double, self.single = double, single

    def __call__(self, x: Any, *others: Any) -> Any:
        return (self.single if isinstance(x, np.float32) else self.double)(x, *others)


def by_dtype(single: Mapping[str, Any]) -> Callable[[Kernel], ByDtype]:
    """From a text for float64 also one for float32.

    That has `single` in the place of those names, and all other numbers of float64 rounded.
    """

    def pair(double: Kernel) -> ByDtype:
        known = {**double.__globals__, **single}
        names = {name: np.float32(x) if type(x) is np.float64 else x for name, x in known.items()}
        return ByDtype(double, with_names(double, f"{double.__name__}_single", names))

    return pair


def with_types(
    loop: Kernel, name: str, types_of_arguments: Callable[[Any], tuple[Any, ...]]
) -> Kernel:
    """The same loop, called `name`, compiled once, for those types.

    An array of another layout is passed as one of them.
    """
    copy = with_names(loop, name, {})
    _types[copy] = types_of_arguments
    return copy


@functools.cache
def for_python(loop: Kernel) -> Dispatcher:
    """The compiled loop, as Python calls it: (part, parts, *args)."""
    with _lock:  # two threads may get here at once
        dispatcher = kept(compiled(loop))
        if loop in _types and not dispatcher.overloads:
            import numba

            dispatcher.compile((numba.intp, numba.intp, *_types[loop](numba.types)))
            dispatcher.disable_compile()
        return dispatcher


def entries(calls: Sequence[tuple[Kernel, tuple[Any, ...]]]) -> list[tuple[int, int]]:
    """For pairs of a loop and its arguments: the addresses by which native/calls.py calls it."""
    keys = [(loop, *map(_kind, args)) for loop, args in calls]
    new = {key: call for key, call in zip(keys, calls, strict=True) if key not in _entries}
    if new:
        from .native import calls as by_address

        found = by_address.addresses([_result(*call) for call in new.values()])
        _entries.update(zip(new, found, strict=True))
    return [_entries[key] for key in keys]


def _kind(value: Any) -> Any:
    """What numba compiles anew for: equal for values that one compiled function takes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim, value.flags.num & MEMORY
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    return type(value)


def _result(loop: Kernel, args: tuple[Any, ...]) -> Any:
    """What numba has compiled, or compiles now, for those arguments."""
    import numba

    dispatcher = for_python(loop)
    if loop in _types:
        return next(iter(dispatcher.overloads.values()))
    kinds = (numba.intp, numba.intp, *map(numba.typeof, args))
    if kinds not in dispatcher.overloads:
        dispatcher.compile(kinds)
    return dispatcher.overloads[kinds]


@functools.cache
def compiled(loop: Kernel) -> Dispatcher:
    """`loop` compiled by numba, with the parts that it calls.

    error_model="numpy" divides by zero as NumPy does; the flags do not include those that would
    forget NaN and infinity.
    """
    flags = set() if loop in _rounded else set(FUSED)
    return jit(loop, loop.__name__, _found(loop), fastmath=flags)


def _found(function: Kernel) -> dict[str, Any]:
    """Compiled functions for the names in `function` that numba cannot resolve by itself."""
    found = {}
    for name in _globals(function):
        value = function.__globals__.get(name)
        if isinstance(value, FromLLVM):
            file = importlib.import_module(f"{__package__}.native.{value.file}")
            found[name] = getattr(file, value.name)
        elif isinstance(value, ByDtype):
            found[name] = _overloaded(value)
        elif isinstance(value, types.FunctionType) and value in _helpers:
            found[name] = compiled(value)
    return found


@functools.cache
def _overloaded(function: ByDtype) -> Kernel:
    """A stub in whose place numba compiles the text for the dtype, into each loop that calls it."""
    from numba import types as numba_types
    from numba.extending import overload

    def stub(*args: Any) -> Any:
        return function(*args)  # where numba compiles nothing

    def choose(x: Any, *_others: Any) -> Kernel:
        chosen = function.single if x == numba_types.float32 else function.double
        return with_names(chosen, chosen.__name__, _found(chosen))

    # forceinline: what is called from a loop must not stay a call
    options = {"fastmath": set(FUSED), "error_model": "numpy", "forceinline": True}
    overload(stub, jit_options=options, strict=False)(choose)
    return stub


def _globals(loop: Kernel) -> set[str]:
    """The names from outside that a function reads."""
    return {one.argval for one in dis.get_instructions(loop) if one.opname == "LOAD_GLOBAL"}


def jit(function: Kernel, name: str, known: dict[str, Any], **options: Any) -> Dispatcher:
    """A copy of `function` that knows those names, compiled when it is called."""
    import numba

    copy = with_names(function, name, {"prange": numba.prange, "intp": numba.intp, **known})
    return numba.njit(copy, error_model="numpy", nogil=True, **options)


def kept(dispatcher: Dispatcher) -> Dispatcher:
    """The same, kept on disk by its name where a place can be found."""
    import numba

    from .native.caching import KernelCache, folder

    if numba.config.DISABLE_JIT:
        return dispatcher
    if folder() is None:
        _tell(None)
    else:
        KernelCache.on_miss = functools.partial(_tell, folder())
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


@functools.cache
def _tell(folder: Path | None) -> None:
    """Say, once in a process, what a step waits for, and how not to wait again."""
    if folder is None:
        kept = (
            "in every process anew, because no folder can be written to keep them: name one with "
            "NUMBA_CACHE_DIR"
        )
    else:
        kept = (
            f"once for each: kept in {folder} (NUMBA_CACHE_DIR names another), and `scratchgen "
            f"warmup` compiles all of them"
        )
    text = f"scratchgen: compiling kernels for this CPU, some seconds, {kept}"
    to_stderr(f"{text} (SCRATCHGEN_JIT=0 does without)")

"""Python is a hundred times too slow for loops over numbers, so numba compiles them.

    @helper
    def square(x): ...                            a function that loops call, compiled into them

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
    """Stands for an object in a file of native/, which cannot be imported without numba."""

    name: str
    file: str = "tiles"


def helper(function: Kernel) -> Kernel:
    """Mark a function that loops call; it is compiled with them."""
    _helpers.add(function)
    return function


def rounded(function: Kernel) -> Kernel:
    """Mark a loop, or a helper, that rounds after each operation, as NumPy does."""
    _rounded.add(function)
    return helper(function)


def with_names(function: Kernel, name: str, names: Mapping[str, Any]) -> Kernel:
    """A copy of the function, called `name`, in which `names` replace globals."""
    scope = {**function.__globals__, **names}
    copy = types.FunctionType(function.__code__, scope, name, function.__defaults__)
    copy.__qualname__ = name
    return copy


class ByDtype:
    """A function of numbers of the same dtype that loops call, in a version for each float.

    A loop calls the version for the dtype of the first number.
    """

    def __init__(self, double: Kernel, single: Kernel) -> None:
        self.double, self.single = double, single

    def __call__(self, x: Any, *others: Any) -> Any:
        return (self.single if isinstance(x, np.float32) else self.double)(x, *others)


def by_dtype(single: Mapping[str, Any]) -> Callable[[Kernel], ByDtype]:
    """From a function of float64 derive the version for float32.

    There the names in `single` have other values, and all other constants of float64 are rounded.
    """

    def pair(double: Kernel) -> ByDtype:
        known = {**double.__globals__, **single}
        names = {name: np.float32(x) if type(x) is np.float64 else x for name, x in known.items()}
        return ByDtype(double, with_names(double, f"{double.__name__}_single", names))

    return pair


def with_types(
    loop: Kernel, name: str, types_of_arguments: Callable[[Any], tuple[Any, ...]]
) -> Kernel:
    """The same loop, called `name`, compiled only for those types.

    An array of another layout is passed as if it had one of these types.
    """
    copy = with_names(loop, name, {})
    _types[copy] = types_of_arguments
    return copy


@functools.cache
def for_python(loop: Kernel) -> Dispatcher:
    """The compiled loop, as Python calls it: (part, parts, *args)."""
    with _lock:  # two threads may call this at the same time
        dispatcher = kept(compiled(loop))
        if loop in _types and not dispatcher.overloads:
            dispatcher.compile(types_of_arguments(loop, ()))
            dispatcher.disable_compile()
        return dispatcher


def entries(calls: Sequence[tuple[Kernel, tuple[Any, ...]]]) -> list[tuple[int, int]]:
    """For each loop and its arguments, the two addresses by which native/calls.py calls it."""
    keys = [(loop, *map(_kind, args)) for loop, args in calls]
    new = {key: call for key, call in zip(keys, calls, strict=True) if key not in _entries}
    if new:
        from .native import calls as by_address

        addresses = by_address.addresses([_result(*call) for call in new.values()])
        _entries.update(zip(new, addresses, strict=True))
    return [_entries[key] for key in keys]


def _kind(value: Any) -> Any:
    """What selects a compiled function: equal for values that the same function can take."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim, value.flags.num & MEMORY
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    return type(value)


def _result(loop: Kernel, args: tuple[Any, ...]) -> Any:
    """Numba's result of compiling the loop for those arguments."""
    dispatcher = for_python(loop)
    if loop in _types:
        return next(iter(dispatcher.overloads.values()))
    kinds = types_of_arguments(loop, args)
    if kinds not in dispatcher.overloads:
        dispatcher.compile(kinds)
    return dispatcher.overloads[kinds]


def types_of_arguments(loop: Kernel, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numba's types of part, parts and those arguments; a loop `with_types` has its own."""
    import numba

    of_args = _types[loop](numba.types) if loop in _types else map(numba.typeof, args)
    return (numba.intp, numba.intp, *of_args)


@functools.cache
def compiled(loop: Kernel) -> Dispatcher:
    """`loop` compiled by numba, with the helpers that it calls.

    error_model="numpy" divides by zero as NumPy does. No flag lets LLVM ignore NaN and infinity.
    """
    flags = set() if loop in _rounded else set(FUSED)
    return jit(loop, loop.__name__, _compiled_names(loop), fastmath=flags)


def _compiled_names(function: Kernel) -> dict[str, Any]:
    """Compiled functions for the names in `function` that numba cannot resolve by itself."""
    resolved = {}
    for name in _globals(function):
        value = function.__globals__.get(name)
        if isinstance(value, FromLLVM):
            file = importlib.import_module(f"{__package__}.native.{value.file}")
            resolved[name] = getattr(file, value.name)
        elif isinstance(value, ByDtype):
            resolved[name] = _overloaded(value)
        elif isinstance(value, types.FunctionType) and value in _helpers:
            resolved[name] = compiled(value)
    return resolved


@functools.cache
def _overloaded(function: ByDtype) -> Kernel:
    """A stub that numba replaces by the version for the dtype, in each loop that calls it."""
    from numba import types as numba_types
    from numba.extending import overload

    def stub(*args: Any) -> Any:
        return function(*args)  # with NUMBA_DISABLE_JIT

    def choose(x: Any, *_others: Any) -> Kernel:
        chosen = function.single if x == numba_types.float32 else function.double
        return with_names(chosen, chosen.__name__, _compiled_names(chosen))

    # forceinline: a loop with a call in it gets no vectors
    options = {"fastmath": set(FUSED), "error_model": "numpy", "forceinline": True}
    overload(stub, jit_options=options, strict=False)(choose)
    return stub


def _globals(loop: Kernel) -> set[str]:
    """The global names that a function reads."""
    instructions = dis.get_instructions(loop)
    return {step.argval for step in instructions if step.opname == "LOAD_GLOBAL"}


def jit(function: Kernel, name: str, known: dict[str, Any], **options: Any) -> Dispatcher:
    """A copy of `function` with those names as globals, compiled when it is called."""
    import numba

    copy = with_names(function, name, {"prange": numba.prange, "intp": numba.intp, **known})
    return numba.njit(copy, error_model="numpy", nogil=True, **options)


def kept(dispatcher: Dispatcher) -> Dispatcher:
    """The same dispatcher, with a cache on disk if a folder can be written."""
    import numba

    from .native.caching import KernelCache, folder

    if numba.config.DISABLE_JIT:
        return dispatcher
    if folder() is None:
        _announce(None)
    else:
        KernelCache.on_miss = functools.partial(_announce, folder())
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


@functools.cache
def _announce(folder: Path | None) -> None:
    """Say, once in a process, what a step waits for, and how to avoid it."""
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

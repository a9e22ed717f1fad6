"""Python is a hundred times too slow for loops over numbers, so numba compiles them.

    @helper
    def square(x): ...                            a function that loops call, compiled into them

    def loop(part, parts, x, out): ...            its share of the work, 0 <= part < parts
    for_python(loop)(0, 1, x, out)                all of the work, called from Python
    addresses_of([(loop, (x, out))])              where the machine code is, for plans.py

Loops are compiled when they are first called, never at import, and kept on disk; see
native/caching.py.
"""

import dis
import functools
import importlib
import os
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ground.printing import to_stderr
from . import sharing
from .locks import Lock
from .native import blocks

if TYPE_CHECKING:
    from .native.linking import Addresses

Kernel = Callable[..., Any]
Dispatcher = Any  # of numba: a compiled function for each set of types

FUSED = frozenset({"contract"})  # numba's flags: x y + z may be rounded once; sums keep their order

_helpers: set[Kernel] = {sharing.share, sharing.share_row}
_rounded: set[Kernel] = set()
_types: dict[Kernel, Callable[[Any], tuple[Any, ...]]] = {}
_loaded: "dict[Any, Addresses]" = {}
_lock = Lock()


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
    code, values, closure = function.__code__, function.__defaults__, function.__closure__
    copy = types.FunctionType(code, scope, name, values, closure)
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


class ForPython:
    """A compiled loop, as Python calls it: (part, parts, *args).

    A call passes the addresses of NumPy's objects (blocks.py). If no version for arrays of such
    types and flags is loaded yet, `addresses_of` loads or compiles it, and the call passes a block.
    """

    def __init__(self, loop: Kernel) -> None:
        self._loop = loop
        # by the types of the arguments: how to pack them, and the versions for arrays of some flags
        self._known: dict[Any, Any] = {}

    def __call__(self, part: int, parts: int, *args: Any) -> None:
        key: tuple[Any, ...] = tuple(map(type, args))
        flat: Sequence[Any] = args
        if tuple in key:
            key = tuple([tuple(map(type, x)) if type(x) is tuple else type(x) for x in args])
            flat = [i for x in args for i in (x if type(x) is tuple else (x,))]
        known = self._known.get(key)
        if known is not None:
            pack, readers, calls = known
            objects = pack(*[read(x) for read, x in zip(readers, flat)])  # noqa: B905 - hot
            for run in calls:
                status = run(part, parts, objects)
                if status == 0:
                    return
                if status != blocks.OTHER:  # which is of a version for other arrays
                    self._refuse()
        (addresses,) = addresses_of([(self._loop, args)])
        block = blocks.pack(args)
        if blocks.runner(addresses.kernel)(part, parts, block.buffer_info()[0]):
            self._refuse()
        if blocks.numpy_is_known():
            if known is None:
                known = self._known[key] = *blocks.packer(tuple(map(type, flat))), list[Any]()
            run = blocks.runner_of_objects(addresses.objects)
            if run not in known[-1]:  # long long and int64 differ in NumPy's letter alone
                known[-1].append(run)

    def _refuse(self) -> None:
        raise RuntimeError(f"{self._loop.__name__} raised an error, which compiled loops lose")


@functools.cache
def for_python(loop: Kernel) -> Callable[..., None]:
    """The compiled loop, as Python calls it: (part, parts, *args)."""
    is_off = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    return compiled(loop) if is_off else ForPython(loop)


def addresses_of(calls: Sequence[tuple[Kernel, tuple[Any, ...]]]) -> "list[Addresses]":
    """For each loop and its arguments, where its machine code is; it is compiled if need be."""
    keys = map(_key, calls)
    return [_loaded.get(key) or _load(key, *call) for key, call in zip(keys, calls, strict=True)]


def _key(call: tuple[Kernel, tuple[Any, ...]]) -> tuple[Kernel, Any]:
    loop, args = call
    return loop, None if loop in _types else tuple(map(_kind, args))


def _kind(value: Any) -> Any:
    """What selects a compiled function: equal for values that the same function can take."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim, _flags(value)
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    return type(value)


def _flags(value: Any) -> int:
    """Of an array's flags those that numba looks at."""
    return value.flags.num & blocks.ALL_FLAGS if isinstance(value, np.ndarray) else 0


def _load(key: Any, loop: Kernel, args: tuple[Any, ...]) -> "Addresses":
    """Load the loop's machine code from the disk, or compile it and keep it there."""
    from .native import caching, linking

    with _lock:  # two threads may need it at the same time
        if key in _loaded:
            return _loaded[key]
        name = caching.name_of(loop, key[1])
        code = caching.read(name)
        if code is None:
            _announce(caching.folder())
            from .native.emitting import object_file

            flags = [None if key[1] is None else _flags(x) for x in args]
            kinds = types_of_arguments(loop, args)
            code, may_be_kept = object_file(name, without_wrappers(loop), kinds, flags)
            if may_be_kept:
                caching.write(name, code)
        _loaded[key] = linking.loaded(name, code)
        return _loaded[key]


def types_of_arguments(loop: Kernel, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numba's types of part, parts and those arguments; a loop `with_types` has its own."""
    import numba

    of_args = _types[loop](numba.types) if loop in _types else map(numba.typeof, args)
    return (numba.intp, numba.intp, *of_args)


@functools.cache
def compiled(loop: Kernel) -> Dispatcher:
    """The loop and its helpers, compiled by numba as usual: a function that Python can call."""
    return _jit(loop)


@functools.cache
def without_wrappers(function: Kernel) -> Dispatcher:
    """A loop or a helper, compiled without the functions by which Python would call it.

    numba would also compile a version for each constant, 0 or 1, say, that it is called with. Here
    one version takes all whole numbers.
    """
    from numba.core.types.misc import unliteral

    dispatcher = _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    of_types = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, names: of_types([*map(unliteral, args)], names)
    return dispatcher


def _jit(function: Kernel, **options: Any) -> Dispatcher:
    """A copy of the function, which numba compiles for each set of types when it is called.

    error_model="numpy" divides by zero as NumPy does. No flag lets LLVM ignore NaN and infinity.
    """
    import numba

    flags = set() if function in _rounded else set(FUSED)
    copy = with_names(function, function.__name__, _compiled_names(function))
    return numba.njit(copy, error_model="numpy", nogil=True, fastmath=flags, **options)


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
            resolved[name] = without_wrappers(value)
        elif hasattr(value, "py_func"):
            resolved[name] = _copied(value)
    return resolved


@functools.cache
def _copied(dispatcher: Dispatcher) -> Dispatcher:
    """A user's own function by numba, for loops alone: with them it gets no entry for Python."""
    import numba

    function = dispatcher.py_func
    copy = with_names(function, function.__name__, _compiled_names(function))
    return numba.jit(**dispatcher.targetoptions)(copy)


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

"""A kernel has a NumPy reference, which defines it, and may have a Numba twin, which is fast.

    @twin_of(reference)
    def loop(part, parts, ...):        its share of the work, 0 <= part < parts, in plain loops

The twin is compiled when training first calls it, never at import, and kept on disk; see
native/caching.py. `part` marks the functions of numbers that loops call. Where numba is not
installed, in a process that only loads models and draws from them, and with SCRATCHGEN_JIT=0, the
reference runs.
"""

import dis
import functools
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..versions import is_installed
from . import sharing

Kernel = Callable[..., Any]
Twin = Any  # a dispatcher of numba

GRAIN = 20_000  # numbers, about: below it, waking a second thread costs more than it saves
EXACT = frozenset({"contract"})  # numba's flags: x y + z may be rounded once; sums keep their order

_parts: set[Kernel] = {sharing.share, sharing.share_row}
_twins_are_wanted = False
_twins_in_block: ContextVar[bool | None] = ContextVar("twins_in_block", default=None)


@dataclass(frozen=True)
class FromLLVM:
    """The name of something in native/tiles.py, in the place of what only numba can make."""

    name: str


def part(function: Kernel) -> Kernel:
    """Mark a function that loops call; it is compiled with them."""
    _parts.add(function)
    return function


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


def want_twins() -> None:
    """From now on kernels run as their twins: training calls this."""
    global _twins_are_wanted
    _twins_are_wanted = True


def references() -> AbstractContextManager[None]:
    """Within it the NumPy references run, in this thread, whatever is installed."""
    return _in_block(twins=False)


def twins() -> AbstractContextManager[None]:
    """Within it the twins run, in this thread, where there are any."""
    return _in_block(twins=True)


@contextmanager
def _in_block(twins: bool) -> Iterator[None]:
    before = _twins_in_block.set(twins)
    try:
        yield
    finally:
        _twins_in_block.reset(before)


def compiles() -> bool:
    """Whether there are twins: numba is installed and SCRATCHGEN_JIT is not 0."""
    return os.environ.get("SCRATCHGEN_JIT", "1") != "0" and is_installed("numba")


def twins_run() -> bool:
    """Whether kernels run as their twins, here and now."""
    here = _twins_in_block.get()
    return (_twins_are_wanted if here is None else here) and numba_works()


@functools.cache
def numba_works() -> bool:
    if not compiles():
        return False
    try:
        import numba
    except ImportError as problem:  # numba refuses versions of NumPy that it does not know yet
        warnings.warn(
            f"numba is installed and cannot be imported ({problem}): training goes on with NumPy, "
            f"more slowly; SCRATCHGEN_JIT=0 says that this is meant",
            RuntimeWarning,
            stacklevel=4,
        )
        return False
    return not numba.config.DISABLE_JIT


def twin_of(
    reference: Kernel,
    weight: float = 1.0,
    of: int = 0,
    flat: bool = False,
) -> Callable[[Kernel], Kernel]:
    """Make a plain loop the fast twin of `reference`: one name, one meaning, two speeds.

    Work is counted in numbers of argument `of`, each `weight` times as long as a sum of two.
    flat=True is for loops that take arrays of any shape as rows; see `call_flat`.
    """

    def pair(loop: Kernel) -> Kernel:
        @functools.wraps(reference)
        def kernel(*args: Any) -> None:
            if flat:
                if not call_flat(loop, args, weight=weight):
                    reference(*args)
                return
            worker = args[of]
            if not twins_run() or worker.dtype.char not in "fd":
                reference(*args)
                return
            call(loop, worker.size * weight, args)

        # for the tests that compare them; mypy knows no attributes of functions
        kernel.reference, kernel.loop = reference, loop  # type: ignore[attr-defined]
        return kernel

    return pair


def call(loop: Kernel, work: float, args: tuple[Any, ...]) -> None:
    """Run a compiled loop on as many threads as the work is worth.

    The twin for one thread compiles in half the time: small models never wait for the other.
    """
    if work < GRAIN or (parts := sharing.threads_now()) == 1:
        alone(loop)(0, 1, *args)
    else:
        sharing.run(in_parts(loop), parts, args, work)


@functools.cache
def alone(loop: Kernel) -> Twin:
    """The twin for one thread: (0, 1, *args) -> loop(0, 1, *args)."""
    return _kept(compiled(loop))


def call_flat(
    loop: Kernel,
    arrays: Sequence[np.ndarray],
    *others: Any,
    weight: float = 1.0,
) -> bool:
    """Run a loop on arrays of one shape and dtype, each as one long row, if twins run them.

    False says that nothing was done. The last array is written, and others whose memory is in
    order; of the rest a copy may be what is read.
    """
    last = arrays[-1]
    dtype, shape = last.dtype, last.shape
    if not twins_run() or dtype.char not in "fd" or not last.flags.c_contiguous:
        return False
    rows = []
    for array in arrays:
        if array.shape != shape or array.dtype != dtype:
            return False
        row = array.ravel()  # a view where it can be one
        # numba would compile anew for memory that cannot be written
        rows.append(row if row.flags.writeable else row.copy())
    call(loop, last.size * weight, (*rows, *others))
    return True


@functools.cache
def in_parts(loop: Kernel) -> Twin:
    """The twin: (parts, *args) -> loop(part, parts, *args) for each part, all at once."""
    sharing.launch()
    names = ", ".join(loop.__code__.co_varnames[2 : loop.__code__.co_argcount])
    source = IN_PARTS.format(args=names)  # numba's parallel loops take no *args
    scope: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, __file__, "exec"), scope)
    known = {"loop": compiled(loop)}
    # what it calls is compiled into it, so that it alone need be kept
    return _kept(_jit(scope["in_parts"], f"{loop.__name__}_in_parts", known, parallel=True))


IN_PARTS = """
def in_parts(parts, {args}):
    if parts == 1:
        loop(parts - 1, parts, {args})  # not 0 and 1, which numba would take for other types
    else:
        for part in prange(parts):
            loop(intp(part), parts, {args})  # numba counts in unsigned numbers
"""


def for_types(loop: Kernel, types_of_arguments: Callable[[Any], tuple[Any, ...]]) -> Twin:
    """The twin for arguments of those types alone; arrays of others are read as such."""
    import numba

    twin = in_parts.__wrapped__(loop)  # a new one for each call
    twin.compile((numba.intp, *types_of_arguments(numba.types)))
    twin.disable_compile()
    return twin


@functools.cache
def compiled(loop: Kernel) -> Twin:
    """`loop` compiled by numba, with the parts that it calls.

    error_model="numpy" divides by zero as NumPy does; the flags do not include those that would
    forget NaN and infinity.
    """
    return _jit(loop, loop.__name__, _found(loop), fastmath=set(EXACT))


def _found(function: Kernel) -> dict[str, Any]:
    """What numba is given for the names in `function` that mean nothing to it."""
    found = {}
    for name in _globals(function):
        value = function.__globals__.get(name)
        if isinstance(value, FromLLVM):
            from .native import tiles

            found[name] = getattr(tiles, value.name)
        elif isinstance(value, ByDtype):
            found[name] = _overloaded(value)
        elif isinstance(value, types.FunctionType) and value in _parts:
            found[name] = compiled(value)
    return found


@functools.cache
def _overloaded(function: ByDtype) -> Kernel:
    """A name that numba takes for the text of the right dtype, and compiles into each loop."""
    from numba import types as numba_types
    from numba.extending import overload

    def name(*args: Any) -> Any:
        return function(*args)  # where numba compiles nothing

    def text(x: Any, *_others: Any) -> Kernel:
        chosen = function.single if x == numba_types.float32 else function.double
        return with_names(chosen, chosen.__name__, _found(chosen))

    # forceinline: what is called from a loop must not stay a call
    options = {"fastmath": set(EXACT), "error_model": "numpy", "forceinline": True}
    overload(name, jit_options=options, strict=False)(text)
    return name


def _globals(loop: Kernel) -> set[str]:
    """The names from outside that a function reads."""
    return {one.argval for one in dis.get_instructions(loop) if one.opname == "LOAD_GLOBAL"}


def _jit(function: Kernel, name: str, known: dict[str, Any], **options: Any) -> Twin:
    """A copy of `function` that knows those names, compiled when it is called."""
    import numba

    copy = with_names(function, name, {"prange": numba.prange, "intp": numba.intp, **known})
    return numba.njit(copy, error_model="numpy", nogil=True, **options)


def _kept(twin: Twin) -> Twin:
    """The same, kept on disk by its name where a place can be found."""
    from .native.caching import KernelCache, folder

    if folder():
        KernelCache.on_miss = _tell
        twin._cache = KernelCache(twin.py_func)
    return twin


@functools.cache
def _tell() -> None:
    """Say, once in a process, what the first step waits for."""
    print(
        "scratchgen: compiling kernels for this CPU, a few seconds, once "
        "(SCRATCHGEN_JIT=0 does without)",
        file=sys.stderr,
        flush=True,
    )

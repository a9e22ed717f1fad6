"""A kernel has a NumPy reference, which defines it, and may have a Numba twin, which is fast.

    @twin_of(reference)
    def loop(part, parts, ...):        its share of the work, 0 <= part < parts, in plain loops

Where numba is not installed, in a process that only loads models and draws from them, and with
SCRATCHGEN_JIT=0, the reference runs. compiling.py compiles the loop, plans.py runs it on several
threads and repeats what was run.
"""

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..versions import is_installed
from . import plans, recording, sharing
from .compiling import Kernel
from .recording import Call

GRAIN = 300_000  # sums of two, about: below it, to wake a second thread costs more than it saves

_twins_are_wanted = False
_twins_in_block: ContextVar[bool | None] = ContextVar("twins_in_block", default=None)


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
    flat=True is for loops that take arrays of any shape as rows; see `call_flat`. A last argument
    `_terms` (parts, ...) is a row for each part to work in, so that there are no more parts.
    """

    def pair(loop: Kernel) -> Kernel:
        names = loop.__code__.co_varnames[: loop.__code__.co_argcount]
        has_terms = names[-1] == "_terms"  # (parts, ...), a row for each part to work in

        @functools.wraps(reference)
        def kernel(*args: Any) -> None:
            if flat:
                if not call_flat(loop, args, weight=weight):
                    recording.here(reference, *args)
                return
            counted = args[of]
            if twins_run() and counted.dtype.char in "fd":
                most = len(args[-1]) if has_terms else sharing.MOST_THREADS
                call(Call(loop, args, counted.size * weight, most=most))
            else:
                recording.here(reference, *args)

        # for who compares them, times them, or compiles them all; mypy knows no such attributes
        kernel.reference, kernel.loop = reference, loop  # type: ignore[attr-defined]
        return kernel

    return pair


def call(one: Call) -> None:
    """Run a compiled loop, on several threads where the work is worth it."""
    recording.note(one)
    if one.work >= GRAIN and (parts := min(sharing.threads_now(), one.most)) > 1:
        plans.where_faster(one, parts)
    else:
        plans.in_one_part(one)


def call_flat(
    loop: Kernel,
    arrays: Sequence[np.ndarray],
    *others: Any,
    weight: float = 1.0,
) -> bool:
    """Run a loop on arrays of one shape and dtype, each as one long row, if twins run them.

    False says that nothing was done. The loop may write the last array, and any other whose memory
    is in order and writeable; of others it may get a copy.
    """
    last = arrays[-1]
    dtype, shape = last.dtype, last.shape
    if (
        not twins_run()
        or dtype.char not in "fd"
        or not last.flags.c_contiguous
        or any(array.shape != shape or array.dtype != dtype for array in arrays)
    ):
        return False
    rows = []
    for array in arrays:
        row = array.ravel()  # a view where it can be one
        # numba would compile anew for memory that cannot be written
        rows.append(row if row.flags.writeable else row.copy())
    call(Call(loop, (*rows, *others), last.size * weight))
    return True

"""A kernel has a NumPy reference, which defines it, and may have a Numba twin, which is fast.

    @twin_of(reference, takes="x (N, D) -> out (N, D)")
    def loop(part, parts, x, out):     its share of the work, 0 <= part < parts, in plain loops

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

from ..checks import Array
from ..versions import is_installed
from . import plans, recording, sharing
from .compiling import Kernel
from .operands import Operands
from .recording import Call

GRAIN = 300_000  # sums of two, about: below it, to wake a second thread costs more than it saves
ONCE_FREED = 2**24  # bytes

_twins_are_wanted = False
_twins_in_block: ContextVar[bool | None] = ContextVar("twins_in_block", default=None)


def want_twins() -> None:
    """From now on kernels run as their twins: training calls this."""
    global _twins_are_wanted
    _twins_are_wanted = True
    _keep_freed_memory()


@functools.cache
def _keep_freed_memory() -> None:
    """Let what NumPy frees in a step stay with the process, for the next step to use.

    GNU's malloc gives arrays of more than 128 KB back to the system whenever they are freed, and
    takes new memory page by page, until it has once freed a larger one: then up to that size.
    """
    np.empty(ONCE_FREED, np.uint8)


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
    # numba refuses versions of NumPy that it does not know yet, and NUMBA_NUM_THREADS=0
    except (ImportError, ValueError) as problem:
        warnings.warn(
            f"numba is installed and cannot be imported ({problem}): training goes on with NumPy, "
            f"more slowly; SCRATCHGEN_JIT=0 says that this is meant",
            RuntimeWarning,
            stacklevel=4,
        )
        return False
    return not numba.config.DISABLE_JIT


def twin_of(
    reference: Kernel, takes: str, weight: float = 1.0, of: int = 0
) -> Callable[[Kernel], Kernel]:
    """Make a plain loop the fast twin of `reference`: one name, one meaning, two speeds.

    `takes` declares the operands (declarations.py), which are checked at every call, whichever of
    the two it runs; of those of any shape, `(...)`, the loop gets each as a row. Work is counted in
    numbers of argument `of`, each `weight` times as long as a sum of two. A last argument `_terms`
    is a row for each part to work in, so that there are no more parts.
    """

    def pair(loop: Kernel) -> Kernel:
        _, _, *names = loop.__code__.co_varnames[: loop.__code__.co_argcount]
        operands = Operands(loop.__name__, takes, names)
        has_terms, is_flat = names[-1] == "_terms", "(...)" in takes

        @functools.wraps(reference)
        def kernel(*args: Any) -> None:
            if is_flat:
                run_flat(operands, reference, loop, args, weight=weight)
            elif operands.check(*args) and twins_run():
                most = len(args[-1]) if has_terms else sharing.MOST_THREADS
                call(Call(loop, args, args[of].size * weight, most=most))
            else:
                recording.here(reference, *args)

        # for who compares them, times them, or compiles them all; mypy knows no such attributes
        kernel.reference, kernel.loop = reference, loop  # type: ignore[attr-defined]
        kernel.operands = operands  # type: ignore[attr-defined]
        return kernel

    return pair


def call(one: Call) -> None:
    """Run a compiled loop, on several threads where the work is worth it."""
    recording.note(one)
    if one.work >= GRAIN and (parts := min(sharing.threads_now(), one.most)) > 1:
        plans.where_faster(one, parts)
    else:
        plans.in_one_part(one)


def run_flat(
    operands: Operands,
    reference: Kernel,
    loop: Kernel | None,
    arrays: Sequence[Array],
    *settings: Any,
    weight: float = 1.0,
) -> None:
    """The loop on arrays of one shape, each as one long row, on numbers, and on its own settings.

    Where there is no loop, or it cannot take them, reference(*arrays).
    """
    ours = operands.check(*arrays) and twins_run()
    in_order = all(arrays[i].flags.c_contiguous for i in operands.written)
    if loop is None or not ours or not in_order:
        recording.here(reference, *arrays)
        return
    rows = []
    for x in arrays:
        if isinstance(x, np.ndarray):
            x = x.ravel()  # a view where it can be one
            # numba would compile anew for memory that cannot be written
            x = x if x.flags.writeable else x.copy()
        rows.append(x)
    call(Call(loop, (*rows, *settings), rows[-1].size * weight))

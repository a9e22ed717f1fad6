"""How many threads a kernel may take, and when it may take more than one.

    SCRATCHGEN_THREADS=4        for the process, from its start
    set_threads(4)              for the process, from now on
    with threads(4): ...        for this thread of Python, within the block

By default it is the number of CPUs that the process may use, 8 at the most: the matrices of small
models keep no more busy. No result depends on the number, because threads share out rows and
columns, and never the terms of a sum.

A parallel region is entered under one lock, and without waiting for it: whoever does not get it
runs serially, which is right, and at worst slower. In a child of fork() the threads of the parent
are gone, and numba's OpenMP would end the process: there everything runs serially.

Where other programs want the same CPUs, a part may wait milliseconds for one, and the others for
it. A call that takes far longer than it did before is taken for that, and the next few run
serially, and twice as many if it happens again: on a busy machine one thread is faster than two.
"""

import functools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from ..checks import whole

# mypy: disable-error-code="no-untyped-def"

MOST = 256
DEFAULT_MOST = 8
BLOCK = 64  # numbers
SPINS = "GOMP_SPINCOUNT"
LONG, FAR_LONGER = 1e-3, 20  # seconds, times
FIRST, LAST = 8, 512  # calls on one thread after a slow one: twice as many each time, up to LAST

_of_process: int | None = None
_of_block: ContextVar[int | None] = ContextVar("threads", default=None)
_lock = threading.Lock()
_serial_for_good = False  # in a child of fork
_alone_for = 0  # calls to come that run serially, because the CPUs are not ours alone
_next_alone = FIRST  # how many it will be the next time; halved after as many quick calls
_quick = 0  # calls since the last slow one, or since that was halved
_usual: WeakKeyDictionary[Any, float] = (
    WeakKeyDictionary()
)  # the shortest seconds for work, by kind


def threads_now() -> int:
    """How many threads a large kernel may take here and now."""
    global _of_process
    if (here := _of_block.get()) is not None:
        return here
    if _of_process is None:
        _of_process = _from_environment()
    return _of_process


def set_threads(n: int) -> None:
    """Let kernels take n threads, 1 ... 256, in the whole process. Raises OptionError."""
    global _of_process
    _of_process = whole(n, "set_threads", least=1, most=MOST)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let kernels take n threads, 1 ... 256, within the block. Raises OptionError.

    >>> with threads(1):
    ...     threads_now()
    1
    """
    before = _of_block.set(whole(n, "threads", least=1, most=MOST))
    try:
        yield
    finally:
        _of_block.reset(before)


def share(count, part, parts):
    """Which of `count` things that part takes: from, to. All together take each once."""
    return count * part // parts, count * (part + 1) // parts


def share_row(size, part, parts):
    """Which of `size` numbers in a row that part takes, in whole blocks: from, to.

    What is computed in a vector and what is left over at the end may be rounded in other places.
    With blocks longer than any vector, each number is in the same vector whatever `parts` is.
    """
    start, stop = share((size + BLOCK - 1) // BLOCK, part, parts)
    return start * BLOCK, min(stop * BLOCK, size)


def _from_environment() -> int:
    given = os.environ.get("SCRATCHGEN_THREADS")
    if given is not None:
        number = int(given) if given.isascii() and given.isdigit() else given
        return whole(number, "SCRATCHGEN_THREADS", least=1, most=MOST)
    return min(_usable_cpus(), DEFAULT_MOST)


def _usable_cpus() -> int:
    """The CPUs that this process may run on, and may use up: containers can be given less."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return max(1, min(cpus, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max"
        return cpus


def run(task: Callable[[int], None], parts: int, work: float, kind: Any) -> None:
    """task(parts), or task(1) where other threads cannot be had just now.

    Where numba has fewer threads than `parts`, it is given as many as there are. `work` is above 0,
    in any unit that goes with the time of tasks of that kind. `kind` is what their times are known
    by, an object that weak references can hold.
    """
    global _alone_for, _next_alone, _quick
    if _serial_for_good or _alone_for or not _lock.acquire(blocking=False):
        _alone_for = max(0, _alone_for - 1)
        task(1)
        return
    try:
        start = time.perf_counter()
        _in_parallel(task, parts)
        seconds = time.perf_counter() - start
    finally:
        _lock.release()
    usual = _usual.get(kind)
    if usual is None:  # something may have been compiled
        _usual[kind] = math.inf
    else:
        if seconds > LONG + FAR_LONGER * usual * work:
            _alone_for, _next_alone, _quick = _next_alone, min(2 * _next_alone, LAST), 0
        elif (_quick := _quick + 1) >= _next_alone:
            _next_alone, _quick = max(_next_alone // 2, FIRST), 0
        _usual[kind] = min(usual, seconds / work)


@functools.cache
def launch() -> None:
    """Start numba's threads, once, before the first kernel that has parts is compiled.

    With OpenMP, a thread that waits for work looks for it all the time, GNU's for milliseconds.
    Where other programs want the CPU too, that makes a step many times slower; a tenth of a
    millisecond is as good as more between the kernels of a step.
    """
    import numba

    given = os.environ.get(SPINS)
    os.environ.setdefault(SPINS, "10000")  # read once, when OpenMP is loaded
    try:
        numba.get_num_threads()
    finally:
        if given is None:
            del os.environ[SPINS]


def _in_parallel(task: Callable[[int], None], parts: int) -> None:
    """With no more of numba's threads awake than there are parts; the user's own choice is kept."""
    import numba

    parts = min(parts, numba.config.NUMBA_NUM_THREADS)
    before = numba.get_num_threads()
    if before == parts:
        task(parts)
        return
    numba.set_num_threads(parts)
    try:
        task(parts)
    finally:
        numba.set_num_threads(before)


def _after_fork() -> None:
    global _lock, _serial_for_good
    _lock = threading.Lock()  # another thread of the parent may have held it
    pool = sys.modules.get("numba.np.ufunc.parallel")
    _serial_for_good = bool(getattr(pool, "_is_initialized", False))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

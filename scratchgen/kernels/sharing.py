"""Several threads are faster than one only if the work is large and the CPUs are free.

    SCRATCHGEN_THREADS=4        for the process, from its start
    set_threads(4)              for the process, from now on
    with threads(4): ...        for this thread of Python, within the block

By default a kernel may take as many threads as the process may use CPUs, 8 at the most: the
matrices of small models keep no more busy. With four CPUs or more, fewer threads may turn out to be
faster (thread_count.py). No loop's result depends on the number, because threads share rows and
columns, and never the terms of a sum.

Kernels run on several threads only under one lock, for which nobody waits: a thread of Python that
does not get it runs serially, with the same results, at worst more slowly. A child of fork() has
none of its parent's threads, and GNU's OpenMP would end it: if the parent had started them,
everything in the child runs serially.

If other programs want the same CPUs, a thread may wait milliseconds for its CPU, and all others
for that thread. So the times of each task, such as a table of plans.py, are measured while it runs,
with one thread and with several. It takes the way that was faster lately, and now and then tries
the other.
"""

import functools
import math
import os
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..ground.arguments import whole

# mypy: disable-error-code="no-untyped-def"

MOST_THREADS = 256
DEFAULT_MOST = 8
BLOCK = 64  # numbers
SPINS = "GOMP_SPINCOUNT"
LATELY = 8  # calls whose times are kept
TRIAL = 4  # calls that take the other way
TOO_LONG = 2  # times the mean of the usual way, which ends a trial
FIRST, LAST = 8, 1024  # calls until a trial, and after each failed trial twice as many

_of_process: int | None = None  # None until somebody asks, and 0 if nobody has named a number
_default: int | None = None  # None until thread_count.py has measured it
_of_block: ContextVar[int | None] = ContextVar("threads", default=None)
_lock = threading.Lock()
_serial_for_good = False  # in a child of fork
_launched = False


def threads_now() -> int:
    """How many threads a large kernel may now take, in this thread of Python."""
    global _of_process
    if (in_block := _of_block.get()) is not None:
        return in_block
    if _of_process is None:
        _of_process = _from_environment()
    return _of_process or default_threads()


def default_threads() -> int:
    """The number where neither SCRATCHGEN_THREADS nor `set_threads` names one."""
    return most_by_default() if _default is None else _default


def set_default(n: int) -> None:
    """Let n, which was measured, be the default number."""
    global _default
    _default = n


def available(n: int) -> int:
    """n threads, or as many as numba has if these are fewer."""
    from .native.threads import most

    return min(n, most())


@functools.cache
def most_by_default() -> int:
    """As many threads as the process may use CPUs, 8 at the most."""
    return min(usable_cpus(), DEFAULT_MOST)


def set_threads(n: int) -> None:
    """Let kernels take n threads, 1 ... 256, in the whole process. Raises OptionError."""
    global _of_process
    _of_process = whole(n, "set_threads", least=1, most=MOST_THREADS)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let kernels take n threads, 1 ... 256, within the block. Raises OptionError.

    >>> with threads(1):
    ...     threads_now()
    1
    """
    before = _of_block.set(whole(n, "threads", least=1, most=MOST_THREADS))
    try:
        yield
    finally:
        _of_block.reset(before)


def share(count, part, parts):
    """The range of `count` things that this part takes, first and end. The parts take each once."""
    return count * part // parts, count * (part + 1) // parts


def share_row(size, part, parts):
    """The range of `size` numbers that this part takes, first and end, in blocks of BLOCK.

    The numbers left over at the end of a loop may be rounded differently from those in its vectors.
    As blocks are whole vectors, the same numbers are left over whatever `parts` is.
    """
    start, stop = share((size + BLOCK - 1) // BLOCK, part, parts)
    return start * BLOCK, min(stop * BLOCK, size)


def _from_environment() -> int:
    """What SCRATCHGEN_THREADS says; 0 if it is not set."""
    given = os.environ.get("SCRATCHGEN_THREADS")
    if given is None:
        return 0
    number = int(given) if given.isascii() and given.isdigit() else given
    return whole(number, "SCRATCHGEN_THREADS", least=1, most=MOST_THREADS)


def usable_cpus() -> int:
    """The CPUs that this process may run on, and may use fully: a container may get fewer."""
    cpus = len(affinity())
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return max(1, min(cpus, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max"
        return cpus


def affinity() -> set[int]:
    """The numbers of the CPUs that this process may run on."""
    known = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return set(known(0)) if known else set(range(os.cpu_count() or 1))


class FasterWay:
    """Whether a task is faster on one thread or on several, by its last times.

    It starts on several. A trial is TRIAL calls that take the other way. A time counts only if the
    call before took the same way: otherwise threads may have slept, or a loop was compiled.
    """

    def __init__(self) -> None:
        self._together = True  # whether several threads were faster lately
        self._times: dict[bool, deque[float]] = {way: deque(maxlen=LATELY) for way in (True, False)}
        self._trying = False
        self._last_way: bool | None = None
        self._left = FIRST  # calls until a trial begins, or ends
        self._next = FIRST  # calls from the end of a trial to the next

    def choose(self) -> bool:
        """Whether the next call is for several threads."""
        return self._together != self._trying

    def took(self, seconds: float) -> None:
        """Note the time of that call."""
        way = self.choose()
        counts, other = way == self._last_way, self._mean(not way)
        if counts:
            self._times[way].append(seconds)
        self._last_way, self._left = way, self._left - 1
        if self._trying:
            if self._left == 0 or (counts and seconds > TOO_LONG * other):
                self._decide()
        elif seconds > other:
            self._decide()
        if self._left == 0:  # and no trial has just ended
            self._trying, self._left = True, TRIAL
            self._times[not way].clear()  # things may have changed

    def _decide(self) -> None:
        before, self._together = self._together, self._mean(True) <= self._mean(False)
        if self._together != before:
            self._next = FIRST
        elif self._trying:
            self._next = min(2 * self._next, LAST)
        if self._trying or self._together != before:  # a single slow call changes nothing
            self._trying, self._left = False, self._next

    def _mean(self, way: bool) -> float:
        """Seconds; infinite before any are known."""
        times = self._times[way]
        return sum(times) / len(times) if times else math.inf


def run(task: Callable[[int], None], parts: int, way: FasterWay | None = None) -> None:
    """task(parts), or task(1) if no other threads are available, or `way` says they are slower.

    If numba has fewer threads than `parts`, task(that number).
    """
    if parts == 1 or _serial_for_good or not _lock.acquire(blocking=False):
        task(1)
        return
    try:
        start = time.perf_counter()
        if (way is None or way.choose()) and launch():
            task(available(parts))
        else:
            task(1)
        if way is not None:
            way.took(time.perf_counter() - start)
    finally:
        _lock.release()


@functools.cache
def launch() -> bool:
    """Start numba's threads, once, before anything else does; return whether there are any.

    With OpenMP a thread that waits for work spins, with GNU's for milliseconds. If other programs
    want the CPU too, that makes a step many times slower. Between the kernels of a step a tenth of
    a millisecond is enough.
    """
    global _launched
    from .native.threads import pool

    given = os.environ.get(SPINS)
    os.environ.setdefault(SPINS, "10000")  # read once, when OpenMP is loaded
    try:
        pool()
    except (ImportError, ValueError) as problem:  # the named layer is not installed
        layer = os.environ.get("NUMBA_THREADING_LAYER", "default")
        warnings.warn(
            f"numba cannot start its threads, with NUMBA_THREADING_LAYER={layer}: "
            f"{str(problem).splitlines()[0]} Kernels run on one thread. Where neither that nor "
            f"NUMBA_THREADING_LAYER_PRIORITY is set, numba takes a layer that is installed",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    finally:
        if given is None:
            del os.environ[SPINS]
    _launched = True
    return True


def _after_fork() -> None:
    global _lock, _serial_for_good
    _lock = threading.Lock()  # another thread of the parent may have held it
    theirs = sys.modules.get("numba.np.ufunc.parallel")
    _serial_for_good = _launched or bool(getattr(theirs, "_is_initialized", False))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

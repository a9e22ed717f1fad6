"""A formula in NumPy, and below it, where it is on a hot path, a loop that is its fast twin.

    @formula("x (N, D) -> y (N, D)")
    def double(x):                              what is computed, to be read
        return 2 * x

    @twin_of(double)
    def double_loop(part, parts, x, y):         the same: its share of it, 0 <= part < parts
        ...

`double(x)` checks its operands against the declaration (declarations.py) and returns a new array,
or, in a workspace (memory.py), one of its places. The formula runs where numba is not installed, in
a process that only loads models and draws from them, with SCRATCHGEN_JIT=0, and where it was edited
and its loop would not know (published.py); else the loop runs. compiling.py compiles it, plans.py
runs it on several threads and repeats what was run.
"""

import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import numpy as np

from .. import published
from ..versions import is_installed
from . import memory, plans, recording, sharing
from .compiling import Kernel
from .operands import Operands
from .recording import Call

GRAIN = 300_000  # sums of two, about: below it, to wake a second thread costs more than it saves
ONCE_FREED = 2**24  # bytes
BLOCK = 2**14  # numbers
OURS = f"{__name__.split('.')[0]}."

Formula = TypeVar("Formula", bound=Callable[..., Any])

FORMULAS: dict[str, Any] = {}  # all of them, by name, as their files are imported
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
    """Within it the NumPy formulas run, in this thread, whatever is installed."""
    return run_by(twins=False)


def twins() -> AbstractContextManager[None]:
    """Within it the twins run, in this thread, where there are any."""
    return run_by(twins=True)


@contextmanager
def run_by(twins: bool) -> Iterator[None]:
    """Within it twins run, or the NumPy formulas."""
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


def may_run_loop_of(formula: Callable[..., Any]) -> bool:
    """Whether a loop may run in the place of that formula, which is as it was published."""
    return twins_run() and published.is_published(formula)


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


class Twins:
    """A formula, what it takes, and its loop, where it has one."""

    def __init__(self, formula: Kernel, operands: Operands, row_by_row: bool = False) -> None:
        self.formula = in_blocks(formula, operands) if row_by_row else formula
        self.written, self.operands, self.loop = formula, operands, cast(Kernel | None, None)
        self.weight, self.of = 1.0, 0
        # a user's own formula has a loop of that user; of a method, bending.py knows more
        self._is_judged = not published.is_of_package(formula)

    def run(self, *args: Any, settings: tuple[float, ...] | None = None) -> Any:
        """By the loop, or by the formula; what it returns.

        `settings` are numbers that the loop is given as its last argument, in its arrays' float.
        """
        if self.loop is None or not (twins_run() and self.is_published):
            self.operands.check(*args)
        elif (prepared := self.operands.prepare(*args)) is not None:
            passed, made = prepared
            most = len(passed[-1]) if self.operands.has_terms else sharing.MOST_THREADS
            work = passed[self.of].size * self.weight
            if settings is not None:
                passed = (*passed, tuple(map(passed[self.of].dtype.type, settings)))
            written, changed = self.operands.written, self.operands.changed
            call(Call(self.loop, passed, work, written, changed, most=most))
            return _given(made)
        made = recording.by_numpy(self.formula, args, self.operands)
        return _given(made)

    @property
    def is_published(self) -> bool:
        """Whether the formula is the one that the loop was written for."""
        return self._is_judged or published.is_published(self.written)


def _given(made: tuple[Any, ...]) -> Any:
    """One array, several, or None."""
    if len(made) == 1:
        return memory.returned(made[0])
    return tuple(map(memory.returned, made)) if made else None


def formula(takes: str, row_by_row: bool = False) -> Callable[[Formula], Formula]:
    """Make a NumPy formula a kernel. `takes` declares its operands (declarations.py).

    They are checked at every call: ShapeError, KindError or DataError. A number may be one of
    Python. With row_by_row, the formula treats each row of its arrays, or number of its vectors, by
    itself, and is given a few at a time.
    """

    def pair(written: Formula) -> Formula:
        code = written.__code__
        names = code.co_varnames[: code.co_argcount]
        both = Twins(written, Operands(written.__name__, takes, names), row_by_row)

        @functools.wraps(written)
        def kernel(*args: Any) -> Any:
            return both.run(*args)

        kernel.twins = both  # type: ignore[attr-defined] # for twin_of, and who compares them
        FORMULAS[written.__name__] = kernel
        return cast(Formula, kernel)

    return pair


def twin_of(
    formula: Callable[..., Any], weight: float = 1.0, of: int = 0
) -> Callable[[Kernel], Kernel]:
    """Make a plain loop the fast twin of a formula: loop(part, parts, *given, *made).

    `given` is what the formula takes, `made` what it returns, and room to work in where that is
    declared; of arrays of any shape, `(...)`, the loop gets each as a row. Work is counted in
    numbers of argument `of`, each `weight` times as long as a sum of two.
    """

    def pair(loop: Kernel) -> Kernel:
        both: Twins = formula.twins  # type: ignore[attr-defined]
        both.loop, both.weight, both.of = loop, weight, of
        return loop

    return pair


def call(one: Call) -> None:
    """Run a compiled loop, on several threads where the work is worth it."""
    recording.note(one)
    if one.work >= GRAIN and (parts := min(sharing.threads_now(), one.most)) > 1:
        plans.where_faster(one, parts)
    else:
        plans.in_one_part(one)


def in_blocks(formula: Kernel, operands: Operands) -> Kernel:
    """A formula that treats each row of its arrays, or number of its vectors, by itself.

    It is given BLOCK numbers of the first array at once, and what belongs to them of all that are
    declared as long: what it makes on the way stays in the caches, and takes no new memory in every
    step.
    """

    @functools.wraps(formula)
    def block_by_block(first: Any, *others: Any) -> Any:
        count = len(first) if first.ndim else 1
        rows = max(1, BLOCK * count // max(first.size, 1))
        if count <= rows:
            return formula(first, *others)
        letter = operands.given[0].axes[0]
        has_rows = [one.axes[:1] == (letter,) for one in operands.given]
        pairs = list(zip((first, *others), has_rows, strict=True))
        whole: tuple[Any, ...] = ()
        for start in range(0, count, rows):
            block = slice(start, start + rows)
            made = recording.as_tuple(formula(*(x[block] if has else x for x, has in pairs)))
            whole = whole or tuple(np.empty((count, *x.shape[1:]), x.dtype) for x in made)
            for x, of_block in zip(whole, made, strict=True):
                x[block] = of_block
        return whole[0] if len(whole) == 1 else whole or None

    return block_by_block

"""A formula in NumPy, and below it, where it is on a hot path, a loop that is its fast twin.

    @formula("x (N, D) -> y (N, D)")
    def double(x):                              what is computed, to be read
        return 2 * x

    @loop_of(double)
    def double_loop(part, parts, x, y):         the same: one part of it, 0 <= part < parts
        top, bottom = share(len(x), part, parts)
        for n in range(top, bottom):
            for j in range(x.shape[1]):
                y[n, j] = 2 * x[n, j]

`double(x)` checks x against the declaration (declarations.py) and returns a new array. Where numba
is installed and a training has begun, it runs the loop, which compiling.py compiles; otherwise the
formula. With SCRATCHGEN_JIT=0 the formula always runs, and so it does where it was edited, because
the loop would not know of the edit (replaced.py).

The mathematics needs no more than `formula` and `loop_of`. What stands below them decides which of
the two runs, on how many threads (plans.py), and in which memory (workspaces.py).
"""

import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import numpy as np

from ..ground.versions import is_installed
from . import plans, recording, replaced, sharing, workspaces
from .compiling import Kernel
from .operands import Operands
from .recording import Call

GRAIN = 300_000  # additions, about: for less work, waking a second thread costs more than it saves
ONCE_FREED = 2**24  # bytes
BLOCK = 2**14  # numbers that a formula is given at once, with row_by_row

Formula = TypeVar("Formula", bound=Callable[..., Any])

FORMULAS: dict[str, Any] = {}  # all kernels that `formula` made, by name
_loops_are_wanted = False
_loops_in_block: ContextVar[bool | None] = ContextVar("loops_in_block", default=None)


def formula(takes: str, row_by_row: bool = False) -> Callable[[Formula], Formula]:
    """Make a NumPy formula a kernel. `takes` declares its operands (declarations.py).

    They are checked at every call: ShapeError, KindError or DataError. A number `()` may be a plain
    Python float. row_by_row says that the formula treats each row of its arrays, or each number of
    its vectors, by itself: it is then given a few rows at a time.
    """

    def pair(written: Formula) -> Formula:
        code = written.__code__
        names = code.co_varnames[: code.co_argcount]
        both = Definition(written, Operands(written.__name__, takes, names), row_by_row)

        @functools.wraps(written)
        def kernel(*args: Any) -> Any:
            return both.run(*args)

        kernel.definition = both  # type: ignore[attr-defined] # for loop_of, and for tests
        FORMULAS[written.__name__] = kernel
        return cast(Formula, kernel)

    return pair


def loop_of(
    formula: Callable[..., Any], weight: float = 1.0, of: int = 0
) -> Callable[[Kernel], Kernel]:
    """Make a plain loop the fast twin of a formula: loop(part, parts, *given, *made).

    `given` is what the formula takes; `made` is what it returns, which the loop writes, and room to
    work in where that is declared. An array of any shape, `(...)`, comes as one row. The work is
    taken to be `weight` additions for each number of the argument at index `of`.
    """

    def pair(loop: Kernel) -> Kernel:
        both: Definition = formula.definition  # type: ignore[attr-defined]
        both.loop, both.weight, both.of = loop, weight, of
        return loop

    return pair


class Definition:
    """A formula, what it takes, and its loop, where it has one."""

    def __init__(self, formula: Kernel, operands: Operands, row_by_row: bool = False) -> None:
        self.formula = in_blocks(formula, operands) if row_by_row else formula
        self.written, self.operands, self.loop = formula, operands, cast(Kernel | None, None)
        self.weight, self.of = 1.0, 0
        # a user's formula has no published text; activation_loops.py checks those of activations
        self._has_no_text = not replaced.is_of_package(formula)

    def run(self, *args: Any, settings: tuple[float, ...] | None = None) -> Any:
        """Run the loop or the formula on these operands; returns what the formula returns.

        `settings` are numbers that the loop gets as its last argument, in the dtype of its arrays.
        """
        if self.loop is None or not (loops_run() and self.is_published):
            self.operands.check(*args)
        elif (prepared := self.operands.prepare(*args)) is not None:
            passed, made = prepared
            most = len(passed[-1]) if self.operands.has_scratch else sharing.MOST_THREADS
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
        """Whether the formula is unedited, so that the loop says the same."""
        return self._has_no_text or replaced.is_published(self.written)


def _given(made: tuple[Any, ...]) -> Any:
    """One array, several, or None."""
    if len(made) == 1:
        return workspaces.returned(made[0])
    return tuple(map(workspaces.returned, made)) if made else None


def call(kernel: Call) -> None:
    """Run a compiled loop, on several threads where the work is worth it."""
    recording.note(kernel)
    if kernel.work >= GRAIN and (parts := min(sharing.threads_now(), kernel.most)) > 1:
        plans.in_parts_if_faster(kernel, parts)
    else:
        plans.in_one_part(kernel)


def want_loops() -> None:
    """From now on, in all threads, loops run instead of their formulas: training calls this."""
    global _loops_are_wanted
    _loops_are_wanted = True
    _keep_freed_memory()


def by_formulas() -> AbstractContextManager[None]:
    """Within its `with`, formulas run in this thread, whatever is installed."""
    return run_by(loops=False)


def by_loops() -> AbstractContextManager[None]:
    """Within its `with`, loops run in this thread, where there are any."""
    return run_by(loops=True)


@contextmanager
def run_by(loops: bool) -> Iterator[None]:
    """Within it loops run, or the NumPy formulas."""
    before = _loops_in_block.set(loops)
    try:
        yield
    finally:
        _loops_in_block.reset(before)


def compiles() -> bool:
    """Whether loops can run: numba is installed and SCRATCHGEN_JIT is not 0."""
    return os.environ.get("SCRATCHGEN_JIT", "1") != "0" and is_installed("numba")


def loops_run() -> bool:
    """Whether loops run instead of their formulas, here and now."""
    here = _loops_in_block.get()
    return (_loops_are_wanted if here is None else here) and numba_works()


def may_run_loop_of(formula: Callable[..., Any]) -> bool:
    """Whether a loop may run in the place of that formula, which is as it was published."""
    return loops_run() and replaced.is_published(formula)


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


@functools.cache
def _keep_freed_memory() -> None:
    """Let the process keep the memory that NumPy frees in a step, for the next step to use.

    GNU's malloc gives arrays of more than 128 KB back to the system whenever they are freed, and
    takes new memory page by page, until it has once freed a larger one: then up to that size.
    """
    np.empty(ONCE_FREED, np.uint8)


def in_blocks(formula: Kernel, operands: Operands) -> Kernel:
    """The same formula, done a few rows at a time; it has to treat each row by itself.

    It is given some BLOCK numbers of the first array at once, and of every other array that has as
    many rows the same rows: so its intermediate results stay in the caches, and need little memory.
    """

    @functools.wraps(formula)
    def block_by_block(first: Any, *others: Any) -> Any:
        count = len(first) if first.ndim else 1
        rows = max(1, BLOCK * count // max(first.size, 1))
        if count <= rows:
            return formula(first, *others)
        letter = operands.arguments[0].axes[0]
        has_rows = [one.axes[:1] == (letter,) for one in operands.arguments]
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

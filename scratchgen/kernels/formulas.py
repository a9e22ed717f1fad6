"""A formula in NumPy is read, and a compiled loop below it runs in its place on a hot path.

    @formula("x (N, D) -> y (N, D)")
    def double(x):                              what is computed
        return 2 * x

    @loop_of(double)
    def double_loop(part, parts, x, y):         one part of the same, 0 <= part < parts
        top, bottom = share(len(x), part, parts)
        for n in range(top, bottom):
            for j in range(x.shape[1]):
                y[n, j] = 2 * x[n, j]

NumPy makes an array for each operation of a formula, and one thread goes through all of them. A
loop reads and writes each number once, on all threads.

`double(x)` checks x against the declaration (declarations.py) and returns a new array. The loop
computes it if numba is installed and a training has begun (compiling.py); otherwise the formula
does. With SCRATCHGEN_JIT=0 the formula always runs. It also runs after an edit, of which the loop
does not know (replaced.py).

The mathematics needs only `formula` and `loop_of`. What stands below them chooses between the two,
the number of threads (plans.py), and the memory (workspaces.py).
"""

import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import numpy as np

from ..ground.errors import OptionError
from ..ground.versions import is_installed
from . import plans, recording, replaced, sharing, workspaces
from .compiling import Kernel
from .operands import Operands
from .recording import Call

GRAIN = 300_000  # additions, about: below it, waking a second thread costs more than it saves
ONCE_FREED = 2**24  # bytes
BLOCK = 2**14  # numbers in a block of rows, with row_by_row

Formula = TypeVar("Formula", bound=Callable[..., Any])

FORMULAS: dict[str, Any] = {}  # all kernels that `formula` has declared, by name
_loops_are_wanted = False
_loops_in_block: ContextVar[bool | None] = ContextVar("loops_in_block", default=None)


def formula(takes: str, row_by_row: bool = False) -> Callable[[Formula], Formula]:
    """Make a NumPy formula a kernel. `takes` declares its operands (declarations.py).

    They are checked at every call: ShapeError, KindError or DataError. A number `()` may be a plain
    Python float. row_by_row says that the formula treats each row of its arrays, or each number of
    its vectors, independently of the others: it is then called on a few rows at a time.
    """

    def pair(written: Formula) -> Formula:
        operands = Operands(written.__name__, takes, names_of_arguments(written))
        definition = Definition(written, operands, row_by_row)

        @functools.wraps(written)
        def kernel(*args: Any) -> Any:
            return definition.run(*args)

        kernel.definition = definition  # type: ignore[attr-defined] # for loop_of, and for tests
        FORMULAS[written.__name__] = kernel
        return cast(Formula, kernel)

    return pair


def loop_of(
    formula: Callable[..., Any], weight: float = 1.0, of: int = 0
) -> Callable[[Kernel], Kernel]:
    """Declare the loop of a formula: loop(part, parts, *arguments, *allocated).

    `arguments` are the formula's; `allocated` are the arrays that it returns, which the loop
    writes, and its scratch memory, if declared. An array of any shape, `(...)`, is passed as a
    vector. The work is estimated as `weight` additions for each number of argument `of`.

    Raises TypeError for a loop with other arguments.
    """

    def pair(loop: Kernel) -> Kernel:
        definition: Definition = formula.definition  # type: ignore[attr-defined]
        wanted = ("part", "parts", *names_of_arguments(definition.written))
        if names_of_arguments(loop)[: len(wanted)] != wanted:
            raise TypeError(
                f"{loop.__name__} takes ({', '.join(names_of_arguments(loop))}), wants "
                f"({', '.join(wanted)}), then what {definition.written.__name__} returns"
            )
        definition.loop, definition.weight, definition.of = loop, weight, of
        return loop

    return pair


def names_of_arguments(function: Kernel) -> tuple[str, ...]:
    """The names of the positional arguments."""
    return function.__code__.co_varnames[: function.__code__.co_argcount]


class Definition:
    """A formula, its operands, and its loop, if it has one."""

    def __init__(self, formula: Kernel, operands: Operands, row_by_row: bool = False) -> None:
        self.formula = in_blocks(formula, operands) if row_by_row else formula
        self.written, self.operands, self.loop = formula, operands, cast(Kernel | None, None)
        self.weight, self.of = 1.0, 0
        # a user's formula has no published text; activation_loops.py checks those of activations
        self._has_no_text = not replaced.is_of_package(formula)

    def run(self, *args: Any, settings: tuple[float, ...] | None = None) -> Any:
        """Run the loop or the formula on these operands; return what the formula returns.

        `settings` are numbers, passed to the loop as its last argument in the dtype of its arrays.
        """
        if self.loop is None or not (loops_run() and self.is_published):
            self.operands.check(*args)
        elif (prepared := self.operands.prepare(*args)) is not None:
            passed, results = prepared
            most = len(passed[-1]) if self.operands.has_scratch else sharing.MOST_THREADS
            work = passed[self.of].size * self.weight
            if settings is not None:
                passed = (*passed, tuple(map(passed[self.of].dtype.type, settings)))
            written, changed = self.operands.written, self.operands.changed
            call(Call(self.loop, passed, work, written, changed, most=most))
            return _returned(results)
        return _returned(recording.by_numpy(self.formula, args, self.operands))

    @property
    def is_published(self) -> bool:
        """Whether the formula is unedited, so that the loop computes the same."""
        return self._has_no_text or replaced.is_published(self.written)


def _returned(results: tuple[Any, ...]) -> Any:
    """One array, several, or None."""
    if len(results) == 1:
        return workspaces.returned(results[0])
    return tuple(map(workspaces.returned, results)) if results else None


def call(kernel: Call) -> None:
    """Run a compiled loop, on several threads if there is enough work."""
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
    """Within its `with`, formulas run in this thread, even if numba is installed."""
    return run_by(loops=False)


def by_loops() -> AbstractContextManager[None]:
    """Within its `with`, loops run in this thread, if numba is installed."""
    return run_by(loops=True)


@contextmanager
def run_by(loops: bool) -> Iterator[None]:
    """Within it, loops run, or else the NumPy formulas."""
    before = _loops_in_block.set(loops)
    try:
        yield
    finally:
        _loops_in_block.reset(before)


def compiles() -> bool:
    """Whether loops can run: numba is installed and SCRATCHGEN_JIT is not 0."""
    return os.environ.get("SCRATCHGEN_JIT", "1") != "0" and is_installed("numba")


def loops_run() -> bool:
    """Whether loops now run instead of their formulas, in this thread."""
    in_block = _loops_in_block.get()
    return (_loops_are_wanted if in_block is None else in_block) and numba_works()


def may_run_loop_of(formula: Callable[..., Any]) -> bool:
    """Whether a loop may run in the place of that formula: loops run, and it is unedited."""
    return loops_run() and replaced.is_published(formula)


@functools.cache
def numba_works() -> bool:
    if not compiles():
        return False
    try:
        from .native.caching import numba_has_compiled

        if numba_has_compiled():  # importing numba takes longer than loading its kernels
            return True
        import numba
    except OptionError:  # of a variable of ours, which says for which CPU
        raise
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
    """Let the process keep the memory that NumPy frees in a step, for the next step.

    GNU's malloc returns arrays of more than 128 KB to the system when they are freed, and takes new
    memory page by page. Freeing a larger array raises that limit to its size.
    """
    np.empty(ONCE_FREED, np.uint8)


def in_blocks(formula: Kernel, operands: Operands) -> Kernel:
    """The same formula, called on a few rows at a time, so that temporary arrays fit the caches.

    A block has about BLOCK numbers of the first array, and the same rows of every other array that
    has as many. The formula must treat each row independently of the others.
    """

    @functools.wraps(formula)
    def block_by_block(first: Any, *others: Any) -> Any:
        count = len(first) if first.ndim else 1
        rows = max(1, BLOCK * count // max(first.size, 1))
        if count <= rows:
            return formula(first, *others)
        letter = operands.arguments[0].axes[0]
        has_rows = [operand.axes[:1] == (letter,) for operand in operands.arguments]
        pairs = list(zip((first, *others), has_rows, strict=True))
        whole: tuple[Any, ...] = ()
        for start in range(0, count, rows):
            block = slice(start, start + rows)
            results = recording.as_tuple(formula(*(x[block] if has else x for x, has in pairs)))
            whole = whole or tuple(np.empty((count, *x.shape[1:]), x.dtype) for x in results)
            for x, of_block in zip(whole, results, strict=True):
                x[block] = of_block
        return whole[0] if len(whole) == 1 else whole or None

    return block_by_block

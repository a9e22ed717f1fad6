"""Whether the loop or NumPy multiplies faster is measured on the machine that runs them.

A product c = a b, with the three sides of a (rows, depth) and b (depth, columns), is of a kind:

    small     rows depth columns < 2^18                                                (1)
    thin      another, with a side shorter than 48: its tiles are not whole            (2)
    long      another, whose longest side is at least 4 times the shortest             (3)
    square    any other                                                                (4)

and of a form, x w, x^T dy or dy w^T. Small products are the loop's: a step that leaves its table
of kernels for NumPy loses as much time as such a product takes. For every other kind and form, one
product is timed (product_trials.py), once for each dtype on a machine:

    NumPy multiplies    if 1.1 times its time is below the loop's, and both are sure   (5)

So a tie goes to the loop, and on a busy machine, where no time is sure, everything does. On ARM it
is the other way round, because nothing was timed there beforehand:

    the loop multiplies    if 1.1 times its time is below NumPy's, and both are sure   (6)

and small products go with thin ones. The choice is kept (machine_files.py), whatever number of
threads is allowed later. It can be changed:

    SCRATCHGEN_PRODUCTS=ours                 or numpy, for the process, from its start
    with products_by("numpy"): ...           or ours, or what a run has recorded, in this thread
    scratchgen warmup                        measures again what was not sure

A run makes its choice at its first step, records it, and keeps it when it is resumed. On a CPU
without vectors for tiles (native/target.py) NumPy multiplies.
"""

import functools
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

from ..ground.errors import OptionError, cut
from ..ground.versions import is_installed
from . import machine_files, product_trials, thread_count
from .formulas import compiles, numba_works
from .locks import Lock
from .machine_files import Values
from .product_trials import FORMS, SHAPES

SMALL = 2**18  # multiply-adds
THIN, LONG = 48, 4
MARGIN = 1.1
MEASURED = tuple(f"{kind} {form}" for kind in SHAPES for form in FORMS)
ALL = frozenset((*MEASURED, *(f"small {form}" for form in FORMS)))
NONE: frozenset[str] = frozenset()
OURS, NUMPY = "ours", "numpy"
DTYPES = {"f": "float32", "d": "float64"}
VARIABLE = "SCRATCHGEN_PRODUCTS"
NO_TILES = "this CPU has no vectors for tiles"

Record = str | list[str]  # "ours", "numpy", or the kinds and forms that NumPy multiplies
Before = Token[frozenset[str] | None]  # the choice before `begin`

_of_block: ContextVar[frozenset[str] | None] = ContextVar("products", default=None)
_of_process: dict[str, frozenset[str]] = {}  # by the letter of the dtype
_values: dict[str, Values] = {}  # the times that decided them
_lock = Lock()


def numpy_multiplies(form: str, char: str, rows: int, depth: int, columns: int) -> bool:
    """Whether NumPy computes a product of these sizes now; `char` is "f" or "d"."""
    if not has_tiles():
        return True
    by_numpy = _of_block.get()
    if by_numpy is None:
        by_numpy = _of_process.get(char)
    if by_numpy is None:
        is_small = rows * depth * columns < SMALL
        if is_small and not is_numpys_unless_measured() and from_environment() is None:
            return False
        by_numpy = of_machine(char)
    return bool(by_numpy) and f"{kind_of(rows, depth, columns)} {form}" in by_numpy


def kind_of(rows: int, depth: int, columns: int) -> str:
    """(1) to (4)."""
    shortest, longest = min(rows, depth, columns), max(rows, depth, columns)
    if rows * depth * columns < SMALL:
        return "small"  # (1)
    if shortest < THIN:
        return "thin"  # (2)
    return "long" if longest >= LONG * shortest else "square"  # (3, 4)


@contextmanager
def products_by(choice: Record) -> Iterator[None]:
    """Within its `with`, products are computed by "ours", by "numpy", or as a run has recorded it.

    It is for this thread of Python, and overrules SCRATCHGEN_PRODUCTS. Raises OptionError.

    >>> with products_by("numpy"):
    ...     now("f")
    'numpy'
    """
    before = begin(from_record(choice))
    try:
        yield
    finally:
        end(before)


def begin(by_numpy: frozenset[str] | None) -> Before:
    """Let NumPy multiply these kinds and forms, in this thread of Python, until `end`."""
    return _of_block.set(by_numpy)


def end(before: Before) -> None:
    """Choose as before the `begin` that returned it."""
    _of_block.reset(before)


def now(char: str) -> Record:
    """The record of what multiplies here, in this thread of Python, for "f" or "d"."""
    in_block = _of_block.get()
    if not has_tiles():
        return NUMPY
    if in_block is not None:
        thread_count.settle(char)
    return to_record(of_machine(char) if in_block is None else in_block)


def to_record(by_numpy: frozenset[str]) -> Record:
    """The record of a choice."""
    if by_numpy in (NONE, ALL):
        return NUMPY if by_numpy else OURS
    return sorted(by_numpy)


def from_record(record: object) -> frozenset[str]:
    """The choice that was recorded; raises OptionError for what is no record."""
    if record == OURS:
        return NONE
    if record == NUMPY:
        return ALL
    if isinstance(record, list | tuple) and all(isinstance(x, str) and x in ALL for x in record):
        return frozenset(record)
    raise OptionError(
        f"products by {cut(repr(record))}: wants ours, numpy, or a list of what NumPy multiplies, "
        f"such as {list(MEASURED[-2:])}"
    )


def from_environment() -> frozenset[str] | None:
    """What SCRATCHGEN_PRODUCTS says; None if it is not set."""
    wanted = os.environ.get(VARIABLE)
    if wanted not in (None, OURS, NUMPY):
        raise OptionError(f"{VARIABLE}={cut(wanted)}: wants ours or numpy")
    return None if wanted is None else from_record(wanted)


def no_loop_because() -> str:
    """The reason why no product is computed by a loop here; "" if there is none."""
    if not compiles():
        return "SCRATCHGEN_JIT is 0" if is_installed("numba") else "numba is not installed here"
    if not numba_works():
        return "numba does not work here"
    return "" if has_tiles() else NO_TILES


@functools.cache
def has_tiles() -> bool:
    """Whether numba is installed, and the CPU has vectors for tiles."""
    if not is_installed("numba"):
        return False
    from .native.target import BITS

    return BITS > 0


def text_of(char: str) -> str:
    """A line about the choice of this process for "f" or "d", and the times that decided it."""
    record = to_record(of_machine(char)) if has_tiles() else NUMPY
    text = f"NumPy's for {', '.join(record)}, else ours" if isinstance(record, list) else record
    if not has_tiles():
        return f"{text}: {NO_TILES}"
    if from_environment() is not None:
        return f"{text}, by {VARIABLE}"
    values = measured(char)
    ratios = [numpy / ours for ours, numpy in map(values["seconds"].get, values["sure"])]
    times = f"; NumPy's time / ours {min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
    unsure = len(MEASURED) - len(ratios)
    busy = f"; {unsure} of {len(MEASURED)} not sure, because CPUs were busy" if unsure else ""
    return f"{text}{times}{busy}"


def of_machine(char: str) -> frozenset[str]:
    """What NumPy multiplies in this process, outside of any block."""
    with _lock:
        if char not in _of_process:
            given = from_environment()
            if given is not None:
                thread_count.settle(char)
            _of_process[char] = by_measurement(measured(char)) if given is None else given
        return _of_process[char]


def measured(char: str, until_sure: bool = False) -> Values:
    """The times that decide, as `product_trials.measure` returns them.

    They are those of this process, or else of the file, or else measured now. With `until_sure`,
    times that are not sure are measured again, and replace those in the file.
    """
    with _lock:
        thread_count.settle(char, until_sure)
        known = _values.get(char) or machine_files.kept(name_of(char), is_measurement)
        if known is None or (until_sure and not is_sure(known)):
            known = _measured_now(char, until_sure)
        _values[char] = known
        return known


def _measured_now(char: str, overwrite: bool) -> Values:
    values = product_trials.measure(char)
    # another process may have decided meanwhile
    kept = None if overwrite else machine_files.kept(name_of(char), is_measurement)
    if kept is None:
        machine_files.keep(name_of(char), values)
    return kept or values


def name_of(char: str) -> str:
    """The name of the file for that dtype."""
    return f"products-{DTYPES[char]}"


def is_sure(values: Values) -> bool:
    """Whether the times of all kinds and forms are sure."""
    return len(values["sure"]) == len(MEASURED)


def is_measurement(values: Values) -> bool:
    """Whether that is what `product_trials.measure` returns."""
    times = values["seconds"]
    return (
        times.keys() == set(MEASURED)
        and all(x is None or x > 0 for ours, numpy in times.values() for x in (ours, numpy))
        and all(None not in times[name] for name in values["sure"])
    )


def by_measurement(values: Values) -> frozenset[str]:
    """The kinds and forms for which (5) holds, or on ARM all for which (6) does not."""
    sure = {name: times for name, times in values["seconds"].items() if name in values["sure"]}
    if not is_numpys_unless_measured():
        return frozenset(x for x, (ours, numpy) in sure.items() if MARGIN * numpy < ours)  # (5)
    faster = {name for name, (ours, numpy) in sure.items() if MARGIN * ours < numpy}  # (6)
    faster |= {f"small {form}" for form in FORMS if f"thin {form}" in faster}
    return ALL - faster


def is_numpys_unless_measured() -> bool:
    """Whether this is an ARM CPU."""
    return platform.machine().lower() in ("aarch64", "arm64")

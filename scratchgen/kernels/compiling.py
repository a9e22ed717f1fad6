"""A kernel has a NumPy reference, which defines it, and may have a Numba twin, which is fast.

The twin is compiled at its first call, never at import, and kept on disk where a cache folder can
be written. Without numba, or with SCRATCHGEN_JIT=0, the reference runs in its place.
"""

import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..versions import is_installed

Kernel = Callable[..., Any]

_references_only: ContextVar[bool] = ContextVar("references_only", default=False)


@contextmanager
def references() -> Iterator[None]:
    """Within it the NumPy references run, in this thread, whatever is installed."""
    before = _references_only.set(True)
    try:
        yield
    finally:
        _references_only.reset(before)


def compiles() -> bool:
    """Whether twins are used: numba is installed and SCRATCHGEN_JIT is not 0."""
    return os.environ.get("SCRATCHGEN_JIT", "1") != "0" and is_installed("numba")


def compiled(loop: Kernel) -> Kernel:
    """`loop` compiled by numba.

    error_model="numpy" divides by zero as NumPy does; no fastmath, which would forget NaN.
    """
    import numba

    try:
        return numba.njit(loop, cache=True, error_model="numpy", nogil=True)
    except RuntimeError:  # no folder to keep the compiled code in
        return numba.njit(loop, error_model="numpy", nogil=True)


def twin_of(reference: Kernel) -> Callable[[Kernel], Kernel]:
    """Make a plain loop the fast twin of `reference`: one name, one meaning, two speeds.

    Which of the two runs is settled at the first call outside of `references()`.
    """

    def pair(loop: Kernel) -> Kernel:
        @functools.cache
        def chosen() -> Kernel:
            return _choose(reference, loop)

        @functools.wraps(reference)
        def kernel(*arrays_and_numbers: Any) -> Any:
            run = reference if _references_only.get() else chosen()
            return run(*arrays_and_numbers)

        # for the tests that compare them; mypy knows no attributes of functions
        kernel.reference, kernel.loop = reference, loop  # type: ignore[attr-defined]
        return kernel

    return pair


def _choose(reference: Kernel, loop: Kernel) -> Kernel:
    if not compiles():
        return reference
    try:
        return compiled(loop)
    except ImportError as problem:  # numba refuses versions of NumPy that it does not know yet
        warnings.warn(
            f"numba is installed and cannot be imported ({problem}): training goes on with NumPy, "
            f"more slowly; SCRATCHGEN_JIT=0 says that this is meant",
            RuntimeWarning,
            stacklevel=3,
        )
        return reference

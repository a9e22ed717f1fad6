"""Compiled kernels are kept on disk, where no change of them can be missed.

    folder = <cache home>/scratchgen/<hash of all kernels' sources, numba, the CPU>      (1)

Numba itself looks only at the file of the function it compiles, and would not see that a function
called from there has changed. With (1) another source, another numba or another CPU has another
folder. The cache home is NUMBA_CACHE_DIR, or XDG_CACHE_HOME, or ~/.cache (on Windows
LOCALAPPDATA). Where nothing can be written, kernels are compiled in every process, and where a
file is damaged, again.
"""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
from numba.core import caching

from . import vectors


@functools.cache
def folder() -> Path | None:
    """Where compiled kernels are kept; None where no place can be written."""
    for home in _homes():
        path = home / "scratchgen" / _key()
        try:
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except OSError:
            continue
        return path
    return None


def _homes() -> list[Path]:
    """The places to try, the first one first."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(given)]
    if given := os.environ.get("XDG_CACHE_HOME"):
        return [Path(given)]
    if sys.platform == "win32" and (given := os.environ.get("LOCALAPPDATA")):
        return [Path(given)]
    try:
        return [Path.home() / ".cache"]
    except RuntimeError:  # no home
        return []


def _key() -> str:
    """The hash in (1)."""
    hashed = hashlib.sha256()
    for source in sorted(Path(__file__).parent.parent.rglob("*.py")):
        hashed.update(source.read_bytes())
    cpu = llvmlite.binding.get_host_cpu_name()
    features = llvmlite.binding.get_host_cpu_features().flatten()
    for text in (numba.__version__, llvmlite.__version__, cpu, features, str(vectors.BITS)):
        hashed.update(text.encode())
    return hashed.hexdigest()[:20]


class _Locator(caching._CacheLocator):
    """Tells numba's cache where to look."""

    _py_file = __file__  # named by numba where a function cannot be kept

    def get_cache_path(self) -> str:
        return str(folder())

    def get_source_stamp(self) -> str:
        return ""  # the folder is the stamp

    def get_disambiguator(self) -> str:
        return "kernel"

    @classmethod
    def from_function(cls, _function: Callable[..., Any], _file: str) -> "_Locator | None":
        return cls() if folder() else None


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class KernelCache(caching.FunctionCache):
    """Numba's cache of one function, in (1), and silent about what it cannot read or write."""

    _impl_class = _Implementation
    on_miss: Callable[[], None] = staticmethod(lambda: None)  # called before a compilation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # a damaged file can fail in as many ways as there are bytes
            found = None
            with contextlib.suppress(OSError):
                self.flush()  # it is forgotten, and written anew
        if found is None:
            type(self).on_miss()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk, a folder that was removed
            self.disable()

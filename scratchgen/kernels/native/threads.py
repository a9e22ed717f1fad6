"""Kernels run on numba's threads, whose library can be loaded without numba.

    pool()                                    the library, whose threads wait for work
    Together(address, parts, block)()         a kernel, each part on a thread of its own

The library has a C function, parallel_for(f, arrays, sizes, strides, data, ...), which numba's own
parallel loops call. It calls f for each element of the arrays, with the address of the element in
each array, and `data`. Here there is one array, the numbers of the parts 0, 1, 2 ...
"""

import ctypes
import functools
import importlib
import importlib.util
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .caching import LAYER, THREADS

OPENMP = "omppool"  # numba's library for OpenMP, in its folder np/ufunc/

_address = ctypes.c_void_p
_size = ctypes.c_ssize_t
_ParallelFor = ctypes.CFUNCTYPE(None, *[_address] * 5, _size, _size, _size)
_Number, _SetNumber = ctypes.PYFUNCTYPE(ctypes.c_int), ctypes.PYFUNCTYPE(None, ctypes.c_int)


@functools.cache
def pool() -> ModuleType:
    """The library, its threads launched; ImportError or ValueError if there is none."""
    if "numba" not in sys.modules and not any(map(os.environ.get, LAYER)):
        library = _openmp()
        if library is not None:
            launch = ctypes.CFUNCTYPE(None, ctypes.c_int)(library.launch_threads)
            launch(most())
            return library
    import numba

    numba.get_num_threads()  # which launches them
    layer = numba.threading_layer()
    name = layer if layer == "workqueue" else f"{layer}pool"
    return importlib.import_module(f"numba.np.ufunc.{name}")


def _openmp() -> ModuleType | None:
    """The library for OpenMP, loaded without importing numba; None if it cannot be loaded."""
    spec = importlib.util.find_spec("numba")
    for place in (spec and spec.submodule_search_locations) or ():
        for suffix in EXTENSION_SUFFIXES:
            file = Path(place, "np", "ufunc", OPENMP + suffix)
            if not file.exists():
                continue
            loader = ExtensionFileLoader(OPENMP, str(file))
            found = importlib.util.spec_from_loader(OPENMP, loader)
            try:
                library = importlib.util.module_from_spec(found)  # type: ignore[arg-type]
                loader.exec_module(library)
            except ImportError:
                return None
            return library
    return None


@functools.cache
def most() -> int:
    """How many threads numba has, from the first question on: they are launched once."""
    if "numba" in sys.modules:
        import numba

        return int(numba.config.NUMBA_NUM_THREADS)
    given = os.environ.get(THREADS, "")
    if given.isdecimal():
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@functools.cache
def _parallel_for() -> Any:
    return _ParallelFor(pool().parallel_for)


@functools.cache
def _number() -> tuple[Any, Any]:
    """Two functions: on how many threads numba's own loops run, called from here, and to set it."""
    return _Number(pool().get_num_threads), _SetNumber(pool().set_num_threads)


class Together:
    """A kernel, each part on a thread of its own; `address` is its `on_thread`."""

    def __init__(self, address: int, parts: int, block: int) -> None:
        numbers = np.arange(parts, dtype=np.int64)
        array = np.array([numbers.ctypes.data], np.int64)
        sizes, strides = np.array([parts], np.int64), np.array([numbers.itemsize], np.int64)
        data = np.array([parts, block], np.int64)
        self._memory = numbers, array, sizes, strides, data
        places = (x.ctypes.data for x in (array, sizes, strides, data))
        self._call = functools.partial(_parallel_for(), address, *places, 0, 1, parts)

    def __call__(self) -> None:
        number, set_number = _number()
        before = number()
        self._call()
        set_number(before)  # the library takes the number of parts for it

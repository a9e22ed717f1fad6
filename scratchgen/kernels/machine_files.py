"""What was measured on this machine is kept beside the compiled kernels, in small files.

    <folder of the compiled kernels>/NAME-<hash of the conditions>.json                (1)

The folder (native/caching.py) belongs to these sources, this numba and this kind of CPU. The
conditions are what else the times depend on: NumPy, its library, and how many CPUs and threads both
may use. A file that is damaged, or of other conditions, counts as missing. If two processes
measure at the same time, the first to write decides for both.
"""

import functools
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..ground.errors import FileError
from ..ground.writing import write_atomically
from .sharing import usable_cpus

DIGITS = 12
MOST_BYTES = 100_000  # of a file that is read
# which set the number of a library's threads, or choose its kernels
VARIABLES = (
    "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER",
)  # fmt: skip

Values = dict[str, Any]


@functools.cache
def conditions() -> dict[str, str]:
    """What the times on this machine depend on, beside its CPU."""
    library = f"{blas().get('name', 'unknown')} {blas().get('version', '')}".strip()
    known = {"numpy": np.__version__, "blas": library, "cpus": str(usable_cpus())}
    return known | {name: os.environ[name] for name in VARIABLES if name in os.environ}


def blas() -> dict[str, str]:
    """What NumPy knows of the library that it multiplies with: `name`, `version`."""
    known = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {name: str(value) for name, value in known.items()}


def kept(name: str, is_right: Callable[[Values], bool]) -> Values | None:
    """The values in the file of that name, (1); None without one, or if they are not `is_right`."""
    path = path_of(name)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MOST_BYTES))
        if found["conditions"] == conditions() and is_right(found["values"]):
            values: Values = found["values"]
            return values
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return None


def keep(name: str, values: Values) -> None:
    """Write the file of that name, (1), if a folder can be written."""
    path = path_of(name)
    if path is not None:
        content = {"conditions": conditions(), "values": values}
        with suppress(FileError):
            write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def path_of(name: str) -> Path | None:
    """(1); None if no folder can be written."""
    from .native.caching import folder

    home = folder()
    key = hashlib.sha256(json.dumps(conditions(), sort_keys=True).encode()).hexdigest()[:DIGITS]
    return None if home is None else home / f"{name}-{key}.json"

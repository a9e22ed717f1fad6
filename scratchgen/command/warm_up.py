"""`scratchgen warmup`: compile every kernel now, so that no first step waits for it later."""

import argparse
import time

import numpy as np

from .. import kernels
from ..ground.printing import to_stdout
from ..ground.versions import require
from ..kernels.cases import case, with_loops
from ..kernels.formulas import by_loops, compiles
from ..kernels.plans import Plan, in_parts
from ..kernels.recording import Call, recording


def warmup(_options: argparse.Namespace) -> int:
    """Compile, or find compiled, the loops of all kernels, and say where they are kept."""
    require("numba", "warmup")
    if not compiles():
        to_stdout("SCRATCHGEN_JIT=0: kernels run as NumPy, and there is nothing to compile")
        return 0
    from ..kernels.native.caching import folder

    start = time.perf_counter()
    with by_loops():
        for dtype in ("float32", "float64"):
            call_all(dtype)
            replay(dtype)
        together()
    to_stdout(f"every kernel in float32 and float64, {time.perf_counter() - start:.1f} s")
    kept = folder()
    to_stdout(f"kept in {kept}" if kept else "kept nowhere, because no cache folder can be written")
    return 0


def together() -> None:
    """A kernel on two threads, which compiles what shares kernels out."""
    out = np.zeros(1000, np.float32)
    loop = kernels.add.definition.loop  # type: ignore[attr-defined]
    in_parts(Call(loop, (out, out, out), 1), 2)


def call_all(dtype: str) -> None:
    """Each kernel once, on little."""
    for name, kernel in with_loops().items():
        kernel.call(*case(name, 2, 4, dtype, 0))
    kernels.standard_normal(np.random.default_rng(0), (1000,), dtype)


def replay(dtype: str) -> None:
    """What runs in replays alone: memory that is cleared, and the first that is added to it."""
    cleared, into, sums = np.ones(4, dtype), np.ones((2, 4), dtype), np.ones(4, dtype)
    with recording() as notes:
        for one in (cleared, into, sums):
            kernels.clear(one)
        kernels.add_in_place(np.ones((2, 4), dtype), into)
        kernels.add_sum(np.ones((2, 4), dtype), sums)
    Plan(notes, threads=1).run()

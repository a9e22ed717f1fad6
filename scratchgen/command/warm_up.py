"""What `scratchgen warmup` does: it compiles every kernel, so that no later run has to wait."""

import argparse
import time

import numpy as np

from .. import kernels
from ..ground.printing import to_stdout
from ..ground.tables import paragraph
from ..ground.versions import require
from ..kernels import choice
from ..kernels.cases import case, with_loops
from ..kernels.formulas import by_loops, compiles
from ..kernels.plans import Plan, in_parts
from ..kernels.recording import Call, recording

REST = 0.3  # seconds in which the threads of a library that has multiplied go to sleep


def warmup(_options: argparse.Namespace) -> int:
    """Compile the loops of all kernels, or load them, and say where the compiled code is stored."""
    require("numba", "warmup")
    if not compiles():
        to_stdout("SCRATCHGEN_JIT=0: kernels run in NumPy, and there is nothing to compile")
        return 0
    from ..kernels.native.caching import folder

    start = time.perf_counter()
    with by_loops():
        for dtype in ("float32", "float64"):
            call_all(dtype)
            call_in_replay(dtype)
        call_on_threads()
    measure_products()
    seconds = time.perf_counter() - start
    to_stdout(f"compiled every kernel for float32 and float64 in {seconds:.1f} s")
    for char, dtype in choice.DTYPES.items():
        to_stdout(*paragraph(f"products of {dtype}: {choice.text_of(char)}", "  "))
    cache = folder()
    to_stdout(f"stored in {cache}" if cache else "not stored: no cache folder can be written")
    return 0


def measure_products() -> None:
    """Measure whether loops or NumPy are faster, where that is not kept, or not sure."""
    if choice.has_tiles() and choice.from_environment() is None:
        for char in choice.DTYPES:
            time.sleep(REST)
            choice.measured(char, until_sure=True)


def call_on_threads() -> None:
    """Call a kernel on two threads, which compiles the code that distributes kernels."""
    out = np.zeros(1000, np.float32)
    loop = kernels.add.definition.loop  # type: ignore[attr-defined] # `formula` sets it
    in_parts(Call(loop, (out, out, out), 1), 2)


def call_all(dtype: str) -> None:
    """Call each kernel once, on small arrays."""
    for name, kernel in with_loops().items():
        kernel.call(*case(name, 2, 4, dtype, 0))
    kernels.standard_normal(np.random.default_rng(0), (1000,), dtype)


def call_in_replay(dtype: str) -> None:
    """Run what only replays use: clearing memory, and the first sum that is added to it."""
    cleared, into, sums = np.ones(4, dtype), np.ones((2, 4), dtype), np.ones(4, dtype)
    with recording() as notes:
        for array in (cleared, into, sums):
            kernels.clear(array)
        kernels.add_in_place(np.ones((2, 4), dtype), into)
        kernels.add_sum(np.ones((2, 4), dtype), sums)
    Plan(notes, threads=1).run()

"""The speed of each kernel's compiled loop beside its formula in NumPy."""

from functools import partial
from typing import Any

import numpy as np

from ..kernels import standard_normal
from ..kernels.cases import case, with_loops
from ..kernels.formulas import by_formulas, numba_works, want_loops
from ..kernels.sharing import threads
from ..kernels.workspaces import Workspace
from .machine import thread_counts, threads_text
from .result import Result, Row, time_text
from .settings import Settings
from .timing import Call, in_turns

ROWS, COLUMNS = 128, 784
PRODUCTS = ("times", "affine", "add_outer", "times_transpose")  # measured by products.py
OF_FEW_NUMBERS = ("negative_bound",)


def measure(settings: Settings) -> Result:
    """A row for each kernel: the times of formula and loop, and their ratio."""
    if not numba_works():
        return Result("Kernels", lines=["no numba here, so no kernel has a compiled loop"])
    want_loops()
    counts = thread_counts(settings.threads)
    many = settings.some(ROWS, 8)
    size = many * COLUMNS
    data: dict[str, Any] = {"size": size, "measured": {}}
    rows: list[Row] = []
    for name, call in calls(many).items():
        times = one_kernel(call, counts, settings.rounds)
        data["measured"][name] = times
        before, best = times["reference"], times[str(counts[-1])]
        each = [time_text(times[str(n)]) for n in counts]
        ratio = f"{before / best:.1f}"
        rows.append((name, time_text(before), *each, ratio, f"{best / size * 1e9:.3f} ns"))
    head = ("", "NumPy", *map(threads_text, counts), "ratio", "per number")
    lines = [f"{size:,} float32 numbers; ratio: NumPy's time / time on {threads_text(counts[-1])}"]
    return Result("Kernels", head, rows, lines, data)


def calls(rows: int) -> dict[str, Call]:
    """Each kernel that takes arrays of any size by name, with arguments; not the products."""
    kernels: dict[str, Call] = {
        name: partial(kernel.call, *case(name, rows, COLUMNS, "float32", 0))
        for name, kernel in with_loops().items()
        if name not in (*PRODUCTS, *OF_FEW_NUMBERS)
    }
    shape = (rows, COLUMNS)
    kernels["standard_normal"] = partial(
        standard_normal, np.random.default_rng(0), shape, "float32"
    )
    return kernels


def by_formula(call: Call) -> None:
    """Run the call in NumPy."""
    with by_formulas():
        call()


def one_kernel(call: Call, counts: list[int], rounds: int) -> dict[str, float]:
    """Median seconds of its formula, and of its loop by number of threads.

    As in training, the loop reuses the memory of earlier calls.
    """
    workspace = Workspace()

    def on(count: int) -> None:
        with threads(count), workspace.step():
            call()

    timed: dict[str, Call] = {"reference": partial(by_formula, call)}
    timed |= {str(count): partial(on, count) for count in counts}
    return {key: times.median for key, times in in_turns(timed, rounds).items()}

"""Each kernel that has a twin, beside its NumPy reference."""

import functools
from typing import Any

from ..kernels.compiling import numba_works, want_twins
from ..kernels.sharing import threads
from .cases import CASES, twins
from .machine import thread_counts, threads_text
from .result import Result, Row, time_text
from .settings import Settings
from .timing import in_turns

ROWS, COLUMNS = 128, 784


def measure(settings: Settings) -> Result:
    """A row for each kernel: the times, and how many times as fast the twin is."""
    if not numba_works():
        return Result("Kernels", lines=["numba is not at work here, so no kernel has a twin"])
    want_twins()
    counts = thread_counts(settings.threads)
    many = settings.some(ROWS, 8)
    size = many * COLUMNS
    data: dict[str, Any] = {"size": size, "measured": {}}
    rows: list[Row] = []
    without = [name for name in twins() if name not in CASES]
    for name in (name for name in twins() if name in CASES):
        times = one_kernel(name, many, counts, settings.rounds)
        data["measured"][name] = times
        reference, best = times["reference"], times[str(counts[-1])]
        each = [time_text(times[str(n)]) for n in counts]
        ratio = f"{reference / best:.1f}"
        rows.append((name, time_text(reference), *each, ratio, f"{best / size * 1e9:.3f} ns"))
    head = ("", "NumPy", *map(threads_text, counts), "ratio", "a number")
    lines = [
        f"{size:,} numbers of float32; ratio: NumPy's time over that on {threads_text(counts[-1])}"
    ]
    if without:
        lines.append(f"not timed, for want of a case in bench/cases.py: {', '.join(without)}")
    return Result("Kernels", head, rows, lines, data)


def one_kernel(name: str, n: int, counts: list[int], rounds: int) -> dict[str, float]:
    """Median seconds of its reference, and of the twin by number of threads."""
    kernel = twins()[name]

    def on(count: int, args: list[Any]) -> None:
        with threads(count):
            kernel(*args)

    calls: dict[str, Any] = {
        "reference": functools.partial(kernel.reference, *CASES[name](n, COLUMNS, "float32", 0))
    }
    for count in counts:
        calls[str(count)] = functools.partial(on, count, CASES[name](n, COLUMNS, "float32", 0))
    return {key: one.median for key, one in in_turns(calls, rounds).items()}

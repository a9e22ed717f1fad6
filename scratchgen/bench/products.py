"""The speed of the three products of a dense layer, beside np.matmul.

    y = x w,   dw += x^T dy,   dx = dy w^T       x (N, I), w (I, O): 2 N I O operations each   (1)

Two lists of shapes (N, I, O), drawn by NumPy's PCG64 with a fixed seed:

    60 shapes     every side uniform in 128 ... 1,024, smallest and largest first, seed 60 (2)
    200 shapes    log2 of every side uniform in 0 ... 11: from 1 to 2,048, seed 200       (3)

Ours run as in training, from a table (kernels/plans.py) with ROWS equal products, on all threads
even where fewer would be faster. np.matmul is called from Python, as training in NumPy would do.
Both are timed, whichever of them training would choose (kernels/choice.py).
Ours and NumPy's run in separate processes for each number of threads: a BLAS reads its number of
threads only at its start, and idle threads keep a CPU busy for a while.

    python -m scratchgen.bench.products THREADS ROUNDS few|all ours|numpy
"""

import functools
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..kernels.choice import products_by
from ..kernels.formulas import numba_works, want_loops
from ..kernels.plans import Plan, Table
from ..kernels.recording import Call, recording
from .machine import peaks, thread_counts, threads_text
from .result import Result, Row, progress
from .settings import Settings
from .timing import in_turns
from .workers import WorkerError

Triple = tuple[int, int, int]
KINDS = ("x w", "x^T dy", "dy w^T")
FEW = 3  # shapes in a quick run, all small
ROWS = 10
LISTS = {
    "60 shapes, sides 128 to 1,024": "60",
    "200 shapes, sides 1 to 2,048": "200",
}


def sixty() -> list[Triple]:
    """The list (2)."""
    drawn = np.random.default_rng(60).integers(128, 1025, (58, 3))
    return [(128, 128, 128), (1024, 1024, 1024), *((int(n), int(i), int(o)) for n, i, o in drawn)]


def two_hundred() -> list[Triple]:
    """The list (3)."""
    sides = np.exp2(np.random.default_rng(200).uniform(0, 11, (200, 3)))
    return [(int(n), int(i), int(o)) for n, i, o in np.rint(sides)]


def calls(shape: Triple, dtype: str = "float32") -> dict[str, tuple[Callable[[], Any], ...]]:
    """Our call and NumPy's, by kind of product."""
    n, i, o = shape
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(s).astype(dtype) for s in ((n, i), (i, o), (n, o)))
    y, dw, dx = np.zeros_like(dy), np.zeros_like(w), np.zeros_like(x)
    into = np.zeros_like(w)
    pairs: dict[str, tuple[Callable[[], Any], ...]] = {
        "x w": (
            functools.partial(kernels.times, x, w),
            functools.partial(np.matmul, x, w, out=y),
        ),
        "x^T dy": (
            functools.partial(kernels.add_outer, x, dy, into=into),
            functools.partial(np.matmul, x.T, dy, out=dw),
        ),
        "dy w^T": (
            functools.partial(kernels.times_transpose, dy, w),
            functools.partial(np.matmul, dy, w.T, out=dx),
        ),
    }
    return pairs


def replayed(call: Callable[[], Any]) -> Callable[[], None]:
    """A function that replays the loop of `call` ROWS times; without numba, NumPy runs it."""
    with recording() as notes, products_by("ours"):
        call()
    notes.events *= ROWS
    products = [event for event in notes.events if isinstance(event, Call)]
    threads = kernels.threads_now()
    return Table(products, threads).run_together if products else Plan(notes, threads).run


def one_process(threads: int, rounds: int, few: bool, whose: str) -> dict[str, Any]:
    """Seconds of ours or NumPy's by list, shape and kind, on that many threads."""
    want_loops()
    seconds: dict[str, Any] = {"peak": _peak(threads, few) if whose == "ours" else 0.0}
    for name, shapes in (("60", sixty()), ("200", two_hundred())):
        chosen = sorted(shapes, key=operations)[: 3 * FEW : 3] if few else shapes
        seconds[name] = [one_shape(shape, rounds, whose) for shape in chosen]
    if whose == "ours":
        seconds["peak"] = max(seconds["peak"], _peak(threads, few))
    return seconds


def _peak(threads: int, few: bool) -> float:
    if not numba_works():
        return 0.0
    return peaks(Settings(threads=threads, quick=few)).get(str(threads), {}).get("float32", 0.0)


def one_shape(shape: Triple, rounds: int, whose: str) -> dict[str, Any]:
    """Median seconds of one shape, by kind of product."""
    medians: dict[str, Any] = {"shape": list(shape)}
    for kind, (ours, numpy) in calls(shape).items():
        call, times = (replayed(ours), ROWS) if whose == "ours" else (numpy, 1)
        medians[kind] = in_turns({kind: call}, rounds)[kind].median / times
    return medians


def operations(shape: Triple) -> float:
    """Operations of one product; (1)."""
    n, i, o = shape
    return 2.0 * n * i * o


def measure(settings: Settings) -> Result:
    """A row for each list, number of threads and kind of product."""
    found: dict[str, Any] = {}
    for threads in thread_counts(settings.threads):
        ours, numpy = (_process(threads, settings, whose) for whose in ("ours", "numpy"))
        for name in LISTS.values():
            for mine, theirs in zip(ours[name], numpy[name], strict=True):
                mine |= {kind: [mine[kind], theirs[kind]] for kind in KINDS}
        found[str(threads)] = ours
    progress("")
    return report(found)


def _process(threads: int, settings: Settings, whose: str) -> dict[str, Any]:
    """The results of `one_process` in a new process."""
    progress(f"products, {whose}, {threads_text(threads)}")
    few = "few" if settings.quick else "all"
    command = [sys.executable, "-m", __name__, str(threads), str(settings.rounds), few, whose]
    own = Settings(threads=threads)
    done = subprocess.run(command, env=own.environment(), capture_output=True, text=True)
    if done.returncode:
        raise WorkerError(f"products: {done.stderr.strip().splitlines()[-1]}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def report(found: dict[str, Any]) -> Result:
    """The results, by number of threads, as a table and summary lines."""
    head: Row = ("", "", "GFLOP/s", "np.matmul", "of peak", "ratio", "worst")
    rows: list[Row] = []
    lines: list[str] = []
    data: dict[str, Any] = {"measured": found, "summary": []}
    for threads, lists in found.items():
        for title, name in LISTS.items():
            for kind in KINDS:
                rows.append((f"{name} shapes, {threads_text(threads)}", kind,
                             *_cells(lists[name], [kind], lists["peak"])))  # fmt: skip
            totals = summary(lists[name], lists["peak"])
            data["summary"].append({"threads": int(threads), "list": name, **totals})
            where = f"{title}, {threads_text(threads)}"
            ratio, peak = totals["ratio"], totals["of_peak"]
            if name == "60" and lists["peak"]:
                lines.append(
                    f"{where}: median {100 * peak['median']:.0f} % of peak, worst "
                    f"{100 * peak['worst']:.0f} % at {_text(peak)}"
                )
            lines.append(
                f"{where}: np.matmul's time / ours: median {ratio['median']:.2f}, worst "
                f"{ratio['worst']:.2f} at {_text(ratio)}"
            )
    lines.append("ratio, worst: median and minimum of np.matmul's time / ours")
    return Result("Products of float32 matrices", head, rows, lines, data, sides="<<>>>>>")


def summary(measured: list[dict[str, Any]], peak: float) -> dict[str, Any]:
    """Median and worst over shapes and kinds, of the share of peak and the ratio to np.matmul."""
    shares, ratios = [], []
    for entry in measured:
        for kind in KINDS:
            ours, numpy = entry[kind]
            where = {"shape": entry["shape"], "kind": kind}
            ratios.append({"value": numpy / ours, **where})
            shares.append(
                {"value": operations(entry["shape"]) / ours / peak if peak else 0, **where}
            )
    return {"of_peak": _extremes(shares), "ratio": _extremes(ratios)}


def _extremes(values: list[dict[str, Any]]) -> dict[str, Any]:
    worst = min(values, key=lambda entry: entry["value"])
    median = statistics.median(entry["value"] for entry in values)
    return {"median": median, "worst": worst["value"], "shape": worst["shape"],
            "kind": worst["kind"]}  # fmt: skip


def _text(where: dict[str, Any]) -> str:
    n, i, o = where["shape"]
    return f"N {n}, I {i}, O {o}, {where['kind']}"


def _cells(measured: list[dict[str, Any]], kinds: list[str], peak: float) -> tuple[str, ...]:
    """Medians over the shapes: rates, share of peak, ratio; and the minimum of the ratio."""
    each = [(operations(entry["shape"]), *entry[kind]) for entry in measured for kind in kinds]
    rates = [statistics.median(flops / t[k] for flops, *t in each) for k in (0, 1)]
    ratios = [numpy / ours for _, ours, numpy in each]
    share = f"{100 * rates[0] / peak:.0f} %" if peak else "-"
    numbers = (f"{rate / 1e9:.3g}" for rate in rates)
    return (*numbers, share, f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(one_process(int(given[0]), int(given[1]), given[2] == "few", given[3])))

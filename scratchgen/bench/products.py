"""The three products of a dense layer, in GFLOP/s and beside np.matmul.

    y = x w,   dw += x^T dy,   dx = dy w^T       x (N, I), w (I, O): 2 N I O operations each   (1)

Two lists of shapes (N, I, O), drawn once and for all with NumPy's PCG64 by a fixed seed:

    60 shapes     every side uniform in 128 ... 1,024, the two corners first, seed 60     (2)
    200 shapes    log2 of every side uniform in 0 ... 11: from 1 to 2,048, seed 200       (3)

Ours run as they do in training, from a table (kernels/plans.py), ROWS of the same one after the
other, on several threads, faster or not; np.matmul is called from Python, as it would be there. For
each number of threads ours and NumPy's have a process each: a BLAS is told only at its start, and
threads that have nothing to do take the CPU from others for a while.

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
FEW = 3  # shapes of a quick run, and none of them large
ROWS = 10
ASKED = {
    "60 shapes, sides 128 to 1,024": "60",
    "200 shapes, sides 1 to 2,048": "200",
}


def sixty() -> list[Triple]:
    """(2)."""
    drawn = np.random.default_rng(60).integers(128, 1025, (58, 3))
    return [(128, 128, 128), (1024, 1024, 1024), *((int(n), int(i), int(o)) for n, i, o in drawn)]


def two_hundred() -> list[Triple]:
    """(3)."""
    sides = np.exp2(np.random.default_rng(200).uniform(0, 11, (200, 3)))
    return [(int(n), int(i), int(o)) for n, i, o in np.rint(sides)]


def calls(shape: Triple, dtype: str = "float32") -> dict[str, tuple[Callable[[], Any], ...]]:
    """By kind of product: ours, and NumPy's."""
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
    """The kernel in `call`, ROWS times, as a plan; the call itself where NumPy does it."""
    with recording() as notes:
        call()
    notes.events *= ROWS
    products = [one for one in notes.events if isinstance(one, Call)]
    threads = kernels.threads_now()
    return Table(products, threads).run_together if products else Plan(notes, threads).run


def one_process(threads: int, rounds: int, few: bool, whose: str) -> dict[str, Any]:
    """Seconds on that many threads by list, shape and kind, of ours or of NumPy's."""
    want_loops()
    found: dict[str, Any] = {"peak": _peak(threads, few) if whose == "ours" else 0.0}
    for name, shapes in (("60", sixty()), ("200", two_hundred())):
        chosen = sorted(shapes, key=operations)[: 3 * FEW : 3] if few else shapes
        found[name] = [one_shape(shape, rounds, whose) for shape in chosen]
    if whose == "ours":
        found["peak"] = max(found["peak"], _peak(threads, few))
    return found


def _peak(threads: int, few: bool) -> float:
    if not numba_works():
        return 0.0
    return peaks(Settings(threads=threads, quick=few)).get(str(threads), {}).get("float32", 0.0)


def one_shape(shape: Triple, rounds: int, whose: str) -> dict[str, Any]:
    """Median seconds by kind."""
    medians: dict[str, Any] = {"shape": list(shape)}
    for kind, (ours, numpy) in calls(shape).items():
        call, times = (replayed(ours), ROWS) if whose == "ours" else (numpy, 1)
        medians[kind] = in_turns({kind: call}, rounds)[kind].median / times
    return medians


def operations(shape: Triple) -> float:
    """(1)."""
    n, i, o = shape
    return 2.0 * n * i * o


def measure(settings: Settings) -> Result:
    """The table of the products, a row for each list and number of threads."""
    found: dict[str, Any] = {}
    for threads in thread_counts(settings.threads):
        ours, numpy = (_process(threads, settings, whose) for whose in ("ours", "numpy"))
        for name in ASKED.values():
            for mine, theirs in zip(ours[name], numpy[name], strict=True):
                mine |= {kind: [mine[kind], theirs[kind]] for kind in KINDS}
        found[str(threads)] = ours
    progress("")
    return report(found)


def _process(threads: int, settings: Settings, whose: str) -> dict[str, Any]:
    """What a process of its own measures."""
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
    """What the processes measured, by number of threads, as a table and summary lines."""
    head: Row = ("", "", "GFLOP/s", "np.matmul", "of peak", "ratio", "worst")
    rows: list[Row] = []
    lines: list[str] = []
    data: dict[str, Any] = {"measured": found, "summary": []}
    for threads, lists in found.items():
        for title, name in ASKED.items():
            for kind in KINDS:
                rows.append((f"{name} shapes, {threads_text(threads)}", kind,
                             *_cells(lists[name], [kind], lists["peak"])))  # fmt: skip
            one = summary(lists[name], lists["peak"])
            data["summary"].append({"threads": int(threads), "list": name, **one})
            where = f"{title}, {threads_text(threads)}"
            ratio, peak = one["ratio"], one["of_peak"]
            if name == "60" and lists["peak"]:
                lines.append(
                    f"{where}: median {100 * peak['median']:.0f} % of peak, worst "
                    f"{100 * peak['worst']:.0f} % at {_text(peak)}"
                )
            lines.append(
                f"{where}: np.matmul's time over ours: median {ratio['median']:.2f}, worst "
                f"{ratio['worst']:.2f} at {_text(ratio)}"
            )
    lines.append("ratio, worst: np.matmul's time over ours, its median and its least")
    return Result("Products of float32 matrices", head, rows, lines, data, sides="<<>>>>>")


def summary(measured: list[dict[str, Any]], peak: float) -> dict[str, Any]:
    """The median and the worst share of peak, and ratio to np.matmul, over shapes and kinds."""
    shares, ratios = [], []
    for one in measured:
        for kind in KINDS:
            ours, numpy = one[kind]
            where = {"shape": one["shape"], "kind": kind}
            ratios.append({"value": numpy / ours, **where})
            shares.append({"value": operations(one["shape"]) / ours / peak if peak else 0, **where})
    return {"of_peak": _extremes(shares), "ratio": _extremes(ratios)}


def _extremes(values: list[dict[str, Any]]) -> dict[str, Any]:
    worst = min(values, key=lambda one: one["value"])
    median = statistics.median(one["value"] for one in values)
    return {"median": median, "worst": worst["value"], "shape": worst["shape"],
            "kind": worst["kind"]}  # fmt: skip


def _text(where: dict[str, Any]) -> str:
    n, i, o = where["shape"]
    return f"N {n}, I {i}, O {o}, {where['kind']}"


def _cells(measured: list[dict[str, Any]], kinds: list[str], peak: float) -> tuple[str, ...]:
    """Medians over the shapes: rates, share of peak, ratio, and its least."""
    each = [(operations(one["shape"]), *one[kind]) for one in measured for kind in kinds]
    rates = [statistics.median(flops / t[k] for flops, *t in each) for k in (0, 1)]
    ratios = [numpy / ours for _, ours, numpy in each]
    share = f"{100 * rates[0] / peak:.0f} %" if peak else "-"
    numbers = (f"{rate / 1e9:.3g}" for rate in rates)
    return (*numbers, share, f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(one_process(int(given[0]), int(given[1]), given[2] == "few", given[3])))

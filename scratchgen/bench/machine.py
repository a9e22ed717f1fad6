"""The machine: CPU, caches, versions, peak (kernels/native/peak.py), and what was chosen for it."""

import datetime
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..ground.versions import __version__, is_installed, to_install
from ..kernels import caches, choice, machine_files, thread_count
from ..kernels.formulas import numba_works
from ..kernels.sharing import usable_cpus
from .result import Result, Row
from .settings import Settings

CPUINFO = Path("/proc/cpuinfo")
MEGABYTES = 200
MOST_OF_IT = 0.75  # of the peak of as many CPUs
REST = 0.3  # seconds in which the threads of a library that has multiplied go to sleep
NOTES = [
    "products: measured once and kept, until `scratchgen warmup` measures again what was not sure; "
    "SCRATCHGEN_PRODUCTS=ours or numpy overrules it",
    "where NumPy multiplies, results may depend on its library and on the library's threads",
]


def measure(settings: Settings) -> Result:
    """A table of the machine."""
    data: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_name(),
        "cpus": usable_cpus(),
        "caches": caches.sizes(),
        "versions": versions(),
    }
    rows: list[Row] = [
        ("CPU", f"{data['cpu']}, {data['cpus']} usable"),
        ("caches", ", ".join(f"{name} {size}" for name, size in data["caches"].items())),
        ("versions", ", ".join(f"{name} {version}" for name, version in data["versions"].items())),
    ]
    lines = []
    if numba_works():
        data["peak"] = peaks(settings)
        data["bandwidth"] = bandwidths(settings)
        for n, rates in data["peak"].items():
            text = ", ".join(f"{dtype} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in rates.items())
            rows.append((f"peak, {threads_text(n)}", text))
        for n, rate in data["bandwidth"].items():
            rows.append((f"memory, {threads_text(n)}", f"{rate / 1e9:.0f} GB/s"))
        lines.append(
            "peak: fused multiply-adds in registers; memory: a triad over "
            f"{settings.some(MEGABYTES, 12)} MB"
        )
        rows += chosen_here(data)
        lines += NOTES
        lines += missing_cpus({int(n): rates["float32"] for n, rates in data["peak"].items()})
    else:
        missing = "" if is_installed("numba") else f": {to_install('numba')}"
        lines.append(f"no numba here, so no peak is measured{missing}")
    rows = [row for row in rows if row[1]]
    return Result("Machine", rows=rows, lines=lines, data=data, sides="<<")


def chosen_here(data: dict[str, Any]) -> list[Row]:
    """Rows of what was chosen by measuring on this machine, which also goes into `data`."""
    rows: list[Row] = []
    data["products"] = {}
    for char, dtype in choice.DTYPES.items():
        time.sleep(REST)
        rows.append((f"products, {dtype}", choice.text_of(char)))
        is_measured = choice.has_tiles() and choice.from_environment() is None
        data["products"][dtype] = choice.measured(char) if is_measured else {}
    values = thread_count.settle("f")
    data["threads"] = values or {}
    rows.append(("threads", thread_count.text_of(values)))
    return rows


def peaks(settings: Settings) -> dict[str, dict[str, float]]:
    """Operations per second by number of threads and dtype; {} without vector instructions."""
    from ..kernels.native import peak

    rounds = settings.some(7, 1)
    rates_by_threads = {
        str(n): {dtype: peak.fma_rate(n, dtype, rounds) for dtype in ("float32", "float64")}
        for n in thread_counts(settings.threads)
    }
    return {n: rates for n, rates in rates_by_threads.items() if all(rates.values())}


def bandwidths(settings: Settings) -> dict[str, float]:
    """Bytes per second by number of threads."""
    from ..kernels.native import peak

    size, rounds = settings.some(MEGABYTES, 12), settings.some(7, 1)
    return {str(n): peak.bandwidth(n, size, rounds) for n in thread_counts(settings.threads)}


def missing_cpus(peak: dict[int, float]) -> list[str]:
    """A line for each number of threads that did not get as many CPUs, judged by its peak."""
    return [
        f"{threads_text(n)} reach {rate / peak[1]:.2f} times the peak of one: they did not get "
        f"{n} CPUs just now, so results on {n} threads mean little"
        for n, rate in peak.items()
        if rate < MOST_OF_IT * n * peak[1]
    ]


def thread_counts(most: int) -> list[int]:
    """[1, most], or [1]."""
    return sorted({1, most})


def threads_text(n: Any) -> str:
    """`1 thread`, `2 threads`."""
    return "1 thread" if int(n) == 1 else f"{n} threads"


def cpu_name() -> str:
    """The CPU's own name, and LLVM's name for it if numba is there."""
    name = platform.processor() or platform.machine()
    if CPUINFO.exists():
        lines = CPUINFO.read_text().splitlines()
        name = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), name)
    if not numba_works():
        return name
    from ..kernels.native import target

    return f"{name} ({target.name()})"


def versions() -> dict[str, str]:
    """The versions of all packages that matter."""
    from importlib.metadata import version

    blas = machine_files.blas()
    known = {
        "scratchgen": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        str(blas.get("name", "BLAS")): str(blas.get("version", "?")),
    }
    return known | ({"numba": version("numba")} if is_installed("numba") else {})

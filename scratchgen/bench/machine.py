"""The machine: its name, its caches, and what it can do at best (kernels/native/peak.py)."""

import datetime
import platform
from pathlib import Path
from typing import Any

import numpy as np

from ..ground.versions import __version__, is_installed, to_install
from ..kernels.formulas import numba_works
from ..kernels.sharing import usable_cpus
from .result import Result, Row
from .settings import Settings

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
CPUINFO = Path("/proc/cpuinfo")
MEGABYTES = 200
MOST_OF_IT = 0.75  # of the peak that so many CPUs have


def measure(settings: Settings) -> Result:
    """The table of the machine."""
    found: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_name(),
        "cpus": usable_cpus(),
        "caches": caches(),
        "versions": versions(),
    }
    rows: list[Row] = [
        ("CPU", f"{found['cpu']}, {found['cpus']} to be used"),
        ("caches", ", ".join(f"{name} {size}" for name, size in found["caches"].items())),
        ("versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items())),
    ]
    lines = []
    if numba_works():
        found["peak"] = peaks(settings)
        found["bandwidth"] = bandwidths(settings)
        for n, rates in found["peak"].items():
            text = ", ".join(f"{dtype} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in rates.items())
            rows.append((f"peak, {threads_text(n)}", text))
        for n, rate in found["bandwidth"].items():
            rows.append((f"memory, {threads_text(n)}", f"{rate / 1e9:.0f} GB/s"))
        lines.append(
            "peak: fused multiply-adds in registers alone; memory: a triad over "
            f"{settings.some(MEGABYTES, 12)} MB"
        )
        lines += missing_cpus({int(n): rates["float32"] for n, rates in found["peak"].items()})
    else:
        missing = "" if is_installed("numba") else f": {to_install('numba')}"
        lines.append(f"numba is not at work here, so no peak is measured{missing}")
    rows = [row for row in rows if row[1]]
    return Result("Machine", rows=rows, lines=lines, data=found, sides="<<")


def peaks(settings: Settings) -> dict[str, dict[str, float]]:
    """Operations a second by number of threads, then by dtype; {} without vectors."""
    from ..kernels.native import peak

    rounds = settings.some(7, 1)
    found = {
        str(n): {dtype: peak.fma_rate(n, dtype, rounds) for dtype in ("float32", "float64")}
        for n in thread_counts(settings.threads)
    }
    return {n: rates for n, rates in found.items() if all(rates.values())}


def bandwidths(settings: Settings) -> dict[str, float]:
    """Bytes a second by number of threads."""
    from ..kernels.native import peak

    size, rounds = settings.some(MEGABYTES, 12), settings.some(7, 1)
    return {str(n): peak.bandwidth(n, size, rounds) for n in thread_counts(settings.threads)}


def missing_cpus(peak: dict[int, float]) -> list[str]:
    """A line for each number of threads that did not get as many CPUs, by operations a second."""
    return [
        f"{threads_text(n)} reach {rate / peak[1]:.2f} times the peak of one: they were not given "
        f"{n} CPUs just now, and what is measured on {n} says little"
        for n, rate in peak.items()
        if rate < MOST_OF_IT * n * peak[1]
    ]


def thread_counts(most: int) -> list[int]:
    """One, and as many as are asked for."""
    return sorted({1, most})


def threads_text(n: Any) -> str:
    """`1 thread`, `2 threads`."""
    return "1 thread" if int(n) == 1 else f"{n} threads"


def cpu_name() -> str:
    """As the CPU calls itself, with what LLVM calls it, where that is known."""
    name = platform.processor() or platform.machine()
    if CPUINFO.exists():
        lines = CPUINFO.read_text().splitlines()
        name = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), name)
    if not numba_works():
        return name
    from ..kernels.native import peak

    return f"{name} ({peak.cpu()})"


def caches() -> dict[str, str]:
    """By level, `L1d`, `L2` ..., of one core; {} where the system does not say."""
    found = {}
    for place in sorted(CACHES.glob("index*")):
        level, kind, size = (
            (place / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            found[f"L{level}{'d' if kind == 'Data' else ''}"] = size
    return found


def versions() -> dict[str, str]:
    """Of what takes part."""
    from importlib.metadata import version

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    found = {
        "scratchgen": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        str(blas.get("name", "BLAS")): str(blas.get("version", "?")),
    }
    return found | ({"numba": version("numba")} if is_installed("numba") else {})

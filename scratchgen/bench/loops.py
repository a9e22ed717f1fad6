"""The cycles of our innermost loops on CPUs that need not be there, by llvm-mca's models of them.

    peak = the multiply-adds a cycle in registers alone (kernels/native/peak.py)             (1)
    share = multiply-adds in an iteration / its cycles / peak                                (2)

The code is what each CPU would run (foreign_code.py). So a change that makes a loop slower on a CPU
that nobody has shows here, for example sums or masks that no longer fit in the registers and are
read from the stack in every iteration. In these models no memory is slow and no jump unexpected.
LLVM 19 takes the model of Zen 4 for Zen 5, and that of Apple's A7 for the M1.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..kernels.formulas import numba_works
from .assembly import Loop
from .cycles import HOW_TO_GET_IT, Iteration, iterations, llvm_mca
from .foreign_code import CPUS, DTYPES, environment
from .result import Result, Row, progress
from .settings import Settings
from .workers import WorkerError

QUICK = ("znver3",)
TILE, PEAK = "multiply_tile", "multiply_add"
TITLE = "Innermost loops on other CPUs, by models of them"
HEAD: Row = ("", "bits", "cycles", "each", "share", "limit", "stack", "mask")
LINES = [
    "bits: of its vectors, 0 for single numbers; cycles: of an iteration; each: cycles for a "
    "multiply-add of vectors, in other loops for a number; share: of the multiply-adds a cycle "
    "in a loop that needs no memory",
    "limit: the ports that are always busy, or starts: all instructions that the CPU can start, "
    "or waits: for results; stack, mask: how many read or write the stack, or use a mask",
    "of the tiles: the largest, one of half as many sums, and all that use the stack; of every "
    "other kernel the loop that does most for each number",
]


@dataclass(frozen=True)
class Measured:
    """A loop of a kernel, and its iteration: None if llvm-mca does not know an instruction."""

    kernel: str
    loop: Loop
    iteration: Iteration | None

    def record(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        loop, iteration = self.loop, self.iteration
        return {
            "kernel": self.kernel,
            "instructions": len(loop.lines),
            "bits": loop.bits,
            "numbers": loop.numbers(_itemsize(self.kernel)),
            "multiply_adds": loop.multiply_adds,
            "sums": loop.sums,
            "stack": loop.stack,
            "masked": loop.masked,
            "gathers": loop.gathers,
            "calls": loop.calls,
            "cycles": iteration.cycles if iteration else None,
            "limit": iteration.limit if iteration else None,
        }


def measure(settings: Settings) -> Result:
    """One table, with a block of rows for each CPU."""
    if not numba_works():
        return Result(TITLE, lines=["no numba here, so there are no compiled loops"])
    tool = llvm_mca()
    if tool is None:
        return Result(TITLE, lines=[HOW_TO_GET_IT])
    cpus = settings.cpus or (QUICK if settings.quick else tuple(CPUS))
    found: dict[str, list[Measured]] = {}
    missing = []
    with ThreadPoolExecutor(settings.threads) as several:
        tasks = {cpu: several.submit(one_cpu, tool, cpu, settings) for cpu in cpus}
        for number, (cpu, task) in enumerate(tasks.items()):
            progress(f"loops, {cpu}, {number} of {len(cpus)} CPUs done")
            try:
                found[cpu] = task.result()
            except WorkerError as problem:
                missing.append(str(problem))
    progress("")
    return report(found, missing, Path(tool).name)


def one_cpu(tool: str, cpu: str, settings: Settings) -> list[Measured]:
    """The loops of all kernels, compiled for that CPU in a process of its own, and their cycles."""
    triple, _ = CPUS[cpu]
    iterations(tool, triple, cpu, [["nop"]])  # does it know the CPU?
    kernels = loops_for(cpu, settings)
    pairs = [(kernel, loop) for kernel, loops in kernels.items() for loop in loops]
    each = iterations(tool, triple, cpu, [loop.lines for _, loop in pairs])
    return [Measured(*pair, iteration) for pair, iteration in zip(pairs, each, strict=True)]


def loops_for(cpu: str, settings: Settings, wanted: str = "") -> dict[str, list[Loop]]:
    """The innermost loops by kernel; wanted = "products" leaves out all other kernels."""
    command = [sys.executable, "-m", "scratchgen.bench.foreign_code", cpu, wanted]
    its_own = {"SCRATCHGEN_THREADS": "1", **environment(cpu)}
    done = subprocess.run(
        command, env=settings.environment(**its_own), capture_output=True, text=True
    )
    if done.returncode:
        raise WorkerError(f"{cpu}: {done.stderr.strip().splitlines()[-1]}")
    kernels = json.loads(done.stdout)
    return {kernel: [Loop(**loop) for loop in loops] for kernel, loops in kernels.items()}


def report(found: dict[str, list[Measured]], missing: list[str], tool: str) -> Result:
    """The loops by CPU as a table; `missing` are lines that say why a CPU has none."""
    rows: list[Row] = []
    data: dict[str, Any] = {"tool": tool, "cpus": {}, "missing": missing}
    for cpu, measured in found.items():
        peak = peaks(measured)
        data["cpus"][cpu] = {"peak": peak, "loops": [entry.record() for entry in measured]}
        rows += [(cpu, *[""] * (len(HEAD) - 1))]
        rows += [_row(name, entry, peak) for name, entry in chosen(measured)]
    lines = [*missing, *(LINES if rows else [])]
    return Result(f"{TITLE} ({tool})", HEAD, rows, lines, data, sides="<>>>><>>")


def peaks(measured: list[Measured]) -> dict[str, float]:
    """(1) by dtype."""
    found: dict[str, float] = {}
    for entry in measured:
        name, _, dtype = entry.kernel.partition(" ")
        if name == PEAK and entry.iteration:
            rate = entry.loop.multiply_adds / entry.iteration.cycles
            found[dtype] = max(found.get(dtype, 0.0), rate)
    return found


def chosen(measured: list[Measured]) -> Iterator[tuple[str, Measured]]:
    """The loops that the table shows, with their names."""
    by_kernel: dict[str, list[Measured]] = {}
    for entry in measured:
        by_kernel.setdefault(entry.kernel, []).append(entry)
    for kernel in sorted(by_kernel, key=lambda kernel: not kernel.startswith(TILE)):
        name, _, dtype = kernel.partition(" ")
        if name == TILE:
            for entry in _tiles(by_kernel[kernel]):
                yield f"tile, {entry.loop.sums} sums, {dtype}", entry
        elif name != PEAK:
            yield kernel, _main(by_kernel[kernel])


def _main(entries: list[Measured]) -> Measured:
    """The loop that does most for each number; of nearly equal ones, that of the longest vectors.

    Beside it a kernel has loops for the numbers that are left over, for other strides, and to copy.
    """
    work = [entry.loop.work(_itemsize(entry.kernel)) for entry in entries]
    likely = [entry for entry, w in zip(entries, work, strict=True) if 2 * w >= max(work)]
    return max(likely, key=lambda x: (x.loop.bits, -x.loop.masked, len(x.loop.lines)))


def _tiles(entries: list[Measured]) -> list[Measured]:
    """The largest tile, the nearest to half of it, and those that use the stack."""
    tiles = sorted(entries, key=lambda entry: (-entry.loop.sums, -entry.loop.multiply_adds))
    most = tiles[0].loop.sums
    half = min(tiles, key=lambda entry: abs(2 * entry.loop.sums - most))
    return [entry for entry in tiles if entry in (tiles[0], half) or _is_spilled(entry, most)]


def _is_spilled(entry: Measured, most: int) -> bool:
    """Whether a tile that matters, of a third of the sums or more, uses the stack."""
    return entry.loop.stack > 0 and 3 * entry.loop.sums >= most


def _row(name: str, entry: Measured, peak: dict[str, float]) -> Row:
    loop, iteration = entry.loop, entry.iteration
    _, _, dtype = entry.kernel.partition(" ")
    count = loop.multiply_adds if dtype in DTYPES else 0
    numbers = count or loop.numbers(_itemsize(entry.kernel))
    counts = (str(loop.stack or ""), str(loop.masked + loop.gathers or ""))
    if iteration is None:
        return (name, str(loop.bits), "?", "?", "", "not known", *counts)
    each = f"{iteration.cycles / numbers:#.3g}".removesuffix(".") if numbers else "?"
    share = ""
    if count and dtype in peak:
        share = f"{100 * count / iteration.cycles / peak[dtype]:.0f} %"  # (2)
    return (name, str(loop.bits), f"{iteration.cycles:.1f}", each, share, iteration.limit, *counts)


def _itemsize(kernel: str) -> int:
    return 8 if kernel.endswith("float64") else 4

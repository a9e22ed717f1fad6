"""What llvm-mca says of a loop: the cycles of an iteration, and what limits them.

LLVM's machine code analyser knows how many cycles each instruction takes on many CPUs, and on which
ports, the units that work side by side. It runs a block of instructions again and again on a model
of the CPU, so the CPU need not be there. The model finds all numbers in the first cache, guesses
every jump right, and takes all instructions of a loop in turn, those behind a jump within it too.

    cycles of an iteration = all cycles / ITERATIONS                                    (1)
    limit: the busiest port, where it works in NEARLY all cycles; else the micro-operations
           that the CPU can start, where these fill NEARLY all; else a wait for results (2)
"""

import json
import os
import re
import shutil
import string
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .workers import WorkerError

ITERATIONS = 300
NEARLY = 0.94
NAME = re.compile(r"llvm-mca(?:-(\d+))?(?:\.exe)?")
LETTERS = string.ascii_letters
UNKNOWN_CPU = "is not a recognized processor"
HOW_TO_GET_IT = (
    "llvm-mca is not on the PATH: it comes with LLVM (Debian and Ubuntu: apt-get install llvm, "
    "Fedora: dnf install llvm, macOS: brew install llvm)"
)


@dataclass(frozen=True)
class Iteration:
    """A iteration of a loop on a CPU."""

    cycles: float  # (1)
    limit: str  # (2)


def llvm_mca() -> str | None:
    """The newest llvm-mca on the PATH: the one whose name ends with the largest number."""
    found: dict[str, int] = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for path in Path(folder or ".").glob("llvm-mca*"):
            match = NAME.fullmatch(path.name)
            if match and shutil.which(path):
                found.setdefault(str(path), int(match[1] or 0))
    return max(found, key=lambda path: found[path], default=None)


def iterations(
    tool: str, triple: str, cpu: str, loops: Sequence[Sequence[str]]
) -> list[Iteration | None]:
    """An iteration of each loop, None where the tool does not know an instruction.

    Each loop is a list of instructions. Raises WorkerError if the tool does not know the CPU.
    """
    answer = _analysed(tool, triple, cpu, loops)
    if answer is not None:
        return list(parsed(answer))
    if len(loops) == 1:
        return [None]
    half = len(loops) // 2  # one instruction that is not known spoils the answer for all loops
    return iterations(tool, triple, cpu, loops[:half]) + iterations(tool, triple, cpu, loops[half:])


def _analysed(tool: str, triple: str, cpu: str, loops: Sequence[Sequence[str]]) -> Any:
    """The answer of llvm-mca for all loops; None if it does not know an instruction."""
    if not loops:
        return {"CodeRegions": [], "TargetInfo": {"Resources": []}}
    command = [tool, f"-mtriple={triple}", f"-mcpu={cpu}", f"-iterations={ITERATIONS}", "-json"]
    done = subprocess.run(command, input=marked(loops), capture_output=True, text=True)
    if UNKNOWN_CPU in done.stderr:
        raise WorkerError(f"{cpu}: not known to {Path(tool).name}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def marked(loops: Sequence[Sequence[str]]) -> str:
    """The loops as llvm-mca reads them, each between two comments."""
    lines: list[str] = []
    for number, loop in enumerate(loops):
        lines += [f"# LLVM-MCA-BEGIN {number}", *loop, f"# LLVM-MCA-END {number}"]
    return "\n".join([*lines, ""])


def parsed(answer: dict[str, Any]) -> list[Iteration]:
    """The iterations of all loops in an answer, which lists them in an order of its own."""
    ports = [_port(name) for name in answer["TargetInfo"]["Resources"]]
    regions = sorted(answer["CodeRegions"], key=lambda region: int(region["Name"]))
    return [_iteration(region, ports) for region in regions]


def _iteration(region: dict[str, Any], ports: list[str]) -> Iteration:
    summary = region["SummaryView"]
    cycles = summary["TotalCycles"] / summary["Iterations"]  # (1)
    busy = [0.0] * len(ports)
    last = len(region["Instructions"])  # its entries are the sums over all instructions
    for use in region["ResourcePressureView"]["ResourcePressureInfo"]:
        if use["InstructionIndex"] == last:
            busy[use["ResourceIndex"]] = use["ResourceUsage"]
    most = max(busy, default=0.0)
    if most >= NEARLY * cycles:
        names = [name for name, use in zip(ports, busy, strict=True) if use >= NEARLY * most]
        return Iteration(cycles, ports_in_words(names))
    micro_operations = summary["TotaluOps"] / summary["Iterations"] / summary["DispatchWidth"]
    return Iteration(cycles, "starts" if micro_operations >= NEARLY * cycles else "waits")  # (2)


def ports_in_words(ports: Sequence[str]) -> str:
    """The ports in a few words.

    >>> ports_in_words(["FP0", "FP1", "FP2"]), ports_in_words(["Load", "Load", "L2"])
    ('FP0-2', 'Load L2')
    """
    words: list[str] = []
    for name in dict.fromkeys(ports):
        kind, number = name.rstrip("0123456789"), name.lstrip(LETTERS)
        last = words[-1].split("-") if words else []
        before = f"{kind}{int(number) - 1}" if number else None
        if last and before in (last[0], f"{kind}{last[-1]}"):
            words[-1] = f"{last[0]}-{number}"
        else:
            words.append(name)
    return " ".join(words)


def _port(name: str) -> str:
    """The port's name without that of the CPU and without the number of equal units.

    >>> [_port(name) for name in ("Zn3FP0", "Zn3Load.\\x01", "HWPort5", "V1UnitV0", "CyUnitFM")]
    ['FP0', 'Load', 'Port5', 'V0', 'FM']
    """
    name = re.split(r"[.\x00-\x1f]", name)[0]
    return re.sub(r"^(Zn\d?|HW|SKL|SKX|V1|Cy)(?=[A-Z])(Unit(?=.))?", "", name)

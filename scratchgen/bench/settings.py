"""The settings of the bench, and the CPUs that its processes run on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROUNDS, THREADS = 7, 2
HOME = Path(__file__).parent.parent.parent  # where scratchgen is; in a checkout, tests/ too
PEERS = HOME / "tests" / "peers"


@dataclass(frozen=True)
class Settings:
    """Rounds, threads, the Pythons to look for other tools in, and the CPUs of loops.py."""

    rounds: int = ROUNDS
    threads: int = THREADS
    quick: bool = False
    pythons: tuple[str, ...] = (sys.executable,)
    cpus: tuple[str, ...] = ()  # of loops.py; () for all

    def some(self, many: int, few: int) -> int:
        """`many`, or `few` in a quick run."""
        return few if self.quick else many

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process: its threads, and the paths of scratchgen and the peers."""
        n = str(self.threads)
        names = ("OMP", "OPENBLAS", "MKL", "NUMBA", "SCRATCHGEN")
        counts = {f"{name}{'_' if name == 'SCRATCHGEN' else '_NUM_'}THREADS": n for name in names}
        path = [str(HOME), str(HOME / "tests"), os.environ.get("PYTHONPATH", "")]
        known = {"PYTHONPATH": os.pathsep.join(filter(None, path)), "TF_CPP_MIN_LOG_LEVEL": "3"}
        return {**os.environ, **counts, **known, **more}


@contextmanager
def pinned(threads: int) -> Iterator[list[int]]:
    """Within the `with` this process and its children stay on the same few CPUs."""
    if not hasattr(os, "sched_setaffinity"):  # only Linux has it
        yield []
        return
    before = os.sched_getaffinity(0)
    chosen = sorted(before)[:threads]
    os.sched_setaffinity(0, chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)

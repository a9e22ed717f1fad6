"""What the proofs share: options, processes, tables, and JSON.

Every script sets OPENBLAS_NUM_THREADS to 1 before it imports this, so that two processes do not
compete for two cores.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.ground.tables import columns, paragraph

WIDTH = 79
PROCESSES = 2


def arguments(doc: str | None, cases: int | None = None, seed: int = 0) -> argparse.ArgumentParser:
    """The options that every script has."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=seed, help="of all random draws")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    if cases is not None:
        parser.add_argument("--cases", type=int, default=cases, help="number of cases to draw")
    return parser


def versions(*packages: str) -> str:
    """`Python 3.11.7, NumPy 2.4.6 ...`, for the packages that are installed."""
    found = [f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    for name in ("scratchgen", *packages):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def heading(title: str, *packages: str) -> None:
    """Print what was run, when, and with what."""
    command = " ".join(["python", f"tests/proofs/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    print(title)
    for line in (f"{datetime.date.today()}, {versions(*packages)}", command):
        print("\n".join(paragraph(line, "  ")))
    print(flush=True)


def table(rows: Sequence[Sequence[Any]], sides: str) -> None:
    """Print rows in columns, in lines of at most 79 characters."""
    print("\n".join(columns([[str(cell) for cell in row] for row in rows], sides, WIDTH)))


def write(out: Path | None, figures: dict[str, Any], *packages: str) -> None:
    """Write the figures to a file, unless `out` is None."""
    if out is not None:
        where = {"command": sys.argv, "versions": versions(*packages)}
        out.write_text(json.dumps({**where, **figures}, indent=1, default=float) + "\n")


def spread_out(
    work: Callable[[Any], Any], tasks: Sequence[Any], processes: int, chunk: int = 8
) -> Iterator[Any]:
    """work(task) for each task in order, by several processes, with progress on stderr."""
    began = last = time.perf_counter()
    with multiprocessing.Pool(processes) as pool:
        for i, result in enumerate(pool.imap(work, tasks, chunk), 1):
            yield result
            if time.perf_counter() - last > 20:
                last = time.perf_counter()
                print(f"  {i} of {len(tasks)}, {last - began:.0f} s", file=sys.stderr, flush=True)


def peers_missing(*packages: str) -> list[str]:
    """The packages that are not installed."""
    missing = []
    for name in packages:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    return missing


def thread_limits() -> str:
    """The thread settings of the linear algebra."""
    return f"OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', 'unset')}"

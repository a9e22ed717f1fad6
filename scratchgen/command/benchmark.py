"""What `scratchgen bench` does: it measures all parts or one, and prints or writes the results.

scratchgen bench                     all parts: a quarter of an hour if all other tools are there
scratchgen bench products            one part
scratchgen bench --out FOLDER        with bench.json and bench.png
scratchgen bench --vectors avx2      in a new process, in which no tool uses AVX-512
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..bench import (
    decoding,
    elements,
    instruction_sets,
    loops,
    machine,
    products,
    shares,
    start,
    steps,
)
from ..bench.result import Result
from ..bench.settings import HOME, Settings, pinned
from ..ground.arguments import user_path
from ..ground.printing import to_stdout
from ..ground.versions import require
from ..ground.writing import expect_writable, write_atomically
from .folders import make_folder

PARTS: dict[str, Callable[[Settings], Result]] = {
    "machine": machine.measure,
    "products": products.measure,
    "kernels": elements.measure,
    "decoding": decoding.measure,
    "start": start.measure,
    "shares": shares.measure,
    "steps": steps.measure,
    "loops": loops.measure,
}
FILES = ("bench.json", "bench.png")


def bench(options: argparse.Namespace) -> int:
    """Measure and print part by part; with --out write the files, too."""
    if options.vectors is not None and not instruction_sets.in_force():
        return with_avx2(options.words)
    folder = None if options.out is None else user_path(options.out)
    if folder is not None:
        require("matplotlib", "--out")
        make_folder(folder)
        for name in FILES:
            expect_writable(folder / name, "name another folder with --out")
    rounds = options.rounds or (2 if options.quick else None)
    settings = Settings(
        **({"rounds": rounds} if rounds else {}),
        threads=options.threads,
        quick=options.quick,
        pythons=(*(options.peers_python or ()), sys.executable),
        cpus=tuple(options.cpu or ()),
    )
    results: dict[str, Any] = {"rounds": settings.rounds, "threads": settings.threads}
    vectors = results["vectors"] = instruction_sets.longest()
    from ..kernels import threads

    with pinned(settings.threads) as cpus, threads(settings.threads):
        results["pinned"] = cpus
        for name in [options.part] if options.part else PARTS:
            result = PARTS[name](settings)
            results[name] = result.data
            if name != "loops":  # which are of CPUs that need not be here
                result.title += f" ({vectors})"
                result.lines += instruction_sets.remarks()
            to_stdout(*result.text().split("\n"), "")
    if folder is not None:
        from .. import plots

        record, picture = FILES
        write_atomically(folder / record, (json.dumps(results, indent=1) + "\n").encode())
        plots.draw_bench(results, folder / picture)
        to_stdout(f"{record} and {picture} are in {folder}")
    return 0


def with_avx2(words: Sequence[str]) -> int:
    """Run the same command in a new process: libraries choose their instructions at the start."""
    instruction_sets.expect_avx2()
    path = os.pathsep.join(filter(None, (str(HOME), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, **instruction_sets.variables(), "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-m", "scratchgen", *words], env=environment).returncode

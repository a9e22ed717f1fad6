"""A peer's process in the bench: its fastest way of working, an epoch in each turn.

python -m peers.worker torch "vae 784-128-20, batch 20" [EXAMPLES]
"""

import importlib
import os
import sys
import time
from typing import Any

from scratchgen.bench import tasks
from scratchgen.bench.workers import Turns

TRIES = 3  # epochs by which the ways are compared


def main(peer: str, name: str, examples: str = "") -> None:
    turns = Turns()
    task = tasks.task(name)
    if examples:
        task = tasks.shortened(task, int(examples))
    module: Any = importlib.import_module(f"peers.{peer}_peer")
    module.use_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    x, weights = tasks.examples(task), tasks.weights(tasks.model(task))
    times: dict[str, float] = {}
    failed: dict[str, str] = {}
    ready: dict[str, Any] = {}
    for how in module.VARIANTS:
        try:
            variant = module.Peer(task, weights, how=how)
            variant.load(x)
            variant.epoch()  # compiles
            times[how] = min(timed(variant) for _ in range(TRIES))
            ready[how] = variant
        except Exception as problem:  # a compiler that is missing, a model that it refuses
            failed[how] = f"{type(problem).__name__}: {str(problem).strip()[:200]}"
    if not times:
        raise SystemExit("; ".join(failed.values()))
    best = min(times, key=times.__getitem__)
    turns.send(how=best, tried=times, failed=failed)
    turns.serve(ready[best].epoch)


def timed(peer: Any) -> float:
    began = time.perf_counter()
    peer.epoch()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])

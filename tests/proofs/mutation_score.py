"""The mutation score: how many wrong gradients each checker finds, and whether a hint names why.

    python tests/proofs/mutation_score.py                  every tool that can be imported
    python tests/proofs/mutation_score.py --ours-only --family sign --limit 50

Every operator of operators.py is applied at every site of every function of the library that runs
in a backward pass, a tangent or a step of an optimizer (mutants.py). Each mutant is judged at five
points of the plainest layer or loss in which it changes anything, as one pair of NumPy functions
that is given to all tools alike (bridges.py). The mistakes of catalogue.py are judged as well.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import bridges
import catalogue
import mutants as gradients
import numpy as np
import optimizer_mutants as steps
from judging_mutants import judge, judge_entry, judge_step
from score_tables import by_case, catalogue_table, classes, hint_table, missed, table

TOOLS = ("ours", "torch slow", "torch fast", "jax", "central")


def sampled(numbers: list[int], limit: int | None, seed: int) -> list[int]:
    """`limit` of the numbers, drawn at random, in order."""
    if limit is None or limit >= len(numbers):
        return numbers
    return sorted(np.random.default_rng(seed).choice(numbers, limit, replace=False).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ours-only", action="store_true", help="leave out the other checkers")
    parser.add_argument("--family", help="only mutants of this operator")
    parser.add_argument("--id", default="", help="only mutants whose id contains this text")
    parser.add_argument("--limit", type=int, help="number of mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file for all results")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--show-missed", type=int, default=60, help="lines of the list of missed ones"
    )
    given = parser.parse_args()

    peers = (
        ()
        if given.ours_only
        else tuple(tool for tool in TOOLS[1:] if bridges.has(bridges.NEEDS[tool]))
    )
    for tool in () if given.ours_only else TOOLS[1:]:
        if tool not in peers:
            print(f"{tool}: skipped, because {bridges.NEEDS[tool]} cannot be imported")
    tools = ["ours", *peers]
    began = time.perf_counter()

    def wanted(every: Any) -> list[int]:
        here = [
            (i, mutant) for i, mutant in enumerate(every) if given.family in (None, mutant.family)
        ]
        return [i for i, mutant in here if given.id in mutant.id]

    numbers = sampled(wanted(gradients.mutants()), given.limit, given.seed)
    of_steps = sampled(wanted(steps.mutants()), given.limit, given.seed)
    with ProcessPoolExecutor(given.jobs) as pool:
        rows = list(pool.map(judge, [(i, peers) for i in numbers], chunksize=8))
        rows += list(pool.map(judge_step, of_steps, chunksize=8))
        entries = []
        if given.family is None and not given.id:
            tasks = [(name, peers) for name in catalogue.ENTRIES]
            entries = list(pool.map(judge_entry, tasks, chunksize=4))
    seconds = time.perf_counter() - began

    derivative = [row for row in rows if row["class"] == "derivative"]
    contract = [row for row in rows if row["class"] == "contract"]
    stepped = [row for row in rows if row["class"] == "optimizer"]
    print(
        f"{len(rows)} mutants, of which {len(derivative) + len(contract) + len(stepped)} run and "
        "change something"
    )
    print("\n" + classes(rows))
    print("\n" + table("wrong derivatives, by operator: found", derivative, "family", tools))
    print(by_case(derivative, tools))
    print("\n" + table("wrong derivatives, by subject: found", derivative, "room", tools))
    print(
        "\n"
        + table(
            "broken contracts (not a derivative's business), by operator", contract, "family", tools
        )
    )
    print(by_case(contract, tools))
    print("\n" + table("optimizers (ours only)", stepped, "family", ["ours"]))
    print("\n" + table("all", [*derivative, *contract, *stepped], "class", tools))
    print("\n" + hint_table(rows))
    if entries:
        print("\n" + catalogue_table(entries, tools))
    print("\n" + "\n".join(missed(rows).splitlines()[: given.show_missed]))
    print(
        f"\n{seconds:.0f} s, {given.jobs} processes, Python {sys.version.split()[0]}, "
        f"NumPy {np.__version__}"
    )
    if given.out:
        given.out.write_text(
            json.dumps({"mutants": rows, "catalogue": entries, "seconds": seconds}, indent=1)
        )


if __name__ == "__main__":
    main()

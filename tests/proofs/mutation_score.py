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
from collections import Counter, defaultdict
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
from mutants import at_work

# Which hints are true of what an operator does; written down before any hint was seen.
TERM = {"missing term", "mean term", "missing factor"}
FACTOR = {"missing factor", "factor", "missing term", "mean term"}
TRUE_CAUSES: dict[str, set[str]] = {
    "drop term": TERM,
    "sign": TERM | {"sign"},
    "drop factor": FACTOR | {"mask"},
    "times or divide": FACTOR,
    "sum or mean": FACTOR | {"axis"},
    "axis": FACTOR | {"axis", "order"},
    "transpose": {"order"},
    "comparison": {"mask", "few entries"},
    "constant": FACTOR | {"mask"},
    "accumulate": {"zero", "factor", "missing term", "sign"},
    "power": FACTOR,
    "wrong name": FACTOR | {"order", "axis"},
    "drop mask": {"mask", "missing factor", "missing term"},
    "drop function": FACTOR | {"mask"},
    "extra factor": {"factor", "missing term"},
    "in place": {"impure", "stale"},
    "stale cache": {"stale"},
    "not linear": {"not linear", "mask"},
    "layout": {"layout"},
    "drop statement": {"zero", "missing term"},
    "slice": {"order", "few entries", "axis", "border", "last rows", "missing term"},
    "branch": FACTOR | {"mask", "zero"},
    "path missing": {"zero", "missing term"},
}
TRUE_CONTRACTS = {
    "writes": {"pure", "impure", "raises", "alias", "stale"},
    "twice": {"stale", "pure"},
    "stale": {"stale"},
    "layout": {"layout"},
    "scales": {"linear", "not linear", "finite", "extremes"},
    "far": {"extremes", "finite", "not finite"},
}
TOOLS = ("ours", "torch slow", "torch fast", "jax", "central")
MOST_KINDS = 4  # that are tried for a change


def room_of(mutant: Any, kind: str) -> str:
    """Layers, second order, likelihoods, losses, penalties, models or optimizers."""
    if mutant.module.startswith(("optim", "kernels.adam")):
        return "optimizers"
    if kind in gradients.WHOLE:
        return "penalties" if kind == "penalise" else "models"
    if "second order" in kind:
        return "second order"
    if kind in ("GradientPenalty", "R1"):
        return "penalties"
    if kind.endswith(("discriminator", "generator")):
        return "losses"
    if kind.startswith("gaussian") or kind in (
        "Bernoulli", "Categorical", "FixedGaussian", "MeanSquaredError", "SharedGaussian", "Gaussian",
    ):  # fmt: skip
        return "likelihoods"
    return "layers"


# --- one mutant ---------------------------------------------------------------------------------


def judge(task: tuple[int, tuple[str, ...]]) -> dict[str, Any]:
    """Everything there is to know about one mutant of a gradient."""
    number, peers = task
    mutant = gradients.mutants()[number]
    row: dict[str, Any] = {
        "id": mutant.id, "family": mutant.family, "change": f"{mutant.before} -> {mutant.after}",
        "kind": "", "class": "same", "cases": [],
    }  # fmt: skip
    raised = kinked = ""
    for kind in gradients.kinds_for(mutant)[:MOST_KINDS]:
        points = [make() for make in gradients.SUBJECTS[kind]]
        found = [gradients.behaviour(subject, mutant) for subject in points]
        classes = {one for one, _ in found}
        raised = raised or (kind if "raises" in classes else "")
        kinked = kinked or (kind if "kink" in classes else "")
        if classes & {"derivative", "contract"}:
            row["kind"] = kind
            row["class"] = "derivative" if "derivative" in classes else "contract"
            row["cases"] = [
                case(subject, mutant, *what, peers)
                for subject, what in zip(points, found, strict=True)
                if what[0] in ("derivative", "contract")
            ]
            break
    else:
        row["class"] = "raises" if raised else "kink" if kinked else "same"
        row["kind"] = raised or kinked or gradients.kinds_for(mutant)[0]
    row["room"] = room_of(mutant, row["kind"])
    return row


def case(subject: Any, mutant: Any, what: str, where: str, peers: tuple[str, ...]) -> dict[str, Any]:
    """What every tool says of the mutant at one point."""
    found: dict[str, Any] = {"label": subject.label, "class": what, "where": where}
    with at_work(mutant):
        answer = bridges.ours(subject)
        found["ours"] = answer.said
        for peer in peers:
            if what == "derivative" or peer != "central":
                found[peer] = bridges.PEERS[peer](subject).said
    found |= {"cause": answer.cause, "text": answer.text, "contracts": list(answer.contracts)}
    if answer.said == "found" and what == "derivative":
        found["facts"] = sorted(facts(subject, mutant, answer.block)) if answer.block else []
        found["named"] = answer.cause in TRUE_CAUSES[mutant.family]
        found["true"] = found["named"] or answer.cause in found["facts"]
    if answer.said == "found" and what == "contract":
        allowed = TRUE_CONTRACTS[where.split(" (")[0]] | TRUE_CAUSES[mutant.family]
        found["named"] = found["true"] = bool({*answer.contracts, answer.cause} & allowed)
    return found


def judge_step(number: int) -> dict[str, Any]:
    """Everything there is to know about one mutant of an optimizer."""
    from scratchgen.gradcheck.optimizers import check_optimizer

    mutant = steps.mutants()[number]
    names = steps.functions()[f"{mutant.module}:{mutant.function}"]
    row: dict[str, Any] = {
        "id": mutant.id, "family": mutant.family, "change": f"{mutant.before} -> {mutant.after}",
        "kind": names[0], "class": "same", "cases": [], "room": "optimizers",
    }  # fmt: skip
    for name in names:
        optimizer = steps.OPTIMIZERS[name]
        found = [steps.behaviour(optimizer, size, mutant) for size in steps.SIZES]
        classes = {one for one, _ in found}
        if "raises" in classes:
            row["class"] = "raises"
        if classes & {"derivative", "contract"}:
            row["kind"], row["class"] = name, "optimizer"
            for size, (what, where) in zip(steps.SIZES, found, strict=True):
                if what not in ("derivative", "contract"):
                    continue
                with mutant.applied():
                    report = check_optimizer(optimizer, size=size)
                said = {"PASS": "passed", "FAIL": "found"}.get(report.verdict, "unsure")
                reasons = [block.reason for one in report.cases for block in one.blocks if block.reason]
                row["cases"].append({"label": f"{size} numbers", "class": what, "where": where,
                                     "ours": said, "text": "; ".join(reasons)})  # fmt: skip
            break
    return row


def judge_entry(task: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    """What every tool says of an entry of the catalogue."""
    name, peers = task
    entry = catalogue.ENTRIES[name]
    with np.errstate(all="ignore"):
        answer = bridges.ours(entry.wrong())
        row: dict[str, Any] = {
            "id": name, "classes": entry.classes, "must": entry.must, "ours": answer.said,
            "cause": answer.cause, "text": answer.text, "contracts": list(answer.contracts),
        }  # fmt: skip
        row["true"] = bool({answer.cause, *answer.contracts} & {*entry.causes, *_letters(entry)})
        for peer in peers:
            row[peer] = bridges.PEERS[peer](entry.wrong()).said
        row["right"] = bridges.ours(entry.right()).said if entry.right else ""
    return row


def _letters(entry: Any) -> set[str]:
    """Contracts that name a mistake by the letters of its classes."""
    names = {"L": {"linear"}, "P": {"pure"}, "S": {"stale"}, "Y": {"layout"},
             "T": {"shape", "count", "kind"}, "X": {"extremes", "finite"}}  # fmt: skip
    return set().union(*(names.get(letter, set()) for letter in entry.classes))


def facts(subject: Any, mutant: Any, block: str) -> set[str]:
    """Descriptions that are exactly true of the wrong gradient of a block, beside the right one."""
    rng = np.random.default_rng(21)
    dys = gradients.draw_cotangents(subject, rng)
    place = subject.names.index(block) if block in subject.names else 0
    with np.errstate(all="ignore"):
        n = np.asarray(gradients.run_once(subject, dys)[place], float)
        with at_work(mutant):
            a = np.asarray(gradients.run_once(subject, dys)[place], float)
        return _facts(a, n, [*subject.args, *dys])


def _facts(a: np.ndarray, n: np.ndarray, known: list[np.ndarray]) -> set[str]:
    found: set[str] = set()
    if a.shape != n.shape or not a.size:
        return {"shape"}
    if not np.isfinite(a).all():
        return {"not finite"}
    e, size = a - n, max(abs(n).max(), abs(a).max(), 1e-300)

    def near(p: Any, q: Any) -> bool:
        return bool(np.max(abs(np.asarray(p) - q)) <= 1e-9 * size)

    if near(a, -n):
        found.add("sign")
    if near(a, 0):
        found.add("zero")
    if (n * n).sum() > 0 and near(a, (a * n).sum() / (n * n).sum() * n):
        found.add("factor")
    if n.ndim > 1 and n.shape[-1] == n.shape[-2] and near(a, np.swapaxes(n, -1, -2)):
        found.add("order")
    for axis in range(n.ndim):
        if n.shape[axis] < 2:
            continue
        if near(a, np.flip(n, axis)) or any(near(a, np.roll(n, k, axis)) for k in range(1, n.shape[axis])):
            found.add("order")
        if near(e, e.mean(axis, keepdims=True)):
            found.add("mean term")
        if near(a, a.mean(axis, keepdims=True)) and not near(n, n.mean(axis, keepdims=True)):
            found.add("axis")
    wrong = abs(e) > 1e-9 * size
    if 0 < wrong.sum() <= max(3, n.size // 10) and not wrong.all():
        found.add("few entries")
    for one in known:
        try:
            spread = np.broadcast_to(one, n.shape)
        except ValueError:
            continue
        if not wrong.all() and any(np.array_equal(wrong, where) for where in (spread > 0, spread < 0, spread == 0)):
            found.add("mask")
        if (spread * spread).sum() > 0:
            if near(e, (e * spread).sum() / (spread * spread).sum() * spread):
                found.add("missing term")
            for p, q in ((a * spread, n), (n * spread, a)):
                if (p * p).sum() > 0 and np.allclose(q, (p * q).sum() / (p * p).sum() * p, rtol=1e-9):
                    found.add("missing factor")
    return found


# --- tables -------------------------------------------------------------------------------------


def verdict(row: dict[str, Any], tool: str) -> str:
    """found if at any of its points, unsure if ours was at any, otherwise passed."""
    said = {case.get(tool, "") for case in row["cases"] if case["class"] == row["class"] or row["room"] == "optimizers"}
    return "found" if "found" in said else "unsure" if "unsure" in said else "passed"


def table(title: str, rows: list[dict[str, Any]], by: str, tools: list[str]) -> str:
    """Found, by tool, of the mutants that change something; one line for each value of `by`."""
    head = f"{'':<22}{'mutants':>8}{'ours':>7}{'unsure':>7}{'missed':>7}"
    head += "".join(f"{tool:>12}" for tool in tools[1:])
    lines = [title, head]
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[by]].append(row)
    for name, members in [*sorted(groups.items()), ("all", rows)]:
        said = Counter(verdict(row, "ours") for row in members)
        line = f"{name:<22}{len(members):>8}{said['found']:>7}{said['unsure']:>7}{said['passed']:>7}"
        for tool in tools[1:]:
            line += f"{sum(verdict(row, tool) == 'found' for row in members):>12}"
        lines.append(line)
    return "\n".join(lines)


def by_case(rows: list[dict[str, Any]], tools: list[str]) -> str:
    """The same, counted by mutant and point."""
    cases = [one for row in rows for one in row["cases"] if one["class"] == row["class"]]
    said = Counter(one["ours"] for one in cases)
    line = f"{'mutant x shape':<22}{len(cases):>8}{said['found']:>7}{said['unsure']:>7}{said['passed']:>7}"
    return line + "".join(f"{sum(one.get(tool) == 'found' for one in cases):>12}" for tool in tools[1:])


def classes(rows: list[dict[str, Any]]) -> str:
    """How many mutants there are of each class, by family."""
    names = ("derivative", "contract", "optimizer", "raises", "kink", "same")
    lines = ["mutants by operator", f"{'':<22}{'all':>7}" + "".join(f"{one:>12}" for one in names)]
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        groups[row["family"]][row["class"]] += 1
    total: Counter[str] = sum(groups.values(), Counter())
    for family, count in [*sorted(groups.items()), ("all", total)]:
        cells = "".join(f"{count[one]:>12}" for one in names)
        lines.append(f"{family:<22}{sum(count.values()):>7}{cells}")
    return "\n".join(lines)


def hint_table(rows: list[dict[str, Any]]) -> str:
    """How often the first hint is right, by operator, and what the wrong ones said."""
    lines = [
        "first hints, of mutants whose derivative is wrong and that were found",
        f"{'':<18}{'mutants':>8}{'right':>7}{'share':>7}{'by operator':>12}   wrong ones said",
    ]
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        cases = [one for one in row["cases"] if "true" in one and one["class"] == "derivative"]
        if row["class"] == "derivative" and cases:
            right = sum(one["true"] for one in cases) * 2 >= len(cases)
            named = sum(one["named"] for one in cases) * 2 >= len(cases)
            wrong = Counter(one["cause"] or "(none)" for one in cases if not one["true"])
            groups[row["family"]].append((right, named, wrong))
    every = [one for members in groups.values() for one in members]
    for family, members in [*sorted(groups.items()), ("all", every)]:
        right, named = sum(one[0] for one in members), sum(one[1] for one in members)
        wrong: Counter[str] = sum((one[2] for one in members), Counter())
        said = ", ".join(f"{cause} {n}" for cause, n in wrong.most_common(3))
        share = right / max(len(members), 1)
        lines.append(f"{family:<18}{len(members):>8}{right:>7}{share:>7.0%}{named:>12}   {said}"[:100])
    contracts = [one for row in rows if row["class"] == "contract" for one in row["cases"] if "true" in one]
    lines.append(f"contracts: named rightly in {sum(one['true'] for one in contracts)} of {len(contracts)}")
    return "\n".join(lines)


def catalogue_table(entries: list[dict[str, Any]], tools: list[str]) -> str:
    """The catalogue, by what is expected, and what is not as it should be."""
    groups = {
        "wrong derivative": [one for one in entries if one["must"] == "FAIL" and set(one["classes"]) & set("D2")],
        "broken contract": [one for one in entries if one["must"] == "FAIL" and not set(one["classes"]) & set("D2")],
        "right, said to fail": [one for one in entries if one["must"] != "FAIL"],
    }
    lines = ["the catalogue: FAIL, by tool", f"{'':<22}{'entries':>8}" + "".join(f"{tool:>12}" for tool in tools)]
    for name, members in groups.items():
        cells = "".join(f"{sum(one[tool] == 'found' for one in members):>12}" for tool in tools)
        lines.append(f"{name:<22}{len(members):>8}{cells}")
    failed = [one for one in entries if one["must"] == "FAIL" and one["ours"] == "found"]
    lines.append(f"first hint or contract right: {sum(one['true'] for one in failed)} of {len(failed)}")
    for one in entries:
        right = {"FAIL": one["ours"] == "found", "PASS": one["ours"] == "passed"}.get(
            one["must"], one["ours"] != "found"
        )
        if not right or one["right"] not in ("", "passed"):
            lines.append(f"  {one['id']} [{one['classes']}]: {one['ours']}; right: {one['right']}; {one['text']}"[:160])
        elif one["must"] == "FAIL" and not one["true"]:
            lines.append(f"  {one['id']}: hint {one['cause']!r}, {one['contracts']}: {one['text']}"[:160])
    return "\n".join(lines)


def missed(rows: list[dict[str, Any]]) -> str:
    """What ours did not find, with the point and the reason."""
    lines = ["not found by ours (* at every point)"]
    for row in rows:
        points = [one for one in row["cases"] if one["ours"] != "found"]
        if not points:
            continue
        star = "*" if verdict(row, "ours") != "found" else " "
        one = points[0]
        lines.append(f"{star} {row['id']}  [{row['class']}; {row['kind']}; {len(points)} of {len(row['cases'])} points]")
        lines.append(f"      {row['change']}"[:150])
        lines.append(f"      {one['ours']} at {one['label']} ({one['class']}: {one['where']}) {one.get('text', '')}"[:180])
    return "\n".join(lines)


# --- all of it ----------------------------------------------------------------------------------


def sampled(numbers: list[int], limit: int | None, seed: int) -> list[int]:
    """`limit` of the numbers, drawn, in order."""
    if limit is None or limit >= len(numbers):
        return numbers
    return sorted(np.random.default_rng(seed).choice(numbers, limit, replace=False).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ours-only", action="store_true", help="no peers")
    parser.add_argument("--family", help="mutants of this operator only")
    parser.add_argument("--limit", type=int, help="this many mutants, drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file for all results")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show-missed", type=int, default=60, help="lines of the list of missed ones")
    given = parser.parse_args()

    peers = () if given.ours_only else tuple(one for one in TOOLS[1:] if bridges.has(bridges.NEEDS[one]))
    for tool in () if given.ours_only else TOOLS[1:]:
        if tool not in peers:
            print(f"{tool}: skipped, because {bridges.NEEDS[tool]} cannot be imported")
    tools = ["ours", *peers]
    began = time.perf_counter()

    def wanted(every: Any) -> list[int]:
        return [i for i, one in enumerate(every) if given.family in (None, one.family)]

    numbers = sampled(wanted(gradients.mutants()), given.limit, given.seed)
    of_steps = sampled(wanted(steps.mutants()), given.limit, given.seed)
    with ProcessPoolExecutor(given.jobs) as pool:
        rows = list(pool.map(judge, [(i, peers) for i in numbers], chunksize=8))
        rows += list(pool.map(judge_step, of_steps, chunksize=8))
        entries = []
        if given.family is None:
            tasks = [(name, peers) for name in catalogue.ENTRIES]
            entries = list(pool.map(judge_entry, tasks, chunksize=4))
    seconds = time.perf_counter() - began

    derivative = [row for row in rows if row["class"] == "derivative"]
    contract = [row for row in rows if row["class"] == "contract"]
    stepped = [row for row in rows if row["class"] == "optimizer"]
    print(f"{len(rows)} mutants, {len(derivative) + len(contract) + len(stepped)} runnable and not equivalent")
    print("\n" + classes(rows))
    print("\n" + table("wrong derivatives, by operator: found", derivative, "family", tools))
    print(by_case(derivative, tools))
    print("\n" + table("wrong derivatives, by subject: found", derivative, "room", tools))
    print("\n" + table("broken contracts (not a derivative's business), by operator", contract, "family", tools))
    print(by_case(contract, tools))
    print("\n" + table("optimizers (ours only)", stepped, "family", ["ours"]))
    print("\n" + table("all", [*derivative, *contract, *stepped], "class", tools))
    print("\n" + hint_table(rows))
    if entries:
        print("\n" + catalogue_table(entries, tools))
    print("\n" + "\n".join(missed(rows).splitlines()[: given.show_missed]))
    print(f"\n{seconds:.0f} s, {given.jobs} processes, Python {sys.version.split()[0]}, NumPy {np.__version__}")
    if given.out:
        given.out.write_text(json.dumps({"mutants": rows, "catalogue": entries, "seconds": seconds}, indent=1))


if __name__ == "__main__":
    main()

"""The verdict of each tool on a mutant or a catalogue entry, and whether the hint is right."""

import contextlib
from typing import Any

import bridges
import catalogue
import mutants as gradients
import numpy as np
import optimizer_mutants as steps
import proof_subjects
from behaviours import CONTRACTS, behaviour, draw_cotangents, run_once, same
from proof_subjects import at_work

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
LIKELIHOODS = {"Bernoulli", "Categorical", "FixedGaussian", "MeanSquaredError"}
LIKELIHOODS |= {"SharedGaussian", "Gaussian"}


def room_of(mutant: Any, kind: str) -> str:
    """Layers, second order, likelihoods, losses, penalties, models or optimizers."""
    if mutant.module.startswith("optim"):
        return "optimizers"
    if kind in proof_subjects.WHOLE:
        return "penalties" if kind == "penalise" else "models"
    if "second order" in kind:
        return "second order"
    if kind in ("GradientPenalty", "R1"):
        return "penalties"
    if kind.endswith(("discriminator", "generator")):
        return "losses"
    if kind.startswith("gaussian") or kind in LIKELIHOODS:
        return "likelihoods"
    return "layers"


def judge(task: tuple[int, tuple[str, ...]]) -> dict[str, Any]:
    """The row of a mutant of a gradient: class, points, verdicts, hints."""
    number, peers = task
    mutant = gradients.mutants()[number]
    row: dict[str, Any] = {
        "id": mutant.id, "family": mutant.family, "change": f"{mutant.before} -> {mutant.after}",
        "kind": "", "class": "same", "cases": [],
    }  # fmt: skip
    raised = elsewhere = ""
    for kind in gradients.kinds_for(mutant):
        points = proof_subjects.SUBJECTS[kind]
        found = [behaviour(make, mutant) for make in points]
        classes = {letter for letter, _ in found}
        raised = raised or (kind if "raises" in classes else "")
        elsewhere = elsewhere or (kind if "elsewhere" in classes else "")
        if classes & {"derivative", "contract"}:
            row["kind"] = kind
            row["class"] = "derivative" if "derivative" in classes else "contract"
            row["cases"] = [
                case(make, mutant, *what, peers)
                for make, what in zip(points, found, strict=True)
                if what[0] in ("derivative", "contract")
            ]
            break
    else:
        row["class"] = "raises" if raised else "elsewhere" if elsewhere else "same"
        row["kind"] = raised or elsewhere or gradients.kinds_for(mutant)[0]
    row["room"] = room_of(mutant, row["kind"])
    return row


def case(make: Any, mutant: Any, what: str, where: str, peers: tuple[str, ...]) -> dict[str, Any]:
    """The verdict of each tool on the mutant at a point; each tool gets its own subject."""
    found: dict[str, Any] = {"label": make().label, "class": what, "where": where}
    with at_work(mutant), np.errstate(all="ignore"):
        answer = bridges.ours(make())
        found["ours"] = answer.said
        for peer in peers:
            if what == "derivative" or peer != "central":
                found[peer] = bridges.PEERS[peer](make()).said
    found |= {"cause": answer.cause, "text": answer.text, "contracts": list(answer.contracts)}
    if answer.said == "found" and what == "derivative":
        found["facts"] = sorted(facts(make, mutant, answer.block)) if answer.block else []
        found["named"] = answer.cause in TRUE_CAUSES[mutant.family]
        found["true"] = found["named"] or answer.cause in found["facts"]
        found["formula"] = "it should be" in answer.text
    if answer.said == "found" and what == "contract":
        allowed = TRUE_CONTRACTS[where.split(" (")[0]] | TRUE_CAUSES[mutant.family]
        found["named"] = found["true"] = bool({*answer.contracts, answer.cause} & allowed)
    return found


def judge_step(number: int) -> dict[str, Any]:
    """The row of a mutant of an optimizer."""
    from scratchgen.gradcheck.optimizers.side_by_side import check_optimizer

    mutant = steps.mutants()[number]
    names = steps.functions()[f"{mutant.module}:{mutant.function}"]
    row: dict[str, Any] = {
        "id": mutant.id, "family": mutant.family, "change": f"{mutant.before} -> {mutant.after}",
        "kind": names[0], "class": "same", "cases": [], "room": "optimizers",
    }  # fmt: skip
    for name in names:
        optimizer = steps.OPTIMIZERS[name]
        found = [steps.behaviour(optimizer, size, mutant) for size in steps.SIZES]
        classes = {letter for letter, _ in found}
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
                reasons = [
                    block.reason for case in report.cases for block in case.blocks if block.reason
                ]
                row["cases"].append({"label": f"{size} numbers", "class": what, "where": where,
                                     "ours": said, "text": "; ".join(reasons)})  # fmt: skip
            break
    return row


def judge_entry(task: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    """The verdict of each tool on a catalogue entry."""
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
    """The contracts that match the class letters of a mistake."""
    names = {"L": {"linear"}, "P": {"pure"}, "S": {"stale"}, "Y": {"layout"},
             "T": {"shape", "count", "kind"}, "X": {"extremes", "finite"}}  # fmt: skip
    return set().union(*(names.get(letter, set()) for letter in entry.classes))


def facts(make: Any, mutant: Any, block: str) -> set[str]:
    """Causes that are exactly true of a block's wrong gradient, compared with the right one."""
    rng, subject = np.random.default_rng(21), make()
    dys = draw_cotangents(subject, rng)
    place = subject.names.index(block) if block in subject.names else 0
    with np.errstate(all="ignore"):
        n = np.asarray(run_once(make(), dys)[place], float)
        with at_work(mutant):
            a = np.asarray(run_once(make(), dys)[place], float)
        found = _facts(a, n, [*subject.args, *dys])
        with at_work(mutant):
            twice = run_once(make(), [2 * dy for dy in dys])[place]
        if not same(2 * a, twice, 1e-9):
            found.add("not linear")
        with contextlib.suppress(Exception):
            look = CONTRACTS["writes"]
            if not all(map(same, look(make(), None), look(make(), mutant))):
                found.add("impure")
        with contextlib.suppress(Exception):
            first, _, third = np.array_split(np.arange(3 * len(subject.args)), 3)
            seen = CONTRACTS["twice"](make(), mutant)
            if not all(same(seen[i], seen[j]) for i, j in zip(first, third, strict=True)):
                found.add("stale")
        return found


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
        if near(a, np.flip(n, axis)) or any(
            near(a, np.roll(n, k, axis)) for k in range(1, n.shape[axis])
        ):
            found.add("order")
        if near(e, e.mean(axis, keepdims=True)):
            found.add("mean term")
        if near(a, a.mean(axis, keepdims=True)) and not near(n, n.mean(axis, keepdims=True)):
            found.add("axis")
    wrong = abs(e) > 1e-9 * size
    if 0 < wrong.sum() <= max(3, n.size // 10) and not wrong.all():
        found.add("few entries")
    for array in known:
        try:
            spread = np.broadcast_to(array, n.shape)
        except ValueError:
            continue
        if not wrong.all() and any(
            np.array_equal(wrong, where) for where in (spread > 0, spread < 0, spread == 0)
        ):
            found.add("mask")
        if (spread * spread).sum() > 0:
            if near(e, (e * spread).sum() / (spread * spread).sum() * spread):
                found.add("missing term")
            for p, q in ((a * spread, n), (n * spread, a)):
                if (p * p).sum() > 0 and np.allclose(
                    q, (p * q).sum() / (p * p).sum() * p, rtol=1e-9
                ):
                    found.add("missing factor")
    return found

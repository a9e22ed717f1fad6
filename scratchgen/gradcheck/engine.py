"""One case from start to end: the first calls, the contracts, the measurements, and the causes.

A pair that cannot be called has no contracts, and causes matter only where something is wrong.
"""

import numpy as np

from .contracts.every_contract import check_contracts
from .contracts.probe import first_calls
from .hints.naming import hints_for, point_to_known
from .measuring.claims import draw_claim
from .measuring.locate import entry_map
from .measuring.oracle import measure_all
from .measuring.passes import OutOfBudget, Stopped
from .pairs.budget import Budget
from .pairs.pair import Pair
from .pairs.silence import quiet
from .results import FAIL, INCONCLUSIVE, BlockResult, CaseResult, Finding

UNDECIDED = (
    "budget",
    "stochastic",
    "empty",
    "finite",
    "varying",
)  # broken, these decide nothing


def examine(pair: Pair, label: str = "", seed: int = 0, budget: Budget | None = None) -> CaseResult:
    """Check one pair within a budget; None is 100,000 evaluations.

    The exceptions that the pair raises become findings.
    """
    rng = np.random.default_rng(seed)
    case = CaseResult(label)
    pair.budget = budget or Budget()
    with quiet():
        try:
            first_calls(pair, rng, case.findings)
            check_contracts(pair, rng, case.findings)
            results, notes = measure_all(pair, rng)
            case.blocks += results
            case.findings += notes
            failed = [r for r in results if r.verdict == FAIL and r.measurements]
            for result in failed:
                explain(pair, result, case.findings, rng)
            point_to_known(failed)
        except Stopped as stop:
            verdict = INCONCLUSIVE if stop.contract in UNDECIDED else FAIL
            case.findings.append(Finding(stop.contract, verdict, stop.text))
    pair.frozen.restore()  # a user's generators are as they were
    case.forward_calls, case.backward_calls = pair.forward_calls, pair.backward_calls
    return case


def explain(
    pair: Pair, result: BlockResult, findings: list[Finding], rng: np.random.Generator
) -> None:
    """Find the wrong entries of a block that failed, and causes that fit them."""
    try:
        claimed = draw_claim(pair, pair.blocks, rng)
        result.entries = entry_map(pair, result.name, claimed, rng)
    except OutOfBudget:
        return
    if result.entries is not None:
        dy = list(claimed.w)
        result.hints = hints_for(pair, result.name, result.entries, dy, findings)

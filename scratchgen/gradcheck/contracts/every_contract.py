"""What every backward pass must keep, whatever it is the derivative of: each with a question.

    stale       what a pass gives depends on that pass alone                 circumstances.py
    linear      backward is linear in dy                                     laws.py
    layout      nor does it depend on how its arrays lie in memory           circumstances.py
    places      gradients add to what is there, and need no dx beside them   circumstances.py
    batch       examples do not mix, where that was declared                 laws.py
    extremes    gradients are finite where derivatives are                   extremes.py

Derivatives cannot tell: |dy| is right for a positive dy, and a stale cache for the first call.
"""

from collections.abc import Callable

import numpy as np

from ..measuring.passes import OutOfBudget, Stopped
from ..pairs.pair import Pair
from ..pairs.silence import quiet
from ..results import FAIL, INCONCLUSIVE, Finding
from .circumstances import layout, places, stale
from .extremes import at_extremes
from .laws import batch, linear
from .reference import Reference

CONTRACTS: dict[str, Callable[[Reference], list[Finding]]] = {
    "stale": stale,
    "linear": linear,
    "layout": layout,
    "batch": batch,
    "places": places,
    "extremes": at_extremes,
}
SHARE = 1 / 3  # of the budget that is left, for all contracts together


def check_contracts(
    pair: Pair, rng: np.random.Generator, findings: list[Finding] | None = None
) -> list[Finding]:
    """A finding for each contract that applies, added to `findings`."""
    found = [] if findings is None else findings
    budget = pair.budget
    pair.budget = budget.part(SHARE)
    unasked = list(CONTRACTS)
    try:
        with quiet():
            reference = Reference(pair, rng)
            if not reference.gradients or not any(y.size for y in reference.y):
                return found
            for contract, ask in CONTRACTS.items():
                found += [
                    finding
                    for finding in _findings_of(contract, ask, reference)
                    if finding not in found
                ]
                unasked.remove(contract)
    except OutOfBudget:
        text = f"a third of the budget did not suffice to ask for: {', '.join(unasked)}"
        found.append(Finding("budget", INCONCLUSIVE, text))
    finally:
        pair.budget = budget
    return found


def _findings_of(
    contract: str, ask: Callable[[Reference], list[Finding]], reference: Reference
) -> list[Finding]:
    """What the question found; a FAIL for what is raised on the way."""
    try:
        return ask(reference)
    except OutOfBudget:
        raise
    except Stopped as stop:
        return [Finding("raises" if stop.contract == "raises" else contract, FAIL, stop.text)]

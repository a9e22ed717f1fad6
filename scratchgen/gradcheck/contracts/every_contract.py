"""What every backward pass must keep, whatever it is the derivative of: all contracts in turn.

    stale       a gradient depends on its own pass alone                     circumstances.py
    linear      backward is linear in dy                                     laws.py
    layout      results do not depend on how arrays lie in memory            circumstances.py
    batch       examples do not mix, where that was declared                 laws.py
    places      gradients add to what is there, and need no dx beside them   circumstances.py
    extremes    gradients are finite where derivatives are                   extremes.py

Derivatives cannot show these mistakes: |dy| is right for a positive dy, and a stale cache is right
in the first call.
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
    left = list(CONTRACTS)
    try:
        with quiet():
            reference = Reference(pair, rng)
            if not reference.gradients or not any(y.size for y in reference.y):
                return found
            for contract, test in CONTRACTS.items():
                findings_now = _findings_of(contract, test, reference)
                found += [finding for finding in findings_now if finding not in found]
                left.remove(contract)
    except OutOfBudget:
        text = f"a third of the budget did not suffice to test: {', '.join(left)}"
        found.append(Finding("budget", INCONCLUSIVE, text))
    finally:
        pair.budget = budget
    return found


def _findings_of(
    contract: str, test: Callable[[Reference], list[Finding]], reference: Reference
) -> list[Finding]:
    """The findings of one contract; a FAIL where the pair raises."""
    try:
        return test(reference)
    except OutOfBudget:
        raise
    except Stopped as stop:
        return [Finding("raises" if stop.contract == "raises" else contract, FAIL, stop.text)]

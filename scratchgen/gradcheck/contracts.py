"""What every backward pass must keep, whatever it is the derivative of: each with a question.

    stale       what a pass gives depends on that pass alone                 circumstances.py
    linear      backward is linear in dy                                     laws.py
    layout      nor does it depend on how its arrays lie in memory           circumstances.py
    extremes    gradients are finite where derivatives are                   extremes.py
    batch       examples do not mix, where that was declared                 laws.py

Derivatives cannot tell: |dy| is right for a positive dy, and a stale cache for the first call.
"""

from collections.abc import Callable

import numpy as np

from .circumstances import layout, stale
from .extremes import at_extremes
from .laws import batch, linear
from .pair import OutOfTime, Pair, Stopped
from .probe import quiet
from .reference import Reference
from .results import FAIL, Finding

QUESTIONS: dict[str, Callable[[Reference], list[Finding]]] = {
    "stale": stale,
    "linear": linear,
    "layout": layout,
    "extremes": at_extremes,
    "batch": batch,
}


def check_contracts(
    pair: Pair, rng: np.random.Generator, findings: list[Finding] | None = None
) -> list[Finding]:
    """A finding for each contract that applies; added to `findings`, which outlive an OutOfTime."""
    found = [] if findings is None else findings
    with quiet():
        reference = Reference(pair, rng)
        if not reference.gradients or not any(y.size for y in reference.y):
            return found
        for contract, ask in QUESTIONS.items():
            try:
                found += ask(reference)
            except OutOfTime:
                raise
            except Stopped as stop:
                found.append(Finding(contract, FAIL, stop.text))
    return found

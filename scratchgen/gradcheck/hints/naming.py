"""Hints name the probable causes of a wrong gradient, one sentence each, most probable first.

The error E = analytic - numeric is compared with the known mistakes: wrong factors and orders
(shapes_of_error.py), means (shapes_by_group.py), wrong axes (shapes_of_jacobians.py), missing terms
and factors (missing_terms.py), masks and borders (wrong_places.py). The shortest description comes
first (guesses.py). If a contract fails that makes any gradient wrong, it comes before them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...ground.arguments import Array, Shape
from ..pairs.pair import Pair
from ..results import FAIL, BlockResult, EntryMap, Finding, Hint
from .by_output import explain_gradient
from .guesses import Explanation, Guess, WrongGradient
from .wrong_places import named_entries, places

CAUSES = (
    "sign", "factor", "zero", "order", "mean term", "axis", "mask", "border", "last rows",
    "few entries", "missing factor", "missing term", "formula", "eps", "not linear", "stale",
    "impure", "shape", "dtype", "not finite", "unknown",
)  # fmt: skip
BROKEN = {  # contract: cause, and why gradients are wrong without it; the worst first
    "shape": ("shape", "its shape is not the shape of its block"),
    "kind": ("shape", "it is no array of floats"),
    "pure": ("impure", "the pass changes what it is given"),
    "stale": ("stale", "the pass keeps state: it depends on the calls before it"),
    "linear": ("not linear", "the backward pass is not linear in dy, as every derivative is"),
}
NOT_OF_STATE = ("sign", "order")  # neither changed arguments nor kept state looks like these
UNNAMED = ("unknown", "formula")
MOST_HINTS = 4


def hints_for(
    pair: Pair, name: str, entries: EntryMap, dy: Sequence[Array], findings: Sequence[Finding]
) -> list[Hint]:
    """The probable causes of one block's wrong gradient, most probable first; never empty.

    Args:
        pair: the checked pass, at the point `pair.blocks`.
        name: the block.
        entries: its gradient, claimed and measured.
        dy: the cotangents of the measurement.
        findings: the verdicts of the contracts.
    """
    broken = [_of_contract(contract, findings, name) for contract in BROKEN]
    first = [hint for hint in broken if hint is not None]
    if not np.isfinite(entries.analytic).all():
        return [_not_finite(entries), *first]
    gradient = WrongGradient.of(entries)
    if not gradient.wrong.any() or not gradient.size:
        return first or [Hint("unknown", "none of the entries that were measured is wrong")]
    with np.errstate(all="ignore"):  # log, 1 / v and others may be undefined here
        explanation = explain_gradient(pair, name, gradient, dy)
    found = [
        Hint(guess.cause, guess.text, guess.residual)
        for guess in _best_of_each_cause(explanation.guesses)
    ]
    found = found or [_without_a_guess(gradient, explanation)]
    if found[0].cause in NOT_OF_STATE and not any(hint.cause == "not linear" for hint in first):
        return [found[0], *first, *found[1:]][:MOST_HINTS]
    return [*first, *found][:MOST_HINTS]


def point_to_known(failed: Sequence[BlockResult]) -> None:
    """A block without a known cause points to a later block that has one.

    Blocks stand in the order of the forward pass. A mistake spoils every gradient that the backward
    pass computes after it, so the block nearest to the output shows it best.
    """
    nearest: BlockResult | None = None
    for result in reversed(failed):
        if not result.hints:
            continue
        cause = result.hints[0].cause
        if cause not in UNNAMED:
            nearest = nearest or result
        elif nearest is not None:
            there = nearest.hints[0]
            text = f"look at {nearest.name} first, which is wrong as well: {there.text}"
            result.hints.insert(0, Hint(there.cause, text, there.residual))


def _best_of_each_cause(guesses: Sequence[Guess]) -> Iterator[Guess]:
    """The best guess of each cause."""
    seen = set()
    for guess in guesses:
        if guess.cause not in seen:
            seen.add(guess.cause)
            yield guess


def _of_contract(contract: str, findings: Sequence[Finding], name: str) -> Hint | None:
    """The hint from a contract that failed for this block or for the whole pass."""
    for finding in findings:
        everywhere = finding.block == "" or contract == "linear"  # it names only the worst block
        if (
            finding.contract == contract
            and finding.verdict == FAIL
            and (everywhere or finding.block == name)
        ):
            cause, text = BROKEN[contract]
            return Hint(cause, f"{text}: {finding.text}" if finding.text else text)
    return None


def _not_finite(entries: EntryMap) -> Hint:
    """How many entries are NaN or infinite, and the index of the first."""
    bad = np.flatnonzero(~np.isfinite(entries.analytic))
    shape: Shape = entries.shape or (1,)
    first = [int(i) for i in np.unravel_index(int(entries.index[bad[0]]), shape)]
    text = f"{len(bad)} of {len(entries.index)} entries are not finite, the first at {first}"
    return Hint("not finite", text)


def _without_a_guess(gradient: WrongGradient, explanation: Explanation) -> Hint:
    """No guess fits: name the wrong entries if they are few, else the right formula if known."""
    n, k = len(gradient.index), int(gradient.wrong.sum())
    for place in places(gradient, []):
        if place.alone:
            return Hint(place.cause, f"it is wrong only {place.text}")
    if explanation.right:
        now = f" is {explanation.now}, and" if explanation.now else ""
        return Hint(
            "formula", f"{k} of {n} entries are wrong: it{now} should be {explanation.right}"
        )
    if explanation.now:
        text = f"it is just {explanation.now}: a term or a factor beside that is missing"
        return Hint("missing term", text)
    worst = named_entries(gradient, np.argsort(-abs(gradient.error), kind="stable")[:1])
    text = f"no known shape fits: {k} of {n} entries are wrong, most of all {worst or 'the one'}"
    return Hint("unknown", text, 1.0)

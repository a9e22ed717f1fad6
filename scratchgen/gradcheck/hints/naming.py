"""Hints: what is probably wrong with a gradient that failed, in one sentence each, best first.

The error E = analytic - numeric is compared with all that is known to happen: wrong factors and
orders (shapes_of_error.py), means (shapes_by_group.py), axes (mixed_axes.py), formulas of the
arrays at hand (explained.py), conditions on where it is wrong (wrong_places.py). What tells most of
it with the least freedom comes first (guesses.py). A contract that failed as well, and would make
any gradient wrong, comes before that.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...ground.arguments import Array, Shape
from ..pairs.pair import Pair
from ..results import FAIL, BlockResult, EntryMap, Finding, Hint
from .by_output import explain_gradient
from .explained import Explained
from .guesses import Guess, WrongGradient
from .wrong_places import named_entries, places

CAUSES = (
    "sign", "factor", "zero", "order", "mean term", "axis", "mask", "border", "last rows",
    "few entries", "missing factor", "missing term", "formula", "eps", "not linear", "stale",
    "impure", "shape", "dtype", "not finite", "unknown",
)  # fmt: skip
BROKEN = {  # contract: the cause that it is, and why it makes gradients wrong; the first is worst
    "shape": ("shape", "it has not the shape of its block"),
    "kind": ("shape", "it is no array of floats"),
    "pure": ("impure", "the pass changes what it is given"),
    "stale": ("stale", "the pass keeps state: it depends on the calls before it"),
    "linear": ("not linear", "the backward pass is not linear in dy, as every derivative is"),
}
NOT_OF_STATE = ("sign", "order")  # causes that changed arrays and kept state do not imitate
UNNAMED = ("unknown", "formula")
MOST_HINTS = 4


def hints_for(
    pair: Pair, name: str, entries: EntryMap, dy: Sequence[Array], findings: Sequence[Finding]
) -> list[Hint]:
    """The likely causes of a wrong gradient of one block, best first; never empty.

    Args:
        pair: what was checked; the entries were measured at `pair.blocks`.
        name: of the block.
        entries: of its gradient, claimed and measured.
        dy: the cotangents that they were measured with.
        findings: what the contracts said.
    """
    broken = [_of_contract(one, findings, name) for one in BROKEN]
    first = [hint for hint in broken if hint is not None]
    if not np.isfinite(entries.analytic).all():
        return [_not_finite(entries), *first]
    gradient = WrongGradient.of(entries)
    if not gradient.wrong.any() or not gradient.size:
        return first or [Hint("unknown", "none of the entries that were measured is wrong")]
    with np.errstate(all="ignore"):  # functions are tried where they may have no value
        explained = explain_gradient(pair, name, gradient, dy)
    found = [Hint(one.cause, one.text, one.residual) for one in _one_each(explained.guesses)]
    found = found or [_without_a_guess(gradient, explained)]
    if found[0].cause in NOT_OF_STATE and not any(one.cause == "not linear" for one in first):
        return [found[0], *first, *found[1:]][:MOST_HINTS]
    return [*first, *found][:MOST_HINTS]


def point_to_known(failed: Sequence[BlockResult]) -> None:
    """Where the cause is unknown, point to a block that is nearer to the output, and has one.

    The blocks of a network stand in the order of the forward pass, and a mistake makes all
    gradients wrong that the backward pass comes to after it.
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


def _one_each(guesses: Sequence[Guess]) -> Iterator[Guess]:
    """The best guess of each cause."""
    seen = set()
    for one in guesses:
        if one.cause not in seen:
            seen.add(one.cause)
            yield one


def _of_contract(contract: str, findings: Sequence[Finding], name: str) -> Hint | None:
    """The hint that a failed contract is, if it failed for this block, or for all."""
    for one in findings:
        everywhere = one.block == "" or contract == "linear"  # which names the worst block only
        if one.contract == contract and one.verdict == FAIL and (everywhere or one.block == name):
            cause, text = BROKEN[contract]
            return Hint(cause, f"{text}: {one.text}" if one.text else text)
    return None


def _not_finite(entries: EntryMap) -> Hint:
    """How many entries are NaN or infinite, and where the first of them is."""
    bad = np.flatnonzero(~np.isfinite(entries.analytic))
    shape: Shape = entries.shape or (1,)
    first = [int(i) for i in np.unravel_index(int(entries.index[bad[0]]), shape)]
    text = f"{len(bad)} of {len(entries.index)} entries are not finite, the first at {first}"
    return Hint("not finite", text)


def _without_a_guess(gradient: WrongGradient, explained: Explained) -> Hint:
    """No shape fits: which entries are wrong, if few are; else the right formula, if known."""
    n, k = len(gradient.index), int(gradient.wrong.sum())
    for place in places(gradient, []):
        if place.alone:
            return Hint(place.cause, f"it is wrong only {place.text}")
    if explained.right:
        now = f" is {explained.now}, and" if explained.now else ""
        return Hint("formula", f"{k} of {n} entries are wrong: it{now} should be {explained.right}")
    if explained.now:
        text = f"it is just {explained.now}: a term or a factor beside that is missing"
        return Hint("missing term", text)
    worst = named_entries(gradient, np.argsort(-abs(gradient.error), kind="stable")[:1])
    text = f"no known shape fits: {k} of {n} entries are wrong, most of all {worst or 'the one'}"
    return Hint("unknown", text, 1.0)

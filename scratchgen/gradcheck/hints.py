"""Hints: what a gradient that failed has probably wrong, in one sentence, best first.

The error E = analytic - numeric is compared with all that is known to happen: wrong factors, orders
and means (shapes_of_error.py), formulas of the arrays at hand (formulas.py), conditions on where it
is wrong (wrong_places.py). What explains most with the least freedom comes first (guesses.py). A
contract that failed as well, and would make any gradient wrong, comes before all of them.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..checks import Array
from .formulas import Formula, Weight, all_sums, search
from .guesses import Guess, WrongGradient, cheapest
from .known_arrays import Known, at_level, known_arrays, spread
from .named_numbers import Names, names_for
from .pair import Pair
from .results import FAIL, EntryMap, Finding, Hint
from .shapes_of_error import (
    fits_axis,
    fits_factor,
    fits_group_factor,
    fits_mean_term,
    fits_order,
    fits_two_axes,
    fits_zero,
)
from .wrong_places import named_entries, places

CAUSES = (
    "sign", "factor", "zero", "order", "mean term", "axis", "mask", "border", "last rows",
    "few entries", "missing factor", "missing term", "eps", "not linear", "stale", "impure",
    "shape", "dtype", "not finite", "unknown",
)  # fmt: skip
BROKEN = {  # contract: the cause that it is, and why it makes the gradient wrong
    "shape": ("shape", "it has not the shape of its block"),
    "kind": ("shape", "it is no array of floats"),
    "pure": ("impure", "the pass changes what it is given"),
    "stale": ("stale", "the pass depends on calls before it: it keeps state that it should not"),
    "linear": ("not linear", "the backward pass is not linear in dy, as any derivative is"),
}
MOST_HINTS = 4
MOST_ENTRIES = 256  # that formulas are compared with


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
    broken = [hint for one in findings if (hint := _from_finding(one, name)) is not None]
    broken.sort(key=lambda hint: CAUSES.index(hint.cause) not in (15, 14))
    odd = _not_finite(entries)
    if odd is not None:
        return [odd, *broken]
    gradient = WrongGradient.of(entries)
    if not gradient.wrong.any() or gradient.size == 0:
        return broken or [Hint("unknown", "none of the entries that were measured is wrong")]
    guesses = cheapest(_guesses(pair, name, gradient, dy), gradient)
    ...

"""Hints: what is probably wrong with a gradient that failed, in one sentence each, best first.

The error E = analytic - numeric is compared with all that is known to happen: wrong factors and
orders (shapes_of_error.py), means (shapes_by_group.py), axes (mixed_axes.py), formulas of the
arrays at hand (explained.py), conditions on where it is wrong (wrong_places.py). What tells most of
it with the least freedom comes first (guesses.py). A contract that failed as well, and would make
any gradient wrong, comes before that.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...checks import Array, Shape
from ..pairs.pair import Pair
from ..results import FAIL, EntryMap, Finding, Hint
from .explained import Explained, formula_guesses, two_term_guesses
from .guesses import Guess, WrongGradient, cheapest
from .known_arrays import Known, arrays_at_hand, spread
from .mixed_axes import fits_axis, fits_two_axes
from .named_numbers import Names, names_for
from .shapes_by_group import fits_group_factor, fits_inside_a_mean, fits_mean_term
from .shapes_of_error import fits_factor, fits_order, fits_whole_numbers, fits_zero
from .wrong_places import Place, named_entries, places

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
OF_INDICES = ("border", "last rows", "few entries")
MOST_HINTS = 4
FEW_KNOWN = 8  # arrays, for the shapes that are fitted with each of them


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
        explained = _explained(pair, name, gradient, dy)
    found = [Hint(one.cause, one.text, one.residual) for one in _one_each(explained.guesses)]
    found = found or [_without_a_guess(gradient, explained)]
    if found[0].cause in NOT_OF_STATE and not any(one.cause == "not linear" for one in first):
        return [found[0], *first, *found[1:]][:MOST_HINTS]
    return [*first, *found][:MOST_HINTS]


def _explained(pair: Pair, name: str, gradient: WrongGradient, dy: Sequence[Array]) -> Explained:
    """What fits, cheapest first, and the formulas that are known."""
    arrays = arrays_at_hand(pair, name)
    cotangents = [
        Known("dy" if len(dy) == 1 else f"dy[{i}]", np.asarray(one)) for i, one in enumerate(dy)
    ]
    names = names_for(name, pair.blocks, list(dy))
    own = np.ravel(pair.blocks[name])[gradient.index]
    known = _entries_of(arrays, gradient)
    of_dy = _entries_of(cotangents, gradient)
    found = formula_guesses(arrays, cotangents, gradient, names)
    found.guesses += _of_the_whole(gradient, names, own, known, of_dy)
    found.guesses += _of_a_part(gradient, names, arrays, cotangents, [*known, *of_dy])
    fits = cheapest(found.guesses, gradient)
    if not fits or fits[0].price(gradient) > gradient.unexplained() / 2:
        more = two_term_guesses(arrays, cotangents, gradient, names)
        fits = cheapest([*fits, *more.guesses], gradient)
        found.right = found.right or more.right
    return Explained(fits, found.now, found.right)


def _of_the_whole(
    gradient: WrongGradient,
    names: Names,
    own: Array,
    known: list[tuple[str, Array]],
    dy: list[tuple[str, Array]],
) -> list[Guess]:
    """Every shape that the error as a whole may have; `own` is the block, `known` the others."""
    others = [*known, *dy][:FEW_KNOWN]
    products = [(f"{a} * {b}", v * w) for a, v in dy for b, w in known[: FEW_KNOWN - 1]]
    return [
        *fits_zero(gradient),
        *fits_factor(gradient, names),
        *fits_whole_numbers(gradient),
        *fits_order(gradient),
        *fits_mean_term(gradient, own, others),
        *fits_group_factor(gradient, own),
        *fits_inside_a_mean(gradient, own, [*dy, *products]),
        *fits_axis(gradient),
        *fits_two_axes(gradient, own),
    ]


def _of_a_part(
    gradient: WrongGradient,
    names: Names,
    arrays: list[Known],
    dy: list[Known],
    known: list[tuple[str, Array]],
) -> Iterator[Guess]:
    """Where it is wrong, and what it is there."""
    wrong = gradient.at(np.flatnonzero(gradient.wrong))
    where = places(gradient, _compared(known))
    inner = [*fits_zero(wrong), *fits_factor(wrong, names)]
    if where and len(wrong.index) > 2:
        inner += formula_guesses(arrays, dy, wrong, names, elementwise=True).guesses
    there = next(iter(cheapest(inner, wrong)), None)
    for place in where:
        text = f"it is wrong only {place.text}"
        if there is not None:
            cause = there.cause if _says_more(there, place) else place.cause
            choice = place.choice + there.choice
            yield Guess(cause, f"{text}: there {there.text}", choice, there.free, there.residual)
        elif place.alone:
            outside = gradient.left(np.where(gradient.wrong, 0.0, gradient.error))
            yield Guess(place.cause, text, place.choice, float(gradient.wrong.sum()), outside)


def _says_more(there: Guess, place: Place) -> bool:
    """Whether what is wrong at a place tells more of the cause than the place does."""
    if there.cause == "missing term":
        return not place.alone
    return place.cause in OF_INDICES and there.cause in ("sign", "missing factor")


def _entries_of(arrays: Sequence[Known], gradient: WrongGradient) -> list[tuple[str, Array]]:
    """The arrays that broadcast to the block, at the entries: (n,) each."""
    every = [way for one in arrays for way in spread(one.name, one.values, gradient.shape)]
    return [(name, np.ravel(values)[gradient.index]) for name, values in every]


def _compared(known: list[tuple[str, Array]]) -> list[tuple[str, Array]]:
    """Arrays, and what tells of two whether they are equal, or which is larger, or of one sign."""
    few = known[:FEW_KNOWN]
    found = list(few)
    for i, (a, v) in enumerate(few):
        for b, w in few[i + 1 :]:
            found += [(f"({a} - {b})", v - w), (f"{a} * {b}", v * w)]
    return found


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
        if one.contract == contract and one.verdict == FAIL and one.block in ("", name):
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

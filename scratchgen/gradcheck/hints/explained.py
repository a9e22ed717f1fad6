"""What formulas say of a wrong gradient: it lacks a term, or a factor, or is another formula.

analytic = numeric + c T              the term -c T is missing, or has a wrong sign or factor
numeric = c F analytic                the factor c F is missing
analytic = P,  numeric = Q            two formulas: a wrong array, a transpose, another axis
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .formulas import Formula, search
from .guesses import Guess, WrongGradient
from .known_arrays import Known
from .named_numbers import Names
from .two_terms import TwoTerms, pairs_of_terms
from .ways_to_sum import Sums, Weight, all_sums

MOST_ENTRIES = 256  # that a formula is compared with


@dataclass
class Explained:
    """Guesses, and the formulas of the gradient as it is and as it should be; empty if unknown."""

    guesses: list[Guess]
    now: str = ""
    right: str = ""


def formula_guesses(
    arrays: Sequence[Known],
    dy: Sequence[Known],
    gradient: WrongGradient,
    names: Names,
    elementwise: bool = False,
) -> Explained:
    """All that formulas of one term have to say."""
    gradient = _fewer(gradient)
    targets = [gradient.error, gradient.analytic, gradient.numeric]
    found: list[list[Formula]] = [[] for _ in targets]
    guesses: list[Guess] = []
    for sums in all_sums(arrays, gradient.shape, dy, elementwise):
        for weight in sums.weights:
            for into, some in zip(
                found, search(sums, weight, targets, gradient, names), strict=True
            ):
                into += some
        if not sums.kind:
            guesses += _factors(sums, gradient, names)
    for one in found:
        one.sort(key=lambda formula: formula.choice + gradient.digits * formula.free)
    terms, now, right = found
    guesses += [_term(one) for one in terms]
    guesses += [_replaced(a, b) for a in now[:3] for b in right[:3]]
    texts = [one[0].text() if one else "" for one in (now, right)]
    return Explained(guesses, *texts)


def two_term_guesses(
    arrays: Sequence[Known], dy: Sequence[Known], gradient: WrongGradient, names: Names
) -> Explained:
    """What two terms have to say, elementwise; dearer, so for where one has nothing to say."""
    gradient = _fewer(gradient)
    sums = next(all_sums(arrays, gradient.shape, dy, elementwise=True))
    off, right = pairs_of_terms(sums, [gradient.error, gradient.numeric], gradient, names)
    words = "a term of it is wrong inside, or two are"
    guesses = [
        Guess("missing term", f"{_lacks(one)}: {words}", one.choice + 0.5, one.free, one.residual)
        for one in off
    ]
    return Explained(guesses, right=next((one.text() for one in right if not one.free), ""))


def _lacks(one: Formula | TwoTerms) -> str:
    """What E = c T says."""
    text = one.text(-1)
    return f"it has {one.text()} too many" if text.startswith("-") else f"it lacks {text}"


def _fewer(gradient: WrongGradient) -> WrongGradient:
    n = len(gradient.index)
    if n <= MOST_ENTRIES:
        return gradient
    return gradient.at(np.linspace(0, n - 1, MOST_ENTRIES).astype(int))


def _term(one: Formula) -> Guess:
    """E = c T."""
    text = f"{_lacks(one)}: this term is missing, or has the wrong sign or factor"
    cause = "mask" if one.is_mask or one.is_sign else "missing term"
    return Guess(cause, text, one.choice + 0.5, one.free, one.residual)


def _factors(sums: Sums, gradient: WrongGradient, names: Names) -> Iterator[Guess]:
    """One of the two is the other times a formula."""
    ways = (
        ("it lacks the factor", gradient.analytic, gradient.numeric, 0.0),
        ("it has a factor too many:", gradient.numeric, gradient.analytic, 0.3),
    )
    for words, base, target, extra in ways:
        full = np.zeros(len(sums.at_right))
        full[gradient.index] = base
        for one in search(sums, Weight("", full, 0.0), [target], gradient, names)[0]:
            if np.ptp(one.factor(gradient.index)) > 1e-9:  # else it is a number
                cause = "mask" if one.is_mask else "missing factor"
                text = f"{words} {one.text()}"
                yield Guess(cause, text, one.choice + extra, one.free, one.residual)


def _without_places(one: Formula) -> str:
    """A formula without the slices in it, `dy` for `dy[..., :3]`."""
    return re.sub(r"\[\.\.\., [-:\d]+\]", "", one.text())


def _replaced(now: Formula, right: Formula) -> Guess:
    """The formula that it is, and the one that it should be."""
    cause = "missing factor"
    if "sum(" in right.text() and "sum(" not in now.text():
        cause = "mean term"
    elif now.is_mask != right.is_mask and (now.parts < right.parts or right.parts < now.parts):
        cause = "mask"
    elif _without_places(now) == _without_places(right):
        cause = "order"
    elif now.sums.kind and now.parts == right.parts and now.sums.text != right.sums.text:
        cause = "order" if now.sums.kind == "matmul" else "axis"
    text = f"it is {now.text()}, and should be {right.text()}"
    residual = float(np.hypot(now.residual, right.residual))
    both, free = now.choice + right.choice, now.free + right.free
    if now.sums.text == right.sums.text and now.parts < right.parts:  # one factor was dropped
        both, free = right.choice, right.free + now.free
    return Guess(cause, text, both, free, residual)

"""Guesses from formulas: a term is missing, a factor is missing, or one formula replaces another.

analytic = numeric + c T              the term -c T is missing, or has a wrong sign or factor
numeric = c F analytic                the factor c F is missing
analytic = P,  numeric = Q            P stands in the place of Q: a wrong array, axis or transpose
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .gradient_formulas import Formula, search
from .guesses import Explanation, Guess, WrongGradient
from .named_arrays import NamedArray
from .named_numbers import NumberNames
from .two_terms import TwoTerms, pairs_of_terms
from .ways_to_sum import Sums, Weight, all_sums

MOST_ENTRIES = 256  # each formula is compared at no more than these


def formula_guesses(
    arrays: Sequence[NamedArray],
    dy: Sequence[NamedArray],
    gradient: WrongGradient,
    names: NumberNames,
    elementwise: bool = False,
) -> Explanation:
    """Guesses from formulas of one term."""
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
    for formulas in found:
        formulas.sort(
            key=lambda formula: formula.choice_digits + gradient.digits * formula.n_fitted
        )
    terms, now, right = found
    guesses += [_term(formula) for formula in terms]
    guesses += [_replaced(a, b) for a in now[:3] for b in right[:3]]
    texts = [formulas[0].text() if formulas else "" for formulas in (now, right)]
    return Explanation(guesses, *texts)


def two_term_guesses(
    arrays: Sequence[NamedArray],
    dy: Sequence[NamedArray],
    gradient: WrongGradient,
    names: NumberNames,
) -> Explanation:
    """Guesses from sums of two elementwise terms: slower, tried where one term explains nothing."""
    gradient = _fewer(gradient)
    sums = next(all_sums(arrays, gradient.shape, dy, elementwise=True))
    off, right = pairs_of_terms(sums, [gradient.error, gradient.numeric], gradient, names)
    words = "one or two of its terms have a wrong factor"
    guesses = [
        Guess(
            "missing term",
            f"{_lacks(terms)}: {words}",
            terms.choice_digits + 0.5,
            terms.n_fitted,
            terms.residual,
        )
        for terms in off
    ]
    return Explanation(
        guesses, right=next((terms.text() for terms in right if not terms.n_fitted), "")
    )


def _lacks(terms: Formula | TwoTerms) -> str:
    """E = c T in words."""
    text = terms.text(-1)
    return f"it has {terms.text()} too many" if text.startswith("-") else f"it lacks {text}"


def _fewer(gradient: WrongGradient) -> WrongGradient:
    n = len(gradient.index)
    if n <= MOST_ENTRIES:
        return gradient
    return gradient.at(np.linspace(0, n - 1, MOST_ENTRIES).astype(int))


def _term(formula: Formula) -> Guess:
    """E = c T."""
    text = f"{_lacks(formula)}: this term is missing, or has the wrong sign or factor"
    cause = "mask" if formula.is_mask or formula.is_sign else "missing term"
    return Guess(cause, text, formula.choice_digits + 0.5, formula.n_fitted, formula.residual)


def _factors(sums: Sums, gradient: WrongGradient, names: NumberNames) -> Iterator[Guess]:
    """analytic = F numeric, or numeric = F analytic."""
    directions = (
        ("it lacks the factor", gradient.analytic, gradient.numeric, 0.0),
        ("it has a factor too many:", gradient.numeric, gradient.analytic, 0.3),
    )
    for words, base, target, extra in directions:
        full = np.zeros(len(sums.at_right))
        full[gradient.index] = base
        for formula in search(sums, Weight("", full, 0.0), [target], gradient, names)[0]:
            if (
                np.ptp(formula.factor(gradient.index)) > 1e-9
            ):  # a constant factor belongs to fits_factor
                cause = "mask" if formula.is_mask else "missing factor"
                text = f"{words} {formula.text()}"
                yield Guess(
                    cause, text, formula.choice_digits + extra, formula.n_fitted, formula.residual
                )


def _without_places(formula: Formula) -> str:
    """The text of a formula without slices: `dy` for `dy[..., :3]`."""
    return re.sub(r"\[\.\.\., [-:\d]+\]", "", formula.text())


def _replaced(now: Formula, right: Formula) -> Guess:
    """The gradient follows one formula and should follow another."""
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
    choice_digits, n_fitted = now.choice_digits + right.choice_digits, now.n_fitted + right.n_fitted
    if now.sums.text == right.sums.text and now.parts < right.parts:  # one factor is missing
        choice_digits, n_fitted = right.choice_digits, right.n_fitted + now.n_fitted
    return Guess(cause, text, choice_digits, n_fitted, residual)

"""Sums of two elementwise formulas, t = c_1 T_1 + c_2 T_2, where one formula is not enough.

Let a_1, a_2 be the cosines of T_1, T_2 with t, and g their cosine with each other. The best c leave

    r^2 = 1 - (a_1^2 + a_2^2 - 2 a_1 a_2 g) / (1 - g^2)                              (1)

of |t|^2, which is computed for all pairs of terms at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from .gradient_formulas import PAIR, Formula
from .guesses import WrongGradient
from .named_numbers import NumberNames
from .ways_to_sum import Sums, Weight, term_values

MOST_TERMS = 400  # those with the fewest digits
MOST_ROWS = 24  # entries in (1)
MOST_PARTNERS = 12  # first factors, those with the fewest digits
VERIFIED = 8  # pairs that are compared at every entry
APART = 1e-4  # below this 1 - g^2 two terms count as equal


@dataclass(frozen=True)
class TwoTerms:
    """A sum of two terms, and its residual."""

    first: Formula
    second: Formula
    residual: float

    @property
    def choice_digits(self) -> float:
        return self.first.choice_digits + self.second.choice_digits

    @property
    def n_fitted(self) -> float:
        return self.first.n_fitted + self.second.n_fitted

    def text(self, sign: float = 1) -> str:
        """`0.5 * dy * x - dy`."""
        a, b = self.first.text(sign), self.second.text(sign)
        return f"{a} - {b[1:]}" if b.startswith("-") else f"{a} + {b}"


def pairs_of_terms(
    sums: Sums, targets: Sequence[Array], gradient: WrongGradient, names: NumberNames
) -> list[list[TwoTerms]]:
    """For each target (n,) the pairs of terms that match it within the floor, shortest first."""
    n = len(gradient.index)
    if n < 3:
        return [[] for _ in targets]
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int))
    terms, choice_digits = _shortest_terms(sums)
    table = _table(sums, terms, gradient.index[rows])  # (T, K)
    g = table @ table.T  # (T, T)
    apart = 1 - g * g
    near = [_nearest(table, g, apart, target, rows, choice_digits, gradient) for target in targets]
    found = [
        [_compared(sums, terms[i], terms[j], target, gradient, names) for i, j in pairs]
        for target, pairs in zip(targets, near, strict=True)
    ]
    fits = [[pair for pair in some if pair.residual < 1e-3 + 3 * gradient.floor] for some in found]
    return [
        sorted(some, key=lambda pair: pair.choice_digits + gradient.digits * pair.n_fitted)
        for some in fits
    ]


Term = tuple[Weight, int, int]  # the weight, and both factors


def _shortest_terms(sums: Sums) -> tuple[list[Term], Array]:
    """Terms of one or two factors, fewest digits first, and (T,) the digits of choosing each."""
    choice_digits = sums.left.choice_digits
    partners = np.argsort(choice_digits, kind="stable")[:MOST_PARTNERS]
    pair_digits = (
        choice_digits[partners, None]
        + choice_digits
        + PAIR * np.outer(partners > 0, choice_digits > 0)
    )
    masks = np.array([sums.left.is_mask(i) for i in range(len(choice_digits))])
    repeated = (partners[:, None] > np.arange(len(choice_digits))) & np.isin(
        np.arange(len(choice_digits)), partners
    )
    pair_digits[masks[partners, None] | masks | repeated] = np.inf
    weights = [weight for weight in sums.weights if weight.choice_digits <= 1]
    description_length = np.stack([pair_digits + weight.choice_digits for weight in weights])
    best = np.argsort(description_length, axis=None, kind="stable")[:MOST_TERMS]
    found = zip(*np.unravel_index(best, description_length.shape), strict=True)
    return [
        (weights[w], int(partners[i]), int(j)) for w, i, j in found
    ], description_length.ravel()[best]


def _nearest(
    table: Array,
    g: Array,
    apart: Array,
    target: Array,
    rows: Array,
    choice_digits: Array,
    gradient: WrongGradient,
) -> list[tuple[int, int]]:
    """The pairs with a small r^2 (1), fewest digits first."""
    some = target[rows]
    if not some.any():
        return []
    a = table @ (some / np.linalg.norm(some))  # (T,)
    left = 1 - (a[:, None] ** 2 + a**2 - 2 * g * a[:, None] * a) / apart  # (1)
    share = gradient.size / float(np.linalg.norm(target))
    good = (left < 1e-9 + (100 * gradient.floor * share) ** 2) & (apart > APART)
    first, second = np.nonzero(np.triu(good, 1))
    best = np.argsort(choice_digits[first] + choice_digits[second], kind="stable")[:VERIFIED]
    return [(int(first[i]), int(second[i])) for i in best]


def _table(sums: Sums, terms: list[Term], entries: Array) -> Array:
    """(T, K) each term at these entries, scaled to norm 1; 0 where it is undefined."""
    factors = sums.left.table(entries)  # (F, K)
    left = factors[[i for _, i, _ in terms]]
    right = factors[[j for _, _, j in terms]]
    weights = {id(weight): _weight(weight, entries) for weight in sums.weights}
    table = left * right * np.stack([weights[id(weight)] for weight, *_ in terms])
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return np.divide(table, length, out=np.zeros_like(table), where=length > 0)


def _weight(weight: Weight, entries: Array) -> Array:
    return np.ones(len(entries)) if weight.values is None else weight.values[entries]


def _compared(
    sums: Sums,
    first: Term,
    second: Term,
    target: Array,
    gradient: WrongGradient,
    names: NumberNames,
) -> TwoTerms:
    """Two terms at all entries, with the best c_1 and c_2."""
    columns = [term_values(sums, i, j, w, gradient.index) for w, i, j in (first, second)]
    table = np.stack(columns, axis=1)  # (n, 2)
    c = np.linalg.lstsq(table, target, rcond=None)[0]
    sizes = np.linalg.norm(table, axis=0)
    found = []
    for (weight, i, j), number, size in zip((first, second), c, sizes, strict=True):
        tolerance = 30 * gradient.floor * gradient.size / max(float(size), 1e-300)
        named = names.name(float(number), min(tolerance, 1e-3 * abs(number)))
        found.append(Formula(sums, i, j, weight, float(number), named, 0.0))
    fitted = np.array([term.named.value if term.named else term.c for term in found])
    return TwoTerms(found[0], found[1], gradient.residual_of(target - table @ fitted))

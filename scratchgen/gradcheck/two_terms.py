"""Two formulas at once, where one does not do: t = c_1 T_1 + c_2 T_2, elementwise.

With a the cosines of all terms with t, and g those of two with each other, the best c leave

    r^2 = 1 - (a_1^2 + a_2^2 - 2 a_1 a_2 g) / (1 - g^2)                              (1)

of t, so that all pairs are compared in one go.
"""

from dataclasses import dataclass

import numpy as np

from ..checks import Array
from .formulas import Formula, Sums, Weight, term_values
from .guesses import WrongGradient
from .named_numbers import Names

MOST_TERMS = 400  # the cheapest
MOST_ROWS = 24  # that (1) is found from
MOST_PARTNERS = 4  # arrays that stand as they are, beside any other factor
VERIFIED = 8
APART = 1e-4  # 1 - g^2 below which two terms are the same


@dataclass(frozen=True)
class TwoTerms:
    """Two terms, what they leave, and what they cost."""

    one: Formula
    other: Formula
    residual: float

    @property
    def choice(self) -> float:
        return self.one.choice + self.other.choice

    @property
    def free(self) -> float:
        return self.one.free + self.other.free

    def text(self, sign: float = 1) -> str:
        """`0.5 * dy * x - dy`."""
        first, second = self.one.text(sign), self.other.text(sign)
        return f"{first} - {second[1:]}" if second.startswith("-") else f"{first} + {second}"


def two_terms(sums: Sums, target: Array, gradient: WrongGradient, names: Names) -> list[TwoTerms]:
    """The pairs of terms that give the target (n,) to what the error allows, best first."""
    n = len(gradient.index)
    if n < 3 or not target.any():
        return []
    terms = _terms(sums)
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int))
    with np.errstate(all="ignore"):
        table = _table(sums, terms, gradient.index[rows])  # (T, K)
        some = target[rows]
        if not some.any():
            return []
        a = table @ (some / np.linalg.norm(some))  # (T,)
        g = table @ table.T  # (T, T)
        apart = 1 - g * g
        left = 1 - (a[:, None] ** 2 + a**2 - 2 * g * a[:, None] * a) / apart  # (1)
        share = gradient.size / float(np.linalg.norm(target))
        good = (left < 1e-9 + (100 * gradient.floor * share) ** 2) & (apart > APART)
    first, second = np.nonzero(np.triu(good, 1))
    price = np.array([choice for *_, choice in terms])
    best = np.argsort(price[first] + price[second], kind="stable")[:VERIFIED]
    found = [
        _compared(sums, terms[first[i]], terms[second[i]], target, gradient, names) for i in best
    ]
    fits = [one for one in found if one.residual < 1e-3 + 3 * gradient.floor]
    return sorted(fits, key=lambda one: one.choice + gradient.digits * one.free)


Term = tuple[Weight, int, int, float]  # the weight, both factors, and the digits of choosing them


def _terms(sums: Sums) -> list[Term]:
    """The cheapest terms: any factor, by itself or times an array as it is."""
    factors = sums.left
    partners = [0, *factors.plain()[:MOST_PARTNERS]]
    found = [
        (weight, i, j, weight.choice + float(factors.choice[i] + factors.choice[j]))
        for weight in sums.weights
        for i in partners
        for j in range(len(factors.features))
        if weight.choice <= 1 and (i == 0 or j > 0) and not factors.is_mask(j)
    ]
    return sorted(found, key=lambda term: term[3])[:MOST_TERMS]


def _table(sums: Sums, terms: list[Term], entries: Array) -> Array:
    """(T, K) each term at these entries, of length 1, or 0 where it is of no use."""
    factors = sums.left.table(entries)  # (F, K)
    left = factors[[i for _, i, _, _ in terms]]
    right = factors[[j for _, _, j, _ in terms]]
    weights = {id(one): _weight(one, entries) for one in sums.weights}
    table = left * right * np.stack([weights[id(weight)] for weight, *_ in terms])
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return np.divide(table, length, out=np.zeros_like(table), where=length > 0)


def _weight(weight: Weight, entries: Array) -> Array:
    return np.ones(len(entries)) if weight.values is None else weight.values[entries]


def _compared(
    sums: Sums, one: Term, other: Term, target: Array, gradient: WrongGradient, names: Names
) -> TwoTerms:
    """Two terms against all entries."""
    columns = [term_values(sums, i, j, w, gradient.index) for w, i, j, _ in (one, other)]
    table = np.stack(columns, axis=1)  # (n, 2)
    c = np.linalg.lstsq(table, target, rcond=None)[0]
    sizes = np.linalg.norm(table, axis=0)
    found = []
    for (weight, i, j, _), number, size in zip((one, other), c, sizes, strict=True):
        tolerance = 30 * gradient.floor * gradient.size / max(float(size), 1e-300)
        named = names.name(float(number), min(tolerance, 1e-3 * abs(number)))
        found.append(Formula(sums, i, j, weight, float(number), named, 0.0))
    fitted = np.array([one.named.value if one.named else one.c for one in found])
    return TwoTerms(found[0], found[1], gradient.left(target - table @ fitted))

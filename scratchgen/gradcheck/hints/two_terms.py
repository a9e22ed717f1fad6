"""Two formulas at once, where one does not do: t = c_1 T_1 + c_2 T_2, elementwise.

With a the cosines of all terms with t, and g those of two with each other, the best c leave

    r^2 = 1 - (a_1^2 + a_2^2 - 2 a_1 a_2 g) / (1 - g^2)                              (1)

of t, so that all pairs are compared in one go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from .formulas import PAIR, Formula
from .guesses import WrongGradient
from .named_numbers import Names
from .ways_to_sum import Sums, Weight, term_values

MOST_TERMS = 400  # the cheapest
MOST_ROWS = 24  # that (1) is found from
MOST_PARTNERS = 12  # the cheapest factors, beside any other
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


def pairs_of_terms(
    sums: Sums, targets: Sequence[Array], gradient: WrongGradient, names: Names
) -> list[list[TwoTerms]]:
    """For each target (n,) the pairs of terms that give it, to what the floor asks, best first."""
    n = len(gradient.index)
    if n < 3:
        return [[] for _ in targets]
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int))
    terms, choice = _cheapest_terms(sums)
    table = _table(sums, terms, gradient.index[rows])  # (T, K)
    g = table @ table.T  # (T, T)
    apart = 1 - g * g
    near = [_nearest(table, g, apart, one, rows, choice, gradient) for one in targets]
    found = [
        [_compared(sums, terms[i], terms[j], target, gradient, names) for i, j in pairs]
        for target, pairs in zip(targets, near, strict=True)
    ]
    fits = [[one for one in some if one.residual < 1e-3 + 3 * gradient.floor] for some in found]
    return [sorted(some, key=lambda one: one.choice + gradient.digits * one.free) for some in fits]


Term = tuple[Weight, int, int]  # the weight, and both factors


def _cheapest_terms(sums: Sums) -> tuple[list[Term], Array]:
    """Terms, any factor by itself or times a cheap one, and (T,) the digits of choosing them."""
    choice = sums.left.choice
    partners = np.argsort(choice, kind="stable")[:MOST_PARTNERS]
    both = choice[partners, None] + choice + PAIR * np.outer(partners > 0, choice > 0)
    masks = np.array([sums.left.is_mask(i) for i in range(len(choice))])
    repeated = (partners[:, None] > np.arange(len(choice))) & np.isin(
        np.arange(len(choice)), partners
    )
    both[masks[partners, None] | masks | repeated] = np.inf
    weights = [one for one in sums.weights if one.choice <= 1]
    price = np.stack([both + one.choice for one in weights])
    best = np.argsort(price, axis=None, kind="stable")[:MOST_TERMS]
    found = zip(*np.unravel_index(best, price.shape), strict=True)
    return [(weights[w], int(partners[i]), int(j)) for w, i, j in found], price.ravel()[best]


def _nearest(
    table: Array,
    g: Array,
    apart: Array,
    target: Array,
    rows: Array,
    choice: Array,
    gradient: WrongGradient,
) -> list[tuple[int, int]]:
    """The cheapest pairs that (1) says may give the target."""
    some = target[rows]
    if not some.any():
        return []
    a = table @ (some / np.linalg.norm(some))  # (T,)
    left = 1 - (a[:, None] ** 2 + a**2 - 2 * g * a[:, None] * a) / apart  # (1)
    share = gradient.size / float(np.linalg.norm(target))
    good = (left < 1e-9 + (100 * gradient.floor * share) ** 2) & (apart > APART)
    first, second = np.nonzero(np.triu(good, 1))
    best = np.argsort(choice[first] + choice[second], kind="stable")[:VERIFIED]
    return [(int(first[i]), int(second[i])) for i in best]


def _table(sums: Sums, terms: list[Term], entries: Array) -> Array:
    """(T, K) each term at these entries, of length 1, or 0 where it is of no use."""
    factors = sums.left.table(entries)  # (F, K)
    left = factors[[i for _, i, _ in terms]]
    right = factors[[j for _, _, j in terms]]
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
    columns = [term_values(sums, i, j, w, gradient.index) for w, i, j in (one, other)]
    table = np.stack(columns, axis=1)  # (n, 2)
    c = np.linalg.lstsq(table, target, rcond=None)[0]
    sizes = np.linalg.norm(table, axis=0)
    found = []
    for (weight, i, j), number, size in zip((one, other), c, sizes, strict=True):
        tolerance = 30 * gradient.floor * gradient.size / max(float(size), 1e-300)
        named = names.name(float(number), min(tolerance, 1e-3 * abs(number)))
        found.append(Formula(sums, i, j, weight, float(number), named, 0.0))
    fitted = np.array([one.named.value if one.named else one.c for one in found])
    return TwoTerms(found[0], found[1], gradient.left(target - table @ fitted))

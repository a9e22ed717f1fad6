"""Formulas for a gradient, each a number times dy times two factors, found by trying all pairs.

    t_e = c sum_r  l_i[e, r]  w[e, r]  q_j[e, r]                                      (1)

At a few entries e, one matrix product gives (1) for all pairs of factors i, j (ways_to_sum.py).
Pairs that are proportional to the target there are then compared at every entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from .guesses import WrongGradient
from .named_numbers import NamedNumber, NumberNames, short
from .ways_to_sum import Sums, Weight, term_values

TRIED = 8  # entries at which all pairs are compared
VERIFIED = 5  # formulas per target that are compared at every entry
PAIR = 0.5  # digits of choosing two factors rather than one
LARGEST = 4 * 10**6  # elements of a table of factors


@dataclass(frozen=True)
class Formula:
    """One formula (1) with its number c; the residual is relative to the norm of E."""

    sums: Sums
    left: int
    right: int
    weight: Weight
    c: float
    named: NamedNumber | None
    residual: float

    @property
    def choice_digits(self) -> float:
        pair = self.sums.left.choice_digits[self.left] + self.sums.right.choice_digits[self.right]
        number = self.named.choice_digits if self.named else 0.0
        number += PAIR * bool(self.left and self.right)
        return float(pair) + self.weight.choice_digits + self.sums.choice_digits + number

    @property
    def n_fitted(self) -> float:
        """1 if c is a fitted number, 0 if it has a name."""
        return 0 if self.named else 1

    @property
    def is_mask(self) -> bool:
        return self.sums.left.is_mask(self.left) or self.sums.right.is_mask(self.right)

    @property
    def is_sign(self) -> bool:
        return self.sums.left.is_sign(self.left) or self.sums.right.is_sign(self.right)

    @property
    def parts(self) -> frozenset[str]:
        """The names of its factors."""
        texts = (self.sums.left.text(self.left), self.sums.right.text(self.right))
        return frozenset(name for name in texts if name)

    def factor(self, entries: Array) -> Array:
        """l q at these entries, scaled to a maximum of 1; for elementwise formulas."""
        left = self.sums.left.values(self.left, entries)
        values: Array = left * self.sums.right.values(self.right, entries)
        return values / max(float(abs(values).max(initial=0)), 1e-300)

    def text(self, sign: float = 1) -> str:
        """`-2 * dy * x`, or `2 * dy * x` for sign -1."""
        left, right = self.sums.left.text(self.left), self.sums.right.text(self.right)
        if self.sums.kind == "matmul":
            inner = " * ".join(name for name in (self.weight.name, right) if name)
            factors = [f"({part})" if set(part) & set(" ^") else part for part in (left, inner)]
            body = self.sums.text.format(*[part or "1" for part in factors])
        else:
            inner = " * ".join(name for name in (self.weight.name, left, right) if name) or "1"
            body = self.sums.text.format(inner)
        return times(self.named.text if self.named else short(self.c), body, sign)


def times(number: str, body: str, sign: float = 1) -> str:
    """`-2 * body`, without a factor of 1."""
    if sign < 0:
        number = number[1:] if number.startswith("-") else f"-{number}"
    if body == "1":
        return number
    return {"1": body, "-1": f"-{body}"}.get(number, f"{number} * {body}")


def search(
    sums: Sums,
    weight: Weight,
    targets: Sequence[Array],
    gradient: WrongGradient,
    names: NumberNames,
) -> list[list[Formula]]:
    """For each target (n,) the formulas that match it within the floor, shortest first."""
    rows = _few_rows(gradient)
    at_left, at_right = sums.at_left[gradient.index[rows]], sums.at_right[gradient.index[rows]]
    features = len(sums.left.features) + len(sums.right.features)
    if at_left.size * features > LARGEST or not len(rows):
        return [[] for _ in targets]
    left = np.moveaxis(sums.left.table(at_left), 1, 0)  # (K, F, R)
    right = np.moveaxis(sums.right.table(at_right), 1, 0)  # (K, G, R)
    if weight.values is not None:
        right = right * weight.values[at_right][:, None, :]
    table = left @ right.swapaxes(1, 2)  # (K, F, G)   (1)
    if sums.left is sums.right:
        table = np.triu(table)
    length = np.einsum("kij,kij->ij", table, table)
    return [
        _proportional(sums, weight, target, rows, table, length, gradient, names)
        for target in targets
    ]


def _proportional(
    sums: Sums,
    weight: Weight,
    target: Array,
    rows: Array,
    table: Array,
    length: Array,
    gradient: WrongGradient,
    names: NumberNames,
) -> list[Formula]:
    few = target[rows]  # (K,)
    if not few.any():
        return []
    along = np.tensordot(few, table, 1)  # (F, G)
    near = along**2 / (length * (few @ few))  # cos^2 of the angle between formula and target
    allowed = (100 * gradient.floor * gradient.size / np.linalg.norm(target)) ** 2 + 1e-9
    left, right = np.nonzero(1 - near < allowed)
    description_length = sums.left.choice_digits[left] + sums.right.choice_digits[right]
    best = np.argsort(description_length, kind="stable")[:VERIFIED]
    found = [
        _compared(sums, int(left[i]), int(right[i]), weight, target, gradient, names) for i in best
    ]
    good = [formula for formula in found if formula.residual < 1e-3 + 3 * gradient.floor]
    return sorted(
        good, key=lambda formula: formula.choice_digits + gradient.digits * formula.n_fitted
    )


def _compared(
    sums: Sums,
    i: int,
    j: int,
    weight: Weight,
    target: Array,
    gradient: WrongGradient,
    names: NumberNames,
) -> Formula:
    """One formula at all entries, with the best c."""
    values = term_values(sums, i, j, weight, gradient.index)
    c = float(values @ target) / max(float(values @ values), 1e-300)
    scale = abs(c) * gradient.size / max(float(np.linalg.norm(target)), 1e-300)
    named = names.name(c, 3 * gradient.floor * min(scale, abs(c)) + 1e-13 * abs(c))
    fitted = c if named is None else named.value
    return Formula(sums, i, j, weight, c, named, gradient.residual_of(target - fitted * values))


def _few_rows(gradient: WrongGradient) -> Array:
    """A few rows: half of them with the largest errors, the others evenly spread."""
    n = len(gradient.index)
    largest = np.argsort(-abs(gradient.error), kind="stable")[: TRIED // 2]
    even = np.linspace(0, n - 1, TRIED - TRIED // 2).astype(int) if n else largest
    return np.unique(np.concatenate([largest, even]))

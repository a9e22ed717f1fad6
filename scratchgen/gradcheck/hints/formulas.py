"""Formulas for a gradient, a number times dy times known factors, found by trying all of them.

    t_e = c sum_r  l_i[e, r]  w[e, r]  q_j[e, r]                                      (1)

At a few entries e, (1) is one product of matrices for all pairs of factors i, j (ways_to_sum.py).
What is proportional to the target there is then compared in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from .guesses import WrongGradient
from .named_numbers import Named, Names, short
from .ways_to_sum import Sums, Weight, term_values

TRIED = 8  # entries in a table
VERIFIED = 5  # formulas that are compared in full, for one target
PAIR = 0.5  # digits for taking two factors rather than one
LARGEST = 4 * 10**6  # numbers in a table of factors


@dataclass(frozen=True)
class Formula:
    """c times (1), what it leaves of the target, as a share of the whole error, and its price."""

    sums: Sums
    left: int
    right: int
    weight: Weight
    c: float
    named: Named | None
    residual: float

    @property
    def choice(self) -> float:
        pair = self.sums.left.choice[self.left] + self.sums.right.choice[self.right]
        number = self.named.choice if self.named else 0.0
        number += PAIR * bool(self.left and self.right)
        return float(pair) + self.weight.choice + self.sums.choice + number

    @property
    def free(self) -> float:
        """How many numbers had to be fitted."""
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
        both = (self.sums.left.text(self.left), self.sums.right.text(self.right))
        return frozenset(one for one in both if one)

    def factor(self, entries: Array) -> Array:
        """l q at these entries, relative to its size; only elementwise."""
        left = self.sums.left.values(self.left, entries)
        values: Array = left * self.sums.right.values(self.right, entries)
        return values / max(float(abs(values).max(initial=0)), 1e-300)

    def text(self, sign: float = 1) -> str:
        """In words, `-2 * dy * x`; with `sign` -1 the opposite."""
        left, right = self.sums.left.text(self.left), self.sums.right.text(self.right)
        if self.sums.kind == "matmul":
            inner = " * ".join(one for one in (self.weight.name, right) if one)
            both = [f"({one})" if set(one) & set(" ^") else one for one in (left, inner)]
            body = self.sums.text.format(*[one or "1" for one in both])
        else:
            inner = " * ".join(one for one in (self.weight.name, left, right) if one) or "1"
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
    names: Names,
) -> list[list[Formula]]:
    """For each target (n,) the formulas that give it, as well as the floor asks, best first."""
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
        _proportional(sums, weight, one, rows, table, length, gradient, names) for one in targets
    ]


def _proportional(
    sums: Sums,
    weight: Weight,
    target: Array,
    rows: Array,
    table: Array,
    length: Array,
    gradient: WrongGradient,
    names: Names,
) -> list[Formula]:
    some = target[rows]
    if not some.any():
        return []
    along = np.tensordot(some, table, 1)  # (F, G)
    near = along**2 / (length * (some @ some))  # cos^2 of the angle between them
    allowed = (100 * gradient.floor * gradient.size / np.linalg.norm(target)) ** 2 + 1e-9
    left, right = np.nonzero(1 - near < allowed)
    price = sums.left.choice[left] + sums.right.choice[right]
    best = np.argsort(price, kind="stable")[:VERIFIED]
    found = [
        _compared(sums, int(left[i]), int(right[i]), weight, target, gradient, names) for i in best
    ]
    good = [one for one in found if one.residual < 1e-3 + 3 * gradient.floor]
    return sorted(good, key=lambda one: one.choice + gradient.digits * one.free)


def _compared(
    sums: Sums, i: int, j: int, weight: Weight, target: Array, gradient: WrongGradient, names: Names
) -> Formula:
    """One formula against all entries."""
    values = term_values(sums, i, j, weight, gradient.index)
    c = float(values @ target) / max(float(values @ values), 1e-300)
    scale = abs(c) * gradient.size / max(float(np.linalg.norm(target)), 1e-300)
    named = names.name(c, 3 * gradient.floor * min(scale, abs(c)) + 1e-13 * abs(c))
    fitted = c if named is None else named.value
    return Formula(sums, i, j, weight, c, named, gradient.left(target - fitted * values))


def _few_rows(gradient: WrongGradient) -> Array:
    """Some entries: half of them where the error is largest, the others spread over all."""
    n = len(gradient.index)
    largest = np.argsort(-abs(gradient.error), kind="stable")[: TRIED // 2]
    even = np.linspace(0, n - 1, TRIED - TRIED // 2).astype(int) if n else largest
    return np.unique(np.concatenate([largest, even]))

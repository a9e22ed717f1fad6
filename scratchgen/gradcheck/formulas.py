"""Formulas for a gradient: dy times two known factors, summed or multiplied out to its shape.

    t_e = c sum_r  l_i[e, r]  w[e, r]  q_j[e, r]                                      (1)

with factors l_i and q_j (known_arrays.py), a weight w (dy, or nothing) and entries e. Elementwise,
the sum has one part; for a bias it runs over the batch; for `x^T dy` over what is contracted. All
i, j are tried at once at a few entries, where a table of (1) is one product of matrices, and what
is proportional to the target there is then compared in full.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from ..checks import Array, Shape
from .guesses import WrongGradient, listed_axes
from .known_arrays import Factors, Known, at_level, spread
from .named_numbers import Named, Names, short

TRIED = 8  # entries in a table
MOST_THIRDS = 3  # arrays that dy is multiplied by, before the two factors
VERIFIED = 5  # formulas that are compared in full, for one target
LARGEST = 4 * 10**6  # numbers in a table of factors


@dataclass(frozen=True)
class Weight:
    """What every formula is multiplied by, at the positions of the right factors."""

    name: str
    values: Array | None
    choice: float


@dataclass(frozen=True)
class Sums:
    """One way to make the block from factors: which of their positions each entry sums over."""

    kind: str  # "" elementwise, else "sum" or "matmul"
    text: str  # `sum over axis 0 of {}`, `{}^T @ {}`
    left: Factors
    right: Factors
    at_left: Array  # (entries of the block, R)
    at_right: Array  # (entries of the block, R)
    weights: list[Weight]
    choice: float


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
        number += 0.5 * bool(self.left and self.right)
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
        return any("sign(" in one for one in self.parts)

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
            inner = f"({inner})" if " * " in inner else inner
            body = self.sums.text.format(left or "1", inner or "1")
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


def all_sums(
    arrays: Sequence[Known], shape: Shape, dy: Sequence[Known], elementwise: bool = False
) -> Iterator[Sums]:
    """The ways in which a block of this shape can come from its cotangents."""
    yield _elementwise(arrays, shape, dy)
    if elementwise:
        return
    for one in [*dy, *_differences(dy)]:
        yield from _reduced(arrays, shape, one)
        yield from _multiplied(arrays, shape, one)


def _differences(dy: Sequence[Known]) -> list[Known]:
    """What an error is made of where one cotangent was taken for another."""
    return [
        Known(f"({a.name} - {b.name})", a.values - b.values)
        for a, b in combinations(dy[:3], 2)
        if a.values.shape == b.values.shape
    ]


def _elementwise(arrays: Sequence[Known], shape: Shape, dy: Sequence[Known]) -> Sums:
    """Products at each entry; dy may be multiplied by another array of the block's shape."""
    level = at_level(arrays, shape)
    dy = [*dy, *(part for one in dy for part in _slices(one, shape))]
    own = [one for one in dy if one.values.shape == shape and one.values.size > 1]
    products = [_softmax_product(p, one) for p in level for one in own if _sums_to_one(p.values)]
    factors = Factors([*level, *(Known(one.name, one.values, made=True) for one in own), *products])
    weights = [
        Weight(name, np.ravel(values), 0.3)
        for one in [*dy, *_differences(dy)]
        for name, values in spread(one.name, one.values, shape)
    ]
    if not any(np.ptp(one.values) == 0 for one in weights if one.values is not None):
        weights.append(Weight("", None, 1.0))
    third = [one for one in level[1:] if not one.made and one.values.shape == shape]
    weights += [
        Weight(f"{one.name} * {other.name}", one.values * np.ravel(other.values), 1.5)
        for one in weights
        for other in third[:MOST_THIRDS]
        if one.values is not None
    ]
    every = np.arange(math.prod(shape))[:, None]
    return Sums("", "{}", factors, factors, every, every, weights, 0.0)


def _slices(dy: Known, shape: Shape) -> list[Known]:
    """The first and the last columns of a dy that is wider than the block, as after a join."""
    wide = dy.values.shape
    if not shape or wide[:-1] != shape[:-1] or wide[-1:] <= shape[-1:]:
        return []
    n = shape[-1]
    first, last = dy.values[..., :n], dy.values[..., -n:]
    return [Known(f"{dy.name}[..., :{n}]", first), Known(f"{dy.name}[..., -{n}:]", last)]


def _sums_to_one(p: Array) -> bool:
    return p.ndim > 1 and p.shape[-1] > 1 and bool(np.allclose(p.sum(axis=-1), 1, atol=1e-12))


def _softmax_product(p: Known, dy: Known) -> Known:
    """The Jacobian of a softmax p, times dy."""
    inner = (dy.values * p.values).sum(axis=-1, keepdims=True)
    name = f"{p.name} * ({dy.name} - sum({dy.name} * {p.name}))"
    return Known(name, p.values * (dy.values - inner), made=True)


def _reduced(arrays: Sequence[Known], shape: Shape, dy: Known) -> Iterator[Sums]:
    """The block is smaller than dy: sums over the axes that it lacks, and over others."""
    large = dy.values.shape
    size = int(np.prod(shape))
    if size >= dy.values.size or not size:
        return
    lengths = [n for n in shape if n > 1]
    level = at_level([*arrays], large)
    factors = Factors(level)
    weights = [Weight(dy.name, np.ravel(dy.values), 0.3)]
    ways = [
        kept
        for kept in permutations(range(len(large)), len(lengths))
        if [large[i] for i in kept] == lengths and list(kept) == sorted(kept)
    ]
    ways.sort(reverse=True)  # the trailing axes first, as numpy broadcasts
    positions = np.arange(dy.values.size).reshape(large)
    for choice, kept in enumerate(ways):
        over = tuple(i for i in range(len(large)) if i not in kept)
        table = positions.transpose(kept + over).reshape(size, -1)
        text = f"sum over {listed_axes(over)} of {{}}"
        yield Sums("sum", text, factors, factors, table, table, weights, float(choice > 0))
    if lengths and size * positions.size <= 10**5:
        table = np.broadcast_to(positions.ravel(), (size, positions.size))
        yield Sums("sum", "sum over all of {}", factors, factors, table, table, weights, 1.0)


def _multiplied(arrays: Sequence[Known], shape: Shape, dy: Known) -> Iterator[Sums]:
    """Products of matrices, of a known one with dy: leading axes count as one."""
    if len(shape) < 2 or dy.values.ndim < 2:
        return
    wanted = (int(np.prod(shape[:-1])), shape[-1])
    large = dy.values.shape
    right = Factors(at_level(arrays, large))
    weights = [Weight(dy.name, np.ravel(dy.values), 0.3)]
    grid_r = np.arange(dy.values.size).reshape(-1, large[-1])
    for one in arrays:
        if one.values.ndim < 2 or one.made:
            continue
        left = Factors([one])
        grid_l = np.arange(one.values.size).reshape(-1, one.values.shape[-1])
        for flip_l in (True, False):
            for flip_r in (False, True):
                a, b = (grid_l.T if flip_l else grid_l), (grid_r.T if flip_r else grid_r)
                if a.shape[1] != b.shape[0] or a.shape[1] * int(np.prod(wanted)) > 10**7:
                    continue
                texts = "{}^T" if flip_l else "{}", "{}^T" if flip_r else "{}"
                for turned in (False, True):
                    came = (b.shape[1], a.shape[0]) if turned else (a.shape[0], b.shape[1])
                    if came == wanted:
                        yield _product(a, b, turned, texts, left, right, weights)


def _product(
    a: Array,
    b: Array,
    turned: bool,
    texts: tuple[str, str],
    left: Factors,
    right: Factors,
    weights: list[Weight],
) -> Sums:
    """a @ b, or its transpose, with arrays of positions in the place of numbers."""
    n, r, m = a.shape[0], a.shape[1], b.shape[1]
    at_left = np.broadcast_to(a[:, None, :], (n, m, r))
    at_right = np.broadcast_to(b.T[None, :, :], (n, m, r))
    if turned:
        at_left, at_right = at_left.swapaxes(0, 1), at_right.swapaxes(0, 1)
    text = " @ ".join(texts) if not turned else f"({' @ '.join(texts)})^T"
    return Sums(
        "matmul", text, left, right, at_left.reshape(-1, r), at_right.reshape(-1, r), weights, 0.5
    )


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
    with np.errstate(all="ignore"):
        left = np.moveaxis(sums.left.table(at_left), 1, 0)  # (K, F, R)
        right = np.moveaxis(sums.right.table(at_right), 1, 0)  # (K, G, R)
        if weight.values is not None:
            right = right * weight.values[at_right][:, None, :]
        table = left @ right.swapaxes(1, 2)  # (K, F, G)   (1)
        if sums.left is sums.right:
            table = np.triu(table)
        length = np.einsum("kij,kij->ij", table, table)
        return [
            _proportional(sums, weight, one, rows, table, length, gradient, names)
            for one in targets
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


def term_values(sums: Sums, i: int, j: int, weight: Weight, entries: Array) -> Array:
    """(1) without c, for one i and j, at entries (n,)."""
    at_left, at_right = sums.at_left[entries], sums.at_right[entries]
    with np.errstate(all="ignore"):
        parts = sums.left.values(i, at_left) * sums.right.values(j, at_right)
    if weight.values is not None:
        parts = parts * weight.values[at_right]
    values: Array = parts.sum(axis=1)
    return values


def _few_rows(gradient: WrongGradient) -> Array:
    """Some entries: half of them where the error is largest, the others spread over all."""
    n = len(gradient.index)
    largest = np.argsort(-abs(gradient.error), kind="stable")[: TRIED // 2]
    even = np.linspace(0, n - 1, TRIED - TRIED // 2).astype(int) if n else largest
    return np.unique(np.concatenate([largest, even]))

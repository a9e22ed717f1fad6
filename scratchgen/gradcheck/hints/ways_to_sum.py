"""The ways in which a gradient comes from dy and two known factors: products, and sums of them.

    t_e = sum_r  l[e, r]  w[e, r]  q[e, r]                                            (1)

with factors l and q, a weight w (dy, or nothing), and entries e of the block. Elementwise, the sum
has one part; for a bias it runs over the batch; for `x^T dy` over what is contracted.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ...ground.arguments import Array, Shape
from .guesses import listed_axes
from .known_arrays import Factors, Known, at_level, spread

MOST_THIRDS = 3  # arrays that dy is multiplied by, before the two factors


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


def term_values(sums: Sums, i: int, j: int, weight: Weight, entries: Array) -> Array:
    """(1) without c, for one i and j, at entries (n,)."""
    at_left, at_right = sums.at_left[entries], sums.at_right[entries]
    parts = sums.left.values(i, at_left) * sums.right.values(j, at_right)
    if weight.values is not None:
        parts = parts * weight.values[at_right]
    values: Array = parts.sum(axis=1)
    return values


def all_sums(
    arrays: Sequence[Known], shape: Shape, dy: Sequence[Known], elementwise: bool = False
) -> Iterator[Sums]:
    """The ways in which a block of this shape can come from its cotangents."""
    yield _elementwise(arrays, shape, dy)
    if elementwise:
        return
    for one in dy:
        yield from _reduced(arrays, shape, one)
        yield from _multiplied(arrays, shape, one)


def _elementwise(arrays: Sequence[Known], shape: Shape, dy: Sequence[Known]) -> Sums:
    """Products at each entry; dy may be multiplied by another array of the block's shape."""
    level = at_level(arrays, shape)
    dy = [*dy, *(part for one in dy for part in _slices(one, shape))]
    own = [one for one in dy if one.values.shape == shape and one.values.size > 1]
    products = [_softmax_product(p, one) for p in level for one in own if _sums_to_one(p.values)]
    factors = Factors([*level, *(Known(one.name, one.values, made=True) for one in own), *products])
    weights = [
        Weight(name, np.ravel(values), 0.3)
        for one in dy
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
                flips = (flip_l, flip_r)
                for turned in (False, True):
                    came = (b.shape[1], a.shape[0]) if turned else (a.shape[0], b.shape[1])
                    if came == wanted:
                        yield _product(a, b, turned, flips, left, right, weights)


def _product(
    a: Array,
    b: Array,
    turned: bool,
    flips: tuple[bool, bool],
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
    signs = ["^T" if flip != turned else "" for flip in flips]
    order = (1, 0) if turned else (0, 1)  # (a @ b)^T = b^T @ a^T
    text = " @ ".join(f"{{{i}}}{signs[i]}" for i in order)
    return Sums(
        "matmul", text, left, right, at_left.reshape(-1, r), at_right.reshape(-1, r), weights, 0.5
    )

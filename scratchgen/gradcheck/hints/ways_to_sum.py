"""The ways to combine dy with two factors into a gradient: elementwise, a sum, a matrix product.

    t_e = sum_r  l[e, r]  w[e, r]  q[e, r]                                            (1)

for entries e of the block, factors l and q, and a weight w, which is dy or 1. An elementwise
product has a single r, the gradient of a bias sums the batch, `x^T dy` sums the contracted axis.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ...ground.arguments import Array, Shape
from .guesses import listed_axes
from .named_arrays import Factors, NamedArray, at_level, spread

MOST_THIRDS = 3  # arrays that may multiply dy as a third factor


@dataclass(frozen=True)
class Weight:
    """The weight w of (1), at the positions of the right factors; None stands for 1."""

    name: str
    values: Array | None
    choice_digits: float


@dataclass(frozen=True)
class Sums:
    """One way to sum: the positions of both factors for each entry e and each r in (1)."""

    kind: str  # "" elementwise, else "sum" or "matmul"
    text: str  # `sum over axis 0 of {}`, `{}^T @ {}`
    left: Factors
    right: Factors
    at_left: Array  # (entries of the block, R)
    at_right: Array  # (entries of the block, R)
    weights: list[Weight]
    choice_digits: float


def term_values(sums: Sums, i: int, j: int, weight: Weight, entries: Array) -> Array:
    """(1) for the i-th left and the j-th right factor, at entries (n,)."""
    at_left, at_right = sums.at_left[entries], sums.at_right[entries]
    parts = sums.left.values(i, at_left) * sums.right.values(j, at_right)
    if weight.values is not None:
        parts = parts * weight.values[at_right]
    values: Array = parts.sum(axis=1)
    return values


def all_sums(
    arrays: Sequence[NamedArray], shape: Shape, dy: Sequence[NamedArray], elementwise: bool = False
) -> Iterator[Sums]:
    """All ways to sum that give a block of this shape."""
    yield _elementwise(arrays, shape, dy)
    if elementwise:
        return
    for cotangent in dy:
        yield from _reduced(arrays, shape, cotangent)
        yield from _multiplied(arrays, shape, cotangent)


def _elementwise(arrays: Sequence[NamedArray], shape: Shape, dy: Sequence[NamedArray]) -> Sums:
    """Elementwise products; dy may have a third factor of the block's shape."""
    level = at_level(arrays, shape)
    dy = [*dy, *(part for cotangent in dy for part in _slices(cotangent, shape))]
    own = [
        cotangent
        for cotangent in dy
        if cotangent.values.shape == shape and cotangent.values.size > 1
    ]
    products = [
        _softmax_product(p, cotangent) for p in level for cotangent in own if _sums_to_one(p.values)
    ]
    factors = Factors(
        [
            *level,
            *(NamedArray(cotangent.name, cotangent.values, derived=True) for cotangent in own),
            *products,
        ]
    )
    weights = [
        Weight(name, np.ravel(values), 0.3)
        for cotangent in dy
        for name, values in spread(cotangent.name, cotangent.values, shape)
    ]
    if not any(np.ptp(weight.values) == 0 for weight in weights if weight.values is not None):
        weights.append(Weight("", None, 1.0))
    third = [array for array in level[1:] if not array.derived and array.values.shape == shape]
    weights += [
        Weight(f"{weight.name} * {other.name}", weight.values * np.ravel(other.values), 1.5)
        for weight in weights
        for other in third[:MOST_THIRDS]
        if weight.values is not None
    ]
    every = np.arange(math.prod(shape))[:, None]
    return Sums("", "{}", factors, factors, every, every, weights, 0.0)


def _slices(dy: NamedArray, shape: Shape) -> list[NamedArray]:
    """The first and the last columns of a dy wider than the block, as after concatenation."""
    wide = dy.values.shape
    if not shape or wide[:-1] != shape[:-1] or wide[-1:] <= shape[-1:]:
        return []
    n = shape[-1]
    first, last = dy.values[..., :n], dy.values[..., -n:]
    return [NamedArray(f"{dy.name}[..., :{n}]", first), NamedArray(f"{dy.name}[..., -{n}:]", last)]


def _sums_to_one(p: Array) -> bool:
    return p.ndim > 1 and p.shape[-1] > 1 and bool(np.allclose(p.sum(axis=-1), 1, atol=1e-12))


def _softmax_product(p: NamedArray, dy: NamedArray) -> NamedArray:
    """dy times the Jacobian of the softmax p."""
    inner = (dy.values * p.values).sum(axis=-1, keepdims=True)
    name = f"{p.name} * ({dy.name} - sum({dy.name} * {p.name}))"
    return NamedArray(name, p.values * (dy.values - inner), derived=True)


def _reduced(arrays: Sequence[NamedArray], shape: Shape, dy: NamedArray) -> Iterator[Sums]:
    """Sums of dy over some axes, for a block smaller than dy."""
    large = dy.values.shape
    size = int(np.prod(shape))
    if size >= dy.values.size or not size:
        return
    lengths = [n for n in shape if n > 1]
    level = at_level([*arrays], large)
    factors = Factors(level)
    weights = [Weight(dy.name, np.ravel(dy.values), 0.3)]
    axes_kept = [
        kept
        for kept in permutations(range(len(large)), len(lengths))
        if [large[i] for i in kept] == lengths and list(kept) == sorted(kept)
    ]
    axes_kept.sort(reverse=True)  # the trailing axes first, as numpy broadcasts
    positions = np.arange(dy.values.size).reshape(large)
    for rank, kept in enumerate(axes_kept):
        over = tuple(i for i in range(len(large)) if i not in kept)
        table = positions.transpose(kept + over).reshape(size, -1)
        text = f"sum over {listed_axes(over)} of {{}}"
        yield Sums("sum", text, factors, factors, table, table, weights, float(rank > 0))
    if lengths and size * positions.size <= 10**5:
        table = np.broadcast_to(positions.ravel(), (size, positions.size))
        yield Sums("sum", "sum over all of {}", factors, factors, table, table, weights, 1.0)


def _multiplied(arrays: Sequence[NamedArray], shape: Shape, dy: NamedArray) -> Iterator[Sums]:
    """Matrix products of an array with dy; leading axes are flattened into one."""
    if len(shape) < 2 or dy.values.ndim < 2:
        return
    matrix_shape = (int(np.prod(shape[:-1])), shape[-1])
    large = dy.values.shape
    right = Factors(at_level(arrays, large))
    weights = [Weight(dy.name, np.ravel(dy.values), 0.3)]
    grid_r = np.arange(dy.values.size).reshape(-1, large[-1])
    for array in arrays:
        if array.values.ndim < 2 or array.derived:
            continue
        left = Factors([array])
        grid_l = np.arange(array.values.size).reshape(-1, array.values.shape[-1])
        for flip_l in (True, False):
            for flip_r in (False, True):
                a, b = (grid_l.T if flip_l else grid_l), (grid_r.T if flip_r else grid_r)
                if a.shape[1] != b.shape[0] or a.shape[1] * int(np.prod(matrix_shape)) > 10**7:
                    continue
                flips = (flip_l, flip_r)
                for transposed in (False, True):
                    product_shape = (
                        (b.shape[1], a.shape[0]) if transposed else (a.shape[0], b.shape[1])
                    )
                    if product_shape == matrix_shape:
                        yield _product(a, b, transposed, flips, left, right, weights)


def _product(
    a: Array,
    b: Array,
    transposed: bool,
    flips: tuple[bool, bool],
    left: Factors,
    right: Factors,
    weights: list[Weight],
) -> Sums:
    """a @ b or its transpose, for a and b that hold positions instead of values."""
    n, r, m = a.shape[0], a.shape[1], b.shape[1]
    at_left = np.broadcast_to(a[:, None, :], (n, m, r))
    at_right = np.broadcast_to(b.T[None, :, :], (n, m, r))
    if transposed:
        at_left, at_right = at_left.swapaxes(0, 1), at_right.swapaxes(0, 1)
    signs = ["^T" if flip != transposed else "" for flip in flips]
    order = (1, 0) if transposed else (0, 1)  # (a @ b)^T = b^T @ a^T
    text = " @ ".join(f"{{{i}}}{signs[i]}" for i in order)
    return Sums(
        "matmul", text, left, right, at_left.reshape(-1, r), at_right.reshape(-1, r), weights, 0.5
    )

"""The arrays that may occur in a gradient, and simple functions of them.

A backward pass multiplies dy by arguments and outputs of the forward pass, and by functions of them
such as exp and tanh. `Factors` lists these, each with the digits of choosing it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...ground.arguments import Array, Shape
from ..measuring.passes import Stopped
from ..pairs.named_blocks import leaves
from ..pairs.pair import Pair
from .simple_functions import BASIC, EVERY, Function

MOST_ARRAYS = 6  # tried together
MOST_NUMBERS = 10**6  # larger arrays are ignored


@dataclass(frozen=True)
class NamedArray:
    """An array and its name; a `derived` one is computed, as a difference or a softmax."""

    name: str
    values: Array
    derived: bool = False


def arrays_of(pair: Pair, name: str) -> list[NamedArray]:
    """The block first, then arrays of its shape, then all other arguments and outputs."""
    try:
        outputs = pair.forward(pair.blocks).outputs
    except Stopped:
        outputs = ()
    block = pair.blocks[name]
    arrays = [NamedArray(name, block)]
    names = ["y"] if len(outputs) == 1 else [f"y[{i}]" for i in range(len(outputs))]
    arrays += [
        NamedArray(output_name, np.asarray(y))
        for output_name, y in zip(names, outputs, strict=True)
    ]
    arrays += [NamedArray(other, values) for other, values in pair.blocks.items() if other != name]
    arrays += _constants(pair, block.shape)
    arrays.sort(key=lambda array: array.values.shape != block.shape)
    if block.ndim > 1 and block.size <= MOST_NUMBERS:
        arrays.insert(2, NamedArray(f"softmax({name})", _softmax(block), derived=True))
    return [array for array in arrays if _is_usable(array.values)]


def at_level(arrays: Sequence[NamedArray], shape: Shape) -> list[NamedArray]:
    """The arrays that broadcast to `shape`, broadcast, and the differences of each two.

    An array (N,) also counts as (N, 1), a value for each row.
    """
    level: list[NamedArray] = []
    for array in arrays:
        for name, values in spread(array.name, array.values, shape):
            if len(level) < MOST_ARRAYS:
                level.append(NamedArray(name, values, array.derived))
    originals = [array for array in level if not array.derived]
    for a, b in combinations(originals, 2):
        level.append(NamedArray(f"({a.name} - {b.name})", a.values - b.values, derived=True))
    return level


def naming(rank: int) -> float:
    """Digits of choosing the array at this rank, from 1, of a list."""
    return 0.2 + math.log10(rank)


def spread(name: str, values: Array, shape: Shape) -> list[tuple[str, Array]]:
    """All ways to broadcast an array to `shape`, each with a name for the result."""
    ways = []
    if _broadcasts(values.shape, shape):
        ways.append((name, np.broadcast_to(values, shape)))
    extra = len(shape) - values.ndim
    if 0 < values.ndim < len(shape) and values.shape == shape[: values.ndim]:
        column = values.reshape(values.shape + (1,) * extra)
        ways.append(
            (
                f"{name}[{', '.join([':'] * values.ndim)}, None]" if ways else name,
                np.broadcast_to(column, shape),
            )
        )
    return ways


class Factors:
    """Every f(v) of a simple function f and a named array v of one shape; the first factor is 1."""

    def __init__(self, level: Sequence[NamedArray]) -> None:
        self.level = [NamedArray("", np.ones(())), *level]
        self.features = [(0, BASIC[0])]
        for i, array in enumerate(level, start=1):
            self.features += [(i, f) for f in (BASIC if array.derived else EVERY)]
        choices = [f.choice_digits + (naming(i) if i else 0.0) for i, f in self.features]
        self.choice_digits = np.array(choices)  # (F,)
        self.flat = [np.ravel(array.values) for array in self.level]

    def text(self, i: int) -> str:
        """The text of the i-th factor; "" for the factor 1."""
        array, f = self.features[i]
        return f.text.format(self.level[array].name) if array else ""

    def is_mask(self, i: int) -> bool:
        return self.features[i][1].is_mask

    def is_sign(self, i: int) -> bool:
        return self.features[i][1].is_sign

    def values(self, i: int, positions: Array) -> Array:
        """The i-th factor at flat positions."""
        array, f = self.features[i]
        return f.of(self._at(array, positions)) + np.zeros(positions.shape)

    def table(self, positions: Array) -> Array:
        """(F, *positions.shape) all factors; 0 where one is undefined, or a mask is constant."""
        arrays = np.stack([self._at(i, positions) for i in range(len(self.level))])
        table = np.empty((len(self.features), *positions.shape))
        rows: dict[str, tuple[Function, list[int], list[int]]] = {}
        for row, (i, f) in enumerate(self.features):
            _, places, sources = rows.setdefault(f.text, (f, [], []))
            places.append(row)
            sources.append(i)
        for f, places, sources in rows.values():
            table[places] = f.of(arrays[sources])
        axes = tuple(range(1, table.ndim))
        table[~np.isfinite(table).all(axis=axes)] = 0
        steps = np.array([f.is_mask or f.is_sign for _, f in self.features])
        table[steps & (np.ptp(table, axis=axes) == 0)] = 0  # constant
        return table

    def _at(self, i: int, positions: Array) -> Array:
        return self.flat[i][positions] if i else np.ones(positions.shape)


def _constants(pair: Pair, shape: Shape) -> list[NamedArray]:
    """Labels and other arguments without a gradient."""
    arrays: list[NamedArray] = []
    for arg, top in zip(getattr(pair, "args", ()), getattr(pair, "names", ()), strict=False):
        for name, leaf in leaves(arg, top):
            if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biu":
                arrays.append(NamedArray(name, leaf.astype(np.float64)))
                if leaf.dtype.kind != "b" and leaf.shape == shape[:-1] and leaf.size:
                    hot = leaf[..., None] == np.arange(shape[-1])
                    arrays.insert(
                        0, NamedArray(f"one_hot({name})", hot.astype(np.float64), derived=True)
                    )
    return arrays


def _softmax(v: Array) -> Array:
    power = np.exp(v - v.max(axis=-1, keepdims=True))
    share: Array = power / power.sum(axis=-1, keepdims=True)
    return share


def _broadcasts(small: Shape, large: Shape) -> bool:
    padded = (1,) * (len(large) - len(small)) + small
    return len(small) <= len(large) and all(a in (1, b) for a, b in zip(padded, large, strict=True))


def _is_usable(values: Array) -> bool:
    return 1 < values.size <= MOST_NUMBERS and bool(np.isfinite(values).all())

"""The arrays that a gradient can be made of, and simple functions of them.

A backward pass multiplies dy by what the forward pass had at hand: its arguments, its outputs, and
exp, tanh and the like of them. `Factors` lists these, each with the digits that naming it costs.
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

MOST_ARRAYS = 6  # at once
MOST_NUMBERS = 10**6  # in an array that is looked at


@dataclass(frozen=True)
class Known:
    """An array, what to call it, and whether it was made: the difference of two, or a softmax."""

    name: str
    values: Array
    made: bool = False


def arrays_at_hand(pair: Pair, name: str) -> list[Known]:
    """The block itself first, then what is of its shape, then all else that has a name."""
    try:
        outputs = pair.forward(pair.blocks).outputs
    except Stopped:
        outputs = ()
    block = pair.blocks[name]
    found = [Known(name, block)]
    names = ["y"] if len(outputs) == 1 else [f"y[{i}]" for i in range(len(outputs))]
    found += [Known(one, np.asarray(y)) for one, y in zip(names, outputs, strict=True)]
    found += [Known(other, one) for other, one in pair.blocks.items() if other != name]
    found += _constants(pair, block.shape)
    found.sort(key=lambda one: one.values.shape != block.shape)
    if block.ndim > 1 and block.size <= MOST_NUMBERS:
        found.insert(2, Known(f"softmax({name})", _softmax(block), made=True))
    return [one for one in found if _is_of_use(one.values)]


def at_level(arrays: Sequence[Known], shape: Shape) -> list[Known]:
    """Those that broadcast to `shape`, broadcast; and differences of two that have one shape.

    An array (N,) also stands for (N, 1), as the value of each example does to its row.
    """
    level: list[Known] = []
    for one in arrays:
        for name, values in spread(one.name, one.values, shape):
            if len(level) < MOST_ARRAYS:
                level.append(Known(name, values, one.made))
    originals = [one for one in level if not one.made]
    for a, b in combinations(originals, 2):
        level.append(Known(f"({a.name} - {b.name})", a.values - b.values, made=True))
    return level


def naming(rank: int) -> float:
    """The digits of naming the array that stands at a place, from 1, of a list."""
    return 0.2 + math.log10(rank)


def spread(name: str, values: Array, shape: Shape) -> list[tuple[str, Array]]:
    """An array broadcast to `shape` in the ways that it can be, none where it cannot."""
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
    """Every f(v), f a simple function and v a known array of one shape; the first of them is 1."""

    def __init__(self, level: Sequence[Known]) -> None:
        self.level = [Known("", np.ones(())), *level]
        self.features = [(0, BASIC[0])]
        for i, one in enumerate(level, start=1):
            self.features += [(i, f) for f in (BASIC if one.made else EVERY)]
        choices = [f.choice + (naming(i) if i else 0.0) for i, f in self.features]
        self.choice = np.array(choices)  # (F,)
        self.flat = [np.ravel(one.values) for one in self.level]

    def text(self, i: int) -> str:
        """How to write the i-th; empty for 1."""
        array, f = self.features[i]
        return f.text.format(self.level[array].name) if array else ""

    def is_mask(self, i: int) -> bool:
        return self.features[i][1].is_mask

    def is_sign(self, i: int) -> bool:
        return self.features[i][1].is_sign

    def values(self, i: int, positions: Array) -> Array:
        """The i-th at flat positions."""
        array, f = self.features[i]
        return f.of(self._at(array, positions)) + np.zeros(positions.shape)

    def table(self, positions: Array) -> Array:
        """(F, *positions.shape) all of them; zeros for what is of no use."""
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
        table[steps & (np.ptp(table, axis=axes) == 0)] = 0  # one value only
        return table

    def _at(self, i: int, positions: Array) -> Array:
        return self.flat[i][positions] if i else np.ones(positions.shape)


def _constants(pair: Pair, shape: Shape) -> list[Known]:
    """Labels and other arguments that are not differentiated."""
    found: list[Known] = []
    for arg, top in zip(getattr(pair, "args", ()), getattr(pair, "names", ()), strict=False):
        for name, one in leaves(arg, top):
            if isinstance(one, np.ndarray) and one.dtype.kind in "biu":
                found.append(Known(name, one.astype(np.float64)))
                if one.dtype.kind != "b" and one.shape == shape[:-1] and one.size:
                    hot = one[..., None] == np.arange(shape[-1])
                    found.insert(0, Known(f"one_hot({name})", hot.astype(np.float64), made=True))
    return found


def _softmax(v: Array) -> Array:
    power = np.exp(v - v.max(axis=-1, keepdims=True))
    share: Array = power / power.sum(axis=-1, keepdims=True)
    return share


def _broadcasts(small: Shape, large: Shape) -> bool:
    padded = (1,) * (len(large) - len(small)) + small
    return len(small) <= len(large) and all(a in (1, b) for a, b in zip(padded, large, strict=True))


def _is_of_use(values: Array) -> bool:
    return 1 < values.size <= MOST_NUMBERS and bool(np.isfinite(values).all())

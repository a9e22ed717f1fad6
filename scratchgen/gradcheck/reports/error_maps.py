"""The errors of a block as slices along its two longest axes, whatever its number of axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from ..results import BlockResult, EntryMap
from .wording import errors_of, worst_first

MOST_SIDE = 32  # cells down and across; a longer axis puts several entries into a cell
MOST_SLICES = 8


@dataclass(frozen=True)
class ErrorMap:
    """Errors as slices (rows, columns), each with a title.

    `error` is NaN where nothing was measured, infinite where a gradient is NaN or infinite.
    """

    title: str
    note: str
    slices: list[tuple[str, Array, Array]]  # title, error, wrong
    largest: float


def error_map_of(block: BlockResult) -> ErrorMap | None:
    """The errors of a block's entries; None if no entry was measured."""
    entries = block.entries
    if entries is None or not len(entries.index):
        return None
    shape = entries.shape or (1,)
    at = np.stack(np.unravel_index(entries.index, shape))  # (ndim, M)
    down, across = _plane(shape)
    lengths = (shape[down] if down is not None else 1, shape[across])
    steps = [math.ceil(length / MOST_SIDE) for length in lengths]
    order = worst_first(entries)[::-1]  # the last entry written into a cell is the worst
    row = (at[down] // steps[0])[order] if down is not None else np.zeros_like(order)
    column = (at[across] // steps[1])[order]
    others = [axis for axis in range(len(shape)) if axis not in (down, across)]
    keys, slice_of = _slices(at[others][:, order])
    sides = (len(keys), math.ceil(lengths[0] / steps[0]), math.ceil(lengths[1] / steps[1]))
    error, wrong = np.full(sides, np.nan), np.zeros(sides, dtype=bool)
    error[slice_of, row, column] = errors_of(entries)[order]
    wrong[slice_of, row, column] = entries.wrong[order]
    finite = abs(error[np.isfinite(error)])
    shown = np.sort(np.argsort(-_worst_of(error), kind="stable")[:MOST_SLICES])
    slices = [(_slice_title(keys[k], others, shape), error[k], wrong[k]) for k in shown]
    note = _note(entries, steps, len(shown), len(keys))
    return ErrorMap(f"error of d{block.name}", note, slices, float(finite.max(initial=0.0)))


def _plane(shape: Sequence[int]) -> tuple[int | None, int]:
    """The axes that run down and across a slice: the two longest, the later of equal ones."""
    if len(shape) == 1:
        return None, 0
    longest = sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[-2:]
    down, across = sorted(longest)
    return down, across


def _slices(at: Array) -> tuple[Array, Array]:
    """The indices (K, axes) of the K slices, and the slice of each entry."""
    if not len(at):
        return np.zeros((1, 0), dtype=int), np.zeros(at.shape[1], dtype=int)
    keys, which = np.unique(at.T, axis=0, return_inverse=True)
    return keys, which.reshape(-1)


def _worst_of(error: Array) -> Array:
    """(K,) the largest error in each slice."""
    size = np.where(np.isnan(error), 0.0, abs(error))
    largest: Array = size.max(axis=(1, 2), initial=0.0)
    return largest


def _slice_title(key: Array, others: Sequence[int], shape: Sequence[int]) -> str:
    """`[2,:,:,1]`."""
    fixed = dict(zip(others, key, strict=True))
    return f"[{','.join(str(fixed.get(axis, ':')) for axis in range(len(shape)))}]"


def _note(entries: EntryMap, steps: Sequence[int], shown: int, n_slices: int) -> str:
    """What the map leaves out: shape, unmeasured entries, other slices."""
    notes = [f"block of shape {tuple(entries.shape)}"]
    if not entries.complete:
        notes.append(f"{len(entries.index):,} entries measured, the others blank")
    if shown < n_slices:
        notes.append(f"the worst {shown} of {n_slices} slices")
    if max(steps) > 1:
        notes.append(f"a cell is the worst of {steps[0]} x {steps[1]} entries")
    return "; ".join(notes)

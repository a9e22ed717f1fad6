"""What the pictures of a report show, as plain arrays: curves, points, a map, marks.

Two hands draw them: drawings.py for pages, and plots/checks.py for files.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import Array
from .results import FAIL, WORST_FIRST, BlockResult, CaseResult, EntryMap
from .wording import as_ascii, badness, errors_of, holds, worst_first, worst_measurement

MOST_SIDE = 32  # cells of a map, down and across; what is longer is joined into tiles
MOST_SLICES = 8
MOST_POINTS = 400
MOST_CURVES = 3


@dataclass(frozen=True)
class Curve:
    """How far differences with step h lie from the derivative that the backward pass claims.

    `families` holds, for each family of differences, its steps and distances; `distance` is that
    of the extrapolated derivative, which the verdict compares with `bar`.
    """

    title: str
    verdict: str
    families: list[tuple[Array, Array]]
    distance: float
    bar: float


@dataclass(frozen=True)
class Points:
    """Derivatives claimed and measured (M,), the error bar of each, and which are wrong."""

    title: str
    numeric: Array
    analytic: Array
    bar: Array
    wrong: Array


@dataclass(frozen=True)
class Tiles:
    """Errors in the block's own shape, as slices (rows, columns) with a title each.

    `error` has NaN where nothing was measured, an infinity where something is no number.
    """

    title: str
    note: str
    slices: list[tuple[str, Array, Array]]  # title, error, wrong
    largest: float


@dataclass(frozen=True)
class Mark:
    """What one contract said: its words, a verdict, and what was seen."""

    words: str
    verdict: str
    text: str


@dataclass(frozen=True)
class Picture:
    """All that one figure shows of a case; None where there is nothing to draw."""

    title: str
    curves: list[Curve]
    points: Points | None
    tiles: Tiles | None
    marks: list[Mark]


def picture_of(title: str, case: CaseResult) -> Picture:
    """The figure of a case: curves of its worst blocks, and the entries of the worst."""
    blocks = blocks_worst_first(case.blocks)
    curves = [curve for one in blocks if (curve := curve_of(one))]
    mapped = next((one for one in blocks if one.entries is not None), None)
    return Picture(
        title=title,
        curves=curves[:MOST_CURVES],
        points=points_of(mapped) if mapped else directions_of(blocks),
        tiles=tiles_of(mapped) if mapped else None,
        marks=marks_of(case),
    )


def blocks_worst_first(blocks: Sequence[BlockResult]) -> list[BlockResult]:
    """By verdict, and of one verdict by how many error bars they are off."""

    def key(block: BlockResult) -> tuple[int, float]:
        measured = worst_measurement(block)
        return WORST_FIRST.index(block.verdict), -badness(measured) if measured else 0.0

    return sorted(blocks, key=key)


def curve_of(block: BlockResult) -> Curve | None:
    """The curve of a block's worst measurement; None where it was measured otherwise."""
    measured = worst_measurement(block)
    if measured is None or not measured.ladders:
        return None
    claimed = float(measured.analytic)
    with np.errstate(invalid="ignore", over="ignore"):
        families = [
            (np.asarray(one.steps, dtype=float), abs(np.asarray(one.values, dtype=float) - claimed))
            for one in measured.ladders
        ]
    distance = abs(float(measured.numeric) - claimed)
    return Curve(f"d{block.name}", block.verdict, families, distance, float(measured.bar))


def points_of(block: BlockResult) -> Points | None:
    """The entries of a block, or as many as can be drawn: the worst, and some of the others."""
    entries = block.entries
    if entries is None or not len(entries.index):
        return None
    order = worst_first(entries)
    if len(order) > MOST_POINTS:
        half = MOST_POINTS // 2
        others = np.linspace(half, len(order) - 1, MOST_POINTS - half).astype(int)
        order = order[np.concatenate([np.arange(half), others])]
    title = f"entries of d{block.name}"
    return _points(title, entries.numeric[order], entries.analytic[order], entries.bar[order],
                   entries.wrong[order])  # fmt: skip


def directions_of(blocks: Sequence[BlockResult]) -> Points | None:
    """The derivatives along the directions that were tried, of all blocks."""
    found = [(one, block.verdict == FAIL) for block in blocks for one in block.measurements]
    if not found:
        return None
    numbers = np.array([(one.numeric, one.analytic, one.bar) for one, _ in found[:MOST_POINTS]])
    wrong = np.array([is_wrong for _, is_wrong in found[:MOST_POINTS]])
    return _points("derivatives along random directions", *numbers.T, wrong)


def _points(title: str, numeric: Array, analytic: Array, bar: Array, wrong: Array) -> Points | None:
    """Those of the points that are numbers; None where none is."""
    numbers = np.isfinite(numeric) & np.isfinite(analytic)
    if not numbers.any():
        return None
    bar = np.where(np.isfinite(bar), bar, 0.0)
    left_out = len(numbers) - int(numbers.sum())
    title += f" ({left_out} not finite, left out)" * bool(left_out)
    return Points(title, numeric[numbers], analytic[numbers], bar[numbers], wrong[numbers])


def tiles_of(block: BlockResult) -> Tiles | None:
    """The errors of a block's entries: slices along its two longest axes."""
    entries = block.entries
    if entries is None or not len(entries.index):
        return None
    shape = entries.shape or (1,)
    at = np.stack(np.unravel_index(entries.index, shape))  # (ndim, M)
    down, across = _plane(shape)
    lengths = (shape[down] if down is not None else 1, shape[across])
    steps = [math.ceil(length / MOST_SIDE) for length in lengths]
    order = worst_first(entries)[::-1]  # the last one written into a tile is the worst
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
    return Tiles(f"error of d{block.name}", note, slices, float(finite.max(initial=0.0)))


def _plane(shape: Sequence[int]) -> tuple[int | None, int]:
    """The axes that run down and across a slice: the two longest; of equals, the later."""
    if len(shape) == 1:
        return None, 0
    longest = sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[-2:]
    down, across = sorted(longest)
    return down, across


def _slices(at: Array) -> tuple[Array, Array]:
    """The places (K, axes) at which there are entries, and which of them each entry has."""
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
    """What is not to be seen in a map of errors."""
    notes = [f"block of shape {tuple(entries.shape)}"]
    if not entries.complete:
        notes.append(f"{len(entries.index):,} entries measured, the others blank")
    if shown < n_slices:
        notes.append(f"the worst {shown} of {n_slices} slices")
    if max(steps) > 1:
        notes.append(f"a cell is the worst of {steps[0]} x {steps[1]} entries")
    return "; ".join(notes)


def marks_of(case: CaseResult) -> list[Mark]:
    """The contracts, each once with its worst verdict, the worst first."""
    found: dict[str, Mark] = {}
    for one in case.findings:
        known = found.get(one.contract)
        if known is None or WORST_FIRST.index(one.verdict) < WORST_FIRST.index(known.verdict):
            text = f"d{one.block}: {one.text}" if one.block and one.text else one.text
            found[one.contract] = Mark(holds(one.contract), one.verdict, as_ascii(text))
    return sorted(found.values(), key=lambda mark: WORST_FIRST.index(mark.verdict))

"""What the pictures of a report show, as plain arrays: curves, points, a map, marks.

Two hands draw them: drawings.py for pages, and plots/gradient_reports.py for files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from ..results import FAIL, PASS, WORST_FIRST, BlockResult, CaseResult
from .tiles import Tiles, tiles_of
from .wording import as_ascii, badness, holds, worst_first, worst_measurement

MOST_POINTS = 400
MOST_CURVES = 3
MOST_DRAWN = 1e300  # a number that is larger has no place in a plane


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
class Mark:
    """What one contract said: its name, a verdict, and what was seen."""

    contract: str
    verdict: str
    text: str

    @property
    def words(self) -> str:
        """What holds, in words; the name of what does not."""
        return holds(self.contract) if self.verdict == PASS else self.contract


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
    if not any(np.isfinite(distances).any() for _, distances in families):
        return None
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
    title = "derivatives along random directions"
    return _points(title, numbers[:, 0], numbers[:, 1], numbers[:, 2], wrong)


def _points(title: str, numeric: Array, analytic: Array, bar: Array, wrong: Array) -> Points | None:
    """Those of the points that are numbers, and can be drawn; None where none is."""
    numbers = (abs(numeric) < MOST_DRAWN) & (abs(analytic) < MOST_DRAWN)
    if not numbers.any():
        return None
    bar = np.where(bar < MOST_DRAWN, bar, 0.0)
    left_out = len(numbers) - int(numbers.sum())
    title += f" ({left_out} not finite, left out)" * bool(left_out)
    return Points(title, numeric[numbers], analytic[numbers], bar[numbers], wrong[numbers])


def marks_of(case: CaseResult) -> list[Mark]:
    """The contracts, each once with its worst verdict, the worst first."""
    found: dict[str, Mark] = {}
    for one in case.findings:
        known = found.get(one.contract)
        if known is None or WORST_FIRST.index(one.verdict) < WORST_FIRST.index(known.verdict):
            text = f"d{one.block}: {one.text}" if one.block and one.text else one.text
            found[one.contract] = Mark(one.contract, one.verdict, as_ascii(text))
    return sorted(found.values(), key=lambda mark: WORST_FIRST.index(mark.verdict))

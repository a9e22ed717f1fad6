"""What the pictures of a report show, as plain arrays: curves, points, a map, marks.

svg.py draws them for HTML pages, plots/gradient_reports.py for picture files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array
from ..results import FAIL, PASS, WORST_FIRST, BlockResult, CaseResult
from .error_maps import ErrorMap, error_map_of
from .wording import as_ascii, contract_in_words, error_bars_off, worst_first, worst_measurement

MOST_POINTS = 400
MOST_CURVES = 3
MOST_DRAWN = 1e300  # larger numbers are left out


@dataclass(frozen=True)
class Curve:
    """Distances of central differences with step h from the claimed derivative.

    `families` has the steps and distances of each family of differences; `distance` is that of the
    extrapolated derivative, which the verdict compares with `bar`.
    """

    title: str
    verdict: str
    families: list[tuple[Array, Array]]
    distance: float
    bar: float


@dataclass(frozen=True)
class Points:
    """Claimed and measured derivatives (M,), their error bars, and which of them are wrong."""

    title: str
    numeric: Array
    analytic: Array
    bar: Array
    wrong: Array


@dataclass(frozen=True)
class Mark:
    """The result of a contract: its name, its verdict, and what it saw."""

    contract: str
    verdict: str
    text: str

    @property
    def words(self) -> str:
        """A contract that passed in words, any other by its name."""
        return contract_in_words(self.contract) if self.verdict == PASS else self.contract


@dataclass(frozen=True)
class Picture:
    """The contents of a figure; None for an empty panel."""

    title: str
    curves: list[Curve]
    points: Points | None
    error_map: ErrorMap | None
    marks: list[Mark]


def picture_of(title: str, case: CaseResult) -> Picture:
    """The figure of a case: curves of its worst blocks, and the entries of the worst block."""
    blocks = blocks_worst_first(case.blocks)
    curves = [curve for block in blocks if (curve := curve_of(block))]
    mapped = next((block for block in blocks if block.entries is not None), None)
    return Picture(
        title=title,
        curves=curves[:MOST_CURVES],
        points=points_of(mapped) if mapped else directions_of(blocks),
        error_map=error_map_of(mapped) if mapped else None,
        marks=marks_of(case),
    )


def blocks_worst_first(blocks: Sequence[BlockResult]) -> list[BlockResult]:
    """Blocks by verdict, and within a verdict by error bars off."""

    def key(block: BlockResult) -> tuple[int, float]:
        measured = worst_measurement(block)
        return WORST_FIRST.index(block.verdict), -error_bars_off(measured) if measured else 0.0

    return sorted(blocks, key=key)


def curve_of(block: BlockResult) -> Curve | None:
    """The curve of a block's worst measurement; None if it has no differences."""
    measured = worst_measurement(block)
    if measured is None or not measured.ladders:
        return None
    claimed = float(measured.analytic)
    with np.errstate(invalid="ignore", over="ignore"):
        families = [
            (
                np.asarray(ladder.steps, dtype=float),
                abs(np.asarray(ladder.values, dtype=float) - claimed),
            )
            for ladder in measured.ladders
        ]
    if not any(np.isfinite(distances).any() for _, distances in families):
        return None
    distance = abs(float(measured.numeric) - claimed)
    return Curve(f"d{block.name}", block.verdict, families, distance, float(measured.bar))


def points_of(block: BlockResult) -> Points | None:
    """The entries of a block; of more than 400 the worst 200 and 200 others."""
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
    """The derivatives of all blocks along random directions."""
    found = [
        (measurement, block.verdict == FAIL)
        for block in blocks
        for measurement in block.measurements
    ]
    if not found:
        return None
    numbers = np.array(
        [
            (measurement.numeric, measurement.analytic, measurement.bar)
            for measurement, _ in found[:MOST_POINTS]
        ]
    )
    wrong = np.array([is_wrong for _, is_wrong in found[:MOST_POINTS]])
    title = "derivatives along random directions"
    return _points(title, numbers[:, 0], numbers[:, 1], numbers[:, 2], wrong)


def _points(title: str, numeric: Array, analytic: Array, bar: Array, wrong: Array) -> Points | None:
    """The points with finite numbers; None if there are none."""
    numbers = (abs(numeric) < MOST_DRAWN) & (abs(analytic) < MOST_DRAWN)
    if not numbers.any():
        return None
    bar = np.where(bar < MOST_DRAWN, bar, 0.0)
    left_out = len(numbers) - int(numbers.sum())
    title += f" ({left_out} not finite, left out)" * bool(left_out)
    return Points(title, numeric[numbers], analytic[numbers], bar[numbers], wrong[numbers])


def marks_of(case: CaseResult) -> list[Mark]:
    """The contracts, each with its worst verdict, the worst first."""
    found: dict[str, Mark] = {}
    for finding in case.findings:
        known = found.get(finding.contract)
        if known is None or WORST_FIRST.index(finding.verdict) < WORST_FIRST.index(known.verdict):
            text = (
                f"d{finding.block}: {finding.text}"
                if finding.block and finding.text
                else finding.text
            )
            found[finding.contract] = Mark(finding.contract, finding.verdict, as_ascii(text))
    return sorted(found.values(), key=lambda mark: WORST_FIRST.index(mark.verdict))

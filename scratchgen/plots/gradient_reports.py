"""A picture of a gradient check: curves, entries, the map of the error, contracts.

gradcheck/reports/picture_data.py makes the arrays and the texts that are drawn here.
"""

import textwrap
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from ..ground.errors import KindError
from .figures import DisplayedFigure, PathLike, finish

BLUE, ORANGE, AMBER = "#0072b2", "#d55e00", "#b07800"  # which the colour-blind can distinguish
SIGNS = {
    "PASS": ("✓", BLUE),
    "FAIL": ("✗", ORANGE),
    "INCONCLUSIVE": ("?", AMBER),
    "NOTE": ("i", "0.4"),
}
MOST_MARKS = 16
SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, "white", ORANGE])


def draw_report(picture: Any, path: PathLike | None = None) -> DisplayedFigure:
    """Four panels of one case, a Picture of gradcheck/reports/picture_data.py.

    Raises KindError for anything else, FileError where the path cannot be written.
    """
    if not hasattr(picture, "error_map"):
        raise KindError(
            f"draw_report got {type(picture).__name__}, wants the Picture of a case: to draw a "
            f"report, call its plot()"
        )
    figure = DisplayedFigure(figsize=(12, 9), layout="constrained")
    figure.suptitle(_plain(picture.title, 110), fontsize=13, x=0.01, ha="left")
    panels: Any = figure.subfigures(2, 2, hspace=0.04, wspace=0.03)
    curves, points, error_map, marks = panels.flat
    _draw_curves(curves, picture.curves)
    _draw_points(points, picture.points)
    _draw_error_map(error_map, picture.error_map)
    _draw_marks(marks, picture.marks)
    return finish(figure, path)


def _draw_curves(panel: Any, curves: Any) -> None:
    """One pair of axes for each block: the error of the claimed derivative over the step h."""
    if not curves:
        _write(panel, "no differences to draw")
        return
    panel.suptitle("differences: distance to the claimed derivative, by step h", fontsize=11)
    for curve, axes in zip(curves, np.ravel(panel.subplots(1, len(curves))), strict=True):
        axes.set_xscale("log")
        axes.set_yscale("log")
        for (h, distance), colour, marker in zip(
            curve.families, (BLUE, ORANGE), ("o", "x"), strict=False
        ):
            shown = np.where(distance > 0, distance, np.nan)
            axes.plot(h, shown, color=colour, marker=marker, markersize=4, linewidth=1)
        _draw_band(axes, curve)
        if curve is curves[0] and axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, loc="upper center", framealpha=0.7)
        axes.set_title(_plain(f"{curve.title}: {curve.verdict}", 26), fontsize=9)
        axes.tick_params(labelsize=8)
        axes.set_xlabel("h", fontsize=9)


def _draw_band(axes: Any, curve: Any) -> None:
    """The distance of the extrapolated derivative, and the bands of the verdicts: 1 and 10 bars."""
    low = axes.get_ylim()[0]
    if curve.bar > 0 and np.isfinite(curve.bar):
        low = min(low, curve.bar / 10)
        axes.axhspan(low, curve.bar, color=BLUE, alpha=0.15, linewidth=0, label="PASS")
        axes.axhspan(curve.bar, 10 * curve.bar, color=AMBER, alpha=0.2, linewidth=0,
                     label="INCONCLUSIVE")  # fmt: skip
    if 0 < curve.distance < np.inf:
        low = min(low, curve.distance / 3)
        axes.axhline(curve.distance, color="0.2", linestyle="--", linewidth=1, label="extrapolated")
    axes.set_ylim(bottom=low)


def _draw_points(panel: Any, points: Any) -> None:
    """Claimed against measured, with error bars."""
    if points is None:
        _write(panel, "no derivatives to draw")
        return
    panel.suptitle(_plain(points.title, 60), fontsize=11)
    axes = panel.subplots()
    axes.axline((points.numeric[0], points.numeric[0]), slope=1, color="0.6", linestyle="--")
    for wrong, colour, marker in ((False, BLUE, "o"), (True, ORANGE, "x")):
        here = points.wrong == wrong
        if here.any():
            axes.errorbar(
                points.numeric[here],
                points.analytic[here],
                xerr=points.bar[here],
                fmt=marker,
                color=colour,
                ecolor="0.5",
                markersize=4,
                zorder=3 if wrong else 2,
                label=f"{here.sum()} {'wrong' if wrong else 'right'}",
            )
    axes.set_xlabel("measured, with its error bar")
    axes.set_ylabel("claimed")
    axes.legend(fontsize=9, loc="upper left")


def _draw_error_map(panel: Any, error_map: Any) -> None:
    """A map of the error in the block's own shape, slice by slice."""
    if error_map is None:
        _write(panel, "no map of the error: single entries\nare measured only after a FAIL")
        return
    panel.suptitle(
        _plain(error_map.title, 60) + "\n" + textwrap.fill(error_map.note, 75), fontsize=10
    )
    columns = min(4, len(error_map.slices))
    grid = panel.subplots(-(-len(error_map.slices) // columns), columns, squeeze=False)
    limit = error_map.largest or 1.0
    for axes in grid.flat[len(error_map.slices) :]:
        axes.set_axis_off()
    for axes, (title, error, wrong) in zip(grid.flat, error_map.slices, strict=False):
        finite = np.where(np.isinf(error), np.nan, error)
        image = axes.imshow(finite, cmap=SIGNED, vmin=-limit, vmax=limit)
        for marked, marker, size in (
            (wrong & ~np.isinf(error), ".", 9),
            (np.isinf(error), "x", 25),
        ):
            rows, across = np.nonzero(marked)
            axes.scatter(across, rows, s=size, color="k", marker=marker, linewidths=1)
        axes.set_title(title, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_facecolor("0.93")
    bar = panel.colorbar(image, ax=grid, shrink=0.6)
    bar.set_label("claimed - measured; dots are wrong, crosses are not finite", fontsize=9)


def _draw_marks(panel: Any, marks: Any) -> None:
    """A line for each contract, with a tick or a cross."""
    if not marks:
        _write(panel, "no contract was checked")
        return
    panel.suptitle("contracts", fontsize=11)
    axes = panel.subplots()
    axes.set_axis_off()
    rows = marks if len(marks) <= MOST_MARKS else marks[: MOST_MARKS - 1]
    for number, mark in enumerate(rows):
        sign, colour = SIGNS[mark.verdict]
        y = 1 - (number + 0.5) / MOST_MARKS
        line = {"va": "center", "transform": axes.transAxes}
        axes.text(0.0, y, sign, color=colour, fontsize=13, fontweight="bold", **line)
        axes.text(0.05, y, _plain(mark.words, 24), fontsize=10, **line)
        axes.text(0.36, y, _plain(mark.text, 62), fontsize=8, color="0.3", **line)
    if len(rows) < len(marks):
        axes.text(0.05, 0.5 / MOST_MARKS, f"... and {len(marks) - len(rows)} more", fontsize=10)


def _write(panel: Any, text: str) -> None:
    """Write into an empty panel why it is empty."""
    panel.text(0.5, 0.5, text, ha="center", va="center", color="0.4", fontsize=11)


def _plain(text: str, width: int) -> str:
    """The text in letters that every font has, cut to a width."""
    plain = "".join(s if s.isascii() and s.isprintable() else "?" for s in text)
    return plain if len(plain) <= width else plain[: width - 3] + "..."

"""Clouds: points in the plane, with their reconstructions, densities or trajectories."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..ground.arguments import Array
from ..ground.errors import ShapeError
from .figures import (
    FAKE,
    REAL,
    DisplayedFigure,
    PathLike,
    expect_alike,
    finish,
    new_figure,
    points_to_draw,
    scatter,
    set_aspect,
)

BINS = 160  # of a density, along each axis
MARGIN = 0.15  # around the data, as a share of their span


def cloud(
    x: Array, path: PathLike | None = None, labels: Array | None = None, title: str = ""
) -> DisplayedFigure:
    """Points (N, 2), coloured by their labels (N,) if there are any.

    Like all functions of this file, it raises KindError or ShapeError for what are no points, and
    FileError where the path cannot be written.
    """
    x = points_to_draw(x)
    figure, axes = new_figure(6, 6, title)
    scatter(axes, figure, x, labels)
    set_aspect(axes, x)
    return finish(figure, path)


def cloud_pairs(
    x: Array, reconstructed: Array, path: PathLike | None = None, title: str = ""
) -> DisplayedFigure:
    """Points (N, 2), each joined by a line to its reconstruction."""
    x, reconstructed = points_to_draw(x), points_to_draw(reconstructed, "reconstructions")
    expect_alike(x, reconstructed)
    figure, axes = new_figure(6, 6, title)
    for line in np.stack([x, reconstructed], axis=1):  # (2, 2): both ends
        axes.plot(line[:, 0], line[:, 1], color="0.7", linewidth=0.5, zorder=1)
    axes.scatter(x[:, 0], x[:, 1], color=REAL, s=8, label="data", zorder=2)
    axes.scatter(
        reconstructed[:, 0], reconstructed[:, 1], color=FAKE, s=8, label="reconstructed", zorder=3
    )
    set_aspect(axes, x)
    axes.legend(loc="upper right")
    return finish(figure, path)


def density(
    real: Array, generated: Array, path: PathLike | None = None, title: str = ""
) -> DisplayedFigure:
    """The densities of real points (N, 2) and of generated ones (M, 2), as two histograms."""
    real, generated = points_to_draw(real, "real points"), points_to_draw(generated, "samples")
    figure = DisplayedFigure(figsize=(10, 5.2), layout="constrained")
    low, high = window(real)
    limits = list(zip(low, high, strict=True))  # [(left, right), (bottom, top)]
    for number, (points, name) in enumerate(((real, "real"), (generated, "generated"))):
        axes = figure.add_subplot(1, 2, number + 1)
        counts, x_edges, y_edges = np.histogram2d(points[:, 0], points[:, 1], BINS, limits)
        shown = np.log1p(counts.T * 10_000 / len(points))  # (BINS, BINS): faint places stay visible
        axes.pcolormesh(x_edges, y_edges, shown, cmap="magma", rasterized=True)
        outside = 1 - counts.sum() / len(points)
        axes.set_title(f"{name}: {len(points):,} points{_outside_text(outside)}")
        set_aspect(axes, real)
    figure.suptitle(title)
    return finish(figure, path)


def panels(
    rows: Sequence[Sequence[tuple[str, Array]]], path: PathLike | None = None, title: str = ""
) -> DisplayedFigure:
    """Rows of small clouds: titles and points (N, 2); the first cloud sets the window of its row.

    The first cloud of a row has the colour of data, the others that of samples.
    """
    if not all(rows) or not rows:
        raise ShapeError(
            f"panels got rows of {[*map(len, rows)]} clouds: wants at least one in each row"
        )
    columns = max(map(len, rows))
    figure = DisplayedFigure(figsize=(1.9 * columns, 2.2 * len(rows) + 0.3), layout="constrained")
    for i, row in enumerate(rows):
        low, high = window(points_to_draw(row[0][1], row[0][0]))
        for j, (name, points) in enumerate(row):
            points = points_to_draw(points, name)
            axes = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            axes.scatter(points[:, 0], points[:, 1], color=FAKE if j else REAL, s=1, linewidths=0)
            axes.set_xlim(low[0], high[0])
            axes.set_ylim(low[1], high[1])
            axes.set_aspect("equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(name, fontsize=8)
    figure.suptitle(title)
    return finish(figure, path)


def trajectories(
    points: Mapping[str, Array],
    path: PathLike | None = None,
    title: str = "",
    names: Sequence[str] = ("x", "y"),
) -> DisplayedFigure:
    """Trajectories (T, 2), by name, each with a dot at its end; `names` are those of the axes."""
    figure, axes = new_figure(6, 6, title)
    for number, (name, line) in enumerate(points.items()):
        line = points_to_draw(line, name)
        axes.plot(line[:, 0], line[:, 1], color=f"C{number}", linewidth=1, label=name)
        axes.scatter(*line[-1], color=f"C{number}", s=30, zorder=3)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    if points:
        axes.legend(loc="upper right")
    return finish(figure, path)


def window(x: Array) -> tuple[Array, Array]:
    """The corners of a window around points (N, 2), with a margin: lower left, upper right (2,)."""
    low, high = x.min(axis=0), x.max(axis=0)
    margin = MARGIN * (high - low) + 1e-6
    return low - margin, high + margin


def _outside_text(share: float) -> str:
    return f", {share:.1%} outside" if share > 0.0005 else ""

"""Pictures of data, of losses, and of what a model has learnt.

Every function takes arrays, and a path to write: PNG, PDF or SVG, by its ending. None opens a
window.
"""

import io
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..ground.arguments import Array, can_be_drawn
from ..ground.errors import FileError, ShapeError
from ..ground.writing import write_atomically

PathLike = str | os.PathLike[str]

DPI = 150
DOT = {"s": 9, "alpha": 0.7, "linewidths": 0}  # points of a cloud
APART = 10  # times as wide or as far as another column: columns in different units
DOTTED = 100  # epochs up to which each is a dot on its line
REAL, FAKE = "#1b6ca8", "#d1495b"


def save_figure(figure: Figure, path: PathLike) -> None:
    """Write a figure, its texts as they are; FileError where that cannot be done."""
    _take_literally(figure)
    picture = io.BytesIO()
    try:
        with warnings.catch_warnings():  # of letters that the font has not, drawn as boxes
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(picture, format=Path(path).suffix.removeprefix("."), dpi=DPI)
    except ValueError as problem:
        raise FileError(
            f"{path} cannot be written ({problem}): wants a name that ends in .png, .pdf or .svg"
        ) from problem
    write_atomically(path, picture.getbuffer())


def _take_literally(figure: Figure) -> None:
    """Texts may be a user's, such as names of files: `a$b^$` is no formula, and an escape no text.

    Only the numbers at the axes are matplotlib's own, and may be formulas.
    """
    of_axes = {
        label
        for axis in figure.findobj(Axis)
        for minor in (False, True)
        for label in (*axis.get_ticklabels(minor=minor), axis.get_offset_text())
    }
    for text in set(figure.findobj(Text)) - of_axes:
        shown = (sign if sign.isprintable() or sign == "\n" else "?" for sign in text.get_text())
        text.set_text("".join(shown))
        text.set_parse_math(False)


def expect_some(x: Array, what: str) -> None:
    """ShapeError for no examples, of which there is no picture."""
    if not len(x):
        raise ShapeError(f"a picture of {what} of shape {x.shape}: wants at least one example")


def sheet(pictures: Array, path: PathLike, columns: int | None = None, title: str = "") -> None:
    """Pictures (N, H, W) or (N, H, W, 1 or 3) in [0, 1], side by side in rows.

    Raises ShapeError for what are no pictures, FileError where the path cannot be written.
    """
    if not len(pictures) or not can_be_drawn(pictures.shape[1:]):
        raise ShapeError(
            f"a sheet got pictures of shape {pictures.shape}: wants (N, H, W) or (N, H, W, 1) for "
            f"grey or (N, H, W, 3) for colour, and at least one{_channels_text(pictures)}"
        )
    pictures = pictures.reshape(*pictures.shape[:3], -1)  # (N, H, W, C)
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    canvas = _side_by_side(pictures, columns)
    width = 6.0
    height = width * canvas.shape[0] / canvas.shape[1] + (0.3 if title else 0)
    figure, axes = _figure(width, height, title)
    axes.imshow(
        canvas[..., 0] if canvas.shape[2] == 1 else canvas,
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_axis_off()
    save_figure(figure, path)


def pairs(x: Array, reconstructed: Array, path: PathLike, title: str = "") -> None:
    """Pictures above what a model made of them; N is cut to whole rows of 10. As `sheet`."""
    expect_some(x, "pictures")
    columns = min(10, len(x))
    n = len(x) // columns * columns
    rows = [  # each (columns, H, W, C): a row of x, then its reconstructions
        source[start : start + columns]
        for start in range(0, n, columns)
        for source in (x, reconstructed)
    ]
    sheet(np.concatenate(rows), path, columns, title)


def cloud_pairs(x: Array, reconstructed: Array, path: PathLike, title: str = "") -> None:
    """Points (N, 2) and what a model made of them, joined by lines."""
    expect_some(x, "points")
    figure, axes = _figure(6, 6, title)
    lines = np.stack([x, reconstructed], axis=1)  # (N, 2, 2)
    for line in lines:
        axes.plot(line[:, 0], line[:, 1], color="0.7", linewidth=0.5, zorder=1)
    axes.scatter(x[:, 0], x[:, 1], color=REAL, s=8, label="data", zorder=2)
    axes.scatter(
        reconstructed[:, 0], reconstructed[:, 1], color=FAKE, s=8, label="reconstructed", zorder=3
    )
    _set_aspect(axes, x)
    axes.legend(loc="upper right")
    save_figure(figure, path)


def cloud(x: Array, path: PathLike, labels: Array | None = None, title: str = "") -> None:
    """Points (N, 2), coloured by their labels (N,) where there are some."""
    expect_some(x, "points")
    figure, axes = _figure(6, 6, title)
    _scatter(axes, figure, x, labels)
    _set_aspect(axes, x)
    save_figure(figure, path)


def losses(history: Mapping[str, Sequence[float]], path: PathLike, title: str = "") -> None:
    """A line for each number of a history, over its epochs; `val_` lines are dashed."""
    figure, axes = _figure(7, 4.5, title)
    names = [name for name in history if not name.startswith("val_")]
    marker = "." if max(map(len, history.values()), default=0) <= DOTTED else ""
    for number, name in enumerate(names):
        for key, style in ((name, "-"), (f"val_{name}", "--")):
            values = history.get(key)
            if values:
                epochs = np.arange(1, len(values) + 1)
                axes.plot(epochs, values, style, color=f"C{number}", marker=marker, label=key)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean per example")
    axes.grid(alpha=0.3)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if axes.lines:  # a history of no epochs has none
        axes.legend(loc="upper right")  # matplotlib warns where to find the best place takes long
    save_figure(figure, path)


def latents(mu: Array, path: PathLike, labels: Array | None = None, title: str = "") -> None:
    """Posterior means (N, Z), in the two directions in which they spread most where Z > 2."""
    expect_some(mu, "posterior means")
    figure, axes = _figure(6.6, 6, title)
    if mu.shape[1] > 2:
        flat, share = principal_plane(mu)
        axes.set_xlabel(
            f"first principal direction of {mu.shape[1]} ({share[0]:.0%} of the spread)"
        )
        axes.set_ylabel(f"second ({share[1]:.0%})")
    else:
        flat = np.concatenate([mu, np.zeros((len(mu), 2 - mu.shape[1]))], axis=1)  # (N, 2)
        axes.set_xlabel("z[0]")
        axes.set_ylabel("z[1]" if mu.shape[1] == 2 else "")
    _scatter(axes, figure, flat, labels)
    save_figure(figure, path)


def density(real: Array, generated: Array, path: PathLike, title: str = "") -> None:
    """Real points (N, 2) and generated ones (M, 2): each as a map of how many fall where."""
    expect_some(real, "real points")
    expect_some(generated, "generated points")
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    low, high = real.min(axis=0), real.max(axis=0)
    margin = 0.15 * (high - low) + 1e-6
    window = list(zip(low - margin, high + margin, strict=True))  # [(left, right), (bottom, top)]
    for number, (points, name) in enumerate(((real, "real"), (generated, "generated"))):
        axes = figure.add_subplot(1, 2, number + 1)
        counts, x_edges, y_edges = np.histogram2d(points[:, 0], points[:, 1], 160, window)
        shown = np.log1p(counts.T * 10_000 / len(points))  # (160, 160): faint places stay visible
        axes.pcolormesh(x_edges, y_edges, shown, cmap="magma", rasterized=True)
        outside = 1 - counts.sum() / len(points)
        axes.set_title(f"{name}: {len(points):,} points" + _outside_text(outside))
        _set_aspect(axes, real)
    figure.suptitle(title)
    save_figure(figure, path)


def panels(rows: Sequence[Sequence[tuple[str, Array]]], path: PathLike, title: str = "") -> None:
    """Clouds of points (N, 2), each with its title, in rows; a row has the window of its first."""
    if not all(rows) or not rows:
        raise ShapeError(f"panels got rows of {[*map(len, rows)]} clouds: wants one in each row")
    columns = max(map(len, rows))
    figure = Figure(figsize=(1.9 * columns, 2.2 * len(rows) + 0.3), layout="constrained")
    for i, row in enumerate(rows):
        first = row[0][1]
        expect_some(first, row[0][0])
        low, high = first.min(axis=0), first.max(axis=0)
        margin = 0.15 * (high - low) + 1e-6
        for j, (name, points) in enumerate(row):
            axes = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            axes.scatter(points[:, 0], points[:, 1], color=FAKE if j else REAL, s=1, linewidths=0)
            axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
            axes.set_aspect("equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(name, fontsize=8)
    figure.suptitle(title)
    save_figure(figure, path)


def walks(
    steps: Mapping[str, Array], path: PathLike, title: str = "", names: Sequence[str] = ("x", "y")
) -> None:
    """Walks (T, 2) through a plane, by name, each up to its dot; `names` are those of the axes."""
    figure, axes = _figure(6, 6, title)
    for number, (name, walk) in enumerate(steps.items()):
        expect_some(walk, name)
        axes.plot(walk[:, 0], walk[:, 1], color=f"C{number}", linewidth=1, label=name)
        axes.scatter(*walk[-1], color=f"C{number}", s=30, zorder=3)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    if steps:
        axes.legend(loc="upper right")
    save_figure(figure, path)


def show_data(x: Array, path: PathLike, labels: Array | None = None, title: str = "") -> None:
    """A look at data: a sheet of pictures, a cloud of points, or a chart of wider vectors.

    Columns of vectors that lie far apart, as in different units, are each drawn from their least
    to their largest number.

    Raises ShapeError for data that are none of these.
    """
    if can_be_drawn(x.shape[1:]):
        sheet(x, path, title=title)
    elif x.shape[1:] == (2,):
        cloud(x, path, labels, title)
    elif x.ndim == 2:
        expect_some(x, "vectors")
        figure, axes = _figure(7, 4.5, title)
        spans = _spans(x)  # (D,)
        are_apart = spans.any() and np.ptp(x) > APART * np.median(spans[spans > 0])
        if are_apart:
            x = (x - x.min(axis=0)) / np.where(spans > 0, spans, 1)
        image = axes.imshow(x, aspect="auto", interpolation="nearest")
        axes.set_xlabel("column")
        axes.set_ylabel("example")
        label = "of each column, from its least to its largest number" if are_apart else ""
        figure.colorbar(image, label=label)
        save_figure(figure, path)
    else:
        raise ShapeError(
            f"no picture is known for examples of shape {x.shape[1:]}: write them as an array, "
            f"with -o NAME.npy{_channels_text(x)}"
        )


def principal_plane(mu: Array) -> tuple[Array, Array]:
    """mu (N, Z) in its two principal directions (N, 2), and their shares of the variance (2,)."""
    centred = mu - mu.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    flat, share = np.zeros((len(mu), 2)), np.zeros(2)
    k = min(2, len(spread))  # one example has one direction
    flat[:, :k] = centred @ directions[:k].T
    share[:k] = spread[:k] ** 2 / max((spread**2).sum(), 1e-30)
    return flat, share


def _figure(width: float, height: float, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _set_aspect(axes: Any, x: Array) -> None:
    """Both axes alike, unless the columns of x (N, 2) are in units that lie far apart."""
    spans = _spans(x)
    if spans.max() <= APART * spans.min():
        axes.set_aspect("equal")


def _spans(x: Array) -> Array:
    """From the least to the largest number of each column of x (N, D): (D,)."""
    return np.ptp(x, axis=0) if len(x) else np.zeros(x.shape[1])


def _side_by_side(pictures: Array, columns: int) -> Array:
    """One picture of all, (N, H, W, C) -> (rows H + gaps, columns W + gaps, C)."""
    n, h, w, c = pictures.shape
    rows = math.ceil(n / columns)
    gap = 1
    canvas = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, c), 0.25)
    for i, picture in enumerate(np.clip(pictures, 0, 1)):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        canvas[top : top + h, left : left + w] = picture
    return canvas


def _scatter(axes: Any, figure: Figure, x: Array, labels: Array | None) -> None:
    if labels is None:
        axes.scatter(x[:, 0], x[:, 1], color=REAL, **DOT)
        return
    kinds = np.unique(labels)
    if len(kinds) > 20:
        points = axes.scatter(x[:, 0], x[:, 1], c=labels, **DOT)
        figure.colorbar(points, label="label")
        return
    palette = "tab10" if len(kinds) <= 10 else "tab20"
    for number, kind in enumerate(kinds):
        here = labels == kind
        colour = np.array([_colour(palette, number)])
        axes.scatter(x[here, 0], x[here, 1], c=colour, label=str(kind), **DOT)
    axes.legend(markerscale=2, loc="upper right", title="class", fontsize="small")


def _colour(palette: str, number: int) -> Any:
    from matplotlib import colormaps

    return colormaps[palette](number)


def _channels_text(x: Array) -> str:
    """What there is to do where pictures have their channels first, or more than can be seen."""
    if x.ndim != 4 or can_be_drawn(x.shape[1:]):
        return ""
    if x.shape[1] in (1, 3):
        return "; channels come last, as np.moveaxis(x, 1, -1) puts them"
    return "; x[..., :1] is the first of their channels"


def _outside_text(share: float) -> str:
    return f", {share:.1%} outside" if share > 0.0005 else ""


__all__ = [
    "cloud",
    "cloud_pairs",
    "density",
    "latents",
    "losses",
    "pairs",
    "panels",
    "sheet",
    "show_data",
    "walks",
]

"""Figures: a notebook displays them, and a path writes them as PNG, PDF or SVG.

Every function that draws returns its figure. No window opens, and pyplot is not needed:

    sg.plots.losses(history)                       the last line of a cell displays it
    sg.plots.losses(history, "losses.png")         the file is written as well
    figure.axes[0].set_ylim(0, 200)                drawn into afterwards,
    figure.savefig("losses.pdf")                   and saved
"""

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image  # which matplotlib depends on

from ..ground.arguments import Array, real_numbers
from ..ground.errors import FileError, ShapeError
from ..ground.writing import expect_path, write_atomically

PathLike = str | os.PathLike[str]

DPI = 150  # of a file
DISPLAY_DPI = 75  # in a notebook
APART = 10  # columns whose spans differ by more than this factor are in different units
REAL, FAKE = "#1b6ca8", "#d1495b"  # colours of data, and of what a model makes


class DisplayedFigure(Figure):
    """A matplotlib figure that a notebook displays without pyplot."""

    def _repr_png_(self) -> bytes:
        """A small PNG, because the notebook keeps it: in shades of grey if it has no colours."""
        image, png = self.image(DISPLAY_DPI), io.BytesIO()
        pixels = np.asarray(image)  # (H, W, 3)
        if (pixels == pixels[..., :1]).all():
            image = image.convert("L")
        image.save(png, "PNG", optimize=True)
        return png.getvalue()

    def image(self, dpi: float) -> Image.Image:
        """The figure as an image in RGB."""
        return Image.open(io.BytesIO(self.as_bytes("png", dpi))).convert("RGB")

    def as_bytes(self, format: str, dpi: float) -> bytes:
        """The content of a file of that format; ValueError for one that matplotlib lacks."""
        picture = io.BytesIO()
        with warnings.catch_warnings():  # of letters that the font lacks, which are drawn as boxes
            warnings.filterwarnings("ignore", "Glyph .* missing")
            self.savefig(picture, format=format, dpi=dpi)
        return picture.getvalue()


def new_figure(width: float, height: float, title: str = "") -> tuple[DisplayedFigure, Any]:
    """A figure of that size in inches, and its one pair of axes."""
    figure = DisplayedFigure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def finish(figure: DisplayedFigure, path: PathLike | None) -> DisplayedFigure:
    """The figure, its texts taken literally, written to the path if there is one.

    Raises FileError where the path cannot be written.
    """
    _take_literally(figure)
    if path is not None:
        expect_path(path)
        try:
            data = figure.as_bytes(Path(path).suffix.removeprefix("."), DPI)
        except ValueError as problem:
            raise FileError(
                f"{path} cannot be written ({problem}): wants a name that ends in .png, .pdf or "
                f".svg"
            ) from problem
        write_atomically(path, data)
    return figure


def _take_literally(figure: Figure) -> None:
    """Draw texts as they are: a user's `a$b^$` is no formula, and an escape sequence no text.

    The numbers at the axes are matplotlib's own, and stay formulas.
    """
    of_axes = {
        label
        for axis in figure.findobj(Axis)
        for minor in (False, True)
        for label in (*axis.get_ticklabels(minor=minor), axis.get_offset_text())
    }
    for text in set(figure.findobj(Text)) - of_axes:
        letters = text.get_text()
        if not letters:  # a title, perhaps, that the user will write as a formula
            continue
        text.set_text("".join(s if s.isprintable() or s == "\n" else "?" for s in letters))
        text.set_parse_math(False)


def vectors_to_draw(x: Any, what: str, width: int | None = None) -> Array:
    """x as an array (N, width), of any width if that is None.

    Raises KindError for what is no array of numbers, ShapeError for another shape or none to draw.
    """
    x = real_numbers(x, "x")
    if x.ndim != 2 or not len(x) or width not in (None, x.shape[1]):
        raise ShapeError(
            f"a picture of {what} got shape {x.shape}: wants (N, {width or 'D'}), N at least one"
        )
    return x


def points_to_draw(x: Any, what: str = "points") -> Array:
    """x as an array (N, 2); errors as of `vectors_to_draw`."""
    return vectors_to_draw(x, what, 2)


def expect_alike(x: Array, reconstructed: Array) -> None:
    """ShapeError unless each example has a reconstruction of its own shape."""
    if x.shape != reconstructed.shape:
        raise ShapeError(
            f"x has shape {x.shape} and its reconstructions {reconstructed.shape}: wants equal "
            f"shapes"
        )


def spans(x: Array) -> Array:
    """The largest minus the least number of each column: x (N, D) -> (D,)."""
    return np.ptp(x, axis=0) if len(x) else np.zeros(x.shape[1])


def set_aspect(axes: Any, x: Array) -> None:
    """Draw both axes to one scale, unless the columns of x (N, 2) are in different units."""
    of_columns = spans(x)
    if of_columns.max() <= APART * of_columns.min():
        axes.set_aspect("equal")


def scatter(axes: Any, figure: Figure, x: Array, labels: Array | None) -> None:
    """Points (N, 2), coloured by labels (N,) if there are any; ShapeError for other labels."""
    from matplotlib import colormaps

    dot = {"s": 9, "alpha": 0.7, "linewidths": 0}
    if labels is None:
        axes.scatter(x[:, 0], x[:, 1], color=REAL, **dot)
        return
    labels = np.asarray(labels)
    if labels.shape != (len(x),):
        raise ShapeError(f"labels has shape {labels.shape}, wants ({len(x)},): one for each point")
    classes = np.unique(labels)
    if len(classes) > 20:
        points = axes.scatter(x[:, 0], x[:, 1], c=labels, **dot)
        figure.colorbar(points, label="label")
        return
    palette = colormaps["tab10" if len(classes) <= 10 else "tab20"]
    for number, label in enumerate(classes):
        here = labels == label
        axes.scatter(x[here, 0], x[here, 1], color=palette(number), label=str(label), **dot)
    axes.legend(markerscale=2, loc="upper right", title="class", fontsize="small")

"""A look at data of any shape: a sheet of pictures, a cloud of points, or a chart of vectors."""

import numpy as np

from ..ground.arguments import Array, can_be_drawn, real_numbers
from ..ground.errors import ShapeError
from .clouds import cloud
from .figures import APART, DisplayedFigure, PathLike, finish, new_figure, spans, vectors_to_draw
from .sheets import channels_advice, sheet


def show_data(
    x: Array, path: PathLike | None = None, labels: Array | None = None, title: str = ""
) -> DisplayedFigure:
    """A sheet of pictures (N, H, W, C), a cloud of points (N, 2), or a chart of vectors (N, D).

    Columns of vectors that are in different units are each drawn from their least to their largest
    number.

    Raises KindError for what are no numbers, ShapeError for data of any other shape, FileError
    where the path cannot be written.
    """
    x = real_numbers(x, "x")
    if can_be_drawn(x.shape[1:]):
        return sheet(x, path, title=title)
    if x.shape[1:] == (2,):
        return cloud(x, path, labels, title)
    if x.ndim != 2:
        raise ShapeError(
            f"no picture is known for examples of shape {x.shape[1:]}: write them as an array "
            f"(in a shell: -o NAME.npy){channels_advice(x)}"
        )
    x = vectors_to_draw(x, "vectors")
    figure, axes = new_figure(7, 4.5, title)
    of_columns = spans(x)  # (D,)
    are_apart = of_columns.any() and np.ptp(x) > APART * np.median(of_columns[of_columns > 0])
    if are_apart:
        x = (x - x.min(axis=0)) / np.where(of_columns > 0, of_columns, 1)
    image = axes.imshow(x, aspect="auto", interpolation="nearest")
    axes.set_xlabel("column")
    axes.set_ylabel("example")
    label = "of each column, from its least to its largest number" if are_apart else ""
    figure.colorbar(image, label=label)
    return finish(figure, path)

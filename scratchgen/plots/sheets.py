"""Sheets: pictures side by side, alone or above their reconstructions."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ground.arguments import Array, can_be_drawn, real_numbers, whole
from ..ground.errors import ShapeError
from .figures import DisplayedFigure, PathLike, expect_alike, finish, new_figure

WIDTH = 6.0  # inches
GAP = 1  # pixels between two pictures


def sheet(
    pictures: Array,
    path: PathLike | None = None,
    columns: int | None = None,
    title: str = "",
    rows: Sequence[str] = (),
) -> DisplayedFigure:
    """Pictures (N, H, W) or (N, H, W, 1 or 3) in [0, 1], side by side; `rows` are names of rows.

    Raises KindError or ShapeError for what are no pictures, FileError where the path cannot be
    written.
    """
    pictures = _pictures(pictures, "pictures")
    pictures = pictures.reshape(*pictures.shape[:3], -1)  # (N, H, W, C)
    columns = whole(columns or math.ceil(math.sqrt(len(pictures))), "columns", least=1)
    canvas = side_by_side(pictures, columns)
    height = WIDTH * canvas.shape[0] / canvas.shape[1] + (0.3 if title else 0)
    figure, axes = new_figure(WIDTH, height, title)
    axes.imshow(
        canvas[..., 0] if canvas.shape[2] == 1 else canvas,
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_axis_off()
    step = pictures.shape[1] + GAP
    for number, name in enumerate(rows):
        middle = number * step + pictures.shape[1] / 2
        axes.text(-2 * GAP, middle, name, ha="right", va="center", fontsize="small")
    return finish(figure, path)


def pairs(
    x: Array, reconstructed: Array, path: PathLike | None = None, title: str = ""
) -> DisplayedFigure:
    """Rows of pictures, each above a row of its reconstructions; errors as of `sheet`.

    Of more than 10 pictures, as many are drawn as fill rows of 10.
    """
    x, reconstructed = _pictures(x, "x"), _pictures(reconstructed, "reconstructed")
    expect_alike(x, reconstructed)
    columns = min(10, len(x))
    n = len(x) // columns * columns
    rows = [  # each (columns, H, W, C): a row of x, then its reconstructions
        source[start : start + columns]
        for start in range(0, n, columns)
        for source in (x, reconstructed)
    ]
    return sheet(np.concatenate(rows), path, columns, title)


def _pictures(pictures: Any, what: str) -> Array:
    pictures = real_numbers(pictures, what)
    if not pictures.size or not can_be_drawn(pictures.shape[1:]):
        raise ShapeError(
            f"a sheet got pictures of shape {pictures.shape}: wants (N, H, W) or (N, H, W, 1) for "
            f"grey or (N, H, W, 3) for colour, and at least one{channels_advice(pictures)}"
        )
    return pictures


def side_by_side(pictures: Array, columns: int) -> Array:
    """All pictures as one: (N, H, W, C) -> (rows H + gaps, columns W + gaps, C)."""
    n, h, w, c = pictures.shape
    rows = math.ceil(n / columns)
    canvas = np.full((rows * (h + GAP) - GAP, columns * (w + GAP) - GAP, c), 0.25)
    for i, picture in enumerate(np.clip(pictures, 0, 1)):
        top, left = i // columns * (h + GAP), i % columns * (w + GAP)
        canvas[top : top + h, left : left + w] = picture
    return canvas


def channels_advice(x: Array) -> str:
    """What to do with pictures whose channels come first, or are too many to be colours."""
    if x.ndim != 4 or can_be_drawn(x.shape[1:]):
        return ""
    if x.shape[1] in (1, 3):
        return "; channels come last, as np.moveaxis(x, 1, -1) puts them"
    return "; x[..., :1] is the first of their channels"

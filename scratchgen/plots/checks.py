"""A picture of a gradient check: curves, entries, the map of the error, contracts.

It is given what gradcheck/pictured.py makes: arrays, with a few words.
"""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..checks import Array
from .pictures import PathLike, save_figure

BLUE, ORANGE, AMBER = "#0072b2", "#d55e00", "#b07800"  # told apart by the colour-blind
SIGNS = {
    "PASS": ("✓", BLUE),
    "FAIL": ("✗", ORANGE),
    "INCONCLUSIVE": ("?", AMBER),
    "NOTE": ("i", "0.4"),
}
MOST_MARKS = 16
WIDTHS = (34, 62)  # of a note, and of a contract's text


def draw_report(picture: Any, path: PathLike) -> None:
    """Four panels of one case; FileError where the path cannot be written.

    `picture` has `title`, `curves`, `points`, `tiles` and `marks`: see gradcheck/pictured.py.
    """
    figure = Figure(figsize=(12, 9), layout="constrained")
    figure.suptitle(_plain(picture.title, 110), fontsize=13, x=0.01, ha="left")
    curves, points, tiles, marks = figure.subfigures(2, 2, hspace=0.04, wspace=0.03).flat
    _draw_curves(curves, picture.curves)
    _draw_points(points, picture.points)
    _draw_tiles(tiles, picture.tiles)
    _draw_marks(marks, picture.marks)
    save_figure(figure, path)

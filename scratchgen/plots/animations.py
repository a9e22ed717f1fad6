"""Animations: frames that are drawn one after another, and written as a GIF.

A frame is kept as a picture of 256 colours, a byte a pixel, of which there are fewer than 200,000.
There are at most 200 frames, which take 40 MB: of more, every second one is dropped, and from then
on every second one is left out.
"""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image  # which matplotlib depends on

from ..ground.arguments import Array, can_be_drawn
from ..ground.errors import ShapeError
from ..ground.writing import write_atomically
from .clouds import window
from .figures import FAKE, DisplayedFigure, PathLike, boxes_for_missing_letters, finish, new_figure
from .sheets import sheet

MOST_FRAMES = 200
DPI = 60  # of a frame, whose figure is 6 inches wide
LAST = 2.0  # seconds for which the last frame stays, before the first one comes again


class Animation:
    """Frames of pictures (N, H, W, C), or of points (N, 2) in the window of the data (M, 2).

    Raises ShapeError for data of any other shape.
    """

    def __init__(self, data: Array) -> None:
        self.shape = data.shape[1:]
        if not can_be_drawn(self.shape) and self.shape != (2,):
            raise ShapeError(
                f"no animation is known for examples of shape {self.shape}: wants pictures, or "
                f"points (2,)"
            )
        self.data = data
        self.frames: list[Any] = []
        self.offered = 0  # frames so far, kept or not
        self.stride = 1  # of so many frames one is kept

    def wants_next(self) -> bool:
        """Whether the next frame is one of those that are kept; counts it."""
        self.offered += 1
        return (self.offered - 1) % self.stride == 0

    def add(self, x: Array, title: str) -> None:
        """Draw x (N, *shape) as the next frame."""
        self.append(_rendered(self._figure(x, title)))

    def append(self, frame: Any) -> None:
        """Keep a frame; where there are too many, every second one goes first."""
        if len(self.frames) == MOST_FRAMES:
            del self.frames[1::2]
            self.stride *= 2
        self.frames.append(frame)

    def write(self, path: PathLike, seconds: float) -> None:
        """A GIF that shows each frame for that long, again and again.

        Raises FileError where the path cannot be written.
        """
        data, first = io.BytesIO(), self.frames[0]
        each = round(1000 * seconds)  # milliseconds
        durations = [each] * (len(self.frames) - 1) + [max(each, round(1000 * LAST))]
        first.save(data, "GIF", save_all=True, append_images=self.frames[1:], duration=durations,
                   loop=0)  # fmt: skip
        write_atomically(path, data.getbuffer())

    def _figure(self, x: Array, title: str) -> DisplayedFigure:
        if can_be_drawn(self.shape):
            return sheet(x, title=title)
        figure, axes = new_figure(6, 6, title)
        axes.scatter(self.data[:, 0], self.data[:, 1], color="0.75", s=4, linewidths=0)
        axes.scatter(x[:, 0], x[:, 1], color=FAKE, s=4, linewidths=0)
        (left, bottom), (right, top) = window(self.data)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        return finish(figure, None)


def _rendered(figure: DisplayedFigure) -> Any:
    """The figure's pixels, in a palette of its own colours."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    with boxes_for_missing_letters():
        canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # (H, W, 3)
    return Image.fromarray(np.ascontiguousarray(pixels)).quantize(256)

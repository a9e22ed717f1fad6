"""Animations: frames that are drawn one after another, and written as a GIF.

A frame is kept with a palette, a byte a pixel, of about 100,000 pixels, and at most 200 frames are
kept: about 20 MB. When another one comes, every second frame is dropped, and from then on only
every second one is drawn.
"""

import io
from typing import Any

from ..ground.arguments import Array, can_be_drawn, real_numbers
from ..ground.errors import ShapeError
from ..ground.writing import write_atomically
from .clouds import window
from .figures import FAKE, DisplayedFigure, PathLike, finish, new_figure
from .sheets import sheet

MOST_FRAMES = 200
DPI = 50  # of a frame, whose figure is 6 inches wide
COLOURS = 32  # of a frame, where pictures have none
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
        self.offered = 0  # frames so far, drawn or not
        self.stride = 1  # of so many frames one is drawn

    def wants_next(self) -> bool:
        """Whether the next frame is to be drawn; counts it."""
        self.offered += 1
        return (self.offered - 1) % self.stride == 0

    def add(self, x: Array, title: str) -> None:
        """Draw pictures or points x as the next frame. Raises KindError or ShapeError."""
        x = real_numbers(x, "what a movie shows")
        if self.shape == (2,) and x.shape[1:] != (2,):
            raise ShapeError(f"a movie of points got shape {x.shape}: wants (N, 2)")
        colours = 256 if self.shape[2:] == (3,) else COLOURS
        self.append(self._figure(x, title).image(DPI).quantize(colours))

    def append(self, frame: Any) -> None:
        """Keep a frame, and before it drop every second one if there are too many."""
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

"""The history of a training: its losses over the epochs."""

from collections.abc import Mapping, Sequence

import numpy as np

from .figures import DisplayedFigure, PathLike, finish, new_figure

DOTTED = 100  # histories of at most this many epochs have a dot for each


def losses(
    history: Mapping[str, Sequence[float]], path: PathLike | None = None, title: str = ""
) -> DisplayedFigure:
    """A line over the epochs for each number of a history; those of validation are dashed.

    Raises FileError where the path cannot be written.
    """
    figure, axes = new_figure(7, 4.5, title)
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
        axes.legend(loc="upper right")  # matplotlib warns where "best" would take long to find
    return finish(figure, path)

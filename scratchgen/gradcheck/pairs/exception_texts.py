"""What a user's code raised or returned, in words that fit into one line of a report."""

import traceback
from pathlib import Path
from typing import Any

import numpy as np

from ..measuring.passes import Stopped

MOST_LETTERS = 200  # of a quoted line or message


def exception_text(problem: BaseException, stage: str) -> str:
    """An exception of a user's code in one line, with the place that raised it.

    `backward raised ValueError in line 12 of layers.py, dx = dy.sum(axis=3): no such axis`
    """
    if isinstance(problem, Stopped):
        return problem.text
    room = Path(__file__).parent.parent
    frames = traceback.extract_tb(problem.__traceback__)
    ours = {room, room.parent / "command"}
    theirs = [
        frame
        for frame in frames
        if not {Path(frame.filename), *Path(frame.filename).parents} & ours
    ]
    packages = ("site-packages", "dist-packages")
    outside = [frame for frame in theirs if not any(name in frame.filename for name in packages)]
    text = f"{stage} raised {type(problem).__name__}"
    if theirs:
        frame = (outside or theirs)[-1]
        text += f" in line {frame.lineno} of {Path(frame.filename).name}"
        text += f", {shortened(frame.line)}" if frame.line else ""
    message = message_of(problem)
    return f"{text}: {shortened(message)}" if message else text


def message_of(problem: BaseException) -> str:
    """The message of an exception, even if its __str__ raises."""
    try:
        return str(problem)
    except Exception:  # a user's class of errors may have any __str__
        return "its message cannot be read"


def shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 4] + " ..."


def name_of_function(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def kind_of(value: Any) -> str:
    """The kind of a constant: `an array of int64`, `None`, `of type str`."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "None" if value is None else f"of type {type(value).__name__}"


def type_in_words(value: Any, array: Any = None) -> str:
    """The type of a returned value, in words."""
    if value is None:
        return "None"
    if array is not None and array.dtype.kind == "c":
        return "an array of complex numbers"
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}"
    return f"an object of type {type(value).__name__}"

"""Labels as files hold them: whole numbers, one-hot rows, or the names of classes."""

import numpy as np

from ..ground.advice import as_floats
from ..ground.arguments import Array
from ..ground.errors import ShapeError
from ..ground.label_advice import is_one_hot

LARGEST = 2.0**53  # floats hold every whole number up to this


def class_numbers(y: Array, n: int, what: str) -> tuple[Array | None, str]:
    """y as the classes of n examples, (n,) int64, and ""; or None, and why y holds no classes.

    Whole numbers stay as they are, also if they are stored as floats or as text. One-hot rows (n,
    classes) become the positions of their ones. Other texts are numbered in alphabetical order.

    Raises ShapeError for the classes of another number of examples.

    >>> class_numbers(np.array(["cat", "ant", "cat"]), 3, "y")
    (array([1, 0, 1]), '')
    >>> class_numbers(np.array([0.5, 1.5]), 2, "y")
    (None, 'y holds numbers that are not whole, and so no classes')
    """
    if y.ndim == 2 and len(y) == n and y.shape[1] > 1 and y.size != n:
        if is_one_hot(y, y.shape):
            return y.argmax(axis=1), ""
        return None, f"{what} holds rows of shape {y.shape}, which are not one-hot"
    if y.ndim == 0 or y.size != max(y.shape):
        return None, f"{what} has shape {y.shape}, not one class for each of {n:,} examples"
    flat, reason = _whole(y.reshape(-1))
    if flat is not None and len(flat) != n:
        raise ShapeError(
            f"{what} holds the classes of {len(flat):,} examples, and there are {n:,}: wants one "
            f"whole number for each example"
        )
    return flat, f"{what} {reason}, and so no classes" if reason else ""


def _whole(y: Array) -> tuple[Array | None, str]:
    """y (n,) as whole numbers (n,) int64 and ""; or None, and what y holds instead."""
    if y.dtype.kind in "US":
        numbers = as_floats(y)
        if numbers is None:  # names
            return np.unique(y, return_inverse=True)[1].reshape(-1).astype(np.int64), ""
        y = numbers
    if y.dtype.kind not in "biuf":
        return None, f"is of dtype {y.dtype}"
    if y.dtype.kind == "f" and not (y == np.floor(y)).all():  # NaN fails, too
        return None, "holds numbers that are not whole"
    if y.size and max(abs(float(y.min())), abs(float(y.max()))) > LARGEST:
        return None, f"holds numbers as large as {y.max():g}"
    return y.astype(np.int64), ""

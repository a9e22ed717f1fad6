"""Advice for errors about labels: how to turn what came into one class number for each example."""

import numpy as np

from .advice import Array, Shape, as_floats

ONE_EACH = "give one whole number for each example"


def for_kind(array: Array, wanted: Shape, code: str) -> str:
    """How to turn labels that are not whole numbers into classes; `wanted` is (N, classes)."""
    if array.ndim == 0:
        return ONE_EACH
    if is_one_hot(array, wanted):
        return _one_hot(code)
    numbers = as_floats(array)
    if numbers is not None and (numbers == np.floor(numbers)).all():
        return f"convert them with {code}.astype(int)"
    if numbers is not None:
        return "these are measured numbers, and rounding does not turn them into classes"
    if all(isinstance(name, str | bytes) for name in array.flat):
        return f"number the names with np.unique({code}, return_inverse=True)[1]"
    return ONE_EACH


def for_shape(array: Array, wanted: Shape, code: str) -> str:
    """How to get one label for each example; `wanted` is (N, classes)."""
    if array.size == wanted[0]:
        return f"{code}.reshape(-1) has that shape"
    return _one_hot(code) if is_one_hot(array, wanted) else ONE_EACH


def is_one_hot(array: Array, wanted: Shape) -> bool:
    """Whether `array` has that shape, and each of its rows is a 1 and zeros."""
    if array.shape != wanted or array.dtype.kind not in "biuf":
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())


def _one_hot(code: str) -> str:
    return f"{code}.argmax(axis=1) turns one-hot rows into labels"


def for_range(array: Array, classes: int, code: str) -> str:
    """How to bring whole numbers into 0 ... classes - 1."""
    least, largest = int(array.min()), int(array.max())
    if least < 0:
        return "number the classes from 0, and leave out the examples that have none"
    if least > 0 and largest == classes:
        return f"number the classes from 0, with {code} - 1"
    return f"number the classes from 0, or ask for {largest + 1:,} of them"

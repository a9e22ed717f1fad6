"""Settings and arrays are checked once, where they enter the house, and trusted inside.

A check returns what it was given in the form the inside wants, or raises an error that says what
came, what was wanted, and what to do.
"""

import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError, KindError, OptionError, ShapeError

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

FLOATS = ("float32", "float64")
MOST_EXAMPLES = 10**9  # at once


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"`, or `""` where nothing known is near."""
    from difflib import get_close_matches

    by_lower = {str(one).lower(): one for one in known}
    match = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    return f"; did you mean {by_lower[match[0]]!r}?" if match else ""


def one_of(value: object, known: Iterable[str], what: str) -> str:
    """`value` if it is one of the known names."""
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    names = ", ".join(repr(name) for name in known)
    hint = nearest(value, known) if isinstance(value, str) else ""
    raise OptionError(f"unknown {what} {value!r}, wants one of {names}{hint}")


def whole(value: Any, what: str, least: int = 0, most: int | None = None) -> int:
    """`value` as an int, if it is a whole number of at least `least` and at most `most`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or number < least:
        raise OptionError(f"{what}={value!r}: wants a whole number of at least {least}")
    if most is not None and number > most:
        raise OptionError(f"{what}={value!r}: wants a whole number of at most {most:,}")
    return number


def count(value: Any, what: str = "n") -> int:
    """`value` as a number of examples."""
    return whole(value, what, most=MOST_EXAMPLES)


def finite(value: Any, what: str, least: float = 0.0, above: bool = False) -> float:
    """`value` as a finite float of at least `least`, or strictly above it."""
    foreign = isinstance(value, str | bytes | bool | np.bool_ | np.complexfloating)
    try:
        number = np.nan if foreign else float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number) or number < least or (above and number == least):
        bound = f" {'above' if above else 'of at least'} {least:g}" if least > -np.inf else ""
        raise OptionError(f"{what}={value!r}: wants a number{bound}")
    return number


def fraction(value: Any, what: str) -> float:
    """`value` as a float in [0, 1)."""
    try:
        number = finite(value, what)
    except OptionError:
        number = np.nan
    if not number < 1:
        raise OptionError(f"{what}={value!r}: wants a number in [0, 1), such as 0.9")
    return number


def sizes(value: Any, what: str) -> Shape:
    """`value` as a tuple of whole numbers of at least 1; a single number is a tuple of one."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    try:
        return tuple(whole(size, what, least=1) for size in (value if several else [value]))
    except OptionError:
        raise OptionError(f"{what}={value!r}: wants whole numbers of at least 1") from None


def example_shape(value: Any) -> Shape:
    """`value` as the shape of one example, which has at least one axis."""
    shape = sizes(value, "shape")
    if not shape:
        raise OptionError("shape=(): wants the shape of one example, as (28, 28, 1) or (2,)")
    return shape


def is_picture(shape: Shape) -> bool:
    """Whether examples of that shape can be shown as pictures: (H, W, 1) grey, (H, W, 3) colour."""
    return len(shape) == 3 and shape[2] in (1, 3)


def user_path(path: str | os.PathLike[str]) -> Path:
    """`path` with the home folder for ~; what names no user stays as it is."""
    return Path(os.path.expanduser(path))  # pathlib's own raises where there is no such user


def float_type(value: Any) -> np.dtype[Any]:
    """`value` as float32 or float64."""
    try:
        name = np.dtype(value).name
    except TypeError:
        name = str(value)
    return np.dtype(one_of(name, FLOATS, "dtype"))


def array_text(x: Any) -> str:
    """What came, for an error's text: `shape (3, 2), float32`."""
    return f"shape {x.shape}, {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__


def numbers(x: Any, what: str) -> Array:
    """`x` as an array of real numbers: bool, integer or float; never text, objects or complex."""
    array = _array(x, what)
    if array.dtype.kind not in "biuf":
        raise KindError(
            f"{what} is of dtype {array.dtype} ({array_text(array)}): wants real numbers, such as "
            f"float32; convert it with x.astype('float32')"
        )
    return array


def _array(x: Any, what: str) -> Array:
    """`x` as an array of anything, with nothing masked and nothing ragged."""
    if isinstance(x, np.ma.MaskedArray):
        raise KindError(f"{what} is a masked array: fill or drop the masked examples first")
    try:
        return np.asarray(x)
    except ValueError as problem:
        raise ShapeError(
            f"{what} is a ragged {type(x).__name__}: wants examples of one shape, in one array"
        ) from problem


def examples(x: Any, shape: Shape, dtype: Any, what: str = "x") -> Array:
    """`x` as a contiguous and aligned `(N, *shape)` array of `dtype`, every number finite.

    Raises KindError, ShapeError or DataError. Makes a copy only where the dtype or the memory
    layout asks for one.
    """
    array = numbers(x, what)
    wanted = f"(N, {', '.join(map(str, shape))})"
    if array.shape[1:] != shape or array.ndim == 0:
        raise ShapeError(
            f"{what} has shape {array.shape}, wants {wanted}: {_shape_advice(array, shape, what)}"
        )
    with np.errstate(over="ignore"):
        array = np.require(array, dtype, ["C", "ALIGNED", "ENSUREARRAY"])
    if not np.isfinite(array).all():
        if np.isfinite(numbers(x, what)).all():
            raise DataError(
                f"{what} holds numbers too large for {np.dtype(dtype).name}: scale them, for "
                f"instance to mean 0 and spread 1"
            )
        flat = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        bad = np.flatnonzero(~flat)
        raise DataError(
            f"{what} holds NaN or infinity in {len(bad)} of {len(array)} examples (first at index "
            f"{bad[0]}): drop them, for instance with {what}[np.isfinite({what})"
            f".reshape(len({what}), -1).all(1)]"
        )
    return array


def _shape_advice(array: Array, shape: Shape, what: str) -> str:
    if not array.size:
        return "it holds no examples"
    if array.shape == shape:
        return f"a single example goes in as {what}[None]"
    if shape[-1:] == (1,) and array.shape[1:] == shape[:-1]:
        return f"add the channel axis with {what}[..., None]"
    if array.ndim > 1 and np.prod(array.shape[1:]) == np.prod(shape):
        return f"{what}.reshape(-1, {', '.join(map(str, shape))}) has that shape"
    return "the model was built for examples of that shape"


def labels(value: Any, n: int, classes: int, what: str = "labels") -> Array:
    """`value` as whole numbers (n,) int64, each in 0 ... classes - 1.

    Raises KindError for floats, bools and text, ShapeError unless there is one label for each of n
    examples, DataError for one out of range.

    >>> labels([3, 0, 9], n=3, classes=10)
    array([3, 0, 9])
    """
    array = _array(value, what)
    if array.dtype.kind not in "iu":
        text = f"number the names with np.unique({what}, return_inverse=True)[1]"
        advice = f"convert them with {what}.astype(int)" if array.dtype.kind in "bf" else text
        raise KindError(f"{what} is of dtype {array.dtype}: wants whole numbers; {advice}")
    if array.shape != (n,):
        advice = "give one whole number for each example"
        if array.size == n:
            advice = f"{what}.reshape(-1) has that shape"
        elif array.shape == (n, classes):
            advice = f"{what}.argmax(axis=1) turns one-hot rows into labels"
        raise ShapeError(f"{what} has shape {array.shape}, wants ({n},): {advice}")
    bad = np.flatnonzero((array < 0) | (array >= classes))
    if len(bad):
        raise DataError(
            f"{what}[{bad[0]}] is {array[bad[0]]}, wants whole numbers 0 ... {classes - 1}: number "
            f"the classes from 0, or ask for more of them"
        )
    return array.astype(np.int64)


def within(x: Array, low: float, high: float, reason: str, what: str = "x") -> None:
    """Raise DataError, with the reason, unless every number of `x` lies in [low, high]."""
    if not x.size or (x.min() >= low and x.max() <= high):
        return
    advice = "divide by 255" if low == 0 and x.min() >= 0 and 2 < x.max() <= 255 else "rescale them"
    raise DataError(
        f"{what} goes from {x.min():g} to {x.max():g}, wants values in [{low:g}, {high:g}], "
        f"because {reason}: {advice}"
    )

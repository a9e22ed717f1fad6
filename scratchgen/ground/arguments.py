"""Checks of settings and arrays, made once where they enter the library and trusted inside.

A check returns its argument in the form that the library works with, or raises an error that says
what came, what was wanted, and what to do.
"""

import operator
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from . import advice, label_advice
from .chunks import chunks
from .errors import LONGEST_QUOTE, DataError, KindError, OptionError, ShapeError, cut

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

FLOATS = ("float32", "float64")
MOST_EXAMPLES = 10**9  # in one call
UNLIKE_ARRAYS = (np.ma.MaskedArray, np.matrix)  # subclasses whose arithmetic is not NumPy's


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"`, or `""` where no known name is similar."""
    from difflib import get_close_matches

    if len(str(name)) > LONGEST_QUOTE:  # comparing it would cost many times its memory
        return ""
    by_lower = {str(known_name).lower(): known_name for known_name in known}
    match = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    return f"; did you mean {by_lower[match[0]]!r}?" if match else ""


def one_of(value: object, known: Iterable[str], what: str) -> str:
    """`value` if it is one of the known names."""
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    names = ", ".join(repr(name) for name in known)
    hint = nearest(value, known) if isinstance(value, str) else ""
    raise OptionError(f"unknown {what} {cut(repr(value))}, wants one of {names}{hint}")


def as_object(value: Any, kind: type, what: str) -> Any:
    """`value` itself; for a class of that kind, an object of it with default settings.

    Raises KindError for a class that needs settings.
    """
    if not (isinstance(value, type) and issubclass(value, kind)):
        return value
    try:
        return value()
    except TypeError as problem:
        raise KindError(
            f"{what} got the class {value.__name__}, which needs settings: write "
            f"{value.__name__}(...)"
        ) from problem


def whole(value: Any, what: str, least: int = 0, most: int | None = None) -> int:
    """`value` as an int; OptionError unless it is a whole number from `least` to `most`."""
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
    """`value` as a number of examples; OptionError for anything else."""
    return whole(value, what, most=MOST_EXAMPLES)


def finite(value: Any, what: str, least: float = 0.0, above: bool = False) -> float:
    """`value` as a float; OptionError unless it is finite and at least `least`, or above it."""
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
    """`value` as a float; OptionError unless it lies in [0, 1)."""
    try:
        number = finite(value, what)
    except OptionError:
        number = np.nan
    if not number < 1:
        raise OptionError(f"{what}={value!r}: wants a number in [0, 1), such as 0.9")
    return number


def true_or_false(value: Any, what: str) -> bool:
    """`value` itself; OptionError unless it is a bool."""
    if isinstance(value, bool):
        return value
    raise OptionError(f"{what}={value!r}: wants True or False")


def sizes(value: Any, what: str) -> Shape:
    """`value` as a tuple of whole numbers of at least 1; a single number becomes a tuple."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    try:
        return tuple(whole(size, what, least=1) for size in (value if several else [value]))
    except OptionError:
        raise OptionError(f"{what}={value!r}: wants whole numbers of at least 1") from None


def example_shape(value: Any) -> Shape:
    """`value` as the shape of one example; OptionError unless it has at least one axis."""
    shape = sizes(value, "shape")
    if not shape:
        raise OptionError("shape=(): wants the shape of one example, as (28, 28, 1) or (2,)")
    return shape


def is_picture(shape: Shape) -> bool:
    """Whether examples of that shape are pictures, (H, W) or (H, W, C), with pixels in [0, 1].

    It decides a model's defaults; see docs/own-data.md.
    """
    return len(shape) in (2, 3)


def can_be_drawn(shape: Shape) -> bool:
    """Whether examples are grey pictures, (H, W) or (H, W, 1), or coloured ones, (H, W, 3)."""
    return is_picture(shape) and shape[2:] in ((), (1,), (3,))


def user_path(path: str | os.PathLike[str]) -> Path:
    """`path` with ~ replaced by the home folder; ~name of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))  # Path.expanduser raises for an unknown user


def float_type(value: Any) -> np.dtype[Any]:
    """`value` as float32 or float64."""
    name = str(value)
    # np.dtype(None) is float64; a long "f4,f4,..." would be a type of many fields, each a kilobyte
    if value is not None and len(name) <= LONGEST_QUOTE:
        with suppress(TypeError, ValueError):
            name = np.dtype(value).name
    return np.dtype(one_of(name, FLOATS, "dtype"))


def exact_type(array: Array) -> Any:
    """float32 if it can hold every number of the array's dtype, otherwise float64.

    >>> [exact_type(np.zeros(3, kind)).__name__ for kind in ("uint8", "int32", "float64")]
    ['float32', 'float64', 'float64']
    """
    return np.float32 if np.can_cast(array.dtype, np.float32) else np.float64


def array_text(x: Any) -> str:
    """x in the text of an error: `shape (3, 2), float32`, or its type."""
    return f"shape {x.shape}, {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__


def real_numbers(x: Any, what: str) -> Array:
    """`x` as an array of bools, integers or floats; KindError for text, objects and the like."""
    array = _array(x, what, "real numbers")
    if array.dtype.kind not in "biuf":
        todo = advice.for_no_numbers(array, advice.name_of(what))
        raise KindError(
            f"{what} is of dtype {cut(array.dtype)}, shape {array.shape}: wants real numbers; "
            f"{advice.for_given(x, what, todo)}"
        )
    return array


def expect_arrays(owner: Any, **arrays: Any) -> None:
    """KindError unless each argument is an array of numbers with NumPy's own arithmetic."""
    for name, x in arrays.items():
        if not isinstance(x, np.ndarray) or isinstance(x, UNLIKE_ARRAYS) or x.dtype.kind == "O":
            real_numbers(x, f"{name} of {owner}")  # its error is more specific
            raise KindError(
                f"{owner} got {name} of type {type(x).__name__}, wants an array: "
                f"np.asarray({name}) is one"
            )


def expect_floats(x: Any, layer: Any) -> None:
    """KindError unless `x` is an array of floats or complex numbers; ShapeError for one number."""
    are_floats = isinstance(x, np.ndarray) and x.dtype.char in "fdgFDG"
    if are_floats and x.ndim and not isinstance(x, UNLIKE_ARRAYS):
        return
    came = array_text(real_numbers(x, f"x of {layer}"))
    if are_floats and not x.ndim:
        raise ShapeError(f"{layer} got x of {came}, wants a batch of examples, (N, ...)")
    if isinstance(x, UNLIKE_ARRAYS):
        came = f"type {type(x).__name__}"
    raise KindError(
        f"{layer} got x of {came}, wants an array of float32 or float64, as its parameters are: "
        f"convert it with np.asarray(x, 'float32'), or 'float64'"
    )


def _array(x: Any, what: str, wanted: str) -> Array:
    """`x` as an array of any dtype; KindError if it is masked, ShapeError if it is ragged."""
    if type(x) is np.ndarray:
        return x
    name = advice.name_of(what)
    if isinstance(x, np.ma.MaskedArray):
        raise KindError(f"{what} is a masked array: fill or drop the masked examples first")
    if todo := advice.for_no_array(x, name):
        raise KindError(f"{what} is {cut(advice.kind_of(x))}: wants {wanted} in an array; {todo}")
    try:
        return np.asarray(x)
    except ValueError as problem:
        raise ShapeError(
            f"{what} is a ragged {type(x).__name__}: wants examples of one shape, in one array"
            f"{advice.for_ragged(x, name)}"
        ) from problem
    except Exception as problem:  # __array__ of a foreign class may raise anything
        todo = advice.for_foreign_array(x, name)
        raise KindError(
            f"{what} is {cut(advice.kind_of(x))}, of which NumPy makes no array ({cut(problem)})"
            f"{todo}"
        ) from problem


def which_are_finite(x: Array) -> Array:
    """Whether all numbers of each example are finite: x (N, ...) -> (N,)."""
    finite = np.ones(len(x), bool)
    for rows in chunks(len(x)):
        part = np.isfinite(x[rows])  # (n, ...)
        finite[rows] = part.reshape(len(part), -1).all(axis=1)
    return finite


def examples(x: Any, shape: Shape, dtype: Any, what: str = "x") -> Array:
    """`x` as a contiguous, aligned array (N, *shape) of `dtype`, all of its numbers finite.

    It is copied only if its dtype or its memory layout has to change. Raises KindError, ShapeError
    or DataError.
    """
    array = real_numbers(x, what)
    code = advice.name_of(what)
    wanted = f"(N, {', '.join(map(str, shape))})"
    if array.shape[1:] != shape or array.ndim == 0:
        todo = advice.for_given(x, what, advice.for_shape(array.shape, shape, code))
        raise ShapeError(f"{what} has shape {array.shape}, wants {wanted}: {todo}")
    with np.errstate(over="ignore", under="ignore"):
        array = np.require(array, dtype, ["C", "ALIGNED", "ENSUREARRAY"])
    finite = which_are_finite(array)  # (N,)
    if not finite.all():
        if which_are_finite(real_numbers(x, what)).all():
            raise DataError(f"{what} holds {advice.too_large(dtype, code)}")
        bad = np.flatnonzero(~finite)
        todo = advice.for_given(x, what, advice.for_gaps(len(bad), len(array), code))
        raise DataError(
            f"{what} holds NaN or infinity in {len(bad)} of {len(array)} examples (first at index "
            f"{bad[0]}): {todo}"
        )
    return array


def labels(value: Any, n: int, classes: int, what: str = "labels") -> Array:
    """`value` as labels (n,) int64, each in 0 ... classes - 1.

    Raises KindError for floats, bools and text, ShapeError unless there is one label for each of
    the n examples, DataError for a label out of range.

    >>> labels([3, 0, 9], n=3, classes=10)
    array([3, 0, 9])
    """
    array, code = _array(value, what, "whole numbers"), advice.name_of(what)
    if array.dtype.kind not in "iu":
        todo = advice.for_given(value, what, label_advice.for_kind(array, (n, classes), code))
        raise KindError(f"{what} is of dtype {cut(array.dtype)}: wants whole numbers; {todo}")
    if array.shape != (n,):
        todo = advice.for_given(value, what, label_advice.for_shape(array, (n, classes), code))
        raise ShapeError(f"{what} has shape {array.shape}, wants ({n},): {todo}")
    bad = np.flatnonzero((array < 0) | (array >= classes))
    if len(bad):
        todo = advice.for_given(value, what, label_advice.for_range(array, classes, code))
        raise DataError(
            f"{what}[{bad[0]}] is {array[bad[0]]}, wants whole numbers 0 ... {classes - 1}: {todo}"
        )
    return array.astype(np.int64, copy=False)


def within(x: Array, low: float, high: float, reason: str, what: str = "x") -> None:
    """DataError, with the reason, unless every number of `x` lies in [low, high]."""
    if not x.size or (x.min() >= low and x.max() <= high):
        return
    least, largest = advice.number_text(x.min()), advice.number_text(x.max())
    raise DataError(
        f"{what} goes from {least} to {largest}, wants values in [{low:g}, {high:g}], because "
        f"{reason}: {advice.for_range(x, low, high, advice.name_of(what))}"
    )

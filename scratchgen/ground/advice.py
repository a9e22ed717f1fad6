"""Advice for errors about data: what to do, given only where following it is right.

Where possible, the advice is an expression to copy, in which `code` stands for the data. If an
array can be read in two ways, both are named, or neither. Labels have a file of their own.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

COLOURS = (1, 3)  # channels of a picture
NARROW = 4  # most channels of a picture; pictures are wider and higher than that
NEAR = 1 / 255  # share of a range: numbers less than that outside it were rounded
NUMBERS = ["number", "bool"]  # pandas' names for kinds of columns
WIDEST_NUMBER = 1_000  # bytes of text; longer texts are not numbers
FULL_SCALES = (16, 100, 255, 1023, 4095, 65535)  # common ends of a scale


def name_of(what: str) -> str:
    """The name of the data in an expression: `what` if it is an identifier, otherwise x."""
    return what if what.isidentifier() else "x"


def for_given(x: Any, what: str, todo: str) -> str:
    """`todo`, preceded by np.asarray if it treats x as an array and x is not one."""
    name = name_of(what)
    if isinstance(x, np.ndarray) or not re.search(rf"\b{name}(\.|\[| [-+*/])", todo):
        return todo
    return f"with {name} = np.asarray({name}) first, {todo}"


def kind_of(x: Any) -> str:
    """x in the text of an error: None, or the name of its type."""
    return "None" if x is None else f"of type {type(x).__name__}"


# shapes


def for_shape(shape: Shape, wanted: Shape, code: str) -> str:
    """How to turn data of `shape` into examples (N, *wanted)."""
    axes = len(wanted)
    if 0 in shape:
        return "it holds no examples"
    if shape == wanted:
        return f"a single example goes in as {code}[None]"
    if 1 < axes < len(shape) - 1 and shape[-axes:] == wanted:
        return f"{_reshaped(code, wanted)} puts all examples into one axis"
    if shape[:-1] == wanted:
        return f"the examples stand in the last axis: np.moveaxis({code}, -1, 0)"
    found = axes == 3 and wanted[2] in COLOURS and _for_picture(shape, wanted, code)
    return found or _for_rows(shape, wanted, code)


def _reshaped(code: str, shape: Shape) -> str:
    return f"{code}.reshape(-1, {', '.join(map(str, shape))})"


def _for_picture(shape: Shape, wanted: Shape, code: str) -> str:
    """For a model of pictures (H, W, C)."""
    height, width, channels = wanted
    planes = (channels, height, width)
    if shape[1:] == planes:
        return f"the channels stand first: np.moveaxis({code}, 1, -1)"
    if shape == planes:
        return f"a single example, its channels first: np.moveaxis({code}, 0, -1)[None]"
    if channels == 1:
        if shape[1:] == (height, width):
            return f"add the channel axis with {code}[..., None]"
        if shape == (height, width):
            return f"a single example goes in as {code}[None, ..., None]"
        if shape[:-1] == (height, width):
            return f"the examples stand in the last axis: np.moveaxis({code}, -1, 0)[..., None]"
        if shape[1:] == (height, width, 3):
            return f"these have colours: {code}.mean(axis=-1, keepdims=True) makes them grey"
    elif shape[1:] in ((height, width), (height, width, 1)):
        grey = code if len(shape) == 4 else f"{code}[..., None]"
        return f"these are grey: np.repeat({grey}, {channels}, axis=-1) gives them colours"
    elif shape[1:] == (height, width, 4):
        return f"these have a fourth channel, of transparency: {code}[..., :3]"
    elif shape[1:] == (math.prod(wanted),):
        return (
            f"{code}.reshape(-1, {height}, {width}, {channels}) if the numbers of a pixel stand "
            f"side by side, np.moveaxis({code}.reshape(-1, {channels}, {height}, {width}), 1, -1) "
            f"if each channel is a picture of its own"
        )
    return ""


def _for_rows(shape: Shape, wanted: Shape, code: str) -> str:
    """For rows that can be read in only one way, and for a superfluous axis of length 1."""
    size, rows = math.prod(wanted), _reshaped(code, wanted)
    if len(wanted) == 1 and len(shape) > 1 and math.prod(shape[1:]) == size:
        return f"{code}.reshape(len({code}), -1) makes rows of them"
    if len(wanted) < 3 or wanted[-1] == 1:
        if shape[1:] == (size,) or (len(shape) == 1 and size == 1):
            return f"{rows} has that shape"
        if shape == (size,):
            return f"a single example goes in as {rows}"
        if len(shape) == 2 and shape[0] == size:
            return f"the examples stand in columns: {_reshaped(f'{code}.T', wanted)}"
    if shape[1:] == (*wanted, 1):
        return f"{code}[..., 0] has that shape"
    if len(shape) < 2:
        return "give an array of examples, not the numbers of one"
    return f"build the model for {shape[1:]}, or give it data of its own shape"


def for_pictures(shape: Shape) -> str:
    """How to turn an array of pictures into (N, H, W, C); "" if the last axis can be channels."""
    if len(shape) == 4 and shape[3] > NARROW:
        _, second, third, _ = shape
        if second in COLOURS and third > NARROW:
            return "the channels stand first: np.moveaxis(x, 1, -1)"
        if third in COLOURS and shape[0] > NARROW and second > NARROW:
            return "the examples stand in the last axis: np.moveaxis(x, -1, 0)"
    return ""


# ranges


def number_text(value: Any) -> str:
    """A number in the fewest digits that identify it: 255, 1.0000001."""
    return str(value).removesuffix(".0")


def for_range(x: Array, low: float, high: float, code: str) -> str:
    """How to bring the numbers of x into [low, high]."""
    least, largest = x.min(), x.max()
    near = NEAR * (high - low)
    if low - near <= least and largest <= high + near:
        return f"remove rounding errors with np.clip({code}, {low:g}, {high:g})"
    if (low, high) == (0, 1) and -1 - near <= least <= -0.5 and largest <= 1 + near:
        return f"if they are meant to be in [-1, 1], ({code} + 1) / 2"
    if least >= 0:
        scale: Any = _full_scale(x)
        divide = f"divide by {scale}"
        if scale is None:
            scale = number_text(largest)
            divide = "divide by the largest possible number"
        if low == 0:
            return f"{divide}, as in {code} / {scale}"
        return f"{divide} and stretch them, as in 2 * ({code} / {scale}) - 1"
    span = f"({number_text(least)}, {number_text(largest)})"
    return f"rescale them, as in np.interp({code}, {span}, ({low:g}, {high:g}))"


def _full_scale(x: Array) -> int | None:
    """The upper end of the scale of numbers of at least 0, if it can be guessed."""
    largest = x.max()
    if largest in FULL_SCALES:
        return int(largest)
    whole = largest > FULL_SCALES[0] and (x == np.floor(x)).all()
    return 255 if largest <= 255 and (whole or largest > 100) else None  # bytes, or means of them


def for_classes(x: Array, classes: int, code: str) -> str:
    """How to turn the numbers of x into classes 0 ... classes - 1."""
    least, largest = x.min(), x.max()
    if (x == np.floor(x)).all():
        if least < 0:
            return "number the classes from 0"
        if least > 0 and largest == classes:
            return f"number the classes from 0, with {code} - 1"
        return f"there seem to be more of them: classes={int(largest) + 1}"
    if least >= 0 and largest <= 1:
        stored = 255 * x
        divided = (np.abs(stored - np.round(stored)) < 1e-3).all() and largest * 255 < classes
        if divided:
            return f"bytes that were divided by 255 are whole again with np.round(255 * {code})"
        return f"shares in [0, 1] become classes with np.round({classes - 1} * {code})"
    return "round them if they are classes; for measured numbers there are Gaussian likelihoods"


def too_large(dtype: Any, code: str) -> str:
    """The end of an error about numbers that `dtype` cannot hold."""
    return (
        f"numbers too large for {np.dtype(dtype).name}: scale them, for instance with "
        f"{code} / np.abs({code}).max()"
    )


def for_gaps(bad: int, n: int, code: str) -> str:
    """What to do about NaN and infinity in `bad` of n examples."""
    if bad == n:
        return "every example has some, so fill them, or leave out the columns that have them"
    return (
        f"drop them, for instance with {code}[np.isfinite({code}).reshape(len({code}), -1).all(1)]"
    )


# kinds


def for_no_numbers(array: Array, code: str) -> str:
    """How to turn an array of text, objects, dates, records or complex numbers into numbers."""
    kind = array.dtype.kind
    if kind == "c":
        return f"take a part of them, {code}.real, {code}.imag or np.abs({code})"
    if kind == "M":
        return f"count days from the first: ({code} - {code}.min()) / np.timedelta64(1, 'D')"
    if kind == "m":
        return f"count days: {code} / np.timedelta64(1, 'D')"
    if array.dtype.names:
        return f"take some of its fields, as in np.stack([{code}[a] for a in names], axis=-1)"
    if array.ndim == 0:
        return "give an array of examples"
    if as_floats(array) is not None:
        return f"convert it with {code}.astype('float32')"
    return "leave out the columns that hold no numbers, or number what they hold"


def as_floats(array: Array) -> Array | None:
    """The array as float64, if all of its bools, floats, texts or objects are numbers."""
    if array.dtype.kind in "US" and array.dtype.itemsize > WIDEST_NUMBER:
        return None  # NumPy's error would quote it, in many times its memory
    try:
        return array.astype(np.float64) if array.dtype.kind in "bfOUS" else None
    except Exception:  # objects may raise anything
        return None


def for_no_array(x: Any, name: str) -> str:
    """How to turn a container of data into an array; "" if NumPy can probably convert it."""
    if x is None:
        return "give an array"
    if isinstance(x, str | bytes | PurePath):
        return f"sg.data.load({name}) reads what a name or a path stands for"
    if isinstance(x, Mapping):
        keys = ", ".join(repr(key) for key in list(x)[:4])
        return f"give one of the arrays in it, by its key ({keys})"
    if isinstance(x, set | frozenset):
        return "a set has no order"
    if hasattr(x, "toarray"):  # scipy's sparse matrices
        return f"{name}.toarray() is an array"
    if hasattr(x, "as_numpy_iterator"):  # tensorflow's data sets
        return _collected("stack", f"{name}.as_numpy_iterator()")
    if hasattr(x, "dataset") and hasattr(x, "batch_size"):  # torch's loaders
        return _collected("concatenate", name, "batches")
    if isinstance(x, Iterator) or _is_dataset(x):
        return _collected("stack", name)
    if hasattr(x, "select_dtypes") and x.select_dtypes(NUMBERS).shape != x.shape:  # pandas' frames
        return f"{name}.select_dtypes({NUMBERS}).to_numpy() leaves out what holds no numbers"
    return ""


def _collected(join: str, source: str, elements: str = "elements") -> str:
    """How to turn an iterator, whose elements may be tuples, into an array."""
    return (
        f"collect its {elements}, np.{join}([np.asarray(a) for a in {source}]), or, if they are "
        f"tuples that begin with examples, np.{join}([np.asarray(a) for a, *_ in {source}])"
    )


def _is_dataset(x: Any) -> bool:
    """Whether x has numbered elements, but is not a kind that NumPy converts to an array."""
    if isinstance(x, Sequence) or hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return False
    try:
        memoryview(x)
    except TypeError:
        return hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return False


def for_ragged(x: Any, name: str) -> str:
    """How to turn things of several shapes into examples: the end of a sentence, or ""."""
    if isinstance(x, tuple) and len(x) == 2:
        return f"; of a pair of examples and labels, {name}[0] are the examples"
    if isinstance(x, list) and all(hasattr(item, "resize") and hasattr(item, "mode") for item in x):
        alike = "a.convert('L').resize((28, 28))"  # of PIL's pictures
        return f"; as in np.stack([np.asarray({alike}) for a in {name}])"
    return ""


def for_foreign_array(x: Any, name: str) -> str:
    """How to bring an array on another device to NumPy: the end of a sentence, or ""."""
    if hasattr(x, "detach") and hasattr(x, "cpu"):  # torch's tensors
        return f": {name}.detach().cpu().numpy() is one"
    if hasattr(x, "get") and hasattr(x, "__cuda_array_interface__"):  # cupy's arrays
        return f": {name}.get() is one"
    return ""

"""Data by name or path: built in, in a folder of IDX files, in an .npy or an .npz file.

`load` returns pictures (N, H, W, C) or vectors (N, D), in float32 by default. Pictures of bytes are
divided by 255, so that black is 0 and white is 1. But if no byte exceeds FEW, they are masks,
classes or pictures of 16 greys, and are not divided.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..ground import advice
from ..ground.arguments import (
    Array,
    exact_type,
    finite,
    float_type,
    nearest,
    one_of,
    real_numbers,
    user_path,
)
from ..ground.errors import DataError, FileError, OptionError, ShapeError, cut
from ..ground.keywords import explains_keywords
from ..ground.opening import Opened, is_folder, is_there, open_named
from .class_labels import class_numbers
from .curves import spiral, swiss_roll, two_moons
from .handwriting import digits
from .idx import STARTS as IDX_STARTS
from .idx import read_opened_idx
from .idx_folders import SPLITS, named_folder, read_idx_folder
from .npy import (
    NPY_STARTS,
    PICKLE,
    PICKLE_START,
    ZIP_STARTS,
    holds_objects,
    only_file_errors,
    open_zip,
    read_array,
    read_member,
)
from .toys import grid, ring

FEW = 16  # greys, or classes

# name -> (drawn by, how many examples by default)
DRAWN: dict[str, tuple[Callable[..., Any], int]] = {
    "digits": (digits, 10_000),
    "ring": (ring, 50_000),
    "grid": (grid, 50_000),
    "swiss_roll": (swiss_roll, 50_000),
    "two_moons": (two_moons, 50_000),
    "spiral": (spiral, 50_000),
}
FOLDERS = ("mnist", "fashion-mnist")
NAMES = (*DRAWN, *FOLDERS)
SPELLINGS = {name.replace("-", "_"): name for name in NAMES}  # - and _ mean the same
WANTED = "an .npy, an .npz or an IDX file"
SHOWN, LONGEST_NAME = 8, 20  # names of an archive's arrays in an error, and letters of each


class Stored(NamedTuple):
    """x (N, ...) and its labels, both as they are stored."""

    x: Array
    labels: Array | None
    what: str  # the name of the source, for errors
    no_labels: str = ""  # why the labels cannot be read


@explains_keywords
def load(
    path_or_name: str | os.PathLike[str],
    return_labels: bool = False,
    split: str = "train",
    divide_by: float | None = None,
    dtype: Any = "float32",
) -> Any:
    """The data of a name or a path: (N, ...) of dtype, or (data, labels) with `return_labels`.

    Examples with one axis are vectors (N, D); those with two axes (H, W) or three (H, W, C) are
    pictures (N, H, W, C). By default models treat them in the same way.

    Args:
        path_or_name: "digits", "ring", "grid", "swiss_roll", "two_moons" or "spiral", which are the
            same examples each time; "mnist" or "fashion-mnist", see `mnist`; a folder with IDX
            files (MNIST, Fashion-MNIST, KMNIST, EMNIST; plain or .gz, as published, as Kaggle
            packs them, or as torchvision stores them); one IDX file; an .npy file; an .npz file
            with one array, or with one called x, images or data (labels: y, labels or target), or,
            as in Keras, x_train and x_test (y_train and y_test). A pipe is read once, and "-" is
            standard input.
        return_labels: also return the labels (N,) int64, or None if there are none. Whole numbers
            stay as they are, one-hot rows become the positions of their ones, and class names are
            numbered in alphabetical order. A warning says if the labels are anything else.
        split: "train" or "test", if the data have both.
        divide_by: the divisor of all numbers. 1 leaves them as they are stored, which classes
            need; None divides pictures of bytes by 255, unless no byte exceeds 16.
        dtype: "float32", "float64", or None: float64 for vectors that float32 would round, such as
            1,000,000,000.5, and float32 for all others. A model with a scaler makes use of them.

    Raises FileError (an OSError) if there is nothing of that name or path, or it is broken;
    OptionError for an argument that is neither name nor path, an unknown split or a bad divisor;
    ShapeError, DataError or KindError for arrays that hold no examples.
    """
    one_of(split, SPLITS, "split")
    kind = None if dtype is None else float_type(dtype)
    divisor = None if divide_by is None else finite(divide_by, "divide_by", above=True)
    stored = _find(path_or_name, split)
    x = _converted(stored.x, kind, divisor, stored.what)
    if stored.labels is None:
        labels, reason = None, stored.no_labels
    else:
        labels, reason = class_numbers(stored.labels, len(x), f"y of {stored.what}")
    if not return_labels:
        return x
    if reason:
        warnings.warn(f"no labels: {reason}", stacklevel=3)  # of `load`
    return x, labels


def builtin_name(name: Any) -> str:
    """The built-in name that `name` spells, with - or _; "" if there is none."""
    return SPELLINGS.get(str(name).replace("-", "_"), "")


@explains_keywords
def mnist(split: str = "train", return_labels: bool = False) -> Any:
    """MNIST, (N, 28, 28, 1) float32 in [0, 1], from `$SCRATCHGEN_DATA/mnist/`; see `load`.

    Raises FileError if it is not there, which says which files to put where.
    """
    return load("mnist", return_labels, split)


@explains_keywords
def fashion_mnist(split: str = "train", return_labels: bool = False) -> Any:
    """Fashion-MNIST, as `mnist`, from `$SCRATCHGEN_DATA/fashion-mnist/`."""
    return load("fashion-mnist", return_labels, split)


def _find(path_or_name: Any, split: str) -> Stored:
    if not isinstance(path_or_name, str | os.PathLike):
        raise OptionError(f"data={path_or_name!r}: wants a name ({', '.join(NAMES)}) or a path")
    name = builtin_name(path_or_name) or str(path_or_name)
    if name in DRAWN:
        draw, n = DRAWN[name]
        x, labels = draw(n, rng=0 if split == "train" else 1, return_labels=True)
        return Stored(x, labels, name)
    if name in FOLDERS:
        folder = named_folder(name)
        return Stored(*read_idx_folder(folder, split), str(folder))
    if not is_there(path_or_name):
        hint = nearest(name, NAMES)
        raise FileError(
            f"no data called {str(path_or_name)!r}: wants a name ({', '.join(NAMES)}) or the path "
            f"of a folder with IDX files, of an .npy or an .npz file{hint}"
        )
    if is_folder(path_or_name):
        folder = user_path(path_or_name)
        return Stored(*read_idx_folder(folder, split), str(folder))
    opened = open_named(path_or_name, (*NPY_STARTS, *ZIP_STARTS, *IDX_STARTS), WANTED)
    with opened.stream:
        return _file(opened, split)


def _file(opened: Opened, split: str) -> Stored:
    stream, size, what = opened
    with only_file_errors(what):
        start = stream.read(6)
        stream.seek(0)
    if start.startswith(NPY_STARTS):
        return Stored(read_array(stream, size, what), None, what)
    if start.startswith(ZIP_STARTS):
        return _from_npz(opened, split)
    if start.startswith(IDX_STARTS):
        return Stored(read_opened_idx(opened), None, what)
    if start[:1] == PICKLE_START:
        raise FileError(f"{what} holds {PICKLE}: save it with numpy.save instead")
    raise FileError(
        f"{what} is no .npy, .npz or IDX file (it starts with {start!r}): read it with another "
        f"library, save the array with numpy.save, and load that file"
    )


def _from_npz(opened: Opened, split: str) -> Stored:
    stream, _, what = opened
    with open_zip(stream, what) as archive:
        stored = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
        names = {_plain(name, stored): f"{name}.npy" for name in sorted(stored)}
        if "config" in names:
            raise FileError(f"{what} is a model, not data: sg.load(path) reads it")
        of_split = (f"y_{split}", f"{split}_labels")
        labels = _first((*of_split, "y", "labels", "label", "targets", "target"), names)
        labels = None if len(names) == 1 else labels
        rest = {name: member for name, member in names.items() if member != labels}
        x = _first((f"x_{split}", f"{split}_images", "x", "images", "data"), rest)
        if x is None and len(rest) != 1:
            shown = ", ".join(cut(name, LONGEST_NAME) for name in sorted(stored)[:SHOWN])
            more = f" and {len(stored) - SHOWN:,} more" if len(stored) > SHOWN else ""
            raise FileError(
                f"{what} holds {shown or 'no arrays'}{more}: wants one array, or one called x, as "
                f"np.savez(path, x=x, y=labels) writes it"
            )
        array = read_member(archive, x or next(iter(rest.values())), what)
        if labels is None:
            return Stored(array, None, what)
        if holds_objects(archive, labels, what):
            reason = f"{labels} in {what} holds {PICKLE}: save it with astype(str)"
            return Stored(array, None, what, reason)
        return Stored(array, read_member(archive, labels, what), what)


def _plain(name: str, stored: set[str]) -> str:
    """The name in lower case, so that X means x, unless the archive has that name, too."""
    return name if name.lower() in stored else name.lower()


def _first(known: tuple[str, ...], names: dict[str, str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _converted(x: Array, dtype: np.dtype[Any] | None, divisor: float | None, what: str) -> Array:
    """Pictures (N, H, W, C) or vectors (N, D) of dtype, as in `load`; may overwrite x."""
    x = real_numbers(x, what)
    if x.ndim < 2 or x.ndim > 4:
        raise ShapeError(
            f"{what} holds shape {x.shape}, wants pictures (N, H, W, C) or vectors (N, D)"
        )
    if len(x) == 0 or 0 in x.shape:
        raise DataError(f"{what} holds shape {x.shape}, no numbers: wants at least one example")
    if turn := advice.for_pictures(x.shape):
        raise ShapeError(f"{what} holds shape {x.shape}, wants pictures (N, H, W, C): {turn}")
    x = x[..., None] if x.ndim == 3 else x  # (N, H, W, C) or (N, D)
    if divisor is None:
        divisor = 255 if x.ndim == 4 and x.dtype == np.uint8 and x.max() > FEW else 1
    if dtype is None:
        dtype = np.dtype(exact_type(x) if x.ndim == 2 else np.float32)
    with np.errstate(over="ignore", under="ignore"):
        converted = np.ascontiguousarray(x, dtype)
    if x.dtype.itemsize > converted.itemsize and (np.isinf(converted) & np.isfinite(x)).any():
        raise DataError(f"{what} holds {advice.too_large(converted.dtype, 'x')}")
    if divisor != 1:
        with np.errstate(under="ignore"):
            converted /= converted.dtype.type(divisor)
    return converted

"""Where data come from: a built-in name, a folder of IDX files, an .npy or an .npz file.

Pictures come out as (N, H, W, C), vectors as (N, D), float32 unless another dtype is asked for.
Pictures of bytes are divided by 255, so that black is 0 and white is 1. But where no byte is above
FEW, they are masks, classes or pictures of 16 greys, and stay as they are.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
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
from .idx import read_idx, read_opened_idx
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
SPELLINGS = {name.replace("-", "_"): name for name in NAMES}  # - and _ are as good as each other
SPLITS = {"train": ("train",), "test": ("t10k", "test")}  # split -> how its files are called
WANTED = "an .npy, an .npz or an IDX file"
SHOWN, LONGEST_NAME = 8, 20  # names of an archive's arrays in an error, and letters of each


class Found(NamedTuple):
    """What a name or a path stands for: x (N, ...) and labels, both as they are stored."""

    x: Array
    labels: Array | None
    what: str  # where x was found, for errors
    no_labels: str = ""  # why what stands in the place of labels cannot be read


@explains_keywords
def load(
    path_or_name: str | os.PathLike[str],
    return_labels: bool = False,
    split: str = "train",
    divide_by: float | None = None,
    dtype: Any = "float32",
) -> Any:
    """The data of a name or a path: (N, ...) of dtype, or (data, labels) with `return_labels`.

    Examples with one axis come out as vectors (N, D), those with two (H, W) or three (H, W, C) as
    pictures (N, H, W, C): models by default take them for that too.

    Args:
        path_or_name: "digits", "ring", "grid", "swiss_roll", "two_moons" or "spiral", always the
            same examples; "mnist" or "fashion-mnist", see `mnist`; a folder with IDX files (MNIST,
            Fashion-MNIST, KMNIST, EMNIST; plain or .gz, as they were published, as Kaggle packs
            them, or as torchvision leaves them); one IDX file; an .npy file; an .npz file with one
            array, or with one called x, images or data (labels: y, labels or target), or, as Keras
            does, x_train and x_test (y_train and y_test). A pipe is read once, and "-" is standard
            input.
        return_labels: also the labels (N,) int64, or None where there are none: whole numbers as
            they are, one-hot rows as the places of their ones, names of classes numbered in the
            order of the alphabet. Where what is stored is none of these, a warning says so.
        split: "train" or "test", where there are both.
        divide_by: what all numbers are divided by. 1 leaves them as they are stored, as classes
            must be; None divides pictures of bytes by 255, unless no byte is above 16.
        dtype: "float32", "float64", or None: float64 for vectors that float32 would round, such as
            1,000,000,000.5, and float32 for all else. A model with a scaler makes use of it.

    Raises FileError (an OSError) where there is nothing of that name or path, or it is broken;
    OptionError for what is neither name nor path, for an unknown split and a bad divisor;
    ShapeError, DataError or KindError for arrays that hold no examples.
    """
    one_of(split, SPLITS, "split")
    kind = None if dtype is None else float_type(dtype)
    divisor = None if divide_by is None else finite(divide_by, "divide_by", above=True)
    found = _find(path_or_name, split)
    x = _tidy(found.x, kind, divisor, found.what)
    if found.labels is None:
        labels, reason = None, found.no_labels
    else:
        labels, reason = class_numbers(found.labels, len(x), f"y of {found.what}")
    if not return_labels:
        return x
    if reason:
        warnings.warn(f"no labels: {reason}", stacklevel=3)  # of `load`
    return x, labels


def builtin_name(name: Any) -> str:
    """The built-in name that `name` spells, with - or _, or "" where it spells none."""
    return SPELLINGS.get(str(name).replace("-", "_"), "")


@explains_keywords
def mnist(split: str = "train", return_labels: bool = False) -> Any:
    """MNIST, (N, 28, 28, 1) float32 in [0, 1], from `$SCRATCHGEN_DATA/mnist/`; see `load`.

    Raises FileError, which says what to put where, when it is not there.
    """
    return load("mnist", return_labels, split)


@explains_keywords
def fashion_mnist(split: str = "train", return_labels: bool = False) -> Any:
    """Fashion-MNIST, as `mnist`, from `$SCRATCHGEN_DATA/fashion-mnist/`."""
    return load("fashion-mnist", return_labels, split)


def _find(path_or_name: Any, split: str) -> Found:
    if not isinstance(path_or_name, str | os.PathLike):
        raise OptionError(f"data={path_or_name!r}: wants a name ({', '.join(NAMES)}) or a path")
    name = builtin_name(path_or_name) or str(path_or_name)
    if name in DRAWN:
        draw, n = DRAWN[name]
        x, labels = draw(n, rng=0 if split == "train" else 1, return_labels=True)
        return Found(x, labels, name)
    if name in FOLDERS:
        return _idx_folder(_named_folder(name), split)
    if not is_there(path_or_name):
        hint = nearest(name, NAMES)
        raise FileError(
            f"no data called {str(path_or_name)!r}: wants a name ({', '.join(NAMES)}) or the path "
            f"of a folder with IDX files, of an .npy or an .npz file{hint}"
        )
    if is_folder(path_or_name):
        return _idx_folder(user_path(path_or_name), split)
    opened = open_named(path_or_name, (*NPY_STARTS, *ZIP_STARTS, *IDX_STARTS), WANTED)
    with opened.stream:
        return _file(opened, split)


def _named_folder(name: str) -> Path:
    root = os.environ.get("SCRATCHGEN_DATA")
    files = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and the two of t10k"
    if not root:
        raise FileError(
            f"{name} is not built in: put its files ({files}) into a folder {name}/, and set "
            f"SCRATCHGEN_DATA to the folder that holds {name}/"
        )
    folder = user_path(root) / name
    if not folder.is_dir():
        raise FileError(f"SCRATCHGEN_DATA has no folder {folder}: put {files} there")
    return folder


def _idx_folder(folder: Path, split: str) -> Found:
    images = _idx_file(folder, SPLITS[split], "images-idx3-ubyte")
    if images is None:
        wanted = " or ".join(f"{prefix}-images-idx3-ubyte(.gz)" for prefix in SPLITS[split])
        raise FileError(f"{folder} holds no {wanted}: {_folder_advice(folder)}")
    x = read_idx(images)
    labels_path = _idx_file(folder, SPLITS[split], "labels-idx1-ubyte")
    labels = None if labels_path is None else read_idx(labels_path)
    if images.name.startswith("emnist"):  # EMNIST stores its pictures transposed
        x = x.swapaxes(1, 2)
    return Found(x, labels, str(folder))


def _folder_advice(folder: Path) -> str:
    arrays = sorted(one for one in folder.iterdir() if one.suffix in (".npy", ".npz"))
    arrays = [one for one in arrays if one.name != "model.npz"]
    if arrays:
        return f"name a file in it, as {arrays[0]}"
    return "put the IDX files of the data set there, or name a file that numpy.save wrote"


def _idx_file(folder: Path, prefixes: tuple[str, ...], ending: str) -> Path | None:
    """The file called [anything-]prefix-ending, or the same with .gz; some write a dot."""
    with only_file_errors(str(folder)):
        stems = dict(_idx_files(folder))
    for prefix in prefixes:
        wanted = f"{prefix}-{ending}"
        found = {s: p for s, p in stems.items() if s == wanted or s.endswith(f"-{wanted}")}
        if len(found) > 1:
            raise FileError(
                f"{folder} holds several sets ({', '.join(sorted(found))}): put each into a folder "
                f"of its own"
            )
        if found:
            return next(iter(found.values()))
    return None


def _idx_files(folder: Path) -> list[tuple[str, Path]]:
    """The files that may be IDX, with their plain names; what counts most comes last.

    Kaggle has each in a folder of the same name, and torchvision all in a folder raw/.
    """
    files, nested = [], []
    for entry in sorted(folder.iterdir(), reverse=True):  # and so a .gz before its plain file
        if entry.is_file():
            files.append(entry)
        elif entry.is_dir() and (entry.name == "raw" or "ubyte" in entry.name):
            nested += [one for one in sorted(entry.iterdir(), reverse=True) if one.is_file()]
    return [(_stem(path), path) for path in nested + files]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").replace(".", "-")


def _file(opened: Opened, split: str) -> Found:
    stream, size, what = opened
    with only_file_errors(what):
        start = stream.read(6)
        stream.seek(0)
    if start.startswith(NPY_STARTS):
        return Found(read_array(stream, size, what), None, what)
    if start.startswith(ZIP_STARTS):
        return _from_npz(opened, split)
    if start.startswith(IDX_STARTS):
        return Found(read_opened_idx(opened), None, what)
    if start[:1] == PICKLE_START:
        raise FileError(f"{what} holds {PICKLE}: save it with numpy.save instead")
    raise FileError(
        f"{what} is no .npy, .npz or IDX file (it starts with {start!r}): load it with what reads "
        f"it, save the array with numpy.save, and give that file"
    )


def _from_npz(opened: Opened, split: str) -> Found:
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
            return Found(array, None, what)
        if holds_objects(archive, labels, what):
            reason = f"{labels} in {what} holds {PICKLE}: save it with astype(str)"
            return Found(array, None, what, reason)
        return Found(array, read_member(archive, labels, what), what)


def _plain(name: str, stored: set[str]) -> str:
    """The name in small letters, because X is as good as x, unless there is an x too."""
    return name if name.lower() in stored else name.lower()


def _first(wanted: tuple[str, ...], names: dict[str, str]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _tidy(x: Array, dtype: np.dtype[Any] | None, divisor: float | None, what: str) -> Array:
    """Pictures (N, H, W, C) or vectors (N, D) of dtype, as in `load`. x may be written over."""
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
        tidy = np.ascontiguousarray(x, dtype)
    if x.dtype.itemsize > tidy.itemsize and (np.isinf(tidy) & np.isfinite(x)).any():
        raise DataError(f"{what} holds {advice.too_large(tidy.dtype, 'x')}")
    if divisor != 1:
        with np.errstate(under="ignore"):
            tidy /= tidy.dtype.type(divisor)
    return tidy

"""Where data come from: a built-in name, a folder of IDX files, an .npy or an .npz file.

Pictures come out as (N, H, W, C) float32, bytes divided by 255; vectors as (N, D) float32.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import Array, exact_type, float_type, nearest, numbers, one_of, user_path
from ..errors import DataError, FileError, OptionError, ShapeError
from .curves import spiral, swiss_roll, two_moons
from .handwriting import digits
from .idx import read_idx
from .npy import PICKLE, open_zip, read_array, read_member
from .toys import grid, ring

Labels = Array | None

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


def load(
    path_or_name: str | os.PathLike[str],
    return_labels: bool = False,
    split: str = "train",
    dtype: Any = "float32",
) -> Any:
    """The data of a name or a path: (N, ...) of dtype, or (data, labels) with `return_labels`.

    Examples with one axis come out as vectors (N, D), those with two (H, W) or three (H, W, C) as
    pictures (N, H, W, C): models by default take them for that too.

    Args:
        path_or_name: "digits", "ring", "grid", "swiss_roll", "two_moons" or "spiral", always the
            same examples; "mnist" or "fashion-mnist", see `mnist`; a folder with IDX files (MNIST,
            Fashion-MNIST, KMNIST, EMNIST; plain or .gz); one IDX file; an .npy file; an .npz file
            with one array, or with one called x, images or data (labels: y or labels), or, as Keras
            does, x_train and x_test (y_train and y_test).
        return_labels: also the labels (N,) int64, or None where there are none.
        split: "train" or "test", where there are both.
        dtype: "float32", "float64", or None: float64 for vectors that float32 would round, such as
            1,000,000,000.5, and float32 for all else. A model with a scaler makes use of it.

    Raises FileError (an OSError) where there is nothing of that name or path, or it is broken;
    OptionError for what is neither name nor path, and for an unknown split; ShapeError, DataError
    or KindError for arrays that hold no examples.
    """
    one_of(split, SPLITS, "split")
    x, labels = _load(path_or_name, split)
    if dtype is not None:
        with np.errstate(over="ignore"):
            x = x.astype(float_type(dtype), copy=False)
    return (x, labels) if return_labels else x


def builtin_name(name: Any) -> str:
    """The built-in name that `name` spells, with - or _, or "" where it spells none."""
    return SPELLINGS.get(str(name).replace("-", "_"), "")


def mnist(split: str = "train", return_labels: bool = False) -> Any:
    """MNIST, (N, 28, 28, 1) float32 in [0, 1], from `$SCRATCHGEN_DATA/mnist/`; see `load`.

    Raises FileError, which says what to put where, when it is not there.
    """
    return load("mnist", return_labels, split)


def fashion_mnist(split: str = "train", return_labels: bool = False) -> Any:
    """Fashion-MNIST, as `mnist`, from `$SCRATCHGEN_DATA/fashion-mnist/`."""
    return load("fashion-mnist", return_labels, split)


def _load(path_or_name: Any, split: str) -> tuple[Array, Labels]:
    if not isinstance(path_or_name, str | os.PathLike):
        raise OptionError(f"data={path_or_name!r}: wants a name ({', '.join(NAMES)}) or a path")
    name = builtin_name(path_or_name) or str(path_or_name)
    if name in DRAWN:
        draw, n = DRAWN[name]
        return draw(n, rng=0 if split == "train" else 1, return_labels=True)
    if name in FOLDERS:
        return _idx_folder(_named_folder(name), split)
    path = user_path(path_or_name)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError):  # names that no file can have
        is_folder = is_there = False
    if is_folder:
        return _idx_folder(path, split)
    if not is_there:
        hint = nearest(name, NAMES)
        raise FileError(
            f"no data called {str(path_or_name)!r}: wants a name ({', '.join(NAMES)}) or the path "
            f"of a folder with IDX files, of an .npy or an .npz file{hint}"
        )
    return _file(path, split)


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


def _idx_folder(folder: Path, split: str) -> tuple[Array, Labels]:
    images = _find(folder, SPLITS[split], "images-idx3-ubyte")
    if images is None:
        wanted = " or ".join(f"{prefix}-images-idx3-ubyte(.gz)" for prefix in SPLITS[split])
        raise FileError(f"{folder} holds no {wanted}: put the IDX files of the data set there")
    x = read_idx(images)
    labels_path = _find(folder, SPLITS[split], "labels-idx1-ubyte")
    labels = None if labels_path is None else read_idx(labels_path)
    if images.name.startswith("emnist"):  # EMNIST stores its pictures transposed
        x = x.swapaxes(1, 2)
    return _tidy(x, labels, str(folder))


def _find(folder: Path, prefixes: tuple[str, ...], ending: str) -> Path | None:
    """The file called [anything-]prefix-ending, or the same with .gz; some write a dot."""
    stems = {path: path.name.removesuffix(".gz").replace(".", "-") for path in folder.iterdir()}
    for prefix in prefixes:
        wanted = f"{prefix}-{ending}"
        found = {s: p for p, s in stems.items() if s == wanted or s.endswith(f"-{wanted}")}
        if len(found) > 1:
            raise FileError(
                f"{folder} holds several sets ({', '.join(sorted(found))}): put each into a folder "
                f"of its own"
            )
        if found:
            return next(iter(found.values()))
    return None


def _file(path: Path, split: str) -> tuple[Array, Labels]:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(6)
            stream.seek(0)
            if start == b"\x93NUMPY":
                return _tidy(read_array(stream, size, str(path)), None, str(path))
            if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
                return _from_npz(stream, path, split)
    except FileError:
        raise
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    if start[:3] == b"\0\0\x08" or start[:2] == b"\x1f\x8b":
        return _tidy(read_idx(path), None, str(path))
    if start[:1] == b"\x80":
        raise FileError(f"{path} holds {PICKLE}: save it with numpy.save instead")
    raise FileError(
        f"{path} is no .npy, .npz or IDX file (it starts with {start!r}): load it with what reads "
        f"it, save the array with numpy.save, and give that file"
    )


def _from_npz(stream: Any, path: Path, split: str) -> tuple[Array, Labels]:
    with open_zip(stream, str(path)) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if "config" in names:
            raise FileError(f"{path} is a model, not data: sg.load(path) reads it")
        label = next((name for name in (f"y_{split}", "y", "labels") if name in names), None)
        rest = [name for name in names if name != label]
        known = [name for name in (f"x_{split}", "x", "images", "data") if name in rest]
        if not known and len(rest) != 1:
            raise FileError(
                f"{path} holds {', '.join(names) or 'no arrays'}: wants one array, or one called x"
            )
        x = (known or rest)[0]
        labels = None if label is None else read_member(archive, f"{label}.npy", str(path))
        return _tidy(read_member(archive, f"{x}.npy", str(path)), labels, str(path))


def _tidy(x: Array, labels: Labels, what: str) -> tuple[Array, Labels]:
    """Pictures (N, H, W, C) float32, or vectors (N, D) without rounding; labels (N,) int64."""
    bytes_ = x.dtype == np.uint8
    x = numbers(x, what)
    if x.ndim < 2 or x.ndim > 4:
        raise ShapeError(
            f"{what} holds shape {x.shape}, wants pictures (N, H, W, C) or vectors (N, D)"
        )
    if len(x) == 0 or 0 in x.shape:
        raise DataError(f"{what} holds shape {x.shape}, no numbers: wants at least one example")
    if labels is not None:
        labels = labels.reshape(-1)
        if labels.dtype.kind not in "biu" or len(labels) != len(x):
            raise ShapeError(
                f"{what} holds {len(x)} examples and labels of shape {labels.shape}, "
                f"{labels.dtype}: wants one whole number for each example"
            )
        labels = labels.astype(np.int64)
    x = x[..., None] if x.ndim == 3 else x  # (N, H, W, C) or (N, D)
    scale = 255 if bytes_ and x.ndim == 4 else 1
    kind = exact_type(x) if x.ndim == 2 else np.float32
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(x, kind) / kind(scale), labels

"""A folder of IDX files, as MNIST and its relatives are published, packed by Kaggle or torchvision.

Fashion-MNIST, KMNIST and EMNIST have the same files: train-images-idx3-ubyte and its labels, and
two of t10k or test, each plain or gzipped.
"""

import os
from pathlib import Path

from ..ground.arguments import Array, user_path
from ..ground.errors import FileError
from .idx import read_idx
from .npy import only_file_errors

SPLITS = {"train": ("train",), "test": ("t10k", "test")}  # split -> prefixes of its files


def named_folder(name: str) -> Path:
    """The folder of that name in $SCRATCHGEN_DATA; FileError if it is not there."""
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


def read_idx_folder(folder: Path, split: str) -> tuple[Array, Array | None]:
    """The images of a folder, and their labels if it has them."""
    images = _idx_file(folder, SPLITS[split], "images-idx3-ubyte")
    if images is None:
        wanted = " or ".join(f"{prefix}-images-idx3-ubyte(.gz)" for prefix in SPLITS[split])
        raise FileError(f"{folder} holds no {wanted}: {_folder_advice(folder)}")
    x = read_idx(images)
    labels_path = _idx_file(folder, SPLITS[split], "labels-idx1-ubyte")
    labels = None if labels_path is None else read_idx(labels_path)
    if images.name.startswith("emnist"):  # EMNIST stores its pictures transposed
        x = x.swapaxes(1, 2)
    return x, labels


def _folder_advice(folder: Path) -> str:
    arrays = sorted(path for path in folder.iterdir() if path.suffix in (".npy", ".npz"))
    arrays = [path for path in arrays if path.name != "model.npz"]
    if arrays:
        return f"name a file in it, as {arrays[0]}"
    return "put the IDX files of the data set there, or name a file that numpy.save wrote"


def _idx_file(folder: Path, prefixes: tuple[str, ...], ending: str) -> Path | None:
    """The file called [anything-]prefix-ending, with or without .gz; some write a dot for -."""
    with only_file_errors(str(folder)):
        stems = dict(_idx_files(folder))
    for prefix in prefixes:
        name = f"{prefix}-{ending}"
        matches = {s: p for s, p in stems.items() if s == name or s.endswith(f"-{name}")}
        if len(matches) > 1:
            raise FileError(
                f"{folder} holds several sets ({', '.join(sorted(matches))}): put each into a "
                f"folder of its own"
            )
        if matches:
            return next(iter(matches.values()))
    return None


def _idx_files(folder: Path) -> list[tuple[str, Path]]:
    """The files that may be IDX, with their plain names; of equal names the last one counts.

    Kaggle puts each into a folder of the same name, torchvision puts all into a folder raw/.
    """
    files, nested = [], []
    for entry in sorted(folder.iterdir(), reverse=True):  # so a .gz comes before its plain file
        if entry.is_file():
            files.append(entry)
        elif entry.is_dir() and (entry.name == "raw" or "ubyte" in entry.name):
            nested += [path for path in sorted(entry.iterdir(), reverse=True) if path.is_file()]
    return [(_stem(path), path) for path in nested + files]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").replace(".", "-")

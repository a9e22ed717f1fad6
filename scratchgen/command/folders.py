"""A run is a folder: the model, its settings, the losses of every epoch, and pictures.

FILES below lists them. model.npz and config.json do not say when, where or by whom they were made:
the same settings and seed give the same bytes.
"""

import contextlib
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..export import load, save
from ..ground.arguments import user_path
from ..ground.errors import FileError
from ..ground.writing import write_atomically
from ..models import Model
from ..train import Callback, Run
from .claim import claimed
from .epoch_log import LOG, Log

MODEL, CONFIG = "model.npz", "config.json"
FILES = {
    MODEL: "the trained model",
    CONFIG: "the settings it was trained with",
    LOG: "its losses, one line per epoch",
    "losses.png": "the losses as curves",
    "samples.png": "new examples",
    "reconstructions.png": "data and their reconstructions",
    "latent.png": "posterior means, coloured by class",
    "density.png": "densities of real and generated points",
}
BETWEEN_CHECKPOINTS = 60.0  # seconds


@contextlib.contextmanager
def run_folder(path: str | None, kind: str) -> Iterator[Path]:
    """The folder at `path`, or the first of runs/vae-1, runs/vae-2 ... that does not exist yet.

    Within the `with` no other run can use it. A new folder that is still empty afterwards is
    removed. Raises FileError if the folder holds a run, is used by another training, is a file, or
    cannot be made or written.
    """
    folder, is_new = _make_folder(path, kind)
    try:
        with claimed(folder):
            if any((folder / name).exists() for name in (MODEL, CONFIG, LOG)):
                raise FileError(f"{folder} holds a run already: name another folder with --out")
            yield folder
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def make_folder(folder: Path) -> None:
    """Make the folder, and those around it; FileError if that fails."""
    with _folder_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _folder_errors(folder: Any) -> Iterator[None]:
    """Within it, an OSError is a FileError that names the folder."""
    try:
        yield
    except OSError as problem:
        raise FileError(
            f"the folder {folder} cannot be made ({problem.strerror}): name another with --out"
        ) from problem


def _make_folder(path: str | None, kind: str) -> tuple[Path, bool]:
    """The folder of `run_folder`, and whether it is new."""
    if path is not None:
        folder = user_path(path)
        is_new = not folder.exists()
        make_folder(folder)
        return folder, is_new
    with _folder_errors("runs"):
        Path("runs").mkdir(exist_ok=True)
        for number in itertools.count(1):
            folder = Path("runs", f"{kind}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
    return folder, True


def find_model(run: str) -> tuple[Model, Path]:
    """The model of a run folder or of a model file, and its path."""
    path = user_path(run)
    if path.is_dir():
        if not (path / MODEL).exists():
            raise FileError(f"{path} holds no {MODEL}: wants the folder of a run, or a model file")
        path = path / MODEL
    return load(path), path


class Checkpoint(Callback):
    """Saves the model after an epoch, at most once a minute, in case the process is killed."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings
        self.last = time.monotonic()

    def on_epoch(self, run: Run) -> None:
        if time.monotonic() - self.last >= BETWEEN_CHECKPOINTS:
            with contextlib.suppress(OSError):  # `save_run` reports it at the end
                _write_trained(self.folder, run.model, self.settings)
            self.last = time.monotonic()


def save_run(folder: Path, model: Model, settings: dict[str, Any], log: Log) -> tuple[Path, str]:
    """Write a run into its folder or, if that fails, a new one; returns the folder and the reason.

    The new folder is in the current folder, or else in the one for temporary files. Raises
    FileError if none of them can be written. The reason is "" if the first attempt succeeded.
    """
    why = ""
    for parent in (None, Path.cwd, tempfile.gettempdir):
        try:
            target = folder
            if parent is not None:
                target = Path(tempfile.mkdtemp("", f"{folder.name}-", parent()))
            target.mkdir(parents=True, exist_ok=True)  # it may have been moved away
            _write_trained(target, model, settings)
            log.write(target)
            return target, why
        except OSError as problem:
            why = why or str(problem)
            if target != folder:
                shutil.rmtree(target, ignore_errors=True)
    raise FileError(f"the model is lost, because nothing can be written here: {why}")


def _write_trained(folder: Path, model: Model, settings: dict[str, Any]) -> None:
    """Write the model, whose record of training names the data and their divisor, and settings."""
    if model.training_log:
        for key in ("data", "divide_by"):
            if key in settings:
                model.training_log[-1][key] = settings[key]
    write_model(folder, model, settings)


def write_model(folder: Path, model: Model, settings: dict[str, Any]) -> None:
    """Write model.npz and config.json."""
    save(model, folder / MODEL)
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    write_atomically(folder / CONFIG, text.encode())

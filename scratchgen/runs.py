"""A run is a folder: the model, how it was trained, the numbers of every epoch, and pictures.

FILES below says what is in it. Nothing in model.npz and config.json tells when, where or by whom
it was made: the same settings and seed give the same bytes.
"""

import csv
import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np

from .checks import Array, Shape, can_be_drawn, is_picture, user_path
from .errors import FileError, OptionError, ShapeError
from .export import load, save
from .models import VAE, Model
from .train import Callback, Run

MODEL, CONFIG, LOG = "model.npz", "config.json", "log.csv"
FILES = {
    MODEL: "the trained model",
    CONFIG: "the settings it was trained with",
    LOG: "its losses, a line an epoch",
    "losses.png": "the losses as lines",
    "samples.png": "new examples",
    "reconstructions.png": "data, and what the model makes of them",
    "latent.png": "posterior means, coloured by class",
    "density.png": "real against generated",
}
PICTURED = 2_000  # examples in a picture of latents; a density gets all
SEED = 0  # of what the pictures show


def make_folder(wanted: str | None, kind: str) -> Path:
    """The folder `wanted`, or the first of runs/vae-1, runs/vae-2 ... that is not there yet.

    Raises FileError where `wanted` holds a run, is a file, or cannot be made.
    """
    try:
        if wanted is not None:
            folder = user_path(wanted)
            if any((folder / name).exists() for name in (MODEL, CONFIG, LOG)):
                raise FileError(f"{folder} holds a run already: name another folder with --out")
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        Path("runs").mkdir(exist_ok=True)
        number = 1
        while True:
            folder = Path("runs", f"{kind}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as problem:
        if isinstance(problem, FileError):
            raise
        where = wanted or "runs"
        raise FileError(
            f"the folder {where} cannot be made ({problem.strerror}): name another with --out"
        ) from problem


def find_model(run: str) -> tuple[Model, Path]:
    """The model of a run folder or of a model file, and its path."""
    path = user_path(run)
    if path.is_dir():
        if not (path / MODEL).exists():
            raise FileError(f"{path} holds no {MODEL}: wants the folder of a run, or a model file")
        path = path / MODEL
    return load(path), path


class Log(Callback):
    """Writes log.csv, a line an epoch, each on disk before the next epoch begins."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self.history: dict[str, list[float]] = {}

    def on_start(self, run: Run) -> None:
        self.history = run.history

    def on_epoch(self, run: Run) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if run.epoch == 1:
                writer.writerow(["epoch", *self.history])
            writer.writerow([run.epoch, *(f"{value:.6f}" for value in self.last().values())])

    def last(self) -> dict[str, float]:
        """The numbers of the last epoch; none before the first has ended."""
        return {name: values[-1] for name, values in self.history.items() if values}


class StopOnCtrlC(Callback):
    """Within its `with`, Ctrl-C ends training after the step under way, and nothing else."""

    def __init__(self) -> None:
        self.pressed = False
        self.before: Any = None

    def __enter__(self) -> Self:
        self.before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True

    def on_step(self, run: Run) -> None:
        if self.pressed:
            raise KeyboardInterrupt


def write_model(folder: Path, model: Model, settings: dict[str, Any]) -> None:
    """model.npz and config.json."""
    save(model, folder / MODEL)
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def write_array(path: Path, x: Array) -> None:
    """x as .npy."""
    try:
        np.save(path, x, allow_pickle=False)
    except OSError as problem:
        raise FileError(f"{path} cannot be written: {problem.strerror}") from problem


def draw_pictures(
    folder: Path,
    model: Model,
    history: Mapping[str, Sequence[float]],
    x: Array,
    labels: Array | None,
) -> None:
    """The pictures of a run; needs matplotlib."""
    from . import plots

    name = str(model).split(":")[0]
    if any(history.values()):
        plots.losses(history, folder / "losses.png", f"{name}: what was minimised")
    if can_be_drawn(model.shape):
        x_new = model.sample(100, rng=SEED, labels=labels_in_turn(model, 100))
        plots.sheet(x_new, folder / "samples.png", title="samples")
    elif len(model.shape) == 1:
        drawn = draw_examples(model, 1_000)
        plots.show_data(drawn, folder / "samples.png", title="samples")
    if model.shape == (2,):
        points = draw_examples(model, len(x))
        plots.density(x, points, folder / "density.png", f"{name}: real against generated")
    if isinstance(model, VAE):
        seen = None if labels is None else labels[:PICTURED]
        told = seen if model.n_labels else None
        if shows_reconstructions(model.shape):
            shown = None if told is None else told[:50]
            draw_reconstructions(model, x[:50], folder / "reconstructions.png", shown)
        mu = model.encode(x[:PICTURED], told)
        plots.latents(mu, folder / "latent.png", seen, "posterior means")


def draw_examples(model: Model, n: int) -> Array:
    """n examples as the model believes they are: draws of p(x|z), not its means, for vectors."""
    labels = labels_in_turn(model, n)
    if isinstance(model, VAE):
        return model.sample(n, rng=SEED, labels=labels, noise=not is_picture(model.shape))
    return model.sample(n, rng=SEED, labels=labels)


def labels_in_turn(model: Model, n: int) -> Array | None:
    """0, 1, 2 ... and 0 again: (n,) labels for samples; None for a model that joins none."""
    return np.arange(n) % model.n_labels if model.n_labels else None


def labels_of(model: Model, labels: Array | None, name: str, n: int) -> Array | None:
    """The first n labels of the data called `name`, if the model joins them."""
    if model.n_labels and labels is None:
        raise OptionError(f"the model joins labels, and {name} has none: name other data")
    return model.check_labels(labels[:n], n) if labels is not None and model.n_labels else None


def learnt_from(model: Model) -> str:
    """What the data that the model was last trained on were called, or ""."""
    return next((str(log["data"]) for log in reversed(model.training_log) if "data" in log), "")


def shows_reconstructions(shape: Shape) -> bool:
    """Whether a picture is known for examples of that shape beside their reconstructions."""
    return can_be_drawn(shape) or shape == (2,)


def draw_reconstructions(model: VAE, x: Array, path: Path, labels: Array | None = None) -> None:
    """Data and their reconstructions: pictures in pairs, points joined by lines."""
    from . import plots

    if not shows_reconstructions(model.shape):
        raise ShapeError(
            f"no picture is known for reconstructions of shape {model.shape}: write them as an "
            f"array, with -o {path.stem}.npy"
        )
    again = model.reconstruct(x, labels)
    if can_be_drawn(model.shape):
        plots.pairs(x, again, path, "data above, reconstructions below")
    else:
        plots.cloud_pairs(x, again, path, "data and reconstructions")

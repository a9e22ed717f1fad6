"""A run is a folder: the model, how it was trained, the numbers of every epoch, and pictures.

FILES below says what is in it. Nothing in model.npz and config.json tells when, where or by whom
it was made: the same settings and seed give the same bytes.
"""

import contextlib
import csv
import io
import itertools
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..distributions import Categorical
from ..export import load, save
from ..ground.arguments import Array, Shape, can_be_drawn, is_picture, user_path
from ..ground.errors import FileError, OptionError, ShapeError, cut
from ..ground.printing import to_stderr
from ..ground.tables import paragraph
from ..ground.writing import whole_file, write_atomically
from ..models import Model, active_latents
from ..models.diagnosis import ENOUGH
from ..train import Callback, Run
from .claim import claimed

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
LONGEST_NOTE = 220  # letters: three lines
BETWEEN_CHECKPOINTS = 60.0  # seconds
SEED = 0  # of what the pictures show


@contextlib.contextmanager
def run_folder(wanted: str | None, kind: str) -> Iterator[Path]:
    """The folder `wanted`, or the first of runs/vae-1, runs/vae-2 ... that is not there yet.

    Within the `with` it is this run's alone. If it was made here and nothing has come into it, it
    goes again. Raises FileError where `wanted` holds a run, or another training's, is a file, or
    cannot be made or written.
    """
    folder, is_new = _make_folder(wanted, kind)
    try:
        with claimed(folder):
            if any((folder / name).exists() for name in (MODEL, CONFIG, LOG)):
                raise FileError(f"{folder} holds a run already: name another folder with --out")
            yield folder
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _make_folder(wanted: str | None, kind: str) -> tuple[Path, bool]:
    """See `run_folder`; and whether it is new."""
    try:
        if wanted is not None:
            folder = user_path(wanted)
            is_new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            return folder, is_new
        Path("runs").mkdir(exist_ok=True)
        for number in itertools.count(1):
            folder = Path("runs", f"{kind}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
        return folder, True
    except OSError as problem:
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


def read_data(
    source: str, split: str = "train", divide_by: float | None = None
) -> tuple[Array, Array | None]:
    """The data that a command was given, and their labels; a warning becomes a line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x, labels = data.load(
            source, return_labels=True, split=split, divide_by=divide_by, dtype=None
        )
    for warning in caught:
        to_stderr(*paragraph(cut(f"scratchgen: {warning.message}", LONGEST_NOTE)))
    return x, labels


def read_data_of(model: Model, source: str, split: str = "train") -> tuple[Array, Array | None]:
    """As `read_data`, with numbers that mean what they meant when the model was trained."""
    of_classes = any(isinstance(part, Categorical) for part in model.parts())
    divisor = 1.0 if of_classes else None
    if data.builtin_name(source) in ("", learnt_from(model)):  # others are on a scale of their own
        for log in model.training_log:
            divisor = log.get("divide_by", divisor)
    return read_data(source, split, divisor)


class Log(Callback):
    """Writes log.csv, a line an epoch, each on disk before the next epoch begins.

    Where that cannot be, it says so, and training goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self.history: dict[str, list[float]] = {}
        self.is_whole = True
        self.written = 0  # epochs

    def on_start(self, run: Run) -> None:
        self.history = run.history

    def on_epoch(self, run: Run) -> None:
        if not self.is_whole:
            return
        head = [["epoch", *self.history]] if run.epoch == 1 else []
        try:
            rows = _csv([*head, _row(run.epoch, self.last().values())])
            with self.path.open("a", newline="", encoding="utf-8") as file:
                file.write(rows)
            self.written = run.epoch
        except OSError as problem:
            self.is_whole = False
            to_stderr(
                f"scratchgen: {self.path} cannot be written ({problem.strerror}): training goes "
                f"on, and the log is written when it ends"
            )

    def write(self, folder: Path) -> None:
        """The whole log in that folder, unless it is there.

        A signal may end a run between the last step of an epoch and its line.
        """
        epochs = list(zip(*self.history.values(), strict=True))
        is_whole = self.is_whole and self.written == len(epochs)
        if epochs and not (is_whole and (folder / LOG).exists()):
            rows = [_row(number, epoch) for number, epoch in enumerate(epochs, start=1)]
            write_atomically(folder / LOG, _csv([["epoch", *self.history], *rows]).encode())

    def last(self) -> dict[str, float]:
        """The numbers of the last epoch; none before the first has ended."""
        return {name: values[-1] for name, values in self.history.items() if values}


def _row(epoch: int, numbers: Iterable[float]) -> list[str]:
    return [str(epoch), *(f"{value:.6f}" for value in numbers)]


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


class Checkpoint(Callback):
    """Writes the model after an epoch, once a minute at the most: for a process that is killed."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings
        self.last = time.monotonic()

    def on_epoch(self, run: Run) -> None:
        if time.monotonic() - self.last >= BETWEEN_CHECKPOINTS:
            with contextlib.suppress(OSError):  # where it matters, at the end, it is said
                _write(self.folder, run.model, self.settings)
            self.last = time.monotonic()


def keep(folder: Path, model: Model, settings: dict[str, Any], log: Log) -> tuple[Path, str]:
    """Write a run into its folder or, where that cannot be, into a new one; which, and why.

    The new one is in the current folder, or in that for temporary files. Raises FileError where
    none can be written.
    """
    why = ""
    for parent in (None, Path.cwd, tempfile.gettempdir):
        try:
            where = folder
            if parent is not None:
                where = Path(tempfile.mkdtemp("", f"{folder.name}-", parent()))
            where.mkdir(parents=True, exist_ok=True)  # it may have been moved away
            _write(where, model, settings)
            log.write(where)
            return where, why
        except OSError as problem:
            why = why or str(problem)
            if where != folder:
                shutil.rmtree(where, ignore_errors=True)
    raise FileError(f"the model is lost, because nothing can be written here: {why}")


def _write(folder: Path, model: Model, settings: dict[str, Any]) -> None:
    """The model and its settings; its record says what its data are called and divided by."""
    if model.training_log:
        for key in ("data", "divide_by"):
            if key in settings:
                model.training_log[-1][key] = settings[key]
    write_model(folder, model, settings)


def write_model(folder: Path, model: Model, settings: dict[str, Any]) -> None:
    """model.npz and config.json."""
    save(model, folder / MODEL)
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    write_atomically(folder / CONFIG, text.encode())


def write_array(path: Path, x: Array) -> None:
    """x as .npy."""
    with whole_file(path) as stream:
        header = np.lib.format.header_data_from_array_1_0(x)
        np.lib.format.write_array_header_1_0(stream, header | {"fortran_order": False})
        stream.write(np.asarray(x, order="C").data)


def draw_pictures(
    folder: Path,
    model: Any,
    history: Mapping[str, Sequence[float]],
    x: Array,
    labels: Array | None,
) -> None:
    """The pictures of a run; needs matplotlib."""
    from .. import plots

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
    if model.encodes:
        seen = None if labels is None else labels[:PICTURED]
        told = seen if model.n_labels else None
        if shows_reconstructions(model.shape):
            shown = None if told is None else told[:50]
            draw_reconstructions(model, x[:50], folder / "reconstructions.png", shown)
        mu = model.encode(x[:PICTURED], told)
        plots.latents(mu, folder / "latent.png", seen, "posterior means")


def draw_examples(model: Any, n: int) -> Array:
    """n examples as the model believes they are: draws of p(x|z), not its means, for vectors."""
    labels = labels_in_turn(model, n)
    noise = {"noise": True} if model.has_likelihood and not is_picture(model.shape) else {}
    return model.sample(n, rng=SEED, labels=labels, **noise)


def labels_in_turn(model: Model, n: int) -> Array | None:
    """0, 1, 2 ... and 0 again: (n,) labels for samples; None for a model that joins none."""
    return np.arange(n) % model.n_labels if model.n_labels else None


def labels_of(model: Model, labels: Array | None, name: str, n: int) -> Array | None:
    """The first n labels of the data called `name`, if the model joins them."""
    if model.n_labels and labels is None:
        raise OptionError(f"the model joins labels, and {name} has none: name other data")
    return model.check_labels(labels[:n], n) if labels is not None and model.n_labels else None


def latents_in_use(model: Any, x: Array, labels: Array | None) -> list[str]:
    """How many latents are in use, by examples x (N, *shape): a line, or none if x is too few."""
    if not model.encodes or len(x) < ENOUGH:
        return []
    with np.errstate(all="ignore"):
        mu = model.encode(x, labels)  # (N, latent)
    if not np.isfinite(mu).all():
        return []
    used = int(active_latents(mu).sum())
    return [f"{used:,} of {model.latent:,} latents are active: their mean varies with x"]


def learnt_from(model: Model) -> str:
    """What the data that the model was last trained on were called, or ""."""
    names = (log.get("data") for log in reversed(model.training_log))
    return next((name for name in names if isinstance(name, str)), "")


def shows_reconstructions(shape: Shape) -> bool:
    """Whether a picture is known for examples of that shape beside their reconstructions."""
    return can_be_drawn(shape) or shape == (2,)


def draw_reconstructions(model: Any, x: Array, path: Path, labels: Array | None = None) -> None:
    """Data and their reconstructions: pictures in pairs, points joined by lines."""
    from .. import plots

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

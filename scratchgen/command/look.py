"""What `sample`, `reconstruct`, `info` and `data` do; each prints its results and returns 0."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..export.records import COUNTS
from ..ground.arguments import Array, user_path
from ..ground.errors import FileError, OptionError, cut
from ..ground.printing import to_stdout
from ..ground.rng import chosen_seed, stream
from ..ground.tables import paragraph
from ..ground.versions import require
from ..ground.writing import expect_writable, whole_file
from ..models import Model
from ..train import losses_text
from .folders import find_model
from .reading_data import labels_for, labels_in_turn, last_data, read_data, read_data_for
from .run_pictures import draw_reconstructions

LONGEST_RECORD = 1_000  # letters of a line about training, which comes from the model's file


def sample(options: argparse.Namespace) -> int:
    """Draw new examples from a model."""
    model, path = find_model(options.run)
    if options.noise and not model.has_likelihood:
        raise OptionError(
            f"--noise draws from p(x|z), and the family {model.kind} has no p(x|z): leave it out"
        )
    out = _output(options.out)
    seed = chosen_seed(options.seed)
    labels = _sample_labels(model, options)
    noise = {"noise": True} if options.noise else {}
    x = model.sample(options.n, rng=seed, labels=labels, **noise)
    _write(x, out, title=f"{options.n} samples")
    to_stdout(f"{out}: {options.n} samples from {path}, seed {seed}")
    return 0


def reconstruct(options: argparse.Namespace) -> int:
    """Draw data beside their reconstructions."""
    loaded, path = find_model(options.run)
    model: Any = loaded  # of any family
    if not model.encodes:
        raise OptionError(
            f"{path} is of the family {model.kind}, which has no encoder to reconstruct with: "
            f"wants a model that encodes, such as vae"
        )
    source = options.data or last_data(model)
    is_builtin = data.builtin_name(source)
    if not is_builtin and options.data is None:
        raise OptionError(f"{path} was not trained on built-in data: name its data with --data")
    split = "test" if is_builtin else "train"
    x, labels = read_data_for(model, source, split)
    model.check_as_given(x, source)
    x = x[: options.n]
    labels = labels_for(model, labels, source, len(x))
    out = _output(options.out)
    if out.suffix == ".npy":
        _write(model.reconstruct(x, labels), out)
    else:
        draw_reconstructions(model, x, out, labels)
    test_set = " (test set)" if is_builtin else ""
    to_stdout(f"{out}: {len(x)} examples of {source}{test_set} and their reconstructions")
    return 0


def info(options: argparse.Namespace) -> int:
    """Print what a model is and how it was trained."""
    model, path = find_model(options.run)
    size = f"{path.stat().st_size:,} bytes, " if path.is_file() else ""  # a pipe has no size
    to_stdout(f"{path}: {size}{model.dtype}")
    head, *networks = repr(model).splitlines()
    to_stdout(*paragraph(head), *networks)
    if not model.training_log:
        to_stdout("not trained yet")
    for log in model.training_log:
        for i, line in enumerate(_record_lines(log)):
            to_stdout(*paragraph(cut(line, LONGEST_RECORD), "  " if i else ""))
    return 0


def look(options: argparse.Namespace) -> int:
    """Draw examples of a data set."""
    x, labels = read_data(options.name, options.split)
    out = _output(options.out)
    chosen = stream(0, "look").permutation(len(x))[: options.n]
    _write(x[chosen], out, None if labels is None else labels[chosen], str(options.name))
    classes = "" if labels is None else f", {len(np.unique(labels))} classes"
    to_stdout(f"{options.name}: {x.shape}, from {x.min():.4g} to {x.max():.4g}{classes}")
    to_stdout(f"{out}: {len(chosen):,} examples")
    return 0


def _sample_labels(model: Model, options: argparse.Namespace) -> Array | None:
    """The labels of the samples: --label for all of them, or every label in turn."""
    if options.label is None:
        return labels_in_turn(model, options.n)
    if not model.n_labels:
        raise OptionError("--label is for conditional models: train one with --conditional")
    return model.check_labels(np.full(options.n, options.label), options.n)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _record_lines(log: dict[str, Any]) -> Iterator[str]:
    """A record of training in lines, or as it is if something that `fit` writes is missing."""
    if not {*COUNTS, "optimizer", "losses"} <= log.keys():
        yield f"record of training: {_text(log)}"
        return
    source = f" of {log['data']}" if "data" in log else ""
    yield f"trained on {log['examples']:,} examples{source}, seed {log['seed']}"
    epochs, steps = _counted(log["epochs"], "epoch"), _counted(log["steps"], "step")
    yield f"{epochs}, {steps} of up to {log['batch_size']:,} examples"
    for player, optimizer in log["optimizer"].items():
        yield f"{player} by {_text(optimizer)}"
    if (products := log.get("products", "ours")) != "ours":
        some = products if isinstance(products, list) else [products]
        yield f"NumPy multiplied: {'all' if some == ['numpy'] else ', '.join(map(_text, some))}"
    if "average" in log:
        yield f"weights averaged, keep {_text(log['average'])}"
    if log["losses"]:
        yield f"last epoch: {losses_text(log['losses'])}"


def _text(value: Any) -> str:
    """`adam, learning_rate 0.001, b1 0.9`; a schedule stands in brackets, in the same form."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return " and ".join(map(_in_brackets, value))
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(
        _in_brackets(entry) if name == "name" else f"{name} {_in_brackets(entry)}"
        for name, entry in value.items()
        if entry is not None or name == "name"
    )


def _in_brackets(value: Any) -> str:
    return f"({_text(value)})" if isinstance(value, dict) else _text(value)


def _output(path: str) -> Path:
    """The path of the file to write: a picture, which needs matplotlib, or an .npy array."""
    out = user_path(path)
    if not out.parent.is_dir():
        raise FileError(f"there is no folder {out.parent} to write {out.name} in: make it first")
    if out.suffix not in (".png", ".pdf", ".svg", ".npy"):
        raise OptionError(f"-o {path}: wants a name that ends in .png, .pdf, .svg or .npy")
    if out.suffix != ".npy":
        require("matplotlib", f"writing {out.name} (an array, -o {out.stem}.npy, would not)")
    expect_writable(out, "name another file with -o")
    return out


def _write(x: Array, out: Path, labels: Array | None = None, title: str = "") -> None:
    """Write an array as .npy, or draw it."""
    if out.suffix == ".npy":
        write_array(out, x)
    else:
        from .. import plots

        plots.show_data(x, out, labels, title)


def write_array(path: Path, x: Array) -> None:
    """Write x as .npy."""
    with whole_file(path) as file:
        header = np.lib.format.header_data_from_array_1_0(x)
        np.lib.format.write_array_header_1_0(file, header | {"fortran_order": False})
        file.write(np.asarray(x, order="C").data)


__all__ = ["info", "look", "reconstruct", "sample", "write_array"]

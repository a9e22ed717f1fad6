"""What each command but `train` does, once its words are understood; words.py understands them.

Results go to stdout. Every function returns the exit code.
"""

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
from ..ground.writing import expect_writable
from ..models import Model
from ..train import losses_text
from . import folders

LONGEST = 1_000  # letters of what a model's file says of its training, in a line


def sample(options: argparse.Namespace) -> int:
    """Draw new examples from a model."""
    model, path = folders.find_model(options.run)
    if options.noise and not model.has_likelihood:
        raise OptionError(
            f"--noise draws from p(x|z), and this {model.kind} has no such thing: leave it out"
        )
    out = _output(options.out)
    seed = chosen_seed(options.seed)
    labels = _labels(model, options)
    noise = {"noise": True} if options.noise else {}
    x = model.sample(options.n, rng=seed, labels=labels, **noise)
    _write(x, out, title=f"{options.n} samples")
    to_stdout(f"{out}: {options.n} samples of {path}, seed {seed}")
    return 0


def reconstruct(options: argparse.Namespace) -> int:
    """Show data beside what a model makes of them."""
    found, path = folders.find_model(options.run)
    model: Any = found  # what it can do is asked of it
    if not model.encodes:
        raise OptionError(
            f"{path} is of the family {model.kind}, which has no encoder to reconstruct with: "
            f"wants a model that encodes, such as vae"
        )
    source = options.data or folders.learnt_from(model)
    known = data.builtin_name(source)
    if not known and options.data is None:
        raise OptionError(f"{path} was not trained on built-in data: name some with --data")
    split = "test" if known else "train"
    x, labels = folders.read_data_of(model, source, split)
    model.check_as_given(x, source)
    x = x[: options.n]
    labels = folders.labels_of(model, labels, source, len(x))
    out = _output(options.out)
    if out.suffix == ".npy":
        _write(model.reconstruct(x, labels), out)
    else:
        folders.draw_reconstructions(model, x, out, labels)
    held_out = " that it has not seen" if known else ""
    to_stdout(f"{out}: {len(x)} examples of {source}{held_out}, and their reconstructions")
    return 0


def info(options: argparse.Namespace) -> int:
    """Say what a model is and how it was trained."""
    model, path = folders.find_model(options.run)
    size = f"{path.stat().st_size:,} bytes, " if path.is_file() else ""  # a pipe has none
    to_stdout(f"{path}: {size}{model.dtype}")
    head, *networks = repr(model).splitlines()
    to_stdout(*paragraph(head), *networks)
    if not model.training_log:
        to_stdout("not trained yet")
    for log in model.training_log:
        for i, line in enumerate(_trained(log)):
            to_stdout(*paragraph(cut(line, LONGEST), "  " if i else ""))
    return 0


def look(options: argparse.Namespace) -> int:
    """Draw a look at a data set."""
    x, labels = folders.read_data(options.name, options.split)
    out = _output(options.out)
    shown = stream(0, "look").permutation(len(x))[: options.n]
    _write(x[shown], out, None if labels is None else labels[shown], str(options.name))
    classes = "" if labels is None else f", {len(np.unique(labels))} classes"
    to_stdout(f"{options.name}: {x.shape}, from {x.min():.4g} to {x.max():.4g}{classes}")
    to_stdout(f"{out}: {len(shown):,} of them")
    return 0


def _labels(model: Model, options: argparse.Namespace) -> Array | None:
    """The labels of the samples: the one that was asked for, or all in turn."""
    if options.label is None:
        return folders.labels_in_turn(model, options.n)
    if not model.n_labels:
        raise OptionError("--label is of conditional models: train one with --conditional")
    return model.check_labels(np.full(options.n, options.label), options.n)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _trained(log: dict[str, Any]) -> Iterator[str]:
    """A record of training in lines; one that is not all that `fit` writes, as it is."""
    if not {*COUNTS, "optimizer", "losses"} <= log.keys():
        yield f"noted: {_text(log)}"
        return
    where = f" of {log['data']}" if "data" in log else ""
    yield f"trained on {log['examples']:,} examples{where}, seed {log['seed']}"
    epochs, steps = _counted(log["epochs"], "epoch"), _counted(log["steps"], "step")
    yield f"{epochs}, {steps} of up to {log['batch_size']:,} examples"
    for player, optimizer in log["optimizer"].items():
        yield f"{player} by {_text(optimizer)}"
    if "average" in log:
        yield f"weights averaged, keep {_text(log['average'])}"
    if log["losses"]:
        yield f"last epoch: {losses_text(log['losses'])}"


def _text(value: Any) -> str:
    """`adam, learning_rate 0.001, b1 0.9`; a schedule is one more such text in brackets."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return " and ".join(map(_part, value))
    if not isinstance(value, dict):
        return str(value)
    set_ones = {name: one for name, one in value.items() if one is not None or name == "name"}
    return ", ".join(
        _part(one) if name == "name" else f"{name} {_part(one)}" for name, one in set_ones.items()
    )


def _part(value: Any) -> str:
    return f"({_text(value)})" if isinstance(value, dict) else _text(value)


def _output(wanted: str) -> Path:
    """Where to write: a picture, for which matplotlib must be there, or an .npy array."""
    out = user_path(wanted)
    if not out.parent.is_dir():
        raise FileError(f"there is no folder {out.parent} to write {out.name} in: make it first")
    if out.suffix not in (".png", ".pdf", ".svg", ".npy"):
        raise OptionError(f"-o {wanted}: wants a name that ends in .png, .pdf, .svg or .npy")
    if out.suffix != ".npy":
        require("matplotlib", f"writing {out.name} (an array, -o {out.stem}.npy, would not)")
    expect_writable(out, "name another file with -o")
    return out


def _write(x: Array, out: Path, labels: Array | None = None, title: str = "") -> None:
    """An array as .npy, or a picture of it."""
    if out.suffix == ".npy":
        folders.write_array(out, x)
    else:
        from .. import plots

        plots.show_data(x, out, labels, title)


__all__ = ["info", "look", "reconstruct", "sample"]

"""What each command does, once its words are understood; cli.py understands them.

Results go to stdout, progress to stderr. Every function returns the exit code.
"""

import argparse
import os
import shlex
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import data, models, optim, runs
from .checks import Array, Shape, is_picture, user_path
from .errors import DivergedError, FileError, OptionError
from .metrics import coverage
from .models import VAE, Model
from .rng import chosen_seed, stream
from .train import fit, losses_text
from .versions import is_installed, require

INTERRUPTED = 130  # what a shell gives a program that Ctrl-C ended

# What `train` does where it is not told; found by looking at what came out.
DEFAULTS: dict[str, dict[str, Any]] = {
    "vae of pictures": {
        "epochs": 40,
        "batch_size": 128,
        "latent": 8,
        "hidden": (256, 128),
    },
    "vae of vectors": {
        "epochs": 20,
        "batch_size": 128,
        "latent": 2,
        "hidden": (128, 128),
    },
    "gan of pictures": {
        "epochs": 60,
        "batch_size": 128,
        "latent": 32,
        "hidden": (256, 512),
    },
    "gan of vectors": {
        "epochs": 20,
        "batch_size": 256,
        "latent": 2,
        "hidden": (128, 128),
    },
}


def say(text: str) -> None:
    """Print a line at once; when nobody reads our output any more, work goes on in silence."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def train(options: argparse.Namespace) -> int:
    """Train a model and leave a run folder."""
    x, labels = data.load(options.data, return_labels=True)
    name = _name_of(options.data)
    settings = _settings(options, x, name)
    model = _build(settings, x.shape[1:])
    settings |= _own_settings(model)
    x = model.check(x, name)
    if settings["batch_size"] > len(x):
        raise OptionError(
            f"--batch-size {settings['batch_size']} is above the {len(x)} examples of {name}"
        )
    steps = settings["epochs"] * -(-len(x) // settings["batch_size"])
    optimizers = model.optimizers(steps, options.learning_rate)
    settings["optimizer"] = {player: optim.settings(one) for player, one in optimizers.items()}
    folder = runs.make_folder(options.out, options.model)
    say(f"{model}, {model.parameter_count():,} parameters")
    say(f"training on {name}: {len(x):,} examples, seed {settings['seed']}")
    log, began = runs.Log(folder), time.perf_counter()
    ended: DivergedError | KeyboardInterrupt | None = None
    with runs.StopOnCtrlC() as stop:
        try:
            fit(
                model,
                x,
                epochs=settings["epochs"],
                batch_size=settings["batch_size"],
                seed=settings["seed"],
                optimizer=optimizers,
                callbacks=[log, stop],
                progress=True,
            )
        except (DivergedError, KeyboardInterrupt) as problem:
            ended = problem
        if model.training_log:
            model.training_log[-1]["data"] = name
        runs.write_model(folder, model, settings)
    if isinstance(ended, KeyboardInterrupt):
        done = model.training_log[-1]["steps"] if model.training_log else 0
        say(f"interrupted after {done:,} of {steps:,} steps; the model so far is saved")
    elif ended is None:
        seconds = f"trained in {time.perf_counter() - began:.1f} s"
        say(f"{seconds}: {losses_text(log.last())}" if log.last() else seconds)
        try:
            _judge(model, name)
            _draw(folder, model, log, x, labels)
        except KeyboardInterrupt as problem:
            ended = problem
            say("interrupted while drawing; the model is saved")
    _say_what_next(folder, model, options.data)
    if isinstance(ended, DivergedError):
        raise ended
    return 0 if ended is None else INTERRUPTED


def sample(options: argparse.Namespace) -> int:
    """Draw new examples from a model."""
    model, path = runs.find_model(options.run)
    if options.noise and not isinstance(model, VAE):
        raise OptionError(
            "--noise draws from a VAE's p(x|z); a GAN has no such thing: leave it out"
        )
    out = _output(options.out)
    seed = chosen_seed(options.seed)
    if isinstance(model, VAE):
        x = model.sample(options.n, rng=seed, noise=options.noise)
    else:
        x = model.sample(options.n, rng=seed)
    _write(x, out, title=f"{options.n} samples")
    print(f"{out}: {options.n} samples of {path}, seed {seed}")
    return 0


def reconstruct(options: argparse.Namespace) -> int:
    """Show data beside what a VAE makes of them."""
    model, path = runs.find_model(options.run)
    if not isinstance(model, VAE):
        raise OptionError(f"{path} is a GAN, which has no encoder to reconstruct with: wants a VAE")
    source = options.data or _learnt_from(model)
    if source not in data.NAMES and options.data is None:
        raise OptionError(f"{path} was not trained on built-in data: name some with --data")
    x = data.load(source, split="test" if source in data.NAMES else "train")
    x = model.check(x, source)[: options.n]
    out = _output(options.out)
    if out.suffix == ".npy":
        _write(model.reconstruct(x), out)
    else:
        runs.draw_reconstructions(model, x, out)
    held_out = " that it has not seen" if source in data.NAMES else ""
    print(f"{out}: {len(x)} examples of {source}{held_out}, and their reconstructions")
    return 0


def info(options: argparse.Namespace) -> int:
    """Say what a model is and how it was trained."""
    model, path = runs.find_model(options.run)
    print(f"{path}: {path.stat().st_size:,} bytes, {model.dtype}")
    print(repr(model))
    if not model.training_log:
        print("not trained yet")
    for log in model.training_log:
        where = f" of {log['data']}" if "data" in log else ""
        print(f"trained on {log['examples']:,} examples{where}, seed {log['seed']}")
        epochs, steps = _counted(log["epochs"], "epoch"), _counted(log["steps"], "step")
        print(f"  {epochs}, {steps} of {log['batch_size']:,} examples")
        for player, optimizer in log["optimizer"].items():
            text = f"  {player} by {_optimizer_text(optimizer)}"
            print(textwrap.fill(text, 79, subsequent_indent="    "))
        if log["losses"]:
            print(f"  last epoch: {losses_text(log['losses'])}")
    return 0


def look(options: argparse.Namespace) -> int:
    """Draw a look at a data set."""
    x, labels = data.load(options.name, return_labels=True, split=options.split)
    out = _output(options.out)
    shown = stream(0, "look").permutation(len(x))[: options.n]
    _write(x[shown], out, None if labels is None else labels[shown], str(options.name))
    classes = "" if labels is None else f", {len(np.unique(labels))} classes"
    print(f"{options.name}: {x.shape}, from {x.min():.4g} to {x.max():.4g}{classes}")
    print(f"{out}: {len(shown):,} of them")
    return 0


def _name_of(source: str) -> str:
    """What records call the data: a built-in name, or that of the file, never its folder."""
    name = source if source in data.NAMES else Path(source).name
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _settings(options: argparse.Namespace, x: Array, name: str) -> dict[str, Any]:
    """All that decides how training goes, as plain numbers and strings: config.json."""
    kind = "pictures" if x.ndim == 4 else "vectors"
    settings = {**DEFAULTS[f"{options.model} of {kind}"], "model": options.model, "data": name}
    given = {key: value for key, value in vars(options).items() if value is not None}
    asked = ("epochs", "batch_size", "latent", "hidden")
    own = ("beta", "likelihood") if options.model == "vae" else ("loss", "discriminator_steps")
    settings |= {key: given[key] for key in (*asked, *own) if key in given}
    if options.batch_size is None:
        settings["batch_size"] = min(settings["batch_size"], len(x))
    return settings | {"seed": chosen_seed(options.seed), "examples": len(x)}


def _own_settings(model: Model) -> dict[str, Any]:
    """What the model settled by itself, for config.json."""
    own = {"beta", "likelihood", "loss", "discriminator_steps"} & set(model.settings())
    return {key: model.settings()[key] for key in sorted(own)}


def _build(settings: dict[str, Any], shape: Shape) -> Model:
    keys = ("latent", "hidden", "beta", "likelihood", "loss", "discriminator_steps")
    recipe = models.vae if settings["model"] == "vae" else models.gan
    weights = stream(settings["seed"], "weights")
    return recipe(shape, rng=weights, **{key: settings[key] for key in keys if key in settings})


def _judge(model: Model, name: str) -> None:
    """Where the truth is known, say how much of it was found."""
    if name in data.MIXTURES:
        found = coverage(runs.draw_examples(model, 2_500), data.MIXTURES[name])
        say(
            f"of 2,500 samples {found.good:.1%} are within 3 std of a mode; "
            f"{found.found} of {found.modes} modes found"
        )


def _draw(folder: Path, model: Model, log: runs.Log, x: Array, labels: Array | None) -> None:
    if is_installed("matplotlib"):
        runs.draw_pictures(folder, model, log.history, x, labels)
    else:
        say('no pictures without matplotlib: pip install "scratchgen[plot]"')


def _say_what_next(folder: Path, model: Model, source: str) -> None:
    say(f"\nin {folder}:")
    for path in sorted(folder.iterdir()):
        say(f"  {path.name:22}{runs.FILES.get(path.name, '')}".rstrip())
    run = shlex.quote(str(folder))
    say("\nnext:")
    drawn = is_picture(model.shape) or len(model.shape) == 1
    say(f"  scratchgen sample {run} -n 64 -o samples.{'png' if drawn else 'npy'}")
    if isinstance(model, VAE):
        known = source in data.NAMES and _learnt_from(model) == source
        which = "" if known else f" --data {shlex.quote(source)}"
        kind = "png" if runs.shows_reconstructions(model.shape) else "npy"
        say(f"  scratchgen reconstruct {run}{which} -o pairs.{kind}")
    say(f"  scratchgen info {run}")


def _learnt_from(model: Model) -> str:
    return next((str(log["data"]) for log in reversed(model.training_log) if "data" in log), "")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _optimizer_text(optimizer: dict[str, Any]) -> str:
    """`Adam, learning_rate 0.001, b1 0.9`; a schedule is one more such text in brackets."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return f"({_optimizer_text(value)})"
        return value if isinstance(value, str) else f"{value:g}"

    rest = (f"{name} {text(value)}" for name, value in optimizer.items() if name != "name")
    return ", ".join([optimizer["name"], *rest])


def _output(wanted: str) -> Path:
    """Where to write: a picture, for which matplotlib must be there, or an .npy array."""
    out = user_path(wanted)
    if not out.parent.is_dir():
        raise FileError(f"there is no folder {out.parent} to write {out.name} in: make it first")
    if out.suffix not in (".png", ".pdf", ".svg", ".npy"):
        raise OptionError(f"-o {wanted}: wants a name that ends in .png, .pdf, .svg or .npy")
    if out.suffix != ".npy":
        require("matplotlib", f"writing {out.name} (an array, -o {out.stem}.npy, would not)")
    return out


def _write(x: Array, out: Path, labels: Array | None = None, title: str = "") -> None:
    """An array as .npy, or a picture of it."""
    if out.suffix == ".npy":
        runs.write_array(out, x)
    else:
        from . import plots

        plots.show_data(x, out, labels, title)


__all__ = ["info", "look", "reconstruct", "sample", "train"]

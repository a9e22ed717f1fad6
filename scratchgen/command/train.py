"""What `scratchgen train` does: it builds model and optimizers, trains, and writes a run folder.

Results go to stdout, progress to stderr.
"""

import argparse
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..data import SCALERS, builtin_name
from ..distributions import Categorical
from ..ground.arguments import Array, is_picture
from ..ground.errors import DivergedError, FileError, OptionError, ScaleWarning
from ..ground.opening import title
from ..ground.rng import chosen_seed, stream
from ..ground.tables import paragraph
from ..models import RECIPES, Model, Recipe
from ..nn import Layer, describe
from ..optim import recorded
from ..train import fit, losses_text
from ..train.scales import scale_advice, scale_problem
from . import folders
from .epoch_log import Log
from .model_options import compose
from .optimizer_options import choose_optimizers
from .reading_data import labels_for, read_data
from .stopping import Stop
from .training_report import judge_and_draw, say_what_next, to_stdout

# Options that are settings of a run, and defaults for recipes that have none of their own.
RUN = ("epochs", "batch_size", "average", "conditional", "divide_by", "scale")
DEFAULTS = {"epochs": 20, "batch_size": 128}


def train(options: argparse.Namespace) -> int:
    """Train a model and write a run folder; returns the exit code."""
    recipe, given = RECIPES[options.model], vars(options)
    divide_by = options.divide_by
    if divide_by is None and _has_classes(recipe, given):
        divide_by = 1
    x, labels = read_data(options.data, divide_by=divide_by)
    name = _name_of(options.data)
    defaults = recipe.pictures if is_picture(x.shape[1:]) else recipe.vectors
    chosen = compose(recipe, given, defaults)
    settings = _run_settings(options, defaults, x, name)
    model = _build(recipe, chosen, settings, x, _count_labels(options, labels, name))
    settings |= _model_settings(model, chosen)
    model.check_as_given(x, name)
    scale_lines = _scale_lines(model, x, name)
    joined = labels_for(model, labels, name, len(x))
    steps = settings["epochs"] * -(-len(x) // settings["batch_size"])
    if settings.get("warm_up", 0) > steps > 0:
        raise OptionError(
            f"--kl-warm-up {settings['warm_up']} is above the {steps:,} steps of the run"
        )
    optimizers = choose_optimizers(options, model, steps)
    settings["optimizer"] = {
        player: recorded(optimizer) for player, optimizer in optimizers.items()
    }
    ended: BaseException | None = None
    saved_in, why = None, ""
    with (
        Stop() as stop,
        folders.run_folder(options.out, options.model) as folder,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", ScaleWarning)  # scale_lines say it
        to_stdout(*paragraph(f"{model}, {model.parameter_count():,} parameters"))
        to_stdout(f"training on {name}: {len(x):,} examples, seed {settings['seed']}")
        for text in [*(f"note: {remark}" for remark in model.remarks()), *scale_lines]:
            to_stdout(*paragraph(text))
        log, began = Log(folder), time.perf_counter()
        try:
            fit(
                model,
                x,
                epochs=settings["epochs"],
                batch_size=settings["batch_size"],
                seed=settings["seed"],
                labels=joined,
                optimizer=optimizers,
                average=options.average,
                callbacks=[log, folders.Checkpoint(folder, settings), stop],
                progress=True,
                replay=options.replay,
            )
        except BaseException as problem:  # the model so far is saved before anything else
            ended = problem
            if isinstance(ended, MemoryError):
                ended.__traceback__ = None  # it keeps the memory of training alive
        stop.is_saving = True
        done = model.training_log[-1]["steps"] if model.training_log else 0
        if ended is None or isinstance(ended, DivergedError) or done:
            saved_in, why = folders.save_run(folder, model, settings, log)
    if saved_in is None:
        to_stdout("training ended during its first step, so nothing is saved")
    elif ended is None:
        seconds = f"trained in {time.perf_counter() - began:.1f} s"
        to_stdout(f"{seconds}: {losses_text(log.last())}" if log.last() else seconds)
        if not stop.number:
            ended = judge_and_draw(saved_in, model, name, log, x, labels, joined)
    else:
        what = "interrupted" if isinstance(ended, KeyboardInterrupt) else "stopped"
        to_stdout(f"{what} after {done:,} of {steps:,} steps; the model so far is saved")
    if saved_in is not None:
        say_what_next(saved_in, model, options.data)
    if ended is not None and not isinstance(ended, KeyboardInterrupt):
        raise ended
    if why:
        raise FileError(f"the run is in {saved_in}, because {why}")
    return 0 if ended is None and not stop.number else stop.exit_code()


def _name_of(source: str) -> str:
    """The name of the data in records: a built-in name, or the file's name without its folder."""
    name = builtin_name(source) or title(source)
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _has_classes(recipe: Recipe, given: Mapping[str, Any]) -> bool:
    """Whether x holds class numbers, which nothing may divide."""
    for defaults in recipe.by_data:
        with suppress(OptionError):  # raised again once the data are known
            chosen = compose(recipe, given, defaults)
            if any(isinstance(part, Categorical) for part in chosen.values()):
                return True
    return False


def _count_labels(options: argparse.Namespace, labels: Array | None, name: str) -> int:
    """The number of labels that the model joins or predicts; 0 if it uses none."""
    needs_labels = RECIPES[options.model].needs_labels
    if not (getattr(options, "conditional", False) or needs_labels):
        return 0
    if labels is None and needs_labels:
        raise OptionError(
            f"{options.model} learns from the labels of its data, and {name} has none: name other "
            f"data"
        )
    if labels is None:
        raise OptionError(f"--conditional needs labels, and {name} has none: leave it out")
    return int(labels.max()) + 1


def _run_settings(
    options: argparse.Namespace, defaults: Mapping[str, Any], x: Array, name: str
) -> dict[str, Any]:
    """The settings of the run as plain numbers and strings, for config.json."""
    settings = {key: defaults.get(key, value) for key, value in DEFAULTS.items()}
    settings["batch_size"] = min(settings["batch_size"], len(x))
    given = {key: value for key, value in vars(options).items() if value is not None}
    settings |= {key: given[key] for key in RUN if key in given}
    if settings["batch_size"] > len(x):
        raise OptionError(
            f"--batch-size {settings['batch_size']} is above the {len(x)} examples of {name}"
        )
    settings |= {"model": options.model, "data": name, "examples": len(x)}
    return settings | {"seed": chosen_seed(options.seed)}


def _model_settings(model: Model, chosen: dict[str, Any]) -> dict[str, Any]:
    """The settings of the model as plain values, for config.json."""
    own = {key: value for key, value in model.settings().items() if key != "scaler"}
    sizes = {
        key: describe(value) if isinstance(value, Layer) else value for key, value in chosen.items()
    }
    return {**sizes, **own}


def _build(
    recipe: Recipe, chosen: dict[str, Any], settings: dict[str, Any], x: Array, n_labels: int
) -> Model:
    """The model, for examples like x (N, *shape)."""
    more: dict[str, Any] = {"rng": stream(settings["seed"], "weights")}
    if n_labels:
        more["n_labels"] = n_labels
    if "scale" in settings:
        if x.ndim > 2:
            raise OptionError(
                f"--scale {settings['scale']} is for vectors (N, D), and the data are {x.shape}: "
                f"pixels share one unit; leave it out"
            )
        more["scaler"] = SCALERS[settings["scale"]](x)
    model: Model = recipe(x.shape[1:], **more, **chosen)
    return model


def _scale_lines(model: Model, x: Array, name: str) -> list[str]:
    """Lines about the scale of the data, to print before training."""
    lines = []
    if problem := scale_problem(model, x, name):
        advice = "add --scale standard" if x.ndim == 2 else scale_advice(x)
        lines.append(f"warning: {problem}: {advice}")
    if model.scaler is not None and model.has_likelihood and model.is_density():
        nats = model.scaler.log_det
        less = f"{abs(nats):.4g} nats {'lower' if nats > 0 else 'higher'}"
        lines.append(f"losses are for scaled data; in the units of {name} they are {less}")
    return lines


__all__ = ["train"]

"""The options of `scratchgen train MODEL`: of the run, of the optimizer and of the model.

Those of the model follow from its recipe, as model_options.py reads it.
"""

import argparse
from collections.abc import Callable
from typing import Any

from .. import data
from ..ground.arguments import finite, fraction
from ..models import Recipe
from . import optimizer_options, train
from .model_options import NONE, Option, by_default, options_of
from .option_types import count, in_any_case, integer, name, number, positive, widths

METAVARS = {int: "N", float: "X", str: "TEXT"}


def add_train_options(model: argparse.ArgumentParser, recipe: Recipe) -> None:
    """Add all options that training this recipe's model has."""
    _add_run(model, recipe)
    _add_optimizer(model)
    _add_model(model, recipe)


def _add_run(model: argparse.ArgumentParser, recipe: Recipe) -> None:
    add = model.add_argument_group("the run").add_argument
    data_names = f"{', '.join(data.NAMES)}, a path, or - for standard input (default: digits)"
    add("--data", type=name, default="digits", metavar="DATA", help=data_names)
    divisor = "divide all numbers by this (default: 255 for pictures of bytes that exceed 16)"
    add("--divide-by", type=positive, metavar="N", help=divisor)
    epochs = f"passes through the data{_default(recipe, 'epochs')}"
    add("--epochs", type=integer, metavar="N", help=epochs)
    size = f"examples per step{_default(recipe, 'batch_size')}"
    add("--batch-size", type=count, metavar="N", help=size)
    if "scaler" in recipe.takes:
        scale = (
            "scale the columns of vectors inside the model: standard or min_max (default: no "
            "scaling)"
        )
        add("--scale", choices=data.SCALERS, metavar="NAME", help=scale)
    add("--seed", type=integer, metavar="N", help="seed of the run (default: a new one)")
    folder = "folder to write the run into (default: runs/MODEL-1, runs/MODEL-2 ...)"
    add("--out", type=name, metavar="FOLDER", help=folder)
    replay = (
        "run every step from its source, so that you can follow it: slower, with the same results"
    )
    add("--no-replay", dest="replay", action="store_false", default=None, help=replay)


def _default(recipe: Recipe, key: str) -> str:
    """` (default: 40 for pictures, 20 for vectors)`: what `train` uses without the option."""
    return by_default(*(of.get(key, train.DEFAULTS[key]) for of in recipe.by_data))


def _add_optimizer(model: argparse.ArgumentParser) -> None:
    add = model.add_argument_group("the optimizer").add_argument
    optimizers, schedules = optimizer_options.OPTIMIZERS, optimizer_options.SCHEDULES
    optimizer = f"{', '.join(optimizers)} (default: the model's own)"
    add("--optimizer", choices=optimizers, metavar="NAME", help=optimizer)
    momentum = "for momentum and nesterov: share of the velocity that each step keeps"
    add("--momentum", type=number(fraction, float), metavar="M", help=momentum)
    decay = "for adamw: rate at which weights shrink"
    add("--weight-decay", type=number(finite, float), metavar="W", help=decay)
    centred = "for rmsprop: divide by the gradients' standard deviation, not their RMS"
    add("--centred", action="store_true", default=None, help=centred)
    rate = "learning rate (default: the optimizer's)"
    add("--lr", dest="learning_rate", type=positive, metavar="RATE", help=rate)
    schedule = f"how the learning rate falls: {', '.join(schedules)}"
    add("--lr-schedule", choices=schedules, metavar="NAME", help=schedule)
    warm_up = "steps in which the learning rate first rises from 0"
    add("--lr-warm-up", type=count, metavar="STEPS", help=warm_up)
    clip = "scale a gradient whose norm is larger down to this norm"
    add("--clip-norm", type=positive, metavar="NORM", help=clip)
    average = "use averaged weights, of which each step keeps this share, such as 0.999"
    add("--average", type=number(fraction, float), metavar="KEEP", help=average)


def _add_model(model: argparse.ArgumentParser, recipe: Recipe) -> None:
    group = model.add_argument_group("the model")
    for option in options_of(recipe):
        _add_setting(group.add_argument, option)
    if "n_labels" in recipe.takes and not recipe.needs_labels:
        conditional = "give the labels of the data to the model"
        group.add_argument("--conditional", action="store_true", help=conditional)


def _add_setting(add: Callable[..., Any], option: Option) -> None:
    """Add an option for a setting; its values have the field's type and pass the field's check."""
    word, more = f"--{option.name}", {"dest": option.key, "help": option.text.replace("%", "%%")}
    notes = option.field.metadata
    if option.choices:
        choices = [*option.choices, *([NONE] if option.may_be_none else [])]
        add(word, type=in_any_case(choices), choices=choices, metavar="NAME", **more)
    elif option.kind is bool:
        add(word, action=argparse.BooleanOptionalAction, **more)
    elif option.kind is tuple:
        add(word, type=widths, metavar="N,N", **more)
    else:
        kind: Any = option.kind
        if notes.get("check"):
            kind = number(notes["check"], kind, **notes["bounds"])
        add(word, type=kind, metavar=METAVARS[option.kind], **more)

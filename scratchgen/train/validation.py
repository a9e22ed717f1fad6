"""Examples that are held out of training, and what a model gives on them after each epoch."""

import math
from typing import Any

import numpy as np

from ..ground.errors import OptionError
from ..ground.rng import stream
from ..models import Model
from ..nn import Tape
from .examples import Examples, Means


def is_pair(validation: Any) -> bool:
    """Whether it is (x, labels)."""
    return isinstance(validation, tuple) and len(validation) == 2


def held_out_examples(model: Model, validation: Any) -> Examples:
    """The examples to evaluate, from x or (x, labels)."""
    pair = is_pair(validation)
    if model.n_labels and not pair:
        raise OptionError(
            f"validation={type(validation).__name__}: wants a pair (x, labels), because this "
            f"{model.kind} wants the label of each example"
        )
    x, labels = validation if pair else (validation, None)
    return Examples.of(model, x, labels, "validation")


def evaluate(model: Model, held_out: Examples, batch_size: int, seed: int) -> dict[str, float]:
    """Each player's number and its parts on the held-out examples, as `val_...`.

    Each evaluation draws the same noise. The weights are finite, so that a nan can only come from
    an overflow: the loss is then inf.
    """
    means, tape, noise = Means(), Tape(), stream(seed, "validation")
    for start in range(0, len(held_out.x), batch_size):
        x, labels = held_out.at(slice(start, start + batch_size))
        x = np.asarray(x, model.dtype)  # (at most batch_size, *shape)
        for player in model.players:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                model.objective(player, x, noise, tape=tape, training=False, labels=labels)
            means.add(tape.parts, len(x))
    values = means.values()
    return {val(name): math.inf if math.isnan(x) else x for name, x in values.items()}


def val(name: str) -> str:
    """The name in a history of a number that is evaluated on held-out examples."""
    return f"val_{name}"

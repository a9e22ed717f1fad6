"""A checkpoint: all that decides the next step of a run, as arrays and as plain values.

    arrays    vector and state, each optimizer's memory, averages, and the last good result
    plain     the model's description, settings, position, noise, history, and all counts

The data are not in it: a checksum tells whether a resumed run is given the same (resuming.py).
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..models.description import describe_model
from ..optim import describe
from ..optim.memory import contents
from .outcome import Outcome
from .trainer import Trainer


def trainer_arrays(trainer: Trainer, outcome: Outcome) -> dict[str, Array]:
    """The arrays of a training by name, not copied.

    Raises KindError for the memory of a user's own optimizer that `contents` cannot list.
    """
    vector, state = outcome.weights_of_training()
    arrays = {"vector": vector, "state": state}
    arrays |= dict(zip(("good.vector", "good.state"), outcome.good, strict=True))
    entries = memory_entries(trainer)
    return arrays | {name: np.asarray(x) for name, *_, x in entries if has_dtype(x)}


def trainer_counts(trainer: Trainer, outcome: Outcome) -> dict[str, Any]:
    """The plain numbers of a training by name. Raises what `trainer_arrays` raises."""
    numbers = {name: x for name, *_, x in memory_entries(trainer) if not has_dtype(x)}
    return numbers | {
        "steps": trainer.model_steps,
        "begun": trainer.steps_before,
        "good_steps": outcome.good_steps,
    }


def memory_entries(trainer: Trainer) -> Iterator[tuple[str, Any, Any, Any]]:
    """What optimizers and averages remember, as `contents` lists it."""
    for player, memory in trainer.memories.items():
        yield from contents(memory, f"memory.{player}")
    for name, memories in trainer.averages.items():
        for what, memory in zip(("vector", "state"), memories, strict=True):
            yield from contents(memory, f"average.{name}.{what}")


def has_dtype(x: Any) -> bool:
    """Whether x is an array, or a number of NumPy's."""
    return isinstance(x, np.ndarray | np.generic)


def plain_values(run: Any) -> dict[str, Any]:
    """All that decides the next step of a run and is no array, except for the data."""
    model, trainer = run.model, run.trainer
    return copy.deepcopy(
        {
            "model": describe_model(model),
            "training": [entry for entry in model.training_log if entry is not run.entry],
            "entry": run.entry,
            "optimizers": {player: describe(x) for player, x in trainer.optimizers.items()},
            "average": trainer.average.keep if trainer.average else None,
            "seed": run.seed,
            "epochs": run.epochs,
            "batch_size": run.batch_size,
            "even_batches": run.even_batches,
            "products": run.engine.products,
            "examples": len(run.data.x),
            "checksum": run.data.checksum,
            "held_out": None if run.held_out is None else len(run.held_out.x),
            "epoch": run.epoch,
            "position": run.position,
            "noise": run.noise.bit_generator.state,
            "sums": run.means.sums,
            "counts": run.means.counts,
            "losses": run.losses,
            "history": dict(run.history),
            "trainer": trainer_counts(trainer, run.outcome),
        }
    )

"""A run goes on from a checkpoint.

A checkpoint may have gone through a file, and through other hands. So everything in it is checked
here, and what does not fit is refused at once rather than some steps later.
"""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ground.arguments import Array, array_text, whole
from ..ground.errors import DataError, OptionError, cut
from ..models.description import build_model
from ..optim import build
from ..optim.memory import put
from .checkpoint import has_dtype, memory_entries, trainer_arrays, trainer_counts
from .outcome import Outcome
from .trainer import Trainer
from .validation import is_pair


def resumed(
    kind: Any,
    x: Any,
    arrays: Mapping[str, Array],
    plain: Mapping[str, Any],
    labels: Any,
    validation: Any,
    replay: bool | None,
) -> Any:
    """A run of the class `kind` that goes on from `arrays` and `plain`; see Run.resumed."""
    plain = _Plain(plain)
    _expect_same_sizes(x, validation, plain)
    model = build_model(plain["model"])
    model.training_log = copy.deepcopy(list(plain["training"]))
    if missing := model.players.keys() - plain["optimizers"].keys():
        raise OptionError(f"the optimizer of the {min(missing)} is missing: give all of plain()")
    run = kind(
        model,
        x,
        epochs=plain["epochs"],
        batch_size=plain["batch_size"],
        seed=plain["seed"],
        labels=labels,
        optimizer={player: build(x) for player, x in plain["optimizers"].items()},
        average=plain["average"],
        validation=validation,
        even_batches=plain["even_batches"],
        replay=replay,
    )
    if run.data.checksum != plain["checksum"]:
        raise DataError(
            "x or its labels differ from the run's, or are in another order: give the data that "
            "the run was given"
        )
    _set_trainer(run.trainer, run.outcome, arrays, plain["trainer"])
    _set_run(run, plain)
    run.engine.take_over(plain["products"])
    return run


def _set_trainer(
    trainer: Trainer, outcome: Outcome, arrays: Mapping[str, Array], counts: Mapping[str, Any]
) -> None:
    """Write the arrays and the counts of a checkpoint into a new trainer and its outcome.

    Raises OptionError where names, shapes or dtypes differ from the trainer's own.
    """
    own = trainer_arrays(trainer, outcome)
    given = {name: np.asarray(x) for name, x in arrays.items()}
    problem = _mismatch(own, given) or _mismatch(trainer_counts(trainer, outcome), counts)
    for name in () if problem else ("steps", "begun", "good_steps"):
        whole(counts[name], name, least=0 if name == "begun" else counts["begun"])
    if problem:
        raise OptionError(f"these are not the arrays and numbers of a run like this: {problem}")
    for name in ("vector", "state", "good.vector", "good.state"):
        own[name][...] = given[name]
    for name, owner, key, value in list(memory_entries(trainer)):
        if isinstance(value, np.ndarray):
            value[...] = given[name]
        else:
            put(owner, key, given[name][()] if has_dtype(value) else counts[name])
    trainer.steps_before, trainer.model_steps = counts["begun"], counts["steps"]
    outcome.good_steps = counts["good_steps"]


def _mismatch(own: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """How the given arrays or numbers differ from the own in name, shape or dtype; or ""."""
    for name in sorted(own.keys() | given.keys()):
        if name not in given:
            return f"{name!r} is missing"
        if name not in own:
            return f"{name!r} is unknown"
        x, y = own[name], given[name]
        if isinstance(x, np.ndarray) and (x.shape, x.dtype) != (y.shape, y.dtype):
            return f"{name!r} is {array_text(y)}, wants {array_text(x)}"
        if isinstance(x, int | float) and type(x) is not type(y):
            return f"{name!r} is {cut(repr(y))}, wants a number like {x!r}"
    return ""


def _set_run(run: Any, plain: Mapping[str, Any]) -> None:
    """Set the run's position, history, noise and log entry to those of a checkpoint."""
    if run.history.keys() != plain["history"].keys():
        raise OptionError(
            f"the history holds {', '.join(plain['history'])}, wants {', '.join(run.history)}"
        )
    try:
        run.noise.bit_generator.state = plain["noise"]
    except (TypeError, ValueError, KeyError, OverflowError) as problem:
        raise OptionError(f"the state of the noise is not the state of a run: {problem}") from None
    run.epoch = whole(plain["epoch"], "epoch", most=run.epochs)
    run.position = whole(plain["position"], "position", most=run.steps_per_epoch)
    ended = run.epoch - 1 if run.position else run.epoch
    if run.steps != ended * run.steps_per_epoch + run.position:
        raise OptionError(
            f"{run.steps:,} steps do not end at step {run.position:,} of epoch {run.epoch:,}"
        )
    run.losses = _numbers(plain["losses"], "losses")
    sums, counts = _numbers(plain["sums"], "sums"), _numbers(plain["counts"], "counts")
    if sums.keys() != counts.keys():
        raise OptionError("the sums and the counts have different names")
    run.means.sums, run.means.counts = sums, counts
    for name, values in plain["history"].items():
        if len(values) != ended or not all(map(_is_number, values)):
            raise OptionError(
                f"the history of {name} is {cut(repr(values))}, wants {ended:,} numbers"
            )
        run.history[name][:] = values
    entry = copy.deepcopy(plain["entry"])
    if missing := run.entry.keys() - entry.keys():
        raise OptionError(f"the entry of the log has no {min(missing)}: give all of plain()")
    run.entry = {**entry, "steps": run.steps}
    if run.steps:
        run.model.training_log.append(run.entry)
    if run.position:
        run.order = run.order_of(run.epoch)


class _Plain(dict[str, Any]):
    """The plain values of a run; a missing name raises OptionError."""

    def __missing__(self, name: str) -> Any:
        raise OptionError(f"{name!r} is missing: wants all that plain() of a run gives")


def _expect_same_sizes(x: Any, validation: Any, plain: Mapping[str, Any]) -> None:
    """DataError or OptionError unless the data have as many examples as the run's."""
    if hasattr(x, "__len__") and len(x) != plain["examples"]:
        raise DataError(
            f"x has {len(x):,} examples, and the run has {plain['examples']:,}: give the data that "
            f"the run was given"
        )
    n = plain["held_out"]
    if (validation is None) != (n is None):
        had = "no validation data" if n is None else "validation data"
        raise OptionError(f"the run had {had}: give the same validation")
    held_out = validation[0] if is_pair(validation) else validation
    if hasattr(held_out, "__len__") and len(held_out) != n:
        raise DataError(
            f"validation has {len(held_out):,} examples, the run's has {n:,}: give the same"
        )


def _numbers(values: Any, what: str) -> dict[str, Any]:
    """Numbers by name, a copy; OptionError for anything else."""
    if isinstance(values, dict) and all(map(_is_number, values.values())):
        return dict(values)
    raise OptionError(f"the {what} are {cut(repr(values))}, wants numbers by name")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

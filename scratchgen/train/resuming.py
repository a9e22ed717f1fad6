"""A run again, from the arrays and the plain values that one has kept.

What is kept may have gone through a file, and through other hands: whatever does not fit is
refused, and not met some steps later.
"""

import copy
from collections.abc import Mapping
from typing import Any

from ..ground.arguments import Array, whole
from ..ground.errors import DataError, OptionError, cut
from ..models.description import build_model
from ..optim import build
from .examples import is_pair


def resumed(
    kind: Any,
    x: Any,
    arrays: Mapping[str, Array],
    plain: Mapping[str, Any],
    labels: Any,
    validation: Any,
    replay: bool | None,
) -> Any:
    """The run of that kind whose `arrays` and `plain` these are; see Run.resumed."""
    plain = _Plain(plain)
    _expect_given(x, validation, plain)
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
        optimizer={player: build(one) for player, one in plain["optimizers"].items()},
        average=plain["average"],
        validation=validation,
        even_batches=plain["even_batches"],
        replay=replay,
    )
    if run.data.checksum != plain["checksum"]:
        raise DataError(
            "x, or its labels, are as many as the run's, and other ones or in another order: "
            "give the data that it was given"
        )
    run.trainer.take(arrays, plain["trainer"])
    _go_to(run, plain)
    return run


def _go_to(run: Any, plain: Mapping[str, Any]) -> None:
    """Take over all of the plain values but the trainer's: position, history, noise, log."""
    if run.history.keys() != plain["history"].keys():
        raise OptionError(
            f"the history holds {', '.join(plain['history'])}, wants {', '.join(run.history)}"
        )
    try:
        run.noise.bit_generator.state = plain["noise"]
    except (TypeError, ValueError, KeyError, OverflowError) as problem:
        raise OptionError(f"the state of the noise is not that of a run: {problem}") from None
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
        raise OptionError("the sums and the counts are not of the same numbers")
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
    """The plain values of a run; a missing one raises OptionError."""

    def __missing__(self, name: str) -> Any:
        raise OptionError(f"{name!r} is missing: wants all that plain() of a run gives")


def _expect_given(x: Any, validation: Any, plain: Mapping[str, Any]) -> None:
    """DataError or OptionError where a run of these plain values was given other data."""
    if hasattr(x, "__len__") and len(x) != plain["examples"]:
        raise DataError(
            f"x has {len(x):,} examples, and the run {plain['examples']:,}: give the data that it "
            f"was given"
        )
    n = plain["held_out"]
    if (validation is None) != (n is None):
        verb = "was not evaluated" if n is None else "was evaluated"
        raise OptionError(f"the run {verb} on data that are held out: give the same validation")
    held_out = validation[0] if is_pair(validation) else validation
    if hasattr(held_out, "__len__") and len(held_out) != n:
        raise DataError(
            f"validation has {len(held_out):,} examples, and that of the run {n:,}: give the same"
        )


def _numbers(values: Any, what: str) -> dict[str, Any]:
    """Numbers by name, a copy; OptionError for anything else."""
    if isinstance(values, dict) and all(map(_is_number, values.values())):
        return dict(values)
    raise OptionError(f"the {what} are {cut(repr(values))}, wants numbers by name")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""The record of a run in its model's training log; `products` is added at its first step."""

import math
from typing import Any

from ..optim import recorded


def new_entry(run: Any) -> dict[str, Any]:
    """The record of a run that has no steps yet."""
    optimizers, average = run.trainer.optimizers, run.trainer.average
    return {
        "examples": len(run.data.x),
        "batch_size": run.batch_size,
        **({} if run.even_batches else {"even_batches": False}),
        "seed": run.seed,
        "optimizer": {player: recorded(x) for player, x in optimizers.items()},
        **({} if average is None else {"average": average.keep}),
        "epochs": 0,
        "steps": 0,
        "losses": {},
    }


def update_entry(run: Any) -> None:
    """Bring the entry of a run up to date; take it out of the log if the run has no steps."""
    last = {name: values[-1] for name, values in run.history.items() if values}
    finite = {name: value for name, value in last.items() if math.isfinite(value)}
    epochs = max(map(len, run.history.values()))
    run.entry |= {"epochs": epochs, "steps": run.steps, "losses": finite}
    if not run.steps:
        log = run.model.training_log
        log[:] = [entry for entry in log if entry is not run.entry]

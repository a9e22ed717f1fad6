"""Our own process in the bench: it runs epochs of `fit`, or decodes, when it gets a turn.

python -m scratchgen.bench.ours fit "vae 784-128-20, batch 20" [EXAMPLES]
python -m scratchgen.bench.ours decode model|decoder|jit COUNT
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from .. import train
from ..kernels.formulas import want_loops
from . import tasks
from .workers import Turns

FOREVER = 10**9  # epochs


class NoMoreTurns(Exception):
    """The bench has ended."""


class ByTurns(train.Callback):
    """Pauses `fit` after each epoch until the next turn."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began: float | None = None  # None in the first epoch, which compiles

    def on_epoch(self, run: train.Run) -> None:
        now = time.perf_counter()
        if self.began is None:
            self.turns.send(how="sg.fit", loss=run.losses)
        else:
            self.turns.send(seconds=now - self.began)
        if not self.turns.wait():
            raise NoMoreTurns
        self.began = time.perf_counter()


def fit(turns: Turns, name: str, examples: str = "") -> None:
    """One epoch of `sg.fit` in each turn."""
    task = tasks.task(name)
    if examples:
        task = tasks.shortened(task, int(examples))
    x = tasks.examples(task)
    try:
        train.fit(
            tasks.model(task),
            x,
            epochs=FOREVER,
            batch_size=task.batch,
            seed=0,
            optimizer=tasks.optimizers(task),
            even_batches=False,  # as in the other tools
            callbacks=[ByTurns(turns)],
        )
    except NoMoreTurns:
        return


def decode(turns: Turns, how: str, count: str) -> None:
    """Decode one latent vector `count` times in each turn; "jit" as `sg.load(path, jit=True)`."""
    if how == "jit":
        want_loops()
    model: Any = tasks.model(tasks.STEP[0])
    z = tasks.examples(tasks.STEP[0], 1)[:, : model.latent]  # (1, Z)
    if how == "model":
        call: Callable[[Any], Any] = model.decode
    else:
        call = model.prepared_decoder(batch=1)

    def work() -> None:
        for _ in range(int(count)):
            call(z)

    work()
    turns.send(how=how)
    turns.serve(work)


if __name__ == "__main__":
    (fit if sys.argv[1] == "fit" else decode)(Turns(), *sys.argv[2:])

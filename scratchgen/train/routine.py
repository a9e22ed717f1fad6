"""Steps of `fit` that have become a routine are replayed; see kernels/plans.py.

    steps 1 ... 3     run, while kernels are compiled and memory finds its place
    steps 4, 5        run and recorded
    from step 6       replayed, if the two records are alike

counted by themselves for each size of batch, set of players that move, number of threads, twins or
references, the networks, and whatever else the model has as attributes, such as beta: a callback
may change them. What layers and optimizers are set to is frozen anyway.

What is recorded has to be all that a step does. So a part says of itself, `replays = True`, that it
computes with kernels alone, in memory that lasts, and that it announces the rest by `before`,
`here` and `after`. A class that inherits from one that says so has to say it again. A layer,
likelihood, game, penalty or optimizer that does not say it, such as a user's own, is run by Python
in its place (nn/stand_in.py). With a model, an average of weights, or a layer around others that
does not, but for Network and Residual, every step is run.
"""

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..checks import Array
from ..kernels.plans import Plan
from ..kernels.recording import Notes, recording
from ..kernels.twins import twins_run
from ..nn import Layer, Network, Residual, Tape, replays
from ..nn.joins import look_up
from .step import Trainer

RUNS = 3
MOST_KNOWN = 100  # keys; with more, choices change in every step, and all are forgotten


Ready = tuple[Plan, dict[str, dict[str, Any]]]  # and what each player's tape was given


class Routine:
    """Training steps on the rows of x (N, *shape), with labels (N,) where the model joins them."""

    def __init__(
        self, trainer: Trainer, x: Array, labels: Array | None, rng: np.random.Generator
    ) -> None:
        self.trainer = trainer
        self._x, self._labels, self._rng = kernels.lasting(x.reshape(len(x), -1)), labels, rng
        self._tape = Tape()
        # int: how many steps ran; Notes: the first record; Ready: from now on replayed; None: never
        self._known: dict[Any, int | Notes | Ready | None] = {}
        model, blocks = vars(trainer.model), trainer.model.players.values()
        self._choices = [name for name, value in model.items() if isinstance(value, Hashable)]
        self._vectors = [(block, block.vector, block.state) for block in blocks]

    def step(self, rows: Array) -> dict[str, float]:
        """`Trainer.step` on the examples of those rows (n,)."""
        here = self._tape.array("rows", rows.shape, np.int64)
        here[:] = rows
        threads, model = kernels.threads_now(), vars(self.trainer.model)
        turns = self.trainer.turns()
        choices = [model[name] for name in self._choices if name in model]
        networks = self.trainer.model.networks.values()
        key = (
            len(rows),
            turns,
            threads,
            twins_run(),
            len(model),
            *choices,
            *networks,
        )
        moved = any(b.vector is not v or b.state is not s for b, v, s in self._vectors)
        if moved or not _is_hashable(key):  # a callback has put in something of its own
            return self._run(here)
        if key not in self._known:
            if len(self._known) > MOST_KNOWN:  # choices that change in every step
                self._known.clear()
            self._known[key] = 0 if all(map(replays, _parts_of(self.trainer))) else None
        known = self._known[key]
        if isinstance(known, tuple):
            return self.trainer.replay(*known)
        if known is None or (isinstance(known, int) and known < RUNS):
            self._known[key] = None if known is None else known + 1
            return self._run(here)
        with recording() as notes:
            parts = self._run(here)
        if not notes.can_be_replayed():
            self._known[key] = None
        elif isinstance(known, int):
            self._known[key] = notes
        elif notes.like(known):
            given = {player: self.trainer.tapes[player].what_was_given() for player in turns}
            self._known[key] = Plan(notes, threads), given
        else:
            self._known[key] = None
        return parts

    def _run(self, rows: Array) -> dict[str, float]:
        """A step on the gathered examples, in memory that the next step writes over."""
        shape = (len(rows), *self.trainer.model.shape)
        x = self._tape.array("x", shape, self._x.dtype)
        kernels.take_rows(self._x, rows, x.reshape(len(rows), -1))
        labels = None
        if self._labels is not None:
            labels = self._tape.array("labels", rows.shape, self._labels.dtype)
            kernels.before(look_up, self._labels, rows, labels)
        return self.trainer.step(x, self._rng, labels)


def _is_hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _noting(layer: Layer) -> Iterator[Layer]:
    """The layer, and those within it whose kernels have to be noted."""
    yield layer
    stands_in = type(layer) in (Network, Residual)  # for layers that do not replay
    for child in layer.children():
        if not stands_in or replays(child):
            yield from _noting(child)


def _parts_of(trainer: Trainer) -> Iterator[Any]:
    """What has to note itself, because it has no stand-in."""
    yield trainer.model
    for network in trainer.model.networks.values():
        yield from _noting(network)
    if trainer.average is not None:
        yield trainer.average

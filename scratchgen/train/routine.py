"""Steps of `fit` that have become a routine are replayed; see kernels/plans.py.

    steps 1 ... 3     run, while kernels are compiled and memory finds its place
    steps 4, 5        run and recorded
    from step 6       replayed, if the two records are alike; if not, one more is recorded,
                      because a larger batch may have moved the memory between them

Steps are counted apart for each size of batch, set of players that move, number of threads, twins
or references, the networks, and whatever else the model has as attributes, such as beta: a callback
may change them. What layers and optimizers are set to is frozen anyway, and a method that is put
onto one of them in the middle of a run is not noticed.

What is recorded has to be all that a step does. So a part says of itself, `replays = True`, that it
computes with kernels alone, in memory that lasts, and that it announces the rest by `before`,
`here` and `after`. A class that inherits from one that says so has to say it again. A layer,
likelihood, game, penalty or optimizer that does not say it, such as a user's own, is run by Python
in its place (nn/stand_in.py). With a model, an average of weights, or a layer around others that
does not, but for Network and Residual, every step is run; so it is with a part that says
`replays = None`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..checks import Array
from ..kernels.plans import Plan
from ..kernels.recording import Notes, recording
from ..kernels.twins import twins_run
from ..nn import Layer, Network, Residual, Tape, distinct_layers, replays
from ..nn.joins import look_up
from .step import Trainer

RUNS = 3
PLAIN = (int, float, str, bool, type(None))  # of which equal ones are the same
MOST_KNOWN = 100  # keys; with more, choices change in every step, and all are forgotten


Ready = tuple[Plan, dict[str, dict[str, Any]]]  # and what each player's tape was given


class Routine:
    """Training steps on the rows of x (N, *shape), with labels (N,) where the model joins them.

    x may be of any dtype: rows are converted to the model's when they are gathered.
    """

    def __init__(
        self, trainer: Trainer, x: Array, labels: Array | None, rng: np.random.Generator
    ) -> None:
        self.trainer = trainer
        self._x, self._labels, self._rng = kernels.lasting(x.reshape(len(x), -1)), labels, rng
        self._tape = Tape()
        # int: how many steps ran; Notes: the first record; Ready: from now on replayed; None: never
        self._known: dict[Any, int | Notes | Ready | None] = {}
        self._differed: set[Any] = set()  # keys of which two records were not alike
        self._alive: list[list[Any]] = []
        blocks = trainer.model.players.values()
        self._vectors = [(block, block.vector, block.state) for block in blocks]

    def step(self, rows: Array) -> dict[str, float]:
        """`Trainer.step` on the examples of those rows (n,)."""
        here = self._tape.array("rows", rows.shape, np.int64)
        here[:] = rows
        threads, turns, model = kernels.threads_now(), self.trainer.turns(), self.trainer.model
        if any(b.vector is not v or b.state is not s for b, v, s in self._vectors):
            return self._run(here)  # a callback has put in something of its own
        choices = [*vars(model).values(), *model.networks.values()]
        plain = [one if type(one) in PLAIN else id(one) for one in choices]
        key = (len(rows), turns, threads, twins_run(), *plain)
        if key not in self._known:
            if len(self._known) > MOST_KNOWN:  # choices that change in every step
                self._known.clear()
                self._differed.clear()
                self._alive.clear()
            self._alive.append(choices)  # so that nothing else gets an id of these
            self._known[key] = 0 if _can_be_recorded(self.trainer) else None
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
            self._known[key] = None if key in self._differed else notes
            self._differed.add(key)
        return parts

    def _run(self, rows: Array) -> dict[str, float]:
        """A step on the gathered examples, in memory that the next step writes over."""
        shape = (len(rows), *self.trainer.model.shape)
        x = self._tape.array("x", shape, self.trainer.model.dtype)
        if self._x.dtype == x.dtype:
            kernels.take_rows(self._x, rows, x.reshape(len(rows), -1))
        else:
            kernels.before(look_up, self._x, rows, x.reshape(len(rows), -1))
        labels = None
        if self._labels is not None:
            labels = self._tape.array("labels", rows.shape, self._labels.dtype)
            kernels.before(look_up, self._labels, rows, labels)
        return self.trainer.step(x, self._rng, labels)


def _noting(layer: Layer) -> Iterator[Layer]:
    """The layer, and those within it whose kernels have to be noted."""
    yield layer
    stands_in = type(layer) in (Network, Residual)  # for layers that do not replay
    for child in layer.children():
        if not stands_in or replays(child):
            yield from _noting(child)


def _can_be_recorded(trainer: Trainer) -> bool:
    """Whether all that has no stand-in notes what it does, and no part refuses to be replayed."""
    model, networks = trainer.model, trainer.model.networks.values()
    noting = [model, *(layer for network in networks for layer in _noting(network))]
    if trainer.average is not None:
        noting.append(trainer.average)
    others: list[Any] = [*model.parts(), *(one for net in networks for one in distinct_layers(net))]
    for optimizer in trainer.optimizers.values():
        one: Any = optimizer
        while one is not None:  # one may stand in another
            others.append(one)
            one = getattr(one, "optimizer", None)
    refused = any(getattr(part, "replays", False) is None for part in others)
    return not refused and all(map(replays, noting))

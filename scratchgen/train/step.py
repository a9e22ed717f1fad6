"""One step of training: for each player whose turn it is, objective, optimizer, settle.

    value = objective(...)     and gradient = d value / d vector           (1)
    update                     the vector, by the gradient                 (2)
    settle                     the state, by what the pass learnt          (3)
    average                    of vector and state so far, where asked     (4)

Players move one after the other, each against what the others are by then.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checks import Array
from ..errors import DivergedError
from ..kernels import recording
from ..models import Model
from ..models.model import as_floats
from ..nn import Tape
from ..optim import MovingAverage, Optimizer
from ..optim.optimizers import expect_written
from ..rng import Rng, generator


class Trainer:
    """What training remembers of each player between steps: gradient, optimizer memory, tape.

    With `average`, also the average of its weights and state.
    """

    def __init__(
        self,
        model: Model,
        optimizers: dict[str, Optimizer],
        average: MovingAverage | None = None,
    ) -> None:
        self.model = model
        self.optimizers = optimizers
        self.average = average
        self.begun = model.steps_trained
        self.steps = self.begun  # whose turn it is depends on all steps that there have been
        self.is_moving = False  # from the first change that a step makes to its end
        self.others_run = False  # whether there are parts of a user's own that a replay runs
        self.memories: dict[str, Any] = {}
        self.averages: dict[str, tuple[Any, Any]] = {}
        self.gradients, self.tapes = {}, {}
        self.reports: dict[str, dict[str, Array]] = {}  # of the last step, by player
        self.numbered: Callable[[int], Any] = int  # how objectives get a step's number
        for player, block in model.players.items():
            self.memories[player] = optimizers[player].memory(block.vector)
            self.gradients[player] = block.zeros_like()
            self.tapes[player] = Tape()
            if average:
                self.averages[player] = average.memory(block.vector), average.memory(block.state)
        self.remember()

    def step(self, batch: Array, rng: Rng, labels: Array | None = None) -> dict[str, float]:
        """One step on batch (N, *shape): the parts of each moved player's number, before it moved.

        labels (N,) are for networks with JoinLabels.

        Raises DivergedError where a player's number is not finite: that player does not move, the
        players before it have moved.
        """
        rng = generator(rng)
        self.reports = {}
        for player in self.turns():
            gradient, tape = self.gradients[player], self.tapes[player]
            gradient.clear()
            self.model.objective(  # (1)
                player, batch, rng, gradient, tape, step=self.numbered(self.steps), labels=labels
            )
            self.reports[player] = report = _report(tape)
            # run here, and again where the step is replayed (replay.py)
            recording.act(_check, (player, report), read=tuple(report.values()))
            recording.act(self._begin_to_move, fenced=self.others_run)
            theta, optimizer = self.model.players[player].vector, self.optimizers[player]
            found: Any = optimizer.update(  # type: ignore[func-returns-value] # (2)
                theta, gradient.vector, self.memories[player]
            )
            expect_written(optimizer, theta, found)
            self.model.settle(player, tape)  # (3)
            if self.average:
                self._count(player, self.average)  # (4)
        self.ended()
        return self.parts()

    def _begin_to_move(self) -> None:
        self.is_moving = True

    def ended(self) -> None:
        """Count a step that has come to its end."""
        self.steps += 1
        self.is_moving = False

    def parts(self) -> dict[str, float]:
        """What the players of the last step minimised, with its parts."""
        parts: dict[str, float] = {}
        for report in self.reports.values():
            parts |= as_floats(report)
        return parts

    def turns(self) -> tuple[str, ...]:
        """The players that move in the next step."""
        return self.model.turns(self.steps)

    def remember(self) -> None:
        """Remember what training gives so far, to go back to."""
        self.good, self.good_steps = self._result(), self.steps

    def go_back(self) -> None:
        """Give the model what was last remembered, for good."""
        self._give(self.good)
        self.steps, self.is_moving = self.good_steps, False
        self.averages.clear()  # or `finish` would give those

    def is_sound(self) -> bool:
        """Whether the model stands at the end of a step, and all its numbers are finite."""
        blocks = self.model.players.values()
        return not self.is_moving and all(block.is_finite() for block in blocks)

    @contextmanager
    def with_averages(self) -> Iterator[None]:
        """Within its `with`, the model has the averages so far, where they are asked for."""
        if not self.averages:
            yield
            return
        training = {player: block.snapshot() for player, block in self.model.players.items()}
        self.finish()
        try:
            yield
        finally:
            self._give(training)

    def finish(self) -> None:
        """Give the model what training gives."""
        self._give(self._result())

    def _result(self) -> dict[str, tuple[Array, Array]]:
        """By player: its vector and state, or their averages."""
        result = {player: block.snapshot() for player, block in self.model.players.items()}
        for player, memories in self.averages.items():
            if self.average and memories[0].t:
                vector, state = map(self.average.average, memories)
                result[player] = vector, state
        return result

    def _give(self, result: dict[str, tuple[Array, Array]]) -> None:
        for player, block in self.model.players.items():
            block.restore(result[player])

    def _count(self, player: str, average: MovingAverage) -> None:
        block, (of_vector, of_state) = self.model.players[player], self.averages[player]
        average.update(block.vector, of_vector)
        average.update(block.state, of_state)


def _report(tape: Tape) -> dict[str, Array]:
    """The numbers that an objective has left on its tape, as arrays (1,).

    A user's own objective may have put other numbers there than `minimise` has reported.
    """
    reports: dict[str, Array] = vars(tape).get("reports", {})
    if reports and as_floats(reports) == tape.parts:
        return reports
    return {name: np.array([value]) for name, value in tape.parts.items()}


def _check(player: str, report: dict[str, Array]) -> None:
    value = float(next(iter(report.values()))[0])  # the first is what the player minimises
    if not abs(value) < float("inf"):
        raise DivergedError(f"what the {player} minimises became {value}")

"""One step of training: for each player whose turn it is, objective, optimizer, settle.

    value = objective(...)     and gradient = d value / d theta                             (1)
    update                     theta, the parameters that the player moves, by the gradient (2)
    settle                     the state, by what the passes learnt about it                (3)
    average                    the weights of the networks that moved, if averages are kept (4)

To settle is to write what the passes learnt about the state, such as running means. An average of
the weights over the last steps is often a better model than the weights themselves; it is kept
beside them, and changes nothing in training.

Players move one after the other, and each sees the others as they are by then. (4) comes after all
of them, so that a network that two players move counts once.
"""

from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..ground.errors import DivergedError
from ..ground.rng import Rng, generator
from ..models import Model
from ..models.reported_numbers import reported_floats
from ..nn import Tape
from ..optim import MovingAverage, Optimizer
from ..optim.optimizers import expect_written


class Trainer:
    """Takes steps, and keeps what each player needs from step to step.

    Attributes:
        gradients, memories, tapes: of each player; memories are those of the optimizers.
        averages: of each network, the memories of its averaged weights and state.
        model_steps: the steps that the model has been trained, in this training and before it.
        steps_before: those before it.
        reports: the numbers of the last step, by player and name, as arrays (1,).
        is_moving: True from a step's first change to the model until the step ends.
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
        self.model_steps = self.steps_before = model.steps_trained
        self.is_moving = False
        self.memories: dict[str, Any] = {}
        self.averages: dict[str, tuple[Any, Any]] = {}
        self.gradients, self.tapes = {}, {}
        self.reports: dict[str, dict[str, Array]] = {}
        for player in model.players:
            self.memories[player] = optimizers[player].memory(model.theta(player))
            self.gradients[player] = model.gradient(player)
            self.tapes[player] = Tape()
        if average:
            for name in model.networks:
                theta, state = model.block.theta((name,)), model.block.state_of(name)
                self.averages[name] = average.memory(theta), average.memory(state)

    def step(self, batch: Array, rng: Rng, labels: Array | None = None) -> dict[str, float]:
        """One step on batch (N, *shape): what each player that moves minimises, and its parts.

        A player's numbers are computed before it moves. labels (N,) are for models that want them.

        Raises DivergedError where a player's number is not finite: that player does not move then,
        but the players before it have moved.
        """
        rng = generator(rng)
        self.reports = {}
        for player in self.turns():
            gradient, tape = self.gradients[player], self.tapes[player]
            gradient.clear()
            self.model.objective(  # (1)
                player, batch, rng, gradient, tape, step=self.step_number(), labels=labels
            )
            self.reports[player] = report = _report(tape)
            self._begin_to_move(player, report)
            optimizer: Any = self.optimizers[player]
            theta, memory = self.model.theta(player), self.memories[player]
            returned = optimizer.update(theta, gradient.vector, memory)  # (2)
            expect_written(optimizer, theta, returned)
            self.model.settle(player, tape)  # (3)
        if self.average:
            self._update_averages(self.average)  # (4)
        self.end_step()
        return self.parts()

    def turns(self) -> tuple[str, ...]:
        """The players that move in the next step."""
        return self.model.turns(self.model_steps)

    def step_number(self) -> Any:
        """The number of the next step, counted from 0, for the objectives."""
        return self.model_steps

    def parts(self) -> dict[str, float]:
        """The numbers that the players of the last step minimised, and their parts."""
        parts: dict[str, float] = {}
        for report in self.reports.values():
            parts |= reported_floats(report)
        return parts

    def end_step(self) -> None:
        """Count a step that has ended."""
        self.model_steps += 1
        self.is_moving = False

    def _begin_to_move(self, player: str, report: dict[str, Array]) -> None:
        """Expect a finite number; from here on the model changes."""
        expect_finite(player, report)
        self.is_moving = True

    def _update_averages(self, average: MovingAverage) -> None:
        """Update the averages of the networks that have moved in this step."""
        moved = {name for player in self.reports for name in self.model.players[player]}
        for name, (of_theta, of_state) in self.averages.items():
            if name in moved:
                average.update(self.model.block.theta((name,)), of_theta)
                average.update(self.model.block.state_of(name), of_state)


def _report(tape: Tape) -> dict[str, Array]:
    """The numbers that an objective left on its tape, as arrays (1,).

    A user's own objective may have put other numbers into tape.parts than `minimise` returned.
    """
    reports: dict[str, Array] = vars(tape).get("reports", {})
    if reports and reported_floats(reports) == tape.parts:
        return reports
    return {name: np.array([value]) for name, value in tape.parts.items()}


def expect_finite(player: str, report: dict[str, Array]) -> None:
    """DivergedError where what the player minimises is not finite."""
    value = float(next(iter(report.values()))[0])  # the first is what the player minimises
    if not abs(value) < float("inf"):
        raise DivergedError(f"what the {player} minimises became {value}")

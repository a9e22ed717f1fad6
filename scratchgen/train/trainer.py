"""One step of training: for each player whose turn it is, objective, optimizer, settle.

    value = objective(...)     and gradient = d value / d theta                             (1)
    update                     theta, the parameters that the player moves, by the gradient (2)
    settle                     the state, by what the passes learnt about it                (3)
    average                    of the networks that moved, where averages are wanted        (4)

Players move one after the other, each against what the others are by then. (4) comes when all have
moved, so that a network that two players move counts once.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..ground.arguments import Array, array_text, whole
from ..ground.errors import DivergedError, OptionError, cut
from ..ground.rng import Rng, generator
from ..kernels import recording
from ..models import Model
from ..models.model import as_floats
from ..nn import Tape
from ..optim import MovingAverage, Optimizer
from ..optim.memory import contents, put
from ..optim.optimizers import expect_written


class Trainer:
    """Takes steps, and keeps what each player needs from step to step.

    That is its gradient, its optimizer's memory and its tape. With `average`, there is also an
    average of each network's weights and state. `remember` keeps the result of training so far, to
    which `go_back` returns after a step that failed.
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
        self.begun = model.steps_trained  # the model's steps before this training
        self.steps = self.begun  # the model's steps so far, on which it depends whose turn it is
        self.is_moving = False  # True from a step's first change to the model until the step ends
        self.others_run = False  # whether a replay runs parts of the user's own
        self.memories: dict[str, Any] = {}
        self.averages: dict[str, tuple[Any, Any]] = {}
        self.gradients, self.tapes = {}, {}
        self.reports: dict[str, dict[str, Array]] = {}  # of the last step, by player
        self.numbered: Callable[[int], Any] = int  # the form in which objectives get the step
        # vector and state that training goes on from, while the model holds averages
        self.kept: tuple[Array, Array] | None = None
        self.went_back = False
        for player in model.players:
            self.memories[player] = optimizers[player].memory(model.theta(player))
            self.gradients[player] = model.gradient(player)
            self.tapes[player] = Tape()
        if average:
            for name in model.networks:
                theta, state = model.block.theta((name,)), model.block.state_of(name)
                self.averages[name] = average.memory(theta), average.memory(state)
        self.remember()

    def step(self, batch: Array, rng: Rng, labels: Array | None = None) -> dict[str, float]:
        """One step on batch (N, *shape): the number of each player that moves, and its parts.

        They are from before that player moved. labels (N,) are for models that want them.

        Raises DivergedError where a player's number is not finite: then that player does not move,
        but the players before it have moved.
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
            # `act` calls the function now, and again whenever the step is replayed (replay.py)
            recording.act(_check, (player, report), read=tuple(report.values()))
            recording.act(self._begin_to_move, fenced=self.others_run)
            theta, optimizer = self.model.theta(player), self.optimizers[player]
            found: Any = optimizer.update(  # type: ignore[func-returns-value] # (2)
                theta, gradient.vector, self.memories[player]
            )
            expect_written(optimizer, theta, found)
            self.model.settle(player, tape)  # (3)
        if self.average:
            self._update_averages(self.average)  # (4)
        self.ended()
        return self.parts()

    def _begin_to_move(self) -> None:
        self.is_moving = True

    def ended(self) -> None:
        """Count a step that has ended."""
        self.steps += 1
        self.is_moving = False

    def parts(self) -> dict[str, float]:
        """The numbers that the players of the last step minimised, and their parts."""
        parts: dict[str, float] = {}
        for report in self.reports.values():
            parts |= as_floats(report)
        return parts

    def turns(self) -> tuple[str, ...]:
        """The players that move in the next step."""
        return self.model.turns(self.steps)

    def remember(self) -> None:
        """Keep the result of training so far, for `go_back`."""
        self.good, self.good_steps = self._result(), self.steps

    def go_back(self) -> None:
        """Give the model what `remember` kept last; training cannot go on from there."""
        self.model.block.restore(self.good)
        self.steps, self.is_moving = self.good_steps, False
        self.averages.clear()  # or `finish` would give the model these
        self.kept, self.went_back = None, True

    def is_sound(self) -> bool:
        """Whether the model stands at the end of a step, and all its numbers are finite."""
        return not self.is_moving and self.model.is_finite()

    @contextmanager
    def with_averages(self) -> Iterator[None]:
        """Within its `with`, the model has the averages so far, if there are averages."""
        if not self.averages or self.kept is not None:  # the model has them already
            yield
            return
        self.finish()
        try:
            yield
        finally:
            self._go_on()

    def _go_on(self) -> None:
        """Give the model the weights that training goes on from."""
        if self.kept is not None:
            self.model.block.restore(self.kept)
            self.kept = None

    def finish(self) -> None:
        """Give the model the result of training; keep the weights that training goes on from."""
        if self.averages and self.kept is None:
            self.kept = self.model.block.snapshot()
        self.model.block.restore(self._result())

    def arrays(self) -> dict[str, Array]:
        """All arrays that decide the next step, by name, and what `go_back` needs.

        Raises OptionError where a step was broken off, and KindError for an optimizer of the user's
        own whose memory is no `contents`.
        """
        self.expect_whole()
        block = self.model.block
        vector, state = self.kept or (block.vector, block.state)
        arrays = {"vector": vector, "state": state}
        arrays |= dict(zip(("good.vector", "good.state"), self.good, strict=True))
        entries = self._memory_entries()
        return arrays | {name: np.asarray(x) for name, *_, x in entries if _is_of_numpy(x)}

    def counts(self) -> dict[str, Any]:
        """The plain numbers that decide the next step, by name. Raises what `arrays` raises."""
        self.expect_whole()
        numbers = {name: x for name, *_, x in self._memory_entries() if not _is_of_numpy(x)}
        return numbers | {"steps": self.steps, "begun": self.begun, "good_steps": self.good_steps}

    def take(self, arrays: Mapping[str, Array], counts: Mapping[str, Any]) -> None:
        """Go on from the `arrays` and `counts` of another trainer of the same kind of model.

        Raises OptionError where names, shapes or dtypes differ from this trainer's own.
        """
        own = self.arrays()
        given = {name: np.asarray(x) for name, x in arrays.items()}
        problem = _mismatch(own, given) or _mismatch(self.counts(), counts)
        for name in () if problem else ("steps", "begun", "good_steps"):
            whole(counts[name], name, least=0 if name == "begun" else counts["begun"])
        if problem:
            raise OptionError(f"these are not the arrays and numbers of a run like this: {problem}")
        for name in ("vector", "state", "good.vector", "good.state"):
            own[name][...] = given[name]
        for name, owner, key, value in list(self._memory_entries()):
            if isinstance(value, np.ndarray):
                value[...] = given[name]
            else:
                put(owner, key, given[name][()] if _is_of_numpy(value) else counts[name])
        self.begun = counts["begun"]
        self.steps, self.good_steps = counts["steps"], counts["good_steps"]

    def expect_whole(self, is_whole: bool = True) -> None:
        """OptionError where a step was broken off: then there is nothing to go on from."""
        if not is_whole or self.is_moving or self.went_back:
            raise OptionError(
                "a step of this run was broken off, so that it cannot go on: call finish(), and "
                "begin another run, or resume what was kept of this one"
            )

    def _memory_entries(self) -> Iterator[tuple[str, Any, Any, Any]]:
        """What optimizers and averages remember, as `contents` lists it."""
        for player, memory in self.memories.items():
            yield from contents(memory, f"memory.{player}")
        for name, memories in self.averages.items():
            for what, memory in zip(("vector", "state"), memories, strict=True):
                yield from contents(memory, f"average.{name}.{what}")

    def _result(self) -> tuple[Array, Array]:
        """The result of training: vector and state, averaged where a network has averages."""
        block = self.model.block
        vector, state = block.snapshot()
        for name, (of_theta, of_state) in self.averages.items():
            if self.average and of_theta.t:
                vector[block.layout.slices[name]] = self.average.average(of_theta)
                state[block.layout.state_slices[name]] = self.average.average(of_state)
        return vector, state

    def _update_averages(self, average: MovingAverage) -> None:
        """Update the averages of the networks that have moved in this step."""
        moved = {name for player in self.reports for name in self.model.players[player]}
        for name, (of_theta, of_state) in self.averages.items():
            if name in moved:
                average.update(self.model.block.theta((name,)), of_theta)
                average.update(self.model.block.state_of(name), of_state)


def _is_of_numpy(x: Any) -> bool:
    """Whether it is an array, or a number that has a dtype."""
    return isinstance(x, np.ndarray | np.generic)


def _mismatch(own: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """How the given arrays or numbers differ in name, shape or dtype from the own; or ""."""
    for name in sorted(own.keys() | given.keys()):
        if name not in given:
            return f"{name!r} is missing"
        if name not in own:
            return f"{name!r} is none of theirs"
        x, y = own[name], given[name]
        if isinstance(x, np.ndarray) and (x.shape, x.dtype) != (y.shape, y.dtype):
            return f"{name!r} is {array_text(y)}, wants {array_text(x)}"
        if isinstance(x, int | float) and type(x) is not type(y):
            return f"{name!r} is {cut(repr(y))}, wants a number like {x!r}"
    return ""


def _report(tape: Tape) -> dict[str, Array]:
    """The numbers that an objective left on its tape, as arrays (1,).

    A user's own objective may have put other numbers into tape.parts than `minimise` returned.
    """
    reports: dict[str, Array] = vars(tape).get("reports", {})
    if reports and as_floats(reports) == tape.parts:
        return reports
    return {name: np.array([value]) for name, value in tape.parts.items()}


def _check(player: str, report: dict[str, Array]) -> None:
    """DivergedError where what the player minimises is not finite."""
    value = float(next(iter(report.values()))[0])  # the first is what the player minimises
    if not abs(value) < float("inf"):
        raise DivergedError(f"what the {player} minimises became {value}")

"""A run is one object: everything that decides the next step of training, and `step` to take it.

    run = Run(model, x, epochs=3, seed=0)
    while not run.is_done():
        run.step()
    run.finish()                                   the whole of `fit`, without callbacks

    arrays, plain = run.arrays(), run.plain()      all of it, as arrays and as plain values
    run = Run.resumed(x, arrays, plain)            goes on to the same bits

All randomness comes from one seed. The order of an epoch's batches is drawn anew from the seed and
the number of the epoch, so that a position in the data is two numbers: the epoch, and the step in
it. The noise is one stream, from the first step of the run to the last. Both also depend on the
number of steps that the model was trained before, so that a second run repeats nothing.

    order = permutation drawn by stream(seed, "batches", steps trained before, epoch)       (1)

Where the weights are averaged, the averages are evaluated, and the model gets them at the end;
training itself goes on from the weights.
"""

import copy
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

import numpy as np

from ..data.batching import batch_slices, checked_size
from ..ground.arguments import Array, fraction, nearest, whole
from ..ground.errors import DivergedError, KindError, OptionError, ScratchgenError, cut
from ..ground.keywords import ExplainsKeywords
from ..ground.rng import chosen_seed, stream
from ..models import Model
from ..models.description import describe_model
from ..nn import Tape
from ..optim import MovingAverage, Optimizer, describe, optimizer_for, recorded
from .examples import Examples, History, Means, held_out_examples
from .replay import StepEngine
from .resuming import resumed
from .scales import scale_advice
from .trainer import Trainer

DEFAULT_BATCH = 128
LARGE = 10  # where |x| exceeds it, the scale of the data is the likely reason for divergence


class Run(ExplainsKeywords):
    """The training of `model` on x, from its present weights; see the top of this file.

    Arguments and errors are those of `fit`, except for callbacks and progress.

    Attributes:
        model: the model in training.
        seed: of the order of batches, and of the noise.
        epochs, steps_per_epoch: how many there are.
        epoch: the present epoch of this run, counted from 1; 0 before the first step.
        steps: how many are done in this run.
        is_finished: whether `finish` was called.
        losses: the means over the epoch so far.
        history: of the epochs that have ended.
    """

    def __init__(
        self,
        model: Model,
        x: Any,
        *,
        epochs: int,
        batch_size: int | None = None,
        seed: int | None = None,
        labels: Any = None,
        optimizer: Any = None,
        average: float | None = None,
        validation: Any = None,
        even_batches: bool = True,
        replay: bool | None = None,
    ) -> None:
        if not isinstance(model, Model):
            raise KindError(
                f"a run got {type(model).__name__} as its model: wants one of sg.models"
            )
        self.model, self.epochs = model, whole(epochs, "epochs")
        self.data = Examples.of(model, x, labels, "x")
        n = len(self.data.x)
        size = min(DEFAULT_BATCH, n) if batch_size is None else batch_size
        self.batch_size, self.even_batches = checked_size(size, n), bool(even_batches)
        self._held_out = None if validation is None else held_out_examples(model, validation)
        moving = None if average is None else MovingAverage(fraction(average, "average"))
        self.seed = chosen_seed(seed)
        self._slices = batch_slices(n, self.batch_size, self.even_batches)
        self.steps_per_epoch = len(self._slices)
        optimizers = _by_player(model, optimizer, self.epochs * self.steps_per_epoch)
        names = model.reported
        if self._held_out is not None:
            names = (*names, *map(_val, names))
        self.history = History(names, self.seed)
        self.epoch = self.position = 0  # the epoch under way, and how many steps of it are done
        self.is_finished = False
        self._is_within = False  # a step
        self.losses: dict[str, float] = {}
        self.means, self.order = Means(), np.arange(0)
        self.trainer = Trainer(model, optimizers, moving)
        self.noise = stream(self.seed, "noise", *([self.begun] if self.begun else []))
        self.engine = StepEngine(self.trainer, self.data.x, self.data.labels, self.noise, replay)
        self.entry = {  # this run's record in model.training_log, from its first step on
            "examples": n,
            "batch_size": self.batch_size,
            **({} if self.even_batches else {"even_batches": False}),
            "seed": self.seed,
            "optimizer": {player: recorded(one) for player, one in optimizers.items()},
            **({} if moving is None else {"average": moving.keep}),
            "epochs": 0,
            "steps": 0,
            "losses": {},
        }
        model.history = self.history

    @property
    def begun(self) -> int:
        """How many steps the model had been trained when this run began."""
        return self.trainer.begun

    @property
    def steps(self) -> int:
        """Steps done in this run."""
        return self.trainer.steps - self.trainer.begun

    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self.epoch >= self.epochs and self.position in (0, self.steps_per_epoch)

    def is_at_end_of_epoch(self) -> bool:
        """Whether the last step of an epoch is done, so that `end_epoch` is to follow."""
        return self.position == self.steps_per_epoch

    def step(self) -> dict[str, float]:
        """One step: the number of each player that moves, from before it moves, and its parts.

        It first calls `end_epoch`, where that is due and was not called. Raises DivergedError where
        a loss, or a weight at the end of an epoch, is not finite: the model then has the weights of
        the last epoch that ended well. Raises OptionError where there is no further step: all are
        done, the run was finished, or a step was broken off.
        """
        self._expect_whole()
        if self.is_finished:
            raise OptionError("this run was finished: begin another, whose weights go on from here")
        if self.is_done():
            raise OptionError(
                f"all {self.steps:,} steps of this run are done: call finish(), and begin another "
                f"run for more"
            )
        if self.is_at_end_of_epoch():
            self.end_epoch()
        if not self.position:
            self._begin_epoch()
        rows = self.order[self._slices[self.position]]
        self._is_within = True
        # overflow shows in the loss, which is checked, and an underflow to 0 is right
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            try:
                parts = self.engine.step(rows)
            except DivergedError as problem:
                raise self._diverged(str(problem), self.position + 1) from None
        self.means.add(parts, len(rows))
        self.position += 1
        self.losses = self.means.values()
        if not self.entry["steps"]:
            self._expect_names(parts)
            self.model.training_log.append(self.entry)
        self.entry["steps"] = self.steps
        self._is_within = False
        return parts

    def _expect_names(self, parts: Mapping[str, float]) -> None:
        """OptionError for a number by a name that the history does not have."""
        if unknown := parts.keys() - self.history.keys():
            raise OptionError(
                f"the {self.model.kind} minimises {min(unknown)!r}, which is none of its numbers, "
                f"{', '.join(self.model.reported)}: add it to `reported`"
            )

    def _expect_whole(self) -> None:
        """OptionError where a step was broken off, even before anything had moved.

        The noise that it drew is gone, and the step may count already where it was broken off.
        """
        self.trainer.expect_whole(not self._is_within)

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self.means = Means()
        self.order = self.order_of(self.epoch)
        self.engine.look_again()

    def order_of(self, epoch: int) -> Array:
        """The examples in the order in which that epoch sees them (N,)."""
        return stream(self.seed, "batches", self.begun, epoch).permutation(len(self.data.x))  # (1)

    def end_epoch(self) -> None:
        """End an epoch whose steps are done: evaluate, and add to the history and the log.

        Raises DivergedError where a weight is not finite, OptionError before the epoch's last step.
        """
        if not self.is_at_end_of_epoch():
            raise OptionError(
                f"{self.position} of the {self.steps_per_epoch} steps of an epoch are done: call "
                f"end_epoch() after the last, where is_at_end_of_epoch()"
            )
        if not self.model.is_finite():
            raise self._diverged("a weight stopped being finite", self.position)
        self.trainer.remember()
        if self._held_out is not None:
            with self.trainer.with_averages():
                evaluated = self._evaluated(self._held_out)
            self.losses = {**self.losses, **evaluated}
        # what is broken off before this can be called again
        for name, values in self.history.items():
            values.append(self.losses.get(name, math.nan))  # nan where there was no turn
        self.position = 0
        self._log()

    def with_averages(self) -> AbstractContextManager[None]:
        """Within its `with`, the model has the averages so far, if there are averages."""
        return self.trainer.with_averages()

    def finish(self) -> None:
        """Give the model the result of the run, whatever has ended it, and complete the log.

        Where a step was broken off, that is the result of the last epoch that ended. A second call
        changes nothing.
        """
        self.is_finished = True
        if self.is_at_end_of_epoch() and self.trainer.is_sound():
            self.end_epoch()
        if not self.trainer.is_sound():
            self.trainer.go_back()
        self.trainer.finish()
        self._log()

    def _log(self) -> None:
        """Bring the record up to date; without any steps, take it out of the model's log."""
        last = {name: values[-1] for name, values in self.history.items() if values}
        finite = {name: value for name, value in last.items() if math.isfinite(value)}
        epochs = max(map(len, self.history.values()))
        self.entry |= {"epochs": epochs, "steps": self.steps, "losses": finite}
        if not self.steps:
            log = self.model.training_log
            log[:] = [entry for entry in log if entry is not self.entry]

    def _evaluated(self, held_out: Examples) -> dict[str, float]:
        """Every player's number on the held-out examples, with the same noise at each evaluation.

        The weights are finite here, so that a nan comes from an overflow: the loss is then inf.
        """
        model, means, tape = self.model, Means(), Tape()
        noise = stream(self.seed, "validation")
        for start in range(0, len(held_out.x), self.batch_size):
            x, labels = held_out.at(slice(start, start + self.batch_size))
            x = np.asarray(x, model.dtype)  # (at most batch_size, *shape)
            for player in model.players:
                with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                    model.objective(player, x, noise, tape=tape, training=False, labels=labels)
                means.add(tape.parts, len(x))
        values = means.values()
        return {_val(n): math.inf if math.isnan(value) else value for n, value in values.items()}

    def _diverged(self, problem: str, step: int) -> DivergedError:
        """The error for a problem in that step of the epoch; first, the run goes back."""
        self.trainer.go_back()
        self.position = 0
        place = f"epoch {self.epoch}, step {step} of {self.steps_per_epoch}"
        kept = f"the end of epoch {self.epoch - 1}" if self.epoch > 1 else "the start"
        return DivergedError(
            f"{problem} in {place}; the model has the weights of {kept} again: {self._advice()}"
        )

    def _advice(self) -> str:
        """What to do where training has diverged."""
        x, model = self.data.x, self.model
        largest = max(-float(x.min()), float(x.max()))
        if largest > LARGE and model.scaler is not None:
            return (
                f"x, scaled, reaches {largest:.4g}, so fit the scaler on the data to train on, "
                f"without what is far from all else, or try a lower learning rate"
            )
        if largest > LARGE and model.is_density():
            line = (
                "build the model with scaler=sg.data.Scaler.standard(x) (in a shell: --scale "
                "standard)"
            )
            return f"x reaches {largest:.4g}, so {line if x.ndim == 2 else scale_advice(x)}"
        return "try a lower learning rate"

    def __getstate__(self) -> Any:
        raise KindError(
            "a run is not copied or pickled, because its parts share memory: keep arrays() and "
            "plain(), and go on with Run.resumed"
        )

    def arrays(self) -> dict[str, Array]:
        """Copies of all arrays that decide the next step, by name.

        Raises KindError where an optimizer of the user's own remembers what is no array, and
        OptionError where a step was broken off.
        """
        self._expect_whole()
        return {name: x.copy() for name, x in self.trainer.arrays().items()}

    def plain(self) -> dict[str, Any]:
        """All else that decides it, except for the data, as numbers, text, None, lists and dicts.

        Raises OptionError for models, layers, parts, optimizers and schedules of the user's own
        that are not known by name, and where a step was broken off.
        """
        self._expect_whole()
        log = self.model.training_log
        return copy.deepcopy(
            {
                "model": describe_model(self.model),
                "training": [entry for entry in log if entry is not self.entry],
                "entry": self.entry,
                "optimizers": {p: describe(one) for p, one in self.trainer.optimizers.items()},
                "average": self.trainer.average.keep if self.trainer.average else None,
                "seed": self.seed,
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "even_batches": self.even_batches,
                "examples": len(self.data.x),
                "checksum": self.data.checksum,
                "held_out": None if self._held_out is None else len(self._held_out.x),
                "epoch": self.epoch,
                "position": self.position,
                "noise": self.noise.bit_generator.state,
                "sums": self.means.sums,
                "counts": self.means.counts,
                "losses": self.losses,
                "history": dict(self.history),
                "trainer": self.trainer.counts(),
            }
        )

    @classmethod
    def resumed(
        cls,
        x: Any,
        arrays: Mapping[str, Array],
        plain: Mapping[str, Any],
        *,
        labels: Any = None,
        validation: Any = None,
        replay: bool | None = None,
    ) -> Self:
        """The run whose `arrays` and `plain` these are; it goes on to the same bits.

        x, labels and validation have to be those of that run. Raises OptionError, DataError or
        ShapeError where they cannot be, or where arrays and plain values are not of one run.
        """
        try:
            return resumed(cls, x, arrays, plain, labels, validation, replay)
        except ScratchgenError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            raise OptionError(
                f"these are not the arrays and plain values of a run: wants those that arrays() "
                f"and plain() gave ({type(problem).__name__}: {cut(problem, 200)})"
            ) from problem


def _val(name: str) -> str:
    return f"val_{name}"


def _by_player(model: Model, optimizer: Any, steps: int) -> dict[str, Optimizer]:
    """Each player's optimizer: the one given, or else the model's own choice."""
    players = model.players
    given = optimizer if isinstance(optimizer, dict) else dict.fromkeys(players, optimizer)
    for player in given:
        if player not in players:
            raise OptionError(
                f"optimizer names the player {player!r}, the {model.kind} has "
                f"{', '.join(players)}{nearest(str(player), players)}"
            )
    chosen = {player: one for player, one in given.items() if one is not None}
    if len(chosen) < len(players):
        chosen = {**model.optimizers(steps), **chosen}
    if missing := players.keys() - chosen.keys():
        raise OptionError(f"optimizers() of the {model.kind} gives none for the {min(missing)}")
    return {player: optimizer_for(chosen[player]) for player in players}

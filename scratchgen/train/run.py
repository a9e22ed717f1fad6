"""A run is one object: everything that decides the next step of training, and `step` to take it.

    run = Run(model, x, epochs=3, seed=0)
    while not run.is_done():
        run.step()
    run.finish()                                   the whole of `fit`, without callbacks

    arrays, plain = run.arrays(), run.plain()      all of it, as arrays and as plain values
    run = Run.resumed(x, arrays, plain)            goes on, and gives the same bits

All randomness comes from one seed. Each epoch's order of the examples is drawn from the seed and
the number of the epoch, so that two numbers, the epoch and the position in it, tell which examples
come next. The noise is one stream, from the first step of the run to the last. Both also depend on
the steps that the model was trained before, so that a second run repeats nothing.

    order = permutation drawn by stream(seed, "batches", steps_before, epoch)               (1)

A step takes the next batch of that order. `engine.step` is `Trainer.step` on it, in a way that is
faster and gives the same bits (replay.py, in the appendix of the reading order).

Steps are counted over an epoch, over a run, and over the life of a model:

    run.position        steps done in this epoch
    run.steps           steps done in this run
    run.steps_before    steps of the model before this run
    model_steps         steps_before + steps, of the trainer: turns and warm-ups depend on it   (2)
    t of an optimizer   moves of its player in this run; a schedule depends on it

If averages of the weights are kept, they are what is evaluated, and the model has them at the end.
"""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

import numpy as np

from ..data.batching import batch_slices, checked_size
from ..ground.arguments import Array, fraction, whole
from ..ground.errors import DivergedError, KindError, OptionError, ScratchgenError, cut
from ..ground.keywords import ExplainsKeywords
from ..ground.rng import chosen_seed, stream
from ..models import Model
from ..optim import MovingAverage
from .checkpoint import plain_values, trainer_arrays
from .entries import new_entry, update_entry
from .examples import Examples, History, Means
from .outcome import Outcome, broken_off
from .players import optimizers_by_player
from .replay import StepEngine
from .resuming import resumed
from .scales import divergence_advice
from .trainer import Trainer
from .validation import evaluate, held_out_examples, val

DEFAULT_BATCH = 128


class Run(ExplainsKeywords):
    """The training of `model` on x, from its present weights; see the top of this file.

    Arguments and errors are those of `fit`, except for callbacks and progress.

    Attributes:
        model: the model in training.
        seed: decides the order of the examples and the noise.
        epochs, steps_per_epoch: the length of the run.
        epoch: the present epoch of this run, counted from 1; 0 before the first step.
        position: steps done in this epoch.
        is_finished: whether `finish` was called.
        losses: means over the epoch so far, by name.
        history: the means of each epoch that has ended.
        entry: the record of this run in model.training_log.
    """

    engine: StepEngine  # takes steps as the trainer does, but faster
    losses: dict[str, float]

    def step(self) -> dict[str, float]:
        """One step: what each player that moves minimises, before it moves, and its parts.

        It first calls `end_epoch`, if that is due. Raises DivergedError where a loss, or a weight
        at the end of an epoch, is not finite: the model then has the weights of the last epoch that
        ended well. Raises OptionError where no step can follow: all are done, the run was finished,
        or a step was broken off.
        """
        self._expect_another_step()
        if self.is_at_end_of_epoch():
            self.end_epoch()
        if not self.position:
            self._begin_epoch()
        rows = self.order[self._slices[self.position]]
        self._is_in_step = True
        # overflow shows in the loss, which is checked, and an underflow to 0 is right
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            try:
                parts = self.engine.step(rows)  # Trainer.step on these examples, made faster
            except DivergedError as problem:
                raise self._diverged(str(problem), self.position + 1) from None
        self.means.add(parts, len(rows))
        self.position += 1
        self.losses = self.means.values()
        self._log_step(parts)
        self._is_in_step = False
        return parts

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self.means = Means()
        self.order = self.order_of(self.epoch)
        self.engine.before_epoch()

    def order_of(self, epoch: int) -> Array:
        """The order (N,) in which that epoch sees the examples."""
        random = stream(self.seed, "batches", self.steps_before, epoch)
        return random.permutation(len(self.data.x))  # (1)

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
        self.held_out = None if validation is None else held_out_examples(model, validation)
        rule = None if average is None else MovingAverage(fraction(average, "average"))
        self.seed = chosen_seed(seed)
        self._slices = batch_slices(n, self.batch_size, self.even_batches)
        self.steps_per_epoch = len(self._slices)
        optimizers = optimizers_by_player(model, optimizer, self.epochs * self.steps_per_epoch)
        evaluated = () if self.held_out is None else map(val, model.reported)
        self.history = History((*model.reported, *evaluated), self.seed)
        self.epoch = self.position = 0
        self.is_finished = self._is_in_step = False
        self.losses = {}
        self.means, self.order = Means(), np.arange(0)
        self.trainer = Trainer(model, optimizers, rule)
        self.outcome = Outcome(self.trainer)
        before = [self.steps_before] if self.steps_before else []
        self.noise = stream(self.seed, "noise", *before)
        self.engine = StepEngine(self.trainer, self.data.x, self.data.labels, self.noise, replay)
        self.entry = new_entry(self)
        model.history = self.history

    @property
    def steps_before(self) -> int:
        """Steps of the model before this run."""
        return self.trainer.steps_before

    @property
    def steps(self) -> int:
        """Steps done in this run."""
        return self.trainer.model_steps - self.trainer.steps_before  # (2)

    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self.epoch >= self.epochs and self.position in (0, self.steps_per_epoch)

    def is_at_end_of_epoch(self) -> bool:
        """Whether the last step of an epoch is done, so that `end_epoch` is to follow."""
        return self.position == self.steps_per_epoch

    def _expect_another_step(self) -> None:
        """OptionError where no step can follow."""
        self._expect_unbroken()
        if self.is_finished:
            raise OptionError("this run was finished: begin another, whose weights go on from here")
        if self.is_done():
            raise OptionError(
                f"all {self.steps:,} steps of this run are done: call finish(), and begin another "
                f"run for more"
            )

    def _log_step(self, parts: Mapping[str, float]) -> None:
        """Count the step in the record of this run, which is in the log from the first step on."""
        if not self.entry["steps"]:
            self._expect_names(parts)
            if self.engine.products is not None:
                self.entry["products"] = self.engine.products
            self.model.training_log.append(self.entry)
        self.entry["steps"] = self.steps

    def _expect_names(self, parts: Mapping[str, float]) -> None:
        """OptionError for a number whose name is not in the history."""
        if unknown := parts.keys() - self.history.keys():
            raise OptionError(
                f"the {self.model.kind} minimises {min(unknown)!r}, and reports "
                f"{', '.join(self.model.reported)}: add it to `reported`"
            )

    def _expect_unbroken(self) -> None:
        """OptionError where a step was broken off, even before anything had moved.

        The noise that it drew is lost, and the step may already be counted.
        """
        if self._is_in_step:
            raise broken_off()
        self.outcome.expect_unbroken()

    def end_epoch(self) -> None:
        """End an epoch whose steps are done: evaluate the model, extend the history and the log.

        Raises DivergedError where a weight is not finite, OptionError before the epoch's last step.
        """
        if not self.is_at_end_of_epoch():
            raise OptionError(
                f"{self.position} of the {self.steps_per_epoch} steps of an epoch are done: call "
                f"end_epoch() after the last, where is_at_end_of_epoch()"
            )
        if not self.model.is_finite():
            raise self._diverged("a weight stopped being finite", self.position)
        self.outcome.keep()
        if self.held_out is not None:
            with self.outcome.with_averages(), self.engine.chosen_products():
                evaluated = evaluate(self.model, self.held_out, self.batch_size, self.seed)
            self.losses = {**self.losses, **evaluated}
        # after an interrupt before this line, end_epoch can be called again
        for name, values in self.history.items():
            values.append(self.losses.get(name, math.nan))  # nan where there was no turn
        self.position = 0
        update_entry(self)

    def with_averages(self) -> AbstractContextManager[None]:
        """Within its `with`, the model has the averages so far, if averages are kept."""
        return self.outcome.with_averages()

    def finish(self) -> None:
        """Give the model the result of the run, and complete the log.

        Where a step was broken off, the result is that of the last epoch that ended. A second call
        changes nothing.
        """
        self.is_finished = True
        if self.is_at_end_of_epoch() and self.outcome.is_sound():
            self.end_epoch()
        if not self.outcome.is_sound():
            self.outcome.go_back()
        self.outcome.finish()
        update_entry(self)

    def _diverged(self, problem: str, step: int) -> DivergedError:
        """Go back to the last good result; returns the error for a problem in a step."""
        self.outcome.go_back()
        self.position, advice = 0, divergence_advice(self.model, self.data.x)
        place = f"epoch {self.epoch}, step {step} of {self.steps_per_epoch}"
        kept = f"the end of epoch {self.epoch - 1}" if self.epoch > 1 else "the start"
        return DivergedError(
            f"{problem} in {place}; the model has the weights of {kept} again: {advice}"
        )

    def __getstate__(self) -> Any:
        raise KindError(
            "a run is not copied or pickled, because its parts share memory: keep arrays() and "
            "plain(), and go on with Run.resumed"
        )

    def arrays(self) -> dict[str, Array]:
        """Copies of all arrays that decide the next step, by name.

        Raises KindError where the memory of a user's own optimizer holds more than arrays and plain
        values, and OptionError where a step was broken off.
        """
        self._expect_unbroken()
        return {name: x.copy() for name, x in trainer_arrays(self.trainer, self.outcome).items()}

    def plain(self) -> dict[str, Any]:
        """All else that decides it but the data, as numbers, text, None, lists and dicts.

        Raises OptionError for models, layers, parts, optimizers and schedules of the user's own
        that are in no registry, and where a step was broken off.
        """
        self._expect_unbroken()
        return plain_values(self)

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
        """A run that goes on from what `arrays()` and `plain()` gave, and gives the same bits.

        x, labels and validation must be those of that run. Raises OptionError, DataError or
        ShapeError where they are not, or where arrays and plain values are of different runs.
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

"""`fit`: epochs of steps, their numbers weighed by examples, and the weights kept safe.

    history[name][epoch] = sum over its steps of n_step value_step / sum of n_step      (1)

One seed grows two streams, one for the order of the batches and one for the noise, so that more
noise in a model does not change the batches it sees. A model that was trained before goes on from
there, with streams of its own for each number of steps behind it.

With an average of weights, what the model gets at the end, and what is evaluated on the way, are
averages; training itself goes on from the weights.

Whatever ends a run, the model has the weights of a step that ended: those of the last one, or,
where something went wrong in the midst of a step, of the end of the epoch before.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import Array, fraction, nearest, whole
from ..data.batching import batch_rows, checked_size
from ..errors import (
    DataError,
    DivergedError,
    KindError,
    OptionError,
    ScaleWarning,
    ShapeError,
)
from ..keywords import explains_keywords
from ..models import Model
from ..nn import Tape
from ..optim import MovingAverage, Optimizer, optimizer_for, settings
from ..rng import chosen_seed, stream
from .callbacks import Callback, Run, as_callbacks
from .progress import Progress
from .replay import Steps
from .scales import scale_advice, scale_problem
from .signals import Signals
from .step import Trainer

DEFAULT_BATCH = 128
LARGE = 10  # data beyond it are the likelier reason for a loss that explodes


class History(dict[str, list[float]]):
    """What each epoch gave: name -> one number an epoch; `seed` is the run's."""

    def __init__(self, names: Iterable[str], seed: int) -> None:
        super().__init__({name: [] for name in names})
        self.seed = seed


class Means:
    """Means by name, weighed by examples (1)."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, parts: dict[str, float], n: int) -> None:
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + n * value
            self.counts[name] = self.counts.get(name, 0) + n

    def values(self) -> dict[str, float]:
        return {name: total / self.counts[name] for name, total in self.sums.items()}  # (1)


class Record:
    """What the model's training_log says of a run, from the end of its first step."""

    def __init__(self, log: list[dict[str, Any]], of_run: dict[str, Any]) -> None:
        self.log = log
        self.entry = {**of_run, "epochs": 0, "steps": 0, "losses": {}}

    def note_step(self, run: Run) -> None:
        """Count a step."""
        if not self.entry["steps"]:
            self.log.append(self.entry)
        self.entry["steps"] = run.step

    def note_epoch(self, run: Run) -> None:
        """What the history holds by now, and the steps; no record if there are none any more."""
        last = {name: values[-1] for name, values in run.history.items() if values}
        finite = {name: value for name, value in last.items() if math.isfinite(value)}
        epochs = max(map(len, run.history.values()))
        self.entry |= {"epochs": epochs, "steps": run.step, "losses": finite}
        if not run.step:
            self.log[:] = [entry for entry in self.log if entry is not self.entry]


@dataclass(frozen=True)
class Examples:
    """x (N, *shape) and labels (N,), where the model joins them.

    x is of the model's dtype, or of a smaller one, from which each batch is converted.
    """

    x: Array
    labels: Array | None

    def of(self, rows: Any) -> tuple[Array, Array | None]:
        """Those rows of both."""
        return self.x[rows], None if self.labels is None else self.labels[rows]


@explains_keywords
def fit(
    model: Model,
    x: Any,
    *,
    epochs: int,
    batch_size: int | None = None,
    seed: int | None = None,
    labels: Any = None,
    optimizer: str | Optimizer | Mapping[str, str | Optimizer] | None = None,
    average: float | None = None,
    validation: Any = None,
    callbacks: Any = (),
    progress: bool = False,
    even_batches: bool = True,
    replay: bool | None = None,
) -> History:
    """Train `model` on x from its present weights, with a fresh optimizer; returns the history.

    A call goes on where the last one ended: `model.steps_trained` counts on, and with it the turns
    of a GAN's players, the warm-up of a KL term, and the streams of order and noise, so that one
    seed for two calls repeats nothing. What begins anew are the averages and the optimizers: their
    moments, and their schedules, which count the moves in this call. To start over, build a new
    model.

    Args:
        model: a VAE or a GAN.
        x: examples (N, *model.shape); bool, integers or floats. Of a dtype smaller than the
            model's, such as bytes, each batch is converted by itself.
        epochs: how often all examples are seen.
        batch_size: the most examples in a step, 1 ... N; None is min(128, N). An epoch has as few
            batches as that allows, whose sizes differ by one at most; see even_batches.
        seed: of the batches' order and the noise; None draws one, which `history.seed` tells.
        labels: (N,) whole numbers, for a model whose networks join them.
        optimizer: one for all players or a dict by player; a name such as "adam" has the settings
            of sg.optim.Adam(), None is the model's own choice. A schedule counts the moves of its
            player in this call, of which a generator may have fewer than steps.
        average: end with the exponential moving average of the weights, of which each step leaves
            this share, such as 0.999; None ends with the weights of the last step.
        validation: examples to evaluate after every epoch, as `val_...`, with the same noise; a
            pair (x, labels) for a model that joins labels.
        callbacks: Callback objects, or functions that are given the Run after every epoch.
        progress: show a progress bar, or lines where there is no terminal.
        even_batches: False makes all batches as large as batch_size and the last of what is left,
            as other libraries do. Such a short batch moves the weights as far as any other.
        replay: whether steps that have become a routine are replayed, without the Python between
            their kernels, to the same bits. None replays them unless the source was edited or a
            debugger follows, False runs each step as it is written, True does not ask for edits.
            Without an answer here, SCRATCHGEN_REPLAY=0 or 1 counts; docs/stepping.md.

    The history holds, by name, one number an epoch, a mean per example: for a VAE loss,
    reconstruction and kl; for a GAN discriminator and generator, each what that player minimises
    (nan in an epoch in which the generator had no turn), and penalty, the discriminator's share of
    it. What is evaluated is inf where x lies so far out that numbers overflow.

    Raises ShapeError, KindError, DataError or OptionError before any work; DivergedError, which
    names the epoch and the step, when a loss stops being finite: the model then has the weights of
    the last epoch that ended well. Warns with a ScaleWarning, which names the columns, of data on a
    scale at which little is learnt. A model with a scaler is trained on scaled data, and the
    history's numbers are of these; docs/your-data.md.

    Ctrl-C, and any other signal with a handler in Python, is handled between two steps, or in the
    first one, in which kernels may be compiled, at once. Whatever is raised, there or by a
    callback, the model is left fit for use: with the weights of the last step that ended (of the
    last epoch, where a step was broken off), or with their average, with what has come of the
    history as `model.history`, and with a record of the run in `model.training_log`. Both grow as
    training goes, so that a model saved in a callback has them.
    """
    if not isinstance(model, Model):
        raise KindError(f"fit got {type(model).__name__} as its model: wants one of sg.models")
    epochs = whole(epochs, "epochs")
    given, x = x, _checked(model, x, "x")
    if problem := scale_problem(model, given):
        warnings.warn(f"{problem}: {scale_advice(given)}", ScaleWarning, stacklevel=3)  # of `fit`
    data = Examples(x, _labels(model, labels, len(x), "labels"))
    size = checked_size(min(DEFAULT_BATCH, len(x)) if batch_size is None else batch_size, len(x))
    held_out = None if validation is None else _held_out(model, validation)
    moving = None if average is None else MovingAverage(fraction(average, "average"))
    seed = chosen_seed(seed)
    steps_per_epoch = math.ceil(len(x) / size)
    optimizers = _by_player(model, optimizer, epochs * steps_per_epoch)
    told = as_callbacks(callbacks) + ([Progress()] if progress else [])
    names = model.numbers if held_out is None else (*model.numbers, *map(_val, model.numbers))
    history = History(names, seed)
    run = Run(model, seed, epochs, steps_per_epoch, history=history)
    of_run = {
        "examples": len(x),
        "batch_size": size,
        **({} if even_batches else {"even_batches": False}),
        "seed": seed,
        "optimizer": {player: settings(one) for player, one in optimizers.items()},
        **({} if moving is None else {"average": moving.keep}),
    }
    model.history, record = history, Record(model.training_log, of_run)
    trainer = Trainer(model, optimizers, moving)
    noise = stream(seed, "noise", begun=trainer.begun)
    steps = Steps(trainer, data.x, data.labels, noise, replay)
    with Signals() as signals, ExitStack() as ends:
        for callback in told:
            callback.on_start(run)
            ends.callback(callback.on_end, run)
        ends.callback(_finish, run, trainer, record, signals)  # last in, first out: then on_end
        _train(run, data, size, even_batches, held_out, steps, told, record, signals)
    return history


def _finish(run: Run, trainer: Trainer, record: Record, signals: Signals) -> None:
    """Whatever has ended the run: give the model what training gives, and say so in its log."""
    signals.hold()
    if not trainer.is_sound():
        trainer.go_back()
        run.step = trainer.steps - trainer.begun
    trainer.finish()
    record.note_epoch(run)
    signals.release()


def _train(
    run: Run,
    data: Examples,
    size: int,
    even_batches: bool,
    held_out: Examples | None,
    steps: Steps,
    told: list[Callback],
    record: Record,
    signals: Signals,
) -> None:
    model, trainer = run.model, steps.trainer
    order_stream = stream(run.seed, "batches", begun=trainer.begun)
    theirs = [one for one in told if not isinstance(one, Progress) and one.is_told_of_steps()]
    # the first step, in which kernels are compiled, does not make signals wait: nothing is lost yet
    for epoch in range(1, run.epochs + 1):
        run.epoch, means = epoch, Means()
        steps.look_again()
        # overflow is caught by its result, and what underflows is rightly 0
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for rows in batch_rows(len(data.x), size, order_stream, even_batches):
                try:
                    means.add(steps.step(rows), len(rows))
                except DivergedError as problem:
                    trainer.go_back()
                    raise _diverged(run, str(problem), run.step + 1, data.x) from None
                run.step, run.losses = trainer.steps - trainer.begun, means.values()
                record.note_step(run)
                signals.release()
                for callback in told:
                    callback.on_step(run)
                if theirs:
                    steps.after_callbacks()
                signals.hold()
            if not all(block.is_finite() for block in model.players.values()):
                trainer.go_back()
                raise _diverged(run, "a weight stopped being finite", run.step, data.x)
        trainer.remember()
        with trainer.with_averages():
            if held_out is not None:
                run.losses = {**run.losses, **_evaluate(model, held_out, size, run.seed)}
            for name, values in run.history.items():
                values.append(run.losses.get(name, math.nan))  # nan where there was no turn
            record.note_epoch(run)
            try:
                signals.release()
                for callback in told:
                    callback.on_epoch(run)
            finally:
                signals.hold()


def _val(name: str) -> str:
    return f"val_{name}"


def _evaluate(model: Model, held_out: Examples, size: int, seed: int) -> dict[str, float]:
    """Every player's number on what is held out, in evaluation, with the same noise every time.

    Weights are finite here, so that a nan is of numbers that overflow: then the loss is inf.
    """
    noise_stream, means, tape = stream(seed, "validation"), Means(), Tape()
    for start in range(0, len(held_out.x), size):
        x, labels = held_out.of(slice(start, start + size))
        x = np.asarray(x, model.dtype)  # (at most size, *shape)
        for player in model.players:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                model.objective(player, x, noise_stream, tape=tape, training=False, labels=labels)
            means.add(tape.parts, len(x))
    values = means.values()
    return {_val(name): math.inf if math.isnan(value) else value for name, value in values.items()}


def _diverged(run: Run, problem: str, step: int, x: Array) -> DivergedError:
    """The error for what happened in that step, of all so far; the run is back before its epoch."""
    run.step = (run.epoch - 1) * run.steps_per_epoch
    kept = f"the end of epoch {run.epoch - 1}" if run.epoch > 1 else "the start"
    largest = max(-float(x.min()), float(x.max()))
    if largest > LARGE and run.model.scaler is not None:
        advice = (
            f"x, scaled, reaches {largest:.4g}, so fit the scaler on the data to train on, without "
            f"what is far from all else, or try a lower learning rate"
        )
    elif largest > LARGE and run.model.is_density():
        line = (
            "build the model with scaler=sg.data.Scaler.standard(x) (in a shell: --scale standard)"
        )
        advice = f"x reaches {largest:.4g}, so {line if x.ndim == 2 else scale_advice(x)}"
    else:
        advice = "try a lower learning rate"
    place = f"epoch {run.epoch}, step {step - run.step} of {run.steps_per_epoch}"
    return DivergedError(
        f"{problem} in {place}; the model has the weights of {kept} again: {advice}"
    )


def _held_out(model: Model, validation: Any) -> Examples:
    pair = isinstance(validation, tuple) and len(validation) == 2
    if model.n_labels and not pair:
        raise OptionError(
            f"validation={type(validation).__name__}: wants a pair (x, labels), because this "
            f"{model.kind} joins a label to each example"
        )
    x, labels = validation if pair else (validation, None)
    x = _checked(model, x, "validation")
    return Examples(x, _labels(model, labels, len(x), "validation"))


def _labels(model: Model, labels: Any, n: int, what: str) -> Array | None:
    """The labels as the model takes them; one for all would teach it nothing of labels."""
    if model.n_labels and isinstance(labels, int | np.integer):
        raise ShapeError(
            f"{what} has the one label {labels} for {n:,} examples: wants one for each, (N,)"
        )
    return model.check_labels(labels, n)


def _checked(model: Model, x: Any, what: str) -> Array:
    """x (N, *shape), its memory in order, in its own dtype where that takes less of it."""
    x = model.check_as_given(x, what) if model.scaler is None else model.check(x, what)
    if not len(x):
        raise DataError(f"{what} has shape {x.shape}, no examples: wants at least one")
    own = x.dtype.itemsize < model.dtype.itemsize  # then batches are converted one by one
    with np.errstate(over="ignore", under="ignore"):
        return np.require(x, x.dtype if own else model.dtype, ["C", "A"])


def _by_player(model: Model, optimizer: Any, steps: int) -> dict[str, Optimizer]:
    chosen = model.optimizers(steps)
    given = optimizer if isinstance(optimizer, dict) else dict.fromkeys(chosen, optimizer)
    for player, one in given.items():
        if player not in chosen:
            raise OptionError(
                f"optimizer names the player {player!r}, the {model.kind} has "
                f"{', '.join(chosen)}{nearest(str(player), chosen)}"
            )
        if one is not None:
            chosen[player] = optimizer_for(one)
    return chosen

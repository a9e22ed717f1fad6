"""`fit` takes a run to its end, step by step, and calls the callbacks.

    run = Run(model, x, ...)
    until the run is done:   run.step(), and after the last step of an epoch, run.end_epoch()
    run.finish()

The loop is in `complete`, and the docstring of `fit` is its manual. Signals such as Ctrl-C wait
until a step has ended (signals.py).

However a run ends, the model has the weights of a complete step: the last step, or, where a step
was broken off, the last step of the epoch before.
"""

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..ground.errors import ScaleWarning
from ..ground.keywords import explains_keywords
from ..models import Model
from ..optim import Optimizer
from .callbacks import Callback, as_callbacks
from .progress import Progress
from .run import History, Run
from .scales import scale_advice, scale_problem
from .signals import Signals


@explains_keywords
def complete(run: Run, callbacks: Any = (), progress: bool = False) -> History:
    """Take a run to its end, from any step, just as `fit` would; returns its history.

    callbacks, progress and errors are as for `fit`.
    """
    followers = as_callbacks(callbacks) + ([Progress()] if progress else [])
    may_change = any(not isinstance(x, Progress) and x.wants_steps() for x in followers)
    with Signals() as signals, ExitStack() as ends:
        for callback in followers:
            callback.on_start(run)
            ends.callback(callback.on_end, run)
        ends.callback(_finish, run, signals)  # last in, first out: before any on_end
        # in the first step, in which kernels are compiled, signals do not wait: nothing can be lost
        while run.is_at_end_of_epoch() or not run.is_done():
            if not run.is_at_end_of_epoch():  # where a resumed run may begin
                run.step()
                _call_on_step(run, followers, may_change, signals)
            if run.is_at_end_of_epoch():
                run.end_epoch()
                _call_on_epoch(run, followers, signals)
    return run.history


def _call_on_step(run: Run, followers: list[Callback], may_change: bool, signals: Signals) -> None:
    """Call the callbacks after a step; signals that have waited act now.

    `may_change` says that a callback may change something between two steps.
    """
    signals.release()
    for callback in followers:
        callback.on_step(run)
    if may_change:
        run.engine.after_callbacks()
    signals.hold()


def _call_on_epoch(run: Run, followers: list[Callback], signals: Signals) -> None:
    """Call the callbacks after an epoch, on the averages; signals that have waited act now."""
    with run.with_averages():
        try:
            signals.release()
            for callback in followers:
                callback.on_epoch(run)
        finally:
            signals.hold()


def _finish(run: Run, signals: Signals) -> None:
    """Finish the run while signals wait."""
    signals.hold()
    run.finish()
    signals.release()


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
    """Train `model` on x, from its present weights; returns the history.

        history = sg.fit(model, x, epochs=10, seed=0)
        history["loss"]                      the mean loss of each epoch

    Each epoch goes through all examples once, in a new order, batch by batch; each batch is one
    step. The model is trained in place.

    Args:
        model: one of sg.models, or of your own family.
        x: examples (N, *model.shape) of bool, integers or floats. If their dtype is smaller than
            the model's, as bytes are, only one batch at a time is converted.
        epochs: how often all examples are seen.
        batch_size: the most examples in a step, 1 ... N; None is min(128, N). An epoch has as few
            batches as that allows, and their sizes differ by at most one; see even_batches.
        seed: decides the order of the examples and the noise. None draws a seed; `history.seed` is
            the one that was used.
        labels: (N,) whole numbers, for a model that wants them.
        optimizer: one for all players, or a dict by player. A name such as "adam" stands for
            sg.optim.Adam() with its default settings; None is the model's own choice. A schedule
            counts the moves of its player in this call; a generator may move less than once a step.
        average: the share that an exponential moving average of the weights keeps in each step,
            such as 0.999; the model ends with the average. None ends with the last weights.
        validation: examples to evaluate after every epoch, with the same noise each time; their
            numbers are `val_...` in the history. A pair (x, labels) for a model that wants labels.
        callbacks: Callback objects, or functions that get the Run after every epoch.
        progress: show a progress bar, or lines where a bar cannot be shown.
        even_batches: False gives all batches batch_size examples and the last batch the rest, as
            other libraries do. That short batch moves the weights as far as any other.
        replay: whether repeated steps are replayed without the Python between their kernels, which
            is faster and gives the same bits. None replays them unless the source was edited or a
            debugger is attached; False runs each step as it is written; True replays even then. If
            it is None, SCRATCHGEN_REPLAY=0 or 1 decides, if set. See docs/stepping.md.

    The history has a list for each name in `model.reported`: what each player minimises, and its
    parts. A VAE has loss, reconstruction and kl; a GAN discriminator, its penalty if any, and
    generator. Each list has one number per epoch, a mean per example. It is nan for an epoch in
    which the player did not move, and inf for a validation number that overflowed. If the model has
    a scaler, it is trained on scaled data, and these are numbers of scaled data (docs/own-data.md).

    A second call continues training: `model.steps_trained` goes on, and with it the players' turns,
    a KL warm-up, and the random streams, so that two calls with the same seed repeat nothing.
    Optimizers, their schedules, and averages start anew. To start over, build a new model.

    However training ends, by Ctrl-C or an exception too, the model can be used. It has the weights
    of the last complete step, or their average; if a step was broken off, those of the last epoch.
    `model.history` and the record in `model.training_log` grow during training, so that a model
    saved in a callback has them. Ctrl-C and other signals with a handler in Python wait until the
    step has ended; in the first step, in which kernels may be compiled, they act at once.

    Raises ShapeError, KindError, DataError or OptionError before any work. Raises DivergedError,
    which names the epoch and the step, when a loss stops being finite; the model then has the
    weights of the last epoch that ended well. Warns with a ScaleWarning, which names the columns,
    if the data are on a scale on which the model learns little.
    """
    run = Run(
        model,
        x,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        labels=labels,
        optimizer=optimizer,
        average=average,
        validation=validation,
        even_batches=even_batches,
        replay=replay,
    )
    if problem := scale_problem(model, x):
        warnings.warn(f"{problem}: {scale_advice(x)}", ScaleWarning, stacklevel=3)  # of `fit`
    return complete(run, callbacks, progress)

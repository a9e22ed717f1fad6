"""`fit` takes a run to its end, step by step, and calls the callbacks.

Whatever ends a run, the model has the weights of a completed step: the last one, or, where a step
was broken off, the last one of the epoch before.
"""

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..ground.errors import ScaleWarning
from ..ground.keywords import explains_keywords
from ..models import Model
from ..optim import Optimizer
from .callbacks import as_callbacks
from .progress import Progress
from .run import History, Run
from .scales import scale_advice, scale_problem
from .signals import Signals


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
    of the players, the warm-up of a KL term, and the random streams of order and noise, so that two
    calls with one seed repeat nothing. Averages and optimizers begin anew, with their moments and
    their schedules, which count the moves in this call. To start over, build a new model.

    Args:
        model: one of sg.models, or of a family of your own.
        x: examples (N, *model.shape); bool, integers or floats. Of a dtype smaller than the
            model's, such as bytes, each batch is converted by itself.
        epochs: how often all examples are seen.
        batch_size: the most examples in a step, 1 ... N; None is min(128, N). An epoch has as few
            batches as that allows, whose sizes differ by one at most; see even_batches.
        seed: of the batches' order and the noise; None draws one, which `history.seed` holds.
        labels: (N,) whole numbers, for a model that wants them.
        optimizer: one for all players or a dict by player; a name such as "adam" has the settings
            of sg.optim.Adam(), None is the model's own choice. A schedule counts the moves of its
            player in this call, of which a generator may have fewer than steps.
        average: end with an exponential moving average of the weights, of which each step keeps
            this share, such as 0.999; None ends with the weights of the last step.
        validation: examples to evaluate after every epoch, as `val_...`, with the same noise; a
            pair (x, labels) for a model that wants labels.
        callbacks: Callback objects, or functions that are given the Run after every epoch.
        progress: show a progress bar, or lines where there is no terminal.
        even_batches: False gives all batches batch_size examples, and the last one what is left, as
            other libraries do. Such a short batch moves the weights as far as any other.
        replay: whether repeated steps are replayed, without the Python between their kernels, to
            the same bits. None replays them unless the source was edited or a debugger is attached,
            False runs each step as it is written, True replays without looking for edits. With
            None, SCRATCHGEN_REPLAY=0 or 1 decides, if it is set; docs/stepping.md.

    The history holds one number an epoch, a mean per example, by each name of `model.reported`:
    what each player minimises, and its parts. For a VAE these are loss, reconstruction and kl; for
    a GAN discriminator, its penalty if there is one, and generator. A number is nan in an epoch in
    which its player had no turn, and one of validation is inf where numbers overflow.

    Raises ShapeError, KindError, DataError or OptionError before any work; DivergedError, which
    names the epoch and the step, when a loss stops being finite: the model then has the weights of
    the last epoch that ended well. Warns with a ScaleWarning, which names the columns, of data on a
    scale at which little is learnt. A model with a scaler is trained on scaled data, and the
    history's numbers are of these; docs/own-data.md.

    Ctrl-C, and any other signal with a handler in Python, is handled between two steps, or in the
    first one, in which kernels may be compiled, at once. Whatever is raised, there or by a
    callback, the model is left fit for use: with the weights of the last step that ended (of the
    last epoch, where a step was broken off), or with their average, with what has come of the
    history as `model.history`, and with a record of the run in `model.training_log`. Both grow as
    training goes, so that a model saved in a callback has them.
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


@explains_keywords
def complete(run: Run, callbacks: Any = (), progress: bool = False) -> History:
    """Take a run to its end, from wherever it stands; returns its history.

    It goes on just as `fit` would have done from there. callbacks, progress and errors are as for
    `fit`.
    """
    followers = as_callbacks(callbacks) + ([Progress()] if progress else [])
    # callbacks of the user's own that may change something between two steps
    own = [one for one in followers if not isinstance(one, Progress) and one.wants_steps()]
    with Signals() as signals, ExitStack() as ends:
        for callback in followers:
            callback.on_start(run)
            ends.callback(callback.on_end, run)
        ends.callback(_finish, run, signals)  # last in, first out: before any on_end
        # signals do not wait in the first step, in which kernels are compiled: nothing can be lost
        while run.is_at_end_of_epoch() or not run.is_done():
            if not run.is_at_end_of_epoch():  # a resumed run may stand there, with no step to take
                run.step()
                signals.release()
                for callback in followers:
                    callback.on_step(run)
                if own:
                    run.engine.after_callbacks()
                signals.hold()
            if run.is_at_end_of_epoch():
                run.end_epoch()
                with run.with_averages():
                    try:
                        signals.release()
                        for callback in followers:
                            callback.on_epoch(run)
                    finally:
                        signals.hold()
    return run.history


def _finish(run: Run, signals: Signals) -> None:
    """Finish the run, while signals wait."""
    signals.hold()
    run.finish()
    signals.release()

"""Callbacks are called during a run; a plain function is called after every epoch.

    sg.fit(model, x, epochs=3, callbacks=[lambda run: print(run.epoch, run.losses)])

To be called at other moments, derive from Callback.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ..ground.errors import KindError
from .run import Run


class Callback:
    """Override the methods that you need; each gets the Run."""

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_step(self, run: Run) -> None:
        """After every step; `run.losses` are the means over the epoch so far."""

    def on_epoch(self, run: Run) -> None:
        """After every epoch; `run.losses` are the numbers that the history has of it."""

    def wants_steps(self) -> bool:
        """Whether `on_step` was overridden."""
        return type(self).on_step is not Callback.on_step or "on_step" in vars(self)

    def on_end(self, run: Run) -> None:
        """When training has ended, even by an interrupt or an error."""


class OnEpoch(Callback):
    """A plain function as a callback."""

    def __init__(self, function: Callable[[Run], Any]) -> None:
        self.function = function

    def on_epoch(self, run: Run) -> None:
        self.function(run)


def as_callbacks(given: Any) -> list[Callback]:
    """The callbacks in `given`, with functions wrapped; KindError for anything else."""
    if not isinstance(given, Iterable):
        given = [given]
    callbacks = []
    for callback in given:
        if isinstance(callback, Callback):
            callbacks.append(callback)
        elif callable(callback) and not isinstance(callback, type):
            callbacks.append(OnEpoch(callback))
        else:
            raise KindError(
                f"callbacks holds {callback!r}: wants sg.train.Callback objects, or functions of a "
                f"run"
            )
    return callbacks

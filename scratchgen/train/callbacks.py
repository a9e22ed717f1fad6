"""Callbacks are called as a run goes on; a plain function is one that is called after every epoch.

    sg.fit(model, x, epochs=3, callbacks=[lambda run: print(run.epoch, run.losses)])

For more than that, derive from Callback.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ..ground.errors import KindError
from .run import Run


class Callback:
    """Override what you need; each method is given the Run."""

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_step(self, run: Run) -> None:
        """After every step; `run.losses` are the means over the epoch so far."""

    def on_epoch(self, run: Run) -> None:
        """After every epoch; `run.losses` are what the history gets."""

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
    """The callbacks in `given`, functions wrapped; KindError for what is neither."""
    if not isinstance(given, Iterable):
        given = [given]
    callbacks = []
    for one in given:
        if isinstance(one, Callback):
            callbacks.append(one)
        elif callable(one) and not isinstance(one, type):
            callbacks.append(OnEpoch(one))
        else:
            raise KindError(
                f"callbacks holds {one!r}: wants sg.train.Callback objects, or functions of a run"
            )
    return callbacks

"""How passes go through the layers of a network when a step is recorded; see train/routine.py.

A layer that says of itself that it replays notes its kernels, and a replay runs these. Any other,
such as one of a user's own, is run by Python in each replay too, in its place between the kernels
of the others. What it gives may lie somewhere else each time, so it is copied to where the kernels
after it look:

    kept = forward(p, x, tape)                                                           (1)
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import kernels
from ..checks import Array
from ..errors import ShapeError
from .layer import Layer, replays
from .tape import Tape


def noted(layer: Layer) -> Any:
    """The layer, or, where a step is recorded that it would not note, its stand-in."""
    return StandIn(layer) if kernels.is_recording() and not replays(layer) else layer


class StandIn:
    """The verbs of a layer, each as (1)."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def __getattr__(self, verb: str) -> Any:
        if getattr(type(self._layer), verb) is getattr(Layer, verb):
            return getattr(self._layer, verb)  # not written: there is nothing to run
        return partial(_note, self._layer, verb)


def _note(layer: Layer, verb: str, *args: Any) -> Any:
    kept: dict[str, Array] = {}
    tape = next(one for one in args if isinstance(one, Tape))
    kernels.anything(_run, layer, verb, tape, kept, *args)
    return SimpleNamespace(**kept) if verb == "tangent_backward" and kept else kept.get(verb)


def _run(layer: Layer, verb: str, tape: Tape, kept: dict[str, Array], *args: Any) -> None:
    """(1), for an array, for several by name, or for None.

    Raises ShapeError if an array has not the shape and dtype that it had when it was recorded.
    """
    found = getattr(layer, verb)(*args)
    arrays = vars(found) if isinstance(found, SimpleNamespace) else {verb: found}
    for name, given in arrays.items():
        if given is None:
            continue
        x = np.asarray(given)
        if name not in kept:
            kept[name] = tape.array(f"kept: {verb}, {name}", x.shape, x.dtype)
        if (x.shape, x.dtype) != (kept[name].shape, kept[name].dtype):
            raise ShapeError(
                f"{verb} of {layer} gave {x.dtype} of shape {x.shape}, and for a batch of the same "
                f"size before {kept[name].dtype} of shape {kept[name].shape}"
            )
        kept[name][...] = x  # (1)

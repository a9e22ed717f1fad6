"""How a step goes through its parts when it is recorded; see train/routine.py.

A part that says of itself that it replays, such as a layer of ours, notes its kernels, and a replay
runs these. Any other, such as a layer or an optimizer of a user's own, is run by Python in each
replay too, in its place between the kernels of the others. What it gives may lie somewhere else
each time, so it is copied to where the kernels after it look:

    kept = layer.forward(p, x, tape)                                                     (1)
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


def noted(part: Any) -> Any:
    """The part, or, where a step is recorded that it would not note, its stand-in."""
    return StandIn(part) if kernels.is_recording() and not replays(part) else part


class StandIn:
    """The verbs of a part, each as (1)."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, verb: str) -> Any:
        if getattr(type(self._part), verb, None) is getattr(Layer, verb, self):
            return getattr(self._part, verb)  # not written, as `settle` seldom is: nothing to run
        return partial(_note, self._part, verb)


def _note(part: Any, verb: str, *args: Any) -> Any:
    result = SimpleNamespace(kept=None, arrays={})
    kernels.anything(_run, part, verb, result, *args)
    return result.kept


def _run(part: Any, verb: str, result: SimpleNamespace, *args: Any) -> None:
    """(1), for an array, or several, or nothing.

    Raises ShapeError if an array has not the shape and dtype that it had when it was recorded.
    """
    tape = next((one for one in args if isinstance(one, Tape)), Tape())

    def copied(found: Any, name: str) -> Any:
        if found is None:
            return None
        if isinstance(found, tuple):
            return tuple(copied(one, f"{name}, {i}") for i, one in enumerate(found))
        if isinstance(found, SimpleNamespace):
            each = {key: copied(one, f"{name}, {key}") for key, one in vars(found).items()}
            return SimpleNamespace(**each)
        x, known = np.asarray(found), result.arrays
        if name not in known:
            known[name] = tape.array(name, x.shape, x.dtype)
        kept: Array = known[name]
        if (x.shape, x.dtype) != (kept.shape, kept.dtype):
            raise ShapeError(
                f"{verb} of {part} gave {x.dtype} of shape {x.shape}, and for a batch of the same "
                f"size before {kept.dtype} of shape {kept.shape}"
            )
        kept[...] = x  # (1)
        return kept

    result.kept = copied(getattr(part, verb)(*args), f"kept: {type(part).__name__}.{verb}")

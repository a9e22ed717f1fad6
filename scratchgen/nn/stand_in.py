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

SILENT = ("settle", "update")  # verbs that give nothing
NAMES = {  # and that give several arrays by name; `both` gives two, any other verb one
    "tangent_backward": ("x", "u"),
    "discriminator_pass": ("value", "real", "fake"),
    "generator_pass": ("value", "fake"),
}


def noted(part: Any) -> Any:
    """The part, or, where a step is recorded that it would not note, its stand-in."""
    return StandIn(part) if kernels.is_recording() and not replays(part) else part


class StandIn:
    """The verbs of a part, each as (1)."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, verb: str) -> Any:
        run = getattr(self._part, verb)
        inherited = getattr(Layer, verb, None)
        if inherited and getattr(run, "__func__", None) is inherited:
            return run  # Layer's own: `settle`, which does nothing, or errors
        return partial(_note, self._part, verb)


def _note(part: Any, verb: str, *args: Any) -> Any:
    record = SimpleNamespace(kept=None)
    kernels.in_order(_run, part, verb, record, *args)
    kept = record.kept
    if verb == "both":
        return kept["0"], kept["1"]
    if verb in NAMES:
        return SimpleNamespace(**{name: kept.get(name) for name in NAMES[verb]}) if kept else None
    return kept.get(verb)


def _run(part: Any, verb: str, record: SimpleNamespace, *args: Any) -> None:
    """(1), for each array that the verb gives.

    Raises ShapeError where these are others than when the step was recorded, or of other shapes.
    """
    arrays = _arrays(verb, getattr(part, verb)(*args))
    kinds = {name: (str(x.dtype), x.shape) for name, x in arrays.items()}
    if record.kept is None:
        tape = next((one for one in args if isinstance(one, Tape)), Tape())
        place = f"kept: {type(part).__name__}.{verb}"
        record.kinds = kinds
        record.kept = {
            name: tape.array(f"{place}, {name}", x.shape, x.dtype) for name, x in arrays.items()
        }
    if kinds != record.kinds:
        raise ShapeError(
            f"{verb} of {part} gave {kinds}, and for a batch of the same size before {record.kinds}"
        )
    for name, x in arrays.items():
        record.kept[name][...] = x  # (1)


def _arrays(verb: str, found: Any) -> dict[str, Array]:
    """What a verb gives, by name, without what is None."""
    if verb in SILENT:
        return {}
    if verb == "both":
        given = {"0": found[0], "1": found[1]}
    elif verb in NAMES:
        given = {} if found is None else {name: getattr(found, name) for name in NAMES[verb]}
    else:
        given = {verb: found}
    return {name: np.asarray(x) for name, x in given.items() if x is not None}

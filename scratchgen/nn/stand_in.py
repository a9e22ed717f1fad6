"""How a step goes through its parts when it is recorded; see train/routine.py.

A part that says of itself that it replays, such as a layer of ours, notes its kernels, and a replay
runs these. Any other, such as a layer or an optimizer of a user's own, is run by Python in each
replay too, in its place between the kernels of the others. What it gives may lie somewhere else
each time, so it is copied to where the kernels after it look:

    kept = layer.forward(p, x, tape)                                                     (1)

It finds on its tape what it has noted there itself in the same pass; what kernels do is not noted
on tapes in a replay.
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
    """The part, or, where a recorded step would not note what it does, its stand-in."""
    return part if replays(part) else StandIn(part)


class StandIn:
    """The verbs of a part, of which the arrays are taken in C order; each as (1), when recorded."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, verb: str) -> Any:
        run = getattr(self._part, verb)
        inherited = getattr(Layer, verb, None)
        if inherited and getattr(run, "__func__", None) is inherited:
            return run  # Layer's own: `settle`, which does nothing, or errors
        return partial(_note if kernels.is_recording() else _run, self._part, verb)


def _run(part: Any, verb: str, *args: Any) -> Any:
    return _result(verb, _arrays(verb, getattr(part, verb)(*args)))


def _note(part: Any, verb: str, *args: Any) -> Any:
    record = SimpleNamespace(kept=None)
    kernels.in_order(_keep, part, verb, record, *args)
    return _result(verb, record.kept)


def _keep(part: Any, verb: str, record: SimpleNamespace, *args: Any) -> None:
    """(1), for each array that the verb gives.

    Raises ShapeError where these are others than when the step was recorded, or of other shapes.
    """
    arrays = _arrays(verb, getattr(part, verb)(*args))
    shapes = {name: x.shape for name, x in arrays.items()}
    if record.kept is None:
        tape = next((one for one in args if isinstance(one, Tape)), Tape())
        place = f"kept: {type(part).__name__}.{verb}"
        record.shapes = shapes
        record.kept = {
            name: tape.array(f"{place}, {name}", x.shape, x.dtype) for name, x in arrays.items()
        }
    if shapes != record.shapes:
        raise ShapeError(
            f"{verb} of {part} gave arrays of shapes {shapes}, and in earlier steps with as many "
            f"examples {record.shapes}: declare replays = None in {type(part).__name__}, and every "
            f"step is run anew"
        )
    for name, x in arrays.items():
        record.kept[name][...] = x  # (1)


def _arrays(verb: str, found: Any) -> dict[str, Array]:
    """What a verb gives, by name, in C order, without what is None."""
    if verb in SILENT:
        return {}
    if verb == "both":
        value, gradient = found
        given = {"value": value, "gradient": gradient}
    elif verb in NAMES:
        given = {} if found is None else {name: getattr(found, name) for name in NAMES[verb]}
    else:
        given = {verb: found}
    return {name: np.asarray(x, order="C") for name, x in given.items() if x is not None}


def _result(verb: str, arrays: dict[str, Array]) -> Any:
    """The same, as the verb gives it."""
    if verb == "both":
        return arrays["value"], arrays["gradient"]
    if verb in NAMES:
        return (
            SimpleNamespace(**{name: arrays.get(name) for name in NAMES[verb]}) if arrays else None
        )
    return arrays.get(verb)

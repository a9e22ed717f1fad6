"""How a step goes through its parts when it is recorded; see train/routine.py.

A part that says of itself that it replays, such as a layer of ours, notes its kernels, and a replay
runs these. Any other, such as a layer or an optimizer of a user's own, is run by Python in each
replay too, in its place between the kernels of the others. What it gives may lie somewhere else
each time, so it is copied to where the kernels after it look:

    kept = layer.forward(p, x, tape)                                                     (1)

It finds on its tape what it has noted there itself in the same pass; what kernels do is not noted
on tapes in a replay.

What a part gives has to have the shape that the contract asks for, in every step: the kernels that
read it in a replay do not look, and the error of one that does would name another part.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import kernels
from ..checks import Array, Shape, array_text, numbers
from ..errors import KindError, ShapeError
from .layer import Layer, replays
from .tape import Tape

SILENT = ("settle", "update")  # verbs that give nothing
ARRAYS = {  # and verbs that give several arrays by name; `both` gives two, any other verb one
    "tangent_backward": ("x", "u"),
    "discriminator_pass": ("value", "real", "fake"),
    "generator_pass": ("value", "fake"),
}
CALLED = {"forward": "y", "backward": "dx", "tangent": "v", "points": "x"}  # what one array is


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


def expect(part: Any, verb: str, name: str, x: Any, shape: Shape) -> None:
    """Raise ShapeError unless x, the `name` that a part's verb has given, is of that shape."""
    if getattr(x, "shape", None) != shape:
        came = f"no {name}" if x is None else f"{name} of {array_text(x)}"
        raise ShapeError(f"{part}.{verb} gave {came}, wants shape {shape}")


def _run(part: Any, verb: str, *args: Any) -> Any:
    """In arrays of their own: the part may give the same memory again in another pass."""
    arrays = _arrays(part, verb, args)
    return _result(verb, {name: x.copy() for name, x in arrays.items()})


def _note(part: Any, verb: str, *args: Any) -> Any:
    record = SimpleNamespace(kept=None)
    kernels.in_order(_keep, part, verb, record, *args)
    return _result(verb, record.kept)


def _keep(part: Any, verb: str, record: SimpleNamespace, *args: Any) -> None:
    """(1), for each array that the verb gives; ShapeError where these are others than at first."""
    arrays = _arrays(part, verb, args)
    if record.kept is None:
        tape = next((one for one in args if isinstance(one, Tape)), Tape())
        place = f"kept: {type(part).__name__}.{verb}"
        record.kept = {
            name: tape.array(f"{place}, {name}", x.shape, x.dtype) for name, x in arrays.items()
        }
    for name, kept in record.kept.items():
        x = arrays.get(name)
        if verb == "points" and x is not None and len(x) != len(kept):
            raise ShapeError(
                f"{part}.points gave {len(x)} points, and in earlier steps with as many examples "
                f"{len(kept)}: declare replays = None in {type(part).__name__}, and every step is "
                f"run anew"
            )
        expect(part, verb, name, x, kept.shape)
        kept[...] = x  # (1)


def _arrays(part: Any, verb: str, args: tuple[Any, ...]) -> dict[str, Array]:
    """What a verb gives, by name, in C order, without what is None.

    The shapes of a layer's arrays are looked at in Network and Residual, those of others here.
    """
    found = getattr(part, verb)(*args)
    if verb == "update" and isinstance(found, np.ndarray) and found is not args[0]:
        raise KindError(
            f"{part}.update gave an array, wants theta written in place: theta[:] = ..."
        )
    if verb in SILENT or (verb in ("backward", "tangent_backward") and not args[-1]):
        return {}  # nobody needs dx
    if verb == "both":
        value, gradient = found
        given = {"value": value, "gradient": gradient}
    elif verb in ARRAYS:
        given = {name: getattr(found, name, None) for name in ARRAYS[verb]}
    else:
        given = {CALLED.get(verb, verb): found}
    dtype = next(x.dtype for x in args if isinstance(x, np.ndarray))
    arrays = {
        name: _as_given(x, f"{name} of {part}.{verb}", dtype)
        for name, x in given.items()
        if x is not None
    }
    for name, shape in _shapes(verb, arrays, args).items():
        expect(part, verb, name, arrays.get(name), shape)
    return arrays


def _as_given(x: Any, what: str, dtype: np.dtype[Any]) -> Array:
    """x in C order, and its real numbers in the dtype of those that the part was given."""
    if getattr(x, "dtype", dtype).kind != "c":  # the checker's complex step has such numbers
        x = numbers(x, what)
    x = np.asarray(x, order="C")
    return x.astype(dtype.type, copy=False) if {x.dtype.kind, dtype.kind} <= set("biuf") else x


def _shapes(verb: str, arrays: dict[str, Array], args: tuple[Any, ...]) -> dict[str, Shape]:
    """What a likelihood, a game or a penalty gives: values (N,), gradients of their x's shape."""
    if verb == "points":
        real, *_ = args
        count = len(arrays["x"]) if "x" in arrays else len(real)  # there may be fewer, or more
        return {"x": (count, *real.shape[1:])}
    if verb in ("both", "discriminator_pass", "generator_pass"):
        *given, dvalue, _tape = args
        names = ("gradient",) if verb == "both" else ARRAYS[verb][1:]
        of = given[-len(names) :]  # `both` of a likelihood is given x as well, before raw
        return {"value": dvalue.shape, **{n: x.shape for n, x in zip(names, of, strict=True)}}
    return {}


def _result(verb: str, arrays: dict[str, Array]) -> Any:
    """The same, as the verb gives it."""
    if verb == "both":
        return arrays["value"], arrays["gradient"]
    if verb in ARRAYS:
        return (
            SimpleNamespace(**{name: arrays.get(name) for name in ARRAYS[verb]}) if arrays else None
        )
    return arrays.get(CALLED.get(verb, verb))

"""A layer and its description are two forms of one thing; the second can be written in a file.

    {"layer": "Dense", "n_in": 784, "n_out": 128, "weights": "he_normal", "bias": "zeros"}
    {"layer": "Network", "in_shape": [784], "layers": [..., {"again": 0}]}

`{"again": k}` stands for a layer object that was met before: the k-th, counted from 0 in the order
in which descriptions are completed. `{"initialiser": "Normal", "std": 0.1}` is an initialiser that
was given as an object.
"""

import dataclasses
from typing import Any

import numpy as np

from ..ground.arguments import one_of
from ..ground.errors import OptionError
from .initialisers import KINDS
from .layer import Layer

RESERVED = {"layer", "again", "initialiser"}  # words of descriptions: no field has such a name
LAYERS: dict[str, type[Layer]] = {}  # by the name of the class; nn/__init__.py puts ours in


def describe(layer: Layer, met: list[Layer] | None = None) -> dict[str, Any]:
    """The description of `layer`, made of plain numbers, strings, lists and dicts."""
    met = [] if met is None else met
    if layer in met:
        return {"again": met.index(layer)}
    if LAYERS.get(type(layer).__name__) is not type(layer):
        raise OptionError(
            f"{type(layer).__name__} is not one of scratchgen's layers, so no file can hold it: "
            f"add the class to scratchgen.nn.LAYERS, here and where the file is loaded"
        )
    kind = type(layer).__name__
    names = _fields(type(layer))
    for name in RESERVED & set(names):
        raise OptionError(
            f"{kind} has a field {name!r}, a word that has its own meaning in a file: call the "
            f"field otherwise"
        )
    fields = {name: _plain(getattr(layer, name), met, f"{kind}: {name}") for name in names}
    met.append(layer)
    return {"layer": kind, **fields}


def _plain(value: Any, met: list[Layer], what: str) -> Any:
    if isinstance(value, Layer):
        return describe(value, met)
    if isinstance(value, tuple | list):
        return [_plain(item, met, what) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item(), met, what)
    if type(value) in KINDS.values():
        return {"initialiser": type(value).__name__, **dataclasses.asdict(value)}
    if callable(value):
        raise OptionError(
            f"{value!r} is not one of scratchgen's initialisers, so no file can hold it: take one "
            f"of {', '.join(KINDS)} instead"
        )
    if value is not None and not isinstance(value, bool | int | float | str):
        raise OptionError(
            f"{what} is of type {type(value).__name__}, which no file can hold: wants numbers, "
            f"text, layers, or tuples of them; arrays belong into parameters() or state()"
        )
    return value


def build(description: Any, met: list[Layer] | None = None) -> Layer:
    """The layer of a description; OptionError or ShapeError where it describes none."""
    met = [] if met is None else met
    if not isinstance(description, dict):
        raise OptionError(f"a layer is described by {description!r}: wants a dict")
    if "again" in description:
        place = description["again"]
        if not isinstance(place, int) or not 0 <= place < len(met):
            raise OptionError(f"the description {description!r} names a layer not met before it")
        return met[place]
    kind = LAYERS[one_of(description.get("layer"), LAYERS, "layer")]
    known, given = _fields(kind), {name for name in description if name != "layer"}
    if given != set(known):
        raise OptionError(f"a {kind.__name__} is described by {sorted(given)}: wants {known}")
    fields = {}
    for name in known:
        fields[name] = _from_plain(description[name], met)
    layer = kind.from_fields(fields)
    met.append(layer)
    return layer


def _from_plain(value: Any, met: list[Layer]) -> Any:
    if isinstance(value, dict) and "initialiser" in value:
        fields = {name: item for name, item in value.items() if name != "initialiser"}
        return KINDS[one_of(value["initialiser"], KINDS, "initialiser")](**fields)
    if isinstance(value, dict):
        return build(value, met)
    if isinstance(value, list):
        return [_from_plain(item, met) for item in value]
    return value


def _fields(kind: type[Layer]) -> list[str]:
    """What a layer of that kind is made of; every layer is a dataclass (see Layer)."""
    return [field.name for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]

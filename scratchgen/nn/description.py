"""A description is a layer in plain words and numbers, which a file can hold.

    {"layer": "Dense", "n_in": 784, "n_out": 128, "weights": "he_normal", "bias": "zeros"}
    {"layer": "Network", "in_shape": [784], "layers": [..., {"again": 0}]}

`{"again": k}` is a layer object that was described before: the k-th, counted from 0 in the order in
which descriptions end. `{"initialiser": "Normal", "std": 0.1}` is an initialiser object.
"""

import dataclasses
from typing import Any

import numpy as np

from ..ground.arguments import one_of
from ..ground.errors import OptionError, cut
from .initialisers import KINDS
from .layer import Layer

RESERVED = {"layer", "again", "initialiser"}  # words of descriptions, not names of fields
LAYERS: dict[str, type[Layer]] = {}  # by class name; nn/__init__.py adds the library's


def describe(layer: Layer, seen: list[Layer] | None = None) -> dict[str, Any]:
    """The description of `layer`, made of plain numbers, strings, lists and dicts."""
    seen = [] if seen is None else seen
    if layer in seen:
        return {"again": seen.index(layer)}
    if LAYERS.get(type(layer).__name__) is not type(layer):
        raise OptionError(
            f"{type(layer).__name__} is not one of scratchgen's layers, so no file can hold it: "
            f"add the class to scratchgen.nn.LAYERS, here and where the file is loaded"
        )
    kind = type(layer).__name__
    if vars(layer) and not dataclasses.is_dataclass(layer):
        raise OptionError(
            f"{kind} has settings, {cut(', '.join(vars(layer)))}, that are not fields, so no file "
            f"can hold them: make it a dataclass, @dataclass(frozen=True, eq=False)"
        )
    names = _fields(type(layer))
    for name in RESERVED & set(names):
        raise OptionError(
            f"{kind} has a field {name!r}, a word with a meaning of its own in files: rename the "
            f"field"
        )
    fields = {name: _plain(getattr(layer, name), seen, f"{kind}: {name}") for name in names}
    seen.append(layer)
    return {"layer": kind, **fields}


def _plain(value: Any, seen: list[Layer], what: str) -> Any:
    if isinstance(value, Layer):
        return describe(value, seen)
    if isinstance(value, tuple | list):
        return [_plain(item, seen, what) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item(), seen, what)
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


def build(description: Any, seen: list[Layer] | None = None) -> Layer:
    """The layer of a description; OptionError or ShapeError if it describes no layer."""
    seen = [] if seen is None else seen
    if not isinstance(description, dict):
        raise OptionError(f"a layer is described by {description!r}: wants a dict")
    if "again" in description:
        place = description["again"]
        if not isinstance(place, int) or not 0 <= place < len(seen):
            raise OptionError(
                f"the description {description!r} names a layer that does not stand before it"
            )
        return seen[place]
    kind = LAYERS[one_of(description.get("layer"), LAYERS, "layer")]
    known, given = _fields(kind), {name for name in description if name != "layer"}
    if given != set(known):
        raise OptionError(f"a {kind.__name__} is described by {sorted(given)}: wants {known}")
    fields = {}
    for name in known:
        fields[name] = _from_plain(description[name], seen)
    layer = kind.from_fields(fields)
    seen.append(layer)
    return layer


def _from_plain(value: Any, seen: list[Layer]) -> Any:
    if isinstance(value, dict) and "initialiser" in value:
        fields = {name: item for name, item in value.items() if name != "initialiser"}
        return KINDS[one_of(value["initialiser"], KINDS, "initialiser")](**fields)
    if isinstance(value, dict):
        return build(value, seen)
    if isinstance(value, list):
        return [_from_plain(item, seen) for item in value]
    return value


def _fields(kind: type[Layer]) -> list[str]:
    """The names of a layer's fields; a layer without settings need not be a dataclass."""
    return (
        [field.name for field in dataclasses.fields(kind) if field.init]
        if dataclasses.is_dataclass(kind)
        else []
    )

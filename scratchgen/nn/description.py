"""A layer and its description are two forms of one thing; the second can be written in a file.

    {"layer": "Dense", "n_in": 784, "n_out": 128, "weights": "he"}
    {"layer": "Network", "in_shape": [784], "layers": [..., {"again": 0}]}

`{"again": k}` stands for a layer object that was met before: the k-th, counted from 0 in the order
in which descriptions are completed.
"""

import dataclasses
from typing import Any

from ..checks import one_of
from ..errors import OptionError
from .activations import LeakyReLU, ReLU, Sigmoid, Tanh
from .dense import Dense
from .layer import Layer
from .network import Network
from .noise import GaussianNoise
from .reshape import Flatten, Reshape

LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (Dense, ReLU, LeakyReLU, Tanh, Sigmoid, Reshape, Flatten, GaussianNoise, Network)
}


def describe(layer: Layer, met: list[Layer] | None = None) -> dict[str, Any]:
    """The description of `layer`, made of plain numbers, strings, lists and dicts.

    Every layer is a dataclass (see Layer), which mypy cannot know of the base class.
    """
    met = [] if met is None else met
    if layer in met:
        return {"again": met.index(layer)}
    if type(layer).__name__ not in LAYERS:
        raise OptionError(
            f"{type(layer).__name__} is not one of scratchgen's layers, so no file can hold it: "
            f"add the class to scratchgen.nn.LAYERS, here and where the file is loaded"
        )
    fields = {
        field.name: _plain(getattr(layer, field.name), met)
        for field in dataclasses.fields(layer)  # type: ignore[arg-type]
    }
    met.append(layer)
    return {"layer": type(layer).__name__, **fields}


def _plain(value: Any, met: list[Layer]) -> Any:
    if isinstance(value, Layer):
        return describe(value, met)
    if isinstance(value, tuple):
        return [_plain(item, met) for item in value]
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
    fields = {name: value for name, value in description.items() if name != "layer"}
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if set(fields) != known:
        raise OptionError(
            f"a {kind.__name__} is described by {sorted(fields)}: wants {sorted(known)}"
        )
    if kind is Network:
        if not isinstance(fields["layers"], list):
            raise OptionError("the layers of a Network are described by a list")
        layers = [build(item, met) for item in fields["layers"]]
        layer: Layer = Network(fields["in_shape"], *layers)
    else:
        layer = kind(**fields)
    met.append(layer)
    return layer

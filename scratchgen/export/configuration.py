"""A model without its arrays, as JSON: its networks, its settings, and how it was trained.

A configuration is written only if the same model can be built from it. Reading trusts nothing:
layers take no memory, and their number and depth are checked before they are built.
See docs/file-format.md.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..ground.arguments import Array, float_type, nearest, one_of
from ..ground.errors import DataError, FileError, OptionError, ScratchgenError, cut
from ..models import MODELS, Model
from ..models.description import build_networks, describe_model
from ..models.families import family_settings
from ..nn import LAYERS, Network
from ..nn.network import places
from .records import plain_log
from .translation import EARLIER, FORMAT, translated

LONGEST_CONFIG = 2**22  # letters, of four bytes each in an array
MOST_PARTS = 2**17  # dicts and lists, which take far more memory than letters
LONGEST_NAME = 1_000  # letters of an array's name
MOST_LAYERS = 50_000  # that are described, nested layers included
MOST_PLACES = 10_000  # layers that a pass goes through; a few that are used again could make 2^60
MOST_DEPTH = 64  # nested layers


def known() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The registries of what a file names: models, layers, and parts of models; and their names."""
    fields = (field for kind in MODELS.values() for field in family_settings(kind))
    kinds = {field.name: field.metadata.get("registry") for field in fields}
    return {
        "model": ("scratchgen.models.MODELS", MODELS),
        "layer": ("scratchgen.nn.LAYERS", LAYERS),
        **{name: (kind.place, kind) for name, kind in kinds.items() if kind is not None},
    }


def config(model: Model) -> dict[str, Any]:
    """All of a model but its arrays, as plain numbers, strings, lists and dicts."""
    described = {
        "format": FORMAT,
        **describe_model(model),
        "training": plain_log(model.training_log),
    }
    modules = {f"{what} {name}": _module(what, name) for what, name in _named(described)}
    foreign = {name: module for name, module in modules.items() if module}
    return {**described, "modules": foreign} if foreign else described


def checked_json(model: Model) -> str:
    """The configuration as JSON, if `load` can build the same model from it, or an error."""
    try:
        text = json.dumps(config(model), allow_nan=False)
    except ScratchgenError:
        raise
    except (TypeError, ValueError, RecursionError) as problem:
        raise OptionError(
            f"no file can hold this {model.kind} ({problem_text(problem)})"
        ) from problem
    try:
        described = json.loads(text)
        again = blank(described, *parts(described))
        same = _arrays(again) == _arrays(model) and json.dumps(config(again)) == text
    except MemoryError:
        raise
    except Exception as problem:  # a user's own layer or model may raise anything
        raise OptionError(
            f"no file can hold this {model.kind}, because it could not be built again from "
            f"its description ({problem_text(problem)})"
        ) from problem
    if not same:
        raise OptionError(
            f"no file can hold this {model.kind}, because its description would build "
            f"another: a layer must consist of its fields only"
        )
    if is_too_long(text):
        log = not is_too_long(json.dumps({**described, "training": []}))
        advice = "keep fewer records, or shorter" if log else "take fewer layers"
        raise DataError(
            f"no file can hold this {model.kind}, because the description of its layers and "
            f"its {len(model.training_log):,} records of training has {len(text):,} letters and "
            f"{_part_count(text):,} dicts and lists, wants at most {LONGEST_CONFIG:,} and "
            f"{MOST_PARTS:,}: {advice}"
        )
    return text


def is_too_long(text: str) -> bool:
    """Whether a configuration is longer than `load` reads."""
    return len(text) > LONGEST_CONFIG or _part_count(text) > MOST_PARTS


def _part_count(text: str) -> int:
    return text.count("{") + text.count("[")


def _arrays(model: Model) -> dict[str, tuple[int, ...]]:
    """The shapes of all arrays of a model, by their names in a file."""
    shapes: dict[str, tuple[int, ...]] = {}
    for entry in model.block.layout.entries:
        name = entry.name
        if name in shapes or not name.isprintable() or len(name) > LONGEST_NAME:
            raise OptionError(f"{cut(name)!r} cannot be the name of an array")
        shapes[name] = entry.shape
    return shapes


def read_json(array: Array, what: str) -> dict[str, Any]:
    """The configuration whose JSON is in an array of the file called `what`, or FileError."""
    try:
        text = str(array)
        if is_too_long(text):
            raise FileError(f"{what} has a configuration of absurd length: damaged or hostile")
        described = json.loads(text)
        version = described["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise FileError(f"{what} has a configuration that cannot be read: damaged") from problem
    if type(version) is not int or version not in (*EARLIER, FORMAT):
        earlier = type(version) is int and version < EARLIER[0]
        advice = "train the model again" if earlier else "update scratchgen"
        raise FileError(
            f"{what} has format {cut(repr(version))}, this scratchgen reads {EARLIER[0]} to "
            f"{FORMAT}: {advice}"
        )
    try:
        return translated(described)
    except OptionError as problem:
        raise FileError(
            f"{what} describes no model that can be built ({problem_text(problem)}): damaged, or "
            f"made by another program"
        ) from problem


def parts(described: dict[str, Any]) -> tuple[type[Model], dict[str, Network], np.dtype[Any]]:
    """A model's class, its networks, which take no memory, and its dtype.

    Raises OptionError for known faults. A hostile description may raise any other exception, which
    the caller must catch.
    """
    one_of(described["model"], MODELS, "model")
    for number, (_, depth) in enumerate(_layers(described["networks"])):
        if number >= MOST_LAYERS or depth > MOST_DEPTH:
            raise OptionError(
                f"wants at most {MOST_LAYERS:,} layers, and {MOST_DEPTH} within each other"
            )
    kind, networks = build_networks(described)
    for network in networks.values():
        if places(network) > MOST_PLACES:
            raise OptionError(f"a network of {places(network):,} layers, one after the other")
    return kind, networks, float_type(described["dtype"])


def blank(
    described: dict[str, Any],
    kind: type[Model],
    networks: dict[str, Network],
    dtype: np.dtype[Any],
) -> Model:
    """The model of these parts, with zeros in its arrays, which the caller fills.

    Raises OptionError, or whatever the model raises, where settings and networks do not fit.
    """
    model = kind.from_settings(networks, described["settings"], dtype)
    settings = json.loads(json.dumps(model.settings()))
    if settings != described["settings"]:
        raise OptionError("the settings do not fit the networks")
    model.training_log = plain_log(described["training"])
    return model


def _layers(description: Any) -> Iterator[tuple[str, int]]:
    """The class name of every layer in a description, and its depth in other layers."""
    rest = [(description, 0)]
    while rest:
        value, depth = rest.pop()
        if isinstance(value, dict):
            if isinstance(value.get("layer"), str):
                depth += 1
                yield value["layer"], depth
            value = list(value.values())
        if isinstance(value, list):
            rest += [(item, depth) for item in value if isinstance(item, dict | list)]


def _named(described: dict[str, Any]) -> list[tuple[str, str]]:
    """All names of registries in a configuration, each once, as ("layer", "Dense")."""
    names = [("model", described.get("model"))]
    names += [("layer", name) for name, _ in _layers(described.get("networks"))]
    settings = described.get("settings")
    for what in known():
        part = settings.get(what) if isinstance(settings, dict) else None
        names.append((what, part.get("name") if isinstance(part, dict) else None))
    return list(dict.fromkeys((what, name) for what, name in names if isinstance(name, str)))


def _module(what: str, name: str) -> str:
    """The module of a user's own class, or of their game's functions; "" for one of ours."""
    entry = known()[what][1].get(name)
    source = getattr(entry, "discriminator", entry)  # a user's game has our class, their functions
    module = getattr(source, "__module__", None) or ""
    ours = __name__.partition(".")[0]
    return "" if module.partition(".")[0] in (ours, "__main__", "builtins") else module


def expect_known(described: dict[str, Any], what: str) -> None:
    """FileError for a class that is missing, with the module to import if the file names it."""
    modules, places_of = described.get("modules"), known()
    for part, name in _named(described):
        place, names = places_of[part]
        if name in names:
            continue
        module = modules.get(f"{part} {name}") if isinstance(modules, dict) else None
        needs = f"{what} needs the {part} {cut(repr(name), 60)}"
        if not isinstance(module, str) or not module.replace(".", "_").isidentifier():
            raise FileError(
                f"{needs}, which is none of scratchgen's{nearest(name, names)}: before loading, "
                f"import the module that defines it and adds it to {place} (in a shell: --import "
                f"MODULE)"
            )
        if module in sys.modules:
            raise FileError(f"{needs} of {module}: see that it is added to {place} there")
        raise FileError(
            f"{needs}: before loading, import {cut(module, 200)}, which is to add it to {place} "
            f"(in a shell: --import {cut(module, 200)})"
        )


def problem_text(problem: Exception) -> str:
    """The kind of an exception and its message, cut."""
    return cut(f"{type(problem).__name__}: {problem}", 300)

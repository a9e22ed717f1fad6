"""A user's arguments, arrays in dicts and lists, as named blocks and back.

    leaves({"w": [w0, w1], "b": b}, "p")     p['w'][0], p['w'][1], p['b']
    rebuilt(...)                             the same dicts and lists around other arrays

A list of numbers is an array. A list with an array, a dict, a tuple or None in it is a container.
Arrays of floats, and floats, are differentiated. Whole numbers, booleans, text, None and all other
objects are constants.
"""

import copy
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ...ground.errors import KindError

DEEPEST = 40  # containers within containers


def is_container(value: Any, depth: int = 0) -> bool:
    """Whether `value` contains arguments, and is not an argument itself."""
    if isinstance(value, Mapping | SimpleNamespace | tuple):
        return True
    if not isinstance(value, list) or depth > DEEPEST:
        return isinstance(value, list)
    return any(
        item is None or isinstance(item, np.ndarray) or is_container(item, depth + 1)
        for item in value
    )


def keys(value: Any) -> list[Any]:
    """The keys, attribute names or indices of a container."""
    if isinstance(value, Mapping):
        return list(value)
    return list(vars(value)) if isinstance(value, SimpleNamespace) else list(range(len(value)))


def parts(value: Any, name: str) -> list[tuple[str, Any]]:
    """The items of a container, each with its name: `p['w']`, `p[0]`, `p.w`."""
    if isinstance(value, SimpleNamespace):
        return [(f"{name}.{key}", item) for key, item in vars(value).items()]
    return [(f"{name}[{key!r}]", value[key]) for key in keys(value)]


def leaves(value: Any, name: str, depth: int = 0) -> list[tuple[str, Any]]:
    """The leaves of nested containers in order, each with its name.

    Raises KindError for a value nested too deep, such as a list that contains itself.
    """
    if depth > DEEPEST:
        raise KindError(f"{name[:40]} ... is nested more than {DEEPEST} deep, or holds itself")
    if not is_container(value):
        return [(name, value)]
    return [leaf for part, item in parts(value, name) for leaf in leaves(item, part, depth + 1)]


def rebuilt(value: Any, name: str, blocks: Mapping[str, Any]) -> Any:
    """`value` with its leaves replaced by the entries of `blocks` of the same names."""
    if not is_container(value):
        return blocks.get(name, value)
    inner = [rebuilt(item, part, blocks) for part, item in parts(value, name)]
    if type(value) not in (dict, list, tuple, SimpleNamespace) and hasattr(value, "__setitem__"):
        same = copy.copy(value)  # of a class of the user's own
        for key, item in zip(keys(value), inner, strict=True):
            same[key] = item
        return same
    if isinstance(value, Mapping):
        return dict(zip(value, inner, strict=True))
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**dict(zip(vars(value), inner, strict=True)))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*inner)
    return type(value)(inner) if isinstance(value, tuple) else inner


def as_block(value: Any) -> Array | None:
    """A float64 copy of a float array or number, in the same layout; None for a constant.

    >>> as_block([1.5, 2]), as_block(3), as_block("text")
    (array([1.5, 2. ]), None, None)
    """
    if isinstance(value, bool | int | str | bytes) or value is None:
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    return array.astype(np.float64, order="K") if array.dtype.kind == "f" else None

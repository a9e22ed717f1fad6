"""Random numbers that come again: every generator in reach of a function, found and put back.

A function that draws has no derivative that differences could see, unless each call draws the same.
So the generators that stand in its arguments, closure, defaults, globals or attributes are found,
and put back to where they stood before each call.
"""

import functools
import random
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

MOST_OBJECTS = 5_000  # that are looked into
DEPTH = 6
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


class Frozen:
    """Generators, each with the state to which `restore` puts it back."""

    def __init__(self, *roots: Any) -> None:
        self.generators = generators_in(*roots)
        self.states = [_state(one) for one in self.generators]
        self.shared: tuple[Any, Any] | None = None  # states of np.random and random

    def freeze_shared(self) -> None:
        """Hold the module-wide generators of numpy and Python as well; slower, so not by default.

        Reads and puts back the states that users of `np.random.rand()` share.
        """
        self.shared = (np.random.get_state(), random.getstate())  # noqa: NPY002 - a user's calls

    def restore(self) -> None:
        """Put every generator back."""
        for one, state in zip(self.generators, self.states, strict=True):
            if isinstance(one, np.random.Generator):
                one.bit_generator.state = state
            elif isinstance(one, random.Random):
                one.setstate(state)
            else:
                one.set_state(state)
        if self.shared is not None:
            np.random.set_state(self.shared[0])  # noqa: NPY002
            random.setstate(self.shared[1])

    def moved(self) -> bool:
        """Whether any of the generators has drawn since."""
        return any(
            str(_state(one)) != str(state)
            for one, state in zip(self.generators, self.states, strict=True)
        )


def _state(one: Any) -> Any:
    """Where a generator stands."""
    if isinstance(one, np.random.Generator):
        return one.bit_generator.state
    return one.getstate() if isinstance(one, random.Random) else one.get_state()


def generators_in(*roots: Any) -> list[Any]:
    """Every generator of numpy or Python that can be reached from the objects, each once."""
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def visit(one: Any, depth: int) -> None:
        if id(one) in seen or depth > DEPTH or len(seen) > MOST_OBJECTS:
            return
        if isinstance(one, np.ndarray | str | bytes | int | float | types.ModuleType | type):
            return
        seen.add(id(one))
        if isinstance(one, GENERATORS):
            found[id(one)] = one
            return
        for inner in _inside(one):
            visit(inner, depth + 1)

    for root in roots:
        visit(root, 0)
    return list(found.values())


def _inside(one: Any) -> list[Any]:
    """The objects that an object holds."""
    if isinstance(one, Mapping):
        return list(one.values())
    if isinstance(one, list | tuple | set | frozenset):
        return list(one)
    if isinstance(one, functools.partial):
        return [one.func, *one.args, *one.keywords.values()]
    if isinstance(one, types.MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, types.FunctionType):
        cells = [cell.cell_contents for cell in one.__closure__ or () if _is_filled(cell)]
        named = [one.__globals__.get(name) for name in one.__code__.co_names]
        defaults = [*(one.__defaults__ or ()), *(one.__kwdefaults__ or {}).values()]
        return [*cells, *defaults, *named, getattr(one, "__wrapped__", None)]
    attributes = getattr(one, "__dict__", None)
    own = list(attributes.values()) if isinstance(attributes, dict) else []
    slots = [name for kind in type(one).__mro__ for name in _slots(kind)]
    shared = [value for kind in type(one).__mro__ for value in vars(kind).values()]
    return [
        *own,
        *(getattr(one, name, None) for name in slots),
        *(value for value in shared if isinstance(value, GENERATORS)),
    ]


def _slots(kind: type) -> tuple[str, ...]:
    names = vars(kind).get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a name that its function has not bound yet
        return False
    return True

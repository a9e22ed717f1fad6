"""Random generators that repeat their draws: those in reach of a function are found and reset.

A function that draws random numbers has no derivative that differences could show, unless each call
draws the same. So the generators in its arguments, closure, defaults, globals and attributes are
found, and reset before each call.
"""

import functools
import random
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

MOST_OBJECTS = 5_000  # to be searched
DEPTH = 6
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


class Frozen:
    """Generators, each with the state to which `restore` resets it."""

    def __init__(self, *roots: Any) -> None:
        self.generators = generators_in(*roots)
        self.states = [_state(generator) for generator in self.generators]
        self.shared: tuple[Any, Any] | None = None  # states of np.random and random

    def freeze_shared(self) -> None:
        """Reset the module-wide generators of NumPy and Python as well; slower, so not by default.

        They are the generators behind `np.random.rand()` and `random.random()`.
        """
        self.shared = (np.random.get_state(), random.getstate())  # noqa: NPY002 - a user's calls

    def restore(self) -> None:
        """Reset every generator."""
        for generator, state in zip(self.generators, self.states, strict=True):
            if isinstance(generator, np.random.Generator):
                generator.bit_generator.state = state
            elif isinstance(generator, random.Random):
                generator.setstate(state)
            else:
                generator.set_state(state)
        if self.shared is not None:
            np.random.set_state(self.shared[0])  # noqa: NPY002
            random.setstate(self.shared[1])

    def moved(self) -> bool:
        """Whether any of the generators has drawn since the last reset."""
        return any(
            str(_state(generator)) != str(state)
            for generator, state in zip(self.generators, self.states, strict=True)
        )


def _state(generator: Any) -> Any:
    """The state of a generator."""
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def generators_in(*roots: Any) -> list[Any]:
    """Every generator of NumPy or Python in reach of the objects, each listed once."""
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def visit(value: Any, depth: int) -> None:
        if id(value) in seen or depth > DEPTH or len(seen) > MOST_OBJECTS:
            return
        if isinstance(value, np.ndarray | str | bytes | int | float | types.ModuleType | type):
            return
        seen.add(id(value))
        if isinstance(value, GENERATORS):
            found[id(value)] = value
            return
        for inner in _inside(value):
            visit(inner, depth + 1)

    for root in roots:
        visit(root, 0)
    return list(found.values())


def _inside(value: Any) -> list[Any]:
    """The objects inside an object."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        used = [value.__globals__.get(name) for name in value.__code__.co_names]
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return [*cells, *defaults, *used, getattr(value, "__wrapped__", None)]
    attributes = getattr(value, "__dict__", None)
    own = list(attributes.values()) if isinstance(attributes, dict) else []
    slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
    of_classes = [item for kind in type(value).__mro__ for item in vars(kind).values()]
    return [
        *own,
        *(getattr(value, name, None) for name in slots),
        *(item for item in of_classes if isinstance(item, GENERATORS)),
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

"""A memory is what is remembered of one vector between steps, and it knows which vector that is.

    memory = remember("Adam", theta, "m", "v", t=0)        memory.m, memory.v are zeros (P,)

What makes a memory refuses, before it writes anything, a memory that it did not make, a memory of
another vector, and a gradient that does not fit: going on would train on another's moments.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import FLOATS, Array, array_text
from ..ground.errors import KindError, OptionError, ShapeError


class Memory(SimpleNamespace):
    """`owner`, who made it; `theta`, the vector (P,) that it is of; and the owner's own notes.

    The vector is known by the memory it lies in, not by its values. A deepcopy or a pickle of theta
    and memory together keeps them together.
    """


def remember(owner: str, theta: Array, *names: str, **notes: Any) -> Memory:
    """A memory of theta (P,) before the first step: zeros (P,) by those names, and notes.

    Raises KindError or ShapeError unless theta is a flat array of float32 or float64.
    """
    if not isinstance(theta, np.ndarray) or theta.dtype.name not in FLOATS:
        raise KindError(
            f"{owner}: theta is {array_text(theta)}, wants a NumPy array of float32 or float64, "
            f"which is written in place: make it with np.asarray(theta, 'float32')"
        )
    if theta.ndim != 1:
        first = "" if theta.flags.c_contiguous else "make theta = np.ascontiguousarray(theta), "
        raise ShapeError(
            f"{owner}: theta has shape {theta.shape}, wants a flat vector (P,): {first}keep one "
            f"view flat = theta.reshape(-1), and use it each time"
        )
    zeros = {name: np.zeros(theta.shape, theta.dtype.type) for name in names}
    return Memory(owner=owner, theta=theta, **zeros, **notes)


def check_owner(owner: str, memory: Any) -> None:
    """Raise KindError unless `owner` made `memory`."""
    made_by = getattr(memory, "owner", None) if isinstance(memory, Memory) else None
    if made_by != owner:
        came = f"a memory that {made_by} made" if made_by else f"{type(memory).__name__} as memory"
        raise KindError(
            f"{owner} got {came}, wants one of its own: make it once, before the first step, with "
            f"memory = optimizer.memory(theta)"
        )


def check_update(owner: str, theta: Array, memory: Any) -> None:
    """Raise KindError or OptionError unless `owner` made `memory` for this very vector."""
    check_owner(owner, memory)
    if not is_same_vector(theta, memory.theta):
        raise OptionError(
            f"{owner} got a memory of another vector than this one ({array_text(theta)}): make "
            f"one for each vector, and write into that vector in place, theta[:] = ..., not "
            f"theta = ..."
        )


def is_same_vector(x: Any, theta: Array) -> bool:
    """Whether x is theta, or lies where theta does: what is written into one is in both."""
    return x is theta or (
        isinstance(x, np.ndarray)
        and (x.dtype, x.shape, x.strides) == (theta.dtype, theta.shape, theta.strides)
        and x.__array_interface__["data"][0] == theta.__array_interface__["data"][0]
    )


def check_gradient(owner: str, theta: Array, gradient: Any) -> None:
    """Raise KindError or ShapeError unless the gradient is an array like theta (P,)."""
    if not isinstance(gradient, np.ndarray) or gradient.dtype.type is not theta.dtype.type:
        raise KindError(
            f"{owner}: the gradient is {array_text(gradient)}, wants {theta.dtype} as theta has: "
            f"make it with np.asarray(gradient, theta.dtype)"
        )
    if gradient.shape != theta.shape:
        raise ShapeError(
            f"{owner}: the gradient has shape {gradient.shape}, wants that of theta, "
            f"{theta.shape}: it has one number for each parameter"
        )


def contents(memory: Any, name: str = "") -> Iterator[tuple[str, Any, Any, Any]]:
    """All arrays and numbers in a memory: of each the name, who has it, by which key, and itself.

    The names tell the way to it: `m`, or `inner.m`. Raises KindError for what is neither, nor a
    namespace, a dict or a list of these, which is all that a memory of one's own may consist of.
    """
    if isinstance(memory, dict | list):
        pairs: Any = memory.items() if isinstance(memory, dict) else enumerate(memory)
    elif memory is None or hasattr(memory, "__dict__"):
        pairs = vars(memory).items() if memory is not None else ()
    else:
        raise KindError(
            f"the memory of an optimizer holds {memory!r}: wants arrays, numbers, text, and "
            f"namespaces, dicts or lists of them"
        )
    for key, value in pairs:
        path = f"{name}.{key}" if name else f"{key}"
        if isinstance(memory, Memory) and key in ("owner", "theta"):
            continue
        if isinstance(value, np.ndarray | np.generic | bool | int | float | str | None):
            yield path, memory, key, value
        else:
            yield from contents(value, path)


def put(owner: Any, key: Any, value: Any) -> None:
    """Write a number to where `contents` has found it."""
    if isinstance(owner, dict | list):
        owner[key] = value
    else:
        setattr(owner, key, value)

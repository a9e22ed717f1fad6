"""A memory is what an optimizer keeps between steps for one vector, and it knows which vector.

    memory = remember("Adam", theta, "m", "v", t=0)        memory.m, memory.v are zeros (P,)

Before it writes anything, the owner of a memory refuses a memory that it did not make, a memory for
another vector, and a gradient that does not fit: otherwise it would train with wrong moments.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import FLOATS, Array, array_text
from ..ground.errors import KindError, OptionError, ShapeError


class Memory(SimpleNamespace):
    """`owner`, the name of its maker; `theta`, its vector (P,); and the owner's arrays and numbers.

    The vector is recognised by its address, not by its values. A deepcopy or a pickle of theta and
    memory together keeps them together.
    """


def remember(owner: str, theta: Array, *names: str, **notes: Any) -> Memory:
    """A memory for theta (P,) before the first step: zeros (P,) under those names, and notes.

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
    maker = getattr(memory, "owner", None) if isinstance(memory, Memory) else None
    if maker != owner:
        what = f"a memory that {maker} made" if maker else f"{type(memory).__name__} as memory"
        raise KindError(
            f"{owner} got {what}, wants one of its own: make it once, before the first step, with "
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
    """Whether x is theta, or a view of the same memory, so that writing one writes both."""
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
    """Each array and number in a memory: its name, such as `inner.m`, its container, key and value.

    A user's own memory may consist of arrays, numbers and text, and of namespaces, dicts and lists
    of these; anything else is a KindError.
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


def put(container: Any, key: Any, value: Any) -> None:
    """Write a value under a container and key that `contents` returned."""
    if isinstance(container, dict | list):
        container[key] = value
    else:
        setattr(container, key, value)

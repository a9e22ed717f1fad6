"""Optimizers by name, and what a run records of their settings.

    descent.py      what they share, and SGD
    momentum.py     Momentum, Nesterov
    rmsprop.py      RMSProp, plain and centred
    adam.py         Adam, AdamW
    clipping.py     ClipNorm, around any of them

ClipNorm has no name here: it takes another optimizer, and is built in Python.
"""

import dataclasses
from typing import Any

import numpy as np

from ..checks import Array, as_object, one_of
from ..errors import KindError
from .adam import Adam, AdamW
from .descent import SGD, Descent, Optimizer
from .momentum import Momentum, Nesterov
from .rmsprop import RMSProp

PLAIN = 2**63  # numbers beyond it, and NaN, are recorded as text

OPTIMIZERS: dict[str, type[Descent]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}


def optimizer_for(choice: Any, what: str = "optimizer") -> Optimizer:
    """An optimizer: `choice` itself or, of a name or a class, the one with its default settings.

    Raises OptionError for an unknown name, KindError for what is no optimizer.

    >>> optimizer_for("adam")
    Adam(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-08)
    """
    if isinstance(choice, str):
        choice = OPTIMIZERS[one_of(choice, OPTIMIZERS, what)]
    one = as_object(choice, object, what)
    if not (hasattr(one, "update") and hasattr(one, "memory")):
        raise KindError(f"{what}={one!r}: wants an optimizer, such as sg.optim.Adam(1e-3)")
    optimizer: Optimizer = one
    return optimizer


def expect_written(optimizer: Any, theta: Array, found: Any) -> None:
    """KindError where `update` gave another array than theta, which it is to write in place."""
    if isinstance(found, np.ndarray) and found is not theta:
        raise KindError(
            f"{optimizer}.update gave an array, wants theta written in place: theta[:] = ..."
        )


def settings(optimizer: Any) -> dict[str, Any]:
    """An optimizer's name and settings, as plain numbers, strings and dicts, for a run's records.

    A setting of several parts is spread over its indices; one that is None is left out.

    >>> settings(SGD(0.1))
    {'name': 'SGD', 'learning_rate': 0.1}
    """
    named: dict[str, Any] = {"name": type(optimizer).__name__}
    for field in dataclasses.fields(optimizer) if dataclasses.is_dataclass(optimizer) else ():
        value = getattr(optimizer, field.name)
        if isinstance(value, tuple):
            named |= {f"{field.name}.{i}": _plain(part) for i, part in enumerate(value)}
        elif value is not None:
            named[field.name] = _plain(value)
    return named


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return settings(value)
    if isinstance(value, float | int | str):
        plain = value.isprintable() if isinstance(value, str) else abs(value) < PLAIN
        return value if plain else ascii(value)
    return type(value).__name__

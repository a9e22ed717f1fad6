"""Optimizers by name.

    descent.py      what they share, and SGD
    momentum.py     Momentum, Nesterov
    rmsprop.py      RMSProp, plain and centred
    adam.py         Adam, AdamW
    clipping.py     ClipNorm, around any of them

ClipNorm takes another optimizer, perhaps by its name, and so adds itself to these.
"""

from typing import Any

import numpy as np

from ..ground.arguments import Array, as_object, one_of
from ..ground.errors import KindError
from ..ground.parts import Registry
from .adam import Adam, AdamW
from .descent import SGD, Optimizer
from .momentum import Momentum, Nesterov
from .rmsprop import RMSProp

OPTIMIZERS = Registry(
    "optimizer",
    "scratchgen.optim.OPTIMIZERS",
    {
        "sgd": SGD,
        "momentum": Momentum,
        "nesterov": Nesterov,
        "rmsprop": RMSProp,
        "adam": Adam,
        "adamw": AdamW,
    },
)


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

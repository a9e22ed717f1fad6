"""Optimizers by name.

    descent.py      what all share, and SGD
    momentum.py     Momentum, Nesterov
    rmsprop.py      RMSProp, plain and centred
    adam.py         Adam, AdamW
    clipping.py     ClipNorm, which takes one of the others

OPTIMIZERS follows from the lines of __init__.py.
"""

from typing import Any

import numpy as np

from ..ground.arguments import Array, as_object, one_of
from ..ground.errors import KindError
from ..ground.parts import Registry
from .descent import Optimizer

OPTIMIZERS = Registry("optimizer", "scratchgen.optim.OPTIMIZERS")


def optimizer_for(choice: Any, what: str = "optimizer") -> Optimizer:
    """The optimizer `choice`; a name or a class stands for one with default settings.

    Raises OptionError for an unknown name, KindError for anything that is not an optimizer.

    >>> optimizer_for("adam")
    Adam(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-08)
    """
    if isinstance(choice, str):
        choice = OPTIMIZERS[one_of(choice, OPTIMIZERS, what)]
    optimizer: Optimizer = as_object(choice, object, what)
    if not (hasattr(optimizer, "update") and hasattr(optimizer, "memory")):
        raise KindError(f"{what}={optimizer!r}: wants an optimizer, such as sg.optim.Adam(1e-3)")
    return optimizer


def expect_written(optimizer: Any, theta: Array, returned: Any) -> None:
    """KindError if `update` returned a new array, although it has to write theta in place."""
    if isinstance(returned, np.ndarray) and returned is not theta:
        raise KindError(
            f"{optimizer}.update returned an array, wants theta written in place: theta[:] = ..."
        )

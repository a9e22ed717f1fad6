"""Optimizers and their schedules in plain numbers, text, lists and dicts, and back.

    describe(ClipNorm(SGD(Cosine(0.1, 500))))

    {"name": "clip_norm", "norm": 1.0, "optimizer": {
        "name": "sgd", "learning_rate": {"name": "cosine", "rate": 0.1, "steps": 500, "least": 0.0}
    }}

The names are those of OPTIMIZERS and SCHEDULES, to which users add frozen dataclasses of their own.
"""

from typing import Any, NoReturn

from ..ground import parts
from ..ground.errors import OptionError, cut
from ..ground.parts import Registry
from .descent import Optimizer
from .optimizers import OPTIMIZERS, optimizer_for
from .schedules import SCHEDULES, is_schedule


def describe(optimizer: Any) -> dict[str, Any]:
    """All that an optimizer is; what `build` takes.

    Raises OptionError where it, or a schedule of it, is the user's own and not known by a name.

    >>> from scratchgen.optim import SGD
    >>> describe(SGD(0.1))
    {'name': 'sgd', 'learning_rate': 0.1}
    """
    return parts.describe(optimizer_for(optimizer), _known(), _refuse) or {}


def build(description: Any) -> Optimizer:
    """The optimizer of a description. Raises OptionError or KindError where it describes none.

    >>> build({"name": "sgd", "learning_rate": 0.1})
    SGD(learning_rate=0.1)
    """
    return optimizer_for(parts.build(description, _known()))


def recorded(optimizer: Any) -> dict[str, Any]:
    """What the log of a run holds: `describe`, and the class's name of what that would refuse.

    >>> from scratchgen.optim import SGD
    >>> recorded(SGD(lambda step: 1 / (1 + step)))
    {'name': 'sgd', 'learning_rate': {'name': 'function'}}
    """
    return parts.describe(optimizer, _known(), _named) or {}


def _known() -> Registry:
    """All that may stand in a description, with what users have added."""
    place = f"{OPTIMIZERS.place} or SCHEDULES"
    return Registry("optimizer or schedule", place, {**SCHEDULES, **OPTIMIZERS})


def _named(one: Any) -> dict[str, Any]:
    return {"name": type(one).__name__}


def _refuse(one: Any) -> NoReturn:
    """OptionError for what no file can hold, with what to do."""
    kind = SCHEDULES if is_schedule(one) else OPTIMIZERS
    if kind is OPTIMIZERS and not hasattr(one, "memory"):
        raise OptionError(
            f"an optimizer has the setting {cut(repr(one))}, which no file can hold: wants finite "
            f"numbers, text, or parts of {OPTIMIZERS.place} or SCHEDULES"
        )
    if kind is SCHEDULES and (name := getattr(one, "__name__", "")):
        raise OptionError(
            f"the schedule {name} is a plain function, which no file can hold: make it a frozen "
            f"dataclass with a method __call__(self, step), and add that to {kind.place}, here and "
            f"where the file is loaded"
        )
    raise OptionError(
        f"the {kind.what} {cut(str(one))} is not one of scratchgen's, so no file can hold it: "
        f"make its class a frozen dataclass, whose fields are its settings, and add it to "
        f"{kind.place}, here and where the file is loaded"
    )

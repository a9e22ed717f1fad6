"""Optimizers and their schedules as numbers, text, lists and dicts, and back.

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
    """An optimizer as the description that `build` takes.

    Raises OptionError if it, or its schedule, is the user's own and has no name in a registry.

    >>> from scratchgen.optim import SGD
    >>> describe(SGD(0.1))
    {'name': 'sgd', 'learning_rate': 0.1}
    """
    return parts.describe(optimizer_for(optimizer), _registry(), _refuse) or {}


def build(description: Any) -> Optimizer:
    """The optimizer of a description; OptionError or KindError if it describes none.

    >>> build({"name": "sgd", "learning_rate": 0.1})
    SGD(learning_rate=0.1)
    """
    return optimizer_for(parts.build(description, _registry()))


def recorded(optimizer: Any) -> dict[str, Any]:
    """The description for the log of a run: `describe`, with class names for what it refuses.

    >>> from scratchgen.optim import SGD
    >>> recorded(SGD(lambda step: 1 / (1 + step)))
    {'name': 'sgd', 'learning_rate': {'name': 'function'}}
    """
    return parts.describe(optimizer, _registry(), _class_name) or {}


def _registry() -> Registry:
    """Everything that a description may name, with what users have added."""
    place = f"{OPTIMIZERS.place} or SCHEDULES"
    return Registry("optimizer or schedule", place, {**SCHEDULES, **OPTIMIZERS})


def _class_name(part: Any) -> dict[str, Any]:
    return {"name": type(part).__name__}


def _refuse(part: Any) -> NoReturn:
    """Raise OptionError for a part that no file can hold, and say what to do."""
    kind = SCHEDULES if is_schedule(part) else OPTIMIZERS
    if kind is OPTIMIZERS and not hasattr(part, "memory"):
        raise OptionError(
            f"an optimizer has the setting {cut(repr(part))}, which no file can hold: wants finite "
            f"numbers, text, or parts of {OPTIMIZERS.place} or SCHEDULES"
        )
    if kind is SCHEDULES and (name := getattr(part, "__name__", "")):
        raise OptionError(
            f"the schedule {name} is a plain function, which no file can hold: make it a frozen "
            f"dataclass with a method __call__(self, step), and add that to {kind.place}, here and "
            f"where the file is loaded"
        )
    raise OptionError(
        f"the {kind.what} {cut(str(part))} is not one of scratchgen's, so no file can hold it: "
        f"make its class a frozen dataclass, whose fields are its settings, and add it to "
        f"{kind.place}, here and where the file is loaded"
    )

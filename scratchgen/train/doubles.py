"""A double of a trainer takes the steps that are recorded: what it computes with, it can only read.

Vectors and gradients are those of the trainer itself, seen through read-only windows, so that
kernels alone write them; optimizer memories and tapes are the same objects. In the place of a
user's own part, of which nothing is known, stands one that runs it (stand_ins.py). The number of
the step may be read by `kernels.scheduled` alone, as a plan cannot know it.
"""

import copy
import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..kernels.recording import is_recording
from ..kernels.trust import is_ours
from ..kernels.workspaces import read_only
from ..losses.games import AdversarialLoss, shared_formula
from ..nn import Layer
from ..optim import ClipNorm
from .stand_ins import Refused, StandIn, StandInOptimizer, asking_once, doubled
from .trainer import Trainer


def is_known(part: Any) -> bool:
    """Whether what a part does is kernels alone."""
    if isinstance(part, AdversarialLoss):  # a user's own may be of this class
        players = (
            shared_formula(part.discriminator, part.discriminator_gradients),
            shared_formula(part.generator, part.generator_gradients),
        )
        return is_ours(part) and all(hasattr(formula, "definition") for formula in players)
    if isinstance(part, ClipNorm) and not is_known(part.optimizer):
        return False
    return is_ours(part)


class Double:
    """The trainer again, with a double of its model; None where the model is of another class."""

    def __init__(self, trainer: Trainer, choices: list[Any]) -> None:
        self._choices = choices  # which stay alive, so that nothing else gets an id of these
        self.settings = Settings(trainer)
        self.trainer: Any = _double_of_trainer(trainer) if _can_be_doubled(trainer) else None


class Settings:
    """What our own parts have as settings at one moment, as a plan takes them.

    They are frozen, and object.__setattr__ writes them all the same. An optimizer is asked for its
    rate in each step, unless that is a schedule, for which a stand-in is asked.
    """

    def __init__(self, trainer: Trainer) -> None:
        model = trainer.model
        todo = [*model.networks.values(), *model.parts(), *trainer.optimizers.values()]
        parts: dict[int, Any] = {}
        while todo:
            part = todo.pop()
            if id(part) in parts or not is_known(part):
                continue
            parts[id(part)] = part
            todo += part.children() if isinstance(part, Layer) else ()
            todo += [part.optimizer] if isinstance(part, ClipNorm) else []
        self._parts = [(part, len(vars(part)), _reader(part)) for part in parts.values()]
        self._values = self._read()

    def are_as_before(self) -> bool:
        """Whether they still are the same, and no part has got a method of its own."""
        return are_same(self._read(), self._values) and all(
            len(vars(part)) == count or is_known(part) for part, count, _ in self._parts
        )

    def _read(self) -> list[Any]:
        return [value for part, _, read in self._parts for value in read(part)]


def _reader(part: Any) -> Callable[[Any], tuple[Any, ...]]:
    """What reads the class and the settings of a part."""
    fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    names = [field.name for field in fields]
    if not callable(getattr(part, "learning_rate", None)):
        names = [name for name in names if name != "learning_rate"]
    return operator.attrgetter("__class__", "__module__", *names)  # of two at least: a tuple


def _double_of_trainer(trainer: Trainer) -> Trainer:
    """It shares memories and tapes, and sees vectors and gradients through read-only windows."""
    double = copy.copy(trainer)
    double.model, double.numbered = _double_of(trainer.model), StepNumber
    double.gradients, double.optimizers = {}, {}
    for player, gradient in trainer.gradients.items():
        optimizer: Any = trainer.optimizers[player]
        theta = trainer.model.theta(player)
        stand_in: Any = StandInOptimizer(optimizer, theta, gradient.vector)
        double.optimizers[player] = asking_once(optimizer) if is_known(optimizer) else stand_in
        double.gradients[player] = gradient.seen_through(read_only)
    parts = (*trainer.optimizers.values(), *trainer.model.parts())
    double.others_run = not all(map(is_known, parts)) or any(
        double.model.networks[name] is not one for name, one in trainer.model.networks.items()
    )
    return double


def _double_of(model: Any) -> Any:
    double = copy.copy(model)
    made: dict[Layer, Layer] = {}
    for name, value in vars(model).items():
        if any(value is part for part in model.parts()) and not is_known(value):
            setattr(double, name, StandIn(value))
    for name, network in model.networks.items():
        setattr(double, name, doubled(network, is_known, made))
    double.block = model.block.seen_through(read_only)
    return double


def _can_be_doubled(trainer: Trainer) -> bool:
    """Whether the model, its networks and the average are of our own classes."""
    model = trainer.model
    own = [model, *model.networks.values(), *([trainer.average] if trainer.average else [])]
    return all(map(is_known, own))


class StepNumber:
    """The number of a step, which a plan cannot know: it may be read by `kernels.scheduled` alone.

    It is no int, because what is written in C would read that without asking: `table[step]`.
    """

    def __init__(self, step: int) -> None:
        self._step = step

    def __array__(self, *_args: Any, **_options: Any) -> Array:
        return np.array(self.__int__())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.__int__(), name)

    def __int__(self) -> int:
        if is_recording():
            raise Refused("the number of the step is read, and not by turn.scheduled")
        return self._step


def _reading(f: Callable[..., Any], reverse: bool = False) -> Any:
    def read(self: StepNumber, *others: Any) -> Any:
        step = self.__int__()
        return f(*others, step) if reverse else f(step, *others)

    return read


for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert", "index"):
    setattr(StepNumber, f"__{_name}__", _reading(getattr(operator, _name)))
for _kind in (bool, float, complex, str):
    setattr(StepNumber, f"__{_kind.__name__}__", _reading(_kind))
for _one in (hash, repr, round, format, math.trunc, math.floor, math.ceil):
    setattr(StepNumber, f"__{_one.__name__}__", _reading(_one))
for _name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift",
    "rshift", "divmod",
):  # fmt: skip
    _f = divmod if _name == "divmod" else getattr(operator, _name)
    setattr(StepNumber, f"__{_name.strip('_')}__", _reading(_f))
    setattr(StepNumber, f"__r{_name.strip('_')}__", _reading(_f, reverse=True))


def are_same(a: list[Any], b: list[Any]) -> bool:
    """Whether the lists have the very same objects."""
    return len(a) == len(b) and all(map(operator.is_, a, b))

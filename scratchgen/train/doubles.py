"""A double of a trainer takes the steps that are recorded, and can only read what it computes with.

Vectors and gradients are those of the trainer itself, seen through read-only windows, so that only
kernels write them. Optimizer memories and tapes are the same objects. In the place of a user's own
part stands a stand-in, which calls it (stand_ins.py). The number of the step can only be read by
`kernels.scheduled` (step_number.py).
"""

import copy
import dataclasses
import operator
from collections.abc import Callable
from typing import Any

from ..ground.arguments import Array
from ..kernels import recording
from ..kernels.trust import is_ours
from ..kernels.workspaces import read_only
from ..losses.games import AdversarialLoss, shared_formula
from ..nn import Layer
from ..optim import ClipNorm
from .stand_ins import StandIn, StandInOptimizer, doubled, with_schedule_noted
from .step_number import StepNumber
from .trainer import Trainer, expect_finite


def is_known(part: Any) -> bool:
    """Whether a part computes by kernels alone, so that a plan has all that it does."""
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
    """A double of a trainer, or None for a model of the user's own class, and its settings."""

    def __init__(self, trainer: Trainer, objects: list[Any]) -> None:
        self._objects = objects  # kept alive, so that no other object gets the id of one of them
        self.settings = Settings(trainer)
        self.trainer = TrainerDouble(trainer) if _can_be_doubled(trainer) else None


class Settings:
    """The settings of our own parts at one moment, as a plan has them.

    Parts are frozen, but object.__setattr__ can write them all the same. A schedule is left out,
    because its stand-in calls it in each step.
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
        """Whether they are still the same, and no part has been given a method."""
        return are_same(self._read(), self._values) and all(
            len(vars(part)) == count or is_known(part) for part, count, _ in self._parts
        )

    def _read(self) -> list[Any]:
        return [value for part, _, read in self._parts for value in read(part)]


def _reader(part: Any) -> Callable[[Any], tuple[Any, ...]]:
    """A function that reads the class and the settings of a part."""
    fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    names = [field.name for field in fields]
    if not callable(getattr(part, "learning_rate", None)):
        names = [name for name in names if name != "learning_rate"]
    return operator.attrgetter("__class__", "__module__", *names)  # at least 2 names: a tuple


class TrainerDouble(Trainer):
    """It shares memories and tapes, and sees vectors and gradients through read-only windows."""

    def __init__(self, trainer: Trainer) -> None:
        vars(self).update(vars(trainer))
        self.model = _double_of(trainer.model)
        self.gradients, self.optimizers = {}, {}
        for player, gradient in trainer.gradients.items():
            optimizer: Any = trainer.optimizers[player]
            theta = trainer.model.theta(player)
            stand_in: Any = StandInOptimizer(optimizer, theta, gradient.vector)
            self.optimizers[player] = (
                with_schedule_noted(optimizer) if is_known(optimizer) else stand_in
            )
            self.gradients[player] = gradient.seen_through(read_only)
        parts = (*trainer.optimizers.values(), *trainer.model.parts())
        self.has_user_parts = not all(map(is_known, parts)) or any(
            self.model.networks[name] is not x for name, x in trainer.model.networks.items()
        )

    def _begin_to_move(self, player: str, report: dict[str, Array]) -> None:
        """As in Trainer, and again whenever this step is replayed."""
        recording.run_action(expect_finite, (player, report), read=tuple(report.values()))
        recording.run_action(self._note_moving, fenced=self.has_user_parts)

    def _note_moving(self) -> None:
        self.is_moving = True

    def step_number(self) -> StepNumber:
        return StepNumber(self.model_steps)


def _double_of(model: Any) -> Any:
    """A double of a model, with stand-ins for the user's own parts and layers."""
    double = copy.copy(model)
    doubles: dict[Layer, Layer] = {}
    for name, value in vars(model).items():
        if any(value is part for part in model.parts()) and not is_known(value):
            setattr(double, name, StandIn(value))
    for name, network in model.networks.items():
        setattr(double, name, doubled(network, is_known, doubles))
    double.block = model.block.seen_through(read_only)
    return double


def _can_be_doubled(trainer: Trainer) -> bool:
    """Whether the model, its networks and the average are of our own classes."""
    model = trainer.model
    parts = [model, *model.networks.values(), *([trainer.average] if trainer.average else [])]
    return all(map(is_known, parts))


def are_same(a: list[Any], b: list[Any]) -> bool:
    """Whether the lists hold the very same objects."""
    return len(a) == len(b) and all(map(operator.is_, a, b))

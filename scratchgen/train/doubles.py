"""A double of a trainer takes the steps that are recorded: what it computes with, it can only read.

Vectors and gradients are those of the trainer itself, seen through read-only windows, so that
kernels alone write them; optimizer memories and tapes are the same objects. In the place of a part
of a user's own, of which nobody knows what it does, stands one that runs it (stand_ins.py). The
number of the step may be read by `kernels.numbers` alone, as a plan cannot know it.
"""

import copy
from typing import Any

from ..kernels.memory import read_only
from ..kernels.recording import is_recording
from ..kernels.trust import is_ours
from ..losses.adversarial import AdversarialLoss, both_of
from ..nn import Layer
from ..optim import ClipNorm
from .stand_ins import Refused, StandIn, StandInOptimizer, asking_once, doubled
from .step import Trainer

OF_OBJECTS = ("__new__", "__getattribute__", "__getnewargs__", "__sizeof__", "__doc__")


def is_known(part: Any) -> bool:
    """Whether what a part does is kernels alone."""
    if isinstance(part, AdversarialLoss):  # a user's own may be of this class
        players = (
            both_of(part.discriminator, part.discriminator_gradients),
            both_of(part.generator, part.generator_gradients),
        )
        return is_ours(part) and all(hasattr(formula, "twins") for formula in players)
    if isinstance(part, ClipNorm) and not is_known(part.optimizer):
        return False
    return is_ours(part)


class StepNumber(int):
    """The number of a step, which while it is recorded is read by `kernels.numbers` alone."""


def _unless_recorded(name: str) -> Any:
    def read(self: StepNumber, *others: Any) -> Any:
        if is_recording():
            raise Refused("the number of the step is read, and not by tape.number")
        return getattr(int, name)(self, *others)

    return read


for _name in vars(int):
    if _name.startswith("__") and _name not in OF_OBJECTS:  # operators, and what converts
        setattr(StepNumber, _name, _unless_recorded(_name))


class Double:
    """The trainer again, with a double of its model; None where the model is of another class."""

    def __init__(self, trainer: Trainer, choices: list[Any]) -> None:
        self._choices = choices  # which stay alive, so that nothing else gets an id of these
        self.trainer: Any = _double_of_trainer(trainer) if _can_be_doubled(trainer) else None


def _double_of_trainer(trainer: Trainer) -> Trainer:
    """It shares memories and tapes, and sees vectors and gradients through read-only windows."""
    double = copy.copy(trainer)
    double.model, double.numbered = _double_of(trainer.model), StepNumber
    double.gradients, double.optimizers = {}, {}
    for player, block in trainer.model.players.items():
        gradient: Any = copy.copy(trainer.gradients[player])
        optimizer: Any = trainer.optimizers[player]
        moves: Any = StandInOptimizer(optimizer, block.vector, gradient.vector)
        double.optimizers[player] = asking_once(optimizer) if is_known(optimizer) else moves
        gradient.vector = read_only(gradient.vector)
        gradient.views = block.layout.views(gradient.vector)
        double.gradients[player] = gradient
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
    double.networks = {
        name: doubled(network, is_known, made) for name, network in model.networks.items()
    }
    double.players = {}
    for player, block in model.players.items():
        twin = double.players[player] = copy.copy(block)
        twin.vector, twin.state = read_only(block.vector), read_only(block.state)
        twin.views = block.layout.views(twin.vector, twin.state)
    return double


def _can_be_doubled(trainer: Trainer) -> bool:
    """Whether the model, its networks and the average are of our own classes."""
    model = trainer.model
    own = [model, *model.networks.values(), *([trainer.average] if trainer.average else [])]
    return all(map(is_known, own))

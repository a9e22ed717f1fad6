"""One step of training: for each player whose turn it is, objective, optimizer, settle.

    value = objective(...)     and gradient = d value / d vector     (1)
    update                     the vector, by the gradient           (2)
    settle                     the state, by what the pass learnt    (3)

Players move one after the other, each against what the others are by then.
"""

from typing import Any

from ..checks import Array
from ..errors import DivergedError
from ..models import Model
from ..nn import Tape
from ..optim import Optimizer
from ..rng import Rng, generator


class Trainer:
    """What training remembers of each player between steps: gradient, optimizer memory, tape."""

    def __init__(self, model: Model, optimizers: dict[str, Optimizer]) -> None:
        self.model = model
        self.optimizers = optimizers
        self.steps = 0
        self.memories: dict[str, Any] = {}
        self.gradients, self.tapes = {}, {}
        for player, block in model.players.items():
            self.memories[player] = optimizers[player].memory(block.vector)
            self.gradients[player] = block.zeros_like()
            self.tapes[player] = Tape()

    def step(self, batch: Array, rng: Rng) -> dict[str, float]:
        """One step on batch (N, *shape): the parts of each moved player's number, before it moved.

        Raises DivergedError where a player's number is not finite: that player does not move, the
        players before it have moved.
        """
        rng = generator(rng)
        parts: dict[str, float] = {}
        for player in self.model.turns(self.steps):
            gradient, tape = self.gradients[player], self.tapes[player]
            gradient.vector[:] = 0
            value = self.model.objective(player, batch, rng, gradient, tape)  # (1)
            if not abs(value) < float("inf"):
                raise DivergedError(f"what the {player} minimises became {value}")
            self.optimizers[player].update(  # (2)
                self.model.players[player].vector, gradient.vector, self.memories[player]
            )
            self.model.settle(player, tape)  # (3)
            parts |= tape.parts
        self.steps += 1
        return parts

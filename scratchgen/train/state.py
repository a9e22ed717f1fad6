"""All that a step of training changes, at one moment: to be put back, and to be compared."""

import contextlib
import copy
from typing import Any

import numpy as np

from ..checks import Array
from ..optim.memory import Memory
from .doubles import is_known
from .step import Trainer


class State:
    """Vectors, states, memories, and the stream of noise, as they were when it was made.

    What a user's own optimizers remember is put back only where a step is broken off: a plan does
    not change it (stand_ins.py).
    """

    def __init__(self, trainer: Trainer, rng: np.random.Generator) -> None:
        self._trainer, self._rng = trainer, rng
        self.arrays: list[Array] = []
        self._counts: list[tuple[Any, str, int]] = []
        for player, block in trainer.model.players.items():
            self.arrays += [block.vector, block.state]
            if is_known(trainer.optimizers[player]):
                self._add(trainer.memories[player])
            for memory in trainer.averages.get(player, ()):
                self._add(memory)
        self._copies = [x.copy() for x in self.arrays]
        self._stream = rng.bit_generator.state
        self._steps, self._is_moving = trainer.steps, trainer.is_moving
        self._others = _copies_of_others(trainer)

    def _add(self, memory: Any) -> None:
        for name, value in vars(memory).items():
            if isinstance(value, np.ndarray) and name != "theta":
                self.arrays.append(value)
            elif isinstance(value, int):
                self._counts.append((memory, name, value))
            elif isinstance(value, Memory):
                self._add(value)

    def restore(self) -> None:
        """Put everything back to that moment."""
        for x, kept in zip(self.arrays, self._copies, strict=True):
            x[...] = kept
        for memory, name, value in self._counts:
            setattr(memory, name, value)
        self._rng.bit_generator.state = self._stream
        self._trainer.steps, self._trainer.is_moving = self._steps, self._is_moving

    def put_back(self) -> None:
        """`restore`, and what a user's own optimizers remember."""
        self.restore()
        self._trainer.memories |= self._others

    def is_like(self, other: "State") -> bool:
        """Whether all of it is the same, to the bit."""
        pairs = zip(self._copies, other._copies, strict=True)
        same = all(a.tobytes() == b.tobytes() for a, b in pairs)
        counts = [value for *_, value in self._counts] == [value for *_, value in other._counts]
        return same and counts and repr(self._stream) == repr(other._stream)


def _copies_of_others(trainer: Trainer) -> dict[str, Any]:
    """By player, copies of what a user's own optimizers remember, if they can be copied."""
    copies: dict[str, Any] = {}
    for player, memory in trainer.memories.items():
        if not is_known(trainer.optimizers[player]):
            vector = trainer.model.players[player].vector
            with contextlib.suppress(Exception):  # of whatever it consists
                copies[player] = copy.deepcopy(memory, {id(vector): vector})
    return copies

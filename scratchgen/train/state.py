"""All that a step of training changes, copied, so that it can be put back and compared."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..optim.memory import contents
from .doubles import is_known
from .trainer import Trainer

PIECE = 2**16  # numbers that are compared or exchanged at a time


class State:
    """Vectors, states, memories and the stream of noise at the moment when this object is made.

    A plan does not change the memory of a user's own optimizer (part_calls.py): it is put back only
    where a step is broken off.
    """

    def __init__(self, trainer: Trainer, rng: np.random.Generator) -> None:
        self._trainer, self._rng = trainer, rng
        self.arrays: list[Array] = []
        self._counts: list[tuple[Any, str, int]] = []
        self.arrays += [trainer.model.vector, trainer.model.state]
        memories = [memory for pair in trainer.averages.values() for memory in pair]
        for player, memory in trainer.memories.items():
            memories += [memory] if is_known(trainer.optimizers[player]) else []
        for memory in memories:
            for _, owner, key, value in contents(memory):
                if isinstance(value, np.ndarray):
                    self.arrays.append(value)
                else:
                    self._counts.append((owner, key, value))
        self._copies = [x.copy() for x in self.arrays]
        self._note_counts()
        self._user_memories = _copies_of_user_memories(trainer)

    def restore(self) -> None:
        """Put everything back to that moment."""
        for x, kept in self._pairs():
            x[...] = kept
        self._restore_counts()

    def exchange(self) -> None:
        """Put everything back to that moment, and become the state of the present moment."""
        present = copy.copy(self)
        present._note_counts()
        for x, kept in self._pairs():  # in pieces, because a large model fills the memory
            piece = x.copy()
            x[...], kept[...] = kept, piece
        self._restore_counts()
        vars(self).update(vars(present))

    def is_now(self) -> bool:
        """Whether everything is now as it was at that moment, to the bit."""
        present = copy.copy(self)
        present._note_counts()
        same = all(x.tobytes() == kept.tobytes() for x, kept in self._pairs())
        counts = [value for *_, value in self._counts] == [value for *_, value in present._counts]
        return same and counts and repr(self._stream) == repr(present._stream)

    def _pairs(self) -> Iterator[tuple[Array, Array]]:
        """The arrays and their copies, in pieces."""
        for x, kept in zip(self.arrays, self._copies, strict=True):
            for start in range(0, len(x), PIECE):
                yield x[start : start + PIECE], kept[start : start + PIECE]

    def _note_counts(self) -> None:
        """Copy the present values of all that is not an array."""
        self._counts = [(memory, name, getattr(memory, name)) for memory, name, _ in self._counts]
        self._stream = self._rng.bit_generator.state
        self._steps, self._is_moving = self._trainer.model_steps, self._trainer.is_moving

    def _restore_counts(self) -> None:
        for memory, name, value in self._counts:
            setattr(memory, name, value)
        self._rng.bit_generator.state = self._stream
        self._trainer.model_steps, self._trainer.is_moving = self._steps, self._is_moving

    def put_back(self) -> None:
        """`restore`, and put back the memories of a user's own optimizers too."""
        self.restore()
        self._trainer.memories |= self._user_memories


def _copies_of_user_memories(trainer: Trainer) -> dict[str, Any]:
    """By player, copies of the memories of a user's own optimizers, if they can be copied."""
    copies: dict[str, Any] = {}
    for player, memory in trainer.memories.items():
        if not is_known(trainer.optimizers[player]):
            vector = trainer.model.theta(player)
            with contextlib.suppress(Exception):  # it may hold anything
                copies[player] = copy.deepcopy(memory, {id(vector): vector})
    return copies

"""A forward and a backward pass, as functions of named arrays: all that measuring needs to know.

    run = pair.forward(blocks)               run.outputs, and what the backward pass remembers
    g = pair.backward(run, dy)               by block: its gradient for the cotangents dy

A *block* is one float64 array that has a gradient: an input, a weight matrix, a bias. A *cotangent*
is the derivative of some number by an output: dy belongs to y. The files of pairs/ make such a pair
from a layer, a model, or two functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...ground.arguments import Array, Shape

Blocks = dict[str, Array]


@dataclass
class Run:
    """One forward pass: its outputs, all float64 or constants, and its memory for backward."""

    outputs: tuple[Array, ...]
    memory: Any


class PassPair(Protocol):
    """A forward and a backward pass.

    Attributes:
        blocks: name -> array, the point at which the pair is checked.
        checked: the names of the blocks whose gradients are checked.
        takes_cotangents: False for an objective, whose cotangent is always 1.
        eps: the machine epsilon of the coarsest float type among the outputs.
    """

    blocks: Blocks
    checked: list[str]
    takes_cotangents: bool
    eps: float

    def forward(self, blocks: Blocks) -> Run:
        """One forward pass. Raises Stopped where there are no outputs."""

    def backward(self, run: Run, dy: Sequence[Array]) -> "dict[str, Array | NoGradient]":
        """The gradient of each block that is checked, for one cotangent per output."""

    def complex_outputs(self, blocks: Blocks) -> list[Array] | None:
        """The outputs where one of the blocks is complex; None where that does not work."""


@dataclass(frozen=True)
class NoGradient:
    """What a backward pass returned in place of a gradient.

    Attributes:
        contract: the name of the contract that it breaks.
        text: how it breaks it, in words.
        shape: of the array that was returned, where the shape is what is wrong.
    """

    contract: str
    text: str
    shape: Shape = ()


class Stopped(Exception):
    """The check of this pair cannot go on: the name of the contract that it breaks, and how."""

    def __init__(self, contract: str, text: str) -> None:
        super().__init__(text)
        self.contract, self.text = contract, text


class OutOfBudget(Stopped):
    """The check has used up its time or its evaluations."""


def copied(gradients: dict[str, Array | NoGradient]) -> dict[str, Array | NoGradient]:
    """Copies of gradients, which no later call can write into."""
    return {name: g if isinstance(g, NoGradient) else g.copy() for name, g in gradients.items()}

"""A draw gives a layer's `example` the sizes and settings that it is made with.

The certificate draws five fixed points (gradcheck/library/layer_points.py), Hypothesis as many as
a test asks for (gradcheck/strategies.py).
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ..ground.arguments import Shape

Option = TypeVar("Option")


class Draw(Protocol):
    """What `Layer.example` is given."""

    def size(self, least: int = 1) -> int:
        """A small number of features, at least `least`."""

    def shape(self, least: int = 1) -> Shape:
        """The shape of one example, of one to three axes; its last has at least `least` numbers."""

    def number(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""

    def choice(self, options: Sequence[Option]) -> Option:
        """One of the options; the first is what a failing test shrinks to."""

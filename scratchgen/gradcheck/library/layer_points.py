"""Five points at which a class of layers is checked, drawn from its own `example`.

Sizes are small and differ from each other, so that nothing is square by chance, and no batch is as
large as a layer is wide. There are examples of one, two and three axes, a batch of 1, and layers of
one feature.
"""

from collections.abc import Sequence
from typing import TypeVar

from ...ground.arguments import Shape, example_shape
from ...ground.errors import OptionError, ShapeError, cut
from ...nn import Layer, distinct_layers

BATCHES = (4, 1, 7, 3, 2)
SHAPES: tuple[Shape, ...] = ((5,), (3,), (1,), (2, 4), (3, 4, 2))
SIZES = (5, 3, 2, 4, 1)
FRACTIONS = (0.3, 0.7, 0.5, 0.2, 0.6)  # of the way from the lowest number to the highest

Option = TypeVar("Option")


class PointDraw:
    """What `Layer.example` is given for point k, 0 to 4: the same each time.

    Point k takes option k of the first choice, option k / 2 of the second, k / 4 of the third.
    """

    def __init__(self, k: int) -> None:
        self.k = k
        self.sizes = self.numbers = self.choices = 0  # how many were drawn

    def size(self, least: int = 1) -> int:
        """The next of SIZES, from place k on."""
        self.sizes += 1
        return max(least, SIZES[(self.k + self.sizes - 1) % len(SIZES)])

    def shape(self, least: int = 1) -> Shape:
        """Shape k of SHAPES."""
        *before, last = SHAPES[self.k]
        return (*before, max(least, last))

    def number(self, low: float, high: float) -> float:
        """The next of FRACTIONS, from place k on, between `low` and `high`."""
        self.numbers += 1
        return low + (high - low) * FRACTIONS[(self.k + self.numbers - 1) % len(FRACTIONS)]

    def choice(self, options: Sequence[Option]) -> Option:
        """The next option."""
        self.choices += 1
        return options[(self.k >> (self.choices - 1)) % len(options)]


def layer_points(kind: type[Layer]) -> list[tuple[Layer, Shape]]:
    """Five layers of a class, each with the shape of an x for it, the batch in front.

    Raises OptionError where the class has no `example` that can be used.
    """
    points = []
    for k, n in enumerate(BATCHES):
        layer, shape = _example(kind, k)
        points.append((layer, (n, *shape)))
    return points


def _example(kind: type[Layer], k: int) -> tuple[Layer, Shape]:
    name, call = kind.__name__, f"{kind.__name__}.example(draw)"
    advice = (
        f"write a class method {name}.example(cls, draw) that returns a layer and the shape of one "
        f"example for it, as (cls(draw.size()), draw.shape()), or check an object, as {name}(...)"
    )
    try:
        drawn = kind.example(PointDraw(k))
    except Exception as problem:  # a user's own `example` may raise anything
        shown = f"{type(problem).__name__}: {problem}".removesuffix(": ")
        raise OptionError(f"{call} raised {shown}: {advice}") from problem
    if not (isinstance(drawn, tuple) and len(drawn) == 2 and isinstance(drawn[0], Layer)):
        raise OptionError(f"{call} returned {cut(repr(drawn))}, wants (layer, shape): {advice}")
    if not any(isinstance(layer, kind) for layer in distinct_layers(drawn[0])):
        raise OptionError(
            f"{call} returned {cut(repr(drawn[0]))}, in which there is no {name}: {advice}"
        )
    layer = drawn[0]
    try:
        shape = example_shape(drawn[1])
    except OptionError as problem:
        raise OptionError(f"{call} returned a shape that no example has, {problem}") from problem
    try:
        layer.out_shape(shape)
    except ShapeError as problem:
        raise OptionError(
            f"{call} returned a layer that does not take its shape: {problem} Otherwise {advice}"
        ) from problem
    return layer, shape

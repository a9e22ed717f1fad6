"""A backward pass that deliberately is no derivative of forward, checked against its surrogate.

A straight-through layer rounds on its way forward, and acts as the identity on its way back. It
declares that with `surrogate`. Then

    y = f(x_0) + s(x) - s(x_0)                                                       (1)

where s is the surrogate and x_0 the point of the check, has the value of the layer at x_0, which
the next layers need, and the derivative that its backward pass claims.

The gradient of a model's objective may also be an estimate that is not its derivative. own_pairs.py
then uses (1) with `Model.surrogate`, where x stands for all parameters.
"""

from typing import Any

from ...ground.arguments import Array, Shape
from ...nn import Layer, Tape
from ...nn.initialisers import Initial
from ...nn.layer import Views
from ...nn.network import distinct_layers


def has_surrogate(layer: Layer) -> bool:
    """Whether the layer, or a layer inside it, declares a surrogate."""
    return any(_is_declared(inner) for inner in distinct_layers(layer))


def _is_declared(layer: Layer) -> bool:
    return type(layer).surrogate is not Layer.surrogate


class StandIn(Layer):
    """A layer whose forward is (1) if its layer has a surrogate, and else its layer's.

    x_0 is the input of the first pass. Each place in a network has its own stand-in.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.inner = layer.with_children(*map(StandIn, layer.children()))
        self.shift: Any = None  # f(x_0) - s(x_0)

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        if not _is_declared(self.layer):
            return self.inner.forward(p, x, tape)
        state = tape.rng.bit_generator.state
        s = self.layer.surrogate(p, x, tape.inner("surrogate"))
        assert s is not None, f"{self.layer}.surrogate gave nothing"
        tape.rng.bit_generator.state = state  # s and f draw the same random numbers
        y = self.layer.forward(p, x, tape)
        if self.shift is None:
            self.shift = y - s
        return s + self.shift  # (1)

    def out_shape(self, shape: Shape) -> Shape:
        return self.layer.out_shape(shape)

    def children(self) -> tuple[Layer, ...]:
        return self.inner.children()

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return self.layer.parameters()

    def borrows(self) -> dict[str, tuple[Layer, str]]:
        return self.layer.borrows()

    def __str__(self) -> str:
        return str(self.layer)

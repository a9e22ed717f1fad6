"""What on purpose is not differentiated as it is: what is checked in its place.

A straight-through layer rounds on its way forward, and calls itself the identity on its way back.
It says so with `surrogate`, and then

    y = f(x_0) + s(x) - s(x_0)                                                       (1)

with s the surrogate and x_0 the point of the check, has the value of the layer at x_0, for the
layers behind it, and the derivative that its backward pass claims.

So it is with a model's objective whose gradient is another estimate than its derivative: of
`Model.surrogate`, own_pairs.py takes (1), x being all parameters.
"""

from typing import Any

from ...ground.arguments import Array, Shape
from ...nn import Layer, Tape
from ...nn.initialisers import Initial
from ...nn.layer import Views
from ...nn.network import distinct_layers


def has_surrogate(layer: Layer) -> bool:
    """Whether the layer, or one within it, says what its backward is the derivative of."""
    return any(_is_declared(inner) for inner in distinct_layers(layer))


def _is_declared(layer: Layer) -> bool:
    return type(layer).surrogate is not Layer.surrogate


class StandIn(Layer):
    """Goes forward as (1) where its layer has a surrogate, else as its layer.

    x_0 is what the first pass is given. Every place has a stand-in of its own.
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
        tape.rng.bit_generator.state = state  # both draw the same, as one would
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

"""A layer is a verb: it knows what to do with arrays, and owns none.

    y  = forward(p, x, tape)                    what the layer computes               (1)
    dx = backward(p, dy, tape, g, need_dx)      dL/dx from dL/dy, and g += dL/dp      (2)

p holds the layer's parameters and state by name (p.w, p.b), g the places its gradients are added
into. State is what is kept but not trained, as the running mean of a batch norm would be; no layer
in this package has any yet. Forward writes nothing but its tape; what a pass learns about the state
waits there until `settle` writes it, once, when the step is the layer's own.
"""

import dataclasses
from typing import Any

from ..checks import Array, Shape
from .initialisers import Initialiser
from .tape import Tape

Views = Any  # a namespace of arrays (p.w, p.b) for a layer, a list of such for a network


class Layer:
    """What every layer does. The defaults are those of a layer without parameters.

    Layers are frozen dataclasses: their fields are all that a file must hold to build them again.
    """

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of one output example for that of one input example, or ShapeError."""
        return shape

    def children(self) -> tuple["Layer", ...]:
        """The layers within this one; a layer with children has no parameters of its own."""
        return ()

    def parameters(self) -> dict[str, tuple[Shape, Initialiser]]:
        """What is trained: name -> (shape, initialiser)."""
        return {}

    def state(self) -> dict[str, tuple[Shape, float]]:
        """What is saved but never trained: name -> (shape, first value)."""
        return {}

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        """y for x, both with the batch in front; notes for backward go on the tape."""
        raise NotImplementedError

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        """dL/dx for dL/dy; with g, dL/dp is added into it; without need_dx, no dx is computed."""
        raise NotImplementedError

    def settle(self, p: Views, tape: Tape) -> None:
        """Write into the state what the pass on this tape has learnt about it."""

    def __str__(self) -> str:
        """`Dense(784 -> 256)` and the like, for networks and error texts."""
        values = vars(self).values() if dataclasses.is_dataclass(self) else ()
        return f"{type(self).__name__}({', '.join(map(str, values))})"

"""A layer is a verb: it knows what to do with arrays, and owns none.

    y  = forward(p, x, tape)                    what the layer computes               (1)
    dx = backward(p, dy, tape, g, need_dx)      dL/dx from dL/dy, and g += dL/dp      (2)

p holds the layer's parameters and state by name (p.w, p.b), g the arrays that its gradients are
added into. State is what is kept but not trained, such as the running mean of a batch norm. Forward
writes nothing but its tape; what a pass learns about the state waits there until `settle` writes
it, once, at the end of a step that trains the layer.

A gradient penalty is a function of dL/dx, and its own gradient is of second order. For that a layer
has two more verbs, on the tape of the same pass. With J = dy/dx, the Jacobian at x,

    v = tangent(p, u, tape)                                  v = J u                  (3)
    tangent_backward(p, dy, dv, tape, g, need_dx)            with L' = <dy, y> + <dv, v>:
        .x = dL'/dx,   .u = dL'/du,   g += dL'/dp                                     (4)

docs/derivations.md shows why these suffice, exactly, without differentiating a backward pass.
"""

import dataclasses
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np

from ..ground.arguments import Array, Shape, array_text, as_object, real_numbers
from ..ground.errors import KindError, OptionError, ShapeError
from ..ground.keywords import ExplainsKeywords
from .draw import Draw
from .initialisers import Initial
from .tape import Tape

OURS = f"{__name__.split('.')[0]}."
Views = Any  # a namespace of arrays (p.w, p.b) for a layer, a list of such for a network


class Layer(ExplainsKeywords):
    """What every layer does. The defaults are those of a layer without parameters.

    Layers are dataclasses, frozen and with eq=False: their fields are all that a file must hold to
    build them again, and two layers with equal fields are still two layers.
    """

    formula: ClassVar[str] = ""  # in a line, for `scratchgen explain`
    example_wise: ClassVar[bool] = False  # whether examples do not mix: y_n comes from x_n alone

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of one output example for that of one input example, or ShapeError."""
        return shape

    def children(self) -> tuple["Layer", ...]:
        """The layers within this one; a layer with children has no parameters of its own."""
        return ()

    def with_children(self, *children: "Layer") -> "Layer":
        """A copy of this layer around other layers; by default, for a layer without any, itself."""
        return self

    def child_shapes(self, shape: Shape) -> list[Shape]:
        """The shape of an example that each of `children()` is given, for that of this layer."""
        return [shape] * len(self.children())

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        """What is trained: name -> (shape, initialiser)."""
        return {}

    def borrows(self) -> dict[str, tuple["Layer", str]]:
        """Weights of other layers that are used here, transposed: name -> (layer, its name)."""
        return {}

    def wants_labels(self) -> int:
        """How many classes there are of the labels that it needs on its tape; 0 for no labels."""
        return 0

    def state(self) -> dict[str, tuple[Shape, float]]:
        """What is saved but never trained: name -> (shape, first value)."""
        return {}

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        """(1): y (N, *out_shape) for x (N, *shape); notes for backward go on the tape.

        The layers of this library raise ShapeError for an x that does not fit, KindError for one
        that holds no floats.
        """
        raise NotImplementedError

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        """(2): dL/dx, of the shape of x, for dL/dy, of that of y; None without need_dx.

        With g, dL/dp is added into it. The layers of this library raise ShapeError for a dy that is
        not of the pass on the tape, TapeError where there was none.
        """
        raise NotImplementedError

    def surrogate(self, p: Views, x: Array, tape: Tape) -> Array | None:
        """The y whose derivative backward is, where on purpose that is not forward's y; else None.

        A straight-through layer, which rounds in forward and passes dy on unchanged in backward,
        returns x here: the checker then compares backward with the derivative of that.
        """
        return None

    def why_no_tangent(self) -> str:
        """Why the layer cannot stand in a discriminator under a gradient penalty; "" if it can."""
        if type(self).tangent is Layer.tangent:
            return "it has no tangent(): write it and tangent_backward(), or leave the layer out"
        return ""

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        """(3): how y moves when x moves by u, J u, on the tape of the pass that gave y."""
        raise OptionError(
            f"{self} cannot stand in a discriminator under a gradient penalty, because "
            f"{self.why_no_tangent()}"
        )

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        """(4): `.x` and `.u`, for the u that tangent was given; None without need_dx."""
        raise NotImplementedError

    def settle(self, p: Views, tape: Tape) -> None:
        """Write into the state what the pass on this tape has learnt about it."""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Layer":
        """The layer with these values of its fields, as a file holds them."""
        return cls(**fields)

    @classmethod
    def example(cls, draw: Draw) -> tuple["Layer", Shape]:
        """A layer of this class to be checked, and the shape of one example for it.

        Sizes and settings come from `draw`, so that one method gives many layers. The default is
        for a class that needs no settings and takes every shape.
        """
        return cls(), draw.shape()

    def __str__(self) -> str:
        """`Dropout(0.2)` and the like, for networks and error texts."""
        values = vars(self).values() if dataclasses.is_dataclass(self) else ()
        return f"{type(self).__name__}({', '.join(map(str, values))})"


def check_layer(layer: Any, where: str) -> None:
    """KindError unless `layer` is a layer, and equal to no other."""
    if not isinstance(layer, Layer):
        raise KindError(f"{where} got {layer!r}, wants a layer, such as Dense(2, 3) or a Network")
    if type(layer).__eq__ is not object.__eq__:
        raise KindError(
            f"{where} got {layer}, which compares by its fields, so that two alike would be one "
            f"and share their parameters: declare {type(layer).__name__} with "
            f"@dataclass(frozen=True, eq=False)"
        )


def as_layer(layer: Any, where: str) -> "Layer":
    """The layer itself; of a class such as ReLU, a layer of it with default settings."""
    found: Layer = as_object(layer, Layer, where)
    check_layer(found, where)
    return found


def expect_given(layer: Any, verb: str, name: str, x: Array, shape: Shape) -> None:
    """Raise ShapeError unless x, the verb's argument `name`, has the shape of the tape's pass."""
    if x.shape != shape:
        raise ShapeError(
            f"{layer}.{verb} got {name} of shape {x.shape}, wants {shape}: give it the tape of the "
            f"forward pass that {name} belongs to"
        )


def accept(part: Any, verb: str, name: str, x: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """x, which a part's verb returned as its `name`: ShapeError unless it has that shape.

    A user's own part may also return a list, or numbers of another dtype. They are converted to
    `dtype`, that of the part's arguments, and copied, because such a part may return the same
    memory from its next call. Raises KindError for what holds no numbers.
    """
    if not type(part).__module__.startswith(OURS) and x is not None:
        x = _copied(x, f"{name} of {part}.{verb}", dtype)
    if getattr(x, "shape", None) != shape:
        came = f"no {name}" if x is None else f"{name} of {array_text(x)}"
        raise ShapeError(f"{part}.{verb} gave {came}, wants shape {shape}")
    return cast(Array, x)


def accept_both(part: Any, d: Any, shape: Shape, dtype: np.dtype[Any]) -> SimpleNamespace:
    """`.x` and `.u` of d, which a part's tangent_backward returned, each checked by `accept`."""
    x, u = (
        accept(part, "tangent_backward", name, getattr(d, name, None), shape, dtype)
        for name in ("x", "u")
    )
    return SimpleNamespace(x=x, u=u)


def _copied(x: Any, what: str, dtype: np.dtype[Any]) -> Array:
    """x as an array in C order, its real numbers in that dtype. KindError without numbers."""
    kind = getattr(x, "dtype", dtype).kind
    if kind != "c":  # complex numbers come from the checker alone (gradcheck/measuring/exact.py)
        x = real_numbers(x, what)
    return np.array(x, None if "c" in (kind, dtype.kind) else dtype.type, order="C")

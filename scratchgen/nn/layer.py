"""A layer computes with arrays and owns none: its parameters are handed to it.

    y  = forward(p, x, tape)                    what the layer computes               (1)
    dx = backward(p, dy, tape, g, need_dx)      dL/dx from dL/dy, and g += dL/dp      (2)

p holds the layer's parameters by name (p.w, p.b), g the arrays to which its gradients are added.
Forward writes only on its tape.

Few layers have state: arrays in p that are saved but not trained, such as a running mean over the
batches so far. What forward learns about the state waits on the tape until `settle` writes it, at
the end of a step that trains the layer.

A first reader may stop here. A gradient penalty is a function of dL/dx, so its own gradient is of
second order. For that a layer has two more functions, which use the tape of the same pass. With
J = dy/dx, the Jacobian at x, and <a, b> the sum of a b over all entries (L' holds dy and dv fixed),

    v = tangent(p, u, tape)                                  v = J u                  (3)
    tangent_backward(p, dy, dv, tape, g, need_dx)            with L' = <dy, y> + <dv, v>:
        .x = dL'/dx,   .u = dL'/du,   g += dL'/dp                                     (4)

docs/derivations.md shows why these two suffice, without differentiating a backward pass.
"""

import dataclasses
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np

from ..ground.arguments import Array, Shape, array_text, as_object, real_numbers
from ..ground.errors import KindError, OptionError, ShapeError
from ..ground.keywords import ExplainsKeywords
from ..ground.parts import check_settings
from .draw import Draw
from .initialisers import Initial
from .tape import Tape

Views = Any  # a namespace of arrays (p.w, p.b) for a layer, a list of such for a network
OURS = f"{__name__.split('.')[0]}."  # how the modules of the library's own layers begin


class Layer(ExplainsKeywords):
    """What every layer can do; the defaults are those of a layer without parameters.

    A layer is a dataclass with frozen=True and eq=False. A file holds its fields and nothing else,
    and two layers with equal fields are still two layers.
    """

    formula: ClassVar[str] = ""  # one line, for `scratchgen explain`
    example_wise: ClassVar[bool] = False  # whether y_n depends on x_n alone, not on other examples

    def __post_init__(self) -> None:
        check_settings(self, f"{type(self).__name__}: ")

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        """(1): x (N, *shape) -> y (N, *out_shape). Notes for backward go on the tape.

        The library's layers raise ShapeError for an x that does not fit, and KindError for an x
        that holds no floats.
        """
        raise NotImplementedError

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        """(2): dL/dy, shaped like y -> dL/dx, shaped like x; None without need_dx.

        If there is a g, dL/dp is added to it. The library's layers raise ShapeError for a dy that
        does not fit the pass on the tape, and TapeError if the tape holds no pass.
        """
        raise NotImplementedError

    def settle(self, p: Views, tape: Tape) -> None:
        """Write into the state what the pass on this tape learnt about it."""

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        """What is trained: name -> (shape, initialiser)."""
        return {}

    def state(self) -> dict[str, tuple[Shape, float]]:
        """What is saved but never trained: name -> (shape, first value)."""
        return {}

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of one output, for one input of this shape; ShapeError if it does not fit."""
        return shape

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        """(3): v = J u, how y moves when x moves by u, on the tape of the pass that gave y."""
        raise OptionError(
            f"{self} cannot be in a discriminator with a gradient penalty, because "
            f"{self.why_no_tangent()}"
        )

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        """(4): `.x` and `.u`, for the u of the last tangent; None without need_dx."""
        raise NotImplementedError

    def why_no_tangent(self) -> str:
        """Why the layer cannot be in a discriminator with a gradient penalty; "" if it can."""
        if type(self).tangent is Layer.tangent:
            return "it has no tangent(): write it and tangent_backward(), or leave the layer out"
        return ""

    def surrogate(self, p: Views, x: Array, tape: Tape) -> Array | None:
        """The function of x that backward differentiates, if that is not forward; None if it is.

        A straight-through layer rounds x in forward and passes dy on unchanged in backward. It
        returns x here, and the checker compares backward with the derivative of x.
        """
        return None

    def children(self) -> tuple["Layer", ...]:
        """The layers inside this one; a layer with children has no parameters of its own."""
        return ()

    def with_children(self, *children: "Layer") -> "Layer":
        """A copy of this layer with other children; a layer without children is its own copy."""
        return self

    def child_shapes(self, shape: Shape) -> list[Shape]:
        """The shape of an example that each child receives when this layer receives `shape`."""
        return [shape] * len(self.children())

    def borrows(self) -> dict[str, tuple["Layer", str]]:
        """Weights of other layers, used here transposed: name -> (the layer, its name for them)."""
        return {}

    def label_classes(self) -> int:
        """The number of classes of the labels that it needs on its tape; 0 if it needs none."""
        return 0

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Layer":
        """The layer with these fields, as a file holds them."""
        return cls(**fields)

    @classmethod
    def example(cls, draw: Draw) -> tuple["Layer", Shape]:
        """A layer to check, and the shape of one example for it.

        Sizes and settings come from `draw`, so one method gives many layers. The default is for a
        class that needs no settings and takes every shape.
        """
        return cls(), draw.shape()

    def __str__(self) -> str:
        """`Dropout(0.2)` and the like, for networks and error texts."""
        values = vars(self).values() if dataclasses.is_dataclass(self) else ()
        return f"{type(self).__name__}({', '.join(map(str, values))})"


def check_layer(layer: Any, where: str) -> None:
    """Raise KindError unless `layer` is a layer that equals only itself."""
    if not isinstance(layer, Layer):
        raise KindError(f"{where} got {layer!r}, wants a layer, such as Dense(2, 3) or a Network")
    if type(layer).__eq__ is not object.__eq__:
        raise KindError(
            f"{where} got {layer}, which compares by its fields, so that two equal layers would "
            f"share their parameters: declare {type(layer).__name__} with "
            f"@dataclass(frozen=True, eq=False)"
        )


def as_layer(layer: Any, where: str) -> "Layer":
    """The layer itself; for a class such as ReLU, a layer of it with default settings."""
    made: Layer = as_object(layer, Layer, where)
    check_layer(made, where)
    return made


def expect_shape(layer: Any, verb: str, name: str, x: Array, shape: Shape) -> None:
    """Raise ShapeError unless x, the verb's argument `name`, has the shape of the tape's pass."""
    if x.shape != shape:
        raise ShapeError(
            f"{layer}.{verb} got {name} of shape {x.shape}, wants {shape}: give it the tape of the "
            f"forward pass that {name} belongs to"
        )


def accept(part: Any, verb: str, name: str, x: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Check x, which `verb` of a part returned as `name`, and return it.

    A user's own part may return a list, or numbers of another dtype. They are converted to `dtype`,
    the dtype of the part's arguments. They are copied, because the part may reuse its memory in the
    next call. Raises ShapeError for another shape, KindError for anything but numbers.
    """
    if not type(part).__module__.startswith(OURS) and x is not None:
        x = _copied(x, f"{name} of {part}.{verb}", dtype)
    if getattr(x, "shape", None) != shape:
        returned = f"no {name}" if x is None else f"{name} of {array_text(x)}"
        raise ShapeError(f"{part}.{verb} gave {returned}, wants shape {shape}")
    return cast(Array, x)


def accept_x_and_u(part: Any, d: Any, shape: Shape, dtype: np.dtype[Any]) -> SimpleNamespace:
    """Check `.x` and `.u` of d, which tangent_backward of a part returned, by `accept`."""
    x, u = (
        accept(part, "tangent_backward", name, getattr(d, name, None), shape, dtype)
        for name in ("x", "u")
    )
    return SimpleNamespace(x=x, u=u)


def _copied(x: Any, what: str, dtype: np.dtype[Any]) -> Array:
    """x as an array of this dtype in C order; KindError unless it holds real numbers."""
    kind = getattr(x, "dtype", dtype).kind
    if kind != "c":  # complex numbers come from the checker alone (gradcheck/measuring/exact.py)
        x = real_numbers(x, what)
    return np.array(x, None if "c" in (kind, dtype.kind) else dtype.type, order="C")

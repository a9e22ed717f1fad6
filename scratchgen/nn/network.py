"""A network runs its layers one after the other, and is itself a layer.

    x_0 = x,   x_{k+1} = f_k(x_k; p_k),   y = x_K              for layers k = 0 ... K - 1    (1)
    dL/dx_k = (df_k/dx_k)^T dL/dx_{k+1},                       for k = K - 1 ... 0
    dL/dp_k = (df_k/dp_k)^T dL/dx_{k+1}                        added to g[k]                 (2)
    u_0 = u,   u_{k+1} = (df_k/dx_k) u_k,   v = u_K            tangents, forward             (3)
    (dx_k, du_k) = tangent_backward of f_k for (dx_{k+1}, du_{k+1}),  k = K - 1 ... 0        (4)

(2) is the chain rule: each layer's `backward` multiplies by its transposed Jacobians, without ever
building them. Without need_dx, (2) and (4) stop at the first layer that has parameters.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

from ..ground.arguments import Array, Shape, expect_floats, sizes
from ..ground.errors import OptionError, ShapeError
from ..ground.tables import columns
from .draw import Draw
from .layer import Layer, Views, accept, accept_x_and_u, as_layer, expect_shape
from .tape import Tape


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Network(Layer):
    """Layers in order; shapes that do not fit each other are refused when it is built.

    `in_shape` is the shape of one input example. A layer object that is given twice is used twice,
    with one set of parameters.

    >>> from scratchgen.nn import Dense, Flatten, ReLU
    >>> Network((28, 28, 1), Flatten(), Dense(784, 128), ReLU(), Dense(128, 10))
    Network: (28, 28, 1) -> (10,), 101,770 parameters
      0  Flatten()          (784,)
      1  Dense(784 -> 128)  (128,)  100,480
      2  ReLU()             (128,)
      3  Dense(128 -> 10)   (10,)   1,290
    """

    in_shape: Shape
    layers: tuple[Layer, ...]
    formula: ClassVar[str] = "y = one layer after the other"

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        self.out_shape(x.shape[1:])  # raises if the examples have another shape
        tape.shapes = shapes = [(len(x), *shape) for shape in self._shapes]
        for i, layer in enumerate(self.layers):
            y = layer.forward(p[i], x, tape.inner(i))  # (1)
            x = accept(layer, "forward", "y", y, shapes[i + 1], x.dtype)
        return x

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        shapes = tape.shapes
        expect_shape(self, "backward", "dy", dy, shapes[-1])
        first = 0 if need_dx else self._first_trained  # layers before it need no gradient
        for i in reversed(range(first, len(self.layers))):
            g_i, layer = None if g is None else g[i], self.layers[i]
            needed = need_dx or i > first
            dx = layer.backward(p[i], dy, tape.inner(i), g_i, needed)  # (2)
            if needed:
                dy = accept(layer, "backward", "dx", dx, shapes[i], dy.dtype)
        return dy if need_dx else None

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        shapes = tape.shapes
        expect_shape(self, "tangent", "u", u, shapes[0])
        for i, layer in enumerate(self.layers):
            v = layer.tangent(p[i], u, tape.inner(i))  # (3)
            u = accept(layer, "tangent", "v", v, shapes[i + 1], u.dtype)
        return u

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        shapes = tape.shapes
        expect_shape(self, "tangent_backward", "dy", dy, shapes[-1])
        expect_shape(self, "tangent_backward", "dv", dv, shapes[-1])
        first = 0 if need_dx else self._first_trained
        for i in reversed(range(first, len(self.layers))):
            g_i, layer = None if g is None else g[i], self.layers[i]
            needed = need_dx or i > first
            d = layer.tangent_backward(p[i], dy, dv, tape.inner(i), g_i, needed)  # (4)
            if needed:
                d = accept_x_and_u(layer, d, shapes[i], dy.dtype)
                dy, dv = d.x, d.u
        return SimpleNamespace(x=dy, u=dv) if need_dx else None

    def settle(self, p: Views, tape: Tape) -> None:
        for i, layer in enumerate(self.layers):
            layer.settle(p[i], tape.inner(i))

    def __init__(self, in_shape: Any, *layers: Layer) -> None:
        where = "Network, after its input shape,"
        object.__setattr__(self, "layers", tuple(as_layer(layer, where) for layer in layers))
        object.__setattr__(self, "in_shape", sizes(in_shape, "Network: in_shape"))
        _ = self._shapes  # raises if layers do not fit each other

    @cached_property
    def _shapes(self) -> tuple[Shape, ...]:
        return tuple(self.shapes())

    @cached_property
    def _first_trained(self) -> int:
        trained = (i for i, layer in enumerate(self.layers) if learns(layer))
        return next(trained, len(self.layers))

    def out_shape(self, shape: Shape) -> Shape:
        if shape != self.in_shape:
            rows = 1 in (len(shape), len(self.in_shape))  # between pictures it would mix axes
            fits = rows and math.prod(shape) == math.prod(self.in_shape)
            reshape = f", or put Reshape({self.in_shape}) before it" if fits else ""
            raise ShapeError(
                f"this network got examples of shape {shape}, wants {self.in_shape}: build it for "
                f"the shape of your data{reshape}."
            )
        return self._shapes[-1]

    def shapes(self) -> list[Shape]:
        """The shape of an example before the first layer and after each."""
        shapes = [self.in_shape]
        for layer in self.layers:
            shapes.append(layer.out_shape(shapes[-1]))
        return shapes

    @property
    def example_wise(self) -> bool:  # type: ignore[override] # by its layers
        return all(layer.example_wise for layer in self.children())

    def children(self) -> tuple[Layer, ...]:
        return self.layers

    def with_children(self, *children: Layer) -> "Network":
        return Network(self.in_shape, *children)

    def child_shapes(self, shape: Shape) -> list[Shape]:
        return self.shapes()[:-1]

    def why_no_tangent(self) -> str:
        for layer in distinct_layers(self):
            # a layer with children is asked without them: they are in this list themselves
            inner = layer is self or bool(layer.children())
            reason = Layer.why_no_tangent(layer) if inner else layer.why_no_tangent()
            if reason:
                return f"of {layer}: {reason}"
        return ""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Network":
        if not isinstance(fields["layers"], list):
            raise OptionError("the layers of a Network are described by a list")
        return cls(fields["in_shape"], *fields["layers"])

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        from .batchnorm import BatchNorm
        from .dense import Dense
        from .dropout import Dropout
        from .gelu import GELU
        from .layernorm import LayerNorm
        from .maxout import Maxout
        from .reshape import Flatten
        from .sigmoids import Sigmoid, SiLU, Tanh

        a, b, c = draw.size(), draw.size(), draw.size()
        twice = Dense(b, b)  # used in two places, one of them inside another network
        drawn = draw.choice(
            (
                cls((a,), Dense(a, b), Tanh(), Dense(b, c)),
                cls((a + 2,), LayerNorm(a + 2), SiLU(), Dense(a + 2, b)),
                cls((a, b), Flatten(), Dense(a * b, 2 * c), Maxout(2)),
                cls((a,), Dense(a, c), BatchNorm(c), GELU(), Dropout(0.2), Dense(c, b)),
                cls(
                    (a,),
                    Dense(a, b),
                    cls((b,), Tanh(), twice),
                    Sigmoid(),
                    twice,
                    Dense(b, c),
                ),
            )
        )
        return drawn, drawn.in_shape

    def __str__(self) -> str:
        return f"Network({self.in_shape} -> {self.out_shape(self.in_shape)})"

    def __repr__(self) -> str:
        shapes = self.shapes()
        rows = [
            (str(i), str(layer), str(shape), f"{count:,}" if count else "")
            for i, (layer, shape) in enumerate(zip(self.layers, shapes[1:], strict=True))
            for count in [parameter_count(layer)]
        ]
        head = f"Network: {shapes[0]} -> {shapes[-1]}, {parameter_count(self):,} parameters"
        return "\n".join([head, *columns(rows, "><<<")])


def distinct_layers(layer: Layer) -> list[Layer]:
    """`layer` and all layers inside it, each object once, parents before children."""
    seen: dict[Layer, None] = {}
    _collect(layer, seen)
    return list(seen)


def _collect(layer: Layer, seen: dict[Layer, None]) -> None:
    """Add a layer and all layers inside it, unless it was seen before."""
    if layer not in seen:
        seen[layer] = None
        for child in layer.children():
            _collect(child, seen)


def distinct_leaves(layer: Layer) -> list[Layer]:
    """The distinct layers that have no children."""
    return [inner for inner in distinct_layers(layer) if not inner.children()]


def places(layer: Layer) -> int:
    """The number of leaves in a pass; a layer that is used twice counts twice."""
    return _count(layer, {})


def _count(layer: Layer, counts: dict[Layer, int]) -> int:
    """The number of places in a layer; `counts` has those of layers counted before."""
    if layer not in counts:
        counts[layer] = sum(_count(child, counts) for child in layer.children()) or 1
    return counts[layer]


def learns(layer: Layer) -> bool:
    """Whether backward through `layer` adds to a gradient."""
    return any(leaf.parameters() or leaf.borrows() for leaf in distinct_leaves(layer))


def parameter_count(layer: Layer) -> int:
    """The number of parameters in `layer`; a layer used twice counts once."""
    return sum(
        math.prod(shape)
        for leaf in distinct_leaves(layer)
        for shape, _ in leaf.parameters().values()
    )


def joined_labels(layer: Layer) -> int:
    """The number of classes of the labels joined in `layer`; 0 if none are joined."""
    classes = (leaf.label_classes() for leaf in distinct_leaves(layer))
    return min((n for n in classes if n), default=0)

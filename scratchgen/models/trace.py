"""A trace records each pass: every layer's activation, and the gradient that came back to it.

    y     the output of a layer, (N, ...)                                                (1)
    dy    dL/dy, L what the player minimises, a mean over the batch; in the shape of y   (2)

Where the slope of a layer is 0, or almost, no gradient passes it. `flat` is the share

    of units that are 0 for every example, of ReLU: they are called dead                 (3)
    of numbers with |y| > 0.97, of Tanh, or |2 y - 1| > 0.97, of Sigmoid: saturated      (4)

No layer knows of a trace. `traced` copies a network and wraps each layer in a TracedLayer, which
runs the layer and notes (1) and (2) on the tape. Views of parameters are trees by position, so
those of the network serve the copy too.
"""

import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape
from ..ground.errors import DataError, TapeError
from ..ground.rng import Rng, generator
from ..ground.tables import columns, number, paragraph
from ..nn import Layer, Network, ReLU, Sigmoid, Tanh, Tape, accept
from ..nn.initialisers import Initial
from ..nn.layer import Views, accept_x_and_u

HEAD = ("", "layer", "mean y", "std y", "flat", "|dL/dy|", "|dL/dp|")
EDGE = 0.97  # where the flat parts of Tanh and Sigmoid begin


class TracedLayer(Layer):
    """Runs `layer`, and notes y and dy on the tape of each pass, under the name `traced`.

    A traced network only runs passes: it is never laid out in a block, settled or saved.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.inner = layer.with_children(*map(TracedLayer, layer.children()))

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        shape = (len(x), *self.layer.out_shape(x.shape[1:]))
        y = accept(self.layer, "forward", "y", self.inner.forward(p, x, tape), shape, x.dtype)
        tape.traced = SimpleNamespace(y=y.copy(), dy=None, x_shape=x.shape)  # (1)
        return y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        tape.traced.dy = dy.copy()  # (2)
        dx = self.inner.backward(p, dy, tape, g, need_dx)
        if not need_dx:
            return None
        return accept(self.layer, "backward", "dx", dx, tape.traced.x_shape, dy.dtype)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        v = self.inner.tangent(p, u, tape)
        return accept(self.layer, "tangent", "v", v, tape.traced.y.shape, u.dtype)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        d = self.inner.tangent_backward(p, dy, dv, tape, g, need_dx)
        return accept_x_and_u(self.layer, d, tape.traced.x_shape, dy.dtype) if need_dx else None

    def out_shape(self, shape: Shape) -> Shape:
        return self.inner.out_shape(shape)

    def children(self) -> tuple[Layer, ...]:
        return self.inner.children()

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return self.inner.parameters()

    def label_classes(self) -> int:
        return self.inner.label_classes()

    def borrows(self) -> dict[str, tuple[Layer, str]]:
        return self.inner.borrows()

    def __str__(self) -> str:
        return str(self.layer)


def traced(network: Network) -> Network:
    """The network with each of its layers wrapped in a TracedLayer."""
    return network.with_children(*map(TracedLayer, network.layers))


@dataclass(frozen=True, eq=False, repr=False)
class LayerRecord:
    """What a layer did in a pass; every array is a copy.

    Attributes:
        layer: the layer itself.
        activation: y (N, ...).
        gradient: dL/dy (N, ...), or None where nothing before the layer learns; in the pass of a
            penalty, dD/dy.
        parameters: by name.
        gradients: by name, of the player's number, from all passes of its turn; empty if the player
            does not move the layer.
    """

    layer: Layer
    activation: Array
    gradient: Array | None
    parameters: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)

    def flat(self) -> float | None:
        """The share of (3) or (4); None for other layers."""
        y = self.activation
        if isinstance(self.layer, ReLU):
            return float((y == 0).all(axis=0).mean())  # (3)
        if isinstance(self.layer, Tanh | Sigmoid):
            signed = y if isinstance(self.layer, Tanh) else 2 * y - 1
            return float((np.abs(signed) > EDGE).mean())  # (4)
        return None

    def row(self, name: str) -> tuple[str, ...]:
        """Its line in a table, by the columns of HEAD."""
        y, flat = self.activation.astype(np.float64), self.flat()
        with np.errstate(all="ignore"):  # what is not finite is shown, not warned of
            mean, std = number(float(y.mean())), number(float(y.std()))
        share = "" if flat is None else f"{flat:.0%}"
        dy = "" if self.gradient is None else number(norm(self.gradient))
        dp = number(norm(*self.gradients.values())) if self.gradients else ""
        return (name, label(self.layer), mean, std, share, dy, dp)

    def __repr__(self) -> str:
        gradient = "no gradient" if self.gradient is None else "with its gradient"
        return f"<{label(self.layer)}: activation {self.activation.shape}, {gradient}>"


class Trace(dict[str, LayerRecord]):
    """What every layer did, by name: `trace["encoder.1"].activation`; printed, it is a table.

    `encoder.0` is the first layer of the encoder, and `encoder.2.0` a layer within its third. Where
    a network runs more than once, the name of the pass follows its own: `discriminator.real.0`,
    `discriminator.fake.0`. Where several players have a pass of the same name, the later ones add
    the player: `encoder.generator.0`.

    Attributes:
        reported: what each player minimised, with its parts: player -> name -> number.
        turns: the passes of each player's turn: player -> their names.
        passes: the layers of each pass through a network: "encoder" -> ["encoder.0", ...].
    """

    def __init__(self) -> None:
        super().__init__()
        self.reported: dict[str, dict[str, float]] = {}
        self.turns: dict[str, list[str]] = {}
        self.passes: dict[str, list[str]] = {}

    def note(self, player: str, name: str, network: Layer, p: Views, g: Views, tape: Tape) -> None:
        """Record what the traced layers of `network` wrote on `tape` in a pass of the turn."""
        self.turns.setdefault(player, []).append(name)
        self.passes[name] = []
        self._visit(name, network, p, g, tape, self.passes[name])

    def _visit(
        self, path: str, layer: Layer, p: Views, g: Views, tape: Tape, names: list[str]
    ) -> None:
        for i, child in enumerate(layer.children()):
            name, layer_tape, g_i = f"{path}.{i}", tape.inner(i), None if g is None else g[i]
            try:
                traced = layer_tape.traced
            except TapeError:  # a user's layer that hides its inner layers
                continue
            original = child.layer if isinstance(child, TracedLayer) else child
            keys = [*original.parameters(), *original.borrows()]
            self[name] = LayerRecord(
                original,
                traced.y,
                traced.dy,
                {key: getattr(p[i], key).copy() for key in keys},
                {} if g is None else {key: getattr(g_i, key).copy() for key in keys},
            )
            names.append(name)
            self._visit(name, child, p[i], g_i, layer_tape, names)

    def table(self, name: str) -> list[str]:
        """The lines of the table of a pass."""
        start = len(name) + 1
        rows = [self[layer].row(layer[start:]) for layer in self.passes[name]]
        return columns([HEAD, *rows], "<<>>>>>")

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The tables of each player's turn, under what that player minimised."""
        lines: list[str] = []
        for player, names in self.turns.items():
            values = (f"{name} {number(value)}" for name, value in self.reported[player].items())
            lines += paragraph(f"{player}'s turn: {', '.join(values)}")
            for name in names:
                lines += ["", f"{name}:", *self.table(name)]
            lines.append("")
        return lines[:-1]


def trace_of(model: Any, x: Any, rng: Rng, labels: Any, training: bool) -> Trace:
    """The trace of x (N, *shape) in a model: each player's objective, on a traced copy of it."""
    x = model.check(x)
    if not len(x):
        raise DataError(f"x has shape {x.shape}, no examples: wants at least one")
    labels, rng = model.check_labels(labels, len(x)), generator(rng)
    traced_model = copy.copy(model)
    for name, network in model.networks.items():
        setattr(traced_model, name, traced(network))
    trace = Trace()
    for player in model.players:
        gradient, tape = model.gradient(player), Tape()
        with np.errstate(under="ignore"):
            traced_model.objective(player, x, rng, gradient, tape, training=training, labels=labels)
        trace.reported[player] = tape.parts
        for on, name in tape.passes.items():
            if on not in tape.back:
                continue
            title = on if on == name else f"{name}.{on}"
            title = f"{title}.{player}" if title in trace.passes else title
            p, g = getattr(model.views, name), getattr(gradient.views, name, None)
            trace.note(player, title, getattr(traced_model, name), p, g, tape.inner(on))
    return trace


def label(layer: Layer) -> str:
    """A layer's name in a table: its kind alone if its inner layers have rows of their own."""
    return type(layer).__name__ if layer.children() else str(layer)


def norm(*arrays: Array) -> float:
    """The Euclidean norm of all numbers of the arrays together."""
    return float(np.sqrt(sum(np.sum(np.square(a, dtype=np.float64)) for a in arrays)))

"""Stand-ins call a user's own parts, such as layers and optimizers, in steps that are recorded.

They are put into a double of the model (doubles.py), in the place of the parts that they call. A
part that is used twice has one stand-in.
"""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ..ground.arguments import Array, Shape
from ..nn import Layer, Network, Residual, Tape
from ..nn.initialisers import Initial
from ..nn.layer import Views
from ..optim import ClipNorm
from ..optim.schedules import Schedule
from .part_calls import RETURNS, call, note_value


class StandIn:
    """Calls a user's own likelihood, game, penalty or prior."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.part, name)
        if name not in RETURNS:
            return value
        return lambda *args: self.call(name, *args)

    def call(self, verb: str, *args: Any) -> Any:
        """What the verb returns, in the step's own memory."""
        return call(self.part, verb, args)

    def __str__(self) -> str:
        return str(self.part)


class StandInOptimizer:
    """Calls a user's own optimizer, on the vectors themselves, which it may write."""

    def __init__(self, optimizer: Any, theta: Array, gradient: Array) -> None:
        self.optimizer, self._vectors = optimizer, (theta, gradient)

    def update(self, _theta: Array, _gradient: Array, memory: Any) -> None:
        """One step, by the optimizer itself."""
        call(self.optimizer, "update", (*self._vectors, memory))

    def __str__(self) -> str:
        return str(self.optimizer)


class StandInSchedule:
    """Calls a schedule, ours or the user's own, once a step."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def __call__(self, step: int) -> float:
        """The schedule's rate in that step."""
        rate: float = note_value(self, lambda: self.schedule(step))
        return rate


def with_schedule_noted(optimizer: Any) -> Any:
    """The optimizer, one of ours; if it has a schedule, a double with a stand-in for that."""
    name = "optimizer" if isinstance(optimizer, ClipNorm) else "learning_rate"
    part = getattr(optimizer, name)
    if name == "optimizer":
        stand_in = with_schedule_noted(part)
    else:
        stand_in = StandInSchedule(part) if callable(part) else part
    if stand_in is part:
        return optimizer
    double = copy.copy(optimizer)
    object.__setattr__(double, name, stand_in)
    return double


class StandInLayer(Layer):
    """Calls a user's own layer, in passes only: it is never saved."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        return call(self.layer, "forward", (p, x, tape))

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return call(self.layer, "backward", (p, dy, tape, g, need_dx), need_dx)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return call(self.layer, "tangent", (p, u, tape))

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        return call(self.layer, "tangent_backward", (p, dy, dv, tape, g, need_dx), need_dx)

    def settle(self, p: Views, tape: Tape) -> None:
        if type(self.layer).settle is not Layer.settle or "settle" in vars(self.layer):
            call(self.layer, "settle", (p, tape))

    def out_shape(self, shape: Shape) -> Shape:
        return self.layer.out_shape(shape)

    def children(self) -> tuple[Layer, ...]:
        return self.layer.children()

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return self.layer.parameters()

    def label_classes(self) -> int:
        return self.layer.label_classes()

    def borrows(self) -> dict[str, tuple[Layer, str]]:
        return self.layer.borrows()

    def __str__(self) -> str:
        return str(self.layer)


def doubled(layer: Layer, is_known: Callable[[Any], bool], doubles: dict[Layer, Layer]) -> Layer:
    """The layer, or a double with stand-ins, if it or a layer within it is not known."""
    if layer not in doubles:
        if not is_known(layer):
            doubles[layer] = StandInLayer(layer)
        elif type(layer) in (Network, Residual):
            children = [doubled(child, is_known, doubles) for child in layer.children()]
            same = all(a is b for a, b in zip(children, layer.children(), strict=True))
            doubles[layer] = layer if same else layer.with_children(*children)
        else:
            doubles[layer] = layer
    return doubles[layer]

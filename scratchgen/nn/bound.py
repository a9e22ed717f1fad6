"""A network bound to its parameters, to the tape of one pass, and to its gradients.

    d = Bound(network, p, tape, g)
    y = d.forward(x)                           network.forward(p, x, tape)
    dx = d.backward(dy)                        network.backward(p, dy, tape, g), with g += dL/dp
    v = d.tangent(u)                           likewise, (3) of nn/layer.py
    d.tangent_backward(dy, dv)                 likewise, (4) of nn/layer.py

g is None for a network that another player trains: then backward returns dx, and no gradient of
the parameters is computed.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..ground.arguments import Array
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Bound:
    """A network, its parameters p, the tape of one pass, and g, where its gradients are added."""

    network: Layer
    p: Views
    tape: Tape
    g: Views = None

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> y (N, ...)."""
        return self.network.forward(self.p, x, self.tape)

    def backward(self, dy: Array, need_dx: bool = True, learn: bool = True) -> Any:
        """dL/dy -> dL/dx, or None without need_dx; adds dL/dp to g, unless learn is False."""
        return self.network.backward(self.p, dy, self.tape, self.g if learn else None, need_dx)

    def tangent(self, u: Array) -> Array:
        """How y moves when x moves by u."""
        return self.network.tangent(self.p, u, self.tape)

    def tangent_backward(
        self, dy: Array, dv: Array, need_dx: bool = True
    ) -> SimpleNamespace | None:
        """`.x` and `.u` for the u that tangent was given; adds to g."""
        return self.network.tangent_backward(self.p, dy, dv, self.tape, self.g, need_dx)

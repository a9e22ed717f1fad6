"""A bound network has its parameters, the tape of one pass, and a place for its gradients.

    d = Bound(network, p, tape, g)
    y = d.forward(x)                           network.forward(p, x, tape)
    dx = d.backward(dy)                        network.backward(p, dy, tape, g), with g += dL/dp
    v = d.tangent(u)                           network.tangent, (3) of nn/layer.py
    d.tangent_backward(dy, dv)                 network.tangent_backward, (4) of nn/layer.py

g is None for a network that another player trains: then backward returns dx, and computes no
gradient of the parameters.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..ground.arguments import Array
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Bound:
    """A network, its parameters p, the tape of one pass, and g, to which gradients are added."""

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
        """v, how y moves when x moves by u."""
        return self.network.tangent(self.p, u, self.tape)

    def tangent_backward(
        self, dy: Array, dv: Array, need_dx: bool = True
    ) -> SimpleNamespace | None:
        """`.x` and `.u`, for the u of the last tangent; adds to g."""
        return self.network.tangent_backward(self.p, dy, dv, self.tape, self.g, need_dx)

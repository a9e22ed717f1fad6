"""A network in one pass: bound to its parameters, to the tape of the pass, and to its gradients.

    y = d.forward(x)                  d is a network with its p, a tape, and g or None
    dx = d.backward(dy)               and g += dL/dp
    v = d.tangent(u)                  the verbs of layer.py, which are given the rest
    d.tangent_backward(dy, dv)

Without g, as for a network that another player trains, the way back adds to nothing.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..checks import Array
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class Bound:
    """A network, its parameters p, the tape of one pass, and what its gradients are added to."""

    network: Layer
    p: Views
    tape: Tape
    g: Views = None

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> y (N, ...)."""
        return self.network.forward(self.p, x, self.tape)

    def backward(self, dy: Array, need_dx: bool = True, learn: bool = True) -> Any:
        """dL/dy -> dL/dx, None without need_dx; adds dL/dp to g, if there is one, and learn."""
        return self.network.backward(self.p, dy, self.tape, self.g if learn else None, need_dx)

    def tangent(self, u: Array) -> Array:
        """How y moves when x moves by u."""
        return self.network.tangent(self.p, u, self.tape)

    def tangent_backward(
        self, dy: Array, dv: Array, need_dx: bool = True
    ) -> SimpleNamespace | None:
        """`.x` and `.u` for the u that tangent was given; adds to g."""
        return self.network.tangent_backward(self.p, dy, dv, self.tape, self.g, need_dx)

"""An activation changes each number by itself: y = s(x).

    backward            dx = s'(x) dy                                              (1)
    tangent             v = s'(x) u                                                (2)
    tangent_backward    dx = s'(x) dy + s''(x) u dv,   du = s'(x) dv               (3)

So an activation is three functions: its value s, its slope s' and its curvature s''. Of ReLU,
max(x, 0), they are max(x, 0), 1 or 0, and 0. (2) and (3) are second order: a slope changes by s'' u
when x moves by u.

The files of the activations give each function twice: in NumPy for arrays, and below each class,
without `self`, for one number x, where loops call it (kernels/activation_loops.py).
"""

import dataclasses
import functools
from types import SimpleNamespace
from typing import Any, ClassVar

from ..ground.arguments import Array, expect_floats
from ..kernels import pointwise
from .layer import Layer, Views
from .tape import Tape


class Activation(Layer):
    """Any shape -> the same shape. A class of your own writes value, slope and curvature.

    These take arrays and return arrays of the same shape; a result in float64, as NumPy makes it of
    constants, is converted to the dtype of x. Add the class to `nn.LAYERS` so that files can hold
    it, and recipes know its name; settings are dataclass fields, as in LeakyReLU.

    >>> import numpy as np
    >>> class Cube(Activation):
    ...     def value(self, x):
    ...         return x**3
    ...     def slope(self, x, y):
    ...         return 3 * x**2
    ...     def curvature(self, x, y):
    ...         return 6 * x
    >>> Cube().forward(None, np.array([[1.0, 2.0]]), Tape())
    array([[1., 8.]])

    Raises KindError for an x that holds no floats, ShapeError for a result of another shape, and
    NotImplementedError for a function that the class does not write. Without curvature the layer
    cannot be in a discriminator with a gradient penalty: OptionError.
    """

    example_wise: ClassVar[bool] = True

    def value(self, x: Array) -> Array:
        """s(x)."""
        raise NotImplementedError(self._missing("value(x)"))

    def slope(self, x: Array, y: Array) -> Array:
        """s'(x), for y = s(x)."""
        raise NotImplementedError(self._missing("slope(x, y)"))

    def curvature(self, x: Array, y: Array) -> Any:
        """s''(x), for y = s(x): an array, or 0.0 if s is piecewise linear."""
        raise NotImplementedError(self._missing("curvature(x, y)"))

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        tape.x, tape.y = x, self.activate(x)
        return tape.y

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return self.times_slope(tape.x, tape.y, dy) if need_dx else None  # (1)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        tape.u = u
        return self.times_slope(tape.x, tape.y, u)  # (2)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        if not need_dx:
            return None
        dx, du = self.times_slope_and_curvature(tape.x, tape.y, tape.u, dy, dv)  # (3)
        return SimpleNamespace(x=dx, u=du)

    @pointwise("x (...) -> y (...)")
    def activate(self, x: Array) -> Array:
        """s(x): `value`, or where there is one, its loop."""
        return self.value(x)

    @pointwise("x, y, dy (...) -> dx (...)")
    def times_slope(self, x: Array, y: Array, dy: Array) -> Array:
        """s'(x) dy."""
        return self.slope(x, y) * dy  # (1), and (2) for u in the place of dy

    @pointwise("x, y, u, dy, dv (...) -> dx, du (...)")
    def times_slope_and_curvature(
        self, x: Array, y: Array, u: Array, dy: Array, dv: Array
    ) -> tuple[Array, Array]:
        """dx and du: back through y = s(x) and (2)."""
        slope, curvature = self.slope(x, y), self.curvature(x, y)
        return slope * dy + curvature * u * dv, slope * dv  # (3)

    def why_no_tangent(self) -> str:
        if type(self).curvature is Activation.curvature:
            return self._missing("curvature(x, y)")
        return ""

    def settings(self) -> tuple[float, ...]:
        """The numbers in its formulas, such as alpha: its fields, which its loops take in order."""
        kind: Any = type(self)
        return tuple(getattr(self, name) for name in _names_of_fields(kind))

    def _missing(self, function: str) -> str:
        return f"{type(self).__name__} has no {function}: write it"


@functools.cache
def _names_of_fields(kind: type) -> tuple[str, ...]:
    """The names of a class's fields. (An object may have other attributes, too.)"""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    return tuple(field.name for field in fields)

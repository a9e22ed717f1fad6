"""All activations share three loops, compiled for the value, slope and curvature of each.

    class Activation:
        @pointwise("x, y, dy (...) -> dx (...)")
        def times_slope(self, x, y, dy):        a formula that is a method, for its settings
            return self.slope(x, y) * dy

    @loops_of(ReLU)
    class ReLULoops:                            value, slope and curvature of a number
        def value(x): ...

The loops have the names of the formulas. With s the value, s' the slope and s'' the curvature, each
with the settings,

    activate                     y  = s(x)                                      (1)
    times_slope                  dx = s'(x) dy                                  (2)
    times_slope_and_curvature    dx = s'(x) dy + s''(x) u dv,   du = s'(x) dv   (3)

They belong to that class alone: a subclass may have other formulas.
"""

import dataclasses
import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from . import replaced
from .compiling import ByDtype, Kernel, by_dtype, with_names
from .formulas import Definition
from .functions import SINGLE
from .operands import Operands
from .recording import as_tuple
from .sharing import share_row

# mypy: disable-error-code="no-untyped-def"

WEIGHT = 4.0  # the work for a number, in additions
LOOPS: dict[type, dict[str, Kernel]] = {}  # of each class, by name
FORMULAS = ("value", "slope", "curvature", "activate", "times_slope", "times_slope_and_curvature")
_formulas: dict[type, dict[str, Kernel]] = {}  # the methods that those loops replace

Some = TypeVar("Some", bound=type)

value: Any = None  # the loops of an activation have its own functions by these names
slope: Any = None
curvature: Any = None


def activate(part, parts, x, y, settings):
    start, stop = share_row(x.size, part, parts)
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = value(x[i], *settings)  # (1)


def times_slope(part, parts, x, y, dy, dx, settings):
    start, stop = share_row(x.size, part, parts)
    x, y, dy, dx = x[start:stop], y[start:stop], dy[start:stop], dx[start:stop]
    for i in range(x.size):
        dx[i] = slope(x[i], y[i], *settings) * dy[i]  # (2)


def times_slope_and_curvature(part, parts, x, y, u, dy, dv, dx, du, settings):
    start, stop = share_row(x.size, part, parts)
    x, y, u = x[start:stop], y[start:stop], u[start:stop]
    dy, dv, dx, du = dy[start:stop], dv[start:stop], dx[start:stop], du[start:stop]
    for i in range(x.size):
        first = slope(x[i], y[i], *settings)
        second = curvature(x[i], y[i], *settings)
        dx[i] = first * dy[i] + second * u[i] * dv[i]  # (3)
        du[i] = first * dv[i]  # (3)


def loops_of(kind: type) -> Callable[[Some], Some]:
    """Compile the loops of a class of activations from a class of functions of a number.

    These are value(x), slope(x, y) and curvature(x, y), for y = value(x), each with the numbers of
    `settings()` as further arguments. They follow the rules of functions.py, because loops call
    them. Raises TypeError for another number of arguments.
    """

    def pair(functions: Some) -> Some:
        written = {name: vars(functions)[name] for name in ("value", "slope", "curvature")}
        fields = [field.name for field in dataclasses.fields(kind)]
        for name, function in written.items():
            wanted = ("x", *fields) if name == "value" else ("x", "y", *fields)
            if isinstance(function, FunctionType) and function.__code__.co_argcount != len(wanted):
                raise TypeError(
                    f"{functions.__name__}.{name} takes {function.__code__.co_argcount} arguments, "
                    f"wants ({', '.join(wanted)})"
                )
        names = {
            name: function if isinstance(function, ByDtype) else by_dtype(SINGLE)(function)
            for name, function in written.items()
        }
        _formulas[kind] = {name: getattr(kind, name) for name in FORMULAS}
        LOOPS[kind] = {
            loop.__name__: with_names(loop, f"{kind.__name__}_{loop.__name__}", names)
            for loop in (activate, times_slope, times_slope_and_curvature)
        }
        return functions

    return pair


def pointwise(takes: str) -> Callable[[Kernel], Kernel]:
    """Make a method of activations a kernel, as `formula` does; its loop has the same name.

    Its result has the dtype of the arrays, even if the method has constants of float64.
    """

    def pair(written: Kernel) -> Kernel:
        name, operands = written.__name__, Operands(written.__name__, takes)

        @functools.wraps(written)
        def kernel(activation: Any, *arrays: Any) -> Any:
            definition = Definition(functools.partial(_in_one_float, written, activation), operands)
            settings: tuple[float, ...] = ()
            if _has_loops(activation):
                definition.loop, definition.weight = LOOPS[type(activation)][name], WEIGHT
                settings = activation.settings()
            return definition.run(*arrays, settings=settings)

        kernel.operands = operands  # type: ignore[attr-defined] # for cases.py
        return kernel

    return pair


def _has_loops(activation: Any) -> bool:
    """Whether its class has loops, and its methods are the formulas that they replace."""
    written = _formulas.get(type(activation))
    return (
        written is not None
        and all(
            getattr(getattr(activation, name), "__func__", None) is method
            for name, method in written.items()
        )
        and replaced.is_published(*written.values(), kind=type(activation))
    )


def _in_one_float(written: Kernel, activation: Any, *arrays: Any) -> Any:
    results = written(activation, *arrays)
    if type(results) is np.ndarray and results.dtype == arrays[-1].dtype:
        return results
    dtype = np.result_type(*arrays)
    return tuple(np.asarray(x, dtype) for x in as_tuple(results))

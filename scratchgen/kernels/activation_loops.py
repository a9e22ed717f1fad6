"""Functions that bend each number by itself, as activations do: three loops, made for each of them.

    class Activation:
        @pointwise("x, y, dy (...) -> dx (...)")
        def times_slope(self, x, y, dy):               a formula that is a method, for its settings
            return self.slope(x, y) * dy

    @loops_of(ReLU)
    class ReLULoops:                            value, slope and curvature of one number
        def value(x): ...

The loops have the names of the formulas, and differ from one activation to the next in the
functions that they call. With s the value, s' the slope, s'' the curvature, each with the settings,

    bend         y  = s(x)                                                      (1)
    pull         dx = s'(x) dy                                                  (2)
    pull_both    dx = s'(x) dy + s''(x) u dv,   du = s'(x) dv                   (3)

They belong to that class alone: one that inherits from it may have other formulas.
"""

import functools
from collections.abc import Callable
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

WEIGHT = 4.0  # of a number, in sums of two
LOOPS: dict[type, dict[str, Kernel]] = {}  # of a class, by name
FORMULAS = ("value", "slope", "curvature", "activate", "times_slope", "times_slope_and_curvature")
_written: dict[type, dict[str, Kernel]] = {}  # the methods that those loops stand for

Some = TypeVar("Some", bound=type)

value: Any = None  # in the place of these names the loops of an activation have its own
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
    """Make the loops of a class of activations from a class of functions of one number.

    Those are value(x), slope(x, y) and curvature(x, y), for y = value(x), each with the numbers of
    `settings()` behind. Loops call them, so that they are written as functions.py has it.
    """

    def pair(functions: Some) -> Some:
        written = {name: vars(functions)[name] for name in ("value", "slope", "curvature")}
        names = {
            name: one if isinstance(one, ByDtype) else by_dtype(SINGLE)(one)
            for name, one in written.items()
        }
        _written[kind] = {name: getattr(kind, name) for name in FORMULAS}
        LOOPS[kind] = {
            loop.__name__: with_names(loop, f"{kind.__name__}_{loop.__name__}", names)
            for loop in (activate, times_slope, times_slope_and_curvature)
        }
        return functions

    return pair


def pointwise(takes: str) -> Callable[[Kernel], Kernel]:
    """Make a method of activations a kernel, whose loop is that of its name; as `formula`.

    What it returns has the float of the arrays, though constants of NumPy in it are float64.
    """

    def pair(written: Kernel) -> Kernel:
        name, operands = written.__name__, Operands(written.__name__, takes)

        @functools.wraps(written)
        def kernel(activation: Any, *arrays: Any) -> Any:
            both = Definition(functools.partial(_in_one_float, written, activation), operands)
            settings: tuple[float, ...] = ()
            if _has_loops(activation):
                both.loop, both.weight = LOOPS[type(activation)][name], WEIGHT
                settings = activation.settings()
            return both.run(*arrays, settings=settings)

        kernel.operands = operands  # type: ignore[attr-defined] # for cases.py
        return kernel

    return pair


def _has_loops(activation: Any) -> bool:
    """Whether there are loops of its class, and its methods are those that they stand for."""
    written = _written.get(type(activation))
    return (
        written is not None
        and all(
            getattr(getattr(activation, name), "__func__", None) is one
            for name, one in written.items()
        )
        and replaced.is_published(*written.values(), kind=type(activation))
    )


def _in_one_float(written: Kernel, activation: Any, *arrays: Any) -> Any:
    made = written(activation, *arrays)
    if type(made) is np.ndarray and made.dtype == arrays[-1].dtype:
        return made
    dtype = np.result_type(*arrays)
    return tuple(np.asarray(x, dtype) for x in as_tuple(made))

"""The number of a step that is recorded: only `kernels.scheduled` can read it.

A plan is replayed in later steps, whose numbers are others. So a number that depends on the step
must be computed anew before each replay, which `kernels.scheduled` sees to.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..kernels.recording import is_recording
from .part_calls import Refused


class StepNumber:
    """Gives its number to every operation, unless a step is being recorded.

    It is no subclass of int, because C code would read that directly: `table[step]`.
    """

    def __init__(self, step: int) -> None:
        self._step = step

    def __array__(self, *_args: Any, **_options: Any) -> Array:
        return np.array(self.__int__())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.__int__(), name)

    def __int__(self) -> int:
        if is_recording():
            raise Refused("the number of the step is read other than by turn.scheduled")
        return self._step


def _reading(f: Callable[..., Any], reverse: bool = False) -> Any:
    """A method that reads the number and passes it to f."""

    def read(self: StepNumber, *others: Any) -> Any:
        step = self.__int__()
        return f(*others, step) if reverse else f(step, *others)

    return read


for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert", "index"):
    setattr(StepNumber, f"__{_name}__", _reading(getattr(operator, _name)))
for _kind in (bool, float, complex, str):
    setattr(StepNumber, f"__{_kind.__name__}__", _reading(_kind))
for _function in (hash, repr, round, format, math.trunc, math.floor, math.ceil):
    setattr(StepNumber, f"__{_function.__name__}__", _reading(_function))
for _name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift",
    "rshift", "divmod",
):  # fmt: skip
    _f = divmod if _name == "divmod" else getattr(operator, _name)
    setattr(StepNumber, f"__{_name.strip('_')}__", _reading(_f))
    setattr(StepNumber, f"__r{_name.strip('_')}__", _reading(_f, reverse=True))

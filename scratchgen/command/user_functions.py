"""Two functions of the user's: the arguments to check them at, and which form the pair has.

4x5,5x3            two arrays of numbers of size 0.1 to 1.6, with random signs
4x5:positive       the same without signs
4:int10,scalar     whole numbers below 10, and a single number
"""

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..gradcheck.library.points import spread
from ..gradcheck.pairs.pair import MOST_NUMBERS
from ..ground.arguments import Array, Shape
from ..ground.errors import OptionError

KINDS = {
    "vjp": "f(*args) -> y and vjp(dy, *args)",
    "cached": "forward(*args) -> (y, cache) and backward(dy, cache)",
}
NO_LIMIT = 10**6  # parameters that `*args` takes


@dataclass(frozen=True)
class DrawnArgument:
    """An argument to draw at random: its shape and kind; `below` is the limit of whole numbers."""

    shape: Shape
    kind: str = ""
    below: int = 2

    def draw(self, rng: np.random.Generator) -> Array:
        """An array of that shape and kind."""
        if math.prod(self.shape) > MOST_NUMBERS:
            raise OptionError(f"--args: wants shapes of at most {MOST_NUMBERS:,} numbers")
        if self.kind == "int":
            return rng.integers(self.below, size=self.shape)
        return abs(spread(rng, self.shape)) if self.kind == "positive" else spread(rng, self.shape)


def drawn_arguments(text: str) -> list[DrawnArgument]:
    """The arguments that a text such as `4x5,3:int10,scalar` describes; ValueError for others.

    >>> drawn_arguments("4x5,3:int10,scalar")[1:]
    [DrawnArgument(shape=(3,), kind='int', below=10), DrawnArgument(shape=(), kind='', below=2)]
    """
    return [_drawn_argument(part.strip()) for part in text.split(",")]


def _drawn_argument(text: str) -> DrawnArgument:
    match = re.fullmatch(r"(scalar|\d{1,9}(?:x\d{1,9})*)(?::(positive|int)(\d{1,9})?)?", text)
    if not match or (match[3] and (match[2] != "int" or int(match[3]) < 1)):
        raise ValueError(text)
    shape = () if match[1] == "scalar" else tuple(map(int, match[1].split("x")))
    return DrawnArgument(shape, match[2] or "", int(match[3] or 2))


def kind_of(forward: Callable[..., Any], backward: Callable[..., Any], args: Sequence[Any]) -> str:
    """ "vjp" or "cached": the form of the pair, read from the parameters.

    backward(dy, cache) has two parameters, vjp(dy, *args) one more than there are arguments. If
    both fit, the pair is a vjp if the last parameters have the names that they have in forward;
    otherwise it is cached if forward returns a pair, (y, cache).
    """
    of_backward = _positional(backward)
    most = NO_LIMIT if _takes_any_number(backward) else len(of_backward)
    numbers = {"vjp": 1 + len(args), "cached": 2}
    fits = [kind for kind, n in numbers.items() if _count_required(of_backward) <= n <= most]
    if not fits:
        raise OptionError(
            f"the backward pass takes {len(of_backward)} arguments, and --args describes "
            f"{len(args)}: wants backward(dy, cache), or vjp(dy, *args) with {1 + len(args)}"
        )
    if len(fits) == 1:
        return fits[0]
    if [p.name for p in of_backward[1:]] == [p.name for p in _positional(forward)]:
        return "vjp"
    try:
        returned = forward(*(array.copy() for array in args))
    except (Exception, SystemExit):  # the check itself will report it
        return "vjp"
    return "cached" if isinstance(returned, tuple | list) and len(returned) == 2 else "vjp"


def needs_arguments(f: Any) -> bool:
    """Whether f cannot be called without arguments."""
    return _count_required(_positional(f)) > 0


def _positional(f: Any) -> list[inspect.Parameter]:
    """The parameters that can be passed by position; none if Python does not know them."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in _parameters(f) if parameter.kind in kinds]


def _count_required(parameters: list[inspect.Parameter]) -> int:
    return sum(parameter.default is parameter.empty for parameter in parameters)


def _takes_any_number(f: Any) -> bool:
    parameters = _parameters(f)
    return not parameters or any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _parameters(f: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin, or no function at all
        return []

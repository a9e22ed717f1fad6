"""Two functions of a user's: the arguments they are checked at, and what kind of pair they are.

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
class Wanted:
    """An argument that is to be drawn: its shape, and from what; `below` is of whole numbers."""

    shape: Shape
    kind: str = ""
    below: int = 2

    def draw(self, rng: np.random.Generator) -> Array:
        """The argument."""
        if math.prod(self.shape) > MOST_NUMBERS:
            raise OptionError(f"--args: wants shapes of at most {MOST_NUMBERS:,} numbers")
        if self.kind == "int":
            return rng.integers(self.below, size=self.shape)
        return abs(spread(rng, self.shape)) if self.kind == "positive" else spread(rng, self.shape)


def wanted(text: str) -> list[Wanted]:
    """`4x5,3:int10,scalar` as arguments to be drawn; ValueError for any other text.

    >>> wanted("4x5,3:int10,scalar")[1:]
    [Wanted(shape=(3,), kind='int', below=10), Wanted(shape=(), kind='', below=2)]
    """
    return [_wanted(one.strip()) for one in text.split(",")]


def _wanted(text: str) -> Wanted:
    match = re.fullmatch(r"(scalar|\d{1,9}(?:x\d{1,9})*)(?::(positive|int)(\d{1,9})?)?", text)
    if not match or (match[3] and (match[2] != "int" or int(match[3]) < 1)):
        raise ValueError(text)
    shape = () if match[1] == "scalar" else tuple(map(int, match[1].split("x")))
    return Wanted(shape, match[2] or "", int(match[3] or 2))


def kind_of(forward: Callable[..., Any], backward: Callable[..., Any], args: Sequence[Any]) -> str:
    """ "vjp" or "cached": which of the two ways of writing a backward pass this is.

    backward(dy, cache) has two parameters, vjp(dy, *args) one more than there are arguments. Where
    both fit, it is vjp if the last parameter has the name that it has in forward, and else what
    forward gives decides: a pair of things is (y, cache).
    """
    plain = _plain(backward)
    most = NO_LIMIT if _takes_any_number(backward) else len(plain)
    numbers = {"vjp": 1 + len(args), "cached": 2}
    fits = [kind for kind, n in numbers.items() if _least(plain) <= n <= most]
    if not fits:
        raise OptionError(
            f"the backward pass takes {len(plain)} arguments, and --args names {len(args)}: wants "
            f"backward(dy, cache), or vjp(dy, *args) with {1 + len(args)}"
        )
    if len(fits) == 1:
        return fits[0]
    if [one.name for one in plain[1:]] == [one.name for one in _plain(forward)]:
        return "vjp"
    try:
        given = forward(*(one.copy() for one in args))
    except (Exception, SystemExit):  # the check itself will say what is wrong
        return "vjp"
    return "cached" if isinstance(given, tuple | list) and len(given) == 2 else "vjp"


def needs_arguments(f: Any) -> bool:
    """Whether f cannot be called without arguments."""
    return _least(_plain(f)) > 0


def _plain(f: Any) -> list[inspect.Parameter]:
    """The parameters that can be given by place; none where Python does not know them."""
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one for one in _signature(f) if one.kind in places]


def _least(parameters: list[inspect.Parameter]) -> int:
    """How many of them must be given."""
    return sum(one.default is one.empty for one in parameters)


def _takes_any_number(f: Any) -> bool:
    known = _signature(f)
    return not known or any(one.kind is one.VAR_POSITIONAL for one in known)


def _signature(f: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # of a builtin, or of no function at all
        return []

"""What can be typed behind an option: a number within its bounds, a shape, names, a choice.

Each function here turns a text into a value, or raises argparse's error; `number` makes such a
function from a check of ground/arguments.py.
"""

import argparse
from collections.abc import Callable
from typing import Any

from ..ground.arguments import MOST_EXAMPLES, finite, sizes, whole
from ..ground.errors import OptionError
from ..ground.parts import matching_name


def number(check: Callable[..., Any], kind: Callable[[str], Any], **bounds: Any) -> Any:
    """An argparse type: the text as a `kind`, such as a float, if it passes the check."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = text
        try:
            return check(value, "", **bounds)
        except OptionError as problem:
            raise argparse.ArgumentTypeError(str(problem).removeprefix("=")) from None

    return parse


integer = number(whole, int)
positive = number(finite, float, above=True)
count = number(whole, int, least=1, most=MOST_EXAMPLES)


def name(text: str) -> str:
    """Any text that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def names(text: str) -> list[str]:
    """`w,b` as a list of names."""
    return [name(part.strip()) for part in text.split(",")]


def widths(text: str) -> Any:
    """`128,64` as the widths of hidden layers."""
    try:
        return sizes([int(part) for part in text.split(",")], "value")
    except (ValueError, OptionError):
        raise argparse.ArgumentTypeError(
            f"{text!r}: wants widths of at least 1, such as 128 or 256,128"
        ) from None


def shape(text: str) -> Any:
    """`4,5` or `4x5` as the shape of an input."""
    try:
        return widths(text.replace("x", ","))
    except argparse.ArgumentTypeError:
        wants = "wants a shape that begins with the batch, such as 4,5"
        raise argparse.ArgumentTypeError(f"{text!r}: {wants}") from None


def in_any_case(choices: list[str]) -> Callable[[str], str]:
    """An argparse type: the choice itself, or the first that `matching_name` takes for the word."""

    def parse(word: str) -> str:
        return word if word in choices else matching_name(word, choices)

    return parse

"""A model's training log in a file: what `fit` writes, and what its user adds.

A record is a dict of numbers, text, None, lists and dicts. What `fit` writes into it, others rely
on: it may be missing, but is of its kind wherever it is there.
"""

import math
from typing import Any

import numpy as np

from ..checks import shortened
from ..errors import DataError

COUNTS = ("epochs", "steps", "examples", "batch_size", "seed")
MOST_DEPTH = 16  # dicts and lists within each other


def plain_log(log: Any) -> list[dict[str, Any]]:
    """A training log in the form that a file has: numbers of NumPy are Python's, tuples lists.

    Raises DataError, which names the place, for what a file cannot hold, and where something is
    not what `fit` writes under its name.
    """
    if not isinstance(log, list):
        raise DataError(f"the training log is a {type(log).__name__}: wants a list of dicts")
    return [_record(record, f"training_log[{i}]") for i, record in enumerate(log)]


def _record(record: Any, place: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{place} is a {type(record).__name__}: wants a dict")
    plain: dict[str, Any] = _plain(record, place)
    counts = all(type(plain[name]) is int for name in COUNTS if name in plain)
    optimizers, losses = plain.get("optimizer", {}), plain.get("losses", {})
    named = isinstance(optimizers, dict) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in optimizers.values()
    )
    numbers = isinstance(losses, dict) and all(type(x) in (int, float) for x in losses.values())
    if not (counts and named and numbers):
        raise DataError(
            f"{place} holds what fit did not write: wants whole numbers as {', '.join(COUNTS)}, a "
            f"name for each optimizer, and numbers as losses"
        )
    return plain


def _plain(value: Any, place: str, depth: int = 0) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if depth > MOST_DEPTH:
        raise DataError(f"{place[:200]} ... is {depth} levels deep: wants at most {MOST_DEPTH}")
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {
            key: _plain(item, f"{place}[{shortened(repr(key), 60)}]", depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(value)]
    if value is None or isinstance(value, str | bool) or _is_finite(value):
        return value
    what = repr(value) if isinstance(value, float) else f"of type {type(value).__name__}"
    raise DataError(
        f"{place} is {what}: wants finite numbers, text, None, lists, and dicts with names"
    )


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False

"""A model's training log in a file: what `fit` writes, and what the user adds.

A record is a dict of numbers, text, None, lists and dicts. Any entry may be missing. But an entry
with a name that `fit` uses must hold what `fit` would write, because other code relies on it.
"""

import math
from typing import Any

import numpy as np

from ..ground.errors import DataError, cut

COUNTS = ("epochs", "steps", "examples", "batch_size", "seed")
MOST_DEPTH = 16  # levels of lists and dicts around a value
Place = tuple[int | str, ...]  # the indices that lead from the log to a value


def plain_log(log: Any) -> list[dict[str, Any]]:
    """A training log in the form of a file: with Python's numbers for NumPy's, lists for tuples.

    Raises DataError, which names the place, for what a file cannot hold, and for an entry that is
    not what `fit` writes under that name.
    """
    if not isinstance(log, list):
        raise DataError(f"the training log is a {type(log).__name__}: wants a list of dicts")
    return [_record(record, (i,)) for i, record in enumerate(log)]


def _record(record: Any, place: Place) -> dict[str, Any]:
    plain = _plain(record, place)
    if not isinstance(plain, dict):
        raise DataError(f"{_shown(place)} is of type {type(record).__name__}: wants a dict")
    counts = all(type(plain[name]) is int and plain[name] >= 0 for name in COUNTS if name in plain)
    optimizers, losses = plain.get("optimizer", {}), plain.get("losses", {})
    named = isinstance(optimizers, dict) and all(
        isinstance(x, dict) and isinstance(x.get("name"), str) for x in optimizers.values()
    )
    numbers = isinstance(losses, dict) and all(type(x) in (int, float) for x in losses.values())
    if not (counts and named and numbers):
        raise DataError(
            f"{_shown(place)} holds what fit did not write: wants whole numbers of at "
            f"least 0 as {', '.join(COUNTS)}, a name for each optimizer, and numbers as losses"
        )
    return plain


def _plain(value: Any, place: Place) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool) or _is_finite(value):
        return value
    if len(place) > MOST_DEPTH:
        raise DataError(f"{_shown(place)} lies too deep: wants at most {MOST_DEPTH} levels")
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, (*place, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*place, i)) for i, item in enumerate(value)]
    what = repr(value) if isinstance(value, float) else f"of type {type(value).__name__}"
    raise DataError(
        f"{_shown(place)} is {what}: wants finite numbers, text, None, lists, and dicts with names"
    )


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _shown(place: Place) -> str:
    """`training_log[0]['losses']`."""
    return cut("training_log" + "".join(f"[{key!r}]" for key in place))

"""Whether data lie on a scale that networks learn on, checked before training.

    of each column, standard deviation within model.spreads, |mean| <= model.farthest      (1)

Beyond (1) the default settings train a model that learns little, without any error;
docs/own-data.md has the figures. Some columns vary little and are no problem: those of nothing but
-1, 0 and 1, such as one-hot classes, and those that hold one number most of the time, such as the
rim of flattened pictures. A constant column has no deviation; its value is judged like a mean.
The numbers of an example that is no vector share one unit, and are judged as one column.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..models import Model

LARGE = 10  # where |x| exceeds it, the scale is the likely reason for divergence
SEEN = 2_000  # examples that are examined
AT_ONCE = 50_000  # numbers that are examined at a time, to save memory
NAMED = 4  # columns that a message names


def scale_problem(model: Model, x: Any, what: str = "x") -> str:
    """How x (N, *shape), which `model.check` has passed, breaks (1); "" where it does not.

    Only models of unbounded numbers are judged: the others refuse data outside their bounds.
    """
    if model.bounds() or not model.is_density():
        return ""
    findings = "; ".join(_findings(model, np.asarray(x)))
    (least, most), farthest = model.spreads, model.farthest
    scaled = f", scaled by its {model.scaler}," if model.scaler else ""
    return findings and (
        f"{what}{scaled} is off the scale that this {model.kind} learns on, standard deviations of "
        f"{least:g} to {most:g} around means within {farthest:g} of 0: {findings}"
    )


def scale_advice(x: Any) -> str:
    """The line of Python that puts x (N, *shape) on a good scale."""
    x = np.asarray(x)
    if x.ndim == 2:
        return (
            "build the model with scaler=sg.data.Scaler.standard(x); it then takes and gives x in "
            "the units that x has"
        )
    if x.min() >= 0:
        return f"train on x / {x.max():g}"
    return "train on " + ("(x - x.mean()) / x.std()" if x.min() < x.max() else "x - x.mean()")


def divergence_advice(model: Model, x: Array) -> str:
    """What to do where training on x (N, *shape) has diverged."""
    largest = max(-float(x.min()), float(x.max()))
    if largest > LARGE and model.scaler is not None:
        return (
            f"x, scaled, reaches {largest:.4g}, so fit the scaler on the data to train on, "
            f"without what is far from all else, or try a lower learning rate"
        )
    if largest > LARGE and model.is_density():
        line = (
            "build the model with scaler=sg.data.Scaler.standard(x) (in a shell: --scale standard)"
        )
        return f"x reaches {largest:.4g}, so {line if x.ndim == 2 else scale_advice(x)}"
    return "try a lower learning rate"


def _findings(model: Model, x: Array) -> Iterator[str]:
    """Each way in which x (N, *shape) breaks (1), as `deviation 0.01 in columns 0 and 3`."""
    are_vectors, (least, most) = x.ndim == 2, model.spreads
    if not are_vectors and -1 <= x.min() <= x.max() - 0.5 and x.max() <= 1:
        return  # the usual range of pixels
    few = SEEN if are_vectors else max(1, AT_ONCE // math.prod(x.shape[1:]))
    seen = x[:: math.ceil(len(x) / few)]  # (n, *shape)
    x, seen = (y if are_vectors else y.reshape(-1, 1) for y in (x, seen))  # (N, D) and (n, D)
    mean, spread, looks_small = _measured(model, seen)  # (D,) each
    constant = x.min(axis=0) == x.max(axis=0)
    narrow, wide = (spread < least) & ~looks_small & ~constant, spread > most  # (1)
    off = np.abs(mean) > model.farthest  # (1)
    for columns, name, values in (
        (narrow, "deviation", spread),
        (wide, "deviation", spread),
        (off & ~wide & ~constant, "mean", mean),
        (off & constant, "constant", mean),
    ):
        if columns.any():
            low, high = (f"{edge(values[columns]):.4g}" for edge in (np.min, np.max))
            size = low if low == high else f"{low} to {high}"
            where = f" in {_named(np.flatnonzero(columns))}" if are_vectors else ""
            yield f"{name} {size}{where}"


def _measured(model: Model, seen: Array) -> tuple[Array, Array, Array]:
    """Each column's mean, deviation, and whether it is small without harm; seen is (n, D)."""
    parts = []
    for left in range(0, seen.shape[1], wide := max(1, AT_ONCE // len(seen))):
        y = seen[:, left : left + wide].astype(np.float64)  # (n, d)
        if model.scaler is not None:
            of = slice(left, left + wide)
            y = (y - model.scaler.offset[of]) / model.scaler.scale[of]
        looks_small = np.isin(y, (-1, 0, 1)).all(axis=0)
        looks_small |= (y == np.median(y, axis=0)).mean(axis=0) > 0.5
        parts.append((y.mean(axis=0), y.std(axis=0), looks_small))
    mean, spread, small = (np.concatenate(of) for of in zip(*parts, strict=True))
    return mean, spread, small


def _named(columns: Array) -> str:
    """`column 3`, `columns 0, 1 and 2`, or `columns 0, 1, 2, 3 and 17 more`."""
    names = [f"{j}" for j in columns[:NAMED]]
    if len(columns) > NAMED:
        names.append(f"{len(columns) - NAMED} more")
    text = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return f"column{'s' if len(columns) > 1 else ''} {text}"


__all__ = ["divergence_advice", "scale_advice", "scale_problem"]

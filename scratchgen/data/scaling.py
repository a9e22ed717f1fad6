"""Scaling columns to numbers near 1, from which a model learns, and back to the user's units.

    y_j = (x_j - offset_j) / scale_j                                                     (1)
    x_j = scale_j y_j + offset_j                                                         (2)
    log p(x) = log p(y) + log |dy/dx|,   log |dy/dx| = -sum_j log scale_j                (3)

    standard   offset_j = mean of x_j,   scale_j = standard deviation of x_j             (4)
    min_max    offset_j = min of x_j,    scale_j = max - min of x_j: y_j in [0, 1]       (5)

A constant column has its value as its offset, so that y_j = 0, and the scale 1. `standard` does not
change columns that hold only -1, 0 and 1, such as bits and one-hot classes: a class of one example
in a thousand would lie 32 deviations away, and the model would learn little else. Everything is
computed in float64, because float32 would lose digits of 1,000,000,000.5.

docs/own-data.md shows with figures why it matters.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ground.arguments import Array, exact_type, examples, real_numbers
from ..ground.chunks import chunks
from ..ground.errors import DataError, OptionError, ShapeError

FARTHEST = 1e30  # from 0, for scaled numbers, so that float32 can hold them


@dataclass(frozen=True, eq=False)
class Scaler:
    """(1) and (2), for vectors (N, D), with an offset and a scale for each of their columns.

    `Scaler.standard(x)` and `Scaler.min_max(x)` are fitted to the training data. A model that is
    built with `scaler=` then takes and returns x in the units of those data.

    Args:
        offset: (D,) real numbers.
        scale: (D,) numbers above 0.
        name: its name in texts: "standard", "min_max", or "own".

    Raises KindError, ShapeError, DataError or OptionError for other values.

    >>> scaler = Scaler.standard([[1990, 1e9], [2000, 2e9], [2010, 3e9]])
    >>> scaler.apply([[2000, 1e9]]).round(3)
    array([[ 0.   , -1.225]])
    >>> scaler.undo([[0, 0]]).tolist()
    [[2000.0, 2000000000.0]]
    """

    offset: Array
    scale: Array
    name: str = "own"

    def __post_init__(self) -> None:
        offset, scale = _column("offset", self.offset), _column("scale", self.scale)
        if offset.shape != scale.shape:
            raise ShapeError(
                f"offset has shape {offset.shape} and scale {scale.shape}: a scaler wants one of "
                f"each for every column"
            )
        if not (scale > 0).all():
            raise DataError(
                f"scale holds {scale.min():g}: wants numbers above 0, and 1 for a constant column"
            )
        if self.name not in (*SCALERS, OWN):
            raise OptionError(f"name={self.name!r}: wants one of {', '.join((*SCALERS, OWN))}")
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "scale", scale)

    @classmethod
    def standard(cls, x: Any) -> "Scaler":
        """Scales to mean 0 and standard deviation 1 on x (N, D), except for bits; (4).

        Raises ShapeError, KindError or DataError if x holds no vectors.
        """
        x, low, span = _range(x)

        def parts() -> Iterator[Array]:  # in [0, 1], so that squares neither overflow nor vanish
            return ((x[rows] - low) / span for rows in chunks(len(x)))

        with np.errstate(under="ignore"):
            mean = sum(part.sum(axis=0) for part in parts()) / len(x)
            variance = sum(((part - mean) ** 2).sum(axis=0) for part in parts()) / len(x)
            offset, scale = low + span * mean, span * np.sqrt(variance)  # (D,)   (4)
        parts_are_bits = (np.isin(x[rows], (-1, 0, 1)).all(axis=0) for rows in chunks(len(x)))
        bits = np.all(list(parts_are_bits), axis=0) & (scale > 0)
        offset, scale = np.where(bits, 0, offset), np.where(bits, 1, scale)
        # the span of a constant column is 1
        return cls(offset, np.where(scale > 0, scale, span), "standard")

    @classmethod
    def min_max(cls, x: Any) -> "Scaler":
        """Scales to the range from 0 to 1 on x (N, D); (5). Raises as `standard`."""
        _, low, span = _range(x)
        return cls(low, span, "min_max")  # (5)

    @property
    def width(self) -> int:
        """D, the number of columns."""
        return len(self.offset)

    @property
    def log_det(self) -> float:
        """log |dy/dx| of (3), which is log p(x) - log p(y), in nats."""
        return -float(np.log(self.scale).sum())  # (3)

    def apply(self, x: Any, what: str = "x") -> Array:
        """x (N, D) -> y (N, D) float64; (1). Raises ShapeError, KindError or DataError."""
        x = real_numbers(x, what)
        x = examples(x, self.offset.shape, exact_type(x), what)
        with np.errstate(over="ignore", under="ignore"):
            y: Array = (x - self.offset) / self.scale  # (N, D)   (1)
        if not (np.abs(y) <= FARTHEST).all():
            raise DataError(
                f"{what} holds numbers too far from the data that its scaler was fitted to: drop "
                f"them, or fit the scaler to data that hold them"
            )
        return y

    def undo(self, y: Any, out: Array | None = None) -> Array:
        """y (N, D) -> x (N, D) float64, or written into `out`; (2). Raises ShapeError or KindError.

        y need not be finite, since a model computes it.
        """
        y = real_numbers(y, "y")
        if y.ndim != 2 or y.shape[1] != self.width:
            raise ShapeError(f"y has shape {y.shape}, wants (N, {self.width}): as `apply` gives it")
        with np.errstate(all="ignore"):
            x = np.multiply(y, self.scale, out=out, dtype=np.float64)  # (N, D)   (2)
            return np.add(x, self.offset, out=x)

    def settings(self) -> dict[str, Any]:
        """Name, offset and scale as plain values for a file; `Scaler(**settings)` restores it."""
        return {"name": self.name, "offset": self.offset.tolist(), "scale": self.scale.tolist()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scaler) and self.settings() == other.settings()

    def __hash__(self) -> int:
        return hash((self.name, self.offset.tobytes(), self.scale.tobytes()))

    def __str__(self) -> str:
        return "scaler" if self.name == OWN else f"{self.name} scaler"


OWN = "own"
SCALERS: dict[str, Callable[[Any], Scaler]] = {
    "standard": Scaler.standard,
    "min_max": Scaler.min_max,
}


def _column(name: str, value: Any) -> Array:
    """A finite number for each column: (D,) float64, read-only."""
    array = real_numbers(value, name)
    if array.ndim != 1 or not array.size:
        raise ShapeError(f"{name} has shape {array.shape}, wants (D,): a number for each column")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise DataError(f"{name} holds NaN or infinity: wants numbers")
    array.flags.writeable = False
    return array


def _range(x: Any) -> tuple[Array, Array, Array]:
    """x (N, D) as an array; each column's minimum, and its range, which is 1 if it is constant."""
    x = real_numbers(x, "x")
    if x.ndim != 2 or not x.size:
        raise ShapeError(
            f"x has shape {x.shape}: a scaler wants vectors (N, D), at least one; pixels share "
            f"their unit, so divide pictures by their largest number instead"
        )
    x = examples(x, x.shape[1:], exact_type(x))
    low, high = (edge(axis=0).astype(np.float64) for edge in (x.min, x.max))  # (D,)
    with np.errstate(over="ignore"):
        span = np.where(high > low, high - low, 1.0)  # (D,)
    if not np.isfinite(span).all():
        raise DataError(f"x goes from {low.min():g} to {high.max():g}: too far for float64")
    return x, low, span

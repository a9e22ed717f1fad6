"""Examples that a run trains on, means of numbers over them, and a history of the means.

history[name][epoch] = sum over its steps of n_step value_step / sum of n_step      (1)
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..ground.arguments import Array
from ..ground.chunks import chunks
from ..ground.errors import DataError, ShapeError
from ..models import Model


class History(dict[str, list[float]]):
    """name -> a list with one number for each epoch; `seed` is the run's."""

    def __init__(self, names: Iterable[str], seed: int) -> None:
        super().__init__({name: [] for name in names})
        self.seed = seed


class Means:
    """Means by name, weighted by numbers of examples (1)."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, parts: Mapping[str, float], n: int) -> None:
        """Add the means over n examples."""
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + n * value
            self.counts[name] = self.counts.get(name, 0) + n

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self.counts[name] for name, total in self.sums.items()}  # (1)


@dataclass(frozen=True)
class Examples:
    """x (N, *shape) and labels (N,), where the model wants them.

    x is of the model's dtype, or of a smaller one, from which each batch is converted.
    """

    x: Array
    labels: Array | None

    @cached_property
    def checksum(self) -> int:
        """A number that changes, most likely, with any example and with their order."""
        number = 0
        for rows in chunks(len(self.x)):
            number = zlib.crc32(np.ascontiguousarray(self.x[rows]).data, number)
        return number if self.labels is None else zlib.crc32(self.labels.data, number)

    @classmethod
    def of(cls, model: Model, x: Any, labels: Any, what: str) -> Self:
        """x and labels in the form that the model takes; an error where they do not fit it."""
        x = model.check_as_given(x, what) if model.scaler is None else model.check(x, what)
        if not len(x):
            raise DataError(f"{what} has shape {x.shape}, no examples: wants at least one")
        is_small = x.dtype.itemsize < model.dtype.itemsize  # then each batch is converted by itself
        with np.errstate(over="ignore", under="ignore"):
            x = np.require(x, x.dtype if is_small else model.dtype, ["C", "A"])
        if model.n_labels and isinstance(labels, int | np.integer):
            name = "labels" if what == "x" else what  # it would learn nothing from one for all
            raise ShapeError(
                f"{name} has the one label {labels} for {len(x):,} examples: wants one for each, "
                f"(N,)"
            )
        return cls(x, model.check_labels(labels, len(x)))

    def at(self, rows: Any) -> tuple[Array, Array | None]:
        """These rows of x and of labels."""
        return self.x[rows], None if self.labels is None else self.labels[rows]

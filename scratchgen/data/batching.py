"""A data set is seen in batches, in a new order each time."""

from collections.abc import Iterator

import numpy as np

from ..checks import Array, whole
from ..errors import DataError, OptionError
from ..rng import Rng, generator


def batches(x: Array, batch_size: int, rng: Rng = None) -> Iterator[Array]:
    """All examples of x (N, ...) once, shuffled, `batch_size` at a time; the last may be fewer.

    Raises DataError for an empty data set and OptionError for a size that is not in 1 ... N.

    >>> import numpy as np
    >>> [len(batch) for batch in batches(np.zeros((10, 2)), 4, rng=0)]
    [4, 4, 2]
    """
    if not len(x):
        raise DataError("x holds no examples: wants at least one")
    size = whole(batch_size, "batch_size", least=1)
    if size > len(x):
        raise OptionError(
            f"batch_size={size} is above the {len(x)} examples of x: wants 1 to {len(x)}, or None"
        )
    return _batches(x, size, generator(rng))


def _batches(x: Array, size: int, rng: np.random.Generator) -> Iterator[Array]:
    order = rng.permutation(len(x))  # (N,)
    for start in range(0, len(x), size):
        yield x[order[start : start + size]]  # (size, ...)

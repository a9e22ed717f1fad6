"""A data set is seen in batches, in a new order each time."""

from collections.abc import Iterator

import numpy as np

from ..checks import Array, whole
from ..errors import DataError, OptionError
from ..keywords import explains_keywords
from ..rng import Rng, generator


@explains_keywords
def batches(x: Array, batch_size: int, rng: Rng = None) -> Iterator[Array]:
    """All examples of x (N, ...) once, shuffled, `batch_size` at a time; the last may be fewer.

    Raises DataError for an empty data set and OptionError for a size that is not in 1 ... N.

    >>> import numpy as np
    >>> [len(batch) for batch in batches(np.zeros((10, 2)), 4, rng=0)]
    [4, 4, 2]
    """
    rows = batch_rows(len(x), checked_size(batch_size, len(x)), generator(rng))
    return (x[chosen] for chosen in rows)  # (at most batch_size, ...) each


def checked_size(batch_size: int, n: int) -> int:
    """`batch_size` as an int in 1 ... n, for a data set of n examples."""
    if not n:
        raise DataError("x holds no examples: wants at least one")
    size = whole(batch_size, "batch_size", least=1)
    if size > n:
        raise OptionError(f"batch_size={size} is above the {n} examples of x: wants 1 to {n}")
    return size


def batch_rows(n: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    """The numbers 0 ... n - 1, shuffled, `size` at a time: the places of each batch's examples."""
    order = rng.permutation(n)  # (n,)
    for start in range(0, n, size):
        yield order[start : start + size]  # (at most size,)

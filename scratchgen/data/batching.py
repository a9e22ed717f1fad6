"""Batches of nearly equal size, in a new order in each epoch.

    B = ceil(N / batch_size) batches;   the first N mod B have floor(N / B) + 1 examples,
                                        the others floor(N / B)                            (1)

A step on one example moves the weights as far as a step on 128. So a small last batch would give
its few examples far too much weight. Some protocols have such a batch: even_batches=False.
"""

from collections.abc import Iterator

from ..ground.arguments import Array, whole
from ..ground.errors import DataError, OptionError
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng, generator


@explains_keywords
def batches(
    x: Array, batch_size: int, rng: Rng = None, even_batches: bool = True
) -> Iterator[Array]:
    """All examples of x (N, ...) once, shuffled, in batches of at most `batch_size`.

    There are as few batches as that allows, of nearly equal size (1). With even_batches=False they
    have `batch_size` examples, and the last batch has the rest.

    Raises DataError for an empty data set and OptionError for a size that is not in 1 ... N.

    >>> import numpy as np
    >>> [len(batch) for batch in batches(np.zeros((10, 2)), 4, rng=0)]
    [4, 3, 3]
    >>> [len(batch) for batch in batches(np.zeros((10, 2)), 4, rng=0, even_batches=False)]
    [4, 4, 2]
    """
    size, order = checked_size(batch_size, len(x)), generator(rng).permutation(len(x))
    return (x[order[rows]] for rows in batch_slices(len(x), size, even_batches))


def checked_size(batch_size: int, n: int) -> int:
    """`batch_size` as an int in 1 ... n, for a data set of n examples."""
    if not n:
        raise DataError("x holds no examples: wants at least one")
    size = whole(batch_size, "batch_size", least=1)
    if size > n:
        raise OptionError(f"batch_size={size} is above the {n} examples of x: wants 1 to {n}")
    return size


def batch_slices(n: int, size: int, even_batches: bool = True) -> list[slice]:
    """The positions of each batch's examples, at most `size` of n, in the order of an epoch.

    No batch is larger than those before it.
    """
    count = -(-n // size)
    least, more = divmod(n, count) if even_batches else (size, 0)
    slices, start = [], 0
    for i in range(count):
        stop = min(n, start + least + (i < more))  # (1)
        slices.append(slice(start, stop))
        start = stop
    return slices

"""Large data are worked on a chunk at a time, which bounds the memory."""

import math
from collections.abc import Iterator

CHUNK = 1024  # examples in a chunk, which bounds memory,
CHUNK_NUMBERS = 2**22  # and numbers in a chunk, for large examples,
CHUNK_LEAST = 256  # but never fewer examples than this: products of few rows are slow


def chunks(n: int, shape: tuple[int, ...] = ()) -> Iterator[slice]:
    """Slices that cover range(n), in chunks of examples of `shape` that bound the memory.

    >>> [rows.stop for rows in chunks(2_000)], [rows.stop for rows in chunks(600, (512, 512))]
    ([1024, 2000], [256, 512, 600])
    """
    size = min(CHUNK, max(CHUNK_LEAST, CHUNK_NUMBERS // math.prod(shape)))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))

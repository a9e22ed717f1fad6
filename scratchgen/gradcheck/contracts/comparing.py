"""Distances between arrays that should be equal, and whether two arrays share memory."""

from collections.abc import Sequence

import numpy as np

from ...ground.arguments import Array


def distance(first: Sequence[Array], second: Sequence[Array]) -> float:
    """The largest difference between two lists of arrays, relative to each array's largest entry.

    Infinite where shapes differ, or where NaN stands in one array and not in the other.

    >>> distance([np.array([1.0, 4.0])], [np.array([1.0, 3.0])])
    0.25
    """
    if [a.shape for a in first] != [b.shape for b in second]:
        return np.inf
    return max(map(_distance, first, second), default=0.0)


def _distance(a: Array, b: Array) -> float:
    if not a.size or np.array_equal(a, b, equal_nan=True):
        return 0.0
    off = float(np.abs(np.subtract(a, b, dtype=np.float64)).max())
    return off / (float(abs(a).max()) or 1.0) if np.isfinite(off) else np.inf


def share_memory(a: Array, b: Array) -> bool:
    """Whether two arrays share memory, at least in part."""
    return bool(np.may_share_memory(a, b) and np.shares_memory(a, b))


def percent(share: float) -> str:
    """A fraction in words, to two digits.

    >>> percent(2.0), percent(0.0123), percent(1.2e-9), percent(np.inf)
    ('200 %', '1.2 %', '1.2e-09', 'all of it')
    """
    if not np.isfinite(share):
        return "all of it"
    return f"{float(f'{100 * share:.2g}'):g} %" if 1e-4 <= share < 1e6 else f"{share:.1e}"

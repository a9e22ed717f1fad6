"""Functions of one number that loops call."""

import numpy as np

from .compiling import part


@part
def exp(x):  # type: ignore[no-untyped-def]
    """e^x."""
    return np.exp(x)


@part
def expm1(x):  # type: ignore[no-untyped-def]
    """e^x - 1, right near 0."""
    return np.expm1(x)


@part
def log1p(x):  # type: ignore[no-untyped-def]
    """log(1 + x), right near 0."""
    return np.log1p(x)

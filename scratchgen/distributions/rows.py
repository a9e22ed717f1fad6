"""Formulas take examples as rows of numbers, in one dtype."""

import math

import numpy as np

from ..ground.arguments import Array


def in_rows(x: Array) -> Array:
    """The numbers of each example in a row: (N, ...) -> (N, D)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def alike(*arrays: Array) -> list[Array]:
    """The same arrays in one dtype, the widest among them."""
    dtype = np.result_type(*arrays)
    return [x.astype(dtype, copy=False) for x in arrays]

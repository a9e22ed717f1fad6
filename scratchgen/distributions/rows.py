"""Examples as rows of numbers, in one dtype, as formulas take them."""

import math

import numpy as np

from ..ground.arguments import Array


def in_rows(x: Array) -> Array:
    """The same numbers: (N, ...) -> (N, D)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def alike(*arrays: Array) -> list[Array]:
    """The same numbers, in the dtype that holds those of all."""
    dtype = np.result_type(*arrays)
    return [x.astype(dtype, copy=False) for x in arrays]

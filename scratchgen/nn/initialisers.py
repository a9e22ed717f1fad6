"""What a parameter is before anything was learnt.

An initialiser is a function (rng, shape) -> array. A weight of shape (I, O) has I inputs and O
outputs.

    zeros     0                                                                    (1)
    glorot    U(-a, a), a = sqrt(6 / (I + O))      Glorot and Bengio 2010          (2)
    he        N(0, 2 / I), for what a ReLU follows  He et al. 2015                  (3)
    normal    N(0, 0.02^2), for what should begin near 0                           (4)
"""

from collections.abc import Callable

import numpy as np

from ..checks import Array, Shape

Initialiser = Callable[[np.random.Generator, Shape], Array]


def zeros(_rng: np.random.Generator, shape: Shape) -> Array:
    """All zero: biases."""
    return np.zeros(shape)  # (1)


def glorot(rng: np.random.Generator, shape: Shape) -> Array:
    """Between what keeps the variance of signals, 1 / I, and that of gradients, 1 / O."""
    bound = np.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-bound, bound, shape)  # (2)


def he(rng: np.random.Generator, shape: Shape) -> Array:
    """Keeps the variance of signals through a layer of which a ReLU cuts half away."""
    return rng.standard_normal(shape) * np.sqrt(2 / shape[0])  # (3)


def normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Small, whatever the size of the layer."""
    return 0.02 * rng.standard_normal(shape)  # (4)


INITIALISERS: dict[str, Initialiser] = {
    "zeros": zeros,
    "glorot": glorot,
    "he": he,
    "normal": normal,
}

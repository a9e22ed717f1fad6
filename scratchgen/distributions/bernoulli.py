"""Independent Bernoulli pixels, given by their logits l.

    log p(x) = sum_j [x_j l_j - log(1 + exp(l_j))],   p_j = 1 / (1 + exp(-l_j))     (1)
    d log p / dl = x - p                                                            (2)

For x in {0, 1} this is a probability: it sums to one over all pictures. For greys between 0 and 1
it is the cross-entropy that the field trains on, and not a density: compare such numbers with each
other only, never with those of another likelihood (Loaiza-Ganem and Cunningham 2019).
"""

from types import SimpleNamespace

import numpy as np

from .. import kernels
from ..checks import Array


def log_prob(x: Array, logits: Array) -> Array:
    """Nats per example: x in [0, 1] and logits (N, ...) -> (N,)."""
    terms = x * logits - kernels.softplus(logits)  # (N, ...)
    return terms.sum(axis=tuple(range(1, terms.ndim)))  # (1)


def log_prob_gradients(x: Array, logits: Array, dvalue: Array) -> SimpleNamespace:
    """`.logits` (N, ...), for dvalue (N,)."""
    scale = kernels.as_column(dvalue, x)  # (N, 1, ...)
    return SimpleNamespace(logits=scale * (x - kernels.sigmoid(logits)))  # (2)


def draw(logits: Array, rng: np.random.Generator) -> Array:
    """Zeros and ones (N, ...), one with probability p."""
    uniform = rng.random(logits.shape, dtype=logits.dtype.type)  # (N, ...), in [0, 1)
    return (uniform < kernels.sigmoid(logits)).astype(logits.dtype)

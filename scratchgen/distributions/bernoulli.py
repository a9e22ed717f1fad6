"""Independent Bernoulli pixels, given by their logits l.

    log p(x) = sum_j [x_j log p_j + (1 - x_j) log(1 - p_j)],   p_j = 1 / (1 + exp(-l_j))    (1)
    log p = -log(1 + exp(-l)),   log(1 - p) = -log(1 + exp(l))                              (2)
    d log p(x) / dl = x - p = x (1 - p) - (1 - x) p                                         (3)

No term of (1), or of the last form of (3), loses digits where a pixel is certain. The shorter
x l - log(1 + exp(l)) and x - p do: there they are the small difference of two large numbers.

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
    terms = x * -kernels.softplus(-logits) - (1 - x) * kernels.softplus(logits)  # (N, ...)   (2)
    return terms.sum(axis=tuple(range(1, terms.ndim)))  # (1)


def log_prob_gradients(x: Array, logits: Array, dvalue: Array) -> SimpleNamespace:
    """`.logits` (N, ...), for dvalue (N,)."""
    scale = kernels.as_column(dvalue, x)  # (N, 1, ...)
    up, down = x * kernels.sigmoid(-logits), (1 - x) * kernels.sigmoid(logits)  # (N, ...)
    return SimpleNamespace(logits=scale * (up - down))  # (3)


def draw(logits: Array, rng: np.random.Generator) -> Array:
    """Zeros and ones (N, ...), one with probability p."""
    uniform = rng.random(logits.shape, dtype=logits.dtype.type)  # (N, ...), in [0, 1)
    return (uniform < kernels.sigmoid(logits)).astype(logits.dtype)

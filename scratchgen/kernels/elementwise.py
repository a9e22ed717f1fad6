"""Sigmoid and softplus of a logit, safe at any size.

    sigmoid(l)  = 1 / (1 + exp(-l)) = 1 / (1 + e) for l >= 0, e / (1 + e) for l < 0     (1)
    softplus(l) = log(1 + exp(l))   = max(l, 0) + log(1 + e)                            (2)

Both take only e = exp(-|l|), which cannot overflow. They are what the losses are made of:

    log sigmoid(l) = -softplus(-l),    log(1 - sigmoid(l)) = -softplus(l)      (3)
    softplus'(l) = sigmoid(l)                                                  (4)
"""

import numpy as np

from ..checks import Array


def sigmoid(logits: Array, out: Array | None = None) -> Array:
    """Any shape -> the same shape, in [0, 1]; right in both tails until e underflows."""
    e = np.exp(-np.abs(logits))  # in (0, 1]
    return np.divide(np.where(logits >= 0, 1, e), 1 + e, out=out)  # (1)


def softplus(logits: Array) -> Array:
    """Any shape -> the same shape, >= 0."""
    return np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))  # (2)

"""Sigmoid and softplus of a logit, safe at any size.

    sigmoid(l)  = 1 / (1 + exp(-l))                                            (1)
    softplus(l) = log(1 + exp(l)) = max(l, 0) + log(1 + exp(-|l|))             (2)

If exp(-l) overflows, (1) is 0, as it should be; exp(-|l|) cannot overflow. The losses are built
from both:

    log sigmoid(l) = -softplus(-l),    log(1 - sigmoid(l)) = -softplus(l)      (3)
    softplus'(l) = sigmoid(l)                                                  (4)
"""

import numpy as np

from ..ground.arguments import Array
from .formulas import formula, loop_of
from .functions import sigmoid as sigmoid_of_number
from .functions import softplus as softplus_of_number
from .sharing import share_row

# mypy: disable-error-code="no-untyped-def"


def sigmoid(logits: Array) -> Array:
    """Any shape -> the same shape, in [0, 1]; right in both tails until e underflows."""
    return sigmoid_of_floats(_in_floats(logits))


def softplus(logits: Array) -> Array:
    """Any shape -> the same shape, >= 0."""
    return softplus_of_floats(_in_floats(logits))


@formula("logits (...) -> out (...)")
def sigmoid_of_floats(logits: Array) -> Array:
    with np.errstate(over="ignore"):
        e = np.exp(-logits)
    return np.reciprocal(e + 1)  # (1)


@loop_of(sigmoid_of_floats, weight=4)
def sigmoid_loop(part, parts, logits, out):
    start, stop = share_row(out.size, part, parts)
    logits, out = logits[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = sigmoid_of_number(logits[i])  # (1)


@formula("logits (...) -> out (...)")
def softplus_of_floats(logits: Array) -> Array:
    return np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0)  # (2)


@loop_of(softplus_of_floats, weight=4)
def softplus_loop(part, parts, logits, out):
    start, stop = share_row(out.size, part, parts)
    logits, out = logits[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = softplus_of_number(logits[i])  # (2)


def _in_floats(logits: Array) -> Array:
    """Whole numbers as float64, because unsigned ones have no negative."""
    logits = np.asarray(logits)
    return logits.astype(np.float64) if logits.dtype.kind in "biu" else logits

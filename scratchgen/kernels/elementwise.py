"""Sigmoid and softplus of a logit, safe at any size.

    sigmoid(l)  = 1 / (1 + exp(-l))                                            (1)
    softplus(l) = log(1 + exp(l)) = max(l, 0) + log(1 + exp(-|l|))             (2)

Where exp(-l) overflows, (1) is 0, as it should be; exp(-|l|) cannot overflow. They are what the
losses are made of:

    log sigmoid(l) = -softplus(-l),    log(1 - sigmoid(l)) = -softplus(l)      (3)
    softplus'(l) = sigmoid(l)                                                  (4)
"""

import numpy as np

from ..checks import Array
from .functions import sigmoid as sigmoid_of_one
from .functions import softplus as softplus_of_one
from .sharing import share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def sigmoid(logits: Array, out: Array | None = None) -> Array:
    """Any shape -> the same shape, in [0, 1]; right in both tails until e underflows."""
    logits, out = _in_floats(logits, out)
    write_sigmoid(logits, out)
    return out


def softplus(logits: Array, out: Array | None = None) -> Array:
    """Any shape -> the same shape, >= 0."""
    logits, out = _in_floats(logits, out)
    write_softplus(logits, out)
    return out


def sigmoid_reference(logits: Array, out: Array) -> None:
    np.negative(logits, out=out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)  # (1)


@twin_of(sigmoid_reference, takes="logits (...) -> out (...)", weight=4)
def write_sigmoid(part, parts, logits, out):
    start, stop = share_row(out.size, part, parts)
    logits, out = logits[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = sigmoid_of_one(logits[i])  # (1)


def softplus_reference(logits: Array, out: Array) -> None:
    np.log1p(np.exp(-np.abs(logits)), out=out)
    out += np.maximum(logits, 0)  # (2)


@twin_of(softplus_reference, takes="logits (...) -> out (...)", weight=4)
def write_softplus(part, parts, logits, out):
    start, stop = share_row(out.size, part, parts)
    logits, out = logits[start:stop], out[start:stop]
    for i in range(out.size):
        out[i] = softplus_of_one(logits[i])  # (2)


def _in_floats(logits: Array, out: Array | None) -> tuple[Array, Array]:
    """Both as the kernels want them; whole numbers, some of which have no negative, in float64."""
    logits = np.asarray(logits)
    if logits.dtype.kind in "biu":
        logits = logits.astype(np.float64)
    if out is None:
        out = np.empty(logits.shape, logits.dtype.newbyteorder("="))
    return logits, out

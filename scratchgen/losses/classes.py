"""The cross-entropy of labels: what a classifier minimises, from a logit for each class.

For an example with the label m, a class from 0 to C - 1, a classifier gives C logits l_k:

    value = -log p_m,   p_k = exp(l_k) / sum_i exp(l_i)                                 (1)
    d value / dl_k = p_k - [k = m]                                                      (2)

[k = m] is 1 for k = m, otherwise 0. (1) is minus the log-probability of one categorical number;
distributions/categorical.py computes it without losing digits where a class is almost certain. In
an auxiliary classifier GAN the discriminator gives such logits beside its score. It minimises (1)
for real examples, with their labels, and for fake ones, with the labels that the generator was
given; the generator minimises (1) for the fake ones. Source: Odena et al. 2017.
"""

from ..distributions import categorical
from ..ground.arguments import Array
from ..kernels import formula, full, loop_of, scale, share_row

# mypy: disable-error-code="no-untyped-def"


@formula("logits (N, C), labels (N,) int64 below C -> x (N, 1)")
def floats_like(logits: Array, labels: Array) -> Array:
    """labels (N,) in 0 ... C - 1 -> (N, 1), in the dtype of logits (N, C)."""
    return labels[:, None].astype(logits.real.dtype)


def cross_entropy(labels: Array, logits: Array, weight: float) -> tuple[Array, Array]:
    """labels (N,) int64, logits (N, C) -> value (N,), nats, and dlogits (N, C).

    dlogits is the gradient of weight sum_n value_n; value itself has no weight. Raises DataError
    for a label outside 0 ... C - 1, ShapeError or KindError for arrays that do not fit.

    >>> import numpy as np
    >>> value, dlogits = cross_entropy(np.array([1]), np.log([[1.0, 3.0]]), weight=1.0)
    >>> value.round(4), dlogits.round(4)
    (array([0.2877]), array([[ 0.25, -0.25]]))
    """
    x = floats_like(logits, labels)  # (N, 1)
    dvalue = full((len(x),), -weight, x.dtype)  # (N,)
    log_prob, dlogits = categorical.value_and_gradient(x, logits[:, None], dvalue)
    return scale(log_prob, -1.0), dlogits.reshape(logits.shape)  # (N,), (N, C)   (1), (2)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(floats_like)
def floats_like_loop(part, parts, logits, labels, x):
    start, stop = share_row(len(logits), part, parts)
    for n in range(start, stop):
        x[n, 0] = labels[n]

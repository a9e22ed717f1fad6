"""Independent categorical numbers: each is one of several classes, given by a logit l_k per class.

    log p_k = l_k - log sum_i exp(l_i)                            the log-softmax            (1)
    log p(x) = sum_j log p_j,x_j                                                             (2)
    d log p / dl_jk = [x_j = k] - p_jk,   1 - p = -(exp(log p) - 1)                          (3)
    argmax_k (l_k + noise_k), where P(noise_k <= s) = exp(-exp(-s)), is a draw of p          (4)

j runs over the numbers of an example, k over the classes. The negative of (2) is the softmax
cross-entropy with whole numbers as labels. The largest logit is taken away before (1), which
changes nothing but the size of the exponents. The sum is then 1 + the others' exponentials, and
log1p of these loses no digit where one class is certain. Sources: Bridle 1990; (4) Gumbel 1954.
"""

from types import SimpleNamespace

import numpy as np

from .. import kernels
from ..checks import Array
from ..errors import DataError


def log_probabilities(logits: Array) -> Array:
    """log p_k, finite wherever the logits are: any shape (..., classes) -> the same shape."""
    largest = logits.argmax(axis=-1)[..., None]  # (..., 1)
    below = logits - np.take_along_axis(logits, largest, axis=-1)  # (..., classes), <= 0
    others = np.exp(below)
    np.put_along_axis(others, largest, 0, axis=-1)
    return below - np.log1p(others.sum(axis=-1, keepdims=True))  # (1)


def probabilities(logits: Array) -> Array:
    """The softmax: (..., classes) -> the same shape, each row with the sum 1.

    >>> probabilities(np.log([[1.0, 3.0]])).round(6)
    array([[0.25, 0.75]])
    """
    return np.exp(log_probabilities(logits))


def log_prob(labels: Array, logits: Array) -> Array:
    """Nats per example: labels (N, ...) in 0 ... classes - 1, logits (N, ..., classes) -> (N,).

    Raises DataError for a label that has no logit.

    >>> log_prob(np.array([0, 1]), np.zeros((2, 4))).round(4)
    array([-1.3863, -1.3863])
    """
    last = logits.shape[-1] - 1
    if labels.size and not 0 <= labels.min() <= labels.max() <= last:
        came = f"labels go from {labels.min()} to {labels.max()}"
        raise DataError(f"{came}, wants whole numbers 0 ... {last}: a logit for each class")
    scores = log_probabilities(logits)  # (N, ..., classes)
    chosen = np.take_along_axis(scores, labels[..., None], axis=-1)[..., 0]  # (N, ...)
    return chosen.sum(axis=tuple(range(1, chosen.ndim)))  # (2)


def log_prob_gradients(labels: Array, logits: Array, dvalue: Array) -> SimpleNamespace:
    """`.logits` (N, ..., classes), for dvalue (N,)."""
    scale = kernels.as_column(dvalue, logits)  # (N, 1, ...)
    hit = labels[..., None] == np.arange(logits.shape[-1])  # (N, ..., classes)
    scores = log_probabilities(logits)  # (N, ..., classes)
    return SimpleNamespace(logits=scale * np.where(hit, -np.expm1(scores), -np.exp(scores)))  # (3)


def draw(logits: Array, rng: np.random.Generator) -> Array:
    """Labels (N, ...) int64, class k with probability p_k: logits (N, ..., classes)."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=-1)  # (4)

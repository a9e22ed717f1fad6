"""Independent categorical numbers: each is one of several classes, with a logit l_k per class.

    log p_k = l_k - log sum_i exp(l_i)                            the log-softmax            (1)
    log p(x) = sum_j log p_j,x_j                                                             (2)
    d log p / dl_jk = [x_j = k] - p_jk                                                       (3)
    argmax_k (l_k + noise_k), where P(noise_k <= s) = exp(-exp(-s)), is a draw of p          (4)

j runs over the numbers of an example, k over the classes, and [x_j = k] is 1 if x_j is k, otherwise
0. Minus (2) is the softmax cross-entropy of labels. Before (1), the largest logit is subtracted
from all; p does not change, and no exponential exceeds 1. No digits are lost if one class is nearly
certain: `log_probabilities` applies log1p to the sum of the other exponentials. If the class x is
known, let others = sum over k != x of exp(l_k), and let total be others + exp(l_x), rounded:

    log p_x = l_x - log total + lost / total,   lost = (total - exp(l_x)) - others           (5)
    1 - p_x = others / total                                                                 (6)

Rounding makes the total too large by `lost`; (5) corrects for that, to first order.
Sources: Bridle 1990; (4) Gumbel 1954.
"""

from types import SimpleNamespace

import numpy as np

from ..ground.arguments import Array
from ..ground.errors import DataError
from ..kernels import formula, helper, loop_of, share
from ..kernels.functions import exp, log, sum_of
from .rows import alike, in_rows

# mypy: disable-error-code="no-untyped-def"


def log_probabilities(logits: Array) -> Array:
    """log p_k, finite if the logits are: any shape (..., classes) -> the same shape."""
    largest = logits.argmax(axis=-1)[..., None]  # (..., 1)
    below = logits - np.take_along_axis(logits, largest, axis=-1)  # (..., classes), <= 0
    others = np.exp(below)  # (..., classes); the next line takes the largest out
    np.put_along_axis(others, largest, 0, axis=-1)
    return below - np.log1p(others.sum(axis=-1, keepdims=True))  # (1)


def probabilities(logits: Array) -> Array:
    """The softmax: (..., classes) -> the same shape; the probabilities of a number sum to 1.

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
        raise DataError(
            f"labels go from {labels.min()} to {labels.max()}, wants whole numbers 0 ... {last}: "
            f"a logit for each class"
        )
    labels = labels.astype(logits.real.dtype)
    return value_and_gradient(labels, logits, np.ones(len(labels), labels.dtype))[0]


def log_prob_gradients(labels: Array, logits: Array, dvalue: Array) -> SimpleNamespace:
    """`.logits` (N, ..., classes), for dvalue (N,)."""
    logits, dvalue = alike(logits, dvalue)
    return SimpleNamespace(
        logits=value_and_gradient(labels.astype(logits.real.dtype), logits, dvalue)[1]
    )


def value_and_gradient(labels: Array, logits: Array, dvalue: Array) -> tuple[Array, Array]:
    """log p(x) (N,) and its gradient by the logits (N, ..., classes); all of one dtype.

    log p(x) is NaN for a number that is not a label.
    """
    log_prob, dlogits = log_prob_categorical(in_rows(labels), in_rows(logits), dvalue)
    return log_prob, dlogits.reshape(logits.shape)


def draw(logits: Array, rng: np.random.Generator) -> Array:
    """Labels (N, ...) int64, class k with probability p_k: logits (N, ..., classes)."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=-1)  # (4)


@formula("logits (N, K) -> labels (N,)")
def most_probable(logits: Array) -> Array:
    """The class with the largest logit, as a float: logits (N, classes) -> (N,)."""
    return logits.argmax(axis=1).astype(logits.dtype)


@formula(
    "x (N, D) classes K, logits (N, K D), dvalue (N,) "
    "-> log_prob (N,), dlogits (N, K D), _terms (1+, 2 D)"
)
def log_prob_categorical(x: Array, logits: Array, dvalue: Array) -> tuple[Array, Array]:
    """x (N, D) in 0 ... K - 1, logits (N, K D), dvalue (N,) -> log_prob (N,), dlogits (N, K D).

    The K logits of each number lie side by side.
    """
    by_class = logits.reshape(*x.shape, logits.shape[1] // x.shape[1])  # (N, D, K)
    hit = x[:, :, None] == np.arange(by_class.shape[2])  # (N, D, K)
    below = by_class - by_class.max(axis=2, keepdims=True)  # (N, D, K), <= 0
    e = np.exp(below)  # (N, D, K)
    others = np.where(hit, 0, e).sum(axis=2, keepdims=True)  # (N, D, 1)
    total = others + np.where(hit, e, 0).sum(axis=2, keepdims=True)  # (N, D, 1)
    lost = np.where(hit, (total - e) - others, 0)  # (N, D, K)
    terms = np.where(hit, below - np.log(total) + lost / total, 0).sum(axis=2)  # (N, D)   (5)
    log_prob = np.where(hit.any(axis=2), terms, np.nan).sum(axis=1)  # (N,)   (2)
    d = dvalue[:, None, None] * np.where(hit, others, -e) / total  # (N, D, K)   (3, 6)
    return log_prob, d.reshape(logits.shape)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(log_prob_categorical, weight=4, of=1)
def log_prob_categorical_loop(part, parts, x, logits, dvalue, log_prob, dlogits, _terms):
    zero, one, size = logits.dtype.type(0), logits.dtype.type(1), x.shape[1]
    classes = logits.shape[1] // size
    terms, totals = _terms[part, :size], _terms[part, size : 2 * size]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, logits_n, dlogits_n, scale = x[n], logits[n], dlogits[n], dvalue[n]
        for j in range(size):
            here, e = logits_n[j * classes : (j + 1) * classes], dlogits_n[j * classes :]
            largest = here[0]
            for k in range(classes):
                largest = max(largest, here[k])
            for k in range(classes):
                e[k] = here[k] - largest
            label = label_of(x_n[j], classes)
            terms[j] = e[label] if label >= 0 else zero * np.nan
        for i in range(dlogits_n.size):
            dlogits_n[i] = exp(dlogits_n[i])
        for j in range(size):
            e, label = dlogits_n[j * classes :], label_of(x_n[j], classes)
            others, of_hit = zero, zero
            if label >= 0:
                of_hit, e[label] = e[label], zero
            for k in range(classes):
                others += e[k]
            totals[j] = total = others + of_hit
            inverse = one / total
            terms[j] += ((total - of_hit) - others) * inverse  # (5)
            for k in range(classes):
                e[k] = -scale * (e[k] * inverse)  # (3)
            if label >= 0:
                e[label] = scale * (others * inverse)  # (6)
        for j in range(size):
            terms[j] -= log(totals[j])  # (5)
        log_prob[n] = sum_of(terms)  # (2)


@helper
def label_of(x, classes):
    """x as a whole number, or -1 if it is not one of 0 ... classes - 1."""
    label = np.int64(x) if 0 <= x < classes else np.int64(-1)
    return label if label == x else np.int64(-1)

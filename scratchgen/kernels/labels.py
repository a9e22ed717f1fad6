"""The categorical likelihood of a batch and its gradient by the logits l, in one pass.

    log p(x_n) = sum_j [l_njx - log sum_k exp(l_njk)],   x = x_nj                         (1)
    dl_njk = dvalue_n ([x_nj = k] - exp(l_njk) / sum_i exp(l_nji))                        (2)

The largest logit of a number is taken away before exp. distributions/categorical.py says what (1)
is. Labels are held as floats. With others = sum over k != x of exp(l_k), 1 - p_x loses no digit:

    log p_x = l_x - log sum + lost / sum,   lost = (sum - exp(l_x)) - others              (3)
    1 - p_x = others / sum                                                                (4)

By `lost` the sum is too large, because it is rounded; (3) takes it back, to first order.
"""

import numpy as np

from ..checks import Array
from .compiling import helper
from .functions import exp, log
from .rows import sum_of
from .sharing import share
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def categorical_pass_reference(
    x: Array, logits: Array, dvalue: Array, log_prob: Array, dlogits: Array, _terms: Array
) -> None:
    """x (N, D) in 0 ... K - 1, logits (N, D K), dvalue (N,).

    Writes log_prob (N,), nats, and dlogits (N, D K). _terms (parts, 2 D) is room for the terms of
    an example, and for its sums over classes, which only the twin needs.
    """
    by_class = logits.reshape(*x.shape, logits.shape[1] // x.shape[1])  # (N, D, K)
    hit = x[:, :, None] == np.arange(by_class.shape[2])  # (N, D, K)
    below = by_class - by_class.max(axis=2, keepdims=True)  # (N, D, K), <= 0
    e = np.exp(below)
    others = np.where(hit, 0, e).sum(axis=2, keepdims=True)  # (N, D, 1)
    total = others + np.where(hit, e, 0).sum(axis=2, keepdims=True)  # (N, D, 1)
    lost = np.where(hit, (total - e) - others, 0)  # (N, D, K)
    terms = np.where(hit, below - np.log(total) + lost / total, 0).sum(axis=2)  # (N, D)   (3)
    log_prob[...] = np.where(hit.any(axis=2), terms, np.nan).sum(axis=1)  # (1)
    d = dvalue[:, None, None] * np.where(hit, others, -e) / total  # (N, D, K)   (2, 4)
    dlogits[...] = d.reshape(logits.shape)


@twin_of(
    categorical_pass_reference,
    takes="x (N, D), logits (N, K D), dvalue (N,) "
    "-> log_prob (N,), dlogits (N, K D), _terms (1+, 2 D)",
    of=1,
    weight=4,
)
def categorical_pass(part, parts, x, logits, dvalue, log_prob, dlogits, _terms):
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
            share_of_one = one / total
            terms[j] += ((total - of_hit) - others) * share_of_one  # (3)
            for k in range(classes):
                e[k] = -scale * (e[k] * share_of_one)  # (2)
            if label >= 0:
                e[label] = scale * (others * share_of_one)  # (4)
        for j in range(size):
            terms[j] -= log(totals[j])  # (3)
        log_prob[n] = sum_of(terms)  # (1)


@helper
def label_of(x, classes):
    """x as a whole number, or -1 where it is none of 0 ... classes - 1."""
    label = np.int64(x) if 0 <= x < classes else np.int64(-1)
    return label if label == x else np.int64(-1)

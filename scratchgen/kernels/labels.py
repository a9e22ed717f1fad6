"""The categorical likelihood of a batch and its gradient by the logits l, in one pass.

    log p(x_n) = sum_j [l_njx - log sum_k exp(l_njk)],   x = x_nj                         (1)
    dl_njk = dvalue_n ([x_nj = k] - exp(l_njk) / sum_i exp(l_nji))                        (2)

The largest logit of a number is taken away before exp. distributions/categorical.py says what (1)
is. Labels are held as floats.
"""

import numpy as np

from ..checks import Array
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
    total = e.sum(axis=2, keepdims=True)  # (N, D, 1)
    terms = np.where(hit, below - np.log(total), 0).sum(axis=2)  # (N, D)
    log_prob[...] = np.where(hit.any(axis=2), terms, np.nan).sum(axis=1)  # (1)
    d = dvalue[:, None, None] * (hit - e / total)  # (N, D, K)   (2)
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
            largest = logits_n[j * classes]
            for i in range(j * classes, (j + 1) * classes):
                largest = max(largest, logits_n[i])
            for i in range(j * classes, (j + 1) * classes):
                dlogits_n[i] = logits_n[i] - largest
        for j in range(size):
            terms[j] = zero * np.nan  # for what is no label
            for k in range(classes):
                if x_n[j] == k:
                    terms[j] = dlogits_n[j * classes + k]
        for i in range(dlogits_n.size):
            dlogits_n[i] = exp(dlogits_n[i])
        for j in range(size):
            total = zero
            for i in range(j * classes, (j + 1) * classes):
                total += dlogits_n[i]
            totals[j], share_of_one = total, one / total
            for k in range(classes):
                hit = one if x_n[j] == k else zero
                dlogits_n[j * classes + k] = scale * (
                    hit - dlogits_n[j * classes + k] * share_of_one
                )  # (2)
        for j in range(size):
            terms[j] -= log(totals[j])
        log_prob[n] = sum_of(terms)  # (1)

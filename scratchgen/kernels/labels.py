"""The categorical likelihood of a batch and its gradient by the logits l, in one pass.

    log p(x_n) = sum_j [l_njx - log sum_k exp(l_njk)],   x = x_nj                         (1)
    dl_njk = dvalue_n ([x_nj = k] - exp(l_njk) / sum_i exp(l_nji))                        (2)

The largest logit of a number is taken away before exp. distributions/categorical.py says what (1)
is. Labels are held as floats.
"""

import numpy as np

from ..checks import Array
from .compiling import twin_of
from .functions import exp, log
from .rows import sum_of
from .sharing import share


def categorical_pass_reference(
    x: Array, logits: Array, dvalue: Array, log_prob: Array, dlogits: Array, _terms: Array
) -> None:
    """x (N, D) in 0 ... K - 1, logits (N, D, K), dvalue (N,).

    Writes log_prob (N,), nats, and dlogits (N, D, K). _terms (parts, D) is room for the terms of
    an example, which only the twin needs.
    """
    hit = x[:, :, None] == np.arange(logits.shape[2])  # (N, D, K)
    below = logits - logits.max(axis=2, keepdims=True)  # (N, D, K), <= 0
    e = np.exp(below)
    total = e.sum(axis=2, keepdims=True)  # (N, D, 1)
    terms = np.where(hit, below - np.log(total), 0).sum(axis=2)  # (N, D)
    log_prob[...] = np.where(hit.any(axis=2), terms, np.nan).sum(axis=1)  # (1)
    np.multiply(dvalue[:, None, None], hit - e / total, out=dlogits)  # (2)


@twin_of(categorical_pass_reference, of=1, weight=4)
def categorical_pass(part, parts, x, logits, dvalue, log_prob, dlogits, _terms):  # type: ignore[no-untyped-def]
    zero, one, mine = logits.dtype.type(0), logits.dtype.type(1), _terms[part]
    classes = logits.shape[2]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        scale = dvalue[n]
        for j in range(mine.size):
            label, logits_j, dlogits_j = x[n, j], logits[n, j], dlogits[n, j]
            largest = logits_j[0]
            for k in range(1, classes):
                largest = max(largest, logits_j[k])
            for k in range(classes):
                dlogits_j[k] = exp(logits_j[k] - largest)
            total = zero
            for k in range(classes):
                total += dlogits_j[k]
            chosen = zero * np.nan  # for what is no label
            for k in range(classes):
                is_label = label == k
                chosen = logits_j[k] if is_label else chosen
                dlogits_j[k] = scale * ((one if is_label else zero) - dlogits_j[k] / total)  # (2)
            mine[j] = chosen - largest - log(total)
        log_prob[n] = sum_of(mine)  # (1)

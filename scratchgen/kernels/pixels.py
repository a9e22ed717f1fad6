"""The Bernoulli likelihood of a batch and its gradient by the logits l, in one pass.

    log p(x_n) = sum_j [x_nj l_nj - softplus(l_nj)]                          (1)
    dl_nj = dvalue_n (x_nj - sigmoid(l_nj))                                  (2)

Both need e = exp(-|l|) alone: softplus(l) = max(l, 0) + log(1 + e), and sigmoid(l) = 1 / (1 + e)
for l >= 0, e / (1 + e) for l < 0. distributions/bernoulli.py says what (1) is.
"""

import numpy as np

from ..checks import Array
from .elementwise import sigmoid, softplus
from .functions import exp, log1p
from .rows import sum_of
from .sharing import share
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def bernoulli_pass_reference(
    x: Array, logits: Array, dvalue: Array, log_prob: Array, dlogits: Array, _terms: Array
) -> None:
    """x, logits (N, D), dvalue (N,): writes log_prob (N,), nats, and dlogits (N, D).

    _terms (parts, D) is room for the terms of an example, which only the twin needs.
    """
    log_prob[...] = (x * logits - softplus(logits)).sum(axis=1)  # (1)
    np.multiply(dvalue[:, None], x - sigmoid(logits), out=dlogits)  # (2)


@twin_of(
    bernoulli_pass_reference,
    takes="x, logits (N, D), dvalue (N,) -> log_prob (N,), dlogits (N, D), _terms (1+, D)",
    weight=4,
)
def bernoulli_pass(part, parts, x, logits, dvalue, log_prob, dlogits, _terms):
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    mine = _terms[part]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, logits_n, dlogits_n, scale = x[n], logits[n], dlogits[n], dvalue[n]
        for j in range(mine.size):
            logit = logits_n[j]
            e = exp(-abs(logit))
            mine[j] = x_n[j] * logit - max(logit, zero) - log1p(e)  # (1)
            p = one / (one + e)
            dlogits_n[j] = scale * (x_n[j] - (p if logit >= zero else e * p))  # (2)
        log_prob[n] = sum_of(mine)

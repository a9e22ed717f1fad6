"""The Bernoulli likelihood of a batch and its gradient by the logits l, in one pass.

    log p(x_n) = sum_j [x_nj log p_nj + (1 - x_nj) log(1 - p_nj)],   p = sigmoid(l)     (1)
    dl_nj = dvalue_n (x_nj - p_nj)                                                      (2)

distributions/bernoulli.py says what (1) is. Both need e = exp(-|l|) alone. Let `far` be how far x
is from the likelier value, 1 - x for l >= 0 and x for l < 0, and `rare` the probability of the
other value. Then

    log p(x) = sum_j [-|l| far - log(1 + e)]                                            (3)
    x - p = rare - far for l >= 0, far - rare for l < 0,   rare = e / (1 + e)           (4)

and nowhere is a small difference taken of large numbers.
"""

import numpy as np

from ..checks import Array
from .functions import exp, log1p
from .rows import in_blocks, sum_of
from .sharing import share
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


@in_blocks
def bernoulli_pass_reference(
    x: Array, logits: Array, dvalue: Array, log_prob: Array, dlogits: Array, _terms: Array
) -> None:
    """x, logits (N, D), dvalue (N,): writes log_prob (N,), nats, and dlogits (N, D).

    _terms (parts, D) is room for the terms of an example, which only the twin needs.
    """
    # arithmetic with signs, because np.where takes several times as long
    sign, size = np.copysign(logits.dtype.type(1), logits), np.abs(logits)  # (N, D) each
    far, e = (sign > 0) - sign * x, np.exp(-size)  # (N, D) each
    log_prob[...] = -(size * far + np.log1p(e)).sum(axis=1)  # (3)
    np.multiply(dvalue[:, None] * sign, e / (1 + e) - far, out=dlogits)  # (4)


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
            e, far = exp(-abs(logit)), one - x_n[j] if logit >= zero else x_n[j]
            mine[j] = -abs(logit) * far - log1p(e)  # (3)
            above = e / (one + e) - far
            dlogits_n[j] = scale * (above if logit >= zero else -above)  # (4)
        log_prob[n] = sum_of(mine)

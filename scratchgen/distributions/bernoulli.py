"""Independent Bernoulli pixels, given by their logits l.

    log p(x) = sum_j [x_j log p_j + (1 - x_j) log(1 - p_j)],   p_j = 1 / (1 + exp(-l_j))    (1)
    d log p(x) / dl = x - p                                                                 (2)

p is the probability that a pixel is 1; its logit l can be any number. Where p rounds to 0 or 1, (1)
takes the logarithm of 0. So the code starts from e = exp(-|l|), which is at most 1. Let `far` be
the distance of x from the likelier value, 1 - x for l >= 0 and x for l < 0, and `rare` the
probability of the other value. Then

    log p(x) = sum_j [-|l| far - log(1 + e)]                                                (3)
    x - p = rare - far for l >= 0, far - rare for l < 0,   rare = e / (1 + e)               (4)

No digits are lost where a pixel is nearly certain. The shorter x l - log(1 + exp(l)) and x - p lose
digits there, because they are small differences of larger numbers.

For x in {0, 1}, (1) is the log of a probability, and the probabilities of all pictures sum to one.
For greys between 0 and 1 it is a cross-entropy, on which such models are commonly trained, but not
the log of a density: never compare it with the log-density of another likelihood (Loaiza-Ganem and
Cunningham 2019).
"""

from types import SimpleNamespace

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, loop_of, share, sigmoid
from ..kernels.functions import exp, log1p_to_1, sum_of
from .rows import alike, in_rows

# mypy: disable-error-code="no-untyped-def"


@formula(
    "x (N, D) fractions, logits (N, D), dvalue (N,) "
    "-> log_prob (N,), dlogits (N, D), _terms (1+, D)",
    row_by_row=True,
)
def log_prob_bernoulli(x: Array, logits: Array, dvalue: Array) -> tuple[Array, Array]:
    """log p(x) and its gradient: x, logits (N, D), dvalue (N,) -> (N,) and dlogits (N, D).

    Cases are told apart by signs, because np.where takes several times as long. The checker's
    logits can be complex; their real part decides.
    """
    sign = np.copysign(1, logits.real)  # 1 where l >= 0, else -1: (N, D)
    size = sign * logits  # |l|: (N, D)
    far = (sign > 0) - sign * x  # 1 - x where l >= 0, else 0 + x: (N, D)
    e = np.exp(-size)  # (N, D)
    log_prob = -(size * far + np.log1p(e)).sum(axis=1)  # (N,)   (3)
    return log_prob, dvalue[:, None] * sign * (e / (1 + e) - far)  # (N,), (N, D)   (4)


def value_and_gradient(x: Array, logits: Array, dvalue: Array) -> tuple[Array, Array]:
    """x, logits (N, ...), dvalue (N,) -> log p(x) (N,), dlogits (N, ...); all of one dtype."""
    log_prob, dlogits = log_prob_bernoulli(in_rows(x), in_rows(logits), dvalue)
    return log_prob, dlogits.reshape(logits.shape)


def log_prob(x: Array, logits: Array) -> Array:
    """Nats per example: x in [0, 1] and logits (N, ...) -> (N,)."""
    x, logits = alike(x, logits)
    return value_and_gradient(x, logits, np.ones(len(x), x.dtype))[0]


def log_prob_gradients(x: Array, logits: Array, dvalue: Array) -> SimpleNamespace:
    """`.logits` (N, ...), for dvalue (N,)."""
    return SimpleNamespace(logits=value_and_gradient(*alike(x, logits, dvalue))[1])


def draw(logits: Array, rng: np.random.Generator) -> Array:
    """Zeros and ones (N, ...), each 1 with probability p."""
    uniform = rng.random(logits.shape, dtype=logits.dtype.type)  # (N, ...), in [0, 1)
    return (uniform < sigmoid(logits)).astype(logits.dtype)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(log_prob_bernoulli, weight=4)
def log_prob_bernoulli_loop(part, parts, x, logits, dvalue, log_prob, dlogits, _terms):
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    terms = _terms[part]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, logits_n, dlogits_n, scale = x[n], logits[n], dlogits[n], dvalue[n]
        for j in range(terms.size):
            logit = logits_n[j]
            e, far = exp(-abs(logit)), one - x_n[j] if logit >= zero else x_n[j]
            terms[j] = -abs(logit) * far - log1p_to_1(e)  # (3)
            difference = e / (one + e) - far  # rare - far
            dlogits_n[j] = scale * (difference if logit >= zero else -difference)  # (4)
        log_prob[n] = sum_of(terms)

"""One step of Adam over a flat vector of parameters (Kingma and Ba 2015, algorithm 1).

    m = b1 m + (1 - b1) g                                     (1)
    v = b2 v + (1 - b2) g^2                                   (2)
    theta = theta - rate * (m c1) / (sqrt(v c2) + eps)        (3)
    m = 0 where |m| < least,   v = 0 where v < least          (4)

c1 = 1 / (1 - b1^t) and c2 = 1 / (1 - b2^t), the corrections for moments that started at zero, come
from the caller; t counts steps from 1. `least` is the smallest normal number: moments of parameters
that get no gradient decay below it, where arithmetic is many times slower. Every
number arrives in the dtype of the arrays.
"""

import numpy as np

from ..checks import Array
from .compiling import twin_of
from .sharing import share_row


def adam_step_reference(
    theta: Array,
    g: Array,
    m: Array,
    v: Array,
    rate: np.floating,
    b1: np.floating,
    b2: np.floating,
    eps: np.floating,
    c1: np.floating,
    c2: np.floating,
    least: np.floating,
) -> None:
    """theta, g, m, v (P,): writes theta, m and v in place."""
    m += (1 - b1) * (g - m)  # (1)
    v += (1 - b2) * (g * g - v)  # (2)
    theta -= rate * (m * c1) / (np.sqrt(v * c2) + eps)  # (3)
    m[np.abs(m) < least] = 0  # (4)
    v[v < least] = 0


@twin_of(adam_step_reference)
# the loop has the types of its reference
def adam_step(part, parts, theta, g, m, v, rate, b1, b2, eps, c1, c2, least):  # type: ignore[no-untyped-def]
    one = theta.dtype.type(1)
    start, stop = share_row(theta.size, part, parts)
    theta, g, m, v = theta[start:stop], g[start:stop], m[start:stop], v[start:stop]
    for i in range(theta.size):
        mi = m[i] + (one - b1) * (g[i] - m[i])  # (1)
        vi = v[i] + (one - b2) * (g[i] * g[i] - v[i])  # (2)
        theta[i] -= rate * (mi * c1) / (np.sqrt(vi * c2) + eps)  # (3)
        m[i] = 0 if abs(mi) < least else mi  # (4)
        v[i] = 0 if vi < least else vi

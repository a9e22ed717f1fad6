"""One step of Adam over a flat vector of parameters (Kingma and Ba 2015, algorithm 1), and AdamW's.

    m = m + rest1 (g - m)                                     (1)
    v = v + rest2 (g^2 - v)                                   (2)
    theta = theta - decay theta                               (3)
    theta = theta - rate * (m c1) / (sqrt(v c2) + eps)        (4)
    m = 0 where |m| < least,   v = 0 where v < least          (5)

rest1 = 1 - b1 and rest2 = 1 - b2 are rounded once, from double precision: in float32, 1 - 0.999 is
0.00100004. c1 = 1 / (1 - b1^t) and c2 = 1 / (1 - b2^t), the corrections for moments that started at
zero, come from the caller; t counts steps from 1. decay is the rate times AdamW's weight decay, and
0 for Adam. `least` is the smallest normal number: moments of parameters that get no gradient decay
below it, where arithmetic is many times slower. The numbers stand in an array, in the order rate,
rest1, rest2, eps, c1, c2, decay, least, so that they can change from step to step.
"""

import numpy as np

from ..checks import Array
from .rows import in_blocks
from .sharing import share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


@in_blocks
def adam_step_reference(theta: Array, g: Array, m: Array, v: Array, numbers: Array) -> None:
    """theta, g, m, v (P,), numbers (8,) as above: writes theta, m and v in place."""
    rate, rest1, rest2, eps, c1, c2, decay, least = numbers
    m += rest1 * (g - m)  # (1)
    v += rest2 * (g * g - v)  # (2)
    if decay:
        theta -= decay * theta  # (3)
    theta -= rate * (m * c1) / (np.sqrt(v * c2) + eps)  # (4)
    m[np.abs(m) < least] = 0  # (5)
    v[v < least] = 0


@twin_of(adam_step_reference, takes="g (P,), numbers (8,) -> theta, m, v (P,)")
def adam_step(part, parts, theta, g, m, v, numbers):
    rate, rest1, rest2, eps = numbers[0], numbers[1], numbers[2], numbers[3]
    c1, c2, decay, least = numbers[4], numbers[5], numbers[6], numbers[7]
    start, stop = share_row(theta.size, part, parts)
    theta, g, m, v = theta[start:stop], g[start:stop], m[start:stop], v[start:stop]
    for i in range(theta.size):
        mi = m[i] + rest1 * (g[i] - m[i])  # (1)
        vi = v[i] + rest2 * (g[i] * g[i] - v[i])  # (2)
        decayed = theta[i] - decay * theta[i]  # (3)
        theta[i] = decayed - rate * (mi * c1) / (np.sqrt(vi * c2) + eps)  # (4)
        m[i] = 0 if abs(mi) < least else mi  # (5)
        v[i] = 0 if vi < least else vi

"""NumPy lacks the standard normal distribution function: here it is, in full precision.

    Phi(x) = P(noise <= x) = exp(-x^2 / 2) R(|x|) for x <= 0,   1 - Phi(-x) for x > 0     (1)
    phi(x) = Phi'(x) = exp(-x^2 / 2) / sqrt(2 pi)                                         (2)

R(a) = exp(a^2 / 2) Phi(-a) falls slowly, like 1 / a, so that R(a) / t with t = 4 / (4 + a) is
smooth on all of 0 <= t <= 1. The table holds the first 24 coefficients of its Chebyshev series

    R(a) / t = sum_k c_k T_k(2 t - 1),                                                    (3)

found by interpolation in 40 digits, with a relative error below 2e-16. R is Mills' ratio, up to a
factor. The series is summed by Clenshaw's recurrence, from the last term to the first:

    s_k = c_k + 2 (2 t - 1) s_{k+1} - s_{k+2},   sum = c_0 + (2 t - 1) s_1 - s_2          (4)
"""

import math

import numpy as np

from ..ground.arguments import Array

FAR = 40.0  # where exp(-x^2 / 2) is 0 in double precision; squares beyond could overflow
CHEBYSHEV = (
    0.24261280114151915,
    0.18792720420989265,
    0.05554838891881276,
    0.012129438315111521,
    0.0017314801240606202,
    8.014961859953749e-05,
    -2.5136847908026697e-05,
    -4.725842254926741e-06,
    2.5258922136865774e-07,
    1.536333687349456e-07,
    -8.452550300172939e-10,
    -5.171627015435709e-09,
    -2.820650908117374e-11,
    1.943503807097198e-10,
    -2.4853560478589193e-12,
    -7.936207374658838e-12,
    4.606201712726101e-13,
    3.282154114198053e-13,
    -4.3538408337101235e-14,
    -1.226817639772389e-14,
    3.2328498119254794e-15,
    3.0436419417041707e-16,
    -2.0096876546476932e-16,
    8.902835553857702e-18,
)


def normal_cdf(x: Array) -> Array:
    """Phi: any shape -> the same shape, in [0, 1]; right in the lower tail until it underflows."""
    a = np.minimum(np.abs(x), FAR)
    t = 4 / (4 + a)
    twice = 4 * t - 2  # 2 (2 t - 1)
    last = before = np.zeros_like(t)
    for c in CHEBYSHEV[:0:-1]:
        last, before = c + twice * last - before, last  # (4)
    ratio = CHEBYSHEV[0] + twice / 2 * last - before  # R / t   (3)
    tail = np.exp(-a * a / 2) * ratio * t
    return np.where(x > 0, 1 - tail, tail)  # (1)


def normal_density(x: Array) -> Array:
    """phi: any shape -> the same shape."""
    a = np.minimum(np.abs(x), FAR)
    return np.exp(-a * a / 2) / math.sqrt(2 * math.pi)  # (2)

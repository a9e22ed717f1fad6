"""Functions of one number that loops call, in arithmetic that a CPU does for many numbers at once.

A loop that calls a C library's exp takes one number at a time, some 4 ns each. These have no calls,
no tables and no branches, so that LLVM makes vectors of them, and 0.2 ns. With n whole:

    x = n ln 2 + r,  |r| <= ln(2) / 2                                              (1)
    exp x     = 2^n (1 + r + r^2 E(r)),   E(r) = (exp r - 1 - r) / r^2             (2)
    exp x - 1 = 2^n (r + r^2 E(r)) + (2^n - 1)                                     (3)
    tanh |x|  = -t / (2 + t),   t = exp(-2 |x|) - 1                                (4)
    sigmoid x = (1 where x >= 0, else e) / (1 + e),   e = exp(-|x|)                (5)
    log(2^n (1 + f)) = n ln 2 + f - (f^2 / 2 - s (f^2 / 2 + w L(w)))               (6)
        s = f / (2 + f),   w = s^2,   L(w) = (2 atanh(s) - 2 s) / s^3
    softplus x = max(x, 0) + log(1 + e)                                            (7)

E and L are polynomials, interpolated at Chebyshev's points in 60 digits and rounded: they are right
to 3e-9 and 3e-7 of their value for float32, and to 3e-18 and 5e-16 for float64, on the r of (1) and
for 1 / sqrt(2) < 1 + f < sqrt(2). ln 2 is the sum of LN2, which has so few bits that n LN2 is
exact, and LN2_REST. So results are within 2 units in the last place for float32, and 4 for float64.
Those below the smallest normal number may be 0.

Each text is written for float64. SINGLE says what its names mean for float32; see `by_dtype`.
"""

import numpy as np

from .compiling import by_dtype, part

# mypy: disable-error-code="no-untyped-def"

FLOAT, WHOLE = np.float64, np.int64
ZERO, HALF, ONE, TWO = np.float64(0), np.float64(0.5), np.float64(1), np.float64(2)

PLACES = np.int64(52)  # of a number's bits that are not its sign and its exponent
FRACTION = np.int64(2**52 - 1)  # those bits
ROOT_HALF = np.float64(0.5**0.5).view(np.int64)  # the bits of sqrt(1/2)
SHIFT = np.float64(1.5 * 2**52)  # x + SHIFT has the nearest whole number in its last bits

LN2 = np.float64(0.6931471805598903)  # 42 bits
LN2_REST = np.float64(5.497923018708371e-14)
PER_LN2 = np.float64(1.4426950408889634)

MOST = np.float64(709.782712893384)  # exp of more overflows
LEAST = np.float64(-708.3964185322641)  # exp of less is no normal number
LARGEST = np.finfo(np.float64).max
NEARLY_ALL = np.float64(-44)  # exp of less is nothing beside 1

E = (
    0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326084, 0.0013888888888883711,
    0.0001984126987500228, 2.480158732567746e-05, 2.755725517000089e-06, 2.755727347871858e-07,
    2.5105312729622103e-08, 2.09147553258932e-09,
)  # fmt: skip
L = (
    0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,
    0.1818289243253687, 0.15331611722055008, 0.14617807153417325,
)  # fmt: skip
FAR = np.float64(2**0.5 - 1)  # beyond, (6) for 1 + e has n = 1


def _single(*coefficients):
    return tuple(map(np.float32, coefficients))


SINGLE = {
    "FLOAT": np.float32,
    "WHOLE": np.int32,
    "PLACES": np.int32(23),
    "FRACTION": np.int32(2**23 - 1),
    "ROOT_HALF": np.float32(0.5**0.5).view(np.int32),
    "SHIFT": np.float32(1.5 * 2**23),
    "LN2": np.float32(0.693145751953125),  # 16 bits
    "LN2_REST": np.float32(1.4286068e-06),
    "MOST": np.float32(88.72283),
    "LEAST": np.float32(-87.33654),
    "LARGEST": np.finfo(np.float32).max,
    "E": _single(0.5, 0.16666667, 0.041666463, 0.0083333105, 0.0013933731, 0.0001989108),
    "L": _single(0.66666687, 0.3998876, 0.29580986),
}


@part
def polynomial(x, coefficients):
    """c_0 + c_1 x + c_2 x^2 ..., from the last term to the first."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


@by_dtype(SINGLE)
def times_power(y, shifted):
    """y 2^n, for shifted = n + SHIFT: n is added to the exponent, among the bits of y."""
    n = WHOLE(FLOAT(shifted).view(WHOLE) << PLACES)
    return WHOLE(FLOAT(y).view(WHOLE) + n).view(FLOAT)


@by_dtype(SINGLE)
def exp(x):
    shifted = x * PER_LN2 + SHIFT
    n = shifted - SHIFT
    r = x - n * LN2 - n * LN2_REST  # (1)
    y = times_power(ONE + (r + r * r * polynomial(r, E)), shifted)  # (2)
    y = ZERO if x < LEAST else y
    return y if x <= MOST else x * LARGEST  # inf, or what is no number


@by_dtype(SINGLE)
def expm1(x):
    """exp x - 1."""
    near = NEARLY_ALL if x < NEARLY_ALL else x
    shifted = near * PER_LN2 + SHIFT
    n = shifted - SHIFT
    first = near - n * LN2
    r = first - n * LN2_REST  # (1)
    lost = (first - r) - n * LN2_REST  # to rounding
    half = times_power(HALF, shifted)  # 2^n may overflow where the result does not
    y = half * (r + (r * r * polynomial(r, E) + lost)) + (half - HALF)  # (3), half of it
    return y * TWO if x <= MOST else x * LARGEST


@by_dtype(SINGLE)
def tanh(x):
    t = expm1(-TWO * abs(x))
    y = t / (TWO + t)  # (4)
    return y if x < ZERO else -y


@by_dtype(SINGLE)
def sigmoid(x):
    e = exp(-abs(x))
    return (ONE if x >= ZERO else e) / (ONE + e)  # (5)


@by_dtype(SINGLE)
def log_of_parts(n, f):
    """log(2^n (1 + f)), for 1 / sqrt(2) < 1 + f < sqrt(2)."""
    s = f / (TWO + f)
    w = s * s
    bend = HALF * f * f
    rest = s * (bend + w * polynomial(w, L)) + n * LN2_REST
    return n * LN2 + (f - (bend - rest))  # (6)


@by_dtype(SINGLE)
def log(x):
    """log of a positive normal number, of inf, or of what is no number."""
    bits = WHOLE(FLOAT(x).view(WHOLE) - ROOT_HALF)
    n = WHOLE(bits >> PLACES)
    near_1 = WHOLE(WHOLE(bits & FRACTION) + ROOT_HALF).view(FLOAT)
    y = log_of_parts(FLOAT(n), near_1 - ONE)
    return y if x <= LARGEST else x


@by_dtype(SINGLE)
def log1p(e):
    """log(1 + e) for 0 <= e <= 1."""
    far = e > FAR
    return log_of_parts(ONE if far else ZERO, (e - ONE) * HALF if far else e)


@by_dtype(SINGLE)
def softplus(x):
    return (x if x > ZERO else ZERO) + log1p(exp(-abs(x)))  # (7)

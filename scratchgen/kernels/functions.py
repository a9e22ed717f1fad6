"""exp, log and their kin take 4 ns a number in a C library; in vectors they take 0.2 ns.

A loop that calls a C library's exp takes one number at a time. These functions of a number have no
calls, no tables and no branches, so LLVM turns a loop over them into vectors. With n whole:

    x = n ln 2 + r,  |r| <= ln(2) / 2                                              (1)
    exp x     = 2^n (1 + r + r^2 E(r)),   E(r) = (exp r - 1 - r) / r^2             (2)
    exp x - 1 = 2^n (r + r^2 E(r)) + (2^n - 1)                                     (3)
    tanh |x|  = -t / (2 + t),   t = exp(-2 |x|) - 1                                (4)
    sigmoid x = (1 where x >= 0, else e) / (1 + e),   e = exp(-|x|)                (5)
    sigmoid x sigmoid -x = e / (1 + e)^2
    log(2^n (1 + f)) = n ln 2 + f - (f^2 / 2 - s (f^2 / 2 + w L(w)))               (6)
        s = f / (2 + f),   w = s^2,   L(w) = (2 atanh(s) - 2 s) / s^3
    log(1 + e) = e + e^2 Q(e) for 0 <= e <= 1,   Q(e) = (log(1 + e) - e) / e^2     (7)
    softplus x = max(x, 0) + log(1 + exp(-|x|))
    Phi(-a)   = 1/2 - a C(a^2) for 0 <= a < 1,   exp(-a^2 / 2) t M(2 t - 1) beyond (8)
        t = 4 / (4 + a),   so that 2 t - 1 = (4 - a) / (4 + a)
    exp(-x^2 / 2) = exp(-h^2 / 2 - (x - h) (x + h) / 2),   h: the first bits of x  (9)

E, L, Q, C and M are smooth, and here polynomials: interpolated at Chebyshev's points, in 50 digits,
on the r of (1), for 1 / sqrt(2) < 1 + f < sqrt(2), for e from 0 to 1, and for a < 1 and a > 0.99.
The error of the interpolation, relative to the value, is

              E        L        Q        C        M
    float32   3e-9     3e-7     4e-9     8e-10    7e-9
    float64   3e-18    5e-16    7e-18    3e-17    2e-17

ln 2 is the sum of LN2, which has so few bits that n LN2 is exact, and LN2_REST; h^2 in (9) is exact
too. So results are within 2 units in the last place for float32, and 4 for float64; those below the
smallest normal number may be 0. This holds whether or not a CPU rounds x y + z only once.

Each function is written for float64. SINGLE has its constants for float32; see `by_dtype`.
"""

import numpy as np

from .compiling import by_dtype, helper

# mypy: disable-error-code="no-untyped-def"

FLOAT, WHOLE = np.float64, np.int64
ZERO, HALF, ONE, TWO, FOUR = map(np.float64, (0, 0.5, 1, 2, 4))

PLACES = np.int64(52)  # the bits of a number behind its sign and exponent
FRACTION = np.int64(2**52 - 1)  # those bits
FIRST_BITS = np.int64(-(2**27))  # sign, exponent, and the first half of those bits
ROOT_HALF = np.float64(0.5**0.5).view(np.int64)  # the bits of sqrt(1/2)
SHIFT = np.float64(1.5 * 2**52)  # x + SHIFT has the nearest whole number in its last bits

LN2 = np.float64(0.6931471805598903)  # 42 bits
LN2_REST = np.float64(5.497923018708371e-14)
PER_LN2 = np.float64(1.4426950408889634)

MOST = np.float64(709.782712893384)  # exp of more overflows
LEAST = np.float64(-708.3964185322641)  # exp of less is no normal number
LARGEST = np.finfo(np.float64).max
NEARLY_ALL = np.float64(-44)  # exp of less is below the rounding of 1

E = (
    0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326084, 0.0013888888888883711,
    0.0001984126987500228, 2.480158732567746e-05, 2.755725517000089e-06, 2.755727347871858e-07,
    2.5105312729622103e-08, 2.09147553258932e-09,
)  # fmt: skip
L = (
    0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,
    0.1818289243253687, 0.15331611722055008, 0.14617807153417325,
)  # fmt: skip
C = (
    0.39894228040143265, -0.06649038006690386, 0.009973557009983383, -0.0011873282148079404,
    0.00011543468323083616, -9.444639808676774e-06, 6.659316904081042e-07, -4.117308931965184e-08,
    2.2270765391721188e-09, -9.026109904565583e-11,
)  # fmt: skip
M = (
    0.18882128260393788, 0.15197416049297308, 0.09678435018555358, 0.04663046448990832,
    0.01509914372273824, 0.001885047241947145, -0.0008699230919243811, -0.0004077046197662482,
    3.3336078036015076e-05, 5.777379311148419e-05,
)  # fmt: skip
M_ON = (  # from the 10th power on; numba vectorises no longer sums
    -4.770490821013797e-07, -8.786560505057044e-06, 1.7898028093644163e-07, 1.4816037325634121e-06,
    -1.5637630548727687e-07, -2.591654141918826e-07, 6.475269746477633e-08, 4.3874292896348833e-08,
    -1.6139247444101458e-08, -6.531940410999427e-09, 1.0539444987080162e-09,
)  # fmt: skip
AT_0 = np.float64(0.3989422804014327)  # phi(0) = 1 / sqrt(2 pi)
Q = (
    -0.5, 0.33333333333332466, -0.2499999999987205, 0.1999999999247163, -0.1666666643097834,
    0.14285709745445543, -0.12499941281507687, 0.11110571142855806, -0.09996324347550137,
    0.09071835292534261,
)  # fmt: skip
Q_ON = (
    -0.0825618541627825, 0.07444817019942226, -0.06504010366036855, 0.053223522460321214,
    -0.03912505115233944, 0.024682950191684934, -0.012732150528247672, 0.005081090478548994,
    -0.0014569248473329174, 0.000265295970542531, -2.2938856818471438e-05,
)  # fmt: skip
GONE = np.float64(37.62)  # phi of more is no normal number


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
    "FIRST_BITS": np.int32(-(2**12)),
    "GONE": np.float32(13.2),
    "E": _single(0.5, 0.16666667, 0.041666463, 0.0083333105, 0.0013933731, 0.0001989108),
    "L": _single(0.66666687, 0.3998876, 0.29580986),
    "C": (
        0.39894228013, -0.066490360567, 0.0099733284813, -0.0011863439888, 0.00011350229619,
        -7.6605381714e-06,
    ),
    "Q": _single(
        -0.49999999522, 0.33333237346, -0.24996759908, 0.19956707952, -0.16365152869,
        0.13033364238, -0.09139413774, 0.049309973435,
    ),
    "Q_ON": _single(-0.017184266982, 0.0028016419928),
    "M": (
        0.18882128263, 0.15197415433, 0.09678435313, 0.046630673133, 0.015099049859,
        0.0018830550242, -0.00086931419376, -0.00039989970413,
    ),
    "M_ON": (3.2150427508e-05, 4.4366853255e-05),
}  # fmt: skip


@helper
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
    return y if x <= MOST else x * LARGEST  # inf or NaN


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
def sigmoid_slope(x):
    """sigmoid' x = sigmoid x sigmoid -x; as y (1 - y) it would be 0 where y rounds to 1."""
    e = exp(-abs(x))
    return e / ((ONE + e) * (ONE + e))  # (5)


@by_dtype(SINGLE)
def log(x):
    """log of a positive normal number, of inf or of NaN."""
    bits = WHOLE(FLOAT(x).view(WHOLE) - ROOT_HALF)
    n = FLOAT(WHOLE(bits >> PLACES))
    near_1 = WHOLE(WHOLE(bits & FRACTION) + ROOT_HALF).view(FLOAT)
    f = near_1 - ONE  # 1 / sqrt(2) < 1 + f < sqrt(2)
    s = f / (TWO + f)
    w = s * s
    half_square = HALF * f * f
    rest = s * (half_square + w * polynomial(w, L)) + n * LN2_REST
    y = n * LN2 + (f - (half_square - rest))  # (6)
    return y if x <= LARGEST else x


@by_dtype(SINGLE)
def log1p_to_1(e):
    """log(1 + e) for 0 <= e <= 1, and for no other e."""
    return e + e * e * polynomial(e, (*Q, polynomial(e, Q_ON)))  # (7)


@by_dtype(SINGLE)
def softplus(x):
    return (x if x > ZERO else ZERO) + log1p_to_1(exp(-abs(x)))  # (7)


@by_dtype(SINGLE)
def bell(x, scale):
    """scale exp(-x^2 / 2), for a scale between 0.04 and 0.4."""
    first = WHOLE(FLOAT(x).view(WHOLE) & FIRST_BITS)
    h = WHOLE(first).view(FLOAT)
    rest = HALF * (x - h) * (x + h)
    exponent = -HALF * h * h  # (9)
    shifted = (exponent - rest) * PER_LN2 + SHIFT
    n = shifted - SHIFT
    r = exponent - n * LN2 - (n * LN2_REST + rest)  # (1)
    y = scale + scale * (r + r * r * polynomial(r, E))
    return ZERO if abs(x) > GONE else y * times_power(ONE, shifted)  # (2)


@by_dtype(SINGLE)
def normal_density(x):
    """phi."""
    return bell(x, AT_0)


@by_dtype(SINGLE)
def normal_cdf(x):
    """Phi; for float32, which has too few digits for (8), computed in float64."""
    a = abs(np.float64(x))
    z = (FOUR - a) / (FOUR + a)
    m = polynomial(z, (*M, polynomial(z, M_ON)))
    tail = bell(a, m) * FOUR / (FOUR + a)
    below = HALF - a * polynomial(a * a, C) if a < ONE else tail  # (8)
    return FLOAT(ONE - below if x > ZERO else below)


@helper
def sum_of(terms):
    """The sum of terms (D,), which are overwritten.

    The second half is added onto the first until a single number is left: vectors of additions, in
    a fixed order.
    """
    count = terms.size
    while count > 1:
        half = (count + 1) // 2
        for j in range(count - half):
            terms[j] += terms[half + j]
        count = half
    return terms[0] if terms.size else terms.dtype.type(0)

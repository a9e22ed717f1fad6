"""Functions whose derivative is known to nineteen digits: the ground truth of calibration.py.

    FAMILIES[name](rng) -> Known(f, x, exact)

`f` is what is differentiated by differences, as a user would write it; `exact` is the same function
without rounding of its own (no float32, no offset, no cancellation), written so that it takes
complex numbers of extended precision. With these the complex step gives the derivative

    <w, exact(x + i h u)> / h,   imaginary part, h = 1e-40                                   (1)

to the last digit of a long double. Piecewise functions choose their piece by the real part.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Rng = np.random.Generator
F = Callable[[Array], Array]
STEP = 1e-40


@dataclass(frozen=True)
class Known:
    """A function, the point at which it is differentiated, and its exact form."""

    f: F
    x: Array
    exact: F


FAMILIES: dict[str, Callable[[Rng], Known]] = {}


def true_derivative(known: Known, w: Array, u: Array) -> float:
    """(1)."""
    z = known.x.astype(np.clongdouble)
    z.imag = np.longdouble(STEP) * u
    return float((w.astype(np.longdouble) * known.exact(z).imag).sum() / np.longdouble(STEP))


def family(name: str) -> Callable[[Callable[[Rng], Known]], Callable[[Rng], Known]]:
    """Registers a family under this name."""

    def enter(draw: Callable[[Rng], Known]) -> Callable[[Rng], Known]:
        FAMILIES[name] = draw
        return draw

    return enter


def same(f: F, x: Array) -> Known:
    """A function that is its own exact form."""
    return Known(f, x, f)


def size(rng: Rng, low: float = -3, high: float = 3) -> float:
    """A random power of 10."""
    return float(10 ** rng.uniform(low, high))


def points(rng: Rng, scale: float = 1.0) -> Array:
    """An array (1 to 4, 1 to 6) of numbers of about this size."""
    return scale * rng.standard_normal((rng.integers(1, 5), rng.integers(1, 7)))


def horner(c: Array) -> F:
    """A polynomial with coefficients c, the highest power first."""

    def f(x: Array) -> Array:
        y = c[0] + 0 * x
        for k in c[1:]:
            y = y * x + k
        return y

    return f


def log_sum_exp(x: Array) -> Array:
    top = x.real.max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(x - top).sum(-1))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalised(x: Array) -> Array:
    c = x - x.mean(-1, keepdims=True)
    return c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)


def positive_part(x: Array) -> Array:
    return np.where(x.real > 0, x, 0 * x)


def largest(x: Array) -> Array:
    return np.take_along_axis(x, x.real.argmax(-1)[..., None], -1)[..., 0]


def logistic(x: Array) -> Array:
    e = np.exp(np.where(x.real > 0, -x, x))
    return np.where(x.real > 0, 1, e) / (1 + e)


def soft(x: Array) -> Array:
    return positive_part(x) + np.log(1 + np.exp(np.where(x.real > 0, -x, x)))


def huber(x: Array) -> Array:
    return np.where(abs(x.real) < 1, x * x / 2, np.where(x.real > 0, x, -x) - 0.5)


def in_single(f: F) -> F:
    """f, computed in float32."""
    return lambda x: f(x.astype(np.float32)).astype(np.float64)


@family("polynomial")
def _polynomial(rng: Rng) -> Known:
    return same(horner(rng.standard_normal(rng.integers(2, 7))), points(rng, size(rng, -3, 2)))


@family("exp")
def _exp(rng: Rng) -> Known:
    return same(np.exp, points(rng, size(rng, -3, 1.5)))


@family("log")
def _log(rng: Rng) -> Known:
    """Also near its pole, 1e-8 away."""
    return same(np.log, abs(points(rng, size(rng, -6, 3))) + size(rng, -8, 0))


@family("root")
def _root(rng: Rng) -> Known:
    """Also near 0, where its slope has no bound."""
    return same(np.sqrt, abs(points(rng, size(rng, -6, 3))) + size(rng, -9, 0))


@family("powers")
def _power(rng: Rng) -> Known:
    """x^1.5 and the cube root, near 0 too."""
    power = (1.5, 1 / 3)[rng.integers(2)]
    return same(lambda x: np.exp(power * np.log(x)), abs(points(rng)) + size(rng, -6, 0))


@family("tanh")
def _tanh(rng: Rng) -> Known:
    return same(np.tanh, points(rng, size(rng, -3, 1)))


@family("sigmoid, far")
def _logistic(rng: Rng) -> Known:
    """Sigmoid and a plain softplus, log(1 + exp(x)), at large |x|."""
    return same((logistic, soft)[rng.integers(2)], points(rng, size(rng, -2, 2)))


@family("sine")
def _sine(rng: Rng) -> Known:
    """Up to 30 waves in a unit."""
    k = size(rng, 0, 1.5)
    return same(lambda x: np.sin(k * x), points(rng))


@family("length")
def _length(rng: Rng) -> Known:
    return same(lambda x: np.sqrt((x * x).sum(-1)), points(rng, size(rng, -6, 3)))


@family("softmax")
def _softmax(rng: Rng) -> Known:
    """Softmax and log-sum-exp."""
    return same((softmax, log_sum_exp)[rng.integers(2)], points(rng, size(rng, -3, 1.5)))


@family("layer norm")
def _normalised(rng: Rng) -> Known:
    """Normalisation, also of nearly constant rows."""
    x = points(rng, size(rng))
    flat = rng.random((len(x), 1)) < 0.2
    return same(normalised, np.where(flat, x[:, :1] + 1e-4 * x, x))


@family("network")
def _network(rng: Rng) -> Known:
    d, h, k = (int(n) for n in rng.integers(1, 7, 3))
    a, b = rng.standard_normal((d, h)) * size(rng, -1, 1), rng.standard_normal((h, k))
    return same(lambda x: np.tanh(x @ a) @ b, rng.standard_normal((3, d)) * size(rng, -2, 1))


@family("pole, peak")
def _pole(rng: Rng) -> Known:
    """1/x near its pole, or a peak as narrow as 1e-4."""
    width = size(rng, -4, 0)
    if rng.random() < 0.5:
        x = points(rng)
        return same(lambda x: 1 / x, x + width * np.sign(x))
    return same(lambda x: 1 / (1 + (x / width) ** 2), points(rng))


@family("wide range")
def _wide(rng: Rng) -> Known:
    """Numbers from 1e-6 to 1e6 side by side in one block."""
    x = points(rng)
    x *= 10 ** rng.uniform(-6, 6, x.shape)
    return same((lambda x: np.tanh(x) + x * x, soft, normalised)[rng.integers(3)], x)


@family("near kinks")
def _kinks(rng: Rng) -> Known:
    """Numbers down to 1e-9 from a kink."""
    x = points(rng)
    x *= 10 ** rng.uniform(-9, 0, x.shape)
    f = (positive_part, largest, huber, lambda x: np.where(x.real > 0, x, 0.2 * x) ** 2)
    return same(f[rng.integers(4)], x + float(rng.integers(2)))


@family("cancellation")
def _cancellation(rng: Rng) -> Known:
    """Differences of large numbers, up to 1e6."""
    x, far = points(rng), size(rng, 2, 6)
    if rng.random() < 0.5:
        return Known(lambda x: ((x + far) - far) ** 2, x, lambda x: x * x)
    return Known(
        lambda x: ((x + far) ** 2).mean(-1) - (x + far).mean(-1) ** 2,
        x,
        lambda x: ((x - x.mean(-1, keepdims=True)) ** 2).mean(-1),
    )


@family("offset")
def _offset(rng: Rng) -> Known:
    """A function plus 1e6 to 1e9."""
    far, f = size(rng, 6, 9), (np.tanh, np.exp, horner(rng.standard_normal(4)))[rng.integers(3)]
    return Known(lambda x: f(x) + far, points(rng), f)


@family("float32")
def _single(rng: Rng) -> Known:
    """A function computed in float32."""
    a = rng.standard_normal((3, 4))
    f = (
        np.tanh,
        softmax,
        normalised,
        horner(rng.standard_normal(4)),
        lambda x: np.tanh(x[..., :1] * a.astype(x.dtype)[0]),
    )[rng.integers(5)]
    x = points(rng, size(rng, -1, 1))
    exact = (lambda x: np.tanh(x[..., :1] * a[0])) if f.__name__ == "<lambda>" else f
    return Known(in_single(f), x, exact)


@family("single input")
def _single_input(rng: Rng) -> Known:
    """A function whose argument is rounded to float32."""
    f = (np.tanh, np.exp, normalised, softmax)[rng.integers(4)]
    return Known(lambda x: f(x.astype(np.float32).astype(np.float64)), points(rng), f)

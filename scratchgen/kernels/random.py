"""Draws of N(0, 1) in float32 are NumPy's, bit for bit, in a quarter of the time.

Under the curve f(x) = exp(-x^2 / 2), x >= 0, lie 256 layers of one area v, as wide as x_i, whose
corners stick out (a ziggurat: Marsaglia and Tsang 2000). Layer 0 is the lowest; it ends at r, and
has the tail beyond r besides. Layer 255 stands on it, x_255 = r, and layer 1 is the top, x_0 = 0:

    v = r f(r) + int_r^inf f = x_i (f(x_{i-1}) - f(x_i))                                  (1)

32 bits of a generator are a layer i, a sign, and a whole number j < 2^23, for

    x = +-w_i j,   w_i = x_i / 2^23,   w_0 = v / (f(r) 2^23)                              (2)

Nearly always |x| < x_{i-1}, or |x| < r in layer 0, so that x lies under the curve at any height:

    j < k_i = x_{i-1} / w_i,   k_0 = r / w_0,   rounded                                   (3)

Otherwise, in layer 0, x is drawn from the tail (Marsaglia 1964), with u and u' from [0, 1),

    x = r + a,   a = -log(1 - u) / r,   b = -log(1 - u'),   until 2 b > a^2               (4)

In the other layers x is accepted if a point at a random height of the layer is under the curve;
if not, the draw begins again:

    f(x_i) + u (f(x_{i-1}) - f(x_i)) < f(x)                                               (5)

NumPy draws by the same rules, but branches on the sign, which no CPU can predict. Here the table of
w_i goes on with -w_i, and the sign is one more bit of its index. NumPy's layers for float64 are
rounded in their own way, so float64 is left to NumPy.
"""

import ctypes
import functools
import math
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape, whole
from . import recording, workspaces
from .compiling import FromLLVM, for_python, rounded
from .formulas import loops_run

# mypy: disable-error-code="no-untyped-def"

LAYERS = 256
R = 3.6541528853610088  # r
AREA = 0.0049286732339746550  # v
LEAST = np.float32(1 / 2**24)  # u is a multiple of it
ONE_BY_R = np.float32(1 / R)
FEW = 256  # draws; for fewer, calling a loop costs more than it saves
TRIED = 100_000  # draws that are compared with NumPy's

next_bits = FromLLVM("next_bits", "calls")


def standard_normal(rng: np.random.Generator, shape: Shape, dtype: Any) -> Array:
    """Draws of N(0, 1)."""
    out = workspaces.empty(shape, dtype)
    recording.run_action(fill_standard_normal, (rng, out), written=(out,), also=(rng,))
    return workspaces.returned(out)


def uniform(rng: np.random.Generator, shape: Shape, dtype: Any) -> Array:
    """Draws from [0, 1)."""
    out = workspaces.empty(shape, dtype)
    recording.run_action(fill_uniform, (rng, out), written=(out,), also=(rng,))
    return workspaces.returned(out)


def integers(rng: np.random.Generator, high: int, shape: Shape) -> Array:
    """Whole numbers 0 ... high - 1, equally likely, as int64.

    Raises OptionError if high is below 1.
    """
    out = workspaces.empty(shape, np.int64)
    args = (rng, whole(high, "integers: high", least=1), out)
    recording.run_action(fill_integers, args, written=(out,), also=(rng,))
    return workspaces.returned(out)


def fill_integers(rng: np.random.Generator, high: int, out: Array) -> None:
    """Whole numbers 0 ... high - 1, written into out, any shape."""
    out[...] = rng.integers(high, size=out.shape)


def fill_uniform(rng: np.random.Generator, out: Array) -> None:
    """Draws from [0, 1), written into out, any shape."""
    rng.random(dtype=out.dtype.type, out=out)


def fill_standard_normal(rng: np.random.Generator, out: Array) -> None:
    """Draws of N(0, 1), written into out, any shape."""
    is_plain = type(out) is np.ndarray and out.flags.carray and out.dtype == np.float32
    is_numpys = type(rng) is np.random.Generator  # a subclass may draw differently
    fits = is_plain and out.size >= FEW and is_numpys
    if fits and loops_run() and numpy_draws_the_same():
        _fill(rng, out)
    else:
        rng.standard_normal(dtype=out.dtype.type, out=out)


@functools.cache
def numpy_draws_the_same() -> bool:
    """Whether this version of NumPy draws by the rules above."""
    theirs, ours = np.empty((2, TRIED), np.float32)
    np.random.default_rng(0).standard_normal(dtype=np.float32, out=theirs)
    _fill(np.random.default_rng(0), ours)
    return bool(np.array_equal(theirs, ours))


def _fill(rng: np.random.Generator, out: Array) -> None:
    source = rng.bit_generator
    with source.lock:  # as NumPy does
        by_address = source.ctypes
        function = ctypes.cast(by_address.next_uint32, ctypes.c_void_p).value
        # on a single thread, because each draw begins where the last one ended
        for_python(ziggurat)(function, by_address.state_address, *layers(), out.reshape(-1))


@rounded
def ziggurat(function, state, k, w, f, out):
    """Draws of N(0, 1) into out (n,); function(state), two addresses, returns the next 32 bits."""
    for n in range(out.size):
        while True:
            bits = next_bits(function, state)
            i, j = bits & 255, bits >> 9
            x = np.float32(j) * w[bits & 511]  # (2)
            if j < k[i]:  # (3)
                break
            if i == 0:
                x = from_tail(function, state)
                if j >> 8 & 1:  # another bit than in (2), as NumPy has it
                    x = -x
                break
            if f[i] + (f[i - 1] - f[i]) * unit(function, state) < math.exp(-0.5 * x * x):  # (5)
                break
        out[n] = x


@rounded
def from_tail(function, state):
    """|x| beyond r."""
    while True:
        a = -ONE_BY_R * math.log1p(-unit(function, state))
        b = -math.log1p(-unit(function, state))
        if b + b > a * a:
            return np.float32(R) + a  # (4)


@rounded
def unit(function, state):
    """u from [0, 1)."""
    return np.float32(next_bits(function, state) >> 8) * LEAST


@functools.cache
def layers() -> tuple[Array, Array, Array]:
    """k (256,), w and -w (512,), and f(x) (256,)."""
    x, f = np.zeros(LAYERS), np.ones(LAYERS)
    x[-1], f[-1] = R, math.exp(-R * R / 2)
    for i in range(LAYERS - 2, 0, -1):
        f[i] = f[i + 1] + AREA / x[i + 1]  # (1)
        x[i] = math.sqrt(-2 * math.log(f[i]))
    wide = np.append(AREA / f[-1], x[1:])
    inside = np.append(x[-1], x[:-1])
    k = np.rint(inside / wide * 2**23)  # (3)
    w = (wide / 2**23).astype(np.float32)
    return k.astype(np.int64), np.append(w, -w), f.astype(np.float32)

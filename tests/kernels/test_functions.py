"""Functions of one number, in loops, are right in nearly all digits."""

import functools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.ground.versions import is_installed
from scratchgen.kernels import functions
from scratchgen.kernels.compiling import compiled, with_names

pytestmark = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: no loop calls these functions"
)

MOST_ULP = {"float32": 2, "float64": 4}
MORE_DIGITS = {"float32": np.float64, "float64": np.longdouble}


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def normal_cdf(x):
    if x.dtype == np.float64:  # enough digits for float32
        return np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x])
    mp = pytest.importorskip("mpmath")
    with mp.workdps(30):
        near = np.clip(x, -60, 60).astype(float)  # beyond, the result is 0 or 1
        exact = [mp.erfc(-mp.mpf(value) / mp.sqrt(2)) / 2 for value in near.tolist()]
        return np.array([float(value) for value in exact])


def normal_density(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.arctan(x.dtype.type(1)) * 4)


EXACT = {
    "normal_cdf": normal_cdf,
    "normal_density": normal_density,
    "exp": np.exp,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "log": np.log,
    "log1p_to_1": np.log1p,
    "softplus": softplus,
}


def loop(part, parts, x, out):
    for i in range(x.size):
        out[i] = function(x[i])  # noqa: F821 - see `ours`


@functools.cache
def loop_of(name):
    return compiled(with_names(loop, f"test_{name}", {"function": getattr(functions, name)}))


def ours(name, x):
    """The function of every number in x, compiled unless NUMBA_DISABLE_JIT is set."""
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        loop_of(name)(0, 1, x, out)
    return out


def domain(name, x):
    """The numbers of x that are in the domain of the function."""
    if name == "log":
        return x[x >= np.finfo(x.dtype).tiny]
    return x[(x >= 0) & (x <= 1)] if name == "log1p_to_1" else x


def distance(a, b):
    """The distance from a to b, in floating-point numbers."""
    whole = np.dtype(f"i{a.itemsize}")
    ranks = []
    for x in (a, b):
        bits = x.view(whole)
        ranks.append(np.where(bits < 0, np.iinfo(whole).min - bits, bits).astype(np.longdouble))
    apart = np.abs(ranks[0] - ranks[1])
    return np.where(
        np.isnan(a) | np.isnan(b), np.where(np.isnan(a) & np.isnan(b), 0, np.inf), apart
    )


def assert_right(name, x):
    """The function differs from the correctly rounded value by at most MOST_ULP units."""
    x = domain(name, x)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(MORE_DIGITS[x.dtype.name])).astype(x.dtype)
    result = ours(name, x)
    assert result.dtype == x.dtype
    wrong = distance(result, exact) > MOST_ULP[x.dtype.name]
    wrong &= (result != 0) | (np.abs(exact) >= np.finfo(x.dtype).tiny)  # flushed to 0
    assert not wrong.any(), (name, x[wrong][0], result[wrong][0], exact[wrong][0])


def spread(dtype):
    """Numbers of all sizes, with many near the places where a function changes its formula."""
    limits = np.finfo(dtype)
    rng = np.random.default_rng(0)
    n = 20_000 if compiles_here() else 300
    sizes = 2.0 ** rng.uniform(np.log2(float(limits.smallest_subnormal)), limits.maxexp, n)
    usual = rng.uniform(-3, 3, n), rng.uniform(-40, 40, n), 1 + rng.uniform(-0.01, 0.01, n)
    seams = (
        (np.arange(-300, 300) + 0.5)[:, None] * np.log(2) / 4 * (1 + np.arange(-2, 3) * limits.eps)
    )
    edges = [np.log(float(limits.max)), np.log(float(limits.tiny)), -44, 2**0.5, 0.5**0.5]
    near = np.array(edges)[:, None] * (1 + np.arange(-20, 21) * limits.eps / 2)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0]
    special += [limits.max, -limits.max, limits.tiny, limits.smallest_subnormal]
    with np.errstate(over="ignore", under="ignore"):
        parts = [sizes, -sizes, *usual, seams.ravel(), near.ravel(), -near.ravel(), special]
        return np.concatenate([np.asarray(part).astype(dtype) for part in parts])


def compiles_here():
    import numba

    return not numba.config.DISABLE_JIT


def has_more_digits(dtype):
    return np.finfo(MORE_DIGITS[dtype]).nmant > np.finfo(dtype).nmant + 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(EXACT))
def test_a_function_is_right_to_a_few_units_in_the_last_place(name, dtype):
    if not has_more_digits(dtype):
        pytest.skip("longdouble has no more digits than float64 here")
    x = spread(dtype)
    assert_right(name, x[:: 1 + len(x) // 4000] if name == "normal_cdf" else x)


@given(st.lists(st.floats(width=32), min_size=1), st.sampled_from(sorted(EXACT)))
def test_a_function_is_right_at_any_drawn_numbers(numbers, name):
    assert_right(name, np.array(numbers, "float32"))
    if has_more_digits("float64"):
        assert_right(name, np.array(numbers, "float64"))


def test_a_loop_of_functions_is_compiled_to_vectors():
    """Calls of the C library's exp, or one number at a time, would take ten times as long."""
    if not compiles_here():
        pytest.skip("NUMBA_DISABLE_JIT: nothing is compiled")
    from numba.core.caching import NullCache

    from scratchgen.kernels.native.target import BITS

    if not BITS:
        pytest.skip("this CPU has no long vectors")
    x = np.zeros(16, np.float32)
    for name in ("exp", "softplus", "normal_cdf"):
        loop = compiled.__wrapped__(loop_of(name).py_func)
        loop._cache = NullCache()  # code from the disk cannot be inspected
        loop(0, 1, x, x)
        code = "".join(loop.inspect_asm().values())
        of_vectors = r"fn?madd\d+p[sd].*[yz]mm|fml[as]\s+(v\d+\.[24][sd]|z\d+\.[sd])"  # x86, ARM
        assert re.search(of_vectors, code), name

"""Draws are those of NumPy, to the last bit, also if the kernel makes them."""

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import kernels
from scratchgen.kernels import random
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.random import FEW, LAYERS, R, fill_standard_normal, layers

needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)
SOURCES = (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64)
COUNT = 1_000_000  # draws: some 260 in the tail, and 12,000 at the edge of a layer


def draws_of_both(source, seed, shape, dtype="float32"):
    """Draws of the kernel and of NumPy, and the next number of each generator."""
    generators = [np.random.Generator(source(seed)) for _ in range(2)]
    ours, theirs = np.empty((2, *shape), dtype)
    with by_loops():
        fill_standard_normal(generators[0], ours)
    generators[1].standard_normal(dtype=dtype, out=theirs)
    return ours, theirs, *(rng.integers(2**62) for rng in generators)


@pytest.mark.parametrize("way", [by_loops, by_formulas])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (3,), (20, 30)])
def test_draws_have_the_given_shape_and_dtype_and_equal_numpys(shape, dtype, way):
    ours, theirs = (np.random.default_rng(5) for _ in range(2))
    with way():
        drawn = [f(ours, shape, dtype) for f in (kernels.standard_normal, kernels.uniform)]
    expected = [theirs.standard_normal(shape, dtype), theirs.random(shape, dtype)]
    for x, y in zip(drawn, expected, strict=True):
        assert (type(x), x.shape, x.dtype) == (np.ndarray, shape, np.dtype(dtype))
        np.testing.assert_array_equal(x, y)


@needs_numba
@pytest.mark.parametrize("source", SOURCES)
def test_draws_and_the_numbers_after_them_equal_numpys(source):
    ours, theirs, next_of_ours, next_of_theirs = draws_of_both(source, 7, (COUNT,))
    assert ours.tobytes() == theirs.tobytes()
    assert next_of_ours == next_of_theirs
    assert np.sum(np.abs(ours) > R) > 100  # the tail was reached


@needs_numba
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 40))
def test_draws_of_any_shape_equal_numpys(seed, rows, columns):
    ours, theirs, *next_draws = draws_of_both(np.random.PCG64, seed, (rows, columns))
    assert ours.tobytes() == theirs.tobytes()
    assert next_draws[0] == next_draws[1]


@needs_numba
@pytest.mark.parametrize("seed", range(3))
def test_drawing_in_two_pieces_gives_the_numbers_of_one_draw(seed):
    whole, first, second = (np.empty(n, "float32") for n in (1001, 301, 700))
    with by_loops():
        fill_standard_normal(np.random.default_rng(seed), whole)
        rng = np.random.default_rng(seed)
        for piece in (first, second):
            fill_standard_normal(rng, piece)
    assert np.array_equal(np.concatenate([first, second]), whole)


def test_the_layers_of_the_ziggurat_have_equal_areas_and_reach_the_top():
    k, of_both_signs, f = layers()
    w, negative = np.split(of_both_signs, 2)
    assert np.array_equal(negative, -w)
    x = w.astype(float) * 2**23
    areas = x[2:] * -np.diff(f.astype(float))[1:]
    tail = R * math.exp(-R * R / 2) + math.sqrt(math.pi / 2) * math.erfc(R / math.sqrt(2))
    np.testing.assert_allclose(areas, tail, rtol=1e-4)  # differences of float32
    assert x[1] * (1 - f[1]) == pytest.approx(tail, rel=1e-4)  # the top layer
    assert len(k) == LAYERS
    assert x[-1] == np.float32(R)
    np.testing.assert_allclose(x[1:-1], k[2:] * w[2:].astype(float), rtol=1e-6)


class Sevens(np.random.Generator):
    """A user's generator, which draws only 7."""

    def standard_normal(self, *args, out=None, **settings):
        out[:] = 7
        return out


@needs_numba
def test_numpy_draws_if_the_kernel_would_draw_differently_or_more_slowly(monkeypatch):
    def refused(*_):
        raise AssertionError("drawn by the kernel")

    assert random.numpy_draws_the_same()
    rng = np.random.default_rng(0)
    monkeypatch.setattr(random, "_fill", refused)
    with by_formulas():
        fill_standard_normal(rng, np.empty(FEW, "float32"))
    with by_loops():
        fill_standard_normal(rng, np.empty(FEW, "float64"))
        fill_standard_normal(rng, np.empty(FEW - 1, "float32"))
        sevens = np.empty(FEW, "float32")
        fill_standard_normal(Sevens(np.random.PCG64(0)), sevens)
        assert (sevens == 7).all()
        with pytest.raises(AssertionError, match="by the kernel"):
            fill_standard_normal(rng, np.empty(FEW, "float32"))


@needs_numba
@pytest.mark.parametrize(
    "out",
    [
        np.zeros((30, 30), "f4")[:, ::2],
        np.zeros((30, 30), ">f4"),
        np.frombuffer(bytes(4000), "f4"),
        np.zeros((30, 30), "f4").view(np.matrix),
        np.frombuffer(bytearray(4001), "f4", offset=1),
    ],
    ids=["strided", "big-endian", "read-only", "matrix", "unaligned"],
)
def test_the_kernel_fills_and_refuses_the_same_arrays_as_numpy(out):
    def outcome(fill):
        target = out if not out.flags.writeable else out.copy() if type(out) is np.matrix else out
        try:
            fill(np.random.default_rng(0), target)
        except (TypeError, ValueError) as problem:
            return type(problem), str(problem)
        return target.tobytes()

    with by_loops():
        ours = outcome(fill_standard_normal)
    assert ours == outcome(lambda rng, out: rng.standard_normal(dtype=out.dtype.type, out=out))


@needs_numba
def test_a_numpy_that_draws_differently_is_noticed(monkeypatch):
    monkeypatch.setattr(random, "_fill", lambda rng, out: out.fill(0))
    assert not random.numpy_draws_the_same.__wrapped__()


@needs_numba
def test_threads_that_share_a_generator_divide_its_draws():
    rng, pieces = np.random.default_rng(3), [np.empty(5000, "float32") for _ in range(4)]

    def draw(piece):
        with by_loops():
            fill_standard_normal(rng, piece)

    threads = [threading.Thread(target=draw, args=(piece,)) for piece in pieces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = np.random.default_rng(3).standard_normal(20_000, dtype="float32")
    drawn = {piece.tobytes() for piece in pieces}
    assert drawn == {whole[i : i + 5000].tobytes() for i in range(0, 20_000, 5000)}

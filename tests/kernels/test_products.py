"""The products of a dense layer are right for any shape, strides and number of threads.

With u the unit roundoff, a sum of k products lies within (k + 2) u (|x| |w| + |b|) of the exact
sum (Higham 2002, section 3.1), and on normal draws, whose signs differ, within 4 sqrt(k) u of it.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen import kernels, nn
from scratchgen.ground.versions import is_installed
from scratchgen.kernels import packing
from scratchgen.kernels.compiling import for_python
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.plans import Plan, clear_loop
from scratchgen.kernels.recording import Call, Clear, recording
from scratchgen.kernels.workspaces import Workspace

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops to compare"
)
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([64, 127, 128, 255, 256, 257, 300, 520]))
DTYPES = st.sampled_from(["float32", "float64"])


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers with another layout in memory."""
    if layout == "columns":
        return np.asfortranarray(x)
    if layout == "part of a larger array":
        larger = np.full((x.shape[0] + 1, x.shape[1] + 3), np.nan, x.dtype)
        larger[1:, 2:-1] = x
        return larger[1:, 2:-1]
    if layout == "backwards":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    if layout == "every second":
        return np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2]
    if layout == "unaligned":
        raw = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
        raw[...] = x
        return raw
    x = x.copy()
    x.flags.writeable = layout != "read-only"
    return x


LAYOUTS = st.sampled_from(
    ["rows", "columns", "part of a larger array", "backwards", "every second", "unaligned",
     "read-only"]
)  # fmt: skip


def product(name: str, x, w, b, into) -> np.ndarray:
    """One product of kernels/products.py for y = x w, or x w + b, or into + x w."""
    if name == "affine":
        return kernels.affine(x, w, b)
    if name == "times":
        return kernels.times(x, w)
    if name == "times_transpose":
        return kernels.times_transpose(x, w.T)
    kernels.add_outer(x.T, w, into=into)
    return into


NAMES = ["affine", "times", "times_transpose", "add_outer"]


@needs_numba
@pytest.mark.parametrize("name", NAMES)
@given(SIZES, SIZES, SIZES, DTYPES, LAYOUTS, LAYOUTS, st.integers(1, 3), st.integers(0, 2**32))
@example(1, 300, 40, "float32", "rows", "columns", 2, 0)
@example(300, 256, 1, "float32", "columns", "rows", 2, 0)
@example(200, 513, 33, "float64", "rows", "rows", 3, 0)
def test_products_have_only_the_errors_of_rounding(name, n, k, m, dtype, of_x, of_w, threads, seed):
    rng, u = np.random.default_rng(seed), np.finfo(dtype).eps / 2
    x, w, b = (rng.standard_normal(shape).astype(dtype) for shape in ((n, k), (k, m), (m,)))
    first = rng.standard_normal((n, m)).astype(dtype)
    start = {"affine": b, "add_outer": first}.get(name, np.zeros((), dtype))
    wide = np.full((n, m + 2), 7, dtype)
    into = wide[:, 1:-1]
    into[...] = first
    with by_loops(), sg.threads(threads):
        out = product(name, laid_out(x, of_x), laid_out(w, of_w), b, into)
    assert out.dtype == dtype
    assert (wide[:, [0, -1]] == 7).all()  # nothing is written outside of `into`
    assert name == "add_outer" or np.array_equal(into, first)
    exact = x.astype(np.longdouble) @ w.astype(np.longdouble) + start
    size = np.abs(x).astype(np.longdouble) @ np.abs(w) + np.abs(start)
    error = np.abs(out - exact)
    assert (error <= (k + 2) * u * size).all()
    assert (error <= 4 * max(k, 1) ** 0.5 * u * size).all()


# matrices of more than one block of rows, one set of panels, one slice, and rows so far apart that
# they are packed
BLOCK = packing.BLOCK // (packing.DEPTH * 4) + 13
WIDE = packing.PANELS // (packing.DEPTH * 4) + 5
APART = packing.APART // 4
LARGE = [
    pytest.param(BLOCK, packing.DEPTH + 9, WIDE, "rows", "rows", id="blocks, panels and slices"),
    pytest.param(BLOCK, packing.DEPTH + 9, WIDE, "rows", "columns", id="transposed panels"),
    pytest.param(70, APART, WIDE, "rows", "rows", id="rows of a far apart"),
    pytest.param(APART, 300, WIDE, "columns", "rows", id="columns of a far apart"),
    pytest.param(70, APART, WIDE, "every second", "rows", id="far apart, with gaps"),
    pytest.param(60, 40, APART, "rows", "rows", id="rows of b far apart"),
    pytest.param(BLOCK, 2, 3 * WIDE, "rows", "rows", id="b in the first cache"),
]


@needs_numba
@pytest.mark.parametrize(("n", "k", "m", "of_x", "of_w"), LARGE)
def test_large_products_are_cut_into_blocks_without_changing_a_bit(n, k, m, of_x, of_w):
    rng = np.random.default_rng(0)
    x, w, b, first = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((n, k), (k, m), (m,), (n, m))
    )
    x, w = laid_out(x, of_x), laid_out(w, of_w)
    for name in NAMES:
        start = {"affine": b, "add_outer": first}.get(name, np.float32(0))
        with by_loops():
            outs = []
            for threads in (1, 2, 3):
                with sg.threads(threads):
                    outs.append(product(name, x, w, b, first.copy()))
            parts = [product(name, x[i : i + 5], w, b, first[i : i + 5].copy()) for i in (0, n - 5)]
        exact = x.astype(float) @ w.astype(float) + start
        size = np.abs(x).astype(float) @ np.abs(w) + np.abs(start)
        assert (np.abs(outs[0] - exact) <= 4 * k**0.5 * np.finfo(np.float32).eps / 2 * size).all()
        assert outs[0].tobytes() == outs[1].tobytes() == outs[2].tobytes()
        assert np.array_equal(outs[0][:5], parts[0])
        assert np.array_equal(outs[0][-5:], parts[1])


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "k", "m", "of_x", "of_w"), LARGE)
def test_a_product_stays_within_its_scratch_memory(n, k, m, of_x, of_w, dtype):
    x, w = laid_out(np.ones((n, k), dtype), of_x), laid_out(np.ones((k, m), dtype), of_w)
    for name in NAMES:
        with by_loops(), recording() as recorded:
            product(name, x, w, np.ones(m, dtype), np.ones((n, m), dtype))
        (call,) = (event for event in recorded.events if isinstance(event, Call))
        memory = np.full((1, call.scratch + 4096), 7, np.uint8)
        for_python(call.loop)(0, 1, *call.args, memory[:, : call.scratch])
        assert (memory[:, call.scratch :] == 7).all()


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@given(SIZES, st.integers(1, 40), DTYPES, st.integers(1, 3), st.integers(0, 2**32))
@example(64, 5, "float32", 2, 0)
@example(65, 5, "float32", 2, 0)
def test_the_gradient_of_a_bias_has_only_the_errors_of_rounding(which, n, m, dtype, k, seed):
    rng, u = np.random.default_rng(seed), np.finfo(dtype).eps / 2
    layer, tape = nn.Dense(2, m), nn.Tape().begin(training=True)
    x, dy, start = (rng.standard_normal(s).astype(dtype) for s in ((n, 2), (n, m), (m,)))
    p = SimpleNamespace(w=np.zeros((2, m), dtype), b=np.zeros(m, dtype))
    g = SimpleNamespace(w=np.zeros((2, m), dtype), b=start.copy())
    with which(), sg.threads(k):
        layer.forward(p, x, tape)
        layer.backward(p, dy, tape, g, need_dx=False)
    exact = dy.astype(np.longdouble).sum(axis=0) + start
    size = np.abs(dy).sum(axis=0) + np.abs(start)
    assert (np.abs(g.b - exact) <= (n + 2) * u * size).all()


@needs_numba
@pytest.mark.parametrize("name", NAMES)
@given(SIZES, SIZES, SIZES, DTYPES, st.integers(0, 2**32))
def test_the_result_does_not_depend_on_the_number_of_threads(name, n, k, m, dtype, seed):
    rng = np.random.default_rng(seed)
    x, w, b, first = (
        rng.standard_normal(shape).astype(dtype) for shape in ((n, k), (k, m), (m,), (n, m))
    )
    outs = []
    for threads in (1, 2, 3):
        with pytest.MonkeyPatch.context() as patch, by_loops(), sg.threads(threads):
            patch.setattr("scratchgen.kernels.formulas.GRAIN", 0)
            outs.append(product(name, x, w, b, first.copy()).tobytes())
    assert outs[0] == outs[1] == outs[2]


@needs_numba
def test_infinities_and_nan_pass_through():
    x, w = np.ones((20, 5), np.float32), np.ones((5, 40), np.float32)
    x[3, 2], w[1, 7] = np.nan, np.inf
    with by_loops():
        y = kernels.times(x, w)
    assert np.isnan(y[3]).all()
    assert np.isinf(np.delete(y, 3, axis=0)[:, 7]).all()
    assert np.isfinite(np.delete(np.delete(y, 3, axis=0), 7, axis=1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_other_dtypes_are_left_to_numpy(name):
    x, w = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    for dtype in (np.longdouble, np.complex128):
        with by_loops():
            y = product(
                name, *(operand.astype(dtype) for operand in (x, w, np.zeros(4), np.zeros((2, 4))))
            )
        np.testing.assert_array_equal(y, x @ w)


def test_formulas_are_the_products_of_numpy():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 3)), rng.standard_normal((3, 4))
    with by_formulas():
        assert np.array_equal(kernels.times(x, w), x @ w)


WAYS = [pytest.param(by_loops, marks=needs_numba), by_formulas]


@pytest.mark.parametrize("which", WAYS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(SIZES, SIZES, SIZES, st.integers(0, 2**32))
@example(600, 5, 300, 0)
@example(1, 40, 300, 0)
@example(300, 1, 1, 0)
def test_passes_with_opposite_gradients_cancel_exactly(which, dtype, n, i, o, seed):
    """Adam would make steps of roundings with a constant sign; see kernels/products.py."""
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((n, i)).astype(dtype), rng.standard_normal((n, o)).astype(dtype)
    w, b = np.zeros((i, o), dtype), np.zeros(o, dtype)
    with which():
        for sign in (1, -1):
            kernels.add_outer(x, sign * dy, into=w)
            kernels.add_sum(sign * dy, into=b)
    assert not w.any()
    assert not b.any()


@pytest.mark.parametrize("which", WAYS)
@pytest.mark.parametrize("name", ["add_outer", "add_sum", "add_in_place"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_addition_to_cleared_memory_is_written_with_the_same_bits(name, dtype, which):
    rng = np.random.default_rng(0)
    for n, i, o in ((5, 3, 4), (1, 3, 4), (5, 1, 300), (1, 1, 300), (70, 20, 17), (600, 9, 5)):
        x, dy = rng.standard_normal((n, i)).astype(dtype), rng.standard_normal((n, o)).astype(dtype)
        x[:, 0], dy[:, 0] = -0.0, -0.0  # 0 + -0.0 is 0.0
        call, shape = {
            "add_outer": (lambda into, x=x, dy=dy: kernels.add_outer(x, dy, into), (i, o)),
            "add_sum": (lambda into, dy=dy: kernels.add_sum(dy, into), (o,)),
            "add_in_place": (lambda into, dy=dy: kernels.add_in_place(dy, into), (n, o)),
        }[name]
        into = np.full(shape, 7, dtype)
        with which():
            expected = np.zeros(shape, dtype)
            call(expected)
            with recording() as notes, Workspace().step():
                kernels.clear(into)
                call(into)
            plan = Plan(notes, threads=1)
            assert not any(isinstance(event, Clear) for event in plan.events)
            assert not any(
                event.loop is clear_loop for event in plan.events if isinstance(event, Call)
            )
            into[:] = np.nan
            plan.run()
        assert into.tobytes() == expected.tobytes()


@pytest.mark.parametrize("which", WAYS)
def test_a_plan_clears_memory_with_gaps(which):
    whole = np.ones((4, 6), np.float32)
    with which(), recording() as notes:
        kernels.clear(whole[:, ::2])
        kernels.add_in_place(np.ones(3, np.float32), np.zeros(3, np.float32))
    whole[:] = 1
    Plan(notes, threads=1).run()
    assert whole.sum(axis=0).tolist() == [0, 4, 0, 4, 0, 4]

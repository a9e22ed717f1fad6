"""Kernels repeat and scale rows and draw whole numbers, also in a replayed step."""

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.ground.errors import DataError, OptionError, ShapeError
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace

EITHER_WAY = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_shape = pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 3), (3, 2, 2), (0,)])
needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)


def drawn(n, shape, dtype):
    return np.random.default_rng(n).standard_normal((n, *shape)).astype(dtype)


@EITHER_WAY
@each_dtype
@each_shape
@pytest.mark.parametrize(("n", "times"), [(1, 1), (1, 4), (3, 1), (3, 4), (70, 9), (0, 2)])
def test_the_repetitions_of_each_example_follow_each_other(n, times, shape, dtype, way):
    x = drawn(n, shape, dtype)
    with way():
        y = kernels.repeat(x, times)
    expected = [example.tolist() for example in x for _ in range(times)]
    assert (type(y), y.shape, y.dtype) == (np.ndarray, (n * times, *shape), np.dtype(dtype))
    assert y.tolist() == expected
    assert not np.shares_memory(x, y)


@EITHER_WAY
def test_labels_are_repeated_as_whole_numbers(way):
    with way():
        y = kernels.repeat(np.array([2, 0, 1]), 2)
    assert (y.tolist(), y.dtype) == ([2, 2, 0, 0, 1, 1], np.int64)


def test_reshaping_puts_the_repetitions_of_an_example_into_one_slice():
    y = kernels.repeat(drawn(3, (4,), "float64"), 5).reshape(3, 5, 4)  # (N, K, D)
    assert (y == y[:, :1]).all()
    assert not (y == y[:1]).all()


@pytest.mark.parametrize("times", [0, -1, 2.0, True, None])
def test_times_must_be_a_whole_number_above_0(times):
    with pytest.raises(OptionError, match=r"repeat: times=.*wants a whole number of at least 1"):
        kernels.repeat(np.zeros((2, 3)), times)


@EITHER_WAY
@pytest.mark.parametrize("change", [lambda x: x[::-1], lambda x: x[..., ::-1], np.asfortranarray])
def test_examples_with_any_strides_are_repeated_and_scaled(change, way):
    x, factor = change(drawn(5, (4, 3), "float32")), drawn(5, (), "float32")
    with way():
        assert kernels.repeat(x, 2).tolist() == np.repeat(x, 2, axis=0).tolist()
        scaled = kernels.scale_rows(x, factor)
    np.testing.assert_array_equal(scaled, factor[:, None, None] * x)


@EITHER_WAY
@each_dtype
@each_shape
@pytest.mark.parametrize("n", [0, 1, 3, 200])
def test_each_row_is_scaled_by_its_own_factor(n, shape, dtype, way):
    x, factor = drawn(n, shape, dtype), drawn(n + 1, (), dtype)[1:]
    with way():
        y = kernels.scale_rows(x, factor)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    for row, example, by in zip(y, x, factor, strict=True):
        np.testing.assert_array_equal(row, by * example)


def test_there_must_be_as_many_factors_as_rows():
    with pytest.raises(ShapeError, match=r"factor has shape \(3,\), wants \(2,\)"):
        kernels.scale_rows(np.zeros((2, 3, 1)), np.zeros(3))


@EITHER_WAY
@each_dtype
@each_shape
@pytest.mark.parametrize("factor", [-1, 0.3, np.float64(0.3)])
def test_scaling_keeps_the_dtype_of_the_array(factor, shape, dtype, way):
    x = drawn(6, shape, dtype)
    with way():
        y = kernels.scale(x, factor)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x.dtype.type(factor) * x)


# Constants.


def test_the_value_of_a_constant_array_is_broadcast():
    x = kernels.full((2, 3), [[1], [2]], "float32")
    assert x.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert not x.flags.writeable
    assert kernels.full((3,), np.arange(3), np.int64).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="broadcast"):
        kernels.full((2,), np.zeros(3), "float32")


# Whole numbers.


@EITHER_WAY
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (3,), (20, 30)])
def test_whole_numbers_have_the_given_shape_and_equal_numpys(shape, way):
    ours, theirs = (np.random.default_rng(5) for _ in range(2))
    with way():
        x = kernels.integers(ours, 7, shape)
    assert (type(x), x.shape, x.dtype) == (np.ndarray, shape, np.dtype(np.int64))
    np.testing.assert_array_equal(x, theirs.integers(0, 7, shape))
    assert ours.integers(2**62) == theirs.integers(2**62)


@pytest.mark.parametrize("high", [1, 2, 10])
def test_all_whole_numbers_below_the_bound_are_equally_likely(high):
    n = 50_000
    counts = np.bincount(kernels.integers(np.random.default_rng(0), high, (n,)), minlength=high)
    assert len(counts) == high
    spread = np.sqrt(n / high * (1 - 1 / high))
    assert (np.abs(counts - n / high) <= 5 * spread).all()


@pytest.mark.parametrize("high", [0, -3, 2.5, None])
def test_a_bound_below_1_is_refused(high):
    with pytest.raises(OptionError, match=r"integers: high=.*wants a whole number of at least 1"):
        kernels.integers(np.random.default_rng(0), high, (2,))


def test_whole_numbers_can_be_used_as_labels():
    table = drawn(4, (3,), "float32")
    labels = kernels.integers(np.random.default_rng(1), 4, (9,))
    assert kernels.take_rows(table, labels).tolist() == table[labels].tolist()
    with pytest.raises(DataError, match="from 0 to 2"):
        kernels.take_rows(table[:3], np.array([3]))


# In a step that is replayed.


@pytest.mark.parametrize("way", [by_formulas, pytest.param(by_loops, marks=needs_numba)])
def test_a_replayed_step_uses_new_arrays_and_draws_new_numbers(way):
    def step(x, factor, table, rng):
        labels = kernels.integers(rng, 4, (6,))  # (N K,)
        y = kernels.scale_rows(kernels.repeat(x, 3), factor)  # (N K, 2, 1)
        return labels, kernels.scale(y, 0.5), kernels.take_rows(table, labels)

    def arguments(seed):
        rng = np.random.default_rng(seed)
        shapes = ((2, 2, 1), (6,), (4, 2))
        return [rng.standard_normal(shape).astype("float32") for shape in shapes]

    args, rng, same_rng = arguments(0), np.random.default_rng(9), np.random.default_rng(9)
    workspace = Workspace(guards=True, fills=True)
    with way():
        with workspace.step(), recording() as notes:
            results = step(*args, rng)
        assert not notes.foreign_arrays(args, workspace)
        plan = Plan(notes, threads=1)
        step(*args, same_rng)
        for seed in (1, 2, 3):
            for x, new in zip(args, arguments(seed), strict=True):
                x[...] = new
            workspace.poison()
            plan.run()
            for result, expected in zip(results, step(*args, same_rng), strict=True):
                assert result.tobytes() == expected.tobytes()
        assert rng.integers(2**62) == same_rng.integers(2**62)

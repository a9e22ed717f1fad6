"""Scalers: what they do to numbers, near and far from 1, and what they refuse."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scratchgen as sg
from scratchgen.data import SCALERS, Scaler
from scratchgen.ground import errors

X = np.array([[1.0, 10.0], [2.0, 10.0], [6.0, 10.0]])


def test_standard_gives_mean_0_and_deviation_1_and_min_max_the_range_from_0_to_1():
    x = np.random.default_rng(0).gamma(2.0, size=(500, 3)) * [1e-6, 1, 1e6] + [0, -5, 1e7]
    y = Scaler.standard(x).apply(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-9)
    y = Scaler.min_max(x).apply(x)
    assert y.min(axis=0).tolist() == [0, 0, 0]
    assert y.max(axis=0).tolist() == [1, 1, 1]


def test_offset_scale_and_jacobian_are_those_of_the_formulas():
    standard, min_max = Scaler.standard(X[:, :1]), Scaler.min_max(X[:, :1])
    np.testing.assert_allclose([standard.offset[0], standard.scale[0]], [3, np.sqrt(14 / 3)])
    assert (min_max.offset[0], min_max.scale[0]) == (1, 5)
    np.testing.assert_allclose(min_max.log_det, -np.log(5))
    scaler = Scaler(offset=[0, 1], scale=[2, 8])
    np.testing.assert_allclose(scaler.log_det, -np.log(16))
    assert scaler.apply([[2, 9]]).tolist() == [[1, 1]]
    assert scaler.undo([[1, 1]]).tolist() == [[2, 9]]
    assert (scaler.name, scaler.width) == ("own", 2)


@pytest.mark.parametrize("fitted", SCALERS.values(), ids=SCALERS)
def test_a_constant_column_becomes_0_and_comes_back(fitted):
    scaler = fitted(np.full((7, 1), 0.1, np.float32))  # whose mean by sums is not its value
    assert scaler.scale.tolist() == [1]
    assert scaler.log_det == 0
    assert scaler.apply(np.float32([[0.1]])).tolist() == [[0]]
    assert scaler.undo([[0]]).tolist() == [[np.float32(0.1)]]
    assert fitted(np.ones((3, 1))).apply([[1]]).tolist() == [[0]]
    assert fitted([[5, 1], [5, 2]]).apply([[5, 1]])[0, 0] == 0


@pytest.mark.parametrize("fitted", SCALERS.values(), ids=SCALERS)
@given(
    x=arrays(
        np.float64,
        st.tuples(st.integers(2, 9), st.integers(1, 4)),
        elements=st.floats(-1e300, 1e300, allow_subnormal=False),
    )
)
def test_undo_restores_scaled_columns_up_to_rounding(fitted, x):
    scaler = fitted(x)
    y = scaler.apply(x)
    assert np.abs(y).max() <= max(1, np.sqrt(len(x))) * (1 + 1e-9)
    largest = np.abs(x).max(axis=0)
    assert (np.abs(scaler.undo(y) - x) <= 8 * np.finfo(float).eps * largest).all()


def test_bits_and_classes_are_left_as_they_are_beside_columns_that_are_scaled():
    rng = np.random.default_rng(0)
    classes = np.eye(3)[rng.integers(3, size=5_000)]
    x = np.column_stack([classes, rng.choice([-1, 1], 5_000), rng.normal(50, 9, 5_000)])
    for y in (x, x[:, :4].astype(int)):
        assert np.array_equal(Scaler.standard(y).apply(y)[:, :4], y[:, :4])
    np.testing.assert_allclose(Scaler.standard(x).log_det, -np.log(x[:, 4].std()))
    late = np.concatenate([np.zeros(5_000), [2.0]])[:, None]  # no bits, from its last example on
    assert Scaler.standard(late).scale[0] < 1


def test_digits_beyond_those_of_float32_are_kept():
    x = 1e9 + np.arange(100.0)[:, None]
    y = Scaler.standard(x).apply(x)
    np.testing.assert_allclose(np.diff(y[:, 0]), 1 / x.std(), rtol=1e-9)
    back = Scaler.standard(x).undo(y.astype(np.float32))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, x, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", ">f8"])
def test_any_real_numbers_are_scaled_as_their_float64_are(dtype):
    x = (np.random.default_rng(0).random((50, 2)) * 2).astype(dtype)
    for fitted in SCALERS.values():
        assert fitted(x) == fitted(x.astype(float))
        assert np.array_equal(fitted(x).apply(x), fitted(x).apply(x.astype(float)))


def test_many_examples_are_measured_as_all_at_once():
    x = np.random.default_rng(0).normal(3, 2, (10_001, 2))
    scaler = Scaler.standard(x)
    np.testing.assert_allclose(scaler.offset, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.scale, x.std(axis=0), rtol=1e-12)


def test_undo_writes_into_out():
    scaler, out = Scaler.standard(X), np.empty((1, 2))
    assert scaler.undo(np.float32([[0, 0]]), out) is out
    assert out.tolist() == [[3, 10]]


@pytest.mark.parametrize(
    ("kind", "words", "make"),
    [
        (errors.ShapeError, "pixels share", lambda: Scaler.standard(np.zeros((3, 4, 4)))),
        (errors.ShapeError, r"wants vectors \(N, D\)", lambda: Scaler.min_max([1, 2, 3])),
        (errors.ShapeError, "at least one", lambda: Scaler.standard(np.zeros((0, 2)))),
        (errors.DataError, "NaN", lambda: Scaler.standard([[1.0], [np.nan]])),
        (errors.DataError, "too far", lambda: Scaler.min_max([[-1.7e308], [1.7e308]])),
        (errors.KindError, "real numbers", lambda: Scaler.standard([["a"], ["b"]])),
        (errors.ShapeError, "one of each", lambda: Scaler([0], [1, 2])),
        (errors.ShapeError, "for each column", lambda: Scaler(0, 1)),
        (errors.ShapeError, "for each column", lambda: Scaler([], [])),
        (errors.DataError, "above 0", lambda: Scaler([0, 0], [1, 0])),
        (errors.DataError, "above 0", lambda: Scaler([0], [-1])),
        (errors.DataError, "NaN", lambda: Scaler([0], [np.nan])),
        (errors.KindError, "real numbers", lambda: Scaler([10**400], [1])),
        (errors.OptionError, "standard, min_max, own", lambda: Scaler([0], [1], "robust")),
        (errors.ShapeError, r"wants \(N, 2\)", lambda: Scaler.standard(X).apply([[1.0]])),
        (errors.DataError, "NaN", lambda: Scaler.standard(X).apply([[1.0, np.inf]])),
        (errors.DataError, "too far", lambda: Scaler([0], [1e-300]).apply([[1e10]])),
        (errors.ShapeError, r"wants \(N, 2\)", lambda: Scaler.standard(X).undo([[1.0]])),
    ],
)
def test_arrays_that_cannot_be_scaled_are_refused_with_the_reason(kind, words, make):
    with pytest.raises(kind, match=words):
        make()


def test_two_scalers_are_equal_when_they_do_the_same_and_come_back_from_their_settings():
    scaler = Scaler.standard(X)
    for same in (
        Scaler(**scaler.settings()),
        copy.deepcopy(scaler),
        pickle.loads(pickle.dumps(scaler)),
    ):
        assert same == scaler
        assert hash(same) == hash(scaler)
    assert scaler != Scaler.min_max(X)
    assert scaler != "standard"


def test_the_arrays_of_a_scaler_are_read_only():
    scaler, offset = Scaler.standard(X), np.zeros(2)
    with pytest.raises(ValueError, match="read-only"):
        scaler.offset[0] = 5
    own = Scaler(offset, np.ones(2))
    offset[:] = 7
    assert own.offset.tolist() == [0, 0]
    assert sg.data.Scaler is Scaler


@pytest.mark.parametrize("fitted", SCALERS.values())
def test_underflow_gives_0_even_if_numpy_is_set_to_raise(fitted):
    x = np.array([[0.0, 1e-310], [5e-324, 2e-310], [1.0, 4e-310]])
    with np.errstate(all="raise"):
        scaler = fitted(x)
        again = scaler.undo(scaler.apply(x))
    np.testing.assert_allclose(again[:, 0], x[:, 0], atol=1e-15)
    np.testing.assert_allclose(again[:, 1], x[:, 1], rtol=1e-9, atol=0)

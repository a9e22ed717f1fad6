"""Likelihood.both, in one pass, against log_prob and raw_gradient: both say the same."""

import tracemalloc

import numpy as np
import pytest

from scratchgen.distributions import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    FixedGaussian,
    Gaussian,
    MeanSquaredError,
    SharedGaussian,
)
from scratchgen.kernels.recording import recording
from scratchgen.kernels.twins import numba_works, references, twins
from scratchgen.nn import Tape

EACH = [
    Bernoulli(),
    Categorical(classes=5),
    FixedGaussian(variance=0.3),
    MeanSquaredError(),
    SharedGaussian(),
    SharedGaussian(least_variance=0.5),
    Gaussian(),
    Gaussian(least_variance=0.5),
]
both_ways = pytest.mark.parametrize("way", [references, twins])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_kind = pytest.mark.parametrize("likelihood", EACH, ids=str)


def data(likelihood, n, shape, dtype):
    """x that the likelihood scores, what a decoder may give, and dvalue."""
    rng = np.random.default_rng(n)
    x = rng.random((n, *shape))
    if isinstance(likelihood, Categorical):
        x = np.floor(x * likelihood.classes)
    raw = rng.standard_normal((n, *likelihood.raw_shape(shape)))
    return x.astype(dtype), raw.astype(dtype), rng.standard_normal(n).astype(dtype)


def test_no_likelihood_is_left_out():
    assert {likelihood.name for likelihood in EACH} == set(LIKELIHOODS)


@both_ways
@each_dtype
@pytest.mark.parametrize("shape", [(1,), (17,), (4, 3, 1), (3, 5, 2)])
@pytest.mark.parametrize("n", [0, 1, 6])
@each_kind
def test_both_gives_the_log_probability_and_its_gradient(likelihood, n, shape, dtype, way):
    x, raw, dvalue = data(likelihood, n, shape, dtype)
    with way():
        value, gradient = likelihood.both(x, raw, dvalue, Tape())
    assert value.dtype == gradient.dtype == np.dtype(dtype)
    few = {"rtol": 30 * np.finfo(dtype).eps, "atol": 30 * np.finfo(dtype).eps}
    np.testing.assert_allclose(value, likelihood.log_prob(x, raw), **few)
    wanted = likelihood.raw_gradient(x, raw, dvalue)
    assert gradient.shape == wanted.shape == raw.shape
    np.testing.assert_allclose(gradient, wanted, **few)


@both_ways
@each_dtype
@each_kind
def test_a_decoder_that_is_very_sure_makes_nothing_infinite(likelihood, dtype, way):
    x, raw, dvalue = data(likelihood, 4, (6,), dtype)
    raw[:] = np.where(raw > 0, 1000, -1000)
    if isinstance(likelihood, (Gaussian, SharedGaussian)):
        raw[:, :6] = x  # the mean; a log-variance of 1000 or -1000 beside it
    with way():
        value, gradient = likelihood.both(x, raw, dvalue, Tape())
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    few = {"rtol": 30 * np.finfo(dtype).eps, "atol": 30 * np.finfo(dtype).eps}
    np.testing.assert_allclose(value, likelihood.log_prob(x, raw), **few)
    np.testing.assert_allclose(gradient, likelihood.raw_gradient(x, raw, dvalue), **few)


@both_ways
def test_what_is_no_label_has_no_probability(way):
    x, raw, dvalue = data(Categorical(classes=5), 4, (2,), "float32")
    x[0, 0], x[1, 1], x[2, 0] = -1, 5, 0.5
    with way():
        value, _ = Categorical(classes=5).both(x, raw, dvalue, Tape())
    assert np.isnan(value).tolist() == [True, True, True, False]


@pytest.mark.skipif(not numba_works(), reason="NumPy works in memory of its own")
@each_kind
def test_a_warm_pass_takes_no_new_memory_for_examples(likelihood):
    x, raw, dvalue = data(likelihood, 2048, (30, 2), "float32")
    tape = Tape()
    with twins():
        likelihood.both(x, raw, dvalue, tape)
        tracemalloc.start()
        try:
            likelihood.both(x, raw, dvalue, tape.begin(training=True))
            assert tracemalloc.get_traced_memory()[1] < x.nbytes / 16
        finally:
            tracemalloc.stop()


def read_only(x):
    x.flags.writeable = False
    return x


@pytest.mark.skipif(not numba_works(), reason="without numba nothing is compiled")
@each_kind
def test_no_kernel_is_compiled_anew_for_memory_of_another_kind(likelihood):
    """As the rows of a file that is mapped into memory, or every second one."""
    for change in (read_only, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2]):
        given = map(change, data(likelihood, 6, (4, 3, 1), "float32"))
        with twins(), recording() as notes:
            likelihood.both(*given, Tape())
        (call,) = notes.middle
        arrays = [x for x in call.args if isinstance(x, np.ndarray)]
        assert all(x.flags.c_contiguous and x.flags.writeable for x in arrays)

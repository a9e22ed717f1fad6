"""Likelihood.value_and_gradient, in one pass, agrees with log_prob and raw_gradient."""

import tracemalloc

import numpy as np
import pytest

from scratchgen.distributions import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    FixedGaussian,
    Gaussian,
    SharedGaussian,
    log_prob_and_gradient,
)
from scratchgen.ground.errors import ShapeError
from scratchgen.kernels import formulas as room
from scratchgen.kernels.formulas import by_formulas, by_loops, numba_works
from scratchgen.kernels.workspaces import Workspace

EACH = [
    *LIKELIHOODS.examples().values(),
    SharedGaussian(),
    SharedGaussian(least_variance=0.5),
    Gaussian(),
    Gaussian(least_variance=0.5),
]
both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_kind = pytest.mark.parametrize("likelihood", EACH, ids=str)


def data(likelihood, n, shape, dtype):
    """x that the likelihood can score, raw numbers of a decoder, and dvalue."""
    rng = np.random.default_rng(n)
    x = rng.random((n, *shape))
    if isinstance(likelihood, Categorical):
        x = np.floor(x * likelihood.classes)
    raw = rng.standard_normal((n, *likelihood.raw_shape(shape)))
    return x.astype(dtype), raw.astype(dtype), rng.standard_normal(n).astype(dtype)


@both_ways
@each_dtype
@pytest.mark.parametrize("shape", [(1,), (17,), (4, 3, 1), (3, 5, 2)])
@pytest.mark.parametrize("n", [0, 1, 6])
@each_kind
def test_value_and_gradient_gives_the_log_probability_and_its_gradient(
    likelihood, n, shape, dtype, way
):
    x, raw, dvalue = data(likelihood, n, shape, dtype)
    with way():
        value, gradient = likelihood.value_and_gradient(x, raw, dvalue)
    assert value.dtype == gradient.dtype == np.dtype(dtype)
    tolerance = {"rtol": 30 * np.finfo(dtype).eps, "atol": 30 * np.finfo(dtype).eps}
    np.testing.assert_allclose(value, likelihood.log_prob(x, raw), **tolerance)
    expected = likelihood.raw_gradient(x, raw, dvalue)
    assert gradient.shape == expected.shape == raw.shape
    np.testing.assert_allclose(gradient, expected, **tolerance)


@both_ways
@each_dtype
@each_kind
def test_a_very_certain_decoder_gives_finite_numbers(likelihood, dtype, way):
    x, raw, dvalue = data(likelihood, 4, (6,), dtype)
    raw[:] = np.where(raw > 0, 1000, -1000)
    if isinstance(likelihood, (Gaussian, SharedGaussian)):
        raw[:, :6] = x  # the mean; the log-variance is 1000 or -1000
    with way():
        value, gradient = likelihood.value_and_gradient(x, raw, dvalue)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    tolerance = {"rtol": 30 * np.finfo(dtype).eps, "atol": 30 * np.finfo(dtype).eps}
    np.testing.assert_allclose(value, likelihood.log_prob(x, raw), **tolerance)
    np.testing.assert_allclose(gradient, likelihood.raw_gradient(x, raw, dvalue), **tolerance)


@both_ways
def test_only_labels_have_a_probability(way):
    x, raw, dvalue = data(Categorical(classes=5), 4, (2,), "float32")
    x[0, 0], x[1, 1], x[2, 0] = -1, 5, 0.5
    with way():
        value, _ = Categorical(classes=5).value_and_gradient(x, raw, dvalue)
    assert np.isnan(value).tolist() == [True, True, True, False]


@pytest.mark.skipif(not numba_works(), reason="NumPy works in memory of its own")
@each_kind
def test_a_pass_in_a_warm_workspace_takes_no_new_memory_for_examples(likelihood):
    x, raw, dvalue = data(likelihood, 2048, (30, 2), "float32")
    workspace = Workspace()
    with by_loops():
        for _ in range(2):
            with workspace.step():
                likelihood.value_and_gradient(x, raw, dvalue)
        tracemalloc.start()
        try:
            with workspace.step():
                likelihood.value_and_gradient(x, raw, dvalue)
            assert tracemalloc.get_traced_memory()[1] < x.nbytes / 16
        finally:
            tracemalloc.stop()


@both_ways
@each_kind
def test_a_pass_writes_every_number_of_its_memory(likelihood, way):
    x, raw, dvalue = data(likelihood, 6, (4, 3, 1), "float32")
    with way():
        expected = likelihood.value_and_gradient(x, raw, dvalue)
        with Workspace(fills=True, guards=True).step():
            results = likelihood.value_and_gradient(x, raw, dvalue)
    for ours, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(ours, right)


def read_only(x):
    x.flags.writeable = False
    return x


@pytest.mark.skipif(not numba_works(), reason="without numba nothing is compiled")
@each_kind
def test_no_kernel_is_compiled_again_for_memory_of_another_kind(likelihood, monkeypatch):
    """Such as rows of a file that is mapped into memory, or every second row."""
    calls = []
    monkeypatch.setattr(room, "call", calls.append)
    changes = (read_only, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2])
    for change in changes:
        arrays = map(change, data(likelihood, 6, (4, 3, 1), "float32"))
        with by_loops():
            likelihood.value_and_gradient(*arrays)
    assert len(calls) == len(changes)
    passed = [x for call in calls for x in call.args if isinstance(x, np.ndarray)]
    assert all(x.flags.c_contiguous and x.flags.writeable for x in passed)


@both_ways
@each_dtype
@each_kind
def test_a_mean_has_the_size_of_x_and_is_a_view_of_raw_unless_it_is_computed(
    likelihood, dtype, way
):
    _, raw, _ = data(likelihood, 6, (4, 3, 2), dtype)
    with way():
        mean = likelihood.mean(raw)
    assert (mean.dtype, mean.size, len(mean)) == (np.dtype(dtype), 6 * 24, 6)
    computed = isinstance(likelihood, (Bernoulli, Categorical))
    assert np.shares_memory(mean, raw) is not computed


# The results of a user's likelihood.


class Own(FixedGaussian):
    """It returns the results that it was given."""

    results = None

    def value_and_gradient(self, x, raw, dvalue):
        return self.results


def scored_by(value, gradient):
    own = Own()
    object.__setattr__(own, "results", (value, gradient))
    x, raw, _ = data(own, 6, (4,), "float32")
    return log_prob_and_gradient(own, x, raw, weight=-0.5)


def test_the_result_of_a_library_likelihood_is_returned_unchanged():
    x, raw, _ = data(Bernoulli(), 6, (4,), "float32")
    expected = Bernoulli().value_and_gradient(x, raw, np.full(6, -0.5, "float32"))
    for ours, right in zip(
        log_prob_and_gradient(Bernoulli(), x, raw, weight=-0.5), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, right)


def test_the_result_of_a_users_likelihood_is_copied_in_the_dtype_of_raw():
    value, gradient = np.arange(6), np.ones((6, 4))
    results = scored_by(value, gradient.tolist())
    assert [x.dtype for x in results] == [np.float32, np.float32]
    gradient = gradient.astype("float32")
    _, copied = scored_by(value, gradient)
    assert not np.shares_memory(copied, gradient)
    np.testing.assert_array_equal(copied, gradient)


@pytest.mark.parametrize(
    ("value", "gradient", "text"),
    [
        (
            np.ones(5),
            np.ones((6, 4)),
            r"value_and_gradient gave value of shape \(5,\).*, wants shape \(6,\)",
        ),
        (
            np.ones(6),
            np.ones((6, 3)),
            r"value_and_gradient gave gradient of .*, wants shape \(6, 4\)",
        ),
        (None, np.ones((6, 4)), r"value_and_gradient gave no value, wants shape \(6,\)"),
    ],
)
def test_the_error_about_a_wrong_result_names_the_likelihood(value, gradient, text):
    with pytest.raises(ShapeError, match=rf"^Own\(variance=1.0\)\.{text}"):
        scored_by(value, gradient)

"""The importance-weighted bound: its value, its weights, and its gradients."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import passes

import scratchgen as sg
from scratchgen import kernels
from scratchgen.distributions import Bernoulli, gaussian, importance_draws
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.losses import importance_weights

both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
few = settings(max_examples=max(3, settings().max_examples // 4))
needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


def drawn(n, draws, seed=0, dtype="float64"):
    """log w (N, K), some nats apart."""
    return (3 * np.random.default_rng(seed).standard_normal((n, draws)) - 90).astype(dtype)


@both_ways
@each_dtype
@pytest.mark.parametrize(("n", "draws"), [(1, 1), (3, 2), (5, 7), (2, 1000), (300, 5), (0, 3)])
def test_the_bound_is_the_logarithm_of_the_mean_weight(n, draws, dtype, way):
    log_w = drawn(n, draws, dtype=dtype)
    with way():
        bound, weights = importance_weights(log_w)
    assert (bound.shape, weights.shape) == ((n,), (n, draws))
    assert bound.dtype == weights.dtype == np.dtype(dtype)
    for log_w_n, found, shares in zip(log_w.tolist(), bound, weights, strict=True):
        w = [math.exp(x + 90) for x in log_w_n]
        wanted = math.log(math.fsum(w) / draws) - 90
        np.testing.assert_allclose(found, wanted, rtol=8 * EPS[dtype])
        total = math.fsum(w)
        np.testing.assert_allclose(shares, [x / total for x in w], rtol=40 * EPS[dtype])


@both_ways
@each_dtype
def test_one_draw_gives_its_log_weight_as_the_bound_and_the_share_1(dtype, way):
    log_w = np.array([[-87.3], [0.0], [1e4], [-1e6], [3e-9]], dtype)
    with way():
        bound, weights = importance_weights(log_w)
    assert bound.tolist() == log_w[:, 0].tolist()
    assert weights.tolist() == [[1.0]] * 5


@both_ways
def test_the_best_draw_has_the_largest_share(way):
    log_w = drawn(50, 6, seed=1)
    with way():
        _, weights = importance_weights(log_w)
    assert (weights.argmax(axis=1) == log_w.argmax(axis=1)).all()
    assert (weights.argsort(axis=1) == log_w.argsort(axis=1)).all()
    np.testing.assert_allclose(importance_weights(np.log([[1.0, 3.0]]))[1], [[0.25, 0.75]])


@both_ways
@each_dtype
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32))
def test_shares_sum_to_one_and_the_bound_lies_between_the_mean_and_the_best(
    way, dtype, n, draws, seed
):
    log_w = drawn(n, draws, seed, dtype)
    with way():
        bound, weights = importance_weights(log_w)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=8 * EPS[dtype])
    slack = 400 * EPS[dtype]
    assert (bound >= log_w.astype("float64").mean(axis=1) - slack).all()  # Jensen's inequality
    assert (bound <= log_w.max(axis=1) + slack).all()
    assert (bound >= log_w.max(axis=1) - math.log(draws) - slack).all()


@both_ways
@each_dtype
def test_bound_and_shares_are_finite_where_weights_leave_the_range_of_floats(dtype, way):
    log_w = np.array([[-1e4, -1e4, -1e4], [1e4, 0, -1e4], [-2e5, -1e5, -1e5]], dtype)
    with way(), np.errstate(over="raise", invalid="raise", divide="raise"):
        bound, weights = importance_weights(log_w)
    wanted = [-1e4, 1e4 - math.log(3), -1e5 + math.log(2 / 3)]
    np.testing.assert_allclose(bound, wanted, rtol=4 * EPS[dtype])
    shares = [[1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0, 0.5, 0.5]]
    np.testing.assert_allclose(weights, shares, rtol=4 * EPS[dtype])


@both_ways
def test_a_weight_of_0_has_the_share_0_and_nan_stays_nan(way):
    log_w = np.array([[-np.inf, 0.0, 0.0], [np.nan, 0.0, 1.0], [0.0, 1.0, np.nan]])
    with way():
        bound, weights = importance_weights(log_w)
    assert weights[0].tolist() == [0, 0.5, 0.5]
    assert bound[0] == pytest.approx(math.log(2 / 3))
    assert np.isnan(bound[1:]).all()
    assert np.isnan(weights[1:]).all()


@few
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_the_shares_are_the_derivative_of_the_bound(n, draws, seed):
    log_w = np.random.default_rng(seed).standard_normal((n, draws))
    passes(
        sg.check_pair(
            lambda log_w: importance_weights(log_w)[0],
            lambda dbound, log_w: dbound[:, None] * importance_weights(log_w)[1],
            (log_w,),
            batch_axis=0,
        )
    )


# A model whose log p(x) is known: z ~ N(0, 1), x ~ N(z, 1), and so x ~ N(0, 2).

X = 1.3
HEADS = np.array([[0.2, -0.1]])  # of a q other than the posterior N(x/2, 1/2)


def log_normal(x, mean, variance):
    return -(np.log(2 * np.pi * variance) + (x - mean) ** 2 / variance) / 2


def estimates(draws, count, seed=0):
    """The bounds (N,) of `count` sets of K draws, and both gradients by the heads (N, 2)."""
    heads = np.repeat(HEADS, count, axis=0)  # (N, 2)
    noise = np.random.default_rng(seed).standard_normal((count * draws, 1))  # (N K, 1)
    z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
    log_w = (log_ratio + log_normal(X, z[:, 0], 1)).reshape(count, draws)  # (N, K)
    bound, weights = importance_weights(log_w)
    gradients = []
    for backward, dratio in (
        (importance_draws.draws_and_log_ratio_backward, weights.reshape(-1)),
        (importance_draws.draws_path_backward, weights.reshape(-1) ** 2),
    ):
        gradients.append(backward(heads, noise, z, dratio[:, None] * (X - z), dratio))
    return bound, *gradients


def test_more_draws_bound_the_log_probability_more_tightly_and_never_exceed_it():
    means, wanted = [], log_normal(X, 0, 2)
    for draws in (1, 5, 50):
        bound, _, _ = estimates(draws, 100_000 // draws + 1000)
        spread = bound.std() / np.sqrt(len(bound))
        means.append(bound.mean())
        assert bound.mean() < wanted + 5 * spread
    assert means[0] < means[1] < means[2]
    assert means[2] == pytest.approx(wanted, abs=0.02)


def test_the_mean_bound_of_one_draw_is_the_elbo():
    bound, _, _ = estimates(1, 200_000)
    mu, log_var = HEADS[:, :1], HEADS[:, 1:]
    variance = np.exp(log_var[0, 0])
    of_data = log_normal(X, mu[0, 0], 1) - variance / 2  # E_q[log p(x|z)]
    elbo = of_data - gaussian.kl_to_standard(mu, log_var)[0]
    assert abs(bound.mean() - elbo) < 5 * bound.std() / np.sqrt(len(bound))


@pytest.mark.parametrize("draws", [1, 2, 5, 20])
def test_the_doubly_reparameterised_gradient_has_the_mean_of_the_total_one_and_less_noise(draws):
    _, total, path = estimates(draws, 100_000)
    difference = total - path
    spread = difference.std(axis=0) / np.sqrt(len(difference))
    assert (np.abs(difference.mean(axis=0)) < 5 * spread).all()
    assert (np.abs(path.mean(axis=0)) > 5 * path.std(axis=0) / np.sqrt(len(path))).all()
    assert (path.std(axis=0) < total.std(axis=0)).all()


def test_the_path_gradient_is_biased_if_the_weights_are_not_squared():
    """For K = 2."""
    heads = np.repeat(HEADS, 100_000, axis=0)
    noise = np.random.default_rng(0).standard_normal((200_000, 1))
    z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
    log_w = (log_ratio + log_normal(X, z[:, 0], 1)).reshape(-1, 2)
    shares = importance_weights(log_w)[1].reshape(-1)
    dz = shares[:, None] * (X - z)
    biased = importance_draws.draws_path_backward(heads, noise, z, dz, shares)
    _, total, _ = estimates(2, 100_000)
    spread = (biased - total).std(axis=0) / np.sqrt(len(total))
    assert (np.abs((biased - total).mean(axis=0)) > 10 * spread).all()


def test_the_signal_to_noise_ratio_falls_with_k_for_the_total_gradient_and_rises_for_the_other():
    ratios = []
    for draws in (2, 128):
        _, total, path = estimates(draws, 20_000)
        ratios.append([np.abs(d.mean(axis=0)) / d.std(axis=0) for d in (total, path)])
    (total_few, path_few), (total_many, path_many) = ratios
    assert (total_many < total_few).all()
    assert (path_many > path_few).all()


# A whole step, with a decoder that is one product.

DRAWS = 3


def step(x, heads, noise, w, dw):
    """The mean bound, and its total and path gradients by the heads; the gradient by w goes to dw.

    x (N, 2, 2), heads (N, 2Z), noise (N K, Z), w (Z, 4).
    """
    n = len(x)
    z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)  # (N K, Z), (N K,)
    raw = kernels.times(z, w).reshape(n * DRAWS, 2, 2)
    dvalue = kernels.full((n * DRAWS,), 1 / n, w.dtype)  # (N K,)
    log_p, d_raw = Bernoulli().value_and_gradient(kernels.repeat(x, DRAWS), raw, dvalue)
    bound, weights = importance_weights(kernels.add(log_p, log_ratio).reshape(n, DRAWS))
    shares = weights.reshape(n * DRAWS)  # (N K,)
    d_raw = kernels.scale_rows(d_raw, shares).reshape(n * DRAWS, 4)
    kernels.clear(dw)
    kernels.add_outer(z, d_raw, into=dw)
    dz, dratio = kernels.times_transpose(d_raw, w), kernels.scale(shares, 1 / n)
    total = importance_draws.draws_and_log_ratio_backward(heads, noise, z, dz, dratio)
    squared = kernels.scale_rows(dz, shares), kernels.scale_rows(dratio, shares)
    path = importance_draws.draws_path_backward(heads, noise, z, *squared)
    return kernels.mean(bound), total, path


def arguments(seed, dtype="float64"):
    """x, heads, noise and w of a step, for 4 examples and 2 latents."""
    rng = np.random.default_rng(seed)
    x = (rng.random((4, 2, 2)) < 0.5).astype(dtype)
    shapes = ((4, 4), (4 * DRAWS, 2), (2, 4))
    return [x, *(rng.standard_normal(shape).astype(dtype) for shape in shapes)]


@few
@given(st.integers(0, 2**32))
def test_the_gradients_of_a_whole_step_are_those_of_its_mean_bound(seed):
    x, heads, noise, w = arguments(seed)

    def gradients(dbound, heads, w):
        dw = np.zeros_like(w)
        _, total, _ = step(x, heads, noise, w, dw)
        return dbound * total, dbound * dw

    def value(heads, w):
        return step(x, heads, noise, w, np.zeros(w.shape, np.result_type(heads, w)))[0]

    passes(sg.check_pair(value, gradients, (heads, w)))


@pytest.mark.parametrize("way", [by_formulas, pytest.param(by_loops, marks=needs_numba)])
@each_dtype
def test_a_whole_step_is_replayed_to_the_bit(dtype, way):
    given, dw = arguments(0, dtype), np.zeros((2, 4), dtype)
    workspace = Workspace(guards=True, fills=True)
    with way():
        with workspace.step(), recording() as notes:
            results = step(*given, dw)
        assert not notes.foreign_arrays([*given, dw], workspace)
        plan = Plan(notes, threads=1)
        for seed in (1, 2, 3):
            for old, new in zip(given, arguments(seed, dtype), strict=True):
                old[...] = new
            workspace.poison()
            plan.run()
            by_plan = [array.tobytes() for array in (*results, dw)]
            assert by_plan == [array.tobytes() for array in (*step(*given, dw), dw)]

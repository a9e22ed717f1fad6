"""K draws for each example, and log p(z) - log q(z|x): the values, and two kinds of derivative."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import passes

import scratchgen as sg
from scratchgen.distributions import gaussian, importance_draws
from scratchgen.ground.errors import ShapeError
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.workspaces import Workspace

both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_size = pytest.mark.parametrize(
    ("n", "draws", "latents"), [(1, 1, 1), (3, 1, 2), (1, 4, 3), (5, 3, 17), (2, 50, 4)]
)
few = settings(max_examples=max(3, settings().max_examples // 4))
seeds = st.integers(0, 2**32)
TINY = 1e-30  # a complex step


def drawn(n, draws, latents, seed=0, dtype="float64"):
    """heads (N, 2Z), noise and dz (N K, Z), dratio (N K,)."""
    rng = np.random.default_rng(seed)
    shapes = ((n, 2 * latents), (n * draws, latents), (n * draws, latents), (n * draws,))
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def log_normal(x, mean, variance):
    return -(math.log(2 * math.pi * variance) + (x - mean) ** 2 / variance) / 2


@both_ways
@each_size
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_draw_is_mu_plus_std_times_noise_and_its_log_ratio_that_of_the_two_densities(
    n, draws, latents, dtype, way
):
    heads, noise, _, _ = drawn(n, draws, latents, dtype=dtype)
    with way():
        z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
    assert (z.shape, log_ratio.shape) == ((n * draws, latents), (n * draws,))
    assert z.dtype == log_ratio.dtype == np.dtype(dtype)
    close = {"rtol": 30 * np.finfo(dtype).eps, "atol": 30 * latents * np.finfo(dtype).eps}
    for i in range(n):
        for k in range(draws):
            row, total = i * draws + k, 0.0
            for j in range(latents):
                mu, variance = float(heads[i, j]), math.exp(heads[i, latents + j])
                wanted = mu + math.sqrt(variance) * float(noise[row, j])
                np.testing.assert_allclose(z[row, j], wanted, **close)
                total += log_normal(wanted, 0, 1) - log_normal(wanted, mu, variance)
            np.testing.assert_allclose(log_ratio[row], total, **close)


def test_the_mean_log_ratio_over_many_draws_is_minus_the_kl():
    heads, (noise,) = drawn(2, 1, 3)[0], [np.random.default_rng(1).standard_normal((200_000, 3))]
    _, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
    mu, log_var = np.split(heads, 2, axis=1)
    by_example = log_ratio.reshape(2, -1)  # (N, K)
    spread = by_example.std(axis=1) / np.sqrt(by_example.shape[1])
    error = by_example.mean(axis=1) + gaussian.kl_to_standard(mu, log_var)
    assert (np.abs(error) < 5 * spread).all()


def test_the_mean_of_the_weights_p_over_q_is_one():
    """E_q[p(z) / q(z)] = 1, with a q wide enough for the mean to converge."""
    heads = np.array([[0.3, -0.2, 0.4, 0.6]])
    noise = np.random.default_rng(1).standard_normal((200_000, 2))
    _, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
    w = np.exp(log_ratio)
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w))


# Derivatives.


@few
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), seeds)
def test_the_total_derivative_is_that_of_the_draws_and_their_log_ratios(n, draws, latents, seed):
    heads, noise, _, _ = drawn(n, draws, latents, seed)

    def back(dy, heads, noise):
        z, _ = importance_draws.draws_and_log_ratio(heads, noise)
        return importance_draws.draws_and_log_ratio_backward(heads, noise, z, *dy), None

    passes(sg.check_pair(importance_draws.draws_and_log_ratio, back, (heads, noise), wrt="heads"))


def by_complex_steps(f, heads):
    """df/dheads of a number f(heads), up to rounding."""
    gradient = np.empty(heads.shape)
    for place in np.ndindex(heads.shape):
        moved = heads.astype(complex)
        moved[place] += TINY * 1j
        gradient[place] = f(moved).imag / TINY
    return gradient


def weighted_sum(heads, heads_of_q, noise, dz, dratio):
    """The sum of <dz, z> and <dratio, log p(z) - log q(z)>, where `heads_of_q` are those of q."""
    latents, total = noise.shape[1], 0
    for row, noise_of_row in enumerate(noise):
        n = row * len(heads) // len(noise)
        for j in range(latents):
            mu, lv = heads[n, j], heads[n, latents + j]
            mu_q, lv_q = heads_of_q[n, j], heads_of_q[n, latents + j]
            z = mu + np.exp(lv / 2) * noise_of_row[j]
            log_q = -(lv_q + (z - mu_q) ** 2 * np.exp(-lv_q)) / 2
            total = total + dz[row, j] * z + dratio[row] * (-(z**2) / 2 - log_q)
    return total


@both_ways
@each_size
def test_the_path_derivative_holds_the_density_of_q_fixed_and_the_total_one_does_not(
    n, draws, latents, way
):
    heads, noise, dz, dratio = drawn(n, draws, latents, seed=4)
    in_total = by_complex_steps(lambda moved: weighted_sum(moved, moved, noise, dz, dratio), heads)
    by_path = by_complex_steps(lambda moved: weighted_sum(moved, heads, noise, dz, dratio), heads)
    with way():
        z, _ = importance_draws.draws_and_log_ratio(heads, noise)
        given = (heads, noise, z, dz, dratio)
        total = importance_draws.draws_and_log_ratio_backward(*given)
        path = importance_draws.draws_path_backward(*given)
    np.testing.assert_allclose(total, in_total, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(path, by_path, rtol=1e-12, atol=1e-11)
    assert np.abs(path - total).max() > 1e-3


@both_ways
def test_the_two_derivatives_differ_by_that_of_log_q(way):
    heads, noise, dz, dratio = drawn(3, 4, 2, seed=2)
    with way():
        z, _ = importance_draws.draws_and_log_ratio(heads, noise)
        given = (heads, noise, z, dz, dratio)
        total, path = (
            importance_draws.draws_and_log_ratio_backward(*given),
            importance_draws.draws_path_backward(*given),
        )
    mu, log_var = (np.repeat(half, 4, axis=0) for half in np.split(heads, 2, axis=1))
    score = gaussian.log_prob_gradients(z, mu, log_var, dratio)
    wanted = np.concatenate([score.mu, score.log_var], axis=1).reshape(3, 4, 4).sum(axis=1)
    np.testing.assert_allclose(path - total, wanted, rtol=1e-10, atol=1e-12)


def test_the_two_derivatives_have_the_same_mean_over_many_draws():
    n_draws, heads = 200_000, drawn(1, 1, 2, seed=5)[0]
    noise = np.random.default_rng(0).standard_normal((n_draws, 2))
    repeated = np.repeat(heads, n_draws, axis=0)  # an example for each draw, so none are summed
    z, _ = importance_draws.draws_and_log_ratio(repeated, noise)
    given = (repeated, noise, z, np.zeros_like(z), np.ones(n_draws))
    total, path = (
        importance_draws.draws_and_log_ratio_backward(*given),
        importance_draws.draws_path_backward(*given),
    )
    difference = (path - total).mean(axis=0)
    assert (np.abs(difference) < 5 * (path - total).std(axis=0) / np.sqrt(n_draws)).all()
    mu, log_var = np.split(heads, 2, axis=1)
    of_kl = gaussian.kl_to_standard_gradients(mu, log_var, np.ones(1))
    wanted = -np.concatenate([of_kl.mu, of_kl.log_var], axis=1)[0]
    for found in (total, path):
        spread = found.std(axis=0) / np.sqrt(n_draws)
        assert (np.abs(found.mean(axis=0) - wanted) <= 5 * spread + 1e-12).all()


@both_ways
def test_at_the_true_posterior_the_path_derivative_is_0_for_any_noise(way):
    """z ~ N(0, 1), x ~ N(z, 1): the posterior is N(x/2, 1/2), where log w is log p(x) itself."""
    x = np.array([[0.8], [-2.0], [0.1]])
    heads = np.concatenate([x / 2, np.full_like(x, np.log(0.5))], axis=1)
    noise = np.random.default_rng(3).standard_normal((3 * 6, 1))
    x_of_draws = np.repeat(x, 6, axis=0)
    with way():
        z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
        given = (heads, noise, z, x_of_draws - z, np.ones(18))
        path, total = (
            importance_draws.draws_path_backward(*given),
            importance_draws.draws_and_log_ratio_backward(*given),
        )
    log_w = log_ratio + log_normal(x_of_draws, z, 1)[:, 0]
    np.testing.assert_allclose(log_w, log_normal(x_of_draws, 0, 2)[:, 0], rtol=1e-12)
    np.testing.assert_allclose(path, 0, atol=1e-13)
    assert np.abs(total).min() > 1e-2


@both_ways
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("log_var", [-160.0, 80.0])
def test_draws_and_derivatives_are_finite_for_variances_far_from_one(log_var, dtype, way):
    heads, noise, dz, dratio = drawn(2, 3, 2, dtype=dtype)
    heads[:, 2:] = log_var
    with way():
        z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
        given = (heads, noise, z, dz, dratio)
        gradients = [
            importance_draws.draws_and_log_ratio_backward(*given),
            importance_draws.draws_path_backward(*given),
        ]
    for array in (z, log_ratio, *gradients):
        assert array.dtype == np.dtype(dtype)
        assert np.isfinite(array).all()
    if log_var < 0:
        np.testing.assert_allclose(z, np.repeat(heads[:, :2], 3, axis=0), rtol=1e-6)


@both_ways
def test_every_number_of_the_results_is_written(way):
    heads, noise, dz, dratio = drawn(3, 4, 5, dtype="float32")

    def results():
        z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)
        given = (heads, noise, z, dz, dratio)
        back, path = (
            importance_draws.draws_and_log_ratio_backward(*given),
            importance_draws.draws_path_backward(*given),
        )
        return z, log_ratio, back, path

    with way():
        wanted = results()
        with Workspace(fills=True, guards=True).step():
            found = results()
    for ours, right in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, right)


@both_ways
@pytest.mark.parametrize("rows", [0, 2, 4, 5])
def test_noise_without_the_same_number_of_draws_for_each_example_is_refused(rows, way):
    with way(), pytest.raises(ShapeError, match="noise has shape"):
        importance_draws.draws_and_log_ratio(np.zeros((3, 4)), np.zeros((rows, 2)))

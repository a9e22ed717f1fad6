"""Densities, divergences and draws: their gradients, and what they mean."""

import itertools

import numpy as np
import pytest
from differences import assert_close, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import errors
from scratchgen.distributions import (
    LIKELIHOODS,
    Bernoulli,
    Gaussian,
    bernoulli,
    build_likelihood,
    describe_likelihood,
    gaussian,
    likelihood_for,
)

seeds = st.integers(0, 2**32)
counts = st.integers(1, 5)


def drawn(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


@given(counts, counts, seeds)
def test_gradients_of_a_reparameterised_draw(n, size, seed):
    mu, log_var, noise, dz = drawn(seed, *[(n, size)] * 4)
    d = gaussian.draw_gradients(log_var, noise, dz)

    def value():
        return float((dz * gaussian.draw(mu, log_var, noise)).sum())

    assert_close(d.mu, numeric_gradient(value, mu), "mu")
    assert_close(d.log_var, numeric_gradient(value, log_var), "log_var")


@given(counts, counts, seeds)
def test_gradients_of_the_kl_divergence(n, size, seed):
    mu, log_var, dvalue = drawn(seed, (n, size), (n, size), (n,))
    d = gaussian.kl_to_standard_gradients(mu, log_var, dvalue)

    def value():
        return float(dvalue @ gaussian.kl_to_standard(mu, log_var))

    assert_close(d.mu, numeric_gradient(value, mu), "mu")
    assert_close(d.log_var, numeric_gradient(value, log_var), "log_var")


@given(counts, counts, seeds)
def test_gradients_of_the_gaussian_log_density(n, size, seed):
    x, mu, log_var, dvalue = drawn(seed, (n, size, 2), (n, size, 2), (n, size, 2), (n,))
    d = gaussian.log_prob_gradients(x, mu, log_var, dvalue)

    def value():
        return float(dvalue @ gaussian.log_prob(x, mu, log_var))

    for name, array in (("x", x), ("mu", mu), ("log_var", log_var)):
        assert_close(getattr(d, name), numeric_gradient(value, array), name)


@given(counts, counts, seeds)
def test_gradients_of_the_bernoulli_log_probability(n, size, seed):
    logits, dvalue = drawn(seed, (n, size, 2), (n,))
    x = np.random.default_rng(seed).random((n, size, 2))

    def value():
        return float(dvalue @ bernoulli.log_prob(x, logits))

    d = bernoulli.log_prob_gradients(x, logits, dvalue)
    assert_close(d.logits, numeric_gradient(value, logits), "logits")


@given(st.sampled_from(sorted(LIKELIHOODS)), counts, counts, seeds)
def test_gradients_of_every_likelihood_with_respect_to_what_the_decoder_gives(name, n, size, seed):
    likelihood = LIKELIHOODS[name]()
    shape = (size, 2)
    raw, dvalue = drawn(seed, (n, *likelihood.raw_shape(shape)), (n,))
    x = np.random.default_rng(seed).random((n, *shape))

    def value():
        return float(dvalue @ likelihood.log_prob(x, raw))

    assert_close(likelihood.raw_gradient(x, raw, dvalue), numeric_gradient(value, raw), "raw")


def test_gaussian_gradient_where_the_least_variance_rules():
    likelihood = Gaussian(least_variance=0.5)
    x, raw = np.array([[0.3, -0.2]]), np.array([[0.1, 0.4, -1.0, -6.0]])

    def value():
        return float(likelihood.log_prob(x, raw)[0])

    numeric = numeric_gradient(value, raw)
    assert_close(likelihood.raw_gradient(x, raw, np.ones(1)), numeric, "raw")


def test_the_declared_variance_is_the_drawn_variance():
    log_var = np.full((200_000, 1), np.log(4.0))
    noise = np.random.default_rng(0).standard_normal(log_var.shape)
    z = gaussian.draw(np.full_like(log_var, 3.0), log_var, noise)
    assert z.mean() == pytest.approx(3, abs=0.02)
    assert z.var() == pytest.approx(4, rel=0.02)


def test_kl_agrees_with_monte_carlo():
    mu, log_var = np.array([[0.7, -1.2, 0.1]]), np.array([[0.5, -0.9, 0.0]])
    noise = np.random.default_rng(0).standard_normal((400_000, 3))
    z = gaussian.draw(mu, log_var, noise)
    zero = np.zeros_like(z)
    estimate = gaussian.log_prob(z, zero + mu, zero + log_var) - gaussian.log_prob(z, zero, zero)
    spread = estimate.std() / np.sqrt(len(z))
    assert abs(estimate.mean() - gaussian.kl_to_standard(mu, log_var)[0]) < 4 * spread


def test_kl_at_hand_computed_numbers():
    assert gaussian.kl_to_standard(np.zeros((1, 2)), np.zeros((1, 2)))[0] == 0
    assert gaussian.kl_to_standard(np.array([[3.0]]), np.zeros((1, 1)))[0] == pytest.approx(4.5)
    four = np.log([[4.0]])
    assert gaussian.kl_to_standard(np.zeros((1, 1)), four)[0] == pytest.approx(1.5 - np.log(2))


def test_kl_of_a_posterior_near_the_prior_keeps_its_digits_in_float32():
    log_var = np.full((1, 1), 1e-3, np.float32)
    value = gaussian.kl_to_standard(np.zeros_like(log_var), log_var)[0]
    assert value == pytest.approx(0.25e-6, rel=1e-3)


def test_bernoulli_probabilities_sum_to_one_over_all_binary_pictures():
    logits = np.array([0.3, -2.0, 1.7, 40.0])
    x = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    total = np.exp(bernoulli.log_prob(x, np.tile(logits, (16, 1)))).sum()
    assert total == pytest.approx(1, rel=1e-12)


def test_the_gaussian_density_integrates_to_one():
    x = np.linspace(-30, 30, 60_001)[:, None]
    density = np.exp(gaussian.log_prob(x, np.full_like(x, 0.5), np.full_like(x, 1.3)))
    assert density.sum() * 1e-3 == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_draws_have_the_mean_that_the_likelihood_states(name):
    likelihood = LIKELIHOODS[name]()
    raw = np.tile(np.array([[-1.0, 0.5, 2.0, -0.3]], np.float32), (100_000, 1))
    draws = likelihood.draw(raw, np.random.default_rng(0))
    assert draws.dtype == np.float32
    np.testing.assert_allclose(draws.mean(axis=0), likelihood.mean(raw)[0], atol=0.02)


def test_a_gaussian_draw_has_the_variance_that_the_decoder_states():
    raw = np.tile([[0.0, np.log(9.0)]], (100_000, 1))
    assert Gaussian().draw(raw, np.random.default_rng(0)).var() == pytest.approx(9, rel=0.03)


def test_bernoulli_draws_are_zeros_and_ones():
    draws = Bernoulli().draw(np.zeros((100, 5), np.float32), np.random.default_rng(0))
    assert set(np.unique(draws)) == {0, 1}


def test_scores_of_certain_pixels_are_finite():
    x, logits = np.array([[0.0, 1.0]]), np.array([[-1000.0, 1000.0]])
    assert bernoulli.log_prob(x, logits)[0] == 0
    assert bernoulli.log_prob(1 - x, logits)[0] == -2000


def test_none_is_bernoulli_for_pictures_and_gaussian_for_vectors():
    assert isinstance(likelihood_for(None, (28, 28, 1)), Bernoulli)
    assert isinstance(likelihood_for(None, (2,)), Gaussian)
    given_one = Gaussian(0.1)
    assert likelihood_for(given_one, (2,)) is given_one
    with pytest.raises(errors.OptionError, match="did you mean 'bernoulli'"):
        likelihood_for("bernouli", (2,))


def test_a_likelihood_is_described_with_all_its_settings():
    assert build_likelihood(describe_likelihood(Gaussian(0.25))) == Gaussian(0.25)
    with pytest.raises(errors.OptionError, match="above 0"):
        Gaussian(0)

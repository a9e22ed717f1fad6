"""Densities, divergences and draws: their values, gradients and moments."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import passes

import scratchgen as sg
from scratchgen.distributions import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    FixedGaussian,
    Gaussian,
    MeanSquaredError,
    SharedGaussian,
    bernoulli,
    categorical,
    gaussian,
    likelihood_for,
)
from scratchgen.ground import errors
from scratchgen.ground.parts import build, describe

seeds = st.integers(0, 2**32)
counts = st.integers(1, 5)
few = settings(max_examples=max(3, settings().max_examples // 4))  # each takes hundreds of passes
CLASSES = 3
SETTINGS = {"categorical": {"classes": CLASSES}, "gaussian_fixed": {"variance": 0.3}}
each_likelihood = pytest.mark.parametrize("name", sorted(LIKELIHOODS))


# whose moments `stated_moments` computes
WITH_MOMENTS = ("bernoulli", "categorical", "gaussian_fixed", "mse", "gaussian_shared", "gaussian")


def likelihood_named(name: str):
    """A likelihood with settings for these tests."""
    return LIKELIHOODS[name](**SETTINGS.get(name, {}))


def some_x(name: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Examples that the likelihood of that name can score."""
    rng = np.random.default_rng(seed)
    if name == "categorical":
        return rng.integers(CLASSES, size=shape).astype(float)
    return rng.random(shape)


def drawn(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def checked(f, gradients, args, wrt=None):
    """The checker's report on f, which returns a value for each example."""
    return sg.check_pair(f, gradients, args, wrt=wrt, batch_axis=0)


@few
@given(counts, counts, seeds)
def test_gradients_of_a_reparameterised_draw(n, size, seed):
    def draw_gradients(dz, mu, log_var, noise):
        d = gaussian.draw_gradients(log_var, noise, dz)
        return d.mu, d.log_var, None

    args = drawn(seed, *[(n, size)] * 3)
    passes(checked(gaussian.draw, draw_gradients, args, wrt=("mu", "log_var")))


@few
@given(counts, counts, seeds)
def test_gradients_of_the_kl_divergence(n, size, seed):
    def gradients(dvalue, mu, log_var):
        return gaussian.kl_to_standard_gradients(mu, log_var, dvalue)

    passes(checked(gaussian.kl_to_standard, gradients, drawn(seed, (n, size), (n, size))))


@few
@given(counts, counts, seeds)
def test_gradients_of_the_gaussian_log_density(n, size, seed):
    def gradients(dvalue, x, mu, log_var):
        return gaussian.log_prob_gradients(x, mu, log_var, dvalue)

    passes(checked(gaussian.log_prob, gradients, drawn(seed, *[(n, size, 2)] * 3)))


@few
@given(counts, counts, seeds)
def test_gradients_of_the_bernoulli_log_probability(n, size, seed):
    def gradients(dvalue, x, logits):
        return bernoulli.log_prob_gradients(x, logits, dvalue)

    (logits,) = drawn(seed, (n, size, 2))
    x = np.random.default_rng(seed).random((n, size, 2))
    passes(checked(bernoulli.log_prob, gradients, (x, logits), wrt="logits"))


@few
@given(counts, counts, st.integers(2, 4), seeds)
def test_gradients_of_the_categorical_log_probability(n, size, classes, seed):
    def gradients(dvalue, labels, logits):
        return categorical.log_prob_gradients(labels, logits, dvalue)

    (logits,) = drawn(seed, (n, size, 2, classes))
    labels = np.random.default_rng(seed).integers(classes, size=(n, size, 2))
    passes(checked(categorical.log_prob, gradients, (labels, logits)))


@few
@given(
    st.sampled_from(sorted(LIKELIHOODS)),
    counts,
    st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    seeds,
)
def test_gradients_of_every_likelihood_with_respect_to_raw(name, n, shape, seed):
    likelihood, x = likelihood_named(name), some_x(name, seed, (n, *shape))
    passes(sg.check(likelihood, x, seed=seed))
    (raw,) = drawn(seed, (n, *likelihood.raw_shape(shape)))
    assert likelihood.log_prob(x, raw).shape == (n,)


@pytest.mark.parametrize(
    ("likelihood", "raw"),
    [(Gaussian(0.5), [[0.1, 0.4, -1.0, -6.0]]), (SharedGaussian(0.5), [[0.1, 0.4, -2.0]])],
)
def test_the_gaussian_gradient_where_the_variance_is_near_its_least_value(likelihood, raw):
    def gradient(dvalue, x, raw):
        return None, likelihood.raw_gradient(x, raw, dvalue)

    report = checked(likelihood.log_prob, gradient, (np.array([[0.3, -0.2]]), np.array(raw)), "raw")
    assert report.ok, report


def test_draws_have_the_mean_and_variance_of_the_gaussian():
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


def test_the_kl_of_a_posterior_near_the_prior_loses_no_digits_in_float32():
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


def test_categorical_probabilities_sum_to_one_over_all_examples():
    logits = np.array([[0.3, -2.0, 1.7], [40.0, 0.0, -3.0]])
    x = np.array(list(itertools.product(range(3), repeat=2)))
    total = np.exp(categorical.log_prob(x, np.tile(logits, (9, 1, 1)))).sum()
    assert total == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    "likelihood", [FixedGaussian(0.7), MeanSquaredError(), SharedGaussian(0.2), Gaussian(0.2)]
)
def test_gaussian_likelihoods_integrate_to_one_over_the_plane(likelihood):
    raw = np.array([[0.5, -0.3, 0.4, 0.1]])[:, : likelihood.raw_shape((2,))[0]]
    side = np.arange(-20, 20, 0.2)
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    density = np.exp(likelihood.log_prob(x, np.tile(raw, (len(x), 1))))
    assert density.sum() * 0.2**2 == pytest.approx(1, rel=1e-9)


def test_log_probabilities_at_hand_computed_numbers():
    logits = np.log([[[1.0, 1.0, 2.0], [8.0, 1.0, 1.0]]])
    assert categorical.log_prob(np.array([[2, 0]]), logits)[0] == pytest.approx(np.log(0.5 * 0.8))
    x = np.array([[1.0, 3.0]])
    tau = np.log(2 * np.pi)
    # squares 1 and 4 about the means 0 and 1
    fixed = FixedGaussian(variance=2).log_prob(x, np.array([[0.0, 1.0]]))[0]
    assert fixed == pytest.approx(-tau - np.log(2) - 5 / 4)
    shared = SharedGaussian(0.5).log_prob(x, np.array([[0.0, 1.0, np.log(1.5)]]))[0]
    assert shared == pytest.approx(fixed)
    mse = MeanSquaredError().log_prob(x, np.array([[0.0, 1.0]]))[0]
    assert mse == pytest.approx(-tau - 5 / 2)
    each = Gaussian(0.5).log_prob(x, np.array([[0.0, 1.0, np.log(0.5), np.log(3.5)]]))[0]
    assert each == pytest.approx(-tau - np.log(4) / 2 - 1 / 2 - 4 / 8)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), seeds)
def test_the_mean_squared_error_is_a_likelihood_up_to_a_constant(shape, seed):
    x, mu = drawn(seed, (3, *shape), (3, *shape))
    d = x[0].size
    squares = ((x - mu) ** 2).reshape(3, -1).mean(axis=1)
    wanted = squares + d / 2 * np.log(np.pi * d)
    np.testing.assert_allclose(-MeanSquaredError().log_prob(x, mu), wanted, rtol=1e-12)
    assert MeanSquaredError().variance_for(shape) == d / 2


@given(counts, st.floats(-8, 3), seeds)
def test_a_shared_gaussian_with_a_constant_s_is_a_fixed_gaussian(n, s, seed):
    x, mu, dvalue = drawn(seed, (n, 2, 3, 1), (n, 6), (n,))
    raw = np.concatenate([mu, np.full((n, 1), s)], axis=1)
    shared, fixed = SharedGaussian(0.01), FixedGaussian(np.exp(s) + 0.01)
    flat = x.reshape(n, 6)
    np.testing.assert_allclose(shared.log_prob(x, raw), fixed.log_prob(flat, mu), rtol=1e-10)
    ours, theirs = shared.raw_gradient(x, raw, dvalue), fixed.raw_gradient(flat, mu, dvalue)
    np.testing.assert_allclose(ours[:, :6], theirs, rtol=1e-10)
    draws = [
        likelihood.draw(r, np.random.default_rng(seed))
        for likelihood, r in ((shared, raw), (fixed, mu))
    ]
    np.testing.assert_allclose(*draws, rtol=1e-10)


@given(counts, counts, seeds)
def test_two_classes_are_bernoulli_with_the_difference_of_their_logits(n, size, seed):
    logits, dvalue = drawn(seed, (n, size, 2), (n,))
    x = np.random.default_rng(seed).integers(2, size=(n, size)).astype(float)
    two, difference = Categorical(2), logits[..., 1] - logits[..., 0]
    np.testing.assert_allclose(two.log_prob(x, logits), bernoulli.log_prob(x, difference))
    ours = two.raw_gradient(x, logits, dvalue)
    theirs = bernoulli.log_prob_gradients(x, difference, dvalue).logits
    np.testing.assert_allclose(ours[..., 1], theirs, atol=1e-14)
    np.testing.assert_allclose(ours[..., 0], -theirs, atol=1e-14)


@pytest.mark.parametrize("name", WITH_MOMENTS)
def test_draws_have_the_moments_that_the_likelihood_states(name):
    """Within five standard errors, for an example of three numbers."""
    likelihood, n = likelihood_named(name), 100_000
    size = likelihood.raw_shape((3,))
    raw_of_one = np.random.default_rng(7).standard_normal(size).astype(np.float32)
    raw = np.broadcast_to(raw_of_one, (n, *size)).copy()
    draws = likelihood.draw(raw, np.random.default_rng(0)).astype(np.float64)
    mean, variance = stated_moments(name, likelihood, raw_of_one.astype(np.float64))
    assert draws.shape == (n, 3)
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(variance / n)).all()
    squares = (draws - mean) ** 2
    allowed = 5 * squares.std(axis=0) / np.sqrt(n) + 1e-4
    assert (np.abs(squares.mean(axis=0) - variance) < allowed).all()
    if name != "categorical":
        np.testing.assert_allclose(likelihood.mean(raw)[0], mean, rtol=1e-5)


def stated_moments(name, likelihood, raw):
    """The mean and the variance of each of three numbers."""
    if name == "bernoulli":
        p = 1 / (1 + np.exp(-raw))
        return p, p * (1 - p)
    if name == "categorical":
        p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        mean = p @ np.arange(CLASSES)
        return mean, p @ np.arange(CLASSES) ** 2 - mean**2
    variance = {
        "gaussian_fixed": lambda: np.full(3, 0.3),
        "mse": lambda: np.full(3, 1.5),
        "gaussian_shared": lambda: np.full(3, np.exp(raw[3]) + 1e-6),
        "gaussian": lambda: np.exp(raw[3:]) + 1e-6,
    }
    return raw[:3], variance[name]()


@each_likelihood
def test_float32_stays_float32(name):
    likelihood = likelihood_named(name)
    raw = np.zeros((4, *likelihood.raw_shape((2, 2, 1))), np.float32)
    x = np.ones((4, 2, 2, 1), np.float32)
    results = {
        "log_prob": likelihood.log_prob(x, raw),
        "raw_gradient": likelihood.raw_gradient(x, raw, np.ones(4, np.float32)),
        "mean": likelihood.mean(raw),
        "draw": likelihood.draw(raw, np.random.default_rng(0)),
    }
    assert {key: x.dtype for key, x in results.items()} == dict.fromkeys(results, np.float32)
    assert results["raw_gradient"].shape == raw.shape
    assert results["mean"].size == results["draw"].size == x.size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["bernoulli", "categorical"])
def test_large_logits_are_scored_and_drawn_without_overflow(name, dtype):
    likelihood = likelihood_named(name)
    raw = np.array([[-1e4, 1e4, 0.0], [1e4, -1e4, 1e4]], dtype)
    raw = raw if name == "categorical" else raw[:, :1]
    raw = raw.reshape(2, *likelihood.raw_shape((1,)))
    for label in (0.0, 1.0):
        x = np.full((2, 1), label, dtype)
        assert np.isfinite(likelihood.log_prob(x, raw)).all()
        assert np.isfinite(likelihood.raw_gradient(x, raw, np.ones(2, dtype))).all()
    assert np.isfinite(likelihood.draw(raw, np.random.default_rng(0))).all()


def test_the_log_probability_of_a_class_far_below_the_best_is_the_difference_of_logits():
    logits = np.array([[-1e4, 1e4, 0.0]])
    assert categorical.log_prob(np.array([1]), logits)[0] == 0
    assert categorical.log_prob(np.array([0]), logits)[0] == -2e4


@pytest.mark.parametrize("name", ["gaussian", "gaussian_shared"])
def test_extreme_variances_are_scored_without_overflow(name):
    likelihood = likelihood_named(name)
    raw = np.zeros((2, *likelihood.raw_shape((1,))))
    raw[:, -1] = [-1e4, 1e4]
    assert np.isfinite(likelihood.log_prob(np.ones((2, 1)), raw)).all()
    assert np.isfinite(likelihood.raw_gradient(np.ones((2, 1)), raw, np.ones(2))).all()


def test_the_mean_of_a_categorical_is_the_most_probable_class():
    raw = np.array([[[0.0, 3.0, 1.0], [2.0, -1.0, 0.0]]])
    assert Categorical(3).mean(raw).tolist() == [[1.0, 0.0]]
    np.testing.assert_allclose(categorical.probabilities(raw).sum(axis=-1), 1)


def test_a_gaussian_draw_has_the_variance_that_the_decoder_states():
    raw = np.tile([[0.0, np.log(9.0)]], (100_000, 1))
    assert Gaussian().draw(raw, np.random.default_rng(0)).var() == pytest.approx(9, rel=0.03)


def test_bernoulli_draws_are_zeros_and_ones():
    draws = Bernoulli().draw(np.zeros((100, 5), np.float32), np.random.default_rng(0))
    assert set(np.unique(draws)) == {0, 1}


def test_log_probabilities_of_certain_pixels_are_finite():
    x, logits = np.array([[0.0, 1.0]]), np.array([[-1000.0, 1000.0]])
    assert bernoulli.log_prob(x, logits)[0] == 0
    assert bernoulli.log_prob(1 - x, logits)[0] == -2000


def test_none_is_bernoulli_for_pictures_and_gaussian_for_vectors():
    assert isinstance(likelihood_for(None, (28, 28, 1)), Bernoulli)
    assert isinstance(likelihood_for(None, (2,)), Gaussian)
    own = Gaussian(0.1)
    assert likelihood_for(own, (2,)) is own
    with pytest.raises(errors.OptionError, match="did you mean 'bernoulli'"):
        likelihood_for("bernouli", (2,))


@each_likelihood
def test_a_likelihood_is_described_with_all_its_settings(name):
    likelihood = likelihood_named(name)
    description = describe(likelihood, LIKELIHOODS)
    assert description == {"name": name, **vars(likelihood)}
    assert build(description, LIKELIHOODS) == likelihood


@each_likelihood
def test_every_likelihood_except_the_categorical_can_be_chosen_by_name_alone(name):
    if name == "categorical":
        with pytest.raises(errors.OptionError, match=r"likelihood=Categorical\(classes=10\)"):
            likelihood_for(name, (2,))
    else:
        assert likelihood_for(name, (2,)) == LIKELIHOODS[name]()


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "one", None])
@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (FixedGaussian, "FixedGaussian: variance"),
        (SharedGaussian, "SharedGaussian: least_variance"),
        (Gaussian, "Gaussian: least_variance"),
    ],
)
def test_an_invalid_variance_is_refused_and_the_error_says_what_to_do(kind, setting, value):
    words = (
        f"^{setting}=.*wants a number of at least 1e-30; .*infinite: take a small one, such as 1e-3"
    )
    with pytest.raises(errors.OptionError, match=words):
        kind(value)


@pytest.mark.parametrize("classes", [1, 0, -2, 2.5, True, None])
def test_fewer_than_two_classes_are_refused(classes):
    with pytest.raises(errors.OptionError, match="wants a whole number of at least 2"):
        Categorical(classes)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([[0, 1], [0, 0.5]], r"images\[1, 1\] is 0.5, .*np.round\(3 \* images\)"),
        ([[0, 4], [-1, 0]], r"images\[0, 1\] is 4, wants whole numbers 0 ... 3, .*from 0"),
        ([[0, 3], [-1, 7]], r"images\[1, 0\] is -1"),
        ([[2.5, 3], [1, 0]], r"images\[0, 0\] is 2.5"),
    ],
)
def test_a_number_that_is_not_a_class_is_refused_and_the_error_says_what_to_do(bad, words):
    with pytest.raises(errors.DataError, match=words):
        Categorical(4).check(np.array(bad, np.float32), "images")


def test_whole_numbers_below_the_number_of_classes_are_accepted():
    Categorical(4).check(np.array([[0.0, 3.0], [1.0, 2.0]]))
    Categorical(4).check(np.zeros((0, 2)))

"""What a VAE's numbers mean: the loss and its parts, beta, warm-up, free bits, the bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole_models import LATENT, NOISE, VAES, Whole, network, reals, vae

import scratchgen as sg
from scratchgen.distributions import bernoulli, gaussian
from scratchgen.nn import Tape

every_vae = pytest.mark.parametrize("kind", VAES)
EVALUATED = {"training": False}


def parts(whole, **changed):
    """The value of the objective, and its parts."""
    tape = Tape()
    return whole.objective("vae", tape=tape, **changed), tape.parts


@every_vae
def test_the_loss_is_reconstruction_plus_beta_kl(kind):
    """With the beta of that step and, with free bits, the KL that counts."""
    whole = Whole(kind, 5, 0)
    model = whole.model
    loss, number = parts(whole, **EVALUATED)
    q = model.posterior(whole.x, whole.labels)
    terms = gaussian.kl_terms(q.mu, q.log_var).mean(axis=0)
    assert number["kl"] == pytest.approx(terms.sum(), rel=1e-12)
    beta = {"warm_up": 2.0 * 4 / 10}.get(kind, model.beta)
    counted = np.maximum(terms, model.free_bits).sum()
    assert loss == pytest.approx(number["reconstruction"] + beta * counted, rel=1e-12)


@every_vae
def test_the_reconstruction_is_minus_the_log_likelihood_of_a_draw(kind):
    """z = mu + exp(log_var / 2) noise, by the public methods alone."""
    whole = Whole(kind, 5, 1)
    model, labels = whole.model, whole.labels
    q = model.posterior(whole.x, labels)
    noise = np.random.default_rng(NOISE).standard_normal((5, LATENT))
    raw = model.apply("decoder", q.mu + np.sqrt(np.exp(q.log_var)) * noise, labels)
    expected = -model.likelihood.log_prob(whole.x, raw).mean()
    assert parts(whole, **EVALUATED)[1]["reconstruction"] == pytest.approx(expected, rel=1e-12)


@every_vae
def test_the_elbo_has_a_beta_of_1_whatever_beta_was_trained(kind):
    """Without beta, warm-up and free bits: log p(x|z) - KL for each example."""
    whole = Whole(kind, 5, 0)
    _, number = parts(whole, **EVALUATED)
    bound = whole.model.elbo(whole.x, rng=NOISE, labels=whole.labels)
    assert bound.shape == (5,)
    assert bound.mean() == pytest.approx(-(number["reconstruction"] + number["kl"]), rel=1e-12)


def test_beta_rises_in_equal_steps_and_is_reached_in_the_last_step_of_the_warm_up():
    whole = Whole("warm_up", 4, 0)  # to beta = 2 over 10 steps
    whole.keywords["step"] = None
    loss, number = parts(whole)
    assert loss == pytest.approx(number["reconstruction"] + 2 * number["kl"], rel=1e-14)
    betas = []
    for step in range(13):
        at_step, same = parts(whole, step=step)
        assert same["reconstruction"] == number["reconstruction"]
        betas.append((at_step - same["reconstruction"]) / same["kl"])
    np.testing.assert_allclose(betas[:10], 2 * np.arange(1, 11) / 10, rtol=1e-12)
    np.testing.assert_allclose(betas[9:], 2, rtol=1e-12)
    assert whole.model.beta_at(8) < whole.model.beta_at(9) == whole.model.beta_at(None) == 2


def test_the_gradient_in_a_warm_up_is_that_of_the_beta_of_its_step():
    whole = Whole("warm_up", 4, 0)
    in_warm_up, afterwards = (whole.model.gradient("vae") for _ in range(2))
    whole.objective("vae", in_warm_up, step=3)
    whole.model.beta = 2.0 * 4 / 10
    whole.objective("vae", afterwards, step=None)
    np.testing.assert_allclose(in_warm_up.vector, afterwards.vector, rtol=1e-12)


def test_without_a_warm_up_beta_has_its_value_from_the_first_step():
    whole = Whole("bernoulli", 4, 0)
    assert whole.objective("vae", step=0) == whole.objective("vae", step=None)


def test_free_bits_leave_out_the_latents_below_and_keep_those_above():
    """The gradient of the KL: 0 for a latent below free_bits, whole for a latent above."""
    whole = Whole("free_bits", 6, 0)
    model, weights = whole.model, whole.model.theta("vae")
    q = model.posterior(whole.x)
    kl = gaussian.kl_terms(q.mu, q.log_var).mean(axis=0)
    above = kl > model.free_bits
    assert above.sum() == 1

    def gradient(free_bits, beta=2.0):
        model.free_bits, model.beta = free_bits, beta
        g = model.gradient("vae")
        whole.objective("vae", g)
        return g.vector

    def kl_above(theta):
        weights[:] = theta
        q = model.posterior(whole.x)
        return 2.0 * gaussian.kl_terms(q.mu, q.log_var).mean(axis=0)[above][0]

    def gradient_of_kl(dvalue, theta):
        weights[:] = theta
        return dvalue * (gradient(free) - gradient(0.0, beta=0.0))

    free, theta = model.free_bits, weights.copy()
    report = sg.check_pair(kl_above, gradient_of_kl, (theta,))
    (derivative,) = report.cases[0].blocks  # a difference of gradients overflows at extremes
    assert derivative.verdict == "PASS", report
    weights[:] = theta
    reconstruction = gradient(0.0, beta=0.0)
    np.testing.assert_allclose(gradient(kl.max() + 1), reconstruction, rtol=1e-12)  # all free
    assert not np.allclose(gradient(0.0), gradient(free))  # none is


def test_free_bits_are_nats_of_each_latent_and_the_reported_kl_is_the_true_one():
    whole = Whole("free_bits", 6, 0)
    whole.model.free_bits = 50.0
    loss, number = parts(whole)
    assert loss == pytest.approx(number["reconstruction"] + 2.0 * LATENT * 50)
    assert number["kl"] < 50


def test_the_noise_that_is_drawn_is_the_noise_that_is_differentiated():
    """dL/dlog_var at a decoder that gives z itself: known from the noise in the value."""
    encoder = network(2, 3, 2)
    decoder = sg.nn.Network((1,), sg.nn.Dense(1, 2))
    model = vae(encoder, decoder, sg.distributions.FixedGaussian(1.0), beta=0.0)
    p = model.views
    p.decoder[0].w[:], p.decoder[0].b[:] = [[1.0, 0.0]], 0.0  # the mean of x is (z, 0)
    x = reals(np.random.default_rng(0), 4)[:, :2]
    rng, alone = np.random.default_rng(NOISE), np.random.default_rng(NOISE)
    gradient = model.gradient("vae")
    model.objective("vae", x, rng, gradient)
    noise = alone.standard_normal((4, 1))
    q = model.posterior(x)
    sigma = np.exp(q.log_var / 2)
    z = q.mu + sigma * noise
    dz = (z - x[:, :1]) / 4  # of the mean of (x - z)^2 / 2
    heads = gradient.views.encoder[-1].b  # the biases of mu and of log_var
    np.testing.assert_allclose(heads, [dz.sum(), (dz * noise * sigma / 2).sum()], rtol=1e-12)
    assert rng.random() == alone.random()  # nothing else was drawn


@given(beta=st.floats(0.1, 10), seed=st.integers(0, 2**32))
def test_the_mean_squared_error_keeps_the_meaning_of_beta(beta, seed):
    """mse and a fixed Gaussian of variance D/2 are one model: mean of squares + beta KL + const."""
    models = [
        vae(likelihood=likelihood, beta=beta)
        for likelihood in ("mse", sg.distributions.FixedGaussian(3 / 2))
    ]
    vector = np.random.default_rng(seed).standard_normal(models[0].vector.size) * 0.6
    x = reals(np.random.default_rng(seed), 3)
    for model in models:
        model.vector[:] = vector
    mse, fixed = (model.objective("vae", x, NOISE) for model in models)
    assert mse == pytest.approx(fixed, rel=1e-12)
    q = models[0].posterior(x)
    z = gaussian.draw(q.mu, q.log_var, np.random.default_rng(NOISE).standard_normal(q.mu.shape))
    squares = ((x - models[0].decode(z)) ** 2).mean()
    kl = gaussian.kl_to_standard(q.mu, q.log_var).mean()
    assert mse == pytest.approx(squares + beta * kl + 1.5 * np.log(3 * np.pi), rel=1e-10)


def test_the_elbo_is_a_lower_bound_of_the_likelihood():
    """log p(x) by a sum over a fine grid of z, for a one-dimensional latent."""
    model = vae(network(3, 4, 2), network(1, 4, 3))
    x = np.array([[0.0, 1.0, 1.0]])
    z = np.linspace(-8, 8, 4001)[:, None]
    raw = model.apply("decoder", z)
    log_joint = bernoulli.log_prob(np.tile(x, (len(z), 1)), raw) + gaussian.log_prob(
        z, np.zeros_like(z), np.zeros_like(z)
    )
    log_p = np.log(np.exp(log_joint).sum() * (z[1, 0] - z[0, 0]))
    bound = model.elbo(np.tile(x, (20_000, 1)), rng=0).mean()
    q = model.posterior(x)
    log_q = gaussian.log_prob(z, np.tile(q.mu, z.shape), np.tile(q.log_var, z.shape))
    weights = np.exp(log_q)
    gap = (weights * (log_q - (log_joint - log_p))).sum() * (z[1, 0] - z[0, 0])  # KL(q || p(z|x))
    assert gap > 0
    assert bound == pytest.approx(log_p - gap, abs=0.01)


def test_a_vae_of_binary_pictures_gives_probabilities_that_sum_to_one():
    """sum over all x of p(x|z), for the z of a drawn decoder."""
    model = Whole("bernoulli", 1, 3).model
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * 3)).reshape(3, -1).T  # (8, 3)
    raw = model.apply("decoder", np.full((8, LATENT), 0.3))
    assert np.exp(model.likelihood.log_prob(corners, raw)).sum() == pytest.approx(1, rel=1e-12)

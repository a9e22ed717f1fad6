"""Linear models, where everything is known: moments of samples, the bound, the end of training.

With a linear decoder, x = z W + b + noise of variance s2, the bound has a closed form,

    E[log p(x|z)] = -1/2 [D log(2 pi s2) + (|x - mu W - b|^2 + sum_j var_j |W_j|^2) / s2]      (1)

and is greatest where the model is probabilistic PCA (Tipping and Bishop 1999; Lucas et al. 2019).
With eigenvalues l_1 >= ... >= l_D of the covariance of N centred data, and Z latents, of which k
have l_i > s2, the mean log-likelihood is then

    -1/2 [D log 2 pi + sum_{i<=k} log l_i + (D - k) log s2 + k + sum_{i>k} l_i / s2]           (2)

the KL of each latent in use log(l_i / s2) / 2 (3), and an s2 that is learnt the mean of l_i, i > Z.
"""

import numpy as np
import pytest
from whole_models import gan, reals, vae

from scratchgen.distributions import FixedGaussian, Gaussian, SharedGaussian, gaussian
from scratchgen.nn import Dense, JoinParameters, Network
from scratchgen.optim import Adam, LinearDecay
from scratchgen.train import Trainer

MANY = 200_000


def linear_vae(likelihood, latent=2, size=3, end=()):
    """Linear networks with drawn weights; the posterior has the same spread for all x."""
    model = vae(
        Network((size,), Dense(size, latent), JoinParameters(latent)),
        Network((latent,), Dense(latent, size), *end),
        likelihood,
    )
    model.vector[:] = np.random.default_rng(0).standard_normal(model.vector.size) * 0.7
    return model, model.views.decoder[0]


def assert_moments(x, mean, covariance):
    """Within five standard errors."""
    error = np.abs(x.mean(axis=0) - mean)
    assert (error < 5 * np.sqrt(np.diag(covariance) / len(x))).all()
    centred = x - mean
    products = centred[:, :, None] * centred[:, None, :]
    error = np.abs(products.mean(axis=0) - covariance)
    assert (error < 5 * products.std(axis=0) / np.sqrt(len(x))).all()


def test_samples_of_a_linear_vae_have_its_covariance_with_the_noise_and_without():
    model, p = linear_vae(FixedGaussian(0.3))
    assert_moments(model.sample(MANY, rng=0), p.b, p.w.T @ p.w)
    noisy = model.sample(MANY, rng=1, noise=True)
    assert_moments(noisy, p.b, p.w.T @ p.w + 0.3 * np.eye(3))


def test_samples_of_a_vae_have_the_variance_that_its_decoder_states():
    """With a decoder of constant means (1, -2) and variances 4 and 1/4."""
    model = vae(Network((2,), Dense(2, 2)), Network((1,), Dense(1, 4)), Gaussian())
    p = model.views.decoder[0]
    p.w[:], p.b[:] = 0, [1, -2, np.log(4), np.log(0.25)]
    assert_moments(model.sample(MANY, rng=0, noise=True), [1, -2], np.diag([4, 0.25]))


def test_samples_of_a_linear_generator_have_its_covariance():
    model = gan("minimax", Network((2,), Dense(2, 3)))
    p = model.views.generator[0]
    p.b[:] = [1.0, -2.0, 0.5]
    assert_moments(model.sample(MANY, rng=0), p.b, p.w.T @ p.w)


def exact_elbo(model, p, s2, x):
    """(1) - KL for each example."""
    q = model.posterior(x)
    d = x.shape[1]
    squares = ((x - q.mu @ p.w - p.b) ** 2).sum(axis=1)
    squares += (np.exp(q.log_var) * (p.w**2).sum(axis=1)).sum(axis=1)
    reconstruction = (d * np.log(2 * np.pi * s2) + squares / s2) / 2
    return -reconstruction - gaussian.kl_to_standard(q.mu, q.log_var)


def test_the_elbo_is_on_average_its_closed_form():
    """So the z that is decoded has the mean and the variance that the KL is computed from."""
    model, p = linear_vae(FixedGaussian(0.3))
    x = reals(np.random.default_rng(1), 1)
    draws = model.elbo(np.tile(x, (MANY, 1)), rng=0)
    error = abs(draws.mean() - exact_elbo(model, p, 0.3, x)[0])
    assert error < 5 * draws.std() / np.sqrt(MANY)


def test_the_elbo_is_the_likelihood_where_q_is_the_posterior():
    """x = w z + b + noise: p(x) = N(b, w^2 + s2), p(z|x) = N(w (x - b), s2) / (w^2 + s2)."""
    w, b, s2 = 1.5, 0.4, 0.3
    model, p = linear_vae(FixedGaussian(s2), latent=1, size=1)
    p.w[:], p.b[:] = w, b
    encoder = model.views.encoder
    encoder[0].w[:], encoder[0].b[:] = w / (w**2 + s2), -w * b / (w**2 + s2)
    encoder[1].b[:] = np.log(s2 / (w**2 + s2))
    x = np.array([[2.0], [-1.0]])
    log_p = -(np.log(2 * np.pi * (w**2 + s2)) + (x[:, 0] - b) ** 2 / (w**2 + s2)) / 2
    np.testing.assert_allclose(exact_elbo(model, p, s2, x), log_p, rtol=1e-12)
    draws = model.elbo(np.repeat(x, MANY, axis=0), rng=0).reshape(2, MANY)
    assert (np.abs(draws.mean(axis=1) - log_p) < 5 * draws.std(axis=1) / np.sqrt(MANY)).all()


EIGENVALUES = np.array([8.0, 3.0, 1.2, 0.2, 0.1])


def data_of_spectrum(n, seed):
    """n centred points (n, 5) whose covariance has exactly those eigenvalues."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5))
    u, _, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    turned, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    return u * np.sqrt(n * EIGENVALUES) @ turned.T


@pytest.mark.parametrize("learnt", [False, True], ids=["s2 is fixed", "s2 is learnt"])
def test_a_linear_vae_learns_probabilistic_pca(learnt):
    x, steps = data_of_spectrum(500, seed=1), 800 if learnt else 2000
    z = 3 if learnt else 4
    s2 = EIGENVALUES[z:].mean() if learnt else 0.5
    k = (EIGENVALUES[:z] > s2).sum()
    assert k == 3
    likelihood, end = (
        (SharedGaussian(), (JoinParameters(1),)) if learnt else (FixedGaussian(s2), ())
    )
    model, p = linear_vae(likelihood, latent=z, size=5, end=end)
    trainer = Trainer(model, {"vae": Adam(LinearDecay(0.1, steps))})
    rng = np.random.default_rng(0)
    for _ in range(steps):
        trainer.step(x, rng)
    found = s2
    if learnt:
        found = np.exp(model.apply("decoder", np.zeros((1, z)))[0, -1])
        assert found == pytest.approx(s2, rel=0.02)
    logs = np.log(EIGENVALUES[:k]).sum() + (5 - k) * np.log(s2)
    best = -(5 * np.log(2 * np.pi) + logs + k + EIGENVALUES[k:].sum() / s2) / 2  # (2)
    bound = exact_elbo(model, p, found, x).mean()
    assert best - 0.01 < bound <= best + 1e-9
    q = model.posterior(x)
    kl = np.sort(gaussian.kl_terms(q.mu, q.log_var).mean(axis=0))[::-1]
    np.testing.assert_allclose(kl[:k], np.log(EIGENVALUES[:k] / s2) / 2, atol=0.03)  # (3)
    assert (kl[k:] < 0.01).all()

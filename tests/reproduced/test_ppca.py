"""demos/ppca.py in small: a linear VAE reaches probabilistic PCA, and prunes the same latents."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

DEMO = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "demos" / "ppca.py")))

SPECTRUM, LATENT = (6, 3, 0.5, 0.3, 0.12, 0.1), 4
RIGHT = {4.0: 1, 1.0: 2, None: 4}  # variance -> how many of the latents are worth their KL
X = DEMO.data(SPECTRUM, 200, rng=0)  # (200, 6)


@pytest.fixture(scope="module", params=RIGHT)
def trained(request):
    """A variance, and a model trained with it."""
    model = DEMO.linear_vae(len(SPECTRUM), LATENT, request.param, rng=0)
    DEMO.train(model, X, seed=0, epochs=750, batch=100)
    return SimpleNamespace(variance=request.param, model=model)


def test_the_data_have_mean_0_and_the_chosen_spectrum():
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(X.T @ X / 200)[::-1], SPECTRUM)


@pytest.mark.parametrize("variance", RIGHT)
def test_the_maximum_is_that_of_the_density_at_the_known_solution(variance):
    """Tipping and Bishop 1999: V V^T = U (L - s2 I) U^T in the k first principal directions."""
    maximum, k = DEMO.best(SPECTRUM, LATENT, variance)
    assert k == RIGHT[variance]
    s2 = np.mean(SPECTRUM[LATENT:]) if variance is None else variance
    axes = np.linalg.eigh(X.T @ X)[1][:, ::-1][:, :k]  # (D, k)
    covariance = axes @ np.diag(np.array(SPECTRUM[:k]) - s2) @ axes.T + s2 * np.eye(6)
    quadratic = (X * np.linalg.solve(covariance, X.T).T).sum(axis=1)  # (N,)
    log_det = np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert maximum == pytest.approx(-(log_det + quadratic.mean()) / 2, abs=1e-9)


def test_the_elbo_comes_within_a_hundredth_of_a_nat_of_the_maximum_and_not_above(trained):
    maximum, _ = DEMO.best(SPECTRUM, LATENT, trained.variance)
    gap = maximum - DEMO.exact_elbo(trained.model, X, trained.variance)
    assert 0 <= gap < 0.01


def test_exactly_the_latents_that_pay_are_active_with_the_kl_of_their_direction(trained):
    kl = np.sort(DEMO.kl_per_latent(trained.model, X))[::-1]  # (Z,)
    k = RIGHT[trained.variance]
    s2 = np.mean(SPECTRUM[LATENT:]) if trained.variance is None else trained.variance
    assert (kl > DEMO.ACTIVE).sum() == k
    np.testing.assert_allclose(kl[:k], np.log(np.array(SPECTRUM[:k]) / s2) / 2, atol=0.05)


def test_the_computed_elbo_is_the_mean_of_drawn_ones(trained):
    rng = np.random.default_rng(1)
    drawn = np.array([trained.model.elbo(X, rng=rng).mean() for _ in range(200)])
    error = drawn.std() / np.sqrt(len(drawn))
    assert abs(drawn.mean() - DEMO.exact_elbo(trained.model, X, trained.variance)) < 5 * error

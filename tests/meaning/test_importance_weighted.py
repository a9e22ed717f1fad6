"""What an IWAE's numbers and its two gradients mean, on models whose log p(x) is known.

x = W z + c + noise of variance V, with z ~ N(0, I), so that x ~ N(c, W W^T + V I).
"""

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.distributions import FixedGaussian, gaussian
from scratchgen.gradcheck import FAIL
from scratchgen.models import IWAE
from scratchgen.nn import BatchNorm, Dense, Dropout, JoinLabels, JoinParameters, Network, Tanh, Tape

D, Z, V = 3, 2, 0.4
NOISE = 7  # one seed for all calls of objective: the noise is frozen
either = pytest.mark.parametrize("doubly", [True, False])


def linear(draws, doubly=True, seed=0):
    """A linear model at drawn parameters; its encoder is not the posterior."""
    encoder = Network((D,), Dense(D, Z), JoinParameters(Z))
    decoder = Network((Z,), Dense(Z, D))
    model = IWAE(encoder, decoder, FixedGaussian(V), draws, doubly, dtype="float64", rng=0)
    model.vector[:] = 0.5 * np.random.default_rng(seed).standard_normal(model.vector.size)
    return model


def with_the_posterior(draws, doubly=True):
    """The columns of W are orthogonal, so the posterior is diagonal, and q equals it."""
    model = linear(draws, doubly)
    encoder, decoder = model.views.encoder, model.views.decoder
    decoder[0].w[:] = [[0.6, 0.0, 0.8], [-0.4, 1.0, 0.3]]  # (Z, D)
    variance = 1 / (1 + (decoder[0].w ** 2).sum(axis=1) / V)  # (Z,)
    encoder[0].w[:] = decoder[0].w.T * variance / V
    encoder[0].b[:] = -decoder[0].b @ encoder[0].w
    encoder[1].b[:] = np.log(variance)
    return model


def data(n, seed=1):
    return np.random.default_rng(seed).standard_normal((n, D))


def log_normal(x, mean, variance):
    """log N of each row of independent numbers."""
    return -(np.log(2 * np.pi * variance) + (x - mean) ** 2 / variance).sum(axis=-1) / 2


def log_p(model, x):
    """log p(x), exactly: (N,)."""
    w, c = model.views.decoder[0].w, model.views.decoder[0].b
    covariance = w.T @ w + V * np.eye(D)
    off = x - c
    quadratic = (off * np.linalg.solve(covariance, off.T).T).sum(axis=1)
    return -(np.linalg.slogdet(2 * np.pi * covariance)[1] + quadratic) / 2


def draws_of(model, x, noise=NOISE):
    """By hand, from the definitions: z (N, K, Z), log p(x|z) and log p(z) - log q(z|x) (N, K)."""
    p, n, k = model.views, len(x), model.draws
    mu = (x @ p.encoder[0].w + p.encoder[0].b)[:, None]  # (N, 1, Z)
    variance = np.exp(p.encoder[1].b)  # (Z,)
    drawn = np.random.default_rng(noise).standard_normal((n, k, Z))
    z = mu + np.sqrt(variance) * drawn
    raw = z @ p.decoder[0].w + p.decoder[0].b  # (N, K, D)
    return z, log_normal(x[:, None], raw, V), log_normal(z, 0, 1) - log_normal(z, mu, variance)


def report_of(model, x, noise=NOISE, **keywords):
    """The reported numbers of an objective, by name."""
    tape = Tape()
    model.objective("iwae", x, noise, tape=tape, training=True, **keywords)
    return tape.parts


def gradient_of(model, x, rng=NOISE):
    """The gradient of each network as a vector, by name."""
    g = model.gradient("iwae")
    model.objective("iwae", x, rng, g)
    return {
        name: np.concatenate(
            [array.ravel() for layer in getattr(g.views, name) for array in vars(layer).values()]
        )
        for name in ("encoder", "decoder")
    }


@either
@pytest.mark.parametrize("draws", [1, 2, 7])
def test_the_numbers_are_those_of_the_definition(draws, doubly):
    """log-mean-exp over the K draws of an example, whose noise is in the rows n K + k."""
    model, x = linear(draws, doubly), data(5)
    _, log_prob, log_ratio = draws_of(model, x)
    report = report_of(model, x)
    bound = np.log(np.exp(log_prob + log_ratio).mean(axis=1))  # (N,)
    assert report["loss"] == pytest.approx(-bound.mean(), rel=1e-12)
    assert report["reconstruction"] == pytest.approx(-log_prob.mean(), rel=1e-12)
    assert report["kl"] == pytest.approx(-log_ratio.mean(), rel=1e-12)
    assert report["loss"] <= report["reconstruction"] + report["kl"] + 1e-12


def test_with_one_draw_the_loss_is_minus_the_elbo_with_the_kl_of_that_draw():
    model, x = linear(1), data(6)
    for example in x[:, None]:
        _, log_prob, log_ratio = draws_of(model, example)
        report = report_of(model, example)
        assert report["loss"] == pytest.approx(-(log_prob + log_ratio)[0, 0], rel=1e-13)
        assert report["loss"] == pytest.approx(report["reconstruction"] + report["kl"], rel=1e-13)


def test_the_reported_kl_is_on_average_the_kl_divergence():
    model, x = linear(5), data(4)
    found = np.array([report_of(model, x, noise)["kl"] for noise in range(400)])
    q = model.posterior(x)
    off = found.mean() - gaussian.kl_to_standard(q.mu, q.log_var).mean()
    assert abs(off) < 5 * found.std() / np.sqrt(len(found))


def test_the_bound_rises_with_the_draws_and_never_exceeds_log_p_on_average():
    x, means, errors = data(8), [], []
    for draws in (1, 2, 5, 20, 100):
        model = linear(draws)
        bounds = -np.array([report_of(model, x, noise)["loss"] for noise in range(200)])
        means.append(bounds.mean())
        errors.append(bounds.std() / np.sqrt(len(bounds)))
    rises, error = np.diff(means), np.hypot(errors[1:], errors[:-1])
    assert (rises > 3 * error).all()
    assert (np.array(means) < log_p(model, x).mean() + 5 * np.array(errors)).all()


def test_with_many_draws_the_bound_is_log_p():
    """With a q wider than the posterior, so that the weights are bounded."""
    x, gaps = data(20), []
    for draws in (1, 3000):
        model = with_the_posterior(draws)
        model.views.encoder[0].b += 0.2
        model.views.encoder[1].b += 0.5
        losses = [report_of(model, x, noise)["loss"] for noise in range(20)]
        gaps.append(log_p(model, x).mean() + np.mean(losses))
    assert gaps[0] > 0.1
    assert abs(gaps[1]) < 0.003


@either
@pytest.mark.parametrize("draws", [1, 4])
def test_where_q_is_the_posterior_every_draw_gives_log_p_to_rounding(draws, doubly):
    model, x = with_the_posterior(draws, doubly), data(5)
    report, expected = report_of(model, x), -log_p(model, x).mean()
    assert report["loss"] == pytest.approx(expected, rel=1e-12)
    assert report["reconstruction"] + report["kl"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("draws", [1, 4])
def test_where_q_is_the_posterior_only_the_total_gradient_still_moves_the_encoder(draws):
    x = data(5)
    still = gradient_of(with_the_posterior(draws, doubly=True), x)["encoder"]
    moved = gradient_of(with_the_posterior(draws, doubly=False), x)["encoder"]
    assert np.abs(still).max() < 1e-14
    assert np.abs(moved).max() > 0.01


@either
def test_the_decoder_learns_most_from_the_draw_that_explains_x_best(doubly):
    """The decoder's bias has the gradient -1/N sum_k w~_k (x - raw_k) / V."""
    model, x = linear(6, doubly), data(1)
    z, log_prob, log_ratio = draws_of(model, x)
    raw = z @ model.views.decoder[0].w + model.views.decoder[0].b  # (1, K, D)
    w = np.exp(log_prob + log_ratio)
    shares = w / w.sum()
    g = model.gradient("iwae")
    model.objective("iwae", x, NOISE, g)
    expected = -(shares[..., None] * (x[:, None] - raw) / V).sum(axis=(0, 1))
    np.testing.assert_allclose(g.views.decoder[0].b, expected, rtol=1e-11)
    from_the_worst = (1 / w / (1 / w).sum())[..., None]  # a softmax of the loss
    assert not np.allclose(-(from_the_worst * (x[:, None] - raw) / V).sum(axis=(0, 1)), expected)


def of_labels(doubly):
    encoder = Network((D,), JoinLabels(3, 2), Dense(D + 2, 4), Tanh(), Dense(4, 2 * Z))
    decoder = Network((Z,), JoinLabels(3, 2), Dense(Z + 2, 4), Tanh(), Dense(4, D))
    model = IWAE(encoder, decoder, "mse", 3, doubly, dtype="float64", rng=0)
    model.vector[:] = 0.7 * np.random.default_rng(0).standard_normal(model.vector.size)
    return model


@either
def test_all_draws_of_an_example_are_decoded_with_its_label(doubly):
    model, x, labels = of_labels(doubly), data(4), np.array([2, 0, 1, 2])
    q = model.posterior(x, labels)
    noise = np.random.default_rng(NOISE).standard_normal((4, 3, Z))
    z = q.mu[:, None] + np.exp(q.log_var / 2)[:, None] * noise  # (N, K, Z)
    raw = model.apply("decoder", z.reshape(12, Z), np.repeat(labels, 3))  # (N K, D)
    expected = -model.likelihood.log_prob(np.repeat(x, 3, axis=0), raw).mean()
    report = report_of(model, x, labels=labels)
    assert report["reconstruction"] == pytest.approx(expected, rel=1e-12)


def mixing(doubly=False):
    """An IWAE with batch norm in its decoder, which only the total gradient allows."""
    encoder = Network((D,), Dense(D, 4), BatchNorm(4, eps=0.3), Tanh(), Dense(4, 2 * Z))
    decoder = Network((Z,), Dense(Z, 4), BatchNorm(4, eps=0.3), Tanh(), Dense(4, D))
    return IWAE(encoder, decoder, "mse", 3, doubly, dtype="float64", rng=0)


def drawing(doubly):
    decoder = Network((Z,), Dense(Z, 4), Dropout(0.3), Tanh(), Dense(4, D))
    encoder = Network((D,), Dropout(0.3), Dense(D, 2 * Z))
    return IWAE(encoder, decoder, "mse", 3, doubly, dtype="float64", rng=0)


def check_of_number(model, x, name, labels=None):
    """The gradient of a network, and finite differences of the reported number."""
    span = model.block.layout.span((name,))
    theta = model.vector[span]

    def value(at):
        theta[:] = at
        return model.objective("iwae", x, NOISE, labels=labels)

    def gradient(dvalue, at):
        theta[:] = at
        g = model.gradient("iwae")
        model.objective("iwae", x, NOISE, g, labels=labels)
        return dvalue * g.vector[span]

    return sg.check_pair(value, gradient, (theta.copy(),), seconds=None)


@pytest.mark.parametrize("build", [lambda: linear(3, False), mixing, lambda: drawing(False)])
@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_the_total_gradient_is_the_derivative_of_the_reported_number(name, build):
    report = check_of_number(build(), data(4), name)
    assert report.ok, report


@pytest.mark.parametrize("build", [lambda: linear(3), lambda: drawing(True)])
def test_the_doubly_reparameterised_gradient_is_that_derivative_for_the_decoder_alone(build):
    assert check_of_number(build(), data(4), "decoder").ok
    assert check_of_number(build(), data(4), "encoder").verdict == FAIL


def test_the_doubly_reparameterised_gradient_is_the_derivative_with_weights_and_q_fixed():
    """By hand, the derivative of -1/N sum_nk w~^2 log w, where the encoder moves only z."""
    model, x = linear(4), data(3)
    encoder = model.views.encoder
    parts = [encoder[0].w.copy(), encoder[0].b.copy(), encoder[1].b.copy()]
    _, log_prob, log_ratio = draws_of(model, x)
    w = np.exp(log_prob + log_ratio)
    shares = w / w.sum(axis=1, keepdims=True)  # (N, K), held
    mu_held = (x @ parts[0] + parts[1])[:, None]  # (N, 1, Z)
    variance_held = np.exp(parts[2])
    noise = np.random.default_rng(NOISE).standard_normal((3, 4, Z))
    decoder = model.views.decoder[0]

    def value(w, b, log_var):
        z = (x @ w + b)[:, None] + np.exp(log_var / 2) * noise
        log_w = log_normal(x[:, None], z @ decoder.w + decoder.b, V) + log_normal(z, 0, 1)
        log_w = log_w - log_normal(z, mu_held, variance_held)
        return -(shares**2 * log_w).sum() / 3

    g = model.gradient("iwae")
    model.objective("iwae", x, NOISE, g)
    layers = g.views.encoder
    slopes = layers[0].w, layers[0].b, layers[1].b
    for i, part in enumerate(parts):
        for place in np.ndindex(part.shape):
            ends = []
            for h in (1e-5, -1e-5):
                moved = [array.copy() for array in parts]
                moved[i][place] += h
                ends.append(value(*moved))
            assert slopes[i][place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("draws", [1, 2, 8])
def test_the_two_gradients_of_the_encoder_have_the_same_mean(draws):
    x, found = data(3), {}
    for doubly in (True, False):
        model, rng = linear(draws, doubly), np.random.default_rng(draws)
        found[doubly] = np.array([gradient_of(model, x, rng)["encoder"] for _ in range(400)])
    apart = found[True] - found[False]  # with the same noise, so most of the variance cancels
    error = apart.std(axis=0) / np.sqrt(len(apart))
    assert (np.abs(apart.mean(axis=0)) < 5 * error).all()
    signal = np.abs(found[True].mean(axis=0))
    assert (signal > 5 * error).any()
    assert found[True].var(axis=0).sum() < 0.5 * found[False].var(axis=0).sum()


@either
def test_a_small_step_lowers_the_loss_on_average(doubly):
    model, x = linear(4, doubly), data(8)
    g = model.gradient("iwae")
    noises = range(200)
    for noise in noises:
        model.objective("iwae", x, noise, g)
    step = 1e-3 * g.vector / len(noises)
    before = np.array([report_of(model, x, 1000 + noise)["loss"] for noise in noises])
    model.theta("iwae")[:] -= step
    fall = before - np.array([report_of(model, x, 1000 + noise)["loss"] for noise in noises])
    assert fall.mean() > 5 * fall.std() / np.sqrt(len(fall))

"""The two games: published values, gradients, and what the players want."""

import numpy as np
import pytest
from differences import assert_close, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.losses import LOSSES, MINIMAX, NON_SATURATING

games = st.sampled_from(sorted(LOSSES))


def log_sigmoid(logits):
    return -np.logaddexp(0, -logits)


@given(games, st.integers(1, 5), st.integers(0, 2**32))
def test_gradients_of_both_players(name, n, seed):
    game, rng = LOSSES[name], np.random.default_rng(seed)
    real, fake, dvalue = rng.standard_normal((3, n)) * 3

    def discriminator():
        return float(dvalue @ game.discriminator(real, fake))

    def generator():
        return float(dvalue @ game.generator(fake))

    d = game.discriminator_gradients(real, fake, dvalue)
    assert_close(d.real, numeric_gradient(discriminator, real), "real")
    assert_close(d.fake, numeric_gradient(discriminator, fake), "fake")
    d = game.generator_gradients(fake, dvalue)
    assert_close(d.fake, numeric_gradient(generator, fake), "fake")


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_discriminator_minimises_minus_log_d_real_minus_log_one_minus_d_fake(name):
    real, fake = (
        np.array([0.0, 2.0]),
        np.array([0.0, -1.0]),
    )  # D = 1/2, sigmoid(2); 1/2, sigmoid(-1)
    wanted = -(log_sigmoid(real) + log_sigmoid(-fake))
    np.testing.assert_allclose(LOSSES[name].discriminator(real, fake), wanted, rtol=1e-14)
    assert LOSSES[name].discriminator(real, fake)[0] == pytest.approx(2 * np.log(2))


def test_generators_at_the_numbers_of_the_paper():
    fake = np.log(np.array([1.0, 3.0, 1 / 3]))  # D(G(z)) = 1/2, 3/4, 1/4
    np.testing.assert_allclose(MINIMAX.generator(fake), np.log([0.5, 0.25, 0.75]))
    np.testing.assert_allclose(NON_SATURATING.generator(fake), -np.log([0.5, 0.75, 0.25]))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_both_generators_want_their_examples_believed(name):
    fake = np.linspace(-5, 5, 11)
    assert (np.diff(LOSSES[name].generator(fake)) < 0).all()
    assert (LOSSES[name].generator_gradients(fake, np.ones(11)).fake < 0).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_discriminator_wants_real_high_and_fake_low(name):
    logits = np.linspace(-5, 5, 11)
    d = LOSSES[name].discriminator_gradients(logits, logits, np.ones(11))
    assert (d.real < 0).all()
    assert (d.fake > 0).all()


def test_minimax_saturates_where_the_discriminator_is_sure_and_non_saturating_does_not():
    sure = np.array([-20.0])
    assert abs(MINIMAX.generator_gradients(sure, np.ones(1)).fake[0]) < 1e-8
    assert NON_SATURATING.generator_gradients(sure, np.ones(1)).fake[0] == pytest.approx(-1)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_values_and_gradients_are_finite_at_any_logit(name):
    far = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    game, one = LOSSES[name], np.ones(5)
    d = game.discriminator_gradients(far, far, one)
    for array in (
        game.discriminator(far, far),
        game.generator(far),
        d.real,
        d.fake,
        game.generator_gradients(far, one).fake,
    ):
        assert np.isfinite(array).all()

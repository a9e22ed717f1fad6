"""The passes of each game return the values and gradients that define the game."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.losses import HINGE, LOSSES, MINIMAX, AdversarialLoss
from scratchgen.losses.games import shared_formula

both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_game = pytest.mark.parametrize("game", LOSSES.values(), ids=str)


def scores(n, dtype):
    """Real and fake scores and dvalue: first small numbers, then those at kinks, then extremes."""
    real, fake, dvalue = np.random.default_rng(n).standard_normal((3, n)).astype(dtype)
    special = np.array([1, -1, 0, 1000, -1000, 1000, -1000], dtype)[: max(0, n - 9)]
    real[9 : 9 + len(special)], fake[9 : 9 + len(special)] = special, -special
    # views of columns (N, 1), as in a model
    return real[:, None][:, 0], fake[:, None][:, 0], dvalue


def softplus(logits):
    return np.logaddexp(0, logits)


def sigmoid(logits):
    return np.exp(-softplus(-logits))


def logistic(r, f):
    return softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)


def linear(f):
    return -f, -np.ones_like(f)


# value, dr, df of the discriminator; value, df of the generator
TABLE = {
    "minimax": (logistic, lambda f: (-softplus(f), -sigmoid(f))),
    "non_saturating": (logistic, lambda f: (softplus(-f), -sigmoid(-f))),
    "least_squares": (
        lambda r, f: ((r - 1) ** 2 / 2 + f**2 / 2, r - 1, f),
        lambda f: ((f - 1) ** 2 / 2, f - 1),
    ),
    "hinge": (
        lambda r, f: (np.maximum(0, 1 - r) + np.maximum(0, 1 + f), -1.0 * (r < 1), 1.0 * (f > -1)),
        linear,
    ),
    "wasserstein": (lambda r, f: (f - r, -np.ones_like(r), np.ones_like(f)), linear),
}


@both_ways
@each_dtype
@pytest.mark.parametrize("n", [0, 1, 9, 16, 300])
@pytest.mark.parametrize("game", [LOSSES[name] for name in TABLE], ids=str)
def test_a_pass_gives_the_value_and_the_gradients(game, n, dtype, way):
    real, fake, dvalue = scores(n, dtype)
    with way():
        d = game.discriminator_pass(real, fake, dvalue)
        g = game.generator_pass(fake, dvalue)
    real_64, fake_64 = real.astype(np.float64), fake.astype(np.float64)
    discriminator, generator = TABLE[game.name]
    (value, dr, df), (of_g, d_g) = discriminator(real_64, fake_64), generator(fake_64)
    pairs = [
        (d.value, value),
        (d.real, dvalue * dr),
        (d.fake, dvalue * df),
        (g.value, of_g),
        (g.fake, dvalue * d_g),
    ]
    for ours, expected in pairs:
        assert ours.dtype == np.dtype(dtype)
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(ours, expected, rtol=8 * np.finfo(dtype).eps, atol=1e-30)


@both_ways
@each_game
def test_the_functions_of_a_game_agree_with_its_passes(game, way):
    real, fake, dvalue = scores(16, "float32")
    with way():
        d, g = game.discriminator_pass(real, fake, dvalue), game.generator_pass(fake, dvalue)
        of_d = game.discriminator_gradients(real, fake, dvalue)
        assert np.array_equal(game.discriminator(real, fake), d.value)
        assert np.array_equal(of_d.real, d.real)
        assert np.array_equal(of_d.fake, d.fake)
        assert np.array_equal(game.generator(fake), g.value)
        assert np.array_equal(game.generator_gradients(fake, dvalue).fake, g.fake)


def test_value_and_gradients_of_each_player_come_from_one_formula():
    for game in LOSSES.values():
        assert shared_formula(game.discriminator, game.discriminator_gradients)
        assert shared_formula(game.generator, game.generator_gradients)
    assert not shared_formula(HINGE.discriminator, MINIMAX.discriminator_gradients)
    assert not shared_formula(HINGE.generator, lambda fake, dvalue: HINGE.generator(fake))


@pytest.mark.parametrize("copy_of", [copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game))])
@each_game
def test_a_copy_of_a_game_is_equal_to_it_and_a_changed_game_is_not(game, copy_of):
    assert copy_of(game) == game
    assert copy_of(game) in LOSSES.values()
    assert replace(game, discriminator=lambda real, fake: real) != game


def test_a_users_game_runs_as_it_is_written():
    real, fake, dvalue = scores(5, "float64")
    mine = replace(HINGE, discriminator=lambda real, fake: fake - 2 * real)
    assert np.array_equal(mine.discriminator_pass(real, fake, dvalue).value, fake - 2 * real)
    other = AdversarialLoss(
        "mine",
        MINIMAX.discriminator,
        MINIMAX.discriminator_gradients,
        lambda fake: 3 * fake,
        lambda fake, dvalue: HINGE.generator_gradients(fake, -3 * dvalue),
    )
    result = other.generator_pass(fake, dvalue)
    assert np.array_equal(result.value, 3 * fake)
    assert np.array_equal(result.fake, 3 * dvalue)


@both_ways
def test_functions_of_two_games_can_be_combined_in_a_third(way):
    real, fake, dvalue = scores(16, "float64")
    joined = replace(HINGE, discriminator=MINIMAX.discriminator)
    with way():
        result = joined.discriminator_pass(real, fake, dvalue)
        assert np.array_equal(result.value, MINIMAX.discriminator(real, fake))
        assert np.array_equal(result.real, HINGE.discriminator_gradients(real, fake, dvalue).real)

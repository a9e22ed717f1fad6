"""The passes of the games against the plain functions that define them."""

from dataclasses import replace

import numpy as np
import pytest

from scratchgen.kernels.twins import references, twins
from scratchgen.losses import HINGE, LOSSES, MINIMAX, AdversarialLoss
from scratchgen.losses.adversarial import PASSES
from scratchgen.nn import Tape

both_ways = pytest.mark.parametrize("way", [references, twins])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_game = pytest.mark.parametrize("game", LOSSES.values(), ids=str)


def scores(n, dtype):
    """Of real and of fake examples, and dvalue: small ones first, then the kinks, then extremes."""
    real, fake, dvalue = np.random.default_rng(n).standard_normal((3, n)).astype(dtype)
    special = np.array([1, -1, 0, 1000, -1000, 1000, -1000], dtype)[: max(0, n - 9)]
    real[9 : 9 + len(special)], fake[9 : 9 + len(special)] = special, -special
    # as a model has them, columns of (N, 1)
    return real[:, None][:, 0], fake[:, None][:, 0], dvalue


def test_every_game_of_the_library_has_a_pass_for_each_player():
    for game in LOSSES.values():
        assert (game.discriminator, game.discriminator_gradients) in PASSES
        assert (game.generator, game.generator_gradients) in PASSES


@both_ways
@each_dtype
@pytest.mark.parametrize("n", [0, 1, 9, 16, 300])
@each_game
def test_a_pass_gives_the_value_and_the_gradients(game, n, dtype, way):
    real, fake, dvalue = scores(n, dtype)
    with way():
        d = game.discriminator_pass(real, fake, dvalue, Tape())
        g = game.generator_pass(fake, dvalue, Tape())
    with references():
        wanted_d = game.discriminator_gradients(real, fake, dvalue)
        wanted_g = game.generator_gradients(fake, dvalue)
        pairs = [
            (d.value, game.discriminator(real, fake)),
            (d.real, wanted_d.real),
            (d.fake, wanted_d.fake),
            (g.value, game.generator(fake)),
            (g.fake, wanted_g.fake),
        ]
    for ours, wanted in pairs:
        assert ours.dtype == np.dtype(dtype)
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(ours, wanted, rtol=8 * np.finfo(dtype).eps, atol=1e-30)


def test_a_game_of_ones_own_runs_as_it_is_written():
    real, fake, dvalue = scores(5, "float64")
    mine = replace(HINGE, discriminator=lambda real, fake: fake - 2 * real)
    assert np.array_equal(
        mine.discriminator_pass(real, fake, dvalue, Tape()).value, fake - 2 * real
    )
    other = AdversarialLoss(
        "mine",
        MINIMAX.discriminator,
        MINIMAX.discriminator_gradients,
        lambda fake: 3 * fake,
        lambda fake, dvalue: HINGE.generator_gradients(fake, -3 * dvalue),
    )
    made = other.generator_pass(fake, dvalue, Tape())
    assert np.array_equal(made.value, 3 * fake)
    assert np.array_equal(made.fake, 3 * dvalue)

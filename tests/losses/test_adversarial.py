"""The five games: published values, gradients, and what the players want."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.gradcheck import assert_gradients
from scratchgen.ground.errors import ShapeError
from scratchgen.losses import (
    HINGE,
    LEAST_SQUARES,
    LOSSES,
    MINIMAX,
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    discriminator_turn,
    generator_turn,
)

each_game = pytest.mark.parametrize("name", list(LOSSES))


def log_sigmoid(logits):
    return -np.logaddexp(0, -logits)


@each_game
@pytest.mark.parametrize("n", range(1, 6))
def test_gradients_of_both_players(name, n):
    """At scores that are not beside the kinks of hinge, at 1 and -1."""
    assert_gradients(LOSSES[name], (n,), seed=n, strict=True)


def test_there_are_five_games_and_each_has_the_name_it_is_found_by():
    games = [MINIMAX, NON_SATURATING, LEAST_SQUARES, HINGE, WASSERSTEIN]
    assert {game.name: game for game in games} == LOSSES


# published values


@pytest.mark.parametrize("game", [MINIMAX, NON_SATURATING])
def test_the_discriminator_minimises_minus_log_d_real_minus_log_one_minus_d_fake(game):
    real = np.array([0.0, 2.0])  # D = 1/2, sigmoid(2)
    fake = np.array([0.0, -1.0])  # D = 1/2, sigmoid(-1)
    wanted = -(log_sigmoid(real) + log_sigmoid(-fake))
    np.testing.assert_allclose(game.discriminator(real, fake), wanted, rtol=1e-14)
    assert game.discriminator(real, fake)[0] == pytest.approx(2 * np.log(2))


def test_generators_at_the_numbers_of_the_paper():
    fake = np.log(np.array([1.0, 3.0, 1 / 3]))  # D(G(z)) = 1/2, 3/4, 1/4
    np.testing.assert_allclose(MINIMAX.generator(fake), np.log([0.5, 0.25, 0.75]))
    np.testing.assert_allclose(NON_SATURATING.generator(fake), -np.log([0.5, 0.75, 0.25]))


def test_least_squares_is_half_the_squared_distance_to_one_for_real_and_to_zero_for_fake():
    real, fake = np.array([1.0, 4.0, -1.0]), np.array([0.0, -2.0, 3.0])
    assert LEAST_SQUARES.discriminator(real, fake).tolist() == [0, 4.5 + 2, 2 + 4.5]
    assert LEAST_SQUARES.generator(fake).tolist() == [0.5, 4.5, 2]


def test_hinge_asks_for_a_margin_of_one_on_either_side_and_for_no_more():
    real, fake = np.array([1.0, 7.0, 0.0, -2.0, 0.5]), np.array([-1.0, -7.0, 0.0, 1.0, -3.0])
    assert HINGE.discriminator(real, fake).tolist() == [0, 0, 2, 3 + 2, 0.5]
    assert HINGE.generator(fake).tolist() == [1, 7, 0, -1, 3]


def test_wasserstein_is_the_difference_of_the_scores():
    real, fake = np.array([3.0, -1.0]), np.array([1.0, 2.5])
    assert WASSERSTEIN.discriminator(real, fake).tolist() == [-2, 3.5]
    assert WASSERSTEIN.generator(fake).tolist() == [-1, -2.5]


# what the players want

# Where the discriminator wants nothing more of a score: beyond it a generator's example, or a real
# one, is good enough, or too good.
ENOUGH = {"least_squares": (1.0, 0.0), "hinge": (1.0, -1.0)}


@each_game
def test_every_generator_wants_its_examples_believed(name):
    """Its value falls as a fake's score rises, up to the score that real examples are to have."""
    most = 1.0 if name == "least_squares" else math.inf
    fake = np.linspace(-5, min(most, 5.0), 13)
    game = LOSSES[name]
    assert (np.diff(game.generator(fake)) < 0).all()
    assert (game.generator_gradients(fake[:-1], np.ones(12)).fake < 0).all()


@each_game
def test_the_discriminator_wants_real_high_and_fake_low(name):
    """A higher real score, and a lower fake one, is a smaller value, until it is good enough."""
    high, low = ENOUGH.get(name, (math.inf, -math.inf))
    scores, one = np.linspace(-5, 5, 21), np.ones(21)
    d = LOSSES[name].discriminator_gradients(scores, scores, one)
    assert (d.real[scores < high] < 0).all()
    assert (d.fake[scores > low] > 0).all()
    assert (d.real[scores >= high] >= 0).all()
    assert (d.fake[scores <= low] <= 0).all()
    values = LOSSES[name].discriminator(scores, np.full(21, low if low > -math.inf else 0.0))
    assert (np.diff(values[scores <= high]) < 0).all()


def test_minimax_saturates_where_the_discriminator_is_sure_and_the_other_games_do_not():
    sure = np.array([-20.0])
    slopes = {
        n: abs(game.generator_gradients(sure, np.ones(1)).fake[0]) for n, game in LOSSES.items()
    }
    assert slopes.pop("minimax") < 1e-8
    assert all(slope > 0.999 for slope in slopes.values())


def test_a_fake_that_is_far_on_the_real_side_is_pulled_back_by_least_squares_alone():
    fake = np.array([5.0])
    back = [n for n, game in LOSSES.items() if game.generator_gradients(fake, np.ones(1)).fake > 0]
    assert back == ["least_squares"]


@each_game
def test_values_and_gradients_are_finite_at_any_logit(name):
    far = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    game, one = LOSSES[name], np.ones(5)
    with np.errstate(all="raise", under="ignore"):
        d = game.discriminator_gradients(far, far[::-1], one)
        for array in (
            game.discriminator(far, far[::-1]),
            game.generator(far),
            d.real,
            d.fake,
            game.generator_gradients(far, one).fake,
        ):
            assert np.isfinite(array).all()


@each_game
def test_games_in_float32_stay_float32(name):
    game, score = LOSSES[name], np.array([-3.0, 0.5], np.float32)
    d = game.discriminator_gradients(score, score, score)
    for array in (
        game.discriminator(score, score),
        game.generator(score),
        d.real,
        d.fake,
        game.generator_gradients(score, score).fake,
    ):
        assert array.dtype == np.float32


# a game of one's own


def own_game(scale):
    """The Wasserstein game, in lists and in numbers of float64, for any scores."""
    return AdversarialLoss(
        "own",
        lambda real, fake: [scale * float(f - r) for r, f in zip(real, fake, strict=True)],
        lambda real, fake, dvalue: SimpleNamespace(
            real=(-scale * dvalue).astype(np.float64), fake=(scale * dvalue).astype(np.float64)
        ),
        lambda fake: -scale * fake,
        lambda fake, dvalue: SimpleNamespace(fake=[-scale] * len(fake)),
    )


def test_a_turn_takes_lists_and_other_floats_from_a_game_of_ones_own():
    real, fake = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
    d, g = (
        discriminator_turn(own_game(1.0), real, fake, 0.3),
        generator_turn(own_game(1.0), fake, 1),
    )
    of_d, of_g = (
        discriminator_turn(WASSERSTEIN, real, fake, 0.3),
        generator_turn(WASSERSTEIN, fake, 1),
    )
    for ours, wanted in ((d, of_d), (g, of_g)):
        assert vars(ours).keys() == vars(wanted).keys()
        for name, x in vars(ours).items():
            assert x.dtype == np.float32
            assert np.array_equal(x, getattr(wanted, name))


def test_a_turn_refuses_what_does_not_belong_to_the_scores():
    of_mean = AdversarialLoss(
        "mean",
        lambda real, fake: np.mean(fake - real),
        HINGE.discriminator_gradients,
        HINGE.generator,
        lambda fake, dvalue: SimpleNamespace(fake=None),
    )
    score = np.ones(3)
    with pytest.raises(
        ShapeError, match=r"^mean\.discriminator_pass gave value of .*wants shape \(3,\)"
    ):
        discriminator_turn(of_mean, score, score, 1)
    with pytest.raises(ShapeError, match=r"^mean\.generator_pass gave no fake, wants shape \(3,\)"):
        generator_turn(of_mean, score, 1)

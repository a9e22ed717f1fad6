"""The five games: published values, gradients, and in which direction each player moves scores."""

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
    discriminator_loss,
    generator_loss,
)

each_game = pytest.mark.parametrize("name", list(LOSSES))


def log_sigmoid(logits):
    return -np.logaddexp(0, -logits)


@each_game
@pytest.mark.parametrize("n", range(1, 6))
def test_gradients_of_both_players(name, n):
    """At scores away from the kinks of hinge, at 1 and -1."""
    assert_gradients(LOSSES[name], (n,), seed=n, strict=True)


def test_each_game_is_registered_by_its_name():
    games = [MINIMAX, NON_SATURATING, LEAST_SQUARES, HINGE, WASSERSTEIN]
    assert [LOSSES[game.name] for game in games] == games


# published values


@pytest.mark.parametrize("game", [MINIMAX, NON_SATURATING])
def test_the_discriminator_minimises_minus_log_d_real_minus_log_one_minus_d_fake(game):
    real_score = np.array([0.0, 2.0])  # D = 1/2, sigmoid(2)
    fake_score = np.array([0.0, -1.0])  # D = 1/2, sigmoid(-1)
    wanted = -(log_sigmoid(real_score) + log_sigmoid(-fake_score))
    np.testing.assert_allclose(game.discriminator(real_score, fake_score), wanted, rtol=1e-14)
    assert game.discriminator(real_score, fake_score)[0] == pytest.approx(2 * np.log(2))


def test_generators_at_the_numbers_of_the_paper():
    fake_score = np.log(np.array([1.0, 3.0, 1 / 3]))  # D(G(z)) = 1/2, 3/4, 1/4
    np.testing.assert_allclose(MINIMAX.generator(fake_score), np.log([0.5, 0.25, 0.75]))
    np.testing.assert_allclose(NON_SATURATING.generator(fake_score), -np.log([0.5, 0.75, 0.25]))


def test_least_squares_is_half_the_squared_distance_to_one_for_real_and_to_zero_for_fake():
    real_score, fake_score = np.array([1.0, 4.0, -1.0]), np.array([0.0, -2.0, 3.0])
    assert LEAST_SQUARES.discriminator(real_score, fake_score).tolist() == [0, 4.5 + 2, 2 + 4.5]
    assert LEAST_SQUARES.generator(fake_score).tolist() == [0.5, 4.5, 2]


def test_hinge_asks_for_a_margin_of_one_on_either_side_and_no_more():
    real_score, fake_score = (
        np.array([1.0, 7.0, 0.0, -2.0, 0.5]),
        np.array([-1.0, -7.0, 0.0, 1.0, -3.0]),
    )
    assert HINGE.discriminator(real_score, fake_score).tolist() == [0, 0, 2, 3 + 2, 0.5]
    assert HINGE.generator(fake_score).tolist() == [1, 7, 0, -1, 3]


def test_wasserstein_is_the_difference_of_the_scores():
    real_score, fake_score = np.array([3.0, -1.0]), np.array([1.0, 2.5])
    assert WASSERSTEIN.discriminator(real_score, fake_score).tolist() == [-2, 3.5]
    assert WASSERSTEIN.generator(fake_score).tolist() == [-1, -2.5]


# in which direction each player moves scores

# The scores of real and of fake examples beyond which the discriminator gains nothing.
PUBLISHED = ("minimax", "non_saturating", "least_squares", "hinge", "wasserstein")
ENOUGH = {"least_squares": (1.0, 0.0), "hinge": (1.0, -1.0)}


@each_game
def test_every_generator_raises_a_score_of_0(name):
    assert LOSSES[name].generator_gradients(np.zeros(1), np.ones(1)).fake < 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_generator_raises_the_scores_of_its_examples(name):
    """Its value falls as a fake score rises, up to the target for real examples."""
    most = 1.0 if name == "least_squares" else math.inf
    fake_score = np.linspace(-5, min(most, 5.0), 13)
    game = LOSSES[name]
    assert (np.diff(game.generator(fake_score)) < 0).all()
    assert (game.generator_gradients(fake_score[:-1], np.ones(12)).fake < 0).all()


@each_game
def test_every_discriminator_raises_a_real_score_of_0_or_lowers_a_fake_one(name):
    d = LOSSES[name].discriminator_gradients(np.zeros(1), np.zeros(1), np.ones(1))
    assert d.real <= 0 <= d.fake
    assert d.real < d.fake


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_discriminator_raises_real_scores_and_lowers_fake_ones(name):
    """A higher real score and a lower fake one give a smaller value, up to the scores in ENOUGH."""
    high, low = ENOUGH.get(name, (math.inf, -math.inf))
    scores, dvalue = np.linspace(-5, 5, 21), np.ones(21)
    d = LOSSES[name].discriminator_gradients(scores, scores, dvalue)
    assert (d.real[scores < high] < 0).all()
    assert (d.fake[scores > low] > 0).all()
    assert (d.real[scores >= high] >= 0).all()
    assert (d.fake[scores <= low] <= 0).all()
    values = LOSSES[name].discriminator(scores, np.full(21, low if low > -math.inf else 0.0))
    assert (np.diff(values[scores <= high]) < 0).all()


def test_minimax_alone_saturates_where_the_discriminator_is_sure():
    sure = np.array([-20.0])
    slopes = {
        n: abs(game.generator_gradients(sure, np.ones(1)).fake[0]) for n, game in LOSSES.items()
    }
    assert slopes.pop("minimax") < 1e-8
    assert all(slope > 0.999 for slope in slopes.values())


def test_only_least_squares_lowers_a_fake_score_far_above_that_of_real_examples():
    fake_score = np.array([5.0])
    lowered = [
        n for n, game in LOSSES.items() if game.generator_gradients(fake_score, np.ones(1)).fake > 0
    ]
    assert lowered == ["least_squares"]


@each_game
def test_values_and_gradients_are_finite_at_any_logit(name):
    far = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    game, dvalue = LOSSES[name], np.ones(5)
    with np.errstate(all="raise", under="ignore"):
        d = game.discriminator_gradients(far, far[::-1], dvalue)
        for array in (
            game.discriminator(far, far[::-1]),
            game.generator(far),
            d.real,
            d.fake,
            game.generator_gradients(far, dvalue).fake,
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


# a user's own game


def own_game(scale):
    """The Wasserstein game, which returns lists and float64 for any scores."""
    return AdversarialLoss(
        "own",
        lambda real_score, fake_score: [
            scale * float(f - r) for r, f in zip(real_score, fake_score, strict=True)
        ],
        lambda real_score, fake_score, dvalue: SimpleNamespace(
            real=(-scale * dvalue).astype(np.float64), fake=(scale * dvalue).astype(np.float64)
        ),
        lambda fake_score: -scale * fake_score,
        lambda fake_score, dvalue: SimpleNamespace(fake=[-scale] * len(fake_score)),
    )


def test_a_turn_accepts_lists_and_other_floats_from_a_users_game():
    real_score, fake_score = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
    d, g = (
        discriminator_loss(own_game(1.0), real_score, fake_score, 0.3),
        generator_loss(own_game(1.0), fake_score, 1),
    )
    of_d, of_g = (
        discriminator_loss(WASSERSTEIN, real_score, fake_score, 0.3),
        generator_loss(WASSERSTEIN, fake_score, 1),
    )
    for ours, wanted in ((d, of_d), (g, of_g)):
        assert vars(ours).keys() == vars(wanted).keys()
        for name, x in vars(ours).items():
            assert x.dtype == np.float32
            assert np.array_equal(x, getattr(wanted, name))


def test_a_turn_refuses_arrays_that_do_not_fit_the_scores():
    of_mean = AdversarialLoss(
        "mean",
        lambda real_score, fake_score: np.mean(fake_score - real_score),
        HINGE.discriminator_gradients,
        HINGE.generator,
        lambda fake_score, dvalue: SimpleNamespace(fake=None),
    )
    score = np.ones(3)
    with pytest.raises(
        ShapeError, match=r"^mean\.discriminator_pass gave value of .*wants shape \(3,\)"
    ):
        discriminator_loss(of_mean, score, score, 1)
    with pytest.raises(ShapeError, match=r"^mean\.generator_pass gave no fake, wants shape \(3,\)"):
        generator_loss(of_mean, score, 1)

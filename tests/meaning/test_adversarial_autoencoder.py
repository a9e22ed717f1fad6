"""What the three players of an adversarial autoencoder minimise, and what each of them moves."""

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.distributions import PRIORS, FixedGaussian, Prior, Ring, Uniform
from scratchgen.gradcheck import check
from scratchgen.ground import errors
from scratchgen.losses import LOSSES, R1, GradientPenalty
from scratchgen.models import AAE, aae
from scratchgen.nn import BatchNorm, Dense, Dropout, JoinLabels, Network, Tanh, Tape
from scratchgen.optim import SGD, Adam
from scratchgen.train import Trainer

NOISE = 7  # one seed for all calls of objective: the noise is frozen
PLAYERS = {
    "autoencoder": {"encoder", "decoder"},
    "discriminator": {"discriminator"},
    "generator": {"encoder"},
}


def model(drawn_by=0, encoder=None, decoder=None, discriminator=None, **settings) -> AAE:
    """A smooth AAE of three numbers and two latents, in float64, with drawn parameters."""
    autoencoder = AAE(
        encoder or Network((3,), Dense(3, 4), Tanh(), Dense(4, 2)),
        decoder or Network((2,), Dense(2, 4), Tanh(), Dense(4, 3)),
        discriminator=discriminator or Network((2,), Dense(2, 4), Tanh(), Dense(4, 1)),
        **{"likelihood": FixedGaussian(0.5), "dtype": "float64", "rng": 0, **settings},
    )
    rng = np.random.default_rng(drawn_by)
    autoencoder.vector[:] = 0.6 * rng.standard_normal(autoencoder.vector.size)
    autoencoder.state[:] = rng.uniform(0.5, 1.5, autoencoder.state.size)
    return autoencoder


def data(n=6, seed=1):
    return np.random.default_rng(seed).standard_normal((n, 3))


class OneTooFew(Prior):
    """A prior that leaves out a draw."""

    name = "one_too_few"

    def draw(self, rng, n, latent, dtype):
        return np.zeros((n - 1, latent))


class Wide(Prior):
    """N(0, 4 I), in float64 whatever the dtype."""

    name = "wide"

    def draw(self, rng, n, latent, dtype):
        return 2 * rng.standard_normal((n, latent))


def linear() -> AAE:
    """z = 2 x + 1, raw = 3 z - 2, and a score of z / 2 - 1: a number each."""
    autoencoder = AAE(
        Network((1,), Dense(1, 1)),
        Network((1,), Dense(1, 1)),
        FixedGaussian(0.5),
        discriminator=Network((1,), Dense(1, 1)),
        loss="least_squares",
        prior=Always(),
        dtype="float64",
        rng=0,
    )
    for name, w, b in (("encoder", 2, 1), ("decoder", 3, -2), ("discriminator", 0.5, -1)):
        layer = getattr(autoencoder.views, name)[0]
        layer.w[:], layer.b[:] = w, b
    return autoencoder


class Always(Prior):
    """A prior of which every draw is 4."""

    name = "always"

    def draw(self, rng, n, latent, dtype):
        return [[4] * latent] * n


def gradients(autoencoder, player, x):
    gradient = autoencoder.gradient(player)
    value = autoencoder.objective(player, x, NOISE, gradient)
    return value, gradient.views


def test_the_autoencoders_number_and_gradients_are_those_by_hand():
    """x = 0, 1 give z = 1, 3 and raw = 1, 7, which are 1 and 6 too much."""
    value, g = gradients(linear(), "autoencoder", [[0.0], [1.0]])
    # -log N(x; raw, 1/2) = (x - raw)^2 + log(pi) / 2
    assert value == pytest.approx((1 + 36) / 2 + np.log(np.pi) / 2)
    # d_raw = 2 (raw - x) / N = 1, 6
    np.testing.assert_allclose(g.decoder[0].w, [[1 * 1 + 6 * 3]])
    np.testing.assert_allclose(g.decoder[0].b, [1 + 6])
    # dz = 3 d_raw = 3, 18
    np.testing.assert_allclose(g.encoder[0].w, [[3 * 0 + 18 * 1]])
    np.testing.assert_allclose(g.encoder[0].b, [3 + 18])


def test_the_discriminators_number_and_gradients_are_those_by_hand():
    """The prior gives z = 4, with a score of 1; the codes 1, 3 have scores of -1/2, 1/2."""
    value, g = gradients(linear(), "discriminator", [[0.0], [1.0]])
    # (real - 1)^2 / 2 + fake^2 / 2
    assert value == pytest.approx((0 + 1 / 4) / 2)
    # dreal = (real - 1) / N = 0, dfake = fake / N = -1/4, 1/4
    np.testing.assert_allclose(g.discriminator[0].w, [[-1 / 4 * 1 + 1 / 4 * 3]])
    np.testing.assert_allclose(g.discriminator[0].b, [0], atol=1e-15)


def test_the_generators_number_and_gradients_are_those_by_hand():
    value, g = gradients(linear(), "generator", [[0.0], [1.0]])
    # (fake - 1)^2 / 2, of -3/2 and -1/2
    assert value == pytest.approx((9 / 8 + 1 / 8) / 2)
    # dfake = (fake - 1) / N = -3/4, -1/4; dz = dfake / 2
    np.testing.assert_allclose(g.encoder[0].w, [[-1 / 8 * 1]])
    np.testing.assert_allclose(g.encoder[0].b, [-3 / 8 - 1 / 8])


def test_draws_of_the_prior_are_real_and_codes_are_fake():
    autoencoder, x, tape = model(prior=Ring(3)), data(), Tape()
    value = autoencoder.objective("discriminator", x, NOISE, tape=tape)
    c = autoencoder.prior.draw(np.random.default_rng(NOISE), len(x), 2, "float64")

    def score(z):
        return autoencoder.apply("discriminator", z)[:, 0]

    real, fake = score(c), score(autoencoder.encode(x))
    assert value == pytest.approx((np.logaddexp(0, -real) + np.logaddexp(0, fake)).mean())
    by_generator = autoencoder.objective("generator", x, NOISE)
    assert by_generator == pytest.approx(np.logaddexp(0, -fake).mean())


KINDS = {
    **{name: {"loss": name} for name in LOSSES},
    **{f"prior {name}": {"prior": name} for name in PRIORS},
    "mse": {"likelihood": "mse"},
    "r1": {"penalty": R1(3.0), "prior": Ring(3)},
    "gradient_penalty": {
        "penalty": GradientPenalty(2.0),
        "loss": "wasserstein",
        "prior": Uniform(2.0),
    },
}


def with_batch_norm() -> AAE:
    return model(
        encoder=Network((3,), Dense(3, 4), BatchNorm(4, eps=0.3), Tanh(), Dense(4, 2)),
        decoder=Network((2,), Dense(2, 4), BatchNorm(4, eps=0.3), Tanh(), Dense(4, 3)),
        discriminator=Network((2,), Dense(2, 4), BatchNorm(4, eps=0.3), Tanh(), Dense(4, 1)),
    )


def with_labels(*names) -> AAE:
    n = {"encoder": (3, 2), "decoder": (2, 3), "discriminator": (2, 1)}
    networks = {
        name: Network((a,), *(joined := [JoinLabels(3, 2)] if name in names else []),
                      Dense(a + 2 * len(joined), 4), Tanh(), Dense(4, b))
        for name, (a, b) in n.items()
    }  # fmt: skip
    return model(penalty="r1", **networks)


def with_dropout() -> AAE:
    return model(
        encoder=Network((3,), Dense(3, 4), Tanh(), Dropout(0.3), Dense(4, 2)),
        discriminator=Network((2,), Dense(2, 4), Dropout(0.3), Tanh(), Dense(4, 1)),
        penalty="r1",
    )


BUILDS = {
    **{name: lambda kind=kind: model(**kind) for name, kind in KINDS.items()},
    "batch norm": with_batch_norm,
    "labels": lambda: with_labels("decoder", "discriminator"),
    "dropout": with_dropout,
}


@pytest.mark.once
@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_each_players_gradient_is_the_derivative_of_its_number(build):
    report = check(build())
    assert report.verdict == "PASS", report
    assert [case.label.split(",")[0] for case in report.cases] == list(PLAYERS)


@pytest.mark.parametrize("player", PLAYERS)
def test_a_turn_moves_the_networks_of_its_player_alone(player):
    autoencoder, x = model(penalty="r1"), data()
    autoencoder.turns = lambda step: (player,)
    before = {name: autoencoder.block.theta([name]).copy() for name in autoencoder.networks}
    Trainer(autoencoder, dict.fromkeys(autoencoder.players, Adam(0.1))).step(x, NOISE)
    moved = {name for name, old in before.items() if (old != autoencoder.block.theta([name])).any()}
    assert moved == PLAYERS[player]


def test_every_trainable_array_moves_in_a_step():
    autoencoder, x = model(), data()
    before = [array.copy() for _, array in autoencoder.block.arrays()]
    Trainer(autoencoder, dict.fromkeys(autoencoder.players, Adam(0.1))).step(x, NOISE)
    for (entry, array), old in zip(autoencoder.block.arrays(), before, strict=True):
        assert (array != old).all(), entry.name


def test_the_encoder_moves_twice_in_a_step_the_second_time_from_where_the_first_left_it():
    autoencoder, x, rate = model(), data(), 0.1
    by_hand = model()
    rng = np.random.default_rng(NOISE)
    for player in PLAYERS:
        gradient = by_hand.gradient(player)
        by_hand.objective(player, x, rng, gradient)
        by_hand.theta(player)[:] -= rate * gradient.vector
    trainer = Trainer(autoencoder, dict.fromkeys(autoencoder.players, SGD(rate)))
    trainer.step(x, np.random.default_rng(NOISE))
    np.testing.assert_allclose(autoencoder.vector, by_hand.vector, rtol=1e-12)


def test_the_two_players_of_the_encoder_have_separate_moments():
    aae_model, x = model(), data()
    adam = Adam(1e-6, b1=0.9)
    trainer = Trainer(aae_model, dict.fromkeys(aae_model.players, adam))
    g = {
        player: gradients(aae_model, player, x)[1].encoder[0].w
        for player in PLAYERS
        if player != "discriminator"
    }
    first = {
        "autoencoder": (g["autoencoder"], g["generator"]),
        "generator": (g["generator"], g["autoencoder"]),
    }
    trainer.step(x, NOISE)
    for player in ("autoencoder", "generator"):
        m, (of_first, others) = aae_model.gradient(player), first[player]
        m.vector[:] = trainer.memories[player].m
        # after one step m is (1 - b1) g; the steps are so small that g hardly changes
        np.testing.assert_allclose(m.views.encoder[0].w, 0.1 * of_first, rtol=1e-3)
        assert not np.allclose(of_first, others)


@pytest.mark.parametrize("player", PLAYERS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_small_step_lowers_what_its_player_minimises(player, kind):
    autoencoder, x = model(**kind), data()
    autoencoder.turns = lambda step: (player,)
    before = autoencoder.objective(player, x, NOISE)
    Trainer(autoencoder, dict.fromkeys(autoencoder.players, SGD(1e-3))).step(x, NOISE)
    assert autoencoder.objective(player, x, NOISE) < before


def test_the_encoders_running_mean_is_updated_once_a_step_from_the_autoencoders_pass():
    autoencoder, x = with_batch_norm(), data()
    norm = autoencoder.views.encoder[1]
    mean, layer = norm.mean.copy(), autoencoder.encoder.layers[1]
    of_batch = (x @ autoencoder.views.encoder[0].w + autoencoder.views.encoder[0].b).mean(axis=0)
    Trainer(autoencoder, dict.fromkeys(autoencoder.players, SGD(0.1))).step(x, NOISE)
    expected = layer.keep * mean + (1 - layer.keep) * of_batch
    np.testing.assert_allclose(norm.mean, expected, rtol=1e-10)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_the_turns_of_the_game_leave_the_state_of_encoder_and_decoder_alone(player):
    autoencoder = with_batch_norm()
    autoencoder.turns = lambda step: (player,)
    names = ["encoder", "decoder"] + ["discriminator"] * (player == "generator")
    before = {name: autoencoder.block.state_of(name).copy() for name in names}
    Trainer(autoencoder, dict.fromkeys(autoencoder.players, SGD(0.1))).step(data(), NOISE)
    for name, state in before.items():
        assert np.array_equal(state, autoencoder.block.state_of(name)), name


def test_samples_are_decoded_draws_of_the_prior():
    autoencoder = model(prior=Ring(3, radius=2.0, std=0.01))
    z = autoencoder.prior.draw(np.random.default_rng(5), 40, 2, "float64")
    assert np.array_equal(autoencoder.draw_latents(40, np.random.default_rng(5)), z)
    np.testing.assert_array_equal(autoencoder.sample(40, rng=5), autoencoder.decode(z))
    assert np.linalg.norm(z, axis=1) == pytest.approx(2, abs=0.06)
    x = data()
    np.testing.assert_array_equal(
        autoencoder.reconstruct(x), autoencoder.decode(autoencoder.encode(x))
    )
    noisy = autoencoder.sample(40, rng=5, noise=True) - autoencoder.sample(40, rng=5)
    assert noisy.var() == pytest.approx(0.5, rel=0.4)  # the likelihood's variance


def test_a_users_prior_draws_the_same_in_replayed_steps():
    vectors = []
    for replay in (True, False):
        autoencoder = aae((3,), latent=2, hidden=(4,), prior=Wide(), rng=0)
        sg.fit(autoencoder, data(20), epochs=10, batch_size=10, seed=0, replay=replay)
        vectors.append(autoencoder.vector)
        assert autoencoder.sample(3, rng=0).dtype == np.float32
    assert np.array_equal(*vectors)


def test_a_prior_that_draws_the_wrong_shape_is_an_error():
    autoencoder = model(prior=Always(), dtype="float64")
    autoencoder.prior = OneTooFew()
    with pytest.raises(errors.ShapeError, match=r"draw gave z of .*wants shape \(6, 2\)"):
        autoencoder.objective("discriminator", data(), NOISE)
    with pytest.raises(errors.ShapeError, match="draw gave z"):
        autoencoder.sample(4, rng=0)


def test_only_networks_that_join_labels_need_them():
    autoencoder, x = with_labels("decoder"), data()
    assert autoencoder.n_labels == 3
    assert autoencoder.encode(x).shape == (6, 2)
    decoded = [autoencoder.decode(autoencoder.encode(x), label) for label in range(3)]
    assert not np.allclose(decoded[0], decoded[1])
    with pytest.raises(errors.OptionError, match="label"):
        autoencoder.reconstruct(x)
    with pytest.raises(errors.OptionError, match="label"):
        sg.fit(autoencoder, x, epochs=1)


def test_the_recipe_gives_labels_to_the_decoder_and_the_discriminator():
    autoencoder = aae((3,), latent=2, hidden=(4,), n_labels=3, rng=0)
    joined = {
        name
        for name, network in autoencoder.networks.items()
        if any(isinstance(layer, JoinLabels) for layer in network.layers)
    }
    assert joined == {"decoder", "discriminator"}


def test_the_vector_has_the_networks_of_each_player_side_by_side():
    autoencoder = model()
    autoencoder.vector[:] = 0
    autoencoder.theta("generator")[:] = 1
    assert all((array == 1).all() == entry.name.startswith("encoder")
               for entry, array in autoencoder.block.arrays())  # fmt: skip


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(errors.ShapeError, match=r"discriminator takes \(3,\), wants \(2,\)"):
        model(discriminator=Network((3,), Dense(3, 1)))
    with pytest.raises(errors.ShapeError, match="one score a code"):
        model(discriminator=Network((2,), Dense(2, 2)))
    with pytest.raises(errors.ShapeError, match="encoder gives"):
        model(encoder=Network((3,), Dense(3, 4)))
    with pytest.raises(errors.OptionError, match="latent=1 for the prior"):
        aae((3,), latent=1, prior="ring")
    with pytest.raises(errors.OptionError, match="cannot be penalised"):
        model(penalty="r1", discriminator=Network((2,), Dense(2, 4), BatchNorm(4), Dense(4, 1)))
    with pytest.raises(errors.OptionError, match="prior"):
        model(prior="normal")

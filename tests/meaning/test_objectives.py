"""What stands between the layers: the number that is reported, and the step that it leads to."""

import itertools

import numpy as np
import pytest
from differences import assert_close, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen.distributions import bernoulli, gaussian
from scratchgen.nn import Dense, Layer, Network, Tanh, Tape
from scratchgen.optim import Adam
from scratchgen.train import Trainer

NOISE = 7  # one seed for all calls of objective: the noise is frozen


def tanh_network(*widths: int) -> Network:
    layers: list[Layer] = []
    for a, b in itertools.pairwise(widths):
        layers += [Dense(a, b), Tanh()]
    return Network((widths[0],), *layers[:-1])


def smooth_model(kind: str, seed: int) -> sg.models.Model:
    """A model of (3,) without kinks, in float64, no parameter at its initial value."""
    if kind in ("bernoulli", "gaussian"):
        out = 6 if kind == "gaussian" else 3
        encoder, decoder = tanh_network(3, 5, 4), tanh_network(2, 5, out)
        model = sg.models.VAE(encoder, decoder, kind, beta=0.7, dtype="float64", rng=0)
    else:
        generator, discriminator = tanh_network(2, 4, 3), tanh_network(3, 4, 1)
        model = sg.models.GAN(generator, discriminator, kind, dtype="float64", rng=0)
    rng = np.random.default_rng(seed)
    for block in model.players.values():
        block.vector[:] = rng.standard_normal(block.vector.size) * 0.6
    return model


KINDS = ["bernoulli", "gaussian", "minimax", "non_saturating"]


@pytest.mark.parametrize("kind", KINDS)
@given(n=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_the_gradient_of_every_player_is_that_of_the_number_that_objective_returns(kind, n, seed):
    model = smooth_model(kind, seed)
    x = np.random.default_rng(seed).random((n, 3))
    for player, block in model.players.items():
        gradient = block.zeros_like()
        model.objective(player, x, NOISE, gradient)

        def value(player=player):
            return model.objective(player, x, NOISE)

        assert_close(gradient.vector, numeric_gradient(value, block.vector), player)


class RecordingOptimizer:
    """Notes the gradient that it is handed, and moves nothing."""

    def memory(self, theta):
        return None

    def update(self, theta, gradient, memory):
        self.theta, self.gradient = theta.copy(), gradient.copy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_handed_to_the_optimizer_is_that_of_the_number_that_step_reports(kind):
    model = smooth_model(kind, 3)
    optimizers = {player: RecordingOptimizer() for player in model.players}
    trainer = Trainer(model, optimizers)
    for steps in range(2):  # the second on used tapes, with a shorter batch
        x = np.random.default_rng(4).random((3 - steps, 3))
        reported = trainer.step(x, np.random.default_rng(NOISE))
        player = next(iter(model.players))  # the first of a step draws the noise that is frozen
        number = "loss" if player == "vae" else player

        def value():
            return model.objective(player, x, np.random.default_rng(NOISE))

        assert reported[number] == pytest.approx(value(), rel=1e-12)
        vector = model.players[player].vector
        assert_close(optimizers[player].gradient, numeric_gradient(value, vector), player)


@pytest.mark.parametrize("kind", KINDS)
def test_objective_moves_nothing_and_repeats_itself(kind):
    model = smooth_model(kind, 0)
    before = {player: block.vector.copy() for player, block in model.players.items()}
    x = np.random.default_rng(0).random((4, 3))
    for player, block in model.players.items():
        first = model.objective(player, x, NOISE, block.zeros_like())
        assert first == model.objective(player, x, NOISE)
        assert first != model.objective(player, x, NOISE + 1)
    for player, block in model.players.items():
        assert np.array_equal(before[player], block.vector)


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_step_lowers_the_number_it_claims_to_lower(kind):
    model = smooth_model(kind, 1)
    x = np.random.default_rng(1).random((32, 3))
    for player, block in model.players.items():
        gradient = block.zeros_like()
        before = model.objective(player, x, NOISE, gradient)
        step = 1e-4 * gradient.vector
        block.vector -= step
        fall = before - model.objective(player, x, NOISE)
        assert fall == pytest.approx(step @ gradient.vector, rel=0.01)
        block.vector += step


@pytest.mark.parametrize("kind", KINDS)
def test_every_trained_number_of_every_player_moves_in_a_step(kind):
    model = smooth_model(kind, 2)
    before = {player: block.vector.copy() for player, block in model.players.items()}
    trainer = Trainer(model, dict.fromkeys(model.players, Adam(1e-3)))
    trainer.step(np.random.default_rng(2).random((8, 3)), NOISE)
    for player, block in model.players.items():
        assert (before[player] != block.vector).all(), player


class Counter(Layer):
    """Passes x on; its state counts the passes that were settled."""

    def state(self):
        return {"settled": ((1,), 0.0)}

    def forward(self, p, x, tape):
        return x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy

    def settle(self, p, tape):
        p.settled += 1


def test_each_player_moves_only_its_own_weights_and_its_own_state():
    generator = Network((2,), Dense(2, 3), Counter())
    discriminator = Network((3,), Counter(), Dense(3, 1))
    gan = sg.models.GAN(generator, discriminator, rng=0)
    g, d = gan.players["generator"], gan.players["discriminator"]
    x = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    for player, own, other, settled in (("discriminator", d, g, 2), ("generator", g, d, 1)):
        kept = other.snapshot()
        moved = own.vector.copy()
        trainer = Trainer(gan, dict.fromkeys(gan.players, Adam(0.1)))
        gan.turns = lambda step, player=player: (player,)
        own.state[:] = 0
        trainer.step(x, NOISE)
        assert (own.vector != moved).any()
        assert own.state[0] == settled, player  # once for each of the player's passes
        for before, after in zip(kept, other.snapshot(), strict=True):
            assert np.array_equal(before, after), player


def test_the_generators_step_leaves_nothing_in_the_discriminators_gradient():
    gan = smooth_model("non_saturating", 0)
    trainer = Trainer(gan, dict.fromkeys(gan.players, RecordingOptimizer()))
    gan.turns = lambda step: ("generator",)
    trainer.step(np.ones((4, 3)), NOISE)
    assert not trainer.gradients["discriminator"].vector.any()
    assert trainer.gradients["generator"].vector.all()


def test_real_and_fake_passes_do_not_share_their_notes():
    """For real and fake alike the two passes' gradients are known from one pass's logits."""
    gan = smooth_model("minimax", 0)
    z = np.random.default_rng(NOISE).standard_normal((5, 2))
    fake = gan.decode(z)
    gradient = gan.players["discriminator"].zeros_like()
    value = gan.objective("discriminator", fake, NOISE, gradient)
    r = gan.score(fake)
    assert value == pytest.approx((np.logaddexp(0, -r) + np.logaddexp(0, r)).mean(), rel=1e-12)
    tail = (1 / (1 + np.exp(-r)) - 1 / (1 + np.exp(r))).mean()  # mean of df + dr
    assert gradient.views.discriminator[-1].b[0] == pytest.approx(tail, rel=1e-10)


def test_the_discriminator_moves_k_times_for_each_move_of_the_generator():
    gan = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=3, rng=0)
    turns = [gan.turns(step) for step in range(6)]
    assert [len(players) for players in turns] == [1, 1, 2, 1, 1, 2]
    assert all(players[0] == "discriminator" for players in turns)


def test_what_each_player_of_a_gan_minimises_is_written_with_probabilities():
    for loss, generator in (
        ("minimax", lambda d_fake: np.log(1 - d_fake).mean()),
        ("non_saturating", lambda d_fake: -np.log(d_fake).mean()),
    ):
        gan = smooth_model(loss, 5)
        x = np.random.default_rng(5).random((6, 3))
        fake = gan.decode(np.random.default_rng(NOISE).standard_normal((6, 2)))
        d_real, d_fake = (1 / (1 + np.exp(-gan.score(a))) for a in (x, fake))
        wanted = -(np.log(d_real) + np.log(1 - d_fake)).mean()
        assert gan.objective("discriminator", x, NOISE) == pytest.approx(wanted, rel=1e-12)
        assert gan.objective("generator", x, NOISE) == pytest.approx(generator(d_fake), rel=1e-12)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_the_loss_of_a_vae_is_reconstruction_plus_beta_kl(kind):
    model, tape = smooth_model(kind, 0), Tape()
    x = np.random.default_rng(0).random((5, 3))
    loss = model.objective("vae", x, NOISE, tape=tape)
    parts = tape.parts
    assert loss == pytest.approx(parts["reconstruction"] + 0.7 * parts["kl"], rel=1e-14)
    q = model.posterior(x)
    assert parts["kl"] == pytest.approx(gaussian.kl_to_standard(q.mu, q.log_var).mean())


def test_the_elbo_has_beta_one_whatever_was_trained():
    model, tape = smooth_model("bernoulli", 0), Tape()
    x = np.random.default_rng(0).random((5, 3))
    model.objective("vae", x, NOISE, tape=tape)
    wanted = -(tape.parts["reconstruction"] + tape.parts["kl"])
    assert model.elbo(x, rng=NOISE).mean() == pytest.approx(wanted, rel=1e-12)


def test_the_noise_that_is_drawn_is_the_noise_that_is_differentiated():
    """z = mu + sigma noise, the same noise in the value and in the gradient, drawn once."""
    model = smooth_model("gaussian", 0)
    x = np.random.default_rng(0).random((4, 3))
    rng, alone = np.random.default_rng(NOISE), np.random.default_rng(NOISE)
    model.objective("vae", x, rng, model.players["vae"].zeros_like())
    alone.standard_normal((4, 2))
    assert rng.random() == alone.random()  # just one draw of (N, Z) was taken


def test_the_elbo_is_a_lower_bound_of_the_likelihood():
    """log p(x) by a sum over a fine grid of z, for a one-dimensional latent."""
    encoder, decoder = tanh_network(3, 4, 2), tanh_network(1, 4, 3)
    model = sg.models.VAE(encoder, decoder, "bernoulli", dtype="float64", rng=1)
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

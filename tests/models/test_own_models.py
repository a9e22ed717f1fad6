"""Users' own models: a new `minimise`, or a new `objective` around the same `minimise`."""

from typing import ClassVar

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.models import GAN, VAE, Model, family
from scratchgen.nn import Dense, Network, Tape
from scratchgen.optim import Adam

RATE = 0.3  # of the decay


def decay_of(theta, into=None):
    """RATE / 2 |theta|^2, whose gradient is added into an array like theta."""
    if into is not None:
        into += RATE * theta
    return RATE / 2 * float((theta * theta).sum())


def decay_within(turn, *names):
    """The penalty on weights, for networks of a single dense layer."""
    total = 0.0
    for name in names:
        network = turn.network(name, on=f"decay of {name}")
        for key in ("w", "b"):
            into = getattr(network.g[0], key) if turn.wants_gradient else None
            total += decay_of(getattr(network.p[0], key), into)
    return total


class DecayingVAE(VAE):
    """A VAE whose loss has one more part, as a plain number."""

    reported = (*VAE.reported, "decay")

    def minimise(self, turn):
        found = super().minimise(turn)
        decay = decay_within(turn, "encoder", "decoder")
        return {**found, "loss": found["loss"] + decay, "decay": decay}


class DecayingOutsideVAE(VAE):
    """The same, written around `objective`."""

    reported = DecayingVAE.reported

    def objective(self, player, batch, rng, gradient=None, tape=None, **keywords):
        tape = tape or Tape()
        value = super().objective(player, batch, rng, gradient, tape, **keywords)
        decay = decay_of(self.theta(player), None if gradient is None else gradient.vector)
        tape.parts |= {"loss": value + decay, "decay": decay}
        return value + decay


class DecayingGAN(GAN):
    """A GAN whose generator's number has one more part."""

    def minimise(self, turn):
        found = super().minimise(turn)
        if turn.player == "discriminator":
            return found
        return {"generator": found["generator"] + decay_within(turn, "generator")}


@family
class LeastSquares(Model):
    """y = f(x) should be x: a model of a single network, with all that `fit` needs."""

    kind = "LeastSquares"
    players: ClassVar = {"fitter": ("only",)}
    reported = ("error",)

    only: Network

    def fit_together(self):
        self.shape, self.latent = self.only.in_shape, 2

    def minimise(self, turn):
        over = turn.forward("only", turn.batch) - turn.batch  # (N, 2)
        if turn.wants_gradient:
            turn.backward("only", 2 * over / turn.size, need_dx=False)
        return {"error": (over**2).sum() / turn.size}

    def optimizers(self, steps, learning_rate=None):
        return {"fitter": Adam(0.05)}


@family
class ByHand(Model):
    """The same by hand: its objective calls the layers itself, and settles nothing."""

    kind = "ByHand"
    players: ClassVar = {"fitter": ("only",)}
    reported = ("error",)

    only: Network

    def fit_together(self):
        self.shape, self.latent = (2,), 2

    def minimise(self, turn):
        only = turn.network("only")
        over = only.network.forward(only.p, turn.batch, only.tape) - turn.batch  # (N, 2)
        if turn.wants_gradient:
            dy = 2 * over / len(turn.batch)
            only.network.backward(only.p, dy, only.tape, only.g, need_dx=False)
        return {"error": (over**2).sum() / len(turn.batch)}

    def settle(self, player, tape):
        pass

    def optimizers(self, steps, learning_rate=None):
        return {"fitter": Adam(0.05)}


def own_vae(kind):
    encoder, decoder = Network((2,), Dense(2, 4)), Network((2,), Dense(2, 2))
    return kind(encoder, decoder, "gaussian_fixed", dtype="float64", rng=0)


def own_gan():
    return DecayingGAN(
        Network((2,), Dense(2, 2)), Network((2,), Dense(2, 1)), dtype="float64", rng=0
    )


MODELS = {
    "minimise": lambda: own_vae(DecayingVAE),
    "objective": lambda: own_vae(DecayingOutsideVAE),
    "GAN": own_gan,
    "Model": lambda: LeastSquares(Network((2,), Dense(2, 2)), dtype="float64", rng=0),
    "by hand": lambda: ByHand(Network((2,), Dense(2, 2)), dtype="float64", rng=0),
}


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((300, 2))


@pytest.mark.parametrize("name", MODELS)
def test_its_gradients_are_those_of_its_number(name, x):
    model = MODELS[name]()
    for player in model.players:
        gradient, theta = model.gradient(player), model.theta(player)
        model.objective(player, x[:5], 7, gradient)
        for i in range(0, len(theta), 3):
            values = []
            for step in (1e-6, -2e-6, 1e-6):
                theta[i] += step
                values.append(model.objective(player, x[:5], 7))
            slope = (values[0] - values[1]) / 2e-6
            assert gradient.vector[i] == pytest.approx(slope, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_fit_trains_it_by_its_number_and_records_its_parts(name, x):
    model = MODELS[name]()
    before = {player: model.theta(player).copy() for player in model.players}
    history = sg.fit(model, x, epochs=4, batch_size=30, seed=0, validation=x[:40])
    assert [*history] == [*model.reported, *(f"val_{number}" for number in model.reported)]
    assert np.isfinite([*history.values()]).all()
    for player, vector in before.items():
        assert (model.theta(player) != vector).any()
    if "error" in history:
        assert history["error"][-1] < history["error"][0] / 2
    if "decay" in history:
        for start in ("", "val_"):
            parts = [history[start + part] for part in ("reconstruction", "kl", "decay")]
            np.testing.assert_allclose(history[f"{start}loss"], np.sum(parts, axis=0), rtol=1e-12)
        assert history["decay"][-1] < history["decay"][0]


def test_the_same_mathematics_inside_and_around_train_the_same(x):
    inside, around = (own_vae(kind) for kind in (DecayingVAE, DecayingOutsideVAE))
    first, second = (sg.fit(model, x, epochs=3, seed=0) for model in (inside, around))
    assert dict(first) == dict(second)
    assert np.array_equal(inside.vector, around.vector)


def test_a_number_that_stops_being_finite_stops_training_whoever_reports_it(x):
    class Bad(DecayingOutsideVAE):
        def objective(self, player, batch, rng, gradient=None, tape=None, **keywords):
            super().objective(player, batch, rng, gradient, tape, **keywords)
            if tape is not None:
                tape.parts["loss"] = np.inf
            return np.inf

    with pytest.raises(errors.DivergedError, match="what the vae minimises became inf"):
        sg.fit(own_vae(Bad), x, epochs=1, seed=0)


@pytest.mark.parametrize("shape", [(5,), (1, 1), (0,)])
def test_each_report_is_a_single_number(shape, x):
    class Vague(VAE):
        def minimise(self, turn):
            return {"loss": np.ones(shape)}

    with pytest.raises(
        errors.ShapeError, match=r"minimise gave loss of shape .*, wants one number"
    ):
        own_vae(Vague).objective("vae", x[:5], 0)


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.array(2.0), np.array([2.0])])
def test_a_number_may_be_of_any_kind(number, x):
    class Plain(VAE):
        def minimise(self, turn):
            return {"loss": number, "kl": 0.5}

    tape = Tape()
    assert own_vae(Plain).objective("vae", x[:5], 0, tape=tape) == 2
    assert tape.parts == {"loss": 2, "kl": 0.5}


def test_the_frame_is_the_same_for_every_model(x):
    """Player, batch and rng are checked before a model's own mathematics see them."""
    seen = []

    class Seeing(VAE):
        def minimise(self, turn):
            step = turn.scheduled(lambda step: step)
            seen.append((turn.player, turn.batch, turn.size, turn.rng, turn.wants_gradient, step))
            return {"loss": 0.0}

    model = own_vae(Seeing)
    model.objective("vae", x[:3].tolist(), 5, training=False, step=4)
    player, batch, size, rng, wants_gradient, step = seen.pop()
    assert (player, size, wants_gradient, step.tolist()) == ("vae", 3, False, [4])
    assert np.array_equal(batch, x[:3])
    assert isinstance(rng, np.random.Generator)
    for player, batch, rng in (("gan", x, 0), ("vae", x[:0], 0), ("vae", x[:, :1], 0)):
        with pytest.raises(errors.ScratchgenError):
            model.objective(player, batch, rng)
    with pytest.raises(errors.OptionError, match="rng"):
        model.objective("vae", x, "seed")
    assert seen == []

"""A discriminator of pairs: a user's own family whose discriminator has two inputs.

BiGAN (Donahue et al. 2017; Dumoulin et al. 2017): the discriminator tells (x, encoder(x)) from
(generator(z), z), and one player moves encoder and generator, by the same game with the roles
exchanged.
"""

import json
from typing import ClassVar

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.kernels import join, mean, split
from scratchgen.losses import NON_SATURATING, discriminator_loss
from scratchgen.models import Model, family
from scratchgen.nn import Dense, LeakyReLU, Network, Tanh
from scratchgen.optim import Adam
from scratchgen.train import Run


@family
class BiGAN(Model):
    """x (N, D), z (N, Z): D takes (N, D + Z)."""

    kind: ClassVar[str] = "BiGAN"
    players: ClassVar = {
        "discriminator": ("discriminator",),
        "generator": ("encoder", "generator"),
    }
    reported: ClassVar = ("discriminator", "generator")

    encoder: Network
    generator: Network
    discriminator: Network

    def fit_together(self):
        self.shape, self.latent = self.encoder.in_shape, self.generator.in_shape[0]

    def minimise(self, turn):
        moves_discriminator = turn.player == "discriminator"
        z = turn.normal(turn.size, self.latent)  # (N, Z)
        codes = turn.forward("encoder", turn.batch, settle=not moves_discriminator)  # (N, Z)
        fakes = turn.forward("generator", z, settle=not moves_discriminator)  # (N, D)
        pairs = join(turn.batch, codes), join(fakes, z)  # (N, D + Z) each
        real = turn.forward("discriminator", pairs[0], on="real", settle=moves_discriminator)
        fake = turn.forward("discriminator", pairs[1], on="fake", settle=moves_discriminator)
        if moves_discriminator:
            d = discriminator_loss(NON_SATURATING, real[:, 0], fake[:, 0], 1 / turn.size)
            if turn.wants_gradient:
                turn.backward("discriminator", d.real[:, None], on="real", need_dx=False)
                turn.backward("discriminator", d.fake[:, None], on="fake", need_dx=False)
            return {"discriminator": mean(d.value)}
        d = discriminator_loss(NON_SATURATING, fake[:, 0], real[:, 0], 1 / turn.size)
        if turn.wants_gradient:
            dreal = turn.backward("discriminator", d.fake[:, None], on="real")  # (N, D + Z)
            dfake = turn.backward("discriminator", d.real[:, None], on="fake")  # (N, D + Z)
            width = self.shape[0]
            _, dcodes = split(dreal, width)  # (N, Z)
            dmade, _ = split(dfake, width)  # (N, D)
            turn.backward("encoder", dcodes, need_dx=False)
            turn.backward("generator", dmade, need_dx=False)
        return {"generator": mean(d.value)}

    def optimizers(self, steps, learning_rate=None):
        return {player: Adam(learning_rate or 1e-3, b1=0.5) for player in self.players}


def bigan(dtype="float32", width=8):
    return BiGAN(
        Network((3,), Dense(3, width), Tanh(), Dense(width, 2)),
        Network((2,), Dense(2, width), Tanh(), Dense(width, 3)),
        Network((5,), Dense(5, width), LeakyReLU(), Dense(width, 1)),
        dtype=dtype,
        rng=0,
    )


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((40, 3)).astype("float32")


def test_the_gradients_of_both_players_are_those_of_their_numbers(x):
    report = sg.gradcheck.check(bigan("float64"), x=x[:4], seconds=None)
    assert report.verdict == "PASS", str(report)


def test_the_generator_moves_two_networks_and_not_the_third(x):
    model, optimizers = bigan(), {"discriminator": sg.optim.SGD(1e-30)}
    before = {name: model.block.theta((name,)).copy() for name in model.networks}
    sg.fit(model, x, epochs=1, batch_size=40, seed=0, optimizer=optimizers)
    for name, theta in before.items():
        difference = np.abs(theta - model.block.theta((name,))).max()
        assert (difference > 1e-5) == (name != "discriminator")


def test_it_is_saved_loaded_and_resumed_when_its_class_is_registered(x, tmp_path, monkeypatch):
    monkeypatch.setitem(sg.models.MODELS, "BiGAN", BiGAN)
    run = Run(bigan(), x, epochs=2, batch_size=8, seed=2)
    for _ in range(3):
        run.step()
    again = Run.resumed(x, run.arrays(), json.loads(json.dumps(run.plain())))
    for each in (run, again):
        while not each.is_done():
            each.step()
        each.finish()
    assert again.model.vector.tobytes() == run.model.vector.tobytes()
    sg.save(run.model, tmp_path / "bigan.npz")
    loaded = sg.load(tmp_path / "bigan.npz")
    assert loaded.vector.tobytes() == run.model.vector.tobytes()
    assert repr(loaded) == repr(run.model)

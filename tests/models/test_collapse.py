"""A model that has collapsed is reported, and a model that has learnt something is not."""

import tracemalloc
from typing import ClassVar

import numpy as np
import pytest
from small_models import labels_of, small_model

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.kernels import mean
from scratchgen.models import Model, active_latents, collapse, family
from scratchgen.nn import Dense, Network


@family
class Critic(Model):
    """A model that scores examples, and generates none."""

    kind: ClassVar[str] = "Critic"
    players: ClassVar = {"critic": ("critic",)}
    reported: ClassVar = ("loss",)
    scores: ClassVar[bool] = True

    critic: Network

    def fit_together(self):
        self.shape, self.latent = self.critic.in_shape, 0

    def minimise(self, turn):
        y = turn.forward("critic", turn.batch)  # (N, 1)
        if turn.wants_gradient:
            turn.backward("critic", np.full_like(y, 1 / turn.size), need_dx=False)
        return {"loss": mean(y[:, 0])}

    def optimizers(self, steps, learning_rate=None):
        return {"critic": sg.optim.SGD(0.1)}

    def score(self, x):
        return self.apply("critic", self.check(x))[:, 0]


def trained(model, x, epochs=3, **settings):
    sg.fit(model, x, epochs=epochs, seed=0, **settings)
    return model


def test_a_latent_is_active_where_the_variance_of_its_mean_is_above_a_hundredth():
    """Means of -a and a, equally often, have the variance a^2."""
    signs = np.tile([[-1.0], [1.0]], (50, 1))
    mu = signs * [0.0, 0.09, 0.11, 3.0] + [7.0, 0, 0, 0]
    assert active_latents(mu).tolist() == [False, False, True, True]


def test_anything_but_means_is_refused():
    for bad, error in (
        (np.zeros(3), errors.ShapeError),
        (np.zeros((2, 2, 2)), errors.ShapeError),
        (np.zeros((0, 2)), errors.DataError),
        ([[np.nan]], errors.DataError),
    ):
        with pytest.raises(error):
            active_latents(bad)


@pytest.mark.parametrize("shape", ["pictures", "points"])
def test_a_beta_without_active_latents_is_reported_and_the_advised_lower_beta_helps(shape, request):
    x = request.getfixturevalue(shape)
    settings = {"latent": 2, "hidden": (16,), "rng": 0}
    how = {"epochs": 20, "optimizer": sg.optim.Adam(5e-3)}
    model = trained(sg.models.vae(x.shape[1:], beta=200.0, **settings), x, **how)
    assert not active_latents(model.encode(x)).any()
    (text,) = collapse(model, x)
    assert "none of the latents (2) varies with x" in text
    assert "a beta below 200 lets z say more" in text
    mended = trained(sg.models.vae(x.shape[1:], beta=1.0, **settings), x, **how)
    assert active_latents(mended.encode(x)).any()
    assert collapse(mended, x) == []


def gan(points, **settings):
    """A linear GAN, trained a little, whose generator then returns the origin for every z."""
    model = trained(sg.models.gan((2,), latent=2, hidden=(), rng=0, **settings), points, 1)
    model.vector[:] = 0
    return model


def test_a_generator_of_a_single_point_is_reported(points):
    model = gan(points)
    (text,) = collapse(model, points, rng=0)
    assert text.startswith("the generator has collapsed: its samples spread 0 times")
    model.views.generator[0].w[:] = np.eye(2) * 0.05
    (text,) = collapse(model, points, rng=0)  # the ring's spread is 1, that of z times 0.05 is 0.07
    assert "its samples spread 0.07" in text
    model.views.generator[0].w[:] = np.eye(2) * 0.2
    assert collapse(model, points, rng=0) == []


@pytest.mark.filterwarnings(
    "ignore::scratchgen.ground.errors.ScaleWarning"
)  # x is far away on purpose
@pytest.mark.parametrize("loss", sorted(sg.losses.LOSSES))
def test_a_discriminator_that_is_sure_has_won_but_not_in_a_game_without_a_least_value(loss, points):
    """The data lie at x = 100, spread by 1, and fakes at 0: scores are 40 x - 2000, or x / 100."""
    x = points + np.float32([100, 0])
    model = gan(x, loss=loss)
    model.views.generator[0].w[:] = np.eye(2)
    score = model.views.discriminator[0]
    score.w[:] = [[0.01], [0]] if loss == "least_squares" else [[40], [0]]
    score.b[:] = 0 if loss == "least_squares" else -2000
    found = collapse(model, x, rng=0)
    won = [text for text in found if text.startswith("the discriminator has won")]
    assert len(won) == len(found) == (loss != "wasserstein")


def test_the_advised_penalty_keeps_a_discriminator_from_winning(pictures):
    settings = {"latent": 2, "hidden": (16,), "discriminator_steps": 4, "instance_noise": 0}
    found = []
    for penalty in (None, "r1"):
        model = sg.models.gan((28, 28, 1), loss="hinge", penalty=penalty, rng=0, **settings)
        found.append(collapse(trained(model, pictures, 40, batch_size=50), pictures, rng=0))
    assert len(found[0]) == 1
    assert "penalty='r1', keeps it from being sure" in found[0][0]
    assert found[1] == []


def test_trainings_that_go_well_raise_no_alarm(pictures, points):
    few = {"latent": 4, "hidden": (32,), "rng": 0}
    for name in sg.models.RECIPES:
        for x in (pictures, points):
            if name == "beta_vae" and x is points:
                continue  # beta = 4 is too much for a variance that is learnt
            optimizer = None if "gan" in name else sg.optim.Adam(5e-3)
            model = small_model(name, x.shape[1:], **few)
            labels = labels_of(model, len(x))
            trained(model, x, 20, batch_size=50, optimizer=optimizer, **labels)
            assert collapse(model, x, rng=0, **labels) == [], name


def test_nothing_is_reported_where_nothing_can_be_known(points):
    model = sg.models.vae((2,), latent=2, hidden=(8,), beta=200.0, rng=0)
    assert collapse(model, points) == []  # not trained yet
    trained(model, points, 60)
    assert len(collapse(model, points)) == 1
    assert collapse(model, points[:31]) == []
    assert collapse(model, np.repeat(points[:1], 100, axis=0)) == []
    model.vector[:] = np.nan
    assert collapse(model, points) == []


def test_a_model_that_joins_labels_is_judged_with_them(points):
    labels = np.arange(300) % 3
    for recipe in (sg.models.vae, sg.models.gan):
        model = recipe((2,), latent=2, hidden=(8,), n_labels=3, rng=0)
        sg.fit(model, points, labels=labels, epochs=1, seed=0)
        found = collapse(model, points, rng=0, labels=labels)
        assert all(text.startswith("posterior collapse") for text in found)  # after 3 steps
        with pytest.raises(errors.OptionError, match="wants the label of each example"):
            collapse(model, points)


def test_some_of_many_examples_are_used_in_memory_that_does_not_grow(points):
    settings = {"latent": 2, "hidden": (8,), "n_labels": 3, "rng": 0}
    many, labels = np.tile(points, (100, 1)), np.arange(30_000) % 3
    scaler = sg.data.Scaler.standard(points)
    for recipe in (sg.models.vae, sg.models.gan):
        model = recipe((2,), **settings, scaler=scaler)
        sg.fit(model, points, labels=labels[:300], epochs=1, seed=0)
        peaks = []
        for n in (3_000, 30_000):
            tracemalloc.start()
            collapse(model, many[:n], rng=0, labels=labels[:n])
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] - peaks[0] < 8 * 27_000 + 100_000  # labels as they are checked


def test_a_model_that_scores_but_plays_no_game_needs_no_samples(points):
    model = trained(Critic(Network((2,), Dense(2, 1)), rng=0), points)
    assert model.score(points).shape == (len(points),)
    assert collapse(model, points) == []

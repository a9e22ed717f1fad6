"""Running statistics, evaluation, and labels: what a pass reads and what it leaves behind."""

import io

import numpy as np
import pytest
from whole_models import KINDS, LATENT, N_LABELS, NOISE, Whole, owned

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.nn import BatchNorm, Dense, Layer, Network
from scratchgen.optim import Adam
from scratchgen.train import Trainer

WITH_BATCH_NORM = ["VAE with batch norm", "GAN with batch norm"]
WITH_LABELS = ["VAE with labels", "penalised GAN with labels"]


class Counter(Layer):
    """y = x; its state counts the passes that were settled."""

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
    x = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    turns = (("discriminator", "generator", 2), ("generator", "discriminator", 1))
    for player, other, settled in turns:
        kept = owned(gan, other)
        moved = gan.theta(player).copy()
        trainer = Trainer(gan, dict.fromkeys(gan.players, Adam(0.1)))
        gan.turns = lambda step, player=player: (player,)
        gan.block.state_of(player)[:] = 0
        trainer.step(x, NOISE)
        assert (gan.theta(player) != moved).any()
        # once for each of the player's passes
        assert gan.block.state_of(player).tolist() == [settled], player
        for before, after in zip(kept, owned(gan, other), strict=True):
            assert np.array_equal(before, after), player


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_running_statistics_are_those_of_the_players_own_turn(player):
    """The discriminator sees the generator's batches, and leaves its statistics alone."""
    whole = Whole("GAN with batch norm", 8, 0)
    model = whole.model
    before = {name: model.block.state_of(name).copy() for name in model.networks}
    model.turns = lambda step: (player,)
    Trainer(model, dict.fromkeys(model.players, Adam(1e-3))).step(whole.x, NOISE)
    for name in model.networks:
        state = model.block.state_of(name)
        assert (state != before[name]).all() == (name == player)
        assert (state == before[name]).all() == (name != player)


def test_running_statistics_are_the_mean_and_the_variance_of_the_layers_input():
    """By hand, for a batch norm of the data themselves, real and fake."""
    generator = Network((2,), Dense(2, 3))
    discriminator = Network((3,), BatchNorm(3, keep=0.75), Dense(3, 1))
    gan = sg.models.GAN(generator, discriminator, dtype="float64", rng=0)
    gan.turns = lambda step: ("discriminator",)
    x = np.random.default_rng(0).standard_normal((8, 3)) * 2 + 1
    fakes = gan.decode(np.random.default_rng(NOISE).standard_normal((8, 2)))
    Trainer(gan, dict.fromkeys(gan.players, Adam(1e-3))).step(x, NOISE)
    state = gan.views.discriminator[0]
    mean, var = np.zeros(3), np.ones(3)
    for batch in (x, fakes):
        mean, var = (0.75 * a + 0.25 * b for a, b in ((mean, batch.mean(0)), (var, batch.var(0))))
    np.testing.assert_allclose(state.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(state.var, var, rtol=1e-12)


def everything(model, x, labels):
    """The results of every public method of the model."""
    keywords = {"labels": labels}
    z = np.random.default_rng(0).standard_normal((len(x), LATENT))
    found = {
        "sample": model.sample(len(x), rng=0, **keywords),
        "decode": model.decode(z, **keywords),
    }
    if isinstance(model, sg.models.GAN):
        return found | {"score": model.score(x, **keywords)}
    return found | {
        "sample with noise": model.sample(len(x), rng=0, noise=True, **keywords),
        "encode": model.encode(x, **keywords),
        "posterior": model.posterior(x, **keywords).log_var,
        "reconstruct": model.reconstruct(x, **keywords),
        "elbo": model.elbo(x, rng=0, **keywords),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_changes_nothing_and_does_not_depend_on_the_batch(kind):
    """The result of an example depends neither on the rest of the batch nor on masks."""
    whole = Whole(kind, 6, 0)
    model, x, labels = whole.model, whole.x, whole.labels
    before = model.block.snapshot()
    together = everything(model, x, labels)
    for name, value in everything(model, x, labels).items():
        assert np.array_equal(value, together[name]), name
    alone = everything(model, x[:1], None if labels is None else labels[:1])
    for name in {"decode", "score", "encode", "posterior", "reconstruct"} & set(alone):
        np.testing.assert_allclose(alone[name][0], together[name][0], rtol=1e-10, err_msg=name)
    for kept, turn in zip(before, model.block.snapshot(), strict=True):
        assert np.array_equal(kept, turn)


@pytest.mark.parametrize("kind", WITH_BATCH_NORM)
def test_evaluation_uses_the_running_statistics(kind):
    whole = Whole(kind, 6, 0)
    before = everything(whole.model, whole.x, None)
    whole.model.state[:] += 0.5
    for name, value in everything(whole.model, whole.x, None).items():
        assert not np.array_equal(value, before[name]), name


@pytest.mark.parametrize("kind", [*WITH_BATCH_NORM, "VAE with dropout"])
def test_training_and_evaluation_are_not_the_same_number(kind):
    whole = Whole(kind, 6, 0)
    for player in whole.model.players:
        assert whole.objective(player) != whole.objective(player, training=False)


@pytest.mark.parametrize("kind", WITH_LABELS)
def test_labels_reach_both_networks(kind):
    """Another label of one example changes its results, and those of no other example."""
    whole = Whole(kind, 6, 0)
    model, x, labels = whole.model, whole.x, whole.labels
    others = labels.copy()
    others[2] = (labels[2] + 1) % N_LABELS
    found, changed = everything(model, x, labels), everything(model, x, others)
    found.pop("sample with noise", None)  # zeros and ones, which may be the same by chance
    for name, value in found.items():
        same = (value == changed[name]).reshape(6, -1).all(axis=1)
        assert same.tolist() == [True, True, False, True, True, True], name
    for player in model.players:
        assert whole.objective(player) != whole.objective(player, labels=others)


@pytest.mark.parametrize("kind", WITH_LABELS)
def test_each_of_many_examples_has_its_own_label(kind):
    """More examples than a chunk has."""
    whole = Whole(kind, 6, 0)
    z = np.random.default_rng(0).standard_normal((2_500, LATENT))
    labels = np.arange(2_500) % N_LABELS
    found = whole.model.decode(z, labels)
    for label in range(N_LABELS):
        of_label = labels == label
        alike = whole.model.decode(z[of_label], np.full(of_label.sum(), label))
        np.testing.assert_allclose(found[of_label], alike, rtol=1e-12)


@pytest.mark.parametrize("kind", WITH_LABELS)
def test_the_rows_of_labels_that_no_batch_has_learn_nothing(kind):
    whole = Whole(kind, 4, 0)
    whole.keywords["labels"] = np.array([0, 2, 2, 0])
    layout = whole.model.block.layout
    for player, names in whole.model.players.items():
        gradient = whole.model.gradient(player)
        whole.objective(player, gradient)
        tables = [entry for entry in layout.entries_of(names) if entry.key == "table"]
        assert len(tables) == len(names)
        for entry in tables:
            learns = (entry.view(gradient.vector, layout.span(names).start) != 0).all(axis=1)
            assert learns.tolist() == [True, False, True], entry.name


LABELLED = {
    "sample": lambda model, labels: model.sample(4, rng=0, labels=labels),
    "decode": lambda model, labels: model.decode(np.zeros((4, model.latent)), labels=labels),
}
OF_A_GAN = LABELLED | {"score": lambda model, labels: model.score(np.zeros((4, 2)), labels)}
OF_A_VAE = LABELLED | {
    "noise": lambda model, labels: model.sample(4, rng=0, labels=labels, noise=True),
    "encode": lambda model, labels: model.encode(np.zeros((4, 2)), labels),
    "posterior": lambda model, labels: model.posterior(np.zeros((4, 2)), labels),
    "reconstruct": lambda model, labels: model.reconstruct(np.zeros((4, 2)), labels),
    "elbo": lambda model, labels: model.elbo(np.zeros((4, 2)), rng=0, labels=labels),
}
CALLS = [
    pytest.param(recipe, call, id=f"{recipe.__name__}-{name}")
    for recipe, calls in ((sg.models.vae, OF_A_VAE), (sg.models.gan, OF_A_GAN))
    for name, call in calls.items()
]
BAD_LABELS = [
    (None, errors.OptionError, "give labels=, 4 whole numbers from 0 to 9"),
    ([0, 1, 2, 10], errors.DataError, r"labels\[3\] is 10, wants whole numbers 0 ... 9"),
    ([0, -1, 2, 3], errors.DataError, r"labels\[1\] is -1"),
    ([0, 1, 2], errors.ShapeError, r"wants \(4,\)"),
    (np.eye(10)[:4].astype(int), errors.ShapeError, "one-hot"),
    ([0.0, 1.0, 2.0, 3.0], errors.KindError, r"labels.astype\(int\)"),
    (["a", "b", "c", "d"], errors.KindError, "np.unique"),
]


@pytest.mark.parametrize(("recipe", "call"), CALLS)
@pytest.mark.parametrize(("labels", "kind", "words"), BAD_LABELS)
def test_labels_that_are_missing_or_do_not_fit_are_refused_by_name(
    recipe, call, labels, kind, words
):
    model = recipe((2,), latent=2, hidden=(4,), n_labels=10, rng=0)
    with pytest.raises(kind, match=words):
        call(model, labels)


@pytest.mark.parametrize(("recipe", "call"), CALLS)
def test_labels_without_a_layer_to_join_them_are_refused(recipe, call):
    model = recipe((2,), latent=2, hidden=(4,), rng=0)
    with pytest.raises(errors.OptionError, match="leave labels out, or build it with n_labels"):
        call(model, [0, 1, 2, 3])


@pytest.mark.parametrize("recipe", sg.models.RECIPES.values(), ids=sg.models.RECIPES)
@pytest.mark.parametrize("shape", [(2,), (3, 2, 1)])
def test_every_recipe_takes_labels_and_they_matter_and_survive_a_file(recipe, shape):
    model = recipe(shape, latent=2, hidden=(4,), n_labels=3, rng=0)
    # an AAE's encoder and an ACGAN's discriminator see x alone
    unlabelled = {"AAE": ("encoder",), "ACGAN": ("discriminator",)}.get(model.kind, ())
    for name, network in model.networks.items():
        joins = "JoinLabels(3 labels, width 16)" in str([str(layer) for layer in network.layers])
        assert joins == (name not in unlabelled), name
    zeros, ones = (model.sample(5, rng=0, labels=np.full(5, label)) for label in (0, 1))
    assert zeros.shape == (5, *shape)
    assert (zeros != ones).reshape(5, -1).any(axis=1).all()
    file = io.BytesIO()
    sg.save(model, file)
    again = sg.load(file.getvalue()).sample(5, rng=0, labels=np.ones(5, int))
    assert np.array_equal(again, ones)

"""The path from the layers to a step: the reported number, its gradient, and the move.

For a model of every kind; see whole_models.py.
"""

import numpy as np
import pytest
from hypothesis import settings
from whole_models import KINDS, NOISE, UNMOVED, VAES, Whole

import scratchgen as sg
from scratchgen.nn import Tape
from scratchgen.optim import Adam
from scratchgen.train import Trainer

every_kind = pytest.mark.parametrize("kind", KINDS)
# Evaluation too, where it differs: running statistics, and no masks.
MODES = [
    *((kind, True) for kind in KINDS),
    *((kind, False) for kind in ("VAE with dropout", "GAN with batch norm")),
]


@pytest.mark.parametrize(("kind", "training"), MODES)
@pytest.mark.parametrize("seed", range(max(1, settings().max_examples // 25)))
def test_the_gradient_of_every_player_is_that_of_the_number_that_objective_returns(
    kind, training, seed
):
    """Along all numbers of a player at once, which is quick."""
    whole = Whole(kind, 3, seed, training)
    model = whole.model
    for player in model.players:

        def value(theta, player=player):
            model.theta(player)[:] = theta
            return whole.objective(player)

        def gradient(dvalue, theta, player=player):
            g, model.theta(player)[:] = model.gradient(player), theta
            whole.objective(player, g)
            return dvalue * g.vector

        report = sg.check_pair(value, gradient, (model.theta(player).copy(),), seed=seed)
        assert report.ok, f"{player}: {report}"


def test_the_gradient_of_each_array_is_that_of_the_number_that_objective_returns():
    """Array by array, as the certificate checks small models of every kind."""
    whole = Whole("penalised GAN with labels", 3, 0)
    sg.assert_gradients(whole.model, whole.x, labels=whole.labels, strict=True)


class RecordingOptimizer:
    """An optimizer that stores its gradient, and moves nothing."""

    def memory(self, theta):
        return None

    def update(self, theta, gradient, memory):
        self.theta, self.gradient = theta.copy(), gradient.copy()


@every_kind
def test_the_gradient_handed_to_the_optimizer_is_that_of_the_number_that_step_reports(kind):
    whole = Whole(kind, 3, 3)
    model = whole.model
    optimizers = {player: RecordingOptimizer() for player in model.players}
    trainer = Trainer(model, optimizers)
    for n in (3, 2):  # the second time with a shorter batch
        x, labels = whole.x[:n], None if whole.labels is None else whole.labels[:n]
        for player in model.players:
            model.turns = lambda step, player=player: (player,)
            step = trainer.model_steps
            reported = trainer.step(x, np.random.default_rng(NOISE), labels)

            def value(gradient=None):
                return model.objective(player, x, NOISE, gradient, step=step, labels=labels)

            assert reported["loss" if kind in VAES else player] == pytest.approx(value(), rel=1e-12)
            assert np.array_equal(optimizers[player].theta, model.theta(player))
            expected = model.gradient(player)
            value(expected)
            assert np.array_equal(optimizers[player].gradient, expected.vector)


@every_kind
def test_objective_moves_nothing_and_repeats_itself(kind):
    whole = Whole(kind, 4, 0)
    model = whole.model
    before = model.block.snapshot()
    x = whole.x.copy()
    for player in model.players:
        first = whole.objective(player, model.gradient(player))
        assert first == whole.objective(player)
        assert first == whole.objective(player, tape=Tape())
        assert first != whole.objective(player, noise=NOISE + 1)
    assert np.array_equal(x, whole.x)
    for kept, turn in zip(before, model.block.snapshot(), strict=True):
        assert np.array_equal(kept, turn)


@every_kind
def test_gradients_add_to_their_destination(kind):
    whole = Whole(kind, 4, 0)
    for player in whole.model.players:
        once, onto_ones = (whole.model.gradient(player) for _ in range(2))
        onto_ones.vector[:] = 1
        whole.objective(player, once)
        whole.objective(player, onto_ones)
        np.testing.assert_allclose(onto_ones.vector, once.vector + 1, rtol=1e-12, atol=1e-12)


@every_kind
def test_a_small_step_lowers_the_number_that_it_minimises(kind):
    whole = Whole(kind, 8, 1)
    for player in whole.model.players:
        gradient, theta = whole.model.gradient(player), whole.model.theta(player)
        before = whole.objective(player, gradient)
        step = 1e-5 * gradient.vector
        theta -= step
        fall = before - whole.objective(player)
        assert fall > 0
        assert fall == pytest.approx(step @ gradient.vector, rel=0.01)
        theta += step


@every_kind
def test_every_trained_number_of_every_player_moves_in_a_step(kind):
    """Except for those in UNMOVED, whose gradient is only rounding error."""
    whole = Whole(kind, 9, 2)  # odd: as many slopes of 1 as of -1 would cancel
    model, layout = whole.model, whole.model.block.layout
    before = model.vector.copy()
    gradients = {player: model.gradient(player) for player in model.players}
    for player in model.players:
        whole.objective(player, gradients[player])
    Trainer(model, dict.fromkeys(model.players, Adam(1e-3))).step(whole.x, NOISE, whole.labels)
    unmoved = UNMOVED.get(kind, set())
    assert unmoved <= {entry.name for entry in layout.entries}
    trained = 0
    for player, names in model.players.items():
        start = layout.span(names).start
        for entry in layout.entries_of(names):
            if entry.name in unmoved:
                assert np.abs(entry.view(gradients[player].vector, start)).max() < 1e-14, entry.name
            elif entry.trained:
                assert (entry.view(model.vector) != entry.view(before)).all(), entry.name
            trained += entry.trained
    assert trained == sum(entry.trained for entry in layout.entries)


@every_kind
def test_the_parts_on_the_tape_are_those_of_the_number(kind):
    """The number stands under `loss` or the player's name; every name is in the history."""
    whole = Whole(kind, 4, 0)
    names = set()
    for player in whole.model.players:
        tape = Tape()
        value = whole.objective(player, tape=tape)
        assert tape.parts["loss" if kind in VAES else player] == value
        names |= set(tape.parts)
    assert names == set(whole.model.reported)


def test_every_likelihood_and_game_and_both_published_penalties_are_among_the_kinds():
    from scratchgen.distributions import LIKELIHOODS
    from scratchgen.losses import LOSSES

    models = [kind.build() for kind in KINDS.values()]
    likelihoods = {m.likelihood.name for m in models if hasattr(m, "likelihood")}
    assert likelihoods == set(LIKELIHOODS)
    assert {m.loss.name for m in models if hasattr(m, "loss")} == set(LOSSES)
    assert {m.penalty.name for m in models if getattr(m, "penalty", None)} >= {
        "gradient_penalty",
        "r1",
    }

"""What stands between the layers: the number that is reported, and the step that it leads to.

For a model of every kind; see whole_models.py.
"""

import numpy as np
import pytest
from differences import assert_close, numeric_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_models import KINDS, NOISE, UNMOVED, VAES, Whole

from scratchgen.nn import Tape
from scratchgen.optim import Adam
from scratchgen.train import Trainer

every_kind = pytest.mark.parametrize("kind", KINDS)


def assert_gradient(gradient, value, block, what):
    """Array by array, the gradient is that of value() with respect to the block's numbers."""
    numeric = numeric_gradient(value, block.vector)
    for entry in block.layout.entries:
        if entry.trained:
            name = f"{what}: {entry.name}"
            assert_close(entry.view(gradient), entry.view(numeric), name)


@every_kind
@settings(max_examples=settings().max_examples // 8)  # each takes hundreds of whole passes
@given(n=st.integers(1, 4), seed=st.integers(0, 2**32), training=st.booleans())
def test_the_gradient_of_every_player_is_that_of_the_number_that_objective_returns(
    kind, n, seed, training
):
    whole = Whole(kind, n, seed, training)
    for player, block in whole.model.players.items():
        gradient = block.zeros_like()
        whole.objective(player, gradient)

        def value(player=player):
            return whole.objective(player)

        assert_gradient(gradient.vector, value, block, player)


class RecordingOptimizer:
    """Notes the gradient that it is handed, and moves nothing."""

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
    for n in (3, 2):  # the second on used tapes, with a shorter batch
        x, labels = whole.x[:n], None if whole.labels is None else whole.labels[:n]
        for player, block in model.players.items():
            model.turns = lambda step, player=player: (player,)
            step = trainer.steps
            reported = trainer.step(x, np.random.default_rng(NOISE), labels)

            def value():
                return model.objective(player, x, NOISE, step=step, labels=labels)

            assert reported["loss" if kind in VAES else player] == pytest.approx(value(), rel=1e-12)
            assert np.array_equal(optimizers[player].theta, block.vector)
            assert_gradient(optimizers[player].gradient, value, block, player)


@every_kind
def test_objective_moves_nothing_and_repeats_itself(kind):
    whole = Whole(kind, 4, 0)
    blocks = whole.model.players
    before = {player: block.snapshot() for player, block in blocks.items()}
    x = whole.x.copy()
    for player, block in blocks.items():
        first = whole.objective(player, block.zeros_like())
        assert first == whole.objective(player)
        assert first == whole.objective(player, tape=Tape())
        assert first != whole.objective(player, noise=NOISE + 1)
    assert np.array_equal(x, whole.x)
    for player, block in blocks.items():
        for kept, now in zip(before[player], block.snapshot(), strict=True):
            assert np.array_equal(kept, now)


@every_kind
def test_gradients_add_to_what_is_there(kind):
    whole = Whole(kind, 4, 0)
    for player, block in whole.model.players.items():
        once, onto_ones = block.zeros_like(), block.zeros_like()
        onto_ones.vector[:] = 1
        whole.objective(player, once)
        whole.objective(player, onto_ones)
        np.testing.assert_allclose(onto_ones.vector, once.vector + 1, rtol=1e-12, atol=1e-12)


@every_kind
def test_a_small_step_lowers_the_number_it_claims_to_lower(kind):
    whole = Whole(kind, 8, 1)
    for player, block in whole.model.players.items():
        gradient = block.zeros_like()
        before = whole.objective(player, gradient)
        step = 1e-5 * gradient.vector
        block.vector -= step
        fall = before - whole.objective(player)
        assert fall > 0
        assert fall == pytest.approx(step @ gradient.vector, rel=0.01)
        block.vector += step


@every_kind
def test_every_trained_number_of_every_player_moves_in_a_step(kind):
    """But for those that are exempt by name, whose gradient is rounding dust."""
    whole = Whole(kind, 8, 2)
    blocks = whole.model.players
    before = {player: block.vector.copy() for player, block in blocks.items()}
    gradients = {player: block.zeros_like() for player, block in blocks.items()}
    for player in blocks:
        whole.objective(player, gradients[player])
    Trainer(whole.model, dict.fromkeys(blocks, Adam(1e-3))).step(whole.x, NOISE, whole.labels)
    unmoved = UNMOVED.get(kind, set())
    names = {entry.name for block in blocks.values() for entry in block.layout.entries}
    assert unmoved <= names
    for player, block in blocks.items():
        for entry in block.layout.entries:
            if entry.name in unmoved:
                assert np.abs(entry.view(gradients[player].vector)).max() < 1e-14, entry.name
            elif entry.trained:
                moved = entry.view(block.vector) != entry.view(before[player])
                assert moved.all(), entry.name


@every_kind
def test_the_parts_on_the_tape_are_those_of_the_number(kind):
    """`loss` or the player's own name is the number itself; every name is a history's."""
    whole = Whole(kind, 4, 0)
    names = set()
    for player in whole.model.players:
        tape = Tape()
        value = whole.objective(player, tape=tape)
        assert tape.parts["loss" if kind in VAES else player] == value
        names |= set(tape.parts)
    assert names == set(whole.model.numbers)


def test_the_kinds_hold_every_likelihood_every_game_and_every_penalty():
    from scratchgen.distributions import LIKELIHOODS
    from scratchgen.losses import LOSSES, PENALTIES

    models = [kind.build() for kind in KINDS.values()]
    likelihoods = {m.likelihood.name for m in models if hasattr(m, "likelihood")}
    assert likelihoods == set(LIKELIHOODS)
    assert {m.loss.name for m in models if hasattr(m, "loss")} == set(LOSSES)
    assert {m.penalty.name for m in models if getattr(m, "penalty", None)} == set(PENALTIES)

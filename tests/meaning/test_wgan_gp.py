"""WGAN-GP on the ring: its generator moves, and its critic's score gap shrinks.

The gap E[D(x)] - E[D(G(z))] is, for a critic whose slope is kept at 1, an estimate of the
Wasserstein distance between the data and the samples. The generator starts beside the ring, at
about (3, 3), so that there is a distance to be learnt by the critic, and then to be covered.
"""

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.optim import Adam, LinearDecay

STEPS, K = 800, 5  # of the critic, and its moves for each move of the generator
X = sg.data.ring(50 * 64, rng=0)
HELD_OUT = sg.data.ring(500, rng=1)


def beside_the_ring(seed):
    """A small WGAN-GP whose first samples lie around (3, 3)."""
    model = sg.models.wgan_gp((2,), latent=2, hidden=(32, 32), rng=seed)
    model.views.generator[-1].b[:] = 3
    return model


def optimizers():
    return {
        "discriminator": Adam(LinearDecay(1e-2, STEPS), b1=0.5, b2=0.9),
        "generator": Adam(LinearDecay(1.5e-3, STEPS // K), b1=0.5, b2=0.9),
    }


def energy_distance(a, b):
    """2 E|a - b| - E|a - a'| - E|b - b'|: 0 where two sets have one distribution, else above."""

    def mean(p, q):
        return np.sqrt(((p[:, None] - q[None]) ** 2).sum(axis=-1)).mean()

    return 2 * mean(a, b) - mean(a, a) - mean(b, b)


def gap(model):
    """E[D(x)] - E[D(G(z))], on points that training has not seen."""
    return float(model.score(HELD_OUT).mean() - model.score(model.sample(500, rng=2)).mean())


def test_the_generator_moves_in_every_fifth_step_and_the_critic_in_every_step():
    model, moves = beside_the_ring(0), []
    kept = {player: model.theta(player).copy() for player in model.players}

    class Watch(sg.train.Callback):
        def on_step(self, run):
            moves.append({p: (model.theta(p) != kept[p]).any() for p in model.players})
            kept.update({p: model.theta(p).copy() for p in model.players})

    sg.fit(model, X, epochs=1, batch_size=64, seed=0, optimizer=optimizers(), callbacks=Watch())
    assert len(moves) == 50
    assert all(moved["discriminator"] for moved in moves)
    generator = [bool(moved["generator"]) for moved in moves]
    assert generator == [False, False, False, False, True] * 10


@pytest.mark.parametrize("which", [by_loops, by_formulas])
@pytest.mark.parametrize("batch_size", [20, 65, 100, 257])
def test_the_critics_last_bias_stays_exactly_where_it_began(which, batch_size):
    """Its gradient is sum_n 1/N - sum_n 1/N = 0, and Adam makes whole steps of any rounding."""
    model = sg.models.wgan_gp((2,), latent=2, hidden=(64,), rng=1)
    bias = model.views.discriminator[-1].b
    bias[:] = 0.25
    with which():
        sg.fit(model, X, epochs=1 + batch_size // 64, batch_size=batch_size, seed=0)
    assert bias[0] == 0.25


@pytest.mark.parametrize("seed", [0, 1])
def test_the_critics_score_gap_shrinks_and_the_samples_come_to_the_ring(seed):
    model, gaps = beside_the_ring(seed), []

    class Watch(sg.train.Callback):
        def on_step(self, run):
            if run.steps % 10 == 0:
                gaps.append(gap(model))

    def distance():
        return energy_distance(HELD_OUT, model.sample(500, rng=2))

    before = distance()
    history = sg.fit(
        model,
        X,
        epochs=STEPS // 50,
        batch_size=64,
        seed=seed,
        optimizer=optimizers(),
        callbacks=Watch(),
    )
    early = max(gaps[: len(gaps) // 3])
    assert early > 2  # the critic has learnt of the distance, which is about 4
    assert abs(gaps[-1]) < early / 3
    assert distance() < before / 10
    # the critic's number is penalty - gap
    reported = np.subtract(history["penalty"], history["discriminator"])
    assert abs(reported[-1]) < reported[:4].max() / 2


def test_a_generator_that_is_not_trained_leaves_the_gap_open():
    """So what shrinks the gap is the generator: without its turns the critic only learns more."""
    model = beside_the_ring(0)
    model.turns = lambda step: ("discriminator",)
    sg.fit(model, X, epochs=2, batch_size=64, seed=0, optimizer=optimizers())
    early = gap(model)
    sg.fit(model, X, epochs=2, batch_size=64, seed=1, optimizer=optimizers())
    assert gap(model) > 0.9 * early > 2

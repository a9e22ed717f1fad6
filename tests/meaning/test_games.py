"""What a GAN's numbers mean: whose turn it is, what each player minimises, penalty and clip."""

import numpy as np
import pytest
from whole_models import GANS, NOISE, Whole, gan, network, owned

import scratchgen as sg
from scratchgen.losses import R1, GradientPenalty
from scratchgen.nn import Dense, Network, Tape
from scratchgen.optim import SGD, Adam
from scratchgen.train import Trainer

PLAIN = ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
PENALISED = ["gradient_penalty", "r1", "penalised GAN with layer norm", "penalised GAN with labels"]


def log_sigmoid(score):
    return -np.logaddexp(0, -score)


# As published, for scores r of real and f of fake examples: what the discriminator minimises, and
# what the generator minimises.
PUBLISHED = {
    "minimax": (
        lambda r, f: -(log_sigmoid(r) + log_sigmoid(-f)).mean(),
        lambda f: log_sigmoid(-f).mean(),
    ),
    "non_saturating": (
        lambda r, f: -(log_sigmoid(r) + log_sigmoid(-f)).mean(),
        lambda f: -log_sigmoid(f).mean(),
    ),
    "least_squares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda f: ((f - 1) ** 2).mean() / 2,
    ),
    "hinge": (
        lambda r, f: -(np.minimum(0, r - 1).mean() + np.minimum(0, -1 - f).mean()),
        lambda f: -f.mean(),
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_each_player_minimises_what_was_published(kind):
    whole = Whole(kind, 6, 5)
    r, f = whole.model.score(whole.x), whole.model.score(whole.fakes())
    discriminator, generator = PUBLISHED[kind]
    assert whole.objective("discriminator") == pytest.approx(discriminator(r, f), rel=1e-12)
    assert whole.objective("generator") == pytest.approx(generator(f), rel=1e-12)


@pytest.mark.parametrize("kind", PENALISED)
def test_the_penalty_is_part_of_the_discriminators_number_and_not_of_the_generators(kind):
    whole, tape = Whole(kind, 5, 0), Tape()
    game, labels = whole.model.loss, whole.labels
    value = whole.objective("discriminator", tape=tape)
    parts = tape.parts
    r, f = whole.model.score(whole.x, labels), whole.model.score(whole.fakes(), labels)
    assert parts["penalty"] > 0
    assert parts["discriminator"] == value
    assert value - parts["penalty"] == pytest.approx(game.discriminator(r, f).mean(), rel=1e-10)
    assert whole.objective("generator", tape=tape) == pytest.approx(game.generator(f).mean())
    assert list(tape.parts) == ["generator"]


@pytest.mark.parametrize("kind", PENALISED)
def test_the_penalty_is_that_of_slopes_taken_by_differences_of_the_scores_alone(kind):
    whole, tape = Whole(kind, 5, 1), Tape()
    whole.objective("discriminator", tape=tape)
    norm = np.linalg.norm(whole.slopes(whole.points()), axis=1)  # (5,), an example each
    penalty = whole.model.penalty
    each = (
        penalty.weight * (norm - 1) ** 2
        if isinstance(penalty, GradientPenalty)
        else penalty.weight / 2 * norm**2
    )
    assert tape.parts["penalty"] == pytest.approx(each.mean(), rel=1e-8)


def linear_gan(loss, **settings):
    """D(x) = <w, x> + b, drawn, and a generator of tanh."""
    model = gan(loss, network(2, 4, 3), Network((3,), Dense(3, 1)), **settings)
    rng = np.random.default_rng(0)
    for _, array in model.block.arrays():
        array[...] = rng.standard_normal(array.shape)
    return model


def test_real_and_fake_passes_do_not_share_their_notes():
    """By hand, for a linear discriminator: dw = mean of dr x + mean of df G(z)."""
    model = linear_gan("minimax")
    x = 2 + np.random.default_rng(1).standard_normal((5, 3))
    gradient = model.gradient("discriminator")
    model.objective("discriminator", x, NOISE, gradient)
    fakes = model.decode(np.random.default_rng(NOISE).standard_normal((5, 2)))
    dr = -1 / (1 + np.exp(model.score(x)))
    df = 1 / (1 + np.exp(-model.score(fakes)))
    g = gradient.views.discriminator[0]
    np.testing.assert_allclose(g.w[:, 0], (dr @ x + df @ fakes) / 5, rtol=1e-12)
    assert g.b[0] == pytest.approx((dr + df).mean(), rel=1e-12)


def test_a_critic_against_a_generator_that_stands_still_finds_the_distance_between_them():
    """Real at (d, 0), fake at 0: a linear critic of slope s has the value -s d + w (s - 1)^2.

    Its least is at s = 1 + d / 2w, so that the score gap is d (1 + d / 2w): the Wasserstein
    distance d, and what the penalty of weight w lets through.
    """
    d, w = 3.0, 10.0
    generator = Network((1,), Dense(1, 2))
    model = gan("wasserstein", generator, Network((2,), Dense(2, 1)), penalty=GradientPenalty(w))
    model.theta("generator")[:] = 0
    model.turns = lambda step: ("discriminator",)
    trainer = Trainer(model, dict.fromkeys(model.players, SGD(0.02)))
    x = np.tile([d, 0.0], (8, 1))
    for _ in range(200):
        parts = trainer.step(x, NOISE)
    gap = model.score(x).mean() - model.score(np.zeros((1, 2)))[0]
    assert gap == pytest.approx(d * (1 + d / (2 * w)), rel=1e-6)
    assert parts["penalty"] == pytest.approx(w * (d / (2 * w)) ** 2, rel=1e-4)


def test_the_generators_step_leaves_nothing_in_the_discriminators_gradient():
    whole = Whole("non_saturating", 4, 0)
    model = whole.model
    trainer = Trainer(model, dict.fromkeys(model.players, Adam(1e-3)))
    model.turns = lambda step: ("generator",)
    kept = model.theta("discriminator").copy()
    trainer.step(whole.x, NOISE)
    assert not trainer.gradients["discriminator"].vector.any()
    assert trainer.gradients["generator"].vector.all()
    assert np.array_equal(kept, model.theta("discriminator"))


@pytest.mark.parametrize("kind", GANS)
def test_a_step_of_one_player_leaves_the_other_where_it_was(kind):
    for mover, other in (("generator", "discriminator"), ("discriminator", "generator")):
        whole = Whole(kind, 8, 0)
        model = whole.model
        model.turns = lambda step, mover=mover: (mover,)
        kept, moved = owned(model, other), model.theta(mover).copy()
        trainer = Trainer(model, dict.fromkeys(model.players, Adam(0.1)))
        trainer.step(whole.x, NOISE, whole.labels)
        assert (moved != model.theta(mover)).any()
        for before, after in zip(kept, owned(model, other), strict=True):
            assert np.array_equal(before, after), other


def test_a_generator_step_raises_the_scores_of_fakes_and_a_discriminator_step_lowers_them():
    for kind in PLAIN:
        whole = Whole(kind, 8, 0)
        model = whole.model
        last = model.views.discriminator[-1]
        last.w *= 0.1  # scores of about 1/2, where no game finds an example good enough
        last.b[:] = 0.5
        before = model.score(whole.fakes()).mean()
        trainer = Trainer(model, dict.fromkeys(model.players, SGD(1e-3)))
        model.turns = lambda step: ("generator",)
        trainer.step(whole.x, NOISE)
        between = model.score(whole.fakes()).mean()
        assert between > before, kind
        gap = model.score(whole.x).mean() - between
        model.turns = lambda step: ("discriminator",)
        trainer.step(whole.x, NOISE)
        assert model.score(whole.x).mean() - model.score(whole.fakes()).mean() > gap, kind


def test_the_discriminator_moves_k_times_for_each_move_of_the_generator():
    model = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=3, rng=0)
    turns = [model.turns(step) for step in range(6)]
    assert [len(players) for players in turns] == [1, 1, 2, 1, 1, 2]
    assert all(players[0] == "discriminator" for players in turns)


def test_the_two_turns_of_a_step_draw_different_noise():
    whole = Whole("wasserstein", 4, 0)
    rng = np.random.default_rng(NOISE)
    values = [whole.objective("generator", noise=rng) for _ in range(2)]
    assert values[0] != values[1]
    moving = Trainer(whole.model, dict.fromkeys(whole.model.players, SGD(1e-12)))
    parts = moving.step(whole.x, np.random.default_rng(NOISE))
    assert parts["generator"] == pytest.approx(values[1], rel=1e-6)  # the second draw
    assert parts["generator"] != pytest.approx(values[0], rel=1e-6)


def test_the_clip_bounds_the_discriminators_weights_after_its_move_and_not_the_generators():
    model = gan("wasserstein", weight_clip=0.05)
    rng = np.random.default_rng(0)
    d, g = model.theta("discriminator"), model.theta("generator")
    d[:], g[:] = rng.standard_normal(d.size), 1 + rng.random(g.size)
    before = d.copy()
    trainer = Trainer(model, dict.fromkeys(model.players, SGD(1e-3)))
    trainer.step(rng.standard_normal((8, 3)), NOISE)
    assert np.abs(d).max() == pytest.approx(0.05)
    assert g.min() > 0.9
    gradient = trainer.gradients["discriminator"].vector
    np.testing.assert_allclose(d, np.clip(before - 1e-3 * gradient, -0.05, 0.05), rtol=1e-12)


def test_the_clip_is_for_the_discriminators_move_alone():
    model = gan("wasserstein", weight_clip=0.05)
    model.turns = lambda step: ("generator",)
    d = model.theta("discriminator")
    d[:] = 1
    Trainer(model, dict.fromkeys(model.players, SGD(1e-3))).step(np.ones((4, 3)), NOISE)
    assert (d == 1).all()


def test_half_the_weight_times_the_squared_slope_is_the_r1_of_a_linear_discriminator():
    model, tape = linear_gan("non_saturating", penalty=R1(4.0)), Tape()
    w = model.views.discriminator[0].w
    model.objective("discriminator", np.ones((5, 3)), NOISE, tape=tape)
    assert tape.parts["penalty"] == pytest.approx(4.0 / 2 * (w**2).sum(), rel=1e-12)
    gradient = model.gradient("discriminator")
    with_it = model.gradient("discriminator")
    model.objective("discriminator", np.ones((5, 3)), NOISE, with_it)
    model.penalty = None
    model.objective("discriminator", np.ones((5, 3)), NOISE, gradient)
    of_penalty = (with_it.vector - gradient.vector)[:3]
    np.testing.assert_allclose(of_penalty, 4.0 * w[:, 0], rtol=1e-12)

"""Penalties on a discriminator's slope: their values, and their gradients by its weights."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import passes

import scratchgen as sg
from scratchgen.gradcheck.library.points import signed
from scratchgen.ground import errors
from scratchgen.ground.parts import build, choose, describe
from scratchgen.losses import (
    PENALTIES,
    R1,
    GradientPenalty,
    Penalty,
    mean_penalty,
    penalise,
    points,
)
from scratchgen.nn import (
    ELU,
    GELU,
    Block,
    Bound,
    Dense,
    Dropout,
    LayerNorm,
    Layout,
    LeakyReLU,
    Maxout,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    Tape,
)

BODIES = {
    "ReLU": (ReLU(), Dense(4, 4), ReLU()),
    "LeakyReLU": (LeakyReLU(), Dense(4, 4), LeakyReLU()),
    "tanh": (Tanh(), Dense(4, 4), Tanh()),
    "softplus": (Softplus(), Dense(4, 4), Softplus()),
    "SiLU": (SiLU(), Dense(4, 4), SiLU()),
    "GELU": (GELU(), Dense(4, 4), GELU()),
    "LayerNorm": (LayerNorm(4), Tanh(), Dense(4, 4), LayerNorm(4), SiLU()),
    "ELU": (ELU(), Dense(4, 4), ELU()),
    "sigmoid": (Sigmoid(), Dense(4, 4), Sigmoid()),
    "Maxout": (Maxout(2), Dense(2, 4), Tanh()),
    "Residual": (Residual(Network((4,), Dense(4, 4), Tanh())), Tanh()),
    "Dropout": (Dropout(0.3), Tanh(), Dense(4, 4), Dropout(0.3), Tanh()),
}
REQUIRED = ["ReLU", "LeakyReLU", "tanh", "softplus", "SiLU", "GELU", "LayerNorm"]
# A slope by differences, (45 (f1 - f-1) - 9 (f2 - f-2) + (f3 - f-3)) / 60h: its error is O(h^6).
H = 2e-3
PLACES = np.array([-3, -2, -1, 1, 2, 3])
WEIGHTS = np.array([-1, 9, -45, 45, -9, 1]) / (60 * H)


class Critic:
    """A discriminator of (2,) with random parameters, and examples away from its kinks."""

    def __init__(self, body: str, n: int, seed: int) -> None:
        self.network = Network((2,), Dense(2, 4), *BODIES[body], Dense(4, 1))
        self.block = Block(Layout(it=self.network), np.float64, 0)
        rng = np.random.default_rng(seed)
        while True:
            self.block.vector[:] = signed(rng, self.block.vector.shape)
            self.x = rng.standard_normal((n, 2))
            if self.is_far_from_kinks():
                return

    def is_far_from_kinks(self) -> bool:
        """Whether no sign changes, and no spread or slope is near 0, within the differences."""
        h, layers = self.x, self.network.layers
        for layer, p in zip(layers, self.block.views.it, strict=True):
            if isinstance(layer, ReLU | LeakyReLU | ELU) and np.abs(h).min() < 0.05:
                return False
            if isinstance(layer, Maxout) and np.abs(h[:, ::2] - h[:, 1::2]).min() < 0.05:
                return False
            if isinstance(layer, LayerNorm) and h.std(axis=1).min() < 0.5:
                return False
            h = layer.forward(p, h, self.begin(Tape()))
        return bool(np.linalg.norm(self.slopes(), axis=1).min() > 0.3)

    def begin(self, tape: Tape) -> Tape:
        return tape.begin(training=True, rng=np.random.default_rng(3))

    def scores(self, x: np.ndarray) -> np.ndarray:
        """D(x), by the forward pass alone, for K copies of the batch, (K, n, 2)."""
        draws = any(isinstance(layer, Dropout) for layer in self.network.layers)
        batches = x if draws else x.reshape(1, -1, 2)  # a mask depends on the place in the batch
        p = self.block.views.it
        scores = [self.network.forward(p, b, self.begin(Tape()))[:, 0].copy() for b in batches]
        return np.reshape(scores, x.shape[:2])

    def slopes(self) -> np.ndarray:
        """dD(x_n)/dx_n, by differences of the forward pass alone."""
        steps = H * PLACES[:, None] * np.eye(2)[:, None]  # (2, 6, 2): direction, distance
        moved = self.x + steps.reshape(12, 1, 2)
        return np.einsum("j,kjn->nk", WEIGHTS, self.scores(moved).reshape(2, 6, -1))

    def penalised(self, penalty, dvalue, g=None) -> np.ndarray:
        d = Bound(self.network, self.block.views.it, self.begin(Tape()), g)
        return penalise(Weighted(penalty, dvalue), d, self.x, 1)


class Weighted(Penalty):
    """A penalty with a weight for each example, so that the gradient of each is tested."""

    def __init__(self, penalty: Penalty, weights: np.ndarray) -> None:
        self.penalty, self.weights = penalty, weights

    def value_and_gradient(self, slope, dvalue):
        return self.penalty.value_and_gradient(slope, dvalue * self.weights)


@pytest.mark.parametrize("penalty", [GradientPenalty(10.0), R1(3.0)], ids=["GP", "R1"])
@pytest.mark.parametrize("body", BODIES)
@settings(max_examples=max(1, settings().max_examples // 12))  # each takes thousands of passes
@given(n=st.sampled_from([3, 1, 2]), seed=st.integers(0, 2**32))
def test_a_penalty_and_its_gradient_agree_with_differences_of_the_forward_pass(
    penalty, body, n, seed
):
    critic = Critic(body, n, seed)

    def by_differences(theta: np.ndarray) -> np.ndarray:
        critic.block.vector[:] = theta
        norm = np.sqrt((critic.slopes() ** 2).sum(axis=1))
        return 10 * (norm - 1) ** 2 if isinstance(penalty, GradientPenalty) else 1.5 * norm**2

    def claimed_gradient(dvalue: np.ndarray, theta: np.ndarray) -> np.ndarray:
        critic.block.vector[:] = theta
        gradient = critic.block.zeros_like()
        critic.penalised(penalty, dvalue, gradient.views.it)
        return gradient.vector

    theta = critic.block.vector.copy()
    passes(sg.check_pair(by_differences, claimed_gradient, (theta,)))
    wanted = by_differences(theta)
    np.testing.assert_allclose(critic.penalised(penalty, np.ones(n)), wanted, rtol=1e-9)


def test_the_required_critics_are_tested():
    assert set(REQUIRED) <= set(BODIES)


def unit_slope_critic(size: int) -> tuple[Network, Block]:
    """D(x) = <w, x> + b with |w| = 1."""
    network = Network((size,), Dense(size, 1))
    block = Block(Layout(it=network), np.float64, 0)
    w = np.random.default_rng(0).standard_normal((size, 1))
    block.views.it[0].w[:] = w / np.linalg.norm(w)
    return network, block


@pytest.mark.parametrize("n", [1, 16, 64])
def test_the_gradient_penalty_of_a_linear_critic_of_unit_slope_is_0_at_every_batch_size(n):
    network, block = unit_slope_critic(5)
    x = np.random.default_rng(1).standard_normal((n, 5))
    gradient, p = block.zeros_like(), block.views.it
    d = Bound(network, p, Tape().begin(training=True), gradient.views.it)
    values = penalise(GradientPenalty(), d, x, 1 / n)
    np.testing.assert_allclose(values, np.zeros(n), atol=1e-28)
    np.testing.assert_allclose(gradient.vector, 0, atol=1e-14)


@pytest.mark.parametrize("n", [1, 16, 64])
def test_the_penalties_of_a_linear_critic_are_the_same_at_every_batch_size(n):
    network, block = unit_slope_critic(4)
    block.views.it[0].w[:] *= 3
    for penalty, wanted in ((GradientPenalty(10), 40), (R1(10), 45)):
        x, tape = np.random.default_rng(1).standard_normal((n, 4)), Tape().begin()
        values = penalise(penalty, Bound(network, block.views.it, tape), x, 1)
        np.testing.assert_allclose(values, np.full(n, wanted), rtol=1e-12)


@pytest.mark.parametrize("penalty", [GradientPenalty(7.0, target=0.6), R1(3.0)], ids=str)
@settings(max_examples=max(3, settings().max_examples // 4))
@given(n=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_u_is_the_derivative_of_a_penalty_by_the_slope(penalty, n, seed):
    passes(sg.check(penalty, (n, 2, 3), seed=seed))


def test_the_mean_penalty_is_that_of_the_penalties_points_with_its_gradient():
    network = Network((2,), Dense(2, 4), Tanh(), Dense(4, 1))
    block = Block(Layout(it=network), np.float64, 0)
    block.vector[:] = np.random.default_rng(0).standard_normal(block.vector.shape)
    real, fake = np.random.default_rng(1).standard_normal((2, 5, 2))
    penalty, gradients = GradientPenalty(7.0), (block.zeros_like(), block.zeros_like())
    critics = [Bound(network, block.views.it, Tape().begin(), g.views.it) for g in gradients]
    x = points(penalty, real, fake, np.random.default_rng(2))
    values = penalise(penalty, critics[0], x, 1 / 5)
    mean = mean_penalty(penalty, critics[1], real, fake, np.random.default_rng(2))
    assert mean.shape == (1,)
    np.testing.assert_allclose(mean, values.mean(), rtol=1e-14)
    assert gradients[0].vector.any()
    assert np.array_equal(gradients[0].vector, gradients[1].vector)


def test_a_slope_of_0_has_a_gradient_of_0_and_no_warning():
    zero = np.zeros((2, 3))
    with np.errstate(all="raise"):
        assert not GradientPenalty().slope_gradient(zero, np.ones(2)).any()
    assert GradientPenalty(10).value(zero).tolist() == [10, 10]


def test_e_is_drawn_uniformly_once_for_each_example():
    real, fake = np.ones((40_000, 2, 1)), np.zeros((40_000, 2, 1))
    x = GradientPenalty().points(real, fake, np.random.default_rng(0))
    e = x[:, 0, 0]
    assert (x == e[:, None, None]).all()  # one number for the whole example
    assert e.mean() == pytest.approx(0.5, abs=0.01)
    assert e.var() == pytest.approx(1 / 12, abs=0.002)
    assert len(np.unique(e)) == len(e)
    assert np.array_equal(R1().points(real, fake, np.random.default_rng(0)), real)
    half = real.astype(np.float32)
    assert GradientPenalty().points(half, half, np.random.default_rng(0)).dtype == np.float32


@pytest.mark.parametrize("penalty", [GradientPenalty(10.0), R1(3.0)], ids=["GP", "R1"])
@pytest.mark.parametrize("extra", [1, 3])
def test_a_discriminator_with_more_outputs_than_a_score_is_penalised_for_its_score_alone(
    penalty, extra
):
    rng = np.random.default_rng(extra)
    layers = Dense(3, 4), Tanh(), Dense(4, 5), GELU()
    score = Network((3,), *layers, Dense(5, 1))
    more = Network((3,), *layers, Dense(5, 1 + extra))
    blocks = [Block(Layout(it=network), np.float64, 0) for network in (score, more)]
    blocks[1].vector[:] = signed(rng, blocks[1].vector.shape)
    last = blocks[1].views.it[4]
    for ours, theirs in zip(blocks[0].views.it, blocks[1].views.it, strict=True):
        for name, array in vars(ours).items():
            array[...] = getattr(theirs, name)[..., : array.shape[-1]]
    x, results = rng.standard_normal((6, 3)), []
    for network, block in zip((score, more), blocks, strict=True):
        gradient = block.zeros_like()
        d = Bound(network, block.views.it, Tape().begin(training=True), gradient.views.it)
        results.append((penalise(penalty, d, x, 1 / 6), gradient.views.it))
    (value, g), (value_of_more, g_of_more) = results
    np.testing.assert_allclose(value_of_more, value, rtol=1e-12)
    assert (value > 0).all()
    for ours, theirs in zip(g[:4], g_of_more[:4], strict=True):
        for name, array in vars(ours).items():
            np.testing.assert_allclose(getattr(theirs, name), array, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(g_of_more[4].w[:, :1], g[4].w, rtol=1e-11, atol=1e-13)
    assert not g_of_more[4].w[:, 1:].any()
    assert last.w.shape == (5, 1 + extra)


def test_the_backward_pass_for_the_slopes_adds_to_no_gradient():
    """The penalty of a linear D has no gradient by the bias; a learning pass would add dy to it."""
    network, block = unit_slope_critic(3)
    block.views.it[0].w[:] *= 2
    gradient = block.zeros_like()
    d = Bound(network, block.views.it, Tape().begin(training=True), gradient.views.it)
    penalise(GradientPenalty(), d, np.ones((4, 3)), 1 / 4)
    assert gradient.views.it[0].b[0] == 0
    assert gradient.views.it[0].w.any()


class Own(R1):
    """A penalty at fixed points."""

    at = None

    def points(self, real, fake, rng):
        return self.at


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_a_users_penalty_may_have_fewer_or_more_points_than_examples(count, monkeypatch):
    real, rng = np.zeros((4, 2, 3), np.float32), np.random.default_rng(0)
    at = rng.standard_normal((count, 2, 3))
    for returned in (at, at.tolist()) if count else (at,):
        monkeypatch.setattr(Own, "at", returned)
        x = points(Own(), real, real, rng)
        assert x.dtype == np.float32
        assert np.array_equal(x, at.astype(np.float32))
        assert not np.shares_memory(x, returned)


@pytest.mark.parametrize("at", [None, 1.5, np.zeros((4, 2)), np.zeros((4, 3, 2))])
def test_points_of_a_users_penalty_without_the_shape_of_examples_are_refused(at, monkeypatch):
    monkeypatch.setattr(Own, "at", at)
    real = np.zeros((4, 2, 3))
    with pytest.raises(errors.ShapeError, match=r"points gave .*wants shape \(4, 2, 3\)"):
        points(Own(), real, real, np.random.default_rng(0))


def test_penalties_at_the_published_numbers():
    slope = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert GradientPenalty(10).value(slope).tolist() == [160, 0]
    assert R1(10).value(slope) == pytest.approx([125, 5])


def test_a_penalty_is_found_by_name_and_built_again_from_its_description():
    assert choose("r1", PENALTIES, Penalty) == R1()
    assert choose(None, PENALTIES, Penalty) is None
    for penalty in (R1(2.0), GradientPenalty(0.1, target=0.0), None):
        assert build(describe(penalty, PENALTIES), PENALTIES) == penalty
    assert describe(R1(2.0), PENALTIES) == {"name": "r1", "weight": 2.0}
    with pytest.raises(errors.OptionError, match="did you mean 'gradient_penalty'"):
        choose("gradient_penaltie", PENALTIES, Penalty)
    with pytest.raises(errors.KindError, match="penalty=10: wants a name, gradient_penalty or r1"):
        choose(10, PENALTIES, Penalty)


@pytest.mark.parametrize("weight", [0, -1, math.nan, "much", None])
def test_a_penalty_needs_a_weight_above_0(weight):
    for kind in PENALTIES.values():
        with pytest.raises(errors.OptionError, match="wants a number above 0"):
            kind(weight)

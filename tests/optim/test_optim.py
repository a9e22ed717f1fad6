"""Optimizers beside their papers, by the checker, and what they do."""

import copy
import pickle
from functools import partial

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import passes

from scratchgen.gradcheck import check_optimizer
from scratchgen.ground import errors
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace, read_only
from scratchgen.optim import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Chain,
    ClipNorm,
    Constant,
    Cosine,
    LinearDecay,
    Momentum,
    Nesterov,
    RMSProp,
    StepDecay,
    WarmUp,
)

SCHEDULES = [
    0.05,
    LinearDecay(0.1, 60),
    StepDecay(0.1, every=20, factor=0.5),
    Cosine(0.1, 40, least=0.01),
    Chain(WarmUp(0.1, 10), Constant(0.1, steps=5), Cosine(0.1, 30)),
    lambda step: np.float32(0.1) if step % 2 else 0,
]
RULES = [kind for kind in OPTIMIZERS.values() if kind is not ClipNorm]  # which takes one of these
ONE_OF_EACH = [
    SGD(0.1),
    Momentum(0.1),
    Nesterov(0.1),
    RMSProp(0.1),
    RMSProp(0.1, centred=True),
    Adam(0.1),
    AdamW(0.1),
    ClipNorm(SGD(0.1), norm=0.5),
    ClipNorm(ClipNorm(AdamW(0.1)), norm=0.5),
]
each_optimizer = pytest.mark.parametrize("optimizer", ONE_OF_EACH, ids=str)


def walk(optimizer, theta, gradients):
    """A copy of theta after a step by each gradient."""
    theta = theta.copy()
    memory = optimizer.memory(theta)
    for g in gradients:
        optimizer.update(theta, g, memory)
    return theta


def remembered(memory):
    """What a memory holds, but for the vector, as text."""
    if not hasattr(memory, "owner"):
        return repr(memory)
    notes = {name: value for name, value in vars(memory).items() if name != "theta"}
    return {name: remembered(value) for name, value in notes.items()}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


KINDS = [
    partial(SGD),
    *(partial(kind, momentum=mu) for kind in (Momentum, Nesterov) for mu in (0.0, 0.5, 0.9)),
    *(
        partial(RMSProp, keep=keep, eps=1e-6, centred=centred)
        for keep in (0.5, 0.9, 0.99)
        for centred in (False, True)
    ),
    *(partial(Adam, b1=b1, b2=0.99, eps=1e-6) for b1 in (0.0, 0.5, 0.9)),
    partial(AdamW, b1=0.9, b2=0.99, eps=1e-6, weight_decay=0.1),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.func.__name__} {kind.keywords}")
@hypothesis.settings(max_examples=max(3, hypothesis.settings().max_examples // 8))
@given(
    schedule=st.sampled_from(SCHEDULES),
    limit=st.none() | st.floats(0.1, 10),
    size=st.integers(1, 20),
    seed=st.integers(0, 2**31),
)
def test_fifty_steps_clipped_or_not_are_those_of_the_papers(kind, schedule, limit, size, seed):
    """In either precision; gradients, memories and the optimizer itself are left as they are."""
    optimizer = kind(schedule) if limit is None else ClipNorm(kind(schedule), limit)
    passes(check_optimizer(optimizer, size=size, seed=seed))


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_remembered_has_the_dtype_of_the_vector(optimizer, dtype):
    theta = np.ones(3, dtype)
    memory = optimizer.memory(theta)
    optimizer.update(theta, np.ones(3, dtype), memory)
    arrays = [value for value in vars(memory).values() if isinstance(value, np.ndarray)]
    assert len(arrays) == 1 + len(getattr(optimizer, "arrays", ()))
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert memory.theta is theta


FALLING = Chain(Constant(0.05, steps=500), Cosine(0.05, 1000))


@pytest.mark.parametrize(
    "optimizer",
    [
        *(kind(FALLING) for kind in RULES if kind is not AdamW),
        AdamW(FALLING, weight_decay=0),  # with decay it stops before the bottom, on purpose
        RMSProp(FALLING, centred=True),
        ClipNorm(SGD(FALLING), norm=0.5),
    ],
    ids=lambda optimizer: str(optimizer)[:20],
)
def test_the_bottom_of_a_bowl_is_found(optimizer):
    theta = np.array([3.0, -4.0])
    memory = optimizer.memory(theta)
    for _ in range(1500):
        optimizer.update(theta, 2 * (theta - [1, 2]), memory)
    np.testing.assert_allclose(theta, [1, 2], atol=1e-3)


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_parameter_without_gradient_stays_unless_its_weight_decays(optimizer, dtype):
    theta = walk(optimizer, np.ones(2, dtype), [np.array([0, 1], dtype)] * 20)
    assert theta[1] < 1
    if "AdamW" in str(optimizer):
        np.testing.assert_allclose(theta[0], (1 - 0.1 * 0.01) ** 20, rtol=1e-6)
    else:
        assert theta[0] == 1


@each_optimizer
def test_an_empty_vector_has_steps_too(optimizer):
    assert walk(optimizer, np.zeros(0), [np.zeros(0)] * 3).shape == (0,)


@pytest.mark.parametrize("kind", RULES)
def test_a_rate_of_zero_moves_nothing_and_is_counted(kind):
    theta, still = np.ones(2), kind(Constant(0))
    memory = still.memory(theta)
    still.update(theta, np.ones(2), memory)
    assert (theta == 1).all()
    assert memory.t == 1


# What the optimizers have to do with each other.


@given(st.integers(0, 2**32 - 1))
def test_without_momentum_both_balls_are_sgd(seed):
    theta, gradients = noise(5, seed=seed), noise(20, 5, seed=seed + 1)
    wanted = walk(SGD(0.1), theta, gradients)
    assert (walk(Momentum(0.1, momentum=0), theta, gradients) == wanted).all()
    assert (walk(Nesterov(0.1, momentum=0), theta, gradients) == wanted).all()


def test_a_constant_gradient_rolls_ten_times_as_fast_as_by_sgd():
    theta, ball = np.zeros(1), Momentum(0.1, momentum=0.9)
    memory = ball.memory(theta)
    for _ in range(500):
        before = theta.copy()
        ball.update(theta, np.ones(1), memory)
    np.testing.assert_allclose(before - theta, 0.1 / (1 - 0.9), rtol=1e-12)


@given(st.sampled_from([0.5, 0.9, 0.99]), st.integers(0, 2**32 - 1))
def test_nesterov_walks_where_sutskever_looks_ahead(momentum, seed):
    rng = np.random.default_rng(seed)
    curvature, centre = rng.uniform(0.1, 5, 4), rng.standard_normal(4)

    def slope(x):
        return curvature * (x - centre)

    behind = rng.standard_normal(4).astype(np.longdouble)
    velocity = np.zeros(4, np.longdouble)
    theta, ball = behind.astype(float), Nesterov(0.05, momentum)
    memory = ball.memory(theta)
    for _ in range(50):  # Sutskever et al. 2013, equations 3 and 4
        velocity = momentum * velocity - np.longdouble(0.05) * slope(behind + momentum * velocity)
        behind = behind + velocity
        ball.update(theta, slope(theta), memory)
        ahead = behind + momentum * velocity
        np.testing.assert_allclose(theta, ahead.astype(float), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_rmsprop_with_a_constant_gradient_ends_at_steps_of_the_learning_rate(size):
    theta, rmsprop = np.zeros(1), RMSProp(0.1, keep=0.9, eps=1e-12)
    memory = rmsprop.memory(theta)
    for t in range(1, 301):
        before = theta.copy()
        rmsprop.update(theta, np.full(1, size), memory)
        np.testing.assert_allclose(before - theta, 0.1 / np.sqrt(1 - 0.9**t), rtol=1e-6)
    np.testing.assert_allclose(before - theta, 0.1, rtol=1e-6)


def test_centred_rmsprop_with_a_constant_gradient_grows_bold():
    theta, rmsprop = np.zeros(1), RMSProp(0.1, keep=0.9, eps=1e-12, centred=True)
    memory = rmsprop.memory(theta)
    for t in range(1, 100):  # v = s g^2 and mean = s g, with s the sum of the weights
        before, s = theta.copy(), 1 - 0.9**t
        rmsprop.update(theta, np.full(1, -7.0), memory)
        np.testing.assert_allclose(theta - before, 0.1 / np.sqrt(s * (1 - s)), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.5, 0.9])
def test_a_variance_that_rounding_takes_below_zero_counts_as_zero(keep, dtype):
    g = np.random.default_rng(0).uniform(0.5, 2, 500).astype(dtype)
    with np.errstate(all="raise"):
        theta = walk(RMSProp(1e-3, keep=keep, centred=True), np.zeros(500, dtype), [g] * 100)
    assert np.isfinite(theta).all()


def test_centring_takes_larger_steps_by_gradients_that_agree():
    gradients = 1 + 0.1 * noise(200, 3)  # mean 1, spread 0.1: up to ten times as large
    plain = walk(RMSProp(1e-3, keep=0.9), np.zeros(3), gradients)
    centred = walk(RMSProp(1e-3, keep=0.9, centred=True), np.zeros(3), gradients)
    assert (centred < 5 * plain).all()
    assert (centred > 20 * plain).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adamw_without_decay_is_adam_to_the_last_bit(dtype):
    theta, gradients = noise(50).astype(dtype), noise(30, 50, seed=1).astype(dtype)
    adam = walk(Adam(LinearDecay(0.1, 40)), theta, gradients)
    adamw = walk(AdamW(LinearDecay(0.1, 40), weight_decay=0), theta, gradients)
    assert (adam == adamw).all()


def test_adamw_decays_weights_alike_however_large_their_gradients():
    theta, scale = np.full(2, 5.0), np.array([1.0, 1000.0])
    gradients = noise(100, 1) * scale  # the same but for their size
    decay = 0.1
    pure = walk(AdamW(0.01, eps=1e-15, weight_decay=decay), theta, gradients)
    np.testing.assert_allclose(pure[0], pure[1], rtol=1e-9)

    coupled, adam = theta.copy(), Adam(0.01, eps=1e-15)
    memory = adam.memory(coupled)
    for g in gradients:
        adam.update(coupled, g + decay * coupled, memory)
    assert abs(coupled[0] - coupled[1]) > 0.01  # divided by sqrt(v), the decay is not the same


def test_decay_in_single_precision_is_as_strong_as_asked():
    theta = np.linspace(1, 2, 10_001, dtype=np.float32)
    decayed = walk(AdamW(1e-3, weight_decay=1e-2), theta, [np.zeros_like(theta)] * 100)
    lost = 1 - decayed.astype(float).sum() / theta.astype(float).sum()
    np.testing.assert_allclose(lost, 1 - (1 - 1e-5) ** 100, rtol=0.02)


# Clipping.


class Last:
    """An optimizer that keeps the gradient it was given."""

    def memory(self, theta):
        return []

    def update(self, theta, gradient, memory):
        memory[:] = [gradient]


def given_on(g, norm):
    """What the optimizer inside ClipNorm is given."""
    theta = np.zeros_like(g)
    clip = ClipNorm(Last(), norm)
    memory = clip.memory(theta)
    clip.update(theta, g, memory)
    return memory.inner[0]


@given(
    st.integers(1, 50),
    st.sampled_from(["float32", "float64"]),
    st.floats(-30, 30),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32 - 1),
)
def test_clipping_keeps_the_direction_and_the_limit(size, dtype, power, norm, seed):
    g = (noise(size, seed=seed) * 10**power).astype(dtype)
    before = g.copy()
    short = given_on(g, norm)
    assert (g == before).all()
    assert short.dtype == g.dtype
    exact, got = g.astype(np.longdouble), short.astype(np.longdouble)
    length, new_length = np.sqrt((exact**2).sum()), np.sqrt((got**2).sum())
    tolerance = 8 * np.finfo(dtype).eps
    assert new_length <= norm * (1 + tolerance)
    if length <= norm * (1 - tolerance):
        assert (short == g).all()
    elif length >= norm * (1 + tolerance):
        np.testing.assert_allclose(float(new_length), norm, rtol=tolerance)
        np.testing.assert_allclose(
            (got / new_length).astype(float), (exact / length).astype(float), atol=tolerance
        )


def test_a_gradient_short_enough_goes_on_as_it_is():
    for g in (np.zeros(3), np.array([0.6, 0.8]), np.full(4, 1e-320), np.zeros(0)):
        assert (given_on(g, 1.0) == g).all()


@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e38), ("float64", 1e308)])
def test_clipping_the_largest_numbers_overflows_nowhere(dtype, large):
    with np.errstate(over="raise"):
        short = given_on(np.full(100, large, dtype), 1.0)
    np.testing.assert_allclose(short, 0.1, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_clipping_hides_no_gradient_that_is_not_finite(bad):
    short = given_on(np.array([1.0, bad, 2.0]), 1.0)
    assert not np.isfinite(short).all()


# Memories.


@each_optimizer
@pytest.mark.parametrize("together", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_theta_and_memory_copied_together_go_on_together(optimizer, together):
    theta, gradients = noise(4), noise(10, 4, seed=1)
    memory = optimizer.memory(theta)
    for g in gradients[:5]:
        optimizer.update(theta, g, memory)
    holder = together({"theta": theta, "memory": memory})
    for g in gradients[5:]:
        optimizer.update(theta, g, memory)
        optimizer.update(holder["theta"], g, holder["memory"])
    assert holder["theta"] is not theta
    assert (holder["theta"] == theta).all()


@pytest.mark.parametrize("other", [*ONE_OF_EACH, None, {}, "memory"], ids=str)
@each_optimizer
def test_a_memory_that_another_made_is_refused_and_nothing_moves(optimizer, other):
    theta = np.ones(3)
    memory = other.memory(theta) if hasattr(other, "memory") else other
    before = remembered(memory)
    if str(other) == str(optimizer):
        return
    if isinstance(optimizer, ClipNorm) and isinstance(other, ClipNorm):
        wanted = "AdamW|SGD|ClipNorm"  # the optimizer inside refuses
    else:
        wanted = type(optimizer).__name__
    with pytest.raises(errors.KindError, match=rf"^({wanted}).* got .*wants one of its own: make"):
        optimizer.update(theta, np.ones(3), memory)
    assert (theta == 1).all()
    assert remembered(memory) == before


def test_the_refusal_of_a_memory_names_both():
    theta = np.ones(3)
    with pytest.raises(errors.KindError, match=r"^Adam got a memory that SGD made, wants one of"):
        Adam().update(theta, theta, SGD().memory(theta))
    with pytest.raises(errors.KindError, match=r"^RMSProp got a memory that RMSProp\(centred=True"):
        RMSProp().update(theta, theta, RMSProp(centred=True).memory(theta))
    with pytest.raises(errors.KindError, match=r"^Adam got NoneType as memory"):
        Adam().update(theta, theta, None)


@each_optimizer
def test_a_memory_of_another_vector_is_refused_even_if_it_holds_the_same_numbers(optimizer):
    theta = np.ones(3)
    memory = optimizer.memory(theta)
    with pytest.raises(errors.OptionError, match=r"memory of another vector .*in place, theta"):
        optimizer.update(theta.copy(), np.ones(3), memory)
    assert (theta == 1).all()


@each_optimizer
def test_a_window_of_the_whole_vector_is_that_vector_and_of_another_part_is_not(optimizer):
    theta, g = np.ones(6), np.ones(6)
    memory = optimizer.memory(theta[::2])
    optimizer.update(theta[::2], g[:3], memory)
    moved = theta.copy()
    assert (moved[::2] != 1).all()
    assert (moved[1::2] == 1).all()
    for other in (theta[:3], theta[1::2], theta[::-2], theta[:2], theta[::2].copy(), None):
        with pytest.raises(errors.OptionError, match="memory of another vector"):
            optimizer.update(other, g[:3], memory)
    assert (theta == moved).all()


@each_optimizer
@pytest.mark.parametrize("way", [by_loops, by_formulas])
def test_a_read_only_gradient_is_read_like_any_other(optimizer, way):
    theta, gradients = noise(4), noise(10, 4, seed=1)
    with way():
        wanted = walk(optimizer, theta, gradients)
        assert (walk(optimizer, theta, map(read_only, gradients)) == wanted).all()


@pytest.mark.parametrize("optimizer", ONE_OF_EACH, ids=str)
@pytest.mark.parametrize("way", [by_loops, by_formulas])
def test_only_kernels_write_a_vector_that_is_read_only_in_a_step(optimizer, way):
    theta, g = noise(4), noise(4, seed=1)
    workspace, memory = Workspace(guards=True), optimizer.memory(theta)
    with way():
        wanted = walk(optimizer, theta, [g])
        with pytest.raises(errors.KindError, match="theta is read-only"):
            optimizer.update(read_only(theta), g, optimizer.memory(theta))
        with workspace.step():
            optimizer.update(read_only(theta), read_only(g), memory)
    assert (theta == wanted).all()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=range(len(SCHEDULES)))
@pytest.mark.parametrize("kind", [*RULES, partial(RMSProp, centred=True)])
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, ClipNorm])
@pytest.mark.parametrize("way", [by_loops, by_formulas])
def test_a_step_that_is_repeated_has_the_rate_of_its_turn(kind, schedule, wrap, way):
    optimizer, start, gradients = wrap(kind(schedule)), noise(4), 3 * noise(60, 4, seed=1)
    theta, g = start.copy(), gradients[0].copy()
    memory = optimizer.memory(theta)
    with way():
        with Workspace().step(), recording() as notes:
            optimizer.update(theta, g, memory)
        again = Plan(notes, threads=1)
        for g[:] in gradients[1:]:
            again.run()
        assert (theta == walk(optimizer, start, gradients)).all()


def test_the_constants_may_change_between_steps():
    theta = np.ones(2)
    memory = Adam(0.1).memory(theta)
    Adam(0.1).update(theta, np.ones(2), memory)
    Adam(0.01, b1=0.5).update(theta, np.ones(2), memory)
    assert memory.t == 2


@each_optimizer
@pytest.mark.parametrize(
    ("gradient", "error", "text"),
    [
        ([1.0, 1.0, 1.0], errors.KindError, r"the gradient is list, wants float64 .*np\.asarray"),
        (None, errors.KindError, "the gradient is NoneType, wants float64"),
        (np.ones(3, np.float32), errors.KindError, r"shape \(3,\), float32, wants float64"),
        (np.ones(3, int), errors.KindError, "int64, wants float64"),
        (np.ones(3, complex), errors.KindError, "complex128, wants float64"),
        (np.ones(4), errors.ShapeError, r"shape \(4,\), wants that of theta, \(3,\)"),
        (np.ones((1, 3)), errors.ShapeError, r"shape \(1, 3\), wants"),
        (np.ones(1), errors.ShapeError, r"shape \(1,\), wants"),
        (np.array(1.0), errors.ShapeError, r"shape \(\), wants"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused_and_nothing_moves(
    optimizer, gradient, error, text
):
    theta = np.ones(3)
    memory = optimizer.memory(theta)
    before = remembered(memory)
    with pytest.raises(error, match=text):
        optimizer.update(theta, gradient, memory)
    assert (theta == 1).all()
    assert remembered(memory) == before


@each_optimizer
@pytest.mark.parametrize(
    ("theta", "error", "text"),
    [
        ([1.0], errors.KindError, "theta is list, wants a NumPy array of float32 or float64"),
        (np.ones(3, int), errors.KindError, "int64, wants a NumPy array of float32"),
        (np.ones(3, np.float16), errors.KindError, "float16, wants a NumPy array of float32"),
        (np.ones(3, complex), errors.KindError, "complex128, wants"),
        (None, errors.KindError, "theta is NoneType"),
        (np.ones((2, 3)), errors.ShapeError, r"shape \(2, 3\), wants a flat vector \(P,\)"),
        (np.array(1.0), errors.ShapeError, r"shape \(\), wants a flat vector"),
    ],
)
def test_no_memory_is_made_of_what_is_no_flat_vector_of_floats(optimizer, theta, error, text):
    with pytest.raises(error, match=text):
        optimizer.memory(theta)


# Settings.


def test_every_optimizer_has_a_name_and_settings_that_work_as_they_are():
    names = ["adam", "adamw", "momentum", "nesterov", "rmsprop", "sgd"]
    assert sorted(OPTIMIZERS) == sorted([*names, "clip_norm"])
    for name in names:
        kind = OPTIMIZERS[name]
        assert kind.__name__.lower() == name
        assert (walk(kind(), np.ones(2), np.ones((3, 2))) < 1).all()


NOT_A_RATE = [0, -1e-3, float("nan"), float("inf"), "fast", "0.1", True, None, [0.1], 1j, Cosine]


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("bad", NOT_A_RATE, ids=str)
def test_a_learning_rate_that_is_none_is_refused(kind, bad):
    wanted = f"^{kind.__name__}: learning_rate=.*: wants a number above 0"
    with pytest.raises(errors.OptionError, match=wanted):
        kind(bad)


@pytest.mark.parametrize(
    ("kind", "bad", "text"),
    [
        (Momentum, {"momentum": 1}, r"^Momentum: momentum=.*wants a number in \[0, 1\)"),
        (Nesterov, {"momentum": 1.0}, r"^Nesterov: momentum=.*wants a number in \[0, 1\)"),
        (Nesterov, {"momentum": -0.1}, "wants a number in"),
        (Momentum, {"momentum": "much"}, "wants a number"),
        (RMSProp, {"keep": 1}, r"^RMSProp: keep=.*wants a number in \[0, 1\)"),
        (RMSProp, {"keep": float("nan")}, "wants a number"),
        (RMSProp, {"eps": 0}, "wants a number above 0"),
        (RMSProp, {"centred": "yes"}, "centred='yes': wants True or False"),
        (Adam, {"b1": 1.0}, r"^Adam: b1=.*wants a number in \[0, 1\)"),
        (Adam, {"b2": -0.1}, "wants a number in"),
        (Adam, {"eps": 0}, "wants a number above 0"),
        (AdamW, {"weight_decay": -1}, "^AdamW: weight_decay=-1: wants a number of at least 0"),
        (AdamW, {"weight_decay": True}, "wants a number of at least 0"),
        (AdamW, {"b2": 1}, r"^AdamW: b2=.*wants a number in \[0, 1\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, bad, text):
    with pytest.raises(errors.OptionError, match=text):
        kind(**bad)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), "short", True, None], ids=str)
def test_a_length_to_clip_to_that_is_none_is_refused(bad):
    with pytest.raises(errors.OptionError, match=r"^ClipNorm: norm=.*: wants a number above 0"):
        ClipNorm(SGD(), bad)


@pytest.mark.parametrize("bad", [None, 0.1, int, LinearDecay(0.1, 5)], ids=str)
def test_clipping_for_what_is_no_optimizer_is_refused(bad):
    with pytest.raises(errors.KindError, match=r"^ClipNorm: optimizer=.*: wants an optimizer"):
        ClipNorm(bad)


@pytest.mark.parametrize("optimizer", ONE_OF_EACH[:-2], ids=str)
def test_an_optimizer_never_changes(optimizer):
    with pytest.raises(AttributeError):
        optimizer.learning_rate = 1.0
    before = str(optimizer)
    walk(optimizer, np.ones(3), np.ones((5, 3)))
    assert str(optimizer) == before

"""Optimizers against their papers, by the checker, and their behaviour in known cases."""

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
RULES = [kind for kind in OPTIMIZERS.values() if kind is not ClipNorm]  # which takes another
OPTIMIZERS_TO_TEST = [
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
OPTIMIZERS_TO_TEST += [kind(0.1) for kind in RULES if kind not in map(type, OPTIMIZERS_TO_TEST)]
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS_TO_TEST, ids=str)


def trained(optimizer, theta, gradients):
    """A copy of theta after one step for each gradient."""
    theta = theta.copy()
    memory = optimizer.memory(theta)
    for g in gradients:
        optimizer.update(theta, g, memory)
    return theta


def contents_of(memory):
    """The contents of a memory without its vector, as text."""
    if not hasattr(memory, "owner"):
        return repr(memory)
    return {name: contents_of(value) for name, value in vars(memory).items() if name != "theta"}


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
    """In either precision; gradients, memories and the optimizer itself do not change."""
    optimizer = kind(schedule) if limit is None else ClipNorm(kind(schedule), limit)
    passes(check_optimizer(optimizer, size=size, seed=seed))


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_arrays_of_a_memory_have_the_dtype_of_the_vector(optimizer, dtype):
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
        *(kind(FALLING) for kind in (SGD, Momentum, Nesterov, RMSProp, Adam)),
        AdamW(FALLING, weight_decay=0),  # with decay it stops before the minimum, as it should
        RMSProp(FALLING, centred=True),
        ClipNorm(SGD(FALLING), norm=0.5),
    ],
    ids=lambda optimizer: str(optimizer)[:20],
)
def test_an_optimizer_reaches_the_minimum_of_a_quadratic(optimizer):
    theta = np.array([3.0, -4.0])
    memory = optimizer.memory(theta)
    for _ in range(1500):
        optimizer.update(theta, 2 * (theta - [1, 2]), memory)
    np.testing.assert_allclose(theta, [1, 2], atol=1e-3)


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_parameter_with_gradient_0_moves_only_by_weight_decay(optimizer, dtype):
    theta = trained(optimizer, np.ones(2, dtype), [np.array([0, 1], dtype)] * 20)
    assert theta[1] < 1
    if "AdamW" in str(optimizer):
        np.testing.assert_allclose(theta[0], (1 - 0.1 * 0.01) ** 20, rtol=1e-6)
    else:
        assert theta[0] == 1


@each_optimizer
def test_an_empty_vector_can_be_updated(optimizer):
    assert trained(optimizer, np.zeros(0), [np.zeros(0)] * 3).shape == (0,)


@pytest.mark.parametrize("kind", RULES)
def test_a_rate_of_zero_moves_nothing_and_is_counted(kind):
    theta, still = np.ones(2), kind(Constant(0))
    memory = still.memory(theta)
    still.update(theta, np.ones(2), memory)
    assert (theta == 1).all()
    assert memory.t == 1


# Relations between the optimizers.


@given(st.integers(0, 2**32 - 1))
def test_with_momentum_0_momentum_and_nesterov_are_sgd(seed):
    theta, gradients = noise(5, seed=seed), noise(20, 5, seed=seed + 1)
    wanted = trained(SGD(0.1), theta, gradients)
    assert (trained(Momentum(0.1, momentum=0), theta, gradients) == wanted).all()
    assert (trained(Nesterov(0.1, momentum=0), theta, gradients) == wanted).all()


def test_momentum_takes_steps_ten_times_those_of_sgd_under_a_constant_gradient():
    theta, ball = np.zeros(1), Momentum(0.1, momentum=0.9)
    memory = ball.memory(theta)
    for _ in range(500):
        before = theta.copy()
        ball.update(theta, np.ones(1), memory)
    np.testing.assert_allclose(before - theta, 0.1 / (1 - 0.9), rtol=1e-12)


@given(st.sampled_from([0.5, 0.9, 0.99]), st.integers(0, 2**32 - 1))
def test_nesterov_is_at_the_point_ahead_of_sutskevers_parameters(momentum, seed):
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
def test_steps_of_rmsprop_under_a_constant_gradient_fall_to_the_learning_rate(size):
    theta, rmsprop = np.zeros(1), RMSProp(0.1, keep=0.9, eps=1e-12)
    memory = rmsprop.memory(theta)
    for t in range(1, 301):
        before = theta.copy()
        rmsprop.update(theta, np.full(1, size), memory)
        np.testing.assert_allclose(before - theta, 0.1 / np.sqrt(1 - 0.9**t), rtol=1e-6)
    np.testing.assert_allclose(before - theta, 0.1, rtol=1e-6)


def test_steps_of_centred_rmsprop_grow_under_a_constant_gradient():
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
        theta = trained(RMSProp(1e-3, keep=keep, centred=True), np.zeros(500, dtype), [g] * 100)
    assert np.isfinite(theta).all()


def test_centred_rmsprop_takes_larger_steps_if_gradients_agree():
    gradients = 1 + 0.1 * noise(200, 3)  # mean 1, spread 0.1: up to ten times as large
    plain = trained(RMSProp(1e-3, keep=0.9), np.zeros(3), gradients)
    centred = trained(RMSProp(1e-3, keep=0.9, centred=True), np.zeros(3), gradients)
    assert (centred < 5 * plain).all()
    assert (centred > 20 * plain).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adamw_without_decay_is_adam_to_the_last_bit(dtype):
    theta, gradients = noise(50).astype(dtype), noise(30, 50, seed=1).astype(dtype)
    adam = trained(Adam(LinearDecay(0.1, 40)), theta, gradients)
    adamw = trained(AdamW(LinearDecay(0.1, 40), weight_decay=0), theta, gradients)
    assert (adam == adamw).all()


def test_adamw_decays_weights_alike_for_any_size_of_gradient():
    theta, scale = np.full(2, 5.0), np.array([1.0, 1000.0])
    gradients = noise(100, 1) * scale  # the same except for their scale
    decay = 0.1
    pure = trained(AdamW(0.01, eps=1e-15, weight_decay=decay), theta, gradients)
    np.testing.assert_allclose(pure[0], pure[1], rtol=1e-9)

    coupled, adam = theta.copy(), Adam(0.01, eps=1e-15)
    memory = adam.memory(coupled)
    for g in gradients:
        adam.update(coupled, g + decay * coupled, memory)
    assert abs(coupled[0] - coupled[1]) > 0.01  # divided by sqrt(v), the decay is not the same


def test_weight_decay_has_its_full_strength_in_float32():
    theta = np.linspace(1, 2, 10_001, dtype=np.float32)
    decayed = trained(AdamW(1e-3, weight_decay=1e-2), theta, [np.zeros_like(theta)] * 100)
    lost = 1 - decayed.astype(float).sum() / theta.astype(float).sum()
    np.testing.assert_allclose(lost, 1 - (1 - 1e-5) ** 100, rtol=0.02)


# Clipping.


class Last:
    """An optimizer that stores the gradient in its memory."""

    def memory(self, theta):
        return []

    def update(self, theta, gradient, memory):
        memory[:] = [gradient]


def passed_on(g, norm):
    """The gradient that ClipNorm passes to its optimizer."""
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
    short = passed_on(g, norm)
    assert (g == before).all()
    assert short.dtype == g.dtype
    exact, clipped = g.astype(np.longdouble), short.astype(np.longdouble)
    length, new_length = np.sqrt((exact**2).sum()), np.sqrt((clipped**2).sum())
    tolerance = 8 * np.finfo(dtype).eps
    assert new_length <= norm * (1 + tolerance)
    if length <= norm * (1 - tolerance):
        assert (short == g).all()
    elif length >= norm * (1 + tolerance):
        np.testing.assert_allclose(float(new_length), norm, rtol=tolerance)
        np.testing.assert_allclose(
            (clipped / new_length).astype(float), (exact / length).astype(float), atol=tolerance
        )


def test_a_gradient_that_is_short_enough_is_passed_on_unchanged():
    for g in (np.zeros(3), np.array([0.6, 0.8]), np.full(4, 1e-320), np.zeros(0)):
        assert (passed_on(g, 1.0) == g).all()


@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e38), ("float64", 1e308)])
def test_clipping_the_largest_numbers_does_not_overflow(dtype, large):
    with np.errstate(over="raise"):
        short = passed_on(np.full(100, large, dtype), 1.0)
    np.testing.assert_allclose(short, 0.1, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_clipping_passes_on_nan_and_infinity(bad):
    short = passed_on(np.array([1.0, bad, 2.0]), 1.0)
    assert not np.isfinite(short).all()


# Memories.


@each_optimizer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_theta_and_memory_copied_together_stay_together(optimizer, copied):
    theta, gradients = noise(4), noise(10, 4, seed=1)
    memory = optimizer.memory(theta)
    for g in gradients[:5]:
        optimizer.update(theta, g, memory)
    holder = copied({"theta": theta, "memory": memory})
    for g in gradients[5:]:
        optimizer.update(theta, g, memory)
        optimizer.update(holder["theta"], g, holder["memory"])
    assert holder["theta"] is not theta
    assert (holder["theta"] == theta).all()


@pytest.mark.parametrize("other", [*OPTIMIZERS_TO_TEST, None, {}, "memory"], ids=str)
@each_optimizer
def test_the_memory_of_another_optimizer_is_refused_and_nothing_moves(optimizer, other):
    theta = np.ones(3)
    memory = other.memory(theta) if hasattr(other, "memory") else other
    before = contents_of(memory)
    if str(other) == str(optimizer):
        return
    if isinstance(optimizer, ClipNorm) and isinstance(other, ClipNorm):
        wanted = "AdamW|SGD|ClipNorm"  # the inner optimizer refuses
    else:
        wanted = type(optimizer).__name__
    with pytest.raises(errors.KindError, match=rf"^({wanted}).* got .*wants one of its own: make"):
        optimizer.update(theta, np.ones(3), memory)
    assert (theta == 1).all()
    assert contents_of(memory) == before


def test_the_error_about_a_memory_names_both_optimizers():
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
def test_a_view_of_the_same_memory_is_accepted_as_the_vector_and_other_views_are_not(optimizer):
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
        wanted = trained(optimizer, theta, gradients)
        assert (trained(optimizer, theta, map(read_only, gradients)) == wanted).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS_TO_TEST, ids=str)
@pytest.mark.parametrize("way", [by_loops, by_formulas])
def test_only_kernels_write_a_vector_that_is_read_only_in_a_step(optimizer, way):
    theta, g = noise(4), noise(4, seed=1)
    workspace, memory = Workspace(guards=True), optimizer.memory(theta)
    with way():
        wanted = trained(optimizer, theta, [g])
        with pytest.raises(errors.KindError, match="theta is read-only"):
            optimizer.update(read_only(theta), g, optimizer.memory(theta))
        with workspace.step():
            optimizer.update(read_only(theta), read_only(g), memory)
    assert (theta == wanted).all()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=range(len(SCHEDULES)))
@pytest.mark.parametrize("kind", [*RULES, partial(RMSProp, centred=True)])
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, ClipNorm])
@pytest.mark.parametrize("way", [by_loops, by_formulas])
def test_a_replayed_step_has_the_learning_rate_of_its_own_step(kind, schedule, wrap, way):
    optimizer, start, gradients = wrap(kind(schedule)), noise(4), 3 * noise(60, 4, seed=1)
    theta, g = start.copy(), gradients[0].copy()
    memory = optimizer.memory(theta)
    with way():
        with Workspace().step(), recording() as notes:
            optimizer.update(theta, g, memory)
        plan = Plan(notes, threads=1)
        for g[:] in gradients[1:]:
            plan.run()
        assert (theta == trained(optimizer, start, gradients)).all()


def test_settings_may_change_between_steps():
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
    before = contents_of(memory)
    with pytest.raises(error, match=text):
        optimizer.update(theta, gradient, memory)
    assert (theta == 1).all()
    assert contents_of(memory) == before


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
def test_memory_refuses_anything_but_a_flat_vector_of_floats(optimizer, theta, error, text):
    with pytest.raises(error, match=text):
        optimizer.memory(theta)


# Settings.


def test_every_optimizer_has_a_name_and_default_settings_that_work():
    assert set(OPTIMIZERS) >= {
        "adam",
        "adamw",
        "momentum",
        "nesterov",
        "rmsprop",
        "sgd",
        "clip_norm",
    }
    for kind in RULES:
        assert kind.__name__.lower() == kind.name
        assert (trained(kind(), np.ones(2), np.ones((3, 2))) < 1).all()


INVALID_RATES = [0, -1e-3, float("nan"), float("inf"), "fast", "0.1", True, None, [0.1], 1j, Cosine]


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("bad", INVALID_RATES, ids=str)
def test_an_invalid_learning_rate_is_refused(kind, bad):
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
def test_invalid_settings_are_refused(kind, bad, text):
    with pytest.raises(errors.OptionError, match=text):
        kind(**bad)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), "short", True, None], ids=str)
def test_an_invalid_norm_to_clip_to_is_refused(bad):
    with pytest.raises(errors.OptionError, match=r"^ClipNorm: norm=.*: wants a number above 0"):
        ClipNorm(SGD(), bad)


@pytest.mark.parametrize("bad", [None, 0.1, int, LinearDecay(0.1, 5)], ids=str)
def test_clip_norm_refuses_anything_that_is_not_an_optimizer(bad):
    with pytest.raises(errors.KindError, match=r"^ClipNorm: optimizer=.*: wants an optimizer"):
        ClipNorm(bad)


@pytest.mark.parametrize("optimizer", OPTIMIZERS_TO_TEST[:-2], ids=str)
def test_an_optimizer_never_changes(optimizer):
    with pytest.raises(AttributeError):
        optimizer.learning_rate = 1.0
    before = str(optimizer)
    trained(optimizer, np.ones(3), np.ones((5, 3)))
    assert str(optimizer) == before

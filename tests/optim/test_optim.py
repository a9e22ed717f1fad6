"""Optimizers against plain longdouble loops, and what they do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import errors
from scratchgen.optim import Adam, LinearDecay, settings


def plain_adam(theta, gradients, rates, b1, b2, eps):
    """Algorithm 1 of Kingma and Ba, with its own hats, in longdouble."""
    theta = theta.astype(np.longdouble)
    m = v = np.zeros_like(theta)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = g.astype(np.longdouble)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - np.longdouble(b1) ** t), v / (1 - np.longdouble(b2) ** t)
        theta = theta - rate * m_hat / (np.sqrt(v_hat) + eps)
    return theta


@given(st.integers(1, 20), st.sampled_from([0.0, 0.5, 0.9]), st.integers(0, 2**32))
def test_fifty_steps_of_adam_agree_with_a_plain_loop(size, b1, seed):
    rng = np.random.default_rng(seed)
    theta, gradients = rng.standard_normal(size), rng.standard_normal((50, size))
    schedule = LinearDecay(0.1, 60)
    wanted = plain_adam(theta, gradients, [schedule(t) for t in range(50)], b1, 0.99, 1e-6)
    adam = Adam(schedule, b1=b1, b2=0.99, eps=1e-6)
    memory = adam.memory(theta)
    for g in gradients:
        adam.update(theta, g, memory)
    np.testing.assert_allclose(theta, wanted.astype(float), rtol=1e-11, atol=1e-12)


def test_adam_moves_neither_the_gradient_nor_what_another_memory_holds():
    theta, g = np.ones(3), np.full(3, 2.0)
    adam = Adam(0.1)
    memory, other = adam.memory(theta), adam.memory(theta)
    adam.update(theta, g, memory)
    assert (g == 2).all()
    assert (memory.t, other.t) == (1, 0)
    assert not other.m.any()


def test_adam_finds_the_bottom_of_a_bowl():
    theta, adam = np.array([3.0, -4.0]), Adam(0.1)
    memory = adam.memory(theta)
    for _ in range(500):
        adam.update(theta, 2 * (theta - [1, 2]), memory)
    np.testing.assert_allclose(theta, [1, 2], atol=1e-3)


def test_a_parameter_without_gradient_stays():
    theta, adam = np.ones(2, np.float32), Adam(0.1)
    memory = adam.memory(theta)
    for _ in range(20):
        adam.update(theta, np.array([0, 1], np.float32), memory)
    assert theta[0] == 1
    assert theta[1] < 0


def test_settings_are_plain_numbers_and_names():
    assert settings(Adam(LinearDecay(0.1, 5))) == {
        "name": "Adam",
        "learning_rate": {"name": "LinearDecay", "rate": 0.1, "steps": 5},
        "b1": 0.9,
        "b2": 0.999,
        "eps": 1e-8,
    }
    assert settings(Adam(lambda step: 0.1))["learning_rate"] == "function"


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": 0},
        {"learning_rate": -1e-3},
        {"learning_rate": float("nan")},
        {"learning_rate": "fast"},
        {"b1": 1.0},
        {"b2": -0.1},
        {"eps": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(errors.OptionError, match="wants a"):
        Adam(**bad)


def test_a_decay_of_no_steps_is_refused():
    with pytest.raises(errors.OptionError, match="at least 1"):
        LinearDecay(0.1, 0)

"""Second order: the tangent of every layer, and the way back through it."""

import numpy as np
import pytest
from differences import assert_close, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import Case, layer_cases, with_tangent

from scratchgen import errors
from scratchgen.nn import (
    LAYERS,
    BatchNorm,
    Block,
    Dense,
    Layer,
    Layout,
    Network,
    ReLU,
    Residual,
    Tape,
)

cases = layer_cases(with_tangent)
examples, seeds, in_training = st.integers(1, 5), st.integers(0, 2**32), st.booleans()


@given(cases, examples, seeds, in_training)
def test_a_tangent_is_how_the_output_moves_when_the_input_moves(case, n, seed, training):
    case = Case(*case, n, seed, training)
    tape = case.begin()
    case.layer.forward(case.p, case.x, tape)
    v = case.layer.tangent(case.p, case.u, tape).copy()
    x, step = case.x.copy(), np.zeros(1)

    def moved() -> float:
        case.x[:] = x + step[0] * 1e-2 * case.u
        return case.value()

    wanted = numeric_gradient(moved, step)[0] * 1e2
    assert_close(np.array([(v * case.dy).sum()]), np.array([wanted]), "<dy, v>")


@given(cases, examples, seeds, in_training)
def test_tangent_backward_is_the_derivative_of_value_and_tangent(case, n, seed, training):
    case = Case(*case, n, seed, training)
    dx, du, dtheta = case.second_gradients()
    assert_close(dx, numeric_gradient(case.value_with_tangent, case.x), "x")
    assert_close(du, numeric_gradient(case.value_with_tangent, case.u), "u")
    assert_close(dtheta, numeric_gradient(case.value_with_tangent, case.block.vector), "theta")


@given(cases, seeds)
def test_a_short_batch_on_a_used_tape_gives_what_a_fresh_tape_gives(case, seed):
    layer, shape = case
    long, short = Case(layer, shape, 5, seed), Case(layer, shape, 2, seed + 1)
    tape = Tape()
    long.second_gradients(tape)
    for used, fresh in zip(short.second_gradients(tape), short.second_gradients(), strict=True):
        assert np.array_equal(used, fresh)


@given(cases, examples, seeds)
def test_without_need_of_dx_the_gradients_of_parameters_are_the_same_and_add(case, n, seed):
    case = Case(*case, n, seed)
    *_, wanted = case.second_gradients()
    tape, gradient = case.begin(), case.block.zeros_like()
    gradient.vector[:] = 1
    case.layer.forward(case.p, case.x, tape)
    case.layer.tangent(case.p, case.u, tape)
    g = gradient.views.it
    assert case.layer.tangent_backward(case.p, case.dy, case.dv, tape, g, need_dx=False) is None
    np.testing.assert_allclose(gradient.vector, wanted + 1, rtol=1e-12, atol=1e-12)


@given(cases, examples, seeds)
def test_tangents_in_float32_stay_float32(case, n, seed):
    layer, shape = case
    block = Block(Layout(it=layer), np.float32, rng=seed)
    x, u = np.random.default_rng(seed).standard_normal((2, n, *shape), dtype=np.float32)
    tape = Tape().begin(training=True, rng=np.random.default_rng(0), labels=[0] * n)
    y = layer.forward(block.views.it, x, tape)
    v = layer.tangent(block.views.it, u, tape)
    d = layer.tangent_backward(block.views.it, y, v, tape, block.zeros_like().views.it)
    assert v.dtype == d.x.dtype == d.u.dtype == np.float32


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"BatchNorm", "Network", "Residual"}))
def test_every_layer_but_batch_norm_has_a_tangent(name):
    assert LAYERS[name].tangent is not Layer.tangent


def test_batch_norm_refuses_a_tangent_and_says_why_also_from_within():
    network = Network((3,), Dense(3, 3), Residual(Network((3,), ReLU(), BatchNorm(3))))
    assert "mixes the examples" in network.why_no_tangent()
    assert "LayerNorm(3)" in network.why_no_tangent()
    block = Block(Layout(it=network), rng=0)
    tape = Tape().begin(training=True)
    network.forward(block.views.it, np.ones((2, 3), np.float32), tape)
    with pytest.raises(
        errors.OptionError, match=r"BatchNorm\(3\).*put LayerNorm\(3\) in its place"
    ):
        network.tangent(block.views.it, np.ones((2, 3), np.float32), tape)


def test_a_layer_of_the_users_own_without_a_tangent_is_told_what_to_write():
    class Mine(Layer):
        pass

    with pytest.raises(errors.OptionError, match=r"write it and tangent_backward\(\)"):
        Mine().tangent(None, np.ones((1, 1)), Tape())

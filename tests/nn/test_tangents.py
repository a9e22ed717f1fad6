"""Second order: the tangent of every layer, and the backward pass through it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import Case, examples, kinds_with_tangent, of_each_kind, passes, seeds

import scratchgen as sg
from scratchgen.gradcheck.library.points import layer_layout
from scratchgen.gradcheck.strategies import layer_cases, own_layers
from scratchgen.ground import errors
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

each_kind = pytest.mark.parametrize("kind", kinds_with_tangent)
MOST = 12  # numbers in an example: among more, Maxout would compare numbers too near each other


def with_tangent(kinds):
    """Layers of these kinds, but no network that contains a batch norm."""
    return own_layers(kinds).filter(lambda layer: not layer[0].why_no_tangent())


@each_kind
@of_each_kind
@given(data=st.data())
def test_tangent_and_tangent_backward_are_derivatives_of_forward(kind, data):
    """By mixed differences of the values of forward, and by a Hessian that must be symmetric."""
    small = with_tangent([kind]).filter(lambda layer: math.prod(layer[1]) <= MOST)
    case = data.draw(layer_cases(small, batches=(2, 1), scales=(1.0,)))
    passes(sg.check_second_order(case.layer, case.x, seed=case.seed))


@each_kind
@of_each_kind
@given(data=st.data(), seed=seeds)
def test_a_short_batch_on_a_used_tape_gives_what_a_fresh_tape_gives(kind, data, seed):
    layer = data.draw(with_tangent([kind]))
    long, short = Case(layer, 5, seed), Case(layer, 2, seed + 1)
    tape = Tape()
    long.second_gradients(tape)
    for used, fresh in zip(short.second_gradients(tape), short.second_gradients(), strict=True):
        assert np.array_equal(used, fresh)


@each_kind
@of_each_kind
@given(data=st.data(), n=examples, seed=seeds)
def test_tangent_backward_without_dx_adds_the_same_parameter_gradients(kind, data, n, seed):
    case = Case(data.draw(with_tangent([kind])), n, seed)
    *_, expected = case.second_gradients()
    dx, du, vector = case.second_gradients(before=1, need_dx=False)
    assert dx is du is None
    np.testing.assert_allclose(vector, expected + 1, rtol=1e-12, atol=1e-12)


@given(with_tangent(kinds_with_tangent), examples, seeds)
def test_tangents_in_float32_stay_float32(layer, n, seed):
    layer, shape = layer
    block = Block(layer_layout(layer), np.float32, rng=seed)
    x, u = np.random.default_rng(seed).standard_normal((2, n, *shape), dtype=np.float32)
    tape = Tape().begin(training=True, rng=np.random.default_rng(0), labels=[0] * n)
    y = layer.forward(block.views.it, x, tape)
    v = layer.tangent(block.views.it, u, tape)
    d = layer.tangent_backward(block.views.it, y, v, tape, block.zeros_like().views.it)
    assert v.dtype == d.x.dtype == d.u.dtype == np.float32


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"BatchNorm", "Network", "Residual"}))
def test_every_layer_but_batch_norm_has_a_tangent(name):
    assert LAYERS[name].tangent is not Layer.tangent


def test_batch_norm_refuses_a_tangent_with_a_reason_even_inside_other_layers():
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


def test_the_error_of_a_users_layer_without_a_tangent_says_what_to_write():
    class Mine(Layer):
        pass

    with pytest.raises(errors.OptionError, match=r"write it and tangent_backward\(\)"):
        Mine().tangent(None, np.ones((1, 1)), Tape())

"""Gradients that cancel leave exactly 0, because each is summed first and then added as a whole.

In the Wasserstein game the weight of a real example is -1/N, and that of a fake example 1/N, so the
gradient of the last bias of a critic is 0. If it were 3e-8, always with the same sign, Adam would
take whole steps along it.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen import nn
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.nn import Block, Layout, Tape

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops to compare"
)
both_ways = pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_numba), by_formulas])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
LAYERS = [
    nn.Dense(6, 3),
    nn.Dense(6, 1),
    nn.LayerNorm(6),
    nn.BatchNorm(6),
    nn.JoinLabels(3, width=2),
    nn.JoinParameters(2),
    nn.Tied(nn.Dense(4, 6)),
]


def sum_of_opposite_gradients(layer, x, dy, tape, clears=False):
    """The gradient after one backward pass with dy and another with -dy."""
    networks = {"of": layer.of} if isinstance(layer, nn.Tied) else {}
    block = Block(Layout(it=layer, **networks), x.dtype, rng=0)
    gradient = block.zeros_like()
    if clears:
        gradient.vector[:] = 7
        gradient.clear()
    layer.forward(block.views.it, x, tape)
    layer.backward(block.views.it, dy, tape, gradient.views.it)
    layer.backward(block.views.it, -dy, tape, gradient.views.it)
    return gradient.vector


@both_ways
@each_dtype
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@given(st.sampled_from([1, 20, 64, 65, 130]), st.booleans(), st.integers(0, 2**32))
def test_gradients_of_dy_and_of_minus_dy_cancel_exactly(way, dtype, layer, n, clears, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6)).astype(dtype)
    dy = rng.standard_normal((n, *layer.out_shape((6,)))).astype(dtype)
    tape = Tape().begin(training=True, labels=rng.integers(0, 3, n))
    with way():
        assert not sum_of_opposite_gradients(layer, x, dy, tape, clears).any()


@both_ways
@each_dtype
@given(
    st.one_of(st.integers(1, 40), st.sampled_from([128, 257, 520])),  # examples: the terms of a sum
    st.one_of(st.integers(1, 70), st.just(300)),
    st.one_of(st.integers(1, 70), st.just(300)),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
@example(520, 300, 40, 2, 0)
@example(257, 1, 300, 2, 0)
@example(257, 300, 1, 2, 0)
def test_gradients_of_products_cancel_exactly_at_any_size_on_any_number_of_threads(
    way, dtype, n, n_in, n_out, threads, seed
):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, n_in)).astype(dtype)
    dy = rng.standard_normal((n, n_out)).astype(dtype)
    layer, tape = nn.Dense(n_in, n_out), Tape().begin(training=True)
    with way(), sg.threads(threads):
        assert not sum_of_opposite_gradients(layer, x, dy, tape).any()


@both_ways
def test_gradients_of_second_order_cancel_exactly(way):
    layer, rng = nn.LayerNorm(6), np.random.default_rng(0)
    x, u, dy, dv = (rng.standard_normal((70, 6)).astype("float32") for _ in range(4))
    block, tape = Block(Layout(it=layer), rng=0), Tape().begin(training=True)
    gradient = block.zeros_like()
    with way():
        layer.forward(block.views.it, x, tape)
        layer.tangent(block.views.it, u, tape)
        for sign in (1, -1):
            # dv by itself, because a pass adds the sum for dv and the sum for dy separately
            layer.tangent_backward(block.views.it, 0 * dy, sign * dv, tape, gradient.views.it)
        for sign in (1, -1):
            layer.tangent_backward(block.views.it, sign * dy, 0 * dv, tape, gradient.views.it)
    assert not gradient.vector.any()


@both_ways
def test_a_layer_adds_its_gradients_to_those_of_earlier_passes(way):
    layer = nn.Dense(2, 1)
    p = SimpleNamespace(w=np.zeros((2, 1)), b=np.zeros(1))
    g = SimpleNamespace(w=np.array([[1.0], [2.0]]), b=np.array([3.0]))
    tape = Tape().begin(training=True)
    with way():
        layer.forward(p, np.array([[1.0, 10.0], [2.0, 20.0]]), tape)
        layer.backward(p, np.array([[1.0], [1.0]]), tape, g)
    assert g.w.tolist() == [[4.0], [32.0]]
    assert g.b.tolist() == [5.0]

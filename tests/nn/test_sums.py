"""Gradients that cancel leave exactly nothing: each is summed first, and then added once.

In the Wasserstein game real examples weigh -1/N and fake ones 1/N, so that the gradient of the last
bias of a critic is 0. Were it 3e-8, always of one sign, Adam would take whole steps along it.
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


def cancelled(layer, x, dy, tape, cleared=False):
    """The gradients that two passes leave, of which the second is given -dy."""
    others = {"of": layer.of} if isinstance(layer, nn.Tied) else {}
    block = Block(Layout(it=layer, **others), x.dtype, rng=0)
    gradient = block.zeros_like()
    if cleared:
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
def test_gradients_of_s_and_minus_s_leave_nothing(way, dtype, layer, n, cleared, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6)).astype(dtype)
    dy = rng.standard_normal((n, *layer.out_shape((6,)))).astype(dtype)
    tape = Tape().begin(training=True, labels=rng.integers(0, 3, n))
    with way():
        assert not cancelled(layer, x, dy, tape, cleared).any()


@both_ways
@each_dtype
@given(
    st.one_of(st.integers(1, 40), st.sampled_from([128, 257, 520])),  # examples: sums over these
    st.one_of(st.integers(1, 70), st.just(300)),
    st.one_of(st.integers(1, 70), st.just(300)),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
@example(520, 300, 40, 2, 0)
@example(257, 1, 300, 2, 0)
@example(257, 300, 1, 2, 0)
def test_so_it_is_for_products_of_any_size_on_any_number_of_threads(
    way, dtype, n, i, o, threads, seed
):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((n, i)).astype(dtype), rng.standard_normal((n, o)).astype(dtype)
    with way(), sg.threads(threads):
        assert not cancelled(nn.Dense(i, o), x, dy, Tape().begin(training=True)).any()


@both_ways
def test_so_it_is_in_second_order(way):
    """What a penalty adds for v and for -v."""
    layer, rng = nn.LayerNorm(6), np.random.default_rng(0)
    x, u, dy, dv = (rng.standard_normal((70, 6)).astype("float32") for _ in range(4))
    block, tape = Block(Layout(it=layer), rng=0), Tape().begin(training=True)
    gradient = block.zeros_like()
    with way():
        layer.forward(block.views.it, x, tape)
        layer.tangent(block.views.it, u, tape)
        for sign in (1, -1):
            # dv first, by itself: its sum and that of dy are added one after the other
            layer.tangent_backward(block.views.it, 0 * dy, sign * dv, tape, gradient.views.it)
        for sign in (1, -1):
            layer.tangent_backward(block.views.it, sign * dy, 0 * dv, tape, gradient.views.it)
    assert not gradient.vector.any()


@both_ways
def test_a_layers_gradients_are_still_added_to_what_is_there(way):
    layer = nn.Dense(2, 1)
    p = SimpleNamespace(w=np.zeros((2, 1)), b=np.zeros(1))
    g = SimpleNamespace(w=np.array([[1.0], [2.0]]), b=np.array([3.0]))
    tape = Tape().begin(training=True)
    with way():
        layer.forward(p, np.array([[1.0, 10.0], [2.0, 20.0]]), tape)
        layer.backward(p, np.array([[1.0], [1.0]]), tape, g)
    assert g.w.tolist() == [[4.0], [32.0]]
    assert g.b.tolist() == [5.0]

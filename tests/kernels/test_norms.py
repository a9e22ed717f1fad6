"""Layer norm and batch norm at equal numbers, without examples, in second order and in memory."""

import tracemalloc

import numpy as np
import pytest

from scratchgen.kernels.formulas import by_formulas, by_loops, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.nn import BatchNorm, Block, LayerNorm, Layout, Tape

both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def ready(layer, dtype, training=True):
    """Parameters of the layer, between 0.5 and 2, a gradient of zeros, and a tape."""
    block = Block(Layout(it=layer), rng=0, dtype=dtype)
    block.vector[:] = np.linspace(0.5, 2, block.vector.size)
    return block.views.it, block.zeros_like().views.it, Tape().begin(training=training)


@both_ways
@each_dtype
@pytest.mark.parametrize("layer", [LayerNorm(4), BatchNorm(4)])
def test_equal_numbers_are_normalised_to_beta(layer, dtype, way):
    p, g, tape = ready(layer, dtype)
    x = np.full((3, 4), 7, dtype)
    with way():
        y = layer.forward(p, x, tape)
        dx = layer.backward(p, np.ones_like(x), tape, g)
    np.testing.assert_array_equal(y, np.tile(p.beta, (3, 1)))
    assert np.isfinite(dx).all()
    assert g.gamma.tolist() == [0] * 4
    assert g.beta.tolist() == [3] * 4


@both_ways
@each_dtype
@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [LayerNorm(4), BatchNorm(4)])
def test_batches_of_no_and_of_one_example_give_finite_numbers(layer, training, n, dtype, way):
    p, g, tape = ready(layer, dtype, training)
    x = np.arange(n * 8, dtype=dtype).reshape(n, 2, 4)
    with way():
        y = layer.forward(p, x, tape)
        dx = layer.backward(p, np.ones_like(x), tape, g)
        layer.settle(p, tape)
    assert y.shape == dx.shape == x.shape
    assert y.dtype == dx.dtype == np.dtype(dtype)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()
    assert g.beta.tolist() == [2 * n] * 4


@each_dtype
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [LayerNorm(5), BatchNorm(5)])
def test_a_norm_computes_the_same_by_loops_and_by_formulas(layer, training, dtype):
    rng, results = np.random.default_rng(0), []
    x, dy, u, dv = rng.standard_normal((4, 3, 7, 5)).astype(dtype)
    for way in (by_formulas, by_loops):
        p, g, tape = ready(layer, dtype, training)
        with way():
            arrays = [layer.forward(p, x, tape), layer.backward(p, dy, tape, g)]
            if isinstance(layer, LayerNorm):
                arrays.append(layer.tangent(p, u, tape))
                d = layer.tangent_backward(p, dy, dv, tape, g)
                arrays += [d.x, d.u]
        results.append([*arrays, g.gamma, g.beta])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(
            a, b, rtol=50 * np.finfo(dtype).eps, atol=50 * np.finfo(dtype).eps
        )


@both_ways
@pytest.mark.parametrize("layer", [LayerNorm(5), BatchNorm(5)])
def test_a_replay_reads_new_numbers_from_strided_memory(layer, way):
    if way is by_loops and not numba_works():
        pytest.skip("without numba there are no loops to replay")
    p, _, tape = ready(layer, "float64")
    x, dy = np.random.default_rng(0).standard_normal((2, 3, 7, 6))[
        ..., 1:
    ]  # with gaps between rows
    with way():
        with Workspace().step(), recording() as notes:
            layer.forward(p, x, tape)
            dx = layer.backward(p, dy, tape)
        x *= 2
        dy += x
        Plan(notes, 1).run()
        new_tape = Tape().begin(training=True)
        layer.forward(p, x, new_tape)
        np.testing.assert_array_equal(dx, layer.backward(p, dy, new_tape))


@pytest.mark.parametrize("layer", [LayerNorm(5), BatchNorm(5)])
def test_a_shape_that_does_not_fit_is_refused_before_a_loop_reads_it(layer):
    p, _, tape = ready(layer, "float32")
    with pytest.raises(ValueError, match="wants 5 features"):
        layer.forward(p, np.zeros((2, 10), "float32"), tape)


@pytest.mark.skipif(not numba_works(), reason="NumPy works in memory of its own")
@pytest.mark.parametrize("layer", [LayerNorm(64), BatchNorm(64)])
def test_a_warm_pass_in_a_workspace_takes_no_new_memory_for_examples(layer):
    p, g, tape = ready(layer, "float32")
    x = np.random.default_rng(0).standard_normal((4096, 64)).astype("float32")

    workspace = Workspace()

    def run_passes():
        tape.begin(training=True)
        with workspace.step():
            layer.forward(p, x, tape)
            layer.backward(p, x, tape, g)
            if isinstance(layer, LayerNorm):
                layer.tangent(p, x, tape)
                layer.tangent_backward(p, x, x, tape, g)

    with by_loops():
        run_passes()
        tracemalloc.start()
        try:
            run_passes()
            assert tracemalloc.get_traced_memory()[1] < x.nbytes / 16
        finally:
            tracemalloc.stop()

"""In a workspace, every pass writes its arrays to the same addresses and takes no new memory."""

import copy
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import Case, kinds, of_each_kind

from scratchgen.gradcheck.strategies import own_layers
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.nn import (
    Block,
    Dense,
    Dropout,
    GaussianNoise,
    LayerNorm,
    Layout,
    Network,
    ReLU,
    Reshape,
    Residual,
    Tape,
    Tied,
)

needs_loops = pytest.mark.skipif(not compiles(), reason="there are no loops: no numba, or JIT=0")
both_ways = pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_loops), by_formulas])
each_kind = pytest.mark.parametrize("kind", kinds)


class Passes:
    """The passes of a case: forward, backward, and those of the tangent if there is one."""

    def __init__(self, case: Case) -> None:
        self.case, self.tape, self.gradient = case, Tape(), case.block.zeros_like()
        self.rng, self.labels = np.random.default_rng(5), np.array(case.labels)

    def __call__(self) -> list[np.ndarray]:
        """The arrays that the passes return."""
        case, g = self.case, self.gradient.views.it
        self.tape.begin(training=True, rng=self.rng, labels=self.labels)
        self.gradient.clear()
        y = case.layer.forward(case.p, case.x, self.tape)
        dx = case.layer.backward(case.p, case.dy, self.tape, g)
        if case.layer.why_no_tangent():
            return [y, dx]
        v = case.layer.tangent(case.p, case.u, self.tape)
        d = case.layer.tangent_backward(case.p, case.dy, case.dv, self.tape, g)
        return [y, dx, v, d.x, d.u]

    def copies(self) -> list[np.ndarray]:
        """Copies of the arrays that the passes return, and of the gradient."""
        return [x.copy() for x in (*self(), self.gradient.vector)]


@both_ways
@each_kind
@of_each_kind
@given(data=st.data(), n=st.sampled_from([1, 5, 70]), seed=st.integers(0, 2**32))
def test_what_memory_held_before_a_pass_changes_no_result(way, kind, data, n, seed):
    layer = data.draw(own_layers([kind]))
    with way():
        expected = Passes(Case(layer, n, seed)).copies()
        passes = Passes(Case(layer, n, seed))
        with Workspace(fills=True, guards=True).step():
            in_workspace = passes.copies()
        passes = Passes(Case(layer, n, seed))
        with Workspace(fills=True, guards=True).step(), recording():
            recorded = passes.copies()
    for x, y, z in zip(expected, in_workspace, recorded, strict=True):
        assert np.array_equal(x, y)
        assert np.array_equal(x, z)


@both_ways
@each_kind
@of_each_kind
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_in_a_workspace_the_arrays_of_every_pass_have_the_same_addresses(way, kind, data, seed):
    passes, workspace = Passes(Case(data.draw(own_layers([kind])), 5, seed)), Workspace()
    inputs = [passes.case.x, passes.case.u, passes.case.dy, passes.case.dv]  # may be returned
    addresses = []
    for _ in range(2):
        with way(), workspace.step(), recording():
            arrays = passes()
        for x in arrays:
            assert workspace.holds(x) or any(np.shares_memory(x, y) for y in inputs)
        addresses.append([x.ctypes.data for x in arrays])
    assert addresses[0] == addresses[1]


@both_ways
@each_kind
@of_each_kind
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_plan_repeats_all_that_a_layer_computes(way, kind, data, seed):
    """A layer does no arithmetic outside of kernels, because a plan could not repeat it."""
    layer = data.draw(own_layers([kind]))
    passes, others = Passes(Case(layer, 5, seed)), Passes(Case(layer, 5, seed + 1))
    with way(), Workspace().step(), recording() as notes:
        arrays = passes()
    others.rng = copy.deepcopy(passes.rng)
    for name in ("x", "u", "dy", "dv"):
        getattr(passes.case, name)[...] = getattr(others.case, name)
    passes.case.block.restore(others.case.block.snapshot())
    passes.labels[...] = others.labels
    with way():
        Plan(notes, 1).run()
        expected = others.copies()
    for x, y in zip([*arrays, passes.gradient.vector], expected, strict=True):
        assert np.array_equal(x, y)


@needs_loops
@pytest.mark.parametrize(
    "layer",
    [
        Dense(64, 64),
        Tied(Dense(64, 64)),
        ReLU(),
        LayerNorm(64),
        Dropout(0.2),
        GaussianNoise(0.1),
        Reshape((8, 8)),
        Residual(Dense(64, 64)),
        Network((64,), Dense(64, 64), Dropout(0.2), Residual(Network((64,), Dense(64, 64)))),
    ],
    ids=str,
)
def test_in_a_workspace_a_second_pass_takes_no_new_memory(layer):
    networks = {"of": layer.of} if isinstance(layer, Tied) else {}
    block, workspace = Block(Layout(it=layer, **networks), rng=0), Workspace()
    rng, x = np.random.default_rng(0), np.ones((512, 64), np.float32)
    gradient, tape = block.zeros_like(), Tape()
    for step in range(3):
        if step == 2:
            tracemalloc.start()
        with by_loops(), workspace.step():
            tape.begin(training=True, rng=rng)
            y = layer.forward(block.views.it, x, tape)
            layer.backward(block.views.it, y, tape, gradient.views.it)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 2  # less than any array of the batch

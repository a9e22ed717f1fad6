"""Blocks, tapes, networks and descriptions, and where the arrays lie that layers give."""

import copy
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import Case, kinds, of_each_kind

from scratchgen.gradcheck.strategies import own_layers
from scratchgen.ground import errors
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.nn import (
    Block,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Layer,
    LayerNorm,
    Layout,
    Network,
    ReLU,
    Reshape,
    Residual,
    Tape,
    Tied,
    build,
    describe,
    parameter_count,
)

needs_loops = pytest.mark.skipif(not compiles(), reason="there are no loops: no numba, or JIT=0")
both_ways = pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_loops), by_formulas])
each_kind = pytest.mark.parametrize("kind", kinds)


def test_views_are_windows_into_one_vector():
    block = Block(Layout(a=Network((3,), Dense(3, 2), ReLU()), b=Network((2,), Dense(2, 1))), rng=0)
    assert block.vector.shape == (16 + 2 * 1 + 1,)  # a has 8 numbers, and 8 zeros after it
    block.vector[:] = np.arange(19)
    assert block.views.a[0].w.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert block.views.a[0].b.tolist() == [6, 7]
    assert block.views.b[0].b.tolist() == [18]
    block.views.b[0].w[0, 0] = 99
    assert block.vector[16] == 99


def test_a_layer_used_twice_has_one_set_of_parameters():
    twice = Dense(2, 2)
    network = Network((2,), twice, Network((2,), ReLU(), twice))
    block = Block(Layout(it=network), rng=0)
    assert block.vector.size == parameter_count(network) == 6
    assert block.views.it[0] is block.views.it[1][1]


def test_entries_are_named_by_their_path():
    network = Network((2,), Dense(2, 3), Network((3,), ReLU(), Dense(3, 1)))
    names = [entry.name for entry in Layout(encoder=network).entries]
    assert names == ["encoder.0.w", "encoder.0.b", "encoder.1.1.w", "encoder.1.1.b"]


def test_a_snapshot_can_be_restored():
    block = Block(Layout(it=Dense(2, 2)), rng=0)
    snapshot, before = block.snapshot(), block.vector.copy()
    block.vector[:] = np.nan
    assert not block.is_finite()
    block.restore(snapshot)
    assert np.array_equal(block.vector, before)


def test_state_is_kept_apart_from_what_is_trained():
    class Counter(Layer):
        def state(self):
            return {"seen": ((2,), 5.0)}

    block = Block(Layout(it=Network((2,), Dense(2, 2), Counter())), rng=0)
    assert block.vector.size == 6
    assert block.views.it[1].seen.tolist() == [5, 5]
    assert not hasattr(block.zeros_like().views.it[1], "seen")


def test_begin_forgets_notes():
    tape = Tape().begin(training=True)
    tape.x = 1
    tape.begin(training=False)
    assert tape.training is False
    with pytest.raises(errors.TapeError, match=r"holds no 'x'.*begin\(x=\.\.\.\)"):
        _ = tape.x


def test_a_tape_given_nothing_by_that_name_says_how_to_give_it():
    with pytest.raises(errors.TapeError, match=r"tape\.begin\(rng=\.\.\.\)"):
        _ = Tape().begin(training=True).rng


def test_inner_tapes_are_given_what_the_outer_is_given():
    tape = Tape().begin(training=True, rng=3)
    inner = tape.inner("encoder").inner(0)
    assert (inner.training, inner.rng) == (True, 3)
    tape.begin(training=False)
    assert inner.training is False


def test_a_network_is_checked_when_it_is_built():
    with pytest.raises(errors.ShapeError, match=r"put Flatten\(\) before it"):
        Network((28, 28, 1), Dense(784, 10))
    with pytest.raises(errors.KindError, match="wants a layer, such as"):
        Network((784,), "dense")
    with pytest.raises(errors.ShapeError, match=r"wants \(784,\)"):
        Network((784,), Dense(784, 10)).out_shape((28, 28))


def test_a_description_builds_the_same_network_again():
    twice = Dense(4, 4, "he_normal")
    inner = Network((4,), ReLU(), twice)
    network = Network((2, 2), Flatten(), twice, inner, inner, Reshape((2, 2)))
    again = build(describe(network))
    assert describe(again) == describe(network)
    assert again.layers[1] is again.layers[2].layers[1]
    assert again.layers[2] is again.layers[3]
    assert parameter_count(again) == parameter_count(network) == 20


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {"layer": "Conv"},
        {"layer": ["Dense"]},
        {"layer": "Dense", "n_in": 3},
        {"layer": "Dense", "n_in": 3, "n_out": 2, "weights": "zeros", "bias": None, "more": 1},
        {"layer": "Dense", "n_in": "3", "n_out": 2, "weights": "zeros", "bias": None},
        {"layer": "Dense", "n_in": 3, "n_out": 2, "weights": {"initialiser": "X"}, "bias": None},
        {"layer": "Network", "in_shape": [3], "layers": 5},
        {"layer": "Network", "in_shape": [3], "layers": [{"again": 0}]},
        {"layer": "Network", "in_shape": [3], "layers": [{"layer": "ReLU"}, {"again": -1}]},
        {"layer": "Tied", "of": {"layer": "ReLU"}, "bias": None},
        {"layer": "Residual", "inner": 3},
        {"again": "0"},
    ],
)
def test_a_bad_description_builds_nothing(bad):
    with pytest.raises((errors.OptionError, errors.KindError)):
        build(bad)


def test_a_layer_that_no_file_can_hold_says_so():
    class Mine(Layer):
        pass

    with pytest.raises(errors.OptionError, match=r"add the class to scratchgen\.nn\.LAYERS"):
        describe(Mine())


class OneOfTwo(Layer):
    """Passes through one of its layers only: what the other had learnt must not stay."""

    def __init__(self, *layers):
        self.layers, self.chosen = layers, 0

    def children(self):
        return self.layers

    def forward(self, p, x, tape):
        return self.layers[self.chosen].forward(p[self.chosen], x, tape)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        k = self.chosen
        return self.layers[k].backward(p[k], dy, tape, g[k], need_dx)


def test_a_cleared_gradient_keeps_nothing_of_the_pass_before():
    shared = Dense(2, 2)
    either = OneOfTwo(Dense(2, 2), Dense(2, 2))
    network = Network((2,), Dense(2, 2), shared, either, LayerNorm(2), shared, Tied(shared))
    block, x = Block(Layout(it=network), rng=0), np.ones((3, 2), np.float32)
    dy, gradient, fresh = np.eye(3, 2, dtype=np.float32), block.zeros_like(), block.zeros_like()
    for either.chosen in (0, 1):
        tape = Tape().begin()
        network.forward(block.views.it, x, tape)
        gradient.clear()
        network.backward(block.views.it, dy, tape, gradient.views.it)
    network.backward(block.views.it, dy, tape, fresh.views.it)
    assert np.array_equal(gradient.vector, fresh.vector)
    network.backward(block.views.it, dy, tape, gradient.views.it)  # cleared once, added to twice
    np.testing.assert_allclose(gradient.vector, 2 * fresh.vector, rtol=1e-5)


# Where arrays lie.


class Turn:
    """A case's pass there and back, and so of its tangents, where its layer has them."""

    def __init__(self, case: Case) -> None:
        self.case, self.tape, self.gradient = case, Tape(), case.block.zeros_like()
        self.rng, self.labels = np.random.default_rng(5), np.array(case.labels)

    def __call__(self) -> list[np.ndarray]:
        """What the verbs give."""
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

    def numbers(self) -> list[np.ndarray]:
        """Copies of what the verbs give, and of the gradient."""
        return [x.copy() for x in (*self(), self.gradient.vector)]


@both_ways
@each_kind
@of_each_kind
@given(data=st.data(), n=st.sampled_from([1, 5, 70]), seed=st.integers(0, 2**32))
def test_what_is_in_memory_before_a_pass_does_not_matter(way, kind, data, n, seed):
    layer = data.draw(own_layers([kind]))
    with way():
        wanted = Turn(Case(layer, n, seed)).numbers()
        one = Turn(Case(layer, n, seed))
        with Workspace(fills=True, guards=True).step():
            found = one.numbers()
        one = Turn(Case(layer, n, seed))
        with Workspace(fills=True, guards=True).step(), recording():
            recorded = one.numbers()
    for x, y, z in zip(wanted, found, recorded, strict=True):
        assert np.array_equal(x, y)
        assert np.array_equal(x, z)


@both_ways
@each_kind
@of_each_kind
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_in_a_workspace_a_pass_has_its_arrays_where_the_one_before_had_them(way, kind, data, seed):
    one, workspace, places = Turn(Case(data.draw(own_layers([kind])), 5, seed)), Workspace(), []
    given_to_it = [one.case.x, one.case.u, one.case.dy, one.case.dv]  # and may be given on
    for _ in range(2):
        with way(), workspace.step(), recording():
            arrays = one()
        for x in arrays:
            assert workspace.holds(x) or any(np.shares_memory(x, other) for other in given_to_it)
        places.append([x.ctypes.data for x in arrays])
    assert places[0] == places[1]


@both_ways
@each_kind
@of_each_kind
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_all_that_a_layer_computes_is_done_again_by_a_plan(way, kind, data, seed):
    """No arithmetic is between its kernels, where no plan would know of it."""
    layer = data.draw(own_layers([kind]))
    one, others = Turn(Case(layer, 5, seed)), Turn(Case(layer, 5, seed + 1))
    with way(), Workspace().step(), recording() as notes:
        arrays = one()
    others.rng = copy.deepcopy(one.rng)
    for name in ("x", "u", "dy", "dv"):
        getattr(one.case, name)[...] = getattr(others.case, name)
    one.case.block.restore(others.case.block.snapshot())
    one.labels[...] = others.labels
    with way():
        Plan(notes, 1).run()
        wanted = others.numbers()
    for x, y in zip([*arrays, one.gradient.vector], wanted, strict=True):
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
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < x.nbytes / 2  # not one array of the batch

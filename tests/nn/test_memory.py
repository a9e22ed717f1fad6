"""Blocks, tapes, networks and descriptions."""

import numpy as np
import pytest

from scratchgen import errors
from scratchgen.nn import (
    Block,
    Dense,
    Flatten,
    Layer,
    LayerNorm,
    Layout,
    Network,
    ReLU,
    Reshape,
    Tape,
    Tied,
    build,
    describe,
    parameter_count,
)


def test_views_are_windows_into_one_vector():
    block = Block(Layout(a=Network((3,), Dense(3, 2), ReLU()), b=Network((2,), Dense(2, 1))), rng=0)
    assert block.vector.shape == (3 * 2 + 2 + 2 * 1 + 1,)
    block.vector[:] = np.arange(11)
    assert block.views.a[0].w.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert block.views.b[0].b.tolist() == [10]
    block.views.b[0].w[0, 0] = 99
    assert block.vector[8] == 99


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


def test_begin_forgets_notes_and_keeps_arrays():
    tape = Tape().begin(training=True)
    tape.x = 1
    first = tape.array("y", (4, 2), np.float32)
    tape.begin(training=False)
    assert tape.training is False
    with pytest.raises(errors.TapeError, match=r"holds no 'x'.*begin\(x=\.\.\.\)"):
        _ = tape.x
    assert np.shares_memory(first, tape.array("y", (3, 2), np.float32))
    assert not np.shares_memory(first, tape.array("y", (4, 2), np.float64))


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
    layout = Layout(it=network)
    block, x, dy = Block(layout, rng=0), np.ones((3, 2), np.float32), np.eye(3, 2, dtype=np.float32)
    assert list(layout.once) == [network.layers[0]]
    gradient, fresh = block.zeros_like(), block.zeros_like()
    for either.chosen in (0, 1):
        tape = Tape().begin()
        network.forward(block.views.it, x, tape)
        gradient.clear()
        network.backward(block.views.it, dy, tape, gradient.opened().it)
    network.backward(block.views.it, dy, tape, fresh.views.it)
    assert np.array_equal(gradient.vector, fresh.vector)
    network.backward(block.views.it, dy, tape, gradient.opened().it)  # cleared once, opened twice
    np.testing.assert_allclose(gradient.vector, 2 * fresh.vector, rtol=1e-5)

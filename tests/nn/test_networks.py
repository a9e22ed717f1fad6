"""Blocks, tapes and networks, and the descriptions from which networks are built again."""

import numpy as np
import pytest

from scratchgen.ground import errors
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


def test_views_share_the_memory_of_one_vector():
    block = Block(Layout(a=Network((3,), Dense(3, 2), ReLU()), b=Network((2,), Dense(2, 1))), rng=0)
    assert block.vector.shape == (16 + 2 * 1 + 1,)  # a has 8 numbers, and 8 zeros after it
    block.vector[:] = np.arange(19)
    assert block.views.a[0].w.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert block.views.a[0].b.tolist() == [6, 7]
    assert block.views.b[0].b.tolist() == [18]
    block.views.b[0].w[0, 0] = 99
    assert block.vector[16] == 99


def test_a_layer_used_twice_has_one_set_of_parameters():
    shared = Dense(2, 2)
    network = Network((2,), shared, Network((2,), ReLU(), shared))
    block = Block(Layout(it=network), rng=0)
    assert block.vector.size == parameter_count(network) == 6
    assert block.views.it[0] is block.views.it[1][1]


def test_entries_are_named_after_their_path():
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


def test_state_is_no_part_of_the_trained_vector():
    class Counter(Layer):
        def state(self):
            return {"seen": ((2,), 5.0)}

    block = Block(Layout(it=Network((2,), Dense(2, 2), Counter())), rng=0)
    assert block.vector.size == 6
    assert block.views.it[1].seen.tolist() == [5, 5]
    assert not hasattr(block.zeros_like().views.it[1], "seen")


def test_begin_clears_the_notes_of_a_tape():
    tape = Tape().begin(training=True)
    tape.x = 1
    tape.begin(training=False)
    assert tape.training is False
    with pytest.raises(errors.TapeError, match=r"holds no 'x'.*begin\(x=\.\.\.\)"):
        _ = tape.x


def test_a_tape_without_a_value_says_how_to_give_it():
    with pytest.raises(errors.TapeError, match=r"tape\.begin\(rng=\.\.\.\)"):
        _ = Tape().begin(training=True).rng


def test_inner_tapes_have_the_values_of_the_outer_tape():
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
    shared = Dense(4, 4, "he_normal")
    inner = Network((4,), ReLU(), shared)
    network = Network((2, 2), Flatten(), shared, inner, inner, Reshape((2, 2)))
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
def test_a_bad_description_is_refused(bad):
    with pytest.raises((errors.OptionError, errors.KindError)):
        build(bad)


def test_a_layer_of_an_unregistered_class_cannot_be_described():
    class Unregistered(Layer):
        pass

    with pytest.raises(errors.OptionError, match=r"add the class to scratchgen\.nn\.LAYERS"):
        describe(Unregistered())


class Switch(Layer):
    """It runs only the chosen layer, so the gradient of the other must be cleared by others."""

    def __init__(self, *layers):
        self.layers, self.chosen = layers, 0

    def children(self):
        return self.layers

    def forward(self, p, x, tape):
        return self.layers[self.chosen].forward(p[self.chosen], x, tape)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        k = self.chosen
        return self.layers[k].backward(p[k], dy, tape, g[k], need_dx)


def test_a_cleared_gradient_keeps_nothing_of_the_last_pass():
    shared = Dense(2, 2)
    switch = Switch(Dense(2, 2), Dense(2, 2))
    network = Network((2,), Dense(2, 2), shared, switch, LayerNorm(2), shared, Tied(shared))
    block, x = Block(Layout(it=network), rng=0), np.ones((3, 2), np.float32)
    dy, gradient, fresh = np.eye(3, 2, dtype=np.float32), block.zeros_like(), block.zeros_like()
    for switch.chosen in (0, 1):
        tape = Tape().begin()
        network.forward(block.views.it, x, tape)
        gradient.clear()
        network.backward(block.views.it, dy, tape, gradient.views.it)
    network.backward(block.views.it, dy, tape, fresh.views.it)
    assert np.array_equal(gradient.vector, fresh.vector)
    network.backward(block.views.it, dy, tape, gradient.views.it)  # a second pass adds
    np.testing.assert_allclose(gradient.vector, 2 * fresh.vector, rtol=1e-5)

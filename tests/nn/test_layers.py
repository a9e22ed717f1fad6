"""Every layer keeps the contract of layers, and refuses what does not fit."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import Case, examples, in_training, kinds, layers, of_each_kind, passes, seeds

from scratchgen.gradcheck import check
from scratchgen.gradcheck.library.points import layer_layout
from scratchgen.gradcheck.strategies import layer_cases, own_layers
from scratchgen.ground import errors
from scratchgen.nn import (
    ELU,
    BatchNorm,
    Block,
    Dense,
    Dropout,
    Flatten,
    JoinLabels,
    JoinParameters,
    Layer,
    LayerNorm,
    Layout,
    LeakyReLU,
    Maxout,
    Network,
    ReLU,
    Reshape,
    Residual,
    Tanh,
    Tape,
)

each_kind = pytest.mark.parametrize("kind", kinds)


@each_kind
@of_each_kind
@given(data=st.data())
def test_backward_is_the_derivative_of_forward(kind, data):
    """The checker also tries training and evaluation, all memory layouts, and small x."""
    case = data.draw(layer_cases(own_layers([kind]), scales=(1.0, 1e-3)))
    passes(check(case))


@each_kind
@of_each_kind
@given(data=st.data(), n=examples, seed=seeds)
def test_gradients_add_to_what_the_array_held(kind, data, n, seed):
    case = Case(data.draw(own_layers([kind])), n, seed)
    _, alone = case.gradients()
    _, onto_ones = case.gradients(before=1)
    np.testing.assert_allclose(onto_ones, alone + 1, rtol=1e-12, atol=1e-12)


@each_kind
@of_each_kind
@given(data=st.data(), seed=seeds)
def test_a_short_batch_on_a_used_tape_gives_what_a_fresh_tape_gives(kind, data, seed):
    layer = data.draw(own_layers([kind]))
    long, short = Case(layer, 5, seed), Case(layer, 2, seed + 1)
    tape = Tape()
    long.gradients(tape)
    for used, fresh in zip(short.gradients(tape), short.gradients(), strict=True):
        assert np.array_equal(used, fresh)


@each_kind
@of_each_kind
@given(data=st.data(), n=examples, seed=seeds)
def test_backward_without_dx_returns_none_and_gives_the_same_parameter_gradients(
    kind, data, n, seed
):
    case = Case(data.draw(own_layers([kind])), n, seed)
    _, expected = case.gradients()
    dx, vector = case.gradients(need_dx=False)
    assert dx is None
    assert np.array_equal(vector, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(layer=layers, n=examples, seed=seeds, training=in_training)
def test_layers_keep_the_dtype_of_their_input_and_parameters(dtype, layer, n, seed, training):
    layer, shape = layer
    block = Block(layer_layout(layer), dtype, rng=seed)
    x = np.random.default_rng(seed).standard_normal((n, *shape), dtype=dtype)
    tape = Tape().begin(training=training, rng=np.random.default_rng(0), labels=[0] * n)
    y = layer.forward(block.views.it, x, tape)
    dx = layer.backward(block.views.it, y, tape, block.zeros_like().views.it)
    assert y.dtype == dx.dtype == dtype


@given(layers, in_training)
def test_a_batch_without_examples_passes_through(layer, training):
    layer, shape = layer
    block, tape = Block(layer_layout(layer), rng=0), Tape()
    tape.begin(training=training, rng=np.random.default_rng(0), labels=np.zeros(0, int))
    y = layer.forward(block.views.it, np.zeros((0, *shape), np.float32), tape)
    assert y.shape == (0, *layer.out_shape(shape))


def test_backward_without_forward_names_the_missing_call():
    layers = (Dense(3, 2), ReLU(), Tanh(), Flatten(), LayerNorm(3), Maxout(3), Dropout(0.1))
    for layer, shape in ((layer, (3,)) for layer in layers):
        block = Block(Layout(it=layer), rng=0)
        x, tape = np.ones((4, *shape), np.float32), Tape().begin()
        dy = layer.forward(block.views.it, x, tape)
        layer.backward(block.views.it, dy, tape)
        tape.begin()
        with pytest.raises(errors.TapeError, match="run forward on it first"):
            layer.backward(block.views.it, dy, tape)


def test_the_slope_at_a_kink_is_the_one_to_the_left():
    for layer, slope in ((ReLU(), 0.0), (LeakyReLU(0.3), 0.3)):
        tape = Tape().begin()
        layer.forward(None, np.zeros((1, 1)), tape)
        assert layer.backward(None, np.ones((1, 1)), tape)[0, 0] == slope


def test_a_layer_that_does_not_fit_its_input_says_what_to_do():
    with pytest.raises(errors.ShapeError, match=r"wants \(N, 784\): put Flatten\(\) before it"):
        Dense(784, 256).out_shape((28, 28))
    with pytest.raises(errors.ShapeError, match=r"got x of shape \(64, 28, 28\)"):
        Dense(784, 256).forward(None, np.zeros((64, 28, 28)), Tape().begin())
    with pytest.raises(errors.ShapeError, match="Dense\\(5, 256\\) would take it"):
        Dense(784, 256).out_shape((5,))
    with pytest.raises(errors.ShapeError, match="12 numbers, wants 10"):
        Reshape((5, 2)).out_shape((3, 4))


@pytest.mark.parametrize("bad", [0, -1, 2.5, "3", True, None])
def test_sizes_must_be_whole_numbers_of_at_least_one(bad):
    with pytest.raises(errors.OptionError, match="whole number of at least 1"):
        Dense(bad, 2)
    with pytest.raises(errors.OptionError, match="whole numbers of at least 1"):
        Reshape((2, bad))


def test_layers_are_settings_that_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dense(2, 3).n_in = 4


def test_a_layer_without_rng_or_labels_says_how_to_give_them():
    tape = Tape().begin(training=True)
    with pytest.raises(errors.TapeError, match=r"no rng, and Dropout\(0.5\).*rng=rng"):
        Dropout(0.5).forward(None, np.ones((2, 3)), tape)
    joined = JoinLabels(3, 2)
    p = Block(Layout(it=joined), rng=0).views.it
    with pytest.raises(errors.TapeError, match=r"no labels, and JoinLabels.*labels=labels"):
        joined.forward(p, np.ones((2, 3)), tape)


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ([0, 3], errors.DataError),
        ([-1, 0], errors.DataError),
        ([0, 1, 2], errors.ShapeError),
        ([[0], [1]], errors.ShapeError),
        ([0.0, 1.0], errors.KindError),
        (["a", "b"], errors.KindError),
    ],
)
def test_labels_that_fit_neither_the_batch_nor_the_table_are_refused(labels, error):
    joined = JoinLabels(3, 2)
    p = Block(Layout(it=joined), rng=0).views.it
    with pytest.raises(error):
        joined.forward(p, np.ones((2, 4)), Tape().begin(labels=labels))


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Dropout(1.0),
        lambda: Dropout(-0.1),
        lambda: Dropout("some"),
        lambda: BatchNorm(3, keep=1.0),
        lambda: LayerNorm(0),
        lambda: LayerNorm(3, eps=0),
        lambda: Maxout(0),
        lambda: JoinLabels(0, 2),
        lambda: JoinParameters(-1),
        lambda: ELU(float("nan")),
        lambda: Dense(2, 2, weights="he"),
    ],
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(errors.OptionError, match="wants"):
        bad()


def test_a_layer_that_does_not_fit_its_input_names_one_that_would():
    with pytest.raises(errors.ShapeError, match=r"LayerNorm\(5\) would take it"):
        LayerNorm(4).out_shape((5,))
    with pytest.raises(errors.ShapeError, match="a multiple of 3"):
        Maxout(3).out_shape((10,))
    with pytest.raises(errors.ShapeError, match=r"put Flatten\(\) before it"):
        JoinLabels(3, 2).out_shape((2, 2))


@each_kind
@given(st.data())
@of_each_kind
def test_examples_that_forward_would_refuse_are_refused_by_out_shape(kind, data):
    """So that an error in the building of a network names the layer that does not fit."""
    case = Case(data.draw(own_layers([kind])), n=2, seed=0)
    _, *axes, last = case.x.shape
    shape = (*axes, last + 1)
    try:
        case.layer.out_shape(shape)
    except errors.ShapeError:
        return
    tape = Tape().begin(training=True, rng=np.random.default_rng(0), labels=case.labels)
    case.layer.forward(case.p, np.ones((2, *shape)), tape)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16"])
@each_kind
@given(st.data())
@of_each_kind
def test_input_that_is_no_array_of_floats_is_refused_with_advice(kind, dtype, data):
    case = Case(data.draw(own_layers([kind])), n=2, seed=0)
    x, tape = case.x, Tape().begin(training=True, rng=np.random.default_rng(0), labels=case.labels)
    text = rf"got x of shape .*, {dtype}, wants an array of float32 or float64, as its parameters"
    with pytest.raises(errors.KindError, match=text + r" are: .* np\.asarray\(x, 'float32'\)"):
        case.layer.forward(case.p, x.astype(dtype), tape)
    with pytest.raises(errors.KindError, match="wants an array of float32 or float64"):
        case.layer.forward(case.p, x.tolist(), tape)
    assert len(case.layer.forward(case.p, np.asarray(x.tolist(), x.dtype), tape)) == 2


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@each_kind
@given(st.data())
@of_each_kind
def test_masked_arrays_and_matrices_and_single_numbers_are_refused(kind, data):
    case = Case(data.draw(own_layers([kind])), n=2, seed=0)
    x, tape = case.x, Tape().begin(training=True, rng=np.random.default_rng(0), labels=case.labels)
    with pytest.raises(errors.KindError, match="is a masked array: fill or drop"):
        case.layer.forward(case.p, np.ma.masked_array(x, mask=x > 0), tape)
    with pytest.raises(errors.KindError, match=r"got x of type matrix, .* np\.asarray\(x, "):
        case.layer.forward(case.p, np.matrix(x.reshape(len(x), -1)), tape)
    with pytest.raises(errors.ShapeError, match=r"got x of shape \(\), .* wants a batch"):
        case.layer.forward(case.p, np.array(1, x.dtype), tape)


class Halving(Layer):
    """A user's layer, which returns lists, or float64 in the same memory in every pass."""

    def __init__(self, returns_lists):
        self.returns_lists, self.memory = returns_lists, np.empty((4, 3))

    def forward(self, p, x, tape):
        self.memory[:] = x / 2
        return self.memory.tolist() if self.returns_lists else self.memory

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self.forward(p, dy, tape)

    def tangent(self, p, u, tape):
        return self.forward(p, u, tape)

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return SimpleNamespace(x=(dy / 2).tolist(), u=self.forward(p, dv, tape))


@pytest.mark.parametrize("returns_lists", [True, False])
@pytest.mark.parametrize("around", [Network, Residual])
def test_results_of_a_users_layer_are_copied_into_arrays_of_the_right_dtype(around, returns_lists):
    inner = Halving(returns_lists)
    network = Network((3,), inner) if around is Network else Residual(inner)
    p = Block(Layout(it=network), rng=0).views.it
    x, factor = np.arange(12, dtype="float32").reshape(4, 3), 0.5 if around is Network else 1.5
    tapes = Tape(), Tape()
    first, second = (network.forward(p, scale * x, tapes[scale - 1].begin()) for scale in (1, 2))
    dx = network.backward(p, x, tapes[0])
    v = network.tangent(p, x, tapes[0])
    d = network.tangent_backward(p, x, 2 * x, tapes[0])
    assert np.array_equal(second, 2 * factor * x)
    for array in (first, dx, v, d.x, d.u / 2):
        assert array.dtype == np.float32
        assert np.array_equal(array, factor * x)


@pytest.mark.parametrize("around", [Network, Residual])
def test_the_error_about_a_wrong_result_names_the_users_layer_and_the_shape(around):
    inner = Halving(returns_lists=True)
    inner.forward = lambda p, x, tape: x[:, :1].tolist()
    network = Network((3,), inner) if around is Network else Residual(inner)
    p, x = Block(Layout(it=network), rng=0).views.it, np.ones((4, 3), np.float32)
    message = r"^Halving\(\)\.forward gave y of shape \(4, 1\), float32, wants shape \(4, 3\)$"
    with pytest.raises(errors.ShapeError, match=message):
        network.forward(p, x, Tape().begin())
    inner.forward = lambda p, x, tape: None
    with pytest.raises(errors.ShapeError, match=r"gave no y, wants shape \(4, 3\)"):
        network.forward(p, x, Tape().begin())
    inner.forward = lambda p, x, tape: x.astype(str)
    with pytest.raises(errors.KindError, match=r"^y of Halving\(\)\.forward is of dtype <U32"):
        network.forward(p, x, Tape().begin())

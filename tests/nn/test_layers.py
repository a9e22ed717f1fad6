"""Every layer: its gradients by the checker, the contract, and what layers compute."""

import dataclasses
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import Case, examples, in_training, kinds, layers, of_each_kind, passes, seeds

from scratchgen.gradcheck import check
from scratchgen.gradcheck.library.points import layer_layout, signed
from scratchgen.gradcheck.strategies import layer_cases, own_layers
from scratchgen.ground import errors
from scratchgen.nn import (
    ELU,
    GELU,
    BatchNorm,
    Block,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
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
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    Tape,
    Tied,
    build,
    describe,
)

each_kind = pytest.mark.parametrize("kind", kinds)


def begin(tape: Tape) -> Tape:
    """A pass in training, its randomness the same every time."""
    return tape.begin(training=True, rng=np.random.default_rng(5))


@each_kind
@of_each_kind
@given(data=st.data())
def test_backward_is_the_derivative_of_forward(kind, data):
    """And it keeps all contracts of the checker: in either mode, any layout, small x or not."""
    case = data.draw(layer_cases(own_layers([kind]), scales=(1.0, 1e-3)))
    passes(check(case))


@each_kind
@of_each_kind
@given(data=st.data(), n=examples, seed=seeds)
def test_gradients_add_to_what_is_there(kind, data, n, seed):
    case = Case(data.draw(own_layers([kind])), n, seed)
    _, once = case.gradients()
    _, onto_ones = case.gradients(before=1)
    np.testing.assert_allclose(onto_ones, once + 1, rtol=1e-12, atol=1e-12)


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
def test_backward_without_need_of_dx_gives_none_and_the_same_parameter_gradients(
    kind, data, n, seed
):
    case = Case(data.draw(own_layers([kind])), n, seed)
    _, wanted = case.gradients()
    dx, vector = case.gradients(need_dx=False)
    assert dx is None
    assert np.array_equal(vector, wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(layer=layers, n=examples, seed=seeds, training=in_training)
def test_every_array_has_the_dtype_that_was_asked_for(dtype, layer, n, seed, training):
    layer, shape = layer
    block = Block(layer_layout(layer), dtype, rng=seed)
    x = np.random.default_rng(seed).standard_normal((n, *shape), dtype=dtype)
    tape = Tape().begin(training=training, rng=np.random.default_rng(0), labels=[0] * n)
    y = layer.forward(block.views.it, x, tape)
    dx = layer.backward(block.views.it, y, tape, block.zeros_like().views.it)
    assert y.dtype == dx.dtype == dtype


@given(layers, in_training)
def test_a_batch_of_no_examples_passes_through(layer, training):
    layer, shape = layer
    block, tape = Block(layer_layout(layer), rng=0), Tape()
    tape.begin(training=training, rng=np.random.default_rng(0), labels=np.zeros(0, int))
    y = layer.forward(block.views.it, np.zeros((0, *shape), np.float32), tape)
    assert y.shape == (0, *layer.out_shape(shape))


def test_backward_without_forward_names_the_call_that_is_missing():
    layers = (Dense(3, 2), ReLU(), Tanh(), Flatten(), LayerNorm(3), Maxout(3), Dropout(0.1))
    for layer, shape in ((layer, (3,)) for layer in layers):
        block = Block(Layout(it=layer), rng=0)
        x, tape = np.ones((4, *shape), np.float32), Tape().begin()
        dy = layer.forward(block.views.it, x, tape)
        layer.backward(block.views.it, dy, tape)
        tape.begin()
        with pytest.raises(errors.TapeError, match="run forward on it first"):
            layer.backward(block.views.it, dy, tape)


def test_dense_at_a_hand_computed_number():
    block = Block(Layout(it=Dense(2, 1)), np.float64, rng=0)
    block.views.it.w[:], block.views.it.b[:] = [[2.0], [3.0]], [0.5]
    tape, gradient = Tape().begin(), block.zeros_like()
    x = np.array([[1.0, 10.0], [0.0, 1.0]])
    y = Dense(2, 1).forward(block.views.it, x, tape)
    assert y.tolist() == [[32.5], [3.5]]
    dx = Dense(2, 1).backward(block.views.it, np.array([[1.0], [2.0]]), tape, gradient.views.it)
    assert dx.tolist() == [[2.0, 3.0], [4.0, 6.0]]
    assert gradient.vector.tolist() == [1.0, 12.0, 3.0]


def test_activations_at_hand_computed_numbers():
    x = np.array([[-2.0, 0.0, 3.0]])
    assert ReLU().forward(None, x, Tape().begin()).tolist() == [[0, 0, 3]]
    assert LeakyReLU(0.1).forward(None, x, Tape().begin()).tolist() == [[-0.2, 0, 3]]
    assert Sigmoid().forward(None, np.log([[3.0]]), Tape().begin())[0, 0] == pytest.approx(0.75)
    assert Tanh().forward(None, np.log([[2.0]]), Tape().begin())[0, 0] == pytest.approx(0.6)


def test_the_slope_at_a_kink_is_the_one_to_the_left():
    for layer, slope in ((ReLU(), 0.0), (LeakyReLU(0.3), 0.3)):
        tape = Tape().begin()
        layer.forward(None, np.zeros((1, 1)), tape)
        assert layer.backward(None, np.ones((1, 1)), tape)[0, 0] == slope


def test_gaussian_noise_has_its_spread_in_training_and_is_absent_in_evaluation():
    x = np.full((400, 500), 3.0)
    y = GaussianNoise(0.5).forward(None, x, begin(Tape()))
    assert y.mean() == pytest.approx(3, abs=0.01)
    assert y.std() == pytest.approx(0.5, rel=0.01)
    assert np.array_equal(GaussianNoise(0.5).forward(None, x, Tape().begin()), x)
    with pytest.raises(errors.TapeError, match="rng"):
        GaussianNoise(0.5).forward(None, x, Tape().begin(training=True))


def test_sigmoid_and_its_slope_are_finite_and_right_far_out():
    tape = Tape().begin()
    y = Sigmoid().forward(None, np.array([[-800.0, -30.0, 30.0, 800.0]]), tape)
    np.testing.assert_allclose(y, [[0, np.exp(-30.0), 1, 1]], rtol=1e-12)
    assert np.isfinite(Sigmoid().backward(None, np.ones((1, 4)), tape)).all()


def test_a_layer_that_does_not_fit_says_what_to_do():
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


def outputs(layer, x, **given):
    """The output of a layer without parameters."""
    return layer.forward(None, np.asarray(x, float), Tape().begin(**given))


def test_smooth_activations_at_published_numbers():
    phi = 0.8413447460685429  # the normal distribution at 1
    assert outputs(GELU(), [[1.0, -1.0]])[0] == pytest.approx([phi, phi - 1], rel=1e-14)
    assert outputs(SiLU(), np.log([[3.0]]))[0, 0] == pytest.approx(0.75 * math.log(3))
    assert outputs(Softplus(), np.log([[3.0]]))[0, 0] == pytest.approx(math.log(4))
    assert outputs(ELU(2.0), [[math.log(0.5), 3.0]])[0].tolist() == pytest.approx([-1, 3])


def test_activations_are_finite_and_without_warning_far_out():
    x = np.array([[-1e30, -800.0, 0.0, 800.0, 1e30]])
    for dtype in (np.float32, np.float64):
        for layer in (ELU(), Softplus(), SiLU(), GELU(), Tanh(), Sigmoid(), LayerNorm(5)):
            block, tape = Block(Layout(it=layer), dtype, 0), Tape().begin()
            scaled = x.astype(dtype) if not isinstance(layer, LayerNorm) else x.astype(dtype) / 1e20
            y = layer.forward(block.views.it, scaled, tape)
            dx = layer.backward(block.views.it, np.ones_like(y), tape)
            assert np.isfinite(y).all(), layer
            assert np.isfinite(dx).all(), layer


def test_maxout_takes_the_largest_of_neighbours_and_sends_the_gradient_there():
    tape = Tape().begin()
    y = Maxout(2).forward(None, np.array([[1.0, 5.0, -3.0, -4.0]]), tape)
    assert y.tolist() == [[5, -3]]
    assert Maxout(2).backward(None, np.array([[10.0, 20.0]]), tape).tolist() == [[0, 10, 20, 0]]


def test_dropout_drops_its_share_keeps_the_mean_and_is_absent_in_evaluation():
    x = np.full((400, 500), 2.0)
    y = outputs(Dropout(0.3), x, training=True, rng=np.random.default_rng(0))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.005)
    assert np.unique(y) == pytest.approx([0, 2 / 0.7])
    assert y.mean() == pytest.approx(2, rel=0.01)
    assert np.array_equal(outputs(Dropout(0.3), x), x)


def test_dropout_draws_a_new_mask_in_each_pass_and_keeps_it_for_its_backward():
    tape, rng, x = Tape(), np.random.default_rng(0), np.ones((20, 20))
    masks = []
    for _ in range(2):
        masks.append(Dropout(0.5).forward(None, x, tape.begin(training=True, rng=rng)).copy())
        assert np.array_equal(masks[-1], Dropout(0.5).backward(None, x, tape))
    assert not np.array_equal(*masks)


def test_a_layer_without_what_it_needs_says_what_and_how_to_give_it():
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


def test_a_label_that_comes_twice_adds_its_gradient_twice():
    joined = JoinLabels(3, 1)
    block = Block(Layout(it=joined), np.float64, 0)
    tape, gradient = Tape().begin(labels=[2, 2, 0]), block.zeros_like()
    y = joined.forward(block.views.it, np.zeros((3, 1)), tape)
    assert np.array_equal(y[:, 1:], block.views.it.table[[2, 2, 0]])
    joined.backward(
        block.views.it, np.array([[0, 1.0], [0, 10.0], [0, 100.0]]), tape, gradient.views.it
    )
    assert gradient.vector.tolist() == [100, 0, 11]


def test_layer_norm_gives_each_example_mean_zero_and_spread_one_by_itself():
    x = np.random.default_rng(0).standard_normal((5, 200)) * 3 + 7
    layer = LayerNorm(200)
    p = Block(Layout(it=layer), np.float64, 0).views.it
    y = layer.forward(p, x, Tape().begin(training=True))
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(y[:1], layer.forward(p, x[:1], Tape().begin()))


def trained_batch_norm(batches, keep=0.9):
    """A BatchNorm that has settled on each of the batches."""
    layer = BatchNorm(batches[0].shape[-1], keep=keep)
    block, tape = Block(Layout(it=layer), np.float64, 0), Tape()
    for x in batches:
        layer.forward(block.views.it, x, tape.begin(training=True))
        layer.settle(block.views.it, tape)
    return layer, block


def test_batch_norm_gives_each_feature_mean_zero_and_spread_one_over_the_batch():
    x = np.random.default_rng(0).standard_normal((300, 2)) * [3, 0.1] + [7, -2]
    layer = BatchNorm(2)
    p = Block(Layout(it=layer), np.float64, 0).views.it
    y = layer.forward(p, x, Tape().begin(training=True))
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-2)


def test_batch_norm_in_evaluation_uses_the_running_mean_and_variance():
    rng = np.random.default_rng(0)
    layer, block = trained_batch_norm([rng.standard_normal((500, 3)) * 2 + 5 for _ in range(80)])
    assert block.views.it.mean == pytest.approx([5, 5, 5], abs=0.1)
    assert block.views.it.var == pytest.approx([4, 4, 4], rel=0.1)
    y = layer.forward(block.views.it, np.full((1, 3), 7.0), Tape().begin())
    assert y[0] == pytest.approx([1, 1, 1], abs=0.1)  # (7 - 5) / 2


def test_keep_is_the_share_of_the_old_statistics_that_stays():
    _, block = trained_batch_norm([np.array([[0.0], [8.0]])], keep=0.75)
    assert block.views.it.mean == pytest.approx(0.25 * 4)
    assert block.views.it.var == pytest.approx(0.75 * 1 + 0.25 * 16)


def test_only_settle_writes_the_state_and_not_in_evaluation():
    layer, block = trained_batch_norm([np.ones((4, 2))])
    before, tape, x = block.state.copy(), Tape(), np.random.default_rng(0).standard_normal((4, 2))
    layer.forward(block.views.it, x, tape.begin(training=True))
    assert np.array_equal(before, block.state)
    layer.forward(block.views.it, x, tape.begin(training=False))
    layer.settle(block.views.it, tape)
    assert np.array_equal(before, block.state)


def test_a_batch_of_one_leaves_the_statistics_alone_and_gives_beta():
    layer, block = trained_batch_norm([np.ones((1, 2)) * 50])
    assert block.state.tolist() == [0, 0, 1, 1]
    block.views.it.beta[:] = [3, 4]
    y = layer.forward(block.views.it, np.ones((1, 2)) * 50, Tape().begin(training=True))
    assert y.tolist() == [[3, 4]]


def test_a_tied_layer_is_the_transpose_of_the_other_and_learns_with_it():
    dense = Dense(3, 2)
    tied = Tied(dense, bias=None)
    block = Block(Layout(it=Network((3,), dense, tied)), np.float64, 0)
    assert block.vector.size == 3 * 2 + 2
    assert np.shares_memory(block.views.it[1].w, block.views.it[0].w)
    y = tied.forward(block.views.it[1], np.eye(2), Tape().begin())
    assert np.array_equal(y, block.views.it[0].w.T)


def test_a_tied_layer_without_its_other_half_is_refused():
    with pytest.raises(errors.OptionError, match="put that layer object into a network"):
        Block(Layout(it=Network((2,), Tied(Dense(3, 2)))), rng=0)
    with pytest.raises(errors.KindError, match="wants the Dense layer"):
        Tied(ReLU())


def test_a_tied_layer_stays_tied_in_copies_and_descriptions():
    dense = Dense(3, 2)
    network = Network((3,), dense, Tied(dense))
    again = build(describe(network))
    assert again.layers[1].of is again.layers[0]
    block = pickle.loads(pickle.dumps(Block(Layout(it=network), np.float64, 0)))
    block.views.it[0].w[:] = 7
    assert (block.views.it[1].w == 7).all()


def test_a_residual_block_adds_its_input_and_must_keep_the_shape():
    block = Block(Layout(it=Residual(Dense(2, 2))), np.float64, 0)
    block.vector[:] = 0
    x = signed(np.random.default_rng(0), (3, 2))
    y = Residual(Dense(2, 2)).forward(block.views.it, x, Tape().begin())
    assert np.array_equal(y, x)
    with pytest.raises(errors.ShapeError, match=r"end it in \(2,\)"):
        Residual(Dense(2, 3)).out_shape((2,))
    with pytest.raises(errors.KindError, match="wants a layer"):
        Residual(3)


def test_joined_parameters_are_the_same_for_every_example():
    layer = JoinParameters(2)
    block = Block(Layout(it=layer), np.float64, 0)
    block.vector[:] = [5, 6]
    y = layer.forward(block.views.it, np.zeros((3, 1)), Tape().begin())
    assert y.tolist() == [[0, 5, 6]] * 3


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


def test_layers_that_do_not_fit_say_what_would():
    with pytest.raises(errors.ShapeError, match=r"LayerNorm\(5\) would take it"):
        LayerNorm(4).out_shape((5,))
    with pytest.raises(errors.ShapeError, match="a multiple of 3"):
        Maxout(3).out_shape((10,))
    with pytest.raises(errors.ShapeError, match=r"put Flatten\(\) before it"):
        JoinLabels(3, 2).out_shape((2, 2))


def test_what_stands_in_a_residual_block_settles_too():
    network = Network((2,), Residual(Network((2,), BatchNorm(2))))
    block, tape = Block(Layout(it=network), np.float64, 0), Tape()
    network.forward(block.views.it, np.array([[0.0, 0.0], [4.0, 8.0]]), tape.begin(training=True))
    network.settle(block.views.it, tape)
    assert block.views.it[0][0][0].mean == pytest.approx([0.1 * 2, 0.1 * 4])


def test_a_tied_layer_in_front_learns_though_it_has_no_parameters_of_its_own():
    dense = Dense(3, 2)
    network = Network((2,), Tied(dense, bias=None), Tanh(), dense)
    block = Block(Layout(it=network), np.float64, 0)
    x = signed(np.random.default_rng(0), (4, 2))
    vectors = []
    for need_dx in (True, False):
        tape, gradient = Tape().begin(), block.zeros_like()
        y = network.forward(block.views.it, x, tape)
        network.backward(block.views.it, np.ones_like(y), tape, gradient.views.it, need_dx)
        vectors.append(gradient.vector)
    assert np.array_equal(*vectors)


def test_batch_norm_passes_no_examples_in_training_and_learns_nothing_of_them():
    layer, block = trained_batch_norm([np.ones((3, 2))])
    before, tape = block.state.copy(), Tape().begin(training=True)
    assert layer.forward(block.views.it, np.zeros((0, 2)), tape).shape == (0, 2)
    layer.settle(block.views.it, tape)
    assert np.array_equal(before, block.state)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16"])
@each_kind
@given(st.data())
@of_each_kind
def test_what_is_no_array_of_floats_is_refused_with_what_to_do(kind, dtype, data):
    case = Case(data.draw(own_layers([kind])), n=2, seed=0)
    x, tape = case.x, Tape().begin(training=True, rng=np.random.default_rng(0), labels=case.labels)
    words = rf"got x of shape .*, {dtype}, wants an array of float32 or float64, as its parameters"
    with pytest.raises(errors.KindError, match=words + r" are: .* np\.asarray\(x, 'float32'\)"):
        case.layer.forward(case.p, x.astype(dtype), tape)
    with pytest.raises(errors.KindError, match="wants an array of float32 or float64"):
        case.layer.forward(case.p, x.tolist(), tape)
    assert len(case.layer.forward(case.p, np.asarray(x.tolist(), x.dtype), tape)) == 2


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@each_kind
@given(st.data())
@of_each_kind
def test_arrays_with_an_arithmetic_of_their_own_and_single_numbers_are_refused(kind, data):
    case = Case(data.draw(own_layers([kind])), n=2, seed=0)
    x, tape = case.x, Tape().begin(training=True, rng=np.random.default_rng(0), labels=case.labels)
    with pytest.raises(errors.KindError, match="is a masked array: fill or drop"):
        case.layer.forward(case.p, np.ma.masked_array(x, mask=x > 0), tape)
    with pytest.raises(errors.KindError, match=r"got x of type matrix, .* np\.asarray\(x, "):
        case.layer.forward(case.p, np.matrix(x.reshape(len(x), -1)), tape)
    with pytest.raises(errors.ShapeError, match=r"got x of shape \(\), .* wants a batch"):
        case.layer.forward(case.p, np.array(1, x.dtype), tape)


class Halving(Layer):
    """A layer of a user's own, which gives lists, or float64 in the same memory in every pass."""

    def __init__(self, gives_lists):
        self.gives_lists, self.memory = gives_lists, np.empty((4, 3))

    def forward(self, p, x, tape):
        self.memory[:] = x / 2
        return self.memory.tolist() if self.gives_lists else self.memory

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self.forward(p, dy, tape)

    def tangent(self, p, u, tape):
        return self.forward(p, u, tape)

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return SimpleNamespace(x=(dy / 2).tolist(), u=self.forward(p, dv, tape))


@pytest.mark.parametrize("gives_lists", [True, False])
@pytest.mark.parametrize("around", [Network, Residual])
def test_what_a_layer_of_ones_own_gives_is_taken_as_an_array_of_its_own(around, gives_lists):
    inner = Halving(gives_lists)
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
def test_a_layer_of_ones_own_that_gives_another_shape_is_named(around):
    inner = Halving(gives_lists=True)
    inner.forward = lambda p, x, tape: x[:, :1].tolist()
    network = Network((3,), inner) if around is Network else Residual(inner)
    p, x = Block(Layout(it=network), rng=0).views.it, np.ones((4, 3), np.float32)
    text = r"^Halving\(\)\.forward gave y of shape \(4, 1\), float32, wants shape \(4, 3\)$"
    with pytest.raises(errors.ShapeError, match=text):
        network.forward(p, x, Tape().begin())
    inner.forward = lambda p, x, tape: None
    with pytest.raises(errors.ShapeError, match=r"gave no y, wants shape \(4, 3\)"):
        network.forward(p, x, Tape().begin())
    inner.forward = lambda p, x, tape: x.astype(str)
    with pytest.raises(errors.KindError, match=r"^y of Halving\(\)\.forward is of dtype <U32"):
        network.forward(p, x, Tape().begin())

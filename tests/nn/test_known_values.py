"""What single layers compute, at numbers that are known without them."""

import math
import pickle

import numpy as np
import pytest

from scratchgen.gradcheck.library.points import signed
from scratchgen.ground import errors
from scratchgen.nn import (
    ELU,
    GELU,
    BatchNorm,
    Block,
    Dense,
    Dropout,
    GaussianNoise,
    JoinLabels,
    JoinParameters,
    LayerNorm,
    Layout,
    LeakyReLU,
    Maxout,
    Network,
    ReLU,
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


def outputs(layer, x, **given):
    """The output of a layer without parameters."""
    return layer.forward(None, np.asarray(x, float), Tape().begin(**given))


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


def test_gaussian_noise_has_its_standard_deviation_in_training_and_is_absent_in_evaluation():
    x = np.full((400, 500), 3.0)
    y = GaussianNoise(0.5).forward(
        None, x, Tape().begin(training=True, rng=np.random.default_rng(5))
    )
    assert y.mean() == pytest.approx(3, abs=0.01)
    assert y.std() == pytest.approx(0.5, rel=0.01)
    assert np.array_equal(GaussianNoise(0.5).forward(None, x, Tape().begin()), x)
    with pytest.raises(errors.TapeError, match="rng"):
        GaussianNoise(0.5).forward(None, x, Tape().begin(training=True))


def test_sigmoid_and_its_slope_are_right_far_from_0():
    tape = Tape().begin()
    y = Sigmoid().forward(None, np.array([[-800.0, -30.0, 30.0, 800.0]]), tape)
    np.testing.assert_allclose(y, [[0, np.exp(-30.0), 1, 1]], rtol=1e-12)
    assert np.isfinite(Sigmoid().backward(None, np.ones((1, 4)), tape)).all()


def test_smooth_activations_at_published_numbers():
    phi = 0.8413447460685429  # the normal distribution at 1
    assert outputs(GELU(), [[1.0, -1.0]])[0] == pytest.approx([phi, phi - 1], rel=1e-14)
    assert outputs(SiLU(), np.log([[3.0]]))[0, 0] == pytest.approx(0.75 * math.log(3))
    assert outputs(Softplus(), np.log([[3.0]]))[0, 0] == pytest.approx(math.log(4))
    assert outputs(ELU(2.0), [[math.log(0.5), 3.0]])[0].tolist() == pytest.approx([-1, 3])


def test_activations_far_from_0_are_finite_and_give_no_warning():
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


def test_dropout_drops_its_share_and_keeps_the_mean_and_does_nothing_in_evaluation():
    x = np.full((400, 500), 2.0)
    y = outputs(Dropout(0.3), x, training=True, rng=np.random.default_rng(0))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.005)
    assert np.unique(y) == pytest.approx([0, 2 / 0.7])
    assert y.mean() == pytest.approx(2, rel=0.01)
    assert np.array_equal(outputs(Dropout(0.3), x), x)


def test_dropout_draws_a_new_mask_in_each_pass_and_uses_it_in_backward():
    tape, rng, x = Tape(), np.random.default_rng(0), np.ones((20, 20))
    masks = []
    for _ in range(2):
        masks.append(Dropout(0.5).forward(None, x, tape.begin(training=True, rng=rng)).copy())
        assert np.array_equal(masks[-1], Dropout(0.5).backward(None, x, tape))
    assert not np.array_equal(*masks)


def test_a_label_that_occurs_twice_adds_its_gradient_twice():
    joined = JoinLabels(3, 1)
    block = Block(Layout(it=joined), np.float64, 0)
    tape, gradient = Tape().begin(labels=[2, 2, 0]), block.zeros_like()
    y = joined.forward(block.views.it, np.zeros((3, 1)), tape)
    assert np.array_equal(y[:, 1:], block.views.it.table[[2, 2, 0]])
    joined.backward(
        block.views.it, np.array([[0, 1.0], [0, 10.0], [0, 100.0]]), tape, gradient.views.it
    )
    assert gradient.vector.tolist() == [100, 0, 11]


def test_layer_norm_gives_each_example_mean_0_and_deviation_1_by_itself():
    x = np.random.default_rng(0).standard_normal((5, 200)) * 3 + 7
    layer = LayerNorm(200)
    p = Block(Layout(it=layer), np.float64, 0).views.it
    y = layer.forward(p, x, Tape().begin(training=True))
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(y[:1], layer.forward(p, x[:1], Tape().begin()))


def trained_batch_norm(batches, keep=0.9):
    """A BatchNorm whose running statistics have seen each of the batches."""
    layer = BatchNorm(batches[0].shape[-1], keep=keep)
    block, tape = Block(Layout(it=layer), np.float64, 0), Tape()
    for x in batches:
        layer.forward(block.views.it, x, tape.begin(training=True))
        layer.settle(block.views.it, tape)
    return layer, block


def test_batch_norm_gives_each_feature_mean_0_and_deviation_1_over_the_batch():
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


def test_keep_is_the_weight_of_the_old_statistics():
    _, block = trained_batch_norm([np.array([[0.0], [8.0]])], keep=0.75)
    assert block.views.it.mean == pytest.approx(0.25 * 4)
    assert block.views.it.var == pytest.approx(0.75 * 1 + 0.25 * 16)


def test_only_settle_writes_the_state_and_only_after_a_training_pass():
    layer, block = trained_batch_norm([np.ones((4, 2))])
    before, tape, x = block.state.copy(), Tape(), np.random.default_rng(0).standard_normal((4, 2))
    layer.forward(block.views.it, x, tape.begin(training=True))
    assert np.array_equal(before, block.state)
    layer.forward(block.views.it, x, tape.begin(training=False))
    layer.settle(block.views.it, tape)
    assert np.array_equal(before, block.state)


def test_a_batch_of_one_example_gives_beta_and_changes_no_statistics():
    layer, block = trained_batch_norm([np.ones((1, 2)) * 50])
    assert block.state.tolist() == [0, 0, 1, 1]
    block.views.it.beta[:] = [3, 4]
    y = layer.forward(block.views.it, np.ones((1, 2)) * 50, Tape().begin(training=True))
    assert y.tolist() == [[3, 4]]


def test_a_tied_layer_multiplies_by_the_transpose_of_the_same_weights():
    dense = Dense(3, 2)
    tied = Tied(dense, bias=None)
    block = Block(Layout(it=Network((3,), dense, tied)), np.float64, 0)
    assert block.vector.size == 3 * 2 + 2
    assert np.shares_memory(block.views.it[1].w, block.views.it[0].w)
    y = tied.forward(block.views.it[1], np.eye(2), Tape().begin())
    assert np.array_equal(y, block.views.it[0].w.T)


def test_a_tied_layer_without_its_dense_layer_is_refused():
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


def test_layers_in_a_residual_block_settle_too():
    network = Network((2,), Residual(Network((2,), BatchNorm(2))))
    block, tape = Block(Layout(it=network), np.float64, 0), Tape()
    network.forward(block.views.it, np.array([[0.0, 0.0], [4.0, 8.0]]), tape.begin(training=True))
    network.settle(block.views.it, tape)
    assert block.views.it[0][0][0].mean == pytest.approx([0.1 * 2, 0.1 * 4])


def test_a_tied_layer_at_the_beginning_learns_with_and_without_dx():
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


def test_batch_norm_learns_nothing_from_a_batch_without_examples():
    layer, block = trained_batch_norm([np.ones((3, 2))])
    before, tape = block.state.copy(), Tape().begin(training=True)
    assert layer.forward(block.views.it, np.zeros((0, 2)), tape).shape == (0, 2)
    layer.settle(block.views.it, tape)
    assert np.array_equal(before, block.state)

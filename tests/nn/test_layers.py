"""Every layer: its gradients against differences, and the contract."""

import dataclasses

import numpy as np
import pytest
from differences import assert_close, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import errors
from scratchgen.nn import (
    LAYERS,
    Block,
    Dense,
    Flatten,
    GaussianNoise,
    Layer,
    Layout,
    LeakyReLU,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
    Tape,
)

sizes = st.integers(1, 5)
shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple)


@st.composite
def layer_cases(draw):
    """A layer, and the shape of one example that it takes."""
    kind = draw(st.sampled_from(sorted(LAYERS)))
    shape = draw(shapes)
    if kind == "Dense":
        n_in = draw(sizes)
        return Dense(n_in, draw(sizes), draw(st.sampled_from(["zeros", "glorot", "he"]))), (n_in,)
    if kind == "LeakyReLU":
        return LeakyReLU(draw(st.floats(0, 0.9))), shape
    if kind == "GaussianNoise":
        return GaussianNoise(draw(st.floats(0, 2))), shape
    if kind == "Reshape":
        return Reshape(shape[::-1]), shape
    if kind == "Network":
        a, b, c = draw(st.tuples(sizes, sizes, sizes))
        twice = Dense(b, b)
        inner = Network((b,), Tanh(), twice)
        return Network((a,), Dense(a, b), inner, Sigmoid(), twice, Dense(b, c)), (a,)
    return LAYERS[kind](), shape


class Case:
    """A layer with drawn parameters, inputs and cotangents, all float64, away from kinks."""

    def __init__(self, layer: Layer, shape: tuple[int, ...], n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.layer, self.block = layer, Block(Layout(it=layer), np.float64, rng)
        self.block.vector[:] = away_from_zero(rng, self.block.vector.shape)
        self.p = self.block.views.it
        self.x = away_from_zero(rng, (n, *shape))
        self.dy = rng.standard_normal((n, *layer.out_shape(shape)))

    def value(self) -> float:
        """<dy, forward(x)>."""
        y = self.layer.forward(self.p, self.x, begin(Tape()))
        return float((y * self.dy).sum())

    def gradients(self, tape: Tape | None = None):
        """dx and the gradient of the parameters, by backward."""
        tape = begin(tape or Tape())
        self.layer.forward(self.p, self.x, tape)
        gradient = self.block.zeros_like()
        dx = self.layer.backward(self.p, self.dy, tape, gradient.views.it)
        return dx.copy(), gradient.vector


def begin(tape: Tape) -> Tape:
    """A pass in training, its randomness the same every time."""
    return tape.begin(training=True, rng=np.random.default_rng(5))


def away_from_zero(rng: np.random.Generator, shape) -> np.ndarray:
    """Numbers of size 0.05 to 1.5 with random signs: 1e-2 and more from the kink of a ReLU."""
    return rng.uniform(0.05, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


@given(layer_cases(), st.integers(1, 5), st.integers(0, 2**32))
def test_backward_is_the_derivative_of_forward(case, n, seed):
    case = Case(*case, n, seed)
    dx, dtheta = case.gradients()
    assert_close(dx, numeric_gradient(case.value, case.x), "dx")
    assert_close(dtheta, numeric_gradient(case.value, case.block.vector), "dtheta")


@given(layer_cases(), st.integers(1, 5), st.integers(0, 2**32))
def test_gradients_add_to_what_is_there(case, n, seed):
    case = Case(*case, n, seed)
    _, once = case.gradients()
    tape = begin(Tape())
    case.layer.forward(case.p, case.x, tape)
    gradient = case.block.zeros_like()
    gradient.vector[:] = 1
    case.layer.backward(case.p, case.dy, tape, gradient.views.it)
    np.testing.assert_allclose(gradient.vector, once + 1, rtol=1e-12, atol=1e-12)


@given(layer_cases(), st.integers(1, 5), st.integers(0, 2**32))
def test_forward_and_backward_write_into_nothing_they_were_given(case, n, seed):
    case = Case(*case, n, seed)
    case.x.flags.writeable = case.dy.flags.writeable = case.block.vector.flags.writeable = False
    for view in vars(case.p).values() if not isinstance(case.p, list) else []:
        view.flags.writeable = False
    before = case.block.vector.copy()
    case.gradients()
    assert np.array_equal(before, case.block.vector)


@given(layer_cases(), st.integers(0, 2**32))
def test_a_short_batch_on_a_used_tape_gives_what_a_fresh_tape_gives(case, seed):
    layer, shape = case
    long, short = Case(layer, shape, 5, seed), Case(layer, shape, 2, seed + 1)
    tape = Tape()
    long.gradients(tape)
    for used, fresh in zip(short.gradients(tape), short.gradients(), strict=True):
        assert np.array_equal(used, fresh)


@given(layer_cases(), st.integers(1, 4), st.integers(0, 2**32))
def test_backward_without_need_of_dx_gives_none_and_the_same_parameter_gradients(case, n, seed):
    case = Case(*case, n, seed)
    _, wanted = case.gradients()
    tape = begin(Tape())
    case.layer.forward(case.p, case.x, tape)
    gradient = case.block.zeros_like()
    assert case.layer.backward(case.p, case.dy, tape, gradient.views.it, need_dx=False) is None
    assert np.array_equal(gradient.vector, wanted)


@given(layer_cases(), st.integers(1, 4), st.integers(0, 2**32))
def test_float32_stays_float32(case, n, seed):
    layer, shape = case
    block = Block(Layout(it=layer), np.float32, rng=seed)
    x = np.random.default_rng(seed).standard_normal((n, *shape), dtype=np.float32)
    tape = Tape().begin()
    y = layer.forward(block.views.it, x, tape)
    dx = layer.backward(block.views.it, y, tape, block.zeros_like().views.it)
    assert y.dtype == dx.dtype == np.float32


@given(layer_cases())
def test_a_batch_of_no_examples_passes_through(case):
    layer, shape = case
    block = Block(Layout(it=layer), rng=0)
    y = layer.forward(block.views.it, np.zeros((0, *shape), np.float32), Tape().begin())
    assert y.shape == (0, *layer.out_shape(shape))


def test_backward_without_forward_names_the_call_that_is_missing():
    for layer, shape in ((Dense(3, 2), (3,)), (ReLU(), (3,)), (Tanh(), (3,)), (Flatten(), (3,))):
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

"""Layers, parameters and inputs, drawn for the tests of every layer; all in float64."""

import math

import numpy as np
from hypothesis import strategies as st

from scratchgen.nn import (
    ELU,
    INITIALISERS,
    LAYERS,
    BatchNorm,
    Block,
    Dense,
    Dropout,
    GaussianNoise,
    JoinLabels,
    JoinParameters,
    Layer,
    LayerNorm,
    Layout,
    LeakyReLU,
    Maxout,
    Network,
    Reshape,
    Residual,
    Sigmoid,
    Tanh,
    Tape,
    Tied,
)

N_LABELS = 4
sizes = st.integers(1, 5)
shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple)
initialisers = st.sampled_from(sorted(INITIALISERS))
kinds = st.sampled_from(sorted(LAYERS))
with_tangent = st.sampled_from(sorted(set(LAYERS) - {"BatchNorm"}))


@st.composite
def layer_cases(draw, kinds=kinds):
    """A layer, and the shape of one example that it takes."""
    kind = draw(kinds)
    shape = draw(shapes)
    a, b, c = draw(st.tuples(sizes, sizes, sizes))
    if kind == "Dense":
        return Dense(a, b, draw(initialisers), draw(st.sampled_from(["zeros", None]))), (a,)
    if kind == "Tied":  # beside the layer whose weights it has
        dense = Dense(a, b, bias=draw(st.sampled_from(["zeros", None])))
        tied = Tied(dense, bias=draw(st.sampled_from(["zeros", None])))
        return Network((a,), dense, Tanh(), tied, dense), (a,)
    if kind == "LeakyReLU":
        return LeakyReLU(draw(st.floats(0, 0.9))), shape
    if kind == "ELU":
        return ELU(draw(st.floats(0.1, 2))), shape
    if kind == "GaussianNoise":
        return GaussianNoise(draw(st.floats(0, 2))), shape
    if kind == "Dropout":
        return Dropout(draw(st.floats(0, 0.9))), shape
    if kind == "Maxout":
        return Maxout(a), (*shape[:-1], a * shape[-1])
    if kind in ("LayerNorm", "BatchNorm"):  # more than two features, whose spread is not a constant
        shape = (*shape[:-1], shape[-1] + 2)
        return (LayerNorm if kind == "LayerNorm" else BatchNorm)(shape[-1]), shape
    if kind == "JoinLabels":
        return JoinLabels(N_LABELS, b), (a,)
    if kind == "JoinParameters":
        return JoinParameters(b), (a,)
    if kind == "Reshape":
        return Reshape(shape[::-1]), shape
    if kind == "Residual":
        return Residual(Network((a,), Dense(a, b), Tanh(), Dense(b, a))), (a,)
    if kind == "Network":
        twice = Dense(b, b)
        inner = Network((b,), Tanh(), twice)
        return Network((a,), Dense(a, b), inner, Sigmoid(), twice, Dense(b, c)), (a,)
    return LAYERS[kind](), shape


class Case:
    """A layer with drawn parameters, state, inputs and cotangents, away from kinks."""

    def __init__(
        self, layer: Layer, shape: tuple[int, ...], n: int, seed: int, training: bool = True
    ) -> None:
        rng = np.random.default_rng(seed)
        self.layer, self.block = layer, Block(Layout(it=layer), np.float64, rng)
        self.block.vector[:] = away_from_zero(rng, self.block.vector.shape)
        self.block.state[:] = rng.uniform(0.5, 1.5, self.block.state.shape)
        self.p = self.block.views.it
        self.x = draw_inputs(layer, rng, (n, *shape))
        self.u = rng.standard_normal(self.x.shape)
        self.dy = rng.standard_normal((n, *layer.out_shape(shape)))
        self.dv = rng.standard_normal(self.dy.shape)
        self.given = {"training": training, "labels": rng.integers(N_LABELS, size=n)}

    def begin(self, tape: Tape | None = None) -> Tape:
        """A pass, its randomness the same every time."""
        tape = Tape() if tape is None else tape
        return tape.begin(rng=np.random.default_rng(5), **self.given)

    def value(self) -> float:
        """<dy, forward(x)>."""
        y = self.layer.forward(self.p, self.x, self.begin())
        return float((y * self.dy).sum())

    def gradients(self, tape: Tape | None = None):
        """dx and the gradient of the parameters, by backward."""
        tape = self.begin(tape)
        self.layer.forward(self.p, self.x, tape)
        gradient = self.block.zeros_like()
        dx = self.layer.backward(self.p, self.dy, tape, gradient.views.it)
        return dx.copy(), gradient.vector

    def value_with_tangent(self) -> float:
        """<dy, y> + <dv, v>."""
        tape = self.begin()
        y = self.layer.forward(self.p, self.x, tape).copy()
        v = self.layer.tangent(self.p, self.u, tape)
        return float((y * self.dy).sum() + (v * self.dv).sum())

    def second_gradients(self, tape: Tape | None = None):
        """The cotangents of x, u and the parameters, by tangent_backward."""
        tape = self.begin(tape)
        self.layer.forward(self.p, self.x, tape)
        self.layer.tangent(self.p, self.u, tape)
        gradient = self.block.zeros_like()
        d = self.layer.tangent_backward(self.p, self.dy, self.dv, tape, gradient.views.it)
        return d.x.copy(), d.u.copy(), gradient.vector


def draw_inputs(layer: Layer, rng: np.random.Generator, shape) -> np.ndarray:
    """Inputs among which differences see no kink, and nothing is divided by a spread near 0."""
    if isinstance(layer, Maxout):
        return far_apart(rng, shape)
    if isinstance(layer, LayerNorm):
        return spread_out(rng, shape, axis=-1)
    if isinstance(layer, BatchNorm):
        return spread_out(rng, (math.prod(shape[:-1]), shape[-1]), axis=0).reshape(shape)
    return away_from_zero(rng, shape)


def spread_out(rng: np.random.Generator, shape, axis: int) -> np.ndarray:
    """Numbers that are 0.6 and more from each other along the axis."""
    places = rng.random(shape).argsort(axis=axis)
    return places + rng.uniform(-0.2, 0.2, shape) - places.mean()


def away_from_zero(rng: np.random.Generator, shape) -> np.ndarray:
    """Numbers of size 0.05 to 1.5 with random signs: 1e-2 and more from the kink of a ReLU."""
    return rng.uniform(0.05, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def far_apart(rng: np.random.Generator, shape) -> np.ndarray:
    """Numbers that are 0.05 and more from each other: away from the kinks of a maximum."""
    places = rng.permutation(math.prod(shape)) + rng.uniform(-0.25, 0.25, math.prod(shape))
    return 0.1 * places.reshape(shape)

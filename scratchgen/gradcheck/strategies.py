"""Hypothesis strategies: cases for a layer, with its input in any shape, layout, dtype and scale.

>>> from hypothesis import given, settings
>>> from scratchgen.gradcheck import assert_gradients
>>> @settings(max_examples=5, deadline=None)  # no clock decides about a gradient
... @given(case=layer_cases(Dense(3, 2), shape=(3,)))
... def test_backward_of_dense(case):
...     assert_gradients(case)
>>> test_backward_of_dense()

What varies the most, the numbers themselves, comes from a drawn seed: a failing case shrinks to a
small shape, a batch of 1 and a plain layout, not to numbers near 0.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape, example_shape, float_type, one_of, whole
from ..ground.errors import OptionError
from ..ground.versions import require
from ..nn import (
    ELU,
    INITIALISERS,
    LAYERS,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    JoinLabels,
    JoinParameters,
    Layer,
    LayerNorm,
    LeakyReLU,
    Maxout,
    Network,
    Reshape,
    Residual,
    Sigmoid,
    Tanh,
    Tied,
)
from ..nn.layer import check_layer
from .layer_case import LayerCase
from .library.points import spread

require("hypothesis", "drawing cases")

from hypothesis import strategies as st  # noqa: E402 - once it is known to be there

LAYOUTS = ("C", "F", "strided", "negative")
DTYPES = ("float64", "float32")
SCALES = (1.0, 1e-3, 1e3)  # the first is what a failing case shrinks to
BATCHES = (1, 2, 5)
N_LABELS = 4  # that JoinLabels joins


@st.composite
def layer_cases(
    draw: st.DrawFn,
    layers: Any,
    shape: Any = None,
    *,
    batches: Sequence[int] = BATCHES,
    dtypes: Sequence[Any] = DTYPES,
    scales: Sequence[float] = SCALES,
    layouts: Sequence[str] = LAYOUTS,
    training: Sequence[bool] = (True, False),
) -> LayerCase:
    """Cases for layers of one's own.

    `layers` is a layer, a function from `shape` to a layer, or a strategy of either, or of pairs
    (layer, shape). `shape`, of one example, is a tuple or a strategy of tuples.
    """
    of = draw(layers) if isinstance(layers, st.SearchStrategy) else layers
    if isinstance(of, tuple):
        of, shape = of
    if shape is None:
        raise OptionError("layer_cases needs shape=, that of one example, as (4,) or (8, 8, 3)")
    shape = example_shape(draw(shape) if isinstance(shape, st.SearchStrategy) else shape)
    layer = of if isinstance(of, Layer) or not callable(of) else of(shape)
    check_layer(layer, "layer_cases")
    n = whole(draw(st.sampled_from(batches)), "batches", least=1)
    seed = draw(seeds)
    layout, scale = draw(st.sampled_from(layouts)), draw(st.sampled_from(scales))
    x = drawn((n, *shape), seed, draw(st.sampled_from(dtypes)), scale, layout)
    return LayerCase(layer, x, draw(st.sampled_from(training)), seed, layout, scale)


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: Any,
    *,
    dtypes: Sequence[Any] = DTYPES,
    scales: Sequence[float] = SCALES,
    layouts: Sequence[str] = LAYOUTS,
) -> Array:
    """Arguments for functions of one's own; `shape` is a tuple or a strategy of tuples."""
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    dtype, scale = draw(st.sampled_from(dtypes)), draw(st.sampled_from(scales))
    return drawn(shape, draw(seeds), dtype, scale, draw(st.sampled_from(layouts)))


seeds = st.integers(0, 2**31 - 1)
sizes = st.integers(1, 5)
shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple)


def drawn(shape: Shape, seed: int, dtype: Any, scale: float, layout: str) -> Array:
    """An array of numbers of size 0.1 to 1.6 times `scale`, with random signs."""
    x = scale * spread(np.random.default_rng(seed), shape)
    return laid_out(np.asarray(x, float_type(dtype)), layout)


def laid_out(x: Array, layout: str) -> Array:
    """The same numbers in another memory layout.

    >>> laid_out(np.zeros((2, 3)), "strided").strides, laid_out(np.zeros(3), "negative").strides
    ((48, 16), (-8,))
    """
    one_of(layout, LAYOUTS, "layout")
    if layout == "F" and x.ndim:
        return np.asfortranarray(x)
    if layout == "strided" and x.ndim:
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if layout == "negative" and x.ndim:
        return np.ascontiguousarray(np.flip(x))[(slice(None, None, -1),) * x.ndim]
    return x


@st.composite
def own_layers(draw: st.DrawFn, kinds: Iterable[str] = tuple(LAYERS)) -> tuple[Layer, Shape]:
    """The library's own layers, their settings drawn, each with the shape of an example for it."""
    kind = draw(st.sampled_from(sorted(kinds)))
    shape = draw(shapes)
    a, b, c = draw(st.tuples(sizes, sizes, sizes))
    bias = draw(st.sampled_from(["zeros", None]))
    if kind == "Dense":
        return Dense(a, b, draw(st.sampled_from(sorted(INITIALISERS))), bias), (a,)
    if kind == "Tied":  # beside the layer whose weights it has
        dense = Dense(a, b, bias=bias)
        return Network((a,), dense, Tanh(), Tied(dense, bias=bias), dense), (a,)
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

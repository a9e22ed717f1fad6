"""Hypothesis strategies draw cases for a layer: its input in any shape, layout, dtype and scale.

>>> from hypothesis import given, settings
>>> from scratchgen.gradcheck import assert_gradients
>>> from scratchgen.nn import Dense
>>> @settings(max_examples=5, deadline=None)  # no clock decides about a gradient
... @given(case=layer_cases(Dense(3, 2), shape=(3,)))
... def test_backward_of_dense(case):
...     assert_gradients(case)
>>> test_backward_of_dense()

The numbers in the arrays come from a drawn seed. So a failing case shrinks to a small shape, a
batch of 1 and a plain layout, and not to numbers near 0.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from ..ground.arguments import Array, Shape, example_shape, float_type, one_of, whole
from ..ground.errors import OptionError
from ..ground.versions import require
from ..nn import LAYERS, Layer
from ..nn.layer import check_layer
from .layer_case import LayerCase
from .library.points import spread

require("hypothesis", "drawing cases")

from hypothesis import strategies as st  # noqa: E402 - once it is known to be there

LAYOUTS = ("C", "F", "strided", "negative")
DTYPES = ("float64", "float32")
SCALES = (1.0, 1e-3, 1e3)  # the first is what a failing case shrinks to
BATCHES = (1, 2, 5)

Option = TypeVar("Option")


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
    """Cases for your own layers.

    `layers` is a layer, a function from `shape` to a layer, a strategy of either, or a strategy of
    pairs (layer, shape). `shape`, of one example, is a tuple or a strategy of tuples.
    """
    drawn_layer = draw(layers) if isinstance(layers, st.SearchStrategy) else layers
    if isinstance(drawn_layer, tuple):
        drawn_layer, shape = drawn_layer
    if shape is None:
        raise OptionError("layer_cases needs shape=, that of one example, as (4,) or (8, 8, 3)")
    shape = example_shape(draw(shape) if isinstance(shape, st.SearchStrategy) else shape)
    is_function = callable(drawn_layer) and not isinstance(drawn_layer, Layer)
    layer = drawn_layer(shape) if is_function else drawn_layer
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
    """Arguments for your own functions; `shape` is a tuple or a strategy of tuples."""
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


class HypothesisDraw:
    """What `Layer.example` is given by Hypothesis, which shrinks all of it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def size(self, least: int = 1) -> int:
        """From `least` to four more."""
        return self.draw(sizes) - 1 + least

    def shape(self, least: int = 1) -> Shape:
        """One to three sizes."""
        *before, last = self.draw(shapes)
        return (*before, last - 1 + least)

    def number(self, low: float, high: float) -> float:
        """Any float between."""
        return self.draw(st.floats(low, high))

    def choice(self, options: Sequence[Option]) -> Option:
        """Any of them."""
        return self.draw(st.sampled_from(options))


@st.composite
def own_layers(draw: st.DrawFn, kinds: Iterable[str] | None = None) -> tuple[Layer, Shape]:
    """Layers of `nn.LAYERS`, of all kinds or of these, each with the shape of one example."""
    kind = draw(st.sampled_from(sorted(LAYERS if kinds is None else kinds)))
    return LAYERS[kind].example(HypothesisDraw(draw))

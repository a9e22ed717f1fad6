"""A layer or a model is checked at a drawn point: inputs, parameters and labels.

The point is in general position: no number is large, 0, 1 or -1, and no two are equal. So no kink,
no tie and no term that vanishes by chance hides a mistake.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...ground.arguments import Array, Shape, real_numbers, whole
from ...ground.errors import DataError, OptionError, ScratchgenError, ShapeError
from ...nn import Block, Layer, Layout, Network, distinct_leaves, joined_labels
from ..measuring.passes import Blocks
from ..pairs.pair import MOST_NUMBERS

BATCH = 4  # examples, if x does not say
MOST_FEATURES = 64  # to try, if the layer does not say


def given_or_drawn(
    x: Any, example: Callable[[], Shape], draw: Callable[[Shape], Array], what: str = "x"
) -> Array:
    """x as an array in float64, or an array drawn in the shape x.

    x is an array, a shape with the batch in front, or None for BATCH examples of shape `example()`.
    """
    if x is None:
        return draw((BATCH, *example()))
    if isinstance(x, tuple) and all(isinstance(size, int | np.integer) for size in x) and x:
        shape = tuple(whole(size, f"{what}={x}: a size") for size in x)
        if math.prod(shape) > MOST_NUMBERS:
            raise OptionError(f"{what}={x}: wants a shape of at most {MOST_NUMBERS:,} numbers")
        return draw(shape)
    array = real_numbers(x, what).astype(np.float64, order="K")
    if array.ndim == 0:
        raise ShapeError(
            f"{what}={x!r}: wants an array with the batch in front, or a shape, as (4, 5)"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{what} holds NaN or infinity, where nothing has a derivative")
    return array


def spread(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers of size 0.1 to 1.6, evenly spread, with random signs: no two are equal."""
    n = math.prod(shape)
    places = (rng.permutation(n) + rng.uniform(0.25, 0.75, n)) / max(n, 1)
    return (0.1 + 1.5 * places).reshape(shape) * rng.choice([-1.0, 1.0], shape)


def signed(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers of size 0.1 to 1.5 with random signs: none is negligible, none is large."""
    return rng.uniform(0.1, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def weights(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers as in `signed`; smaller in a matrix, so that sums over many inputs do not grow."""
    return signed(rng, shape) * min(1.0, math.sqrt(2 / max(1, math.prod(shape[:-1]))))


def layer_point(
    layer: Layer, x: Array, rng: np.random.Generator
) -> tuple[Blocks, dict[str, Array]]:
    """x with drawn parameters, and drawn state, of a layer."""
    blocks, state = {"x": x}, {}
    for name, entry in named_entries(layer_layout(layer), layer):
        if entry.trained:
            blocks[name] = weights(rng, entry.shape)
        else:
            state[name] = rng.uniform(0.5, 1.5, entry.shape)
    return blocks, state


def layer_layout(layer: Layer) -> Layout:
    """The layout of a layer, `it`, and of other layers whose weights it borrows."""
    own = {id(leaf) for leaf in distinct_leaves(layer)}
    lenders = {
        id(of): of
        for leaf in distinct_leaves(layer)
        for of, _ in leaf.borrows().values()
        if id(of) not in own
    }
    return Layout(it=layer, **{f"of{i or ''}": of for i, of in enumerate(lenders.values())})


def named_entries(layout: Layout, layer: Layer) -> Iterator[tuple[str, Any]]:
    """Each entry with the name of its block: `w`, `1.w`; `of.w` for a borrowed weight."""
    borrowed = {(of, key) for leaf in distinct_leaves(layer) for of, key in leaf.borrows().values()}
    for entry in layout.entries:
        if entry.name.startswith("it."):
            yield entry.name.removeprefix("it."), entry
        elif (entry.layer, entry.key) in borrowed:
            yield entry.name, entry


def draw_labels(layer: Layer, n: int, rng: np.random.Generator) -> Array | None:
    """Labels (n,) for a layer that joins labels; None for other layers."""
    classes = joined_labels(layer)
    return rng.integers(classes, size=n) if classes else None


def legal(
    check: Callable[[Array], object], shape: Shape, rng: np.random.Generator, classes: int = 2
) -> Array:
    """Data that pass `check`: real numbers, numbers from 0 to 1, or whole numbers from 0 up."""
    candidates = (
        lambda: spread(rng, shape),
        lambda: rng.uniform(0.05, 0.95, shape),
        lambda: rng.integers(classes, size=shape).astype(float),
    )
    for draw in candidates:
        x = draw()
        try:
            check(x)
        except DataError:
            continue
        return x
    raise OptionError(
        "it takes no drawn data, neither real numbers, nor numbers from 0 to 1, nor whole numbers: "
        "give x=, an array of your own"
    )


def example_shape_of(layer: Layer) -> Shape:
    """A shape of an example that `layer` takes, found by calling its `out_shape`."""
    if isinstance(layer, Network):
        return layer.in_shape
    for shape in _likely_shapes(layer):
        try:
            layer.out_shape(shape)
        except (ScratchgenError, ArithmeticError, LookupError, TypeError, ValueError):
            continue
        return shape
    raise OptionError(
        f"{layer} takes no shape that was tried: give one with the batch in front, as x=(4, 5)"
    )


def _likely_shapes(layer: Layer) -> Iterator[Shape]:
    """Shapes that a layer may take, first those that its fields suggest."""
    inside = [layer, *layer.children()]
    fields = [value for inner in inside for value in getattr(inner, "__dict__", {}).values()]
    fields += [
        value for field in fields if isinstance(field, Layer) for value in vars(field).values()
    ]
    yield from (inner.in_shape for inner in inside if isinstance(inner, Network))
    features = [field for field in fields if type(field) is int and 0 < field <= MOST_NUMBERS]
    if type(layer).out_shape is Layer.out_shape:  # it takes every shape, or does not say
        yield (features[0] if features else 5,)
    shapes = [field for field in fields if isinstance(field, tuple) and field]
    yield from ((math.prod(shape),) for shape in shapes if all(type(n) is int for n in shape))
    sizes = [6, 5, *(3 * n for n in features), *features, *range(1, MOST_FEATURES + 1)]
    yield from ((size,) for size in sizes)
    yield from ((4, size) for size in sizes)
    yield from ((7, 6, size) for size in sizes)


def vary(block: Block, rng: np.random.Generator) -> None:
    """Move every array of equal numbers, such as a new bias, into general position."""
    for _, array in block.arrays():
        if array.size and (array == array.flat[0]).all():
            first = float(array.flat[0])
            moved = rng.uniform(0.5, 1.5, array.shape) * first
            array[...] = moved if first else 0.3 * signed(rng, array.shape)

"""A block owns the parameters of some networks, in one flat vector.

    vector = (w_1, b_1, w_2, b_2, ..., 0 ... 0, w_3, ...)                               (1)

`block.views.encoder[1].w` is a view of `block.vector`: writing to one writes to the other. A
gradient, and the running means that an optimizer keeps, are vectors with the same layout, or with
that of some of the networks. So saving, averaging, clipping and finite differences each work on one
array.
"""

import copy
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..ground.arguments import Array, float_type
from ..ground.errors import OptionError
from ..ground.rng import Rng, generator
from .layout import Entry, Layout

MOST_PARAMETERS = 2**32  # more are taken for a mistake in the size of a layer
VIEWS = ("views", "_thetas", "_thetas_of")  # attributes that a copy makes anew
# As `rng` it leaves every number at 0: the caller will write them all, from a file.
BLANK: Any = object()


class Block:
    """The memory of a layout: `vector` (P,), `state` (S,), and `views` into both.

    >>> from scratchgen.nn import Dense, Network, ReLU
    >>> block = Block(Layout(encoder=Network((3,), Dense(3, 2), ReLU())), rng=0)
    >>> block.vector.shape, block.views.encoder[0].w.shape
    ((8,), (3, 2))
    """

    def __init__(self, layout: Layout, dtype: Any = np.float32, rng: Rng = None) -> None:
        if layout.size > MOST_PARAMETERS:
            raise OptionError(
                f"these networks have {layout.size:,} parameters, wants at most "
                f"{MOST_PARAMETERS:,}: make their layers smaller"
            )
        self.layout = layout
        self.vector = kernels.aligned_zeros(layout.length, float_type(dtype))  # (P,)   (1)
        self.state = np.zeros(layout.state_size, float_type(dtype))  # (S,)
        self._set_views()
        if rng is not BLANK:
            self._begin(generator(rng))

    def _set_views(self) -> None:
        """Make the views of the vector and the state; `theta` adds to `_thetas`."""
        self.views = self.layout.views(self.vector, self.state)
        self._thetas: dict[tuple[str, ...], Array] = {}
        self._thetas_of = self.vector

    def theta(self, names: Collection[str]) -> Array:
        """The slice of the vector that holds these networks; the same object each time."""
        names = tuple(names)
        if self._thetas_of is not self.vector:  # the vector was replaced
            self._thetas, self._thetas_of = {}, self.vector
        if names not in self._thetas:
            self._thetas[names] = self.vector[self.layout.span(names)]
        return self._thetas[names]

    def state_of(self, name: str) -> Array:
        """The slice of the state that belongs to a network."""
        return self.state[self.layout.state_slices[name]]

    def arrays(self) -> Iterator[tuple[Entry, Array]]:
        """Every entry, trained or not, with its view: the arrays that a file holds."""
        for entry in self.layout.entries:
            yield entry, entry.view(self.vector if entry.trained else self.state)

    def zeros_like(self, names: Collection[str] | None = None) -> "Gradient":
        """Zeros in this layout, or in that of some networks, to which gradients are added."""
        return Gradient(self.layout, self.vector.dtype, names)

    def snapshot(self) -> tuple[Array, Array]:
        """Copies of the vector and the state, for `restore`."""
        return self.vector.copy(), self.state.copy()

    def restore(self, snapshot: tuple[Array, Array]) -> None:
        """Write a snapshot back."""
        self.vector[:], self.state[:] = snapshot

    def is_finite(self) -> bool:
        """Whether every parameter and every number of the state is finite."""
        return bool(np.isfinite(self.vector).all() and np.isfinite(self.state).all())

    def _begin(self, rng: np.random.Generator) -> None:
        """Write the initial values that the layers declare."""
        for entry, array in self.arrays():
            if entry.trained:
                _, initialiser = entry.layer.parameters()[entry.key]
                array[...] = _first(entry, initialiser(rng, entry.shape), self.vector.dtype)
            else:
                _, value = entry.layer.state()[entry.key]
                array[...] = value

    def __getstate__(self) -> dict[str, Any]:
        own = vars(self).items()
        return {name: value for name, value in own if name not in VIEWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy has views of its own vector, not copies of the old views."""
        vars(self).update(state)
        self._set_views()

    def seen_through(self, view: Callable[[Array], Array]) -> "Block":
        """The same memory, through views, such as read-only ones."""
        other = copy.copy(self)
        other.vector, other.state = view(self.vector), view(self.state)
        other._set_views()
        return other


class Gradient:
    """A vector in a block's layout, with the same views: `gradient.views.encoder[1].w`.

    It covers the whole vector, or the span of some networks. Backward passes add to it, so it must
    be cleared before the first backward pass of a step.
    """

    def __init__(self, layout: Layout, dtype: Any, names: Collection[str] | None = None) -> None:
        self.layout, self.names = layout, tuple(layout.networks if names is None else names)
        span = layout.span(self.names)
        self.vector = kernels.zeros(span.stop - span.start, dtype)  # (P,)
        self.views = layout.views(self.vector, names=self.names)

    def seen_through(self, view: Callable[[Array], Array]) -> "Gradient":
        """The same memory, through a view, such as a read-only one."""
        other = copy.copy(self)
        other.vector = view(self.vector)
        other.views = self.layout.views(other.vector, names=self.names)
        return other

    def clear(self) -> None:
        """Set every number to 0."""
        kernels.clear(self.vector)


def _first(entry: Entry, values: Array, dtype: Any) -> Array:
    """Check initial values: OptionError unless they have the entry's shape and are finite."""
    with np.errstate(over="ignore"):
        values = np.asarray(values, dtype)
    if values.shape != entry.shape or not np.isfinite(values).all():
        raise OptionError(
            f"the initialiser of {entry.name} gave shape {values.shape}, or numbers that are not "
            f"finite in {values.dtype}: wants {entry.shape}, all finite"
        )
    return values

"""A block is a noun: all parameters of a few networks in one flat vector, with views by name.

    vector = (w_1, b_1, w_2, b_2, ...)                     (1)

`block.views.encoder[1].w` is a window into `block.vector`: writing one writes the other. Gradients
and the moments of an optimizer are vectors of the same layout, so that saving, averaging, clipping
and finite differences each work on one array.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import kernels
from ..checks import Array, Shape, float_type
from ..errors import OptionError
from ..rng import Rng, generator
from .layer import Layer, Views

MOST_PARAMETERS = 2**32
# Given as `rng`, leaves every number at 0: the caller writes them all, from a file.
BLANK: Any = object()


@dataclass(frozen=True)
class Entry:
    """One named array in a layout: where it lies in the vector, or in the state."""

    name: str  # "encoder.1.w"
    layer: Layer
    key: str  # "w"
    start: int
    shape: Shape
    trained: bool

    def view(self, vector: Array) -> Array:
        """This entry's window into a vector of the layout."""
        return vector[self.start : self.start + math.prod(self.shape)].reshape(self.shape)


class Layout:
    """Where everything lies: names, shapes and places, and no memory yet."""

    def __init__(self, **networks: Layer) -> None:
        self.networks = networks
        self.entries: list[Entry] = []
        self.size = self.state_size = 0
        met: dict[Layer, None] = {}
        for name, network in networks.items():
            self._visit(name, network, met)
        self.borrowers = [leaf for leaf in met if leaf.borrows()]
        for leaf in self.borrowers:
            for of, _ in leaf.borrows().values():
                if of not in met:
                    raise OptionError(
                        f"{leaf} uses the weights of a {of} that is not trained with it: put that "
                        f"layer object into a network of {', '.join(networks)} too"
                    )

    def _visit(self, path: str, layer: Layer, met: dict[Layer, None]) -> None:
        if layer in met:  # a layer used twice has one set of parameters
            return
        met[layer] = None
        for i, child in enumerate(layer.children()):
            self._visit(f"{path}.{i}", child, met)
        if not layer.children():
            self._place(path, layer)

    def _place(self, path: str, leaf: Layer) -> None:
        for key, (shape, _) in leaf.parameters().items():
            self.entries.append(Entry(f"{path}.{key}", leaf, key, self.size, shape, True))
            self.size += math.prod(shape)
        for key, (shape, _) in leaf.state().items():
            self.entries.append(Entry(f"{path}.{key}", leaf, key, self.state_size, shape, False))
            self.state_size += math.prod(shape)

    def views(self, vector: Array, state: Array | None = None) -> Views:
        """The tree of windows into `vector` and, where it is given, `state`; see `tree`."""
        windows = {entry.name: entry.view(vector) for entry in self.entries if entry.trained}
        if state is not None:
            kept = [entry for entry in self.entries if not entry.trained]
            windows |= {entry.name: entry.view(state) for entry in kept}
        return self.tree(windows)

    def tree(self, arrays: Mapping[str, Array]) -> Views:
        """The tree of these arrays, which are given by the names of entries; some may be missing.

        First each layer gets a namespace of its arrays, with transposed windows for the weights
        that it borrows; then the namespaces are put into the tree of the networks, in which a layer
        that stands in two places has its one namespace in both.
        """
        windows: dict[Layer, SimpleNamespace] = {}
        for entry in self.entries:
            here = windows.setdefault(entry.layer, SimpleNamespace())
            if entry.name in arrays:
                setattr(here, entry.key, arrays[entry.name])

        for leaf in self.borrowers:
            here = windows.setdefault(leaf, SimpleNamespace())
            for key, (of, its_key) in leaf.borrows().items():
                setattr(here, key, getattr(windows[of], its_key).T)

        trees: dict[Layer, Views] = dict(windows)

        def tree(layer: Layer) -> Views:
            if layer not in trees:
                children = [tree(child) for child in layer.children()]
                trees[layer] = children if layer.children() else SimpleNamespace()
            return trees[layer]

        return SimpleNamespace(**{name: tree(net) for name, net in self.networks.items()})


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
        self.vector = np.zeros(layout.size, float_type(dtype))  # (P,)   (1)
        self.state = np.zeros(layout.state_size, float_type(dtype))  # (S,)
        self.views = layout.views(self.vector, self.state)
        if rng is not BLANK:
            self._begin(generator(rng))

    def _begin(self, rng: np.random.Generator) -> None:
        """Write the first values, as the layers have them."""
        for entry, array in self.arrays():
            if entry.trained:
                _, initialiser = entry.layer.parameters()[entry.key]
                array[...] = _first(entry, initialiser(rng, entry.shape), self.vector.dtype)
            else:
                _, value = entry.layer.state()[entry.key]
                array[...] = value

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "views"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy has windows into its own vector, not into copies of the old windows."""
        vars(self).update(state)
        self.views = self.layout.views(self.vector, self.state)

    def arrays(self) -> Iterator[tuple[Entry, Array]]:
        """Every entry with its window: all that a file holds."""
        for entry in self.layout.entries:
            yield entry, entry.view(self.vector if entry.trained else self.state)

    def zeros_like(self) -> "Gradient":
        """A vector of zeros in the same layout, for gradients to be added into."""
        return Gradient(self.layout, self.vector.dtype)

    def snapshot(self) -> tuple[Array, Array]:
        """Copies of the vector and the state, for `restore`."""
        return self.vector.copy(), self.state.copy()

    def restore(self, snapshot: tuple[Array, Array]) -> None:
        """Write a snapshot back."""
        self.vector[:], self.state[:] = snapshot

    def is_finite(self) -> bool:
        """Whether every parameter and every number of the state is finite."""
        return bool(np.isfinite(self.vector).all() and np.isfinite(self.state).all())


def _first(entry: Entry, values: Array, dtype: Any) -> Array:
    """First values of a parameter, or OptionError unless they fill it with finite numbers."""
    with np.errstate(over="ignore"):
        values = np.asarray(values, dtype)
    if values.shape != entry.shape or not np.isfinite(values).all():
        raise OptionError(
            f"the initialiser of {entry.name} gave shape {values.shape}, or numbers that are not "
            f"finite in {values.dtype}: wants {entry.shape}, all finite"
        )
    return values


class Gradient:
    """A vector in a block's layout, with the same views: `gradient.views.encoder[1].w`.

    Backward passes add to it, so it has to be cleared before the first one of a step.
    """

    def __init__(self, layout: Layout, dtype: Any) -> None:
        self.vector = kernels.zeros(layout.size, dtype)  # (P,)
        self.views = layout.views(self.vector)

    def clear(self) -> None:
        """Set every number to 0."""
        kernels.clear(self.vector)

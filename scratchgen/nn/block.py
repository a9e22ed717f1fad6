"""A block is a noun: it owns the arrays, all parameters of some networks in one flat vector.

    vector = (w_1, b_1, w_2, b_2, ..., 0 ... 0, w_3, ...)                               (1)

`block.views.encoder[1].w` is a window into `block.vector`: writing to one writes to the other. Each
network has a slice of the vector, in the order of the networks, which begins at a line of the
CPU's caches; the zeros between two networks are no parameters, and stay 0. Gradients and the
moments of an optimizer are vectors of the same layout, or of the slice of some of the networks, so
that saving, averaging, clipping and finite differences each work on one array.
"""

import copy
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import kernels
from ..ground.arguments import Array, Shape, float_type
from ..ground.errors import OptionError
from ..ground.rng import Rng, generator
from .layer import Layer, Views

MOST_PARAMETERS = 2**32
LINE = 16  # numbers of float32 in a line of the caches, 64 bytes; of float64, two lines
LOOKED_INTO = ("views", "_windows", "_windows_into")  # which a copy makes for its own vector
MOST_ORDERED = 8  # networks for which every order is tried
# Passed as `rng`, it leaves every number at 0: the caller writes them all, from a file.
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

    def view(self, vector: Array, start: int = 0) -> Array:
        """This entry's window into `vector`, the layout's from `start` on."""
        first = self.start - start
        return vector[first : first + math.prod(self.shape)].reshape(self.shape)


class Layout:
    """Where each array lies in the vector: names, shapes and places, and no memory yet.

    Attributes:
        networks: by name, in their order.
        entries: every named array of theirs.
        size: how many numbers are trained.
        length: of the vector, with the zeros between networks.
        state_size: how many numbers are kept and not trained.
        slices: of the vector, by network.
        state_slices: of the state, by network.
    """

    def __init__(self, **networks: Layer) -> None:
        self.networks = networks
        self.entries: list[Entry] = []
        self.size = self.length = self.state_size = 0
        self.slices: dict[str, slice] = {}
        self.state_slices: dict[str, slice] = {}
        met: dict[Layer, None] = {}
        for name, network in networks.items():
            end, state_start = self.length, self.state_size
            self.length = start = -(-end // LINE) * LINE
            self._visit(name, network, met)
            self.slices[name] = slice(start, self.length)
            if self.length == start:  # a network without parameters needs no zeros before it
                self.length = end
            self.state_slices[name] = slice(state_start, self.state_size)
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
            self.entries.append(Entry(f"{path}.{key}", leaf, key, self.length, shape, True))
            self.size += math.prod(shape)
            self.length += math.prod(shape)
        for key, (shape, _) in leaf.state().items():
            self.entries.append(Entry(f"{path}.{key}", leaf, key, self.state_size, shape, False))
            self.state_size += math.prod(shape)

    def span(self, names: Collection[str]) -> slice:
        """The slice of the vector that holds these networks, and no others.

        Raises OptionError where another lies between them.
        """
        places = [self.slices[name] for name in names if _length(self.slices[name])]
        if not places:
            return slice(0, 0)
        span = slice(min(at.start for at in places), max(at.stop for at in places))
        for name, at in self.slices.items():
            if name not in names and _length(at) and span.start <= at.start < span.stop:
                raise OptionError(
                    f"{' and '.join(names)} do not lie side by side in the vector, because {name} "
                    f"lies between them"
                )
        return span

    def entries_of(self, names: Collection[str]) -> list[Entry]:
        """The entries of these networks; a layer in several networks belongs to the first."""
        return [entry for entry in self.entries if entry.name.split(".")[0] in names]

    def views(
        self, vector: Array, state: Array | None = None, names: Collection[str] | None = None
    ) -> Views:
        """The tree of windows into `vector` and, where it is given, `state`; see `tree`.

        With `names`, the tree is of these networks, and `vector` holds just their span.
        """
        names = self.networks if names is None else names
        start, entries = self.span(names).start, self.entries_of(names)
        windows = {entry.name: entry.view(vector, start) for entry in entries if entry.trained}
        if state is not None:
            windows |= {entry.name: entry.view(state) for entry in entries if not entry.trained}
        return self.tree(windows, names)

    def tree(self, arrays: Mapping[str, Array], names: Collection[str] | None = None) -> Views:
        """The tree of these arrays, by the names of their entries; some may be missing.

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
                if hasattr(windows[of], its_key):
                    setattr(here, key, getattr(windows[of], its_key).T)

        trees: dict[Layer, Views] = dict(windows)

        def tree(layer: Layer) -> Views:
            if layer not in trees:
                children = [tree(child) for child in layer.children()]
                trees[layer] = children if layer.children() else SimpleNamespace()
            return trees[layer]

        names = self.networks if names is None else names
        return SimpleNamespace(**{name: tree(self.networks[name]) for name in names})


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
        self._look_into()
        if rng is not BLANK:
            self._begin(generator(rng))

    def _look_into(self) -> None:
        """Set the views into the vector and the state; `theta` fills `_windows` as it is asked."""
        self.views = self.layout.views(self.vector, self.state)
        self._windows: dict[tuple[str, ...], Array] = {}
        self._windows_into = self.vector

    def _begin(self, rng: np.random.Generator) -> None:
        """Write the first values, as the layers declare them."""
        for entry, array in self.arrays():
            if entry.trained:
                _, initialiser = entry.layer.parameters()[entry.key]
                array[...] = _first(entry, initialiser(rng, entry.shape), self.vector.dtype)
            else:
                _, value = entry.layer.state()[entry.key]
                array[...] = value

    def __getstate__(self) -> dict[str, Any]:
        own = vars(self).items()
        return {name: value for name, value in own if name not in LOOKED_INTO}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy has windows into its own vector, not into copies of the old windows."""
        vars(self).update(state)
        self._look_into()

    def seen_through(self, window: Callable[[Array], Array]) -> "Block":
        """The same memory, seen through windows, such as read-only ones."""
        other = copy.copy(self)
        other.vector, other.state = window(self.vector), window(self.state)
        other._look_into()
        return other

    def theta(self, names: Collection[str]) -> Array:
        """The slice of the vector that holds these networks; the same object each time."""
        names = tuple(names)
        if self._windows_into is not self.vector:  # somebody has put another in its place
            self._windows, self._windows_into = {}, self.vector
        if names not in self._windows:
            self._windows[names] = self.vector[self.layout.span(names)]
        return self._windows[names]

    def state_of(self, name: str) -> Array:
        """The slice of the state that belongs to a network."""
        return self.state[self.layout.state_slices[name]]

    def arrays(self) -> Iterator[tuple[Entry, Array]]:
        """Every entry with its window, trained or not; together, the arrays that a file holds."""
        for entry in self.layout.entries:
            yield entry, entry.view(self.vector if entry.trained else self.state)

    def zeros_like(self, names: Collection[str] | None = None) -> "Gradient":
        """Zeros in the same layout, or in that of some networks, for gradients to be added into."""
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


def _first(entry: Entry, values: Array, dtype: Any) -> Array:
    """First values of a parameter; OptionError unless they have its shape and are finite."""
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

    It is laid out as the whole vector, or as the span of some networks. Backward passes add to it,
    so it has to be cleared before the first backward pass of a step.
    """

    def __init__(self, layout: Layout, dtype: Any, names: Collection[str] | None = None) -> None:
        self.layout, self.names = layout, tuple(layout.networks if names is None else names)
        span = layout.span(self.names)
        self.vector = kernels.zeros(span.stop - span.start, dtype)  # (P,)
        self.views = layout.views(self.vector, names=self.names)

    def seen_through(self, window: Callable[[Array], Array]) -> "Gradient":
        """The same memory, seen through a window, such as a read-only one."""
        other = copy.copy(self)
        other.vector = window(self.vector)
        other.views = self.layout.views(other.vector, names=self.names)
        return other

    def clear(self) -> None:
        """Set every number to 0."""
        kernels.clear(self.vector)


def side_by_side(names: Iterable[str], groups: Collection[Collection[str]]) -> list[str]:
    """The first order of the names in which each group lies side by side.

    Raises OptionError where there is none, or where too many names would have to be tried.

    >>> side_by_side(["encoder", "decoder", "prior"], [["encoder", "prior"]])
    ['encoder', 'prior', 'decoder']
    """
    names = list(names)
    for order in itertools.islice(itertools.permutations(names), math.factorial(MOST_ORDERED)):
        places = [sorted(order.index(name) for name in group) for group in groups]
        if all(at[-1] - at[0] + 1 == len(at) for at in places if at):
            return list(order)
    texts = " and ".join(f"({', '.join(group)})" for group in groups)
    raise OptionError(
        f"in no order of {', '.join(names)} do the networks of each of {texts} lie side by side: "
        f"let one player move the networks that several share, or all of them"
    )


def _length(at: slice) -> int:
    length: int = at.stop - at.start
    return length

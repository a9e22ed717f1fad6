"""A layout says where each array of some networks lies in one flat vector.

    vector = (w_1, b_1, w_2, b_2, ..., 0 ... 0, w_3, ...)

Each network has a slice of the vector, in the order of the networks. The zeros between two networks
are not parameters, and stay 0: with them each slice begins at a cache line, which is faster. What a
player moves is one slice too, because its networks lie side by side (`side_by_side`). A view of the
vector is an array that shares its memory. A layer may borrow the weights of another, transposed, as
nn/tied.py does: it has a view of them, and no place of its own.
"""

import itertools
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ..ground.arguments import Array, Shape
from ..ground.errors import OptionError
from .layer import Layer, Views

LINE = 16  # numbers: one cache line of 64 bytes in float32, two in float64
MOST_ORDERED = 8  # networks for which every order is tried


@dataclass(frozen=True)
class Entry:
    """A named array and its place in the vector, or in the state."""

    name: str  # "encoder.1.w"
    layer: Layer
    key: str  # "w"
    start: int
    shape: Shape
    trained: bool

    def view(self, vector: Array, start: int = 0) -> Array:
        """This entry's view of `vector`, which is the layout's vector from `start` on."""
        first = self.start - start
        return vector[first : first + math.prod(self.shape)].reshape(self.shape)


class Layout:
    """Names, shapes and places of arrays in a vector; it has no memory itself.

    Attributes:
        networks: the networks by name, in their order.
        entries: all named arrays of the networks.
        size: the number of parameters.
        length: the length of the vector, with the zeros between networks.
        state_size: the number of state values, which are saved but not trained.
        slices: each network's slice of the vector.
        state_slices: each network's slice of the state.
    """

    def __init__(self, **networks: Layer) -> None:
        self.networks = networks
        self.entries: list[Entry] = []
        self.size = self.length = self.state_size = 0
        self.slices: dict[str, slice] = {}
        self.state_slices: dict[str, slice] = {}
        seen: dict[Layer, None] = {}
        for name, network in networks.items():
            end, state_start = self.length, self.state_size
            self.length = start = -(-end // LINE) * LINE  # rounded up to whole lines
            self._visit(name, network, seen)
            self.slices[name] = slice(start, self.length)
            if self.length == start:  # a network without parameters needs no zeros before it
                self.length = end
            self.state_slices[name] = slice(state_start, self.state_size)
        self.borrowers = [leaf for leaf in seen if leaf.borrows()]
        for leaf in self.borrowers:
            for lender, _ in leaf.borrows().values():
                if lender not in seen:
                    raise OptionError(
                        f"{leaf} uses the weights of a {lender} that is not trained with it: put "
                        f"that layer object into a network of {', '.join(networks)} too"
                    )

    def _visit(self, path: str, layer: Layer, seen: dict[Layer, None]) -> None:
        if layer in seen:  # a layer used twice has one set of parameters
            return
        seen[layer] = None
        for i, child in enumerate(layer.children()):
            self._visit(f"{path}.{i}", child, seen)
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
        """The slice of the vector that holds these networks and no others.

        Raises OptionError if another network lies between them.
        """
        slices = [self.slices[name] for name in names if _length(self.slices[name])]
        if not slices:
            return slice(0, 0)
        span = slice(min(at.start for at in slices), max(at.stop for at in slices))
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
        """The tree of views of `vector` and, if there is one, `state`; see `tree`.

        With `names`, the tree has these networks only, and `vector` is their span.
        """
        names = self.networks if names is None else names
        start, entries = self.span(names).start, self.entries_of(names)
        arrays = {entry.name: entry.view(vector, start) for entry in entries if entry.trained}
        if state is not None:
            arrays |= {entry.name: entry.view(state) for entry in entries if not entry.trained}
        return self.tree(arrays, names)

    def tree(self, arrays: Mapping[str, Array], names: Collection[str] | None = None) -> Views:
        """Arrays, by the names of their entries, as a tree of networks and layers.

        Each layer has a namespace of its arrays, with transposed views of weights that it
        borrows. A layer that is used twice has the same namespace in both places. Arrays may be
        missing.
        """
        namespaces: dict[Layer, SimpleNamespace] = {}
        for entry in self.entries:
            namespace = namespaces.setdefault(entry.layer, SimpleNamespace())
            if entry.name in arrays:
                setattr(namespace, entry.key, arrays[entry.name])

        for leaf in self.borrowers:
            namespace = namespaces.setdefault(leaf, SimpleNamespace())
            for key, (lender, its_key) in leaf.borrows().items():
                if hasattr(namespaces[lender], its_key):
                    setattr(namespace, key, getattr(namespaces[lender], its_key).T)

        trees: dict[Layer, Views] = dict(namespaces)

        def tree(layer: Layer) -> Views:
            if layer not in trees:
                children = [tree(child) for child in layer.children()]
                trees[layer] = children if layer.children() else SimpleNamespace()
            return trees[layer]

        names = self.networks if names is None else names
        return SimpleNamespace(**{name: tree(self.networks[name]) for name in names})


def side_by_side(names: Iterable[str], groups: Collection[Collection[str]]) -> list[str]:
    """The first order of the names in which each group lies side by side.

    Raises OptionError if there is no such order among the first 8! orders.

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
        f"no order of {', '.join(names)} puts the networks of each of {texts} side by side: "
        f"let one player move the networks that several share, or all of them"
    )


def _length(at: slice) -> int:
    length: int = at.stop - at.start
    return length

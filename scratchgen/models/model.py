"""What every model is to training, checking and saving: players, each with an objective.

A player is a set of networks in one block, trained to minimise one number. A step of training is,
for each player whose turn it is:

    value = model.objective(player, batch, rng, gradient, tape)      value, and gradient += d value
    optimizer.update(block.vector, gradient.vector, memory)
    model.settle(player, tape)

`objective` moves nothing: finite differences of the number it returns, with the same rng, are the
gradient it adds.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..checks import Array, Shape, count, examples, float_type
from ..checks import labels as checked_labels
from ..errors import KindError, OptionError, ShapeError
from ..nn import Block, Gradient, JoinLabels, Layer, Layout, Network, Tape, distinct_leaves
from ..optim import Optimizer
from ..rng import Rng, standard_normal

CHUNK = 1024  # examples that inference handles at once, so that its memory stays small


class Model:
    """The protocol, and what all models share.

    Attributes:
        shape: of one example.
        networks: by name.
        players: the blocks that are trained, by name, in order of their turns.
        training_log: a record of each call of `fit` so far, as plain numbers and strings.
    """

    kind: ClassVar[str]
    network_names: ClassVar[tuple[str, ...]]

    shape: Shape
    latent: int
    numbers: tuple[str, ...]  # what a history holds, and objectives leave as tape.parts

    def __init__(
        self,
        networks: dict[str, Network],
        players: Mapping[str, tuple[str, ...]],
        dtype: Any,
        rng: Rng,
    ) -> None:
        self.networks = networks
        self.dtype = float_type(dtype)
        _expect_no_sharing(networks, players)
        self.players = {
            player: Block(Layout(**{name: networks[name] for name in names}), self.dtype, rng)
            for player, names in players.items()
        }
        self.training_log: list[dict[str, Any]] = []

    def objective(
        self,
        player: str,
        batch: Array,
        rng: Rng,
        gradient: Gradient | None = None,
        tape: Tape | None = None,
        training: bool = True,
        step: int | None = None,
        labels: Array | None = None,
    ) -> float:
        """What `player` minimises, mean per example in nats; its gradient is added into `gradient`.

        batch (N, *shape) as `check` returns it; labels (N,) are for networks with JoinLabels.
        Leaves the parts of the number, by the names that a history has, on the tape as
        `tape.parts`. Updates nothing.

        `step` is that of the run, counted from 0, for what changes in its course, such as a KL term
        that warms up; None is the end of it.
        """
        raise NotImplementedError

    def settle(self, player: str, tape: Tape) -> None:
        """End the player's step: write what the pass on `tape` has learnt about its state."""
        raise NotImplementedError

    def turns(self, step: int) -> tuple[str, ...]:
        """The players that move in that step, counted from 0."""
        return tuple(self.players)

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """The optimizers that `fit` uses where it is given none, for a run of so many steps."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What a file must hold, beside the networks and their arrays, to build the model again."""
        raise NotImplementedError

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> "Model":
        """The model of `settings()`, untrained."""
        raise NotImplementedError

    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """n new examples (n, *shape); with JoinLabels, of those labels (n,)."""
        raise NotImplementedError

    def check(self, x: Any, what: str = "x") -> Array:
        """x as (N, *shape) of the model's dtype, or ShapeError, KindError or DataError."""
        return examples(x, self.shape, self.dtype, what)

    def check_labels(self, labels: Any, n: int) -> Array | None:
        """labels (n,) as int64, for a model whose networks join them; None for one that does not.

        Raises OptionError where they are missing, or not wanted; KindError, ShapeError or DataError
        where they do not fit.
        """
        networks = self.networks.values()
        joins = [leaf for net in networks for leaf in distinct_leaves(net)]
        classes = [leaf.n_labels for leaf in joins if isinstance(leaf, JoinLabels)]
        if classes and labels is None:
            raise OptionError(
                f"this {self.kind} joins a label to each example: give labels=, {n:,} whole "
                f"numbers from 0 to {min(classes) - 1}"
            )
        if not classes and labels is not None:
            raise OptionError(
                f"this {self.kind} has no JoinLabels layer to join labels with: leave labels out, "
                f"or build it with n_labels"
            )
        return checked_labels(labels, n, min(classes)) if classes else None

    def apply(self, name: str, x: Array, labels: Array | None = None) -> Array:
        """The network of that name in evaluation, x (N, ...) -> an array of the caller's own.

        labels (N,) as `check_labels` returns them.

        Works on tapes of its own, so that any number of threads may call it.
        """
        network = self.networks[name]
        block = next(b for b in self.players.values() if name in b.layout.networks)
        p = getattr(block.views, name)
        out = np.empty((len(x), *network.out_shape(network.in_shape)), self.dtype)
        tape = Tape()
        for rows in chunks(len(x)):
            tape.begin(training=False, labels=None if labels is None else labels[rows])
            out[rows] = network.forward(p, x[rows], tape)
        return out

    def check_latents(self, z: Any) -> Array:
        """z as (N, latent) of the model's dtype."""
        return examples(z, (self.latent,), self.dtype, "z")

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z ~ N(0, I): (n, latent)."""
        n = count(n)
        return standard_normal(rng, (n, self.latent), self.dtype)

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return sum(block.layout.size for block in self.players.values())

    def __str__(self) -> str:
        """What it is, in a line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        head = f"{self}, {self.parameter_count():,} parameters"
        return "\n".join([head, *(f"{name}: {net!r}" for name, net in self.networks.items())])


def chunks(n: int) -> Iterator[slice]:
    """Slices that cover range(n), CHUNK at a time."""
    for start in range(0, n, CHUNK):
        yield slice(start, min(start + CHUNK, n))


def by_chunks(f: Callable[[Array], Array], x: Array) -> Array:
    """f(x) for a function that treats examples one by one, a chunk at a time."""
    if not len(x):
        return f(x)
    return np.concatenate([f(x[rows]) for rows in chunks(len(x))])


def expect_output(network: Network, name: str, wanted: Shape, reason: str) -> None:
    """ShapeError unless `network` gives examples of the shape that its place in a model wants."""
    out = network.out_shape(network.in_shape)
    if out != wanted:
        size = f"end it in {math.prod(wanted)} numbers"
        raise ShapeError(f"the {name} gives {out}, wants {wanted}, because {reason}: {size}")


def _expect_no_sharing(
    networks: dict[str, Network], players: Mapping[str, tuple[str, ...]]
) -> None:
    """OptionError where a layer with parameters or state stands in the networks of two players."""
    owner: dict[Layer, str] = {}
    for player, names in players.items():
        for layer in {leaf for name in names for leaf in distinct_leaves(networks[name])}:
            owns = layer.parameters() or layer.state()
            if owns and owner.setdefault(layer, player) != player:
                raise OptionError(
                    f"{layer} stands in the networks of {owner[layer]} and {player}, and only one "
                    f"of them could train it: build a layer for each"
                )


def expect_kind(networks: dict[str, Any]) -> None:
    """KindError unless every part is a Network."""
    for name, network in networks.items():
        if not isinstance(network, Network):
            raise KindError(
                f"{name}={network!r}: wants a Network, such as Network((2,), Dense(2, 8)) of sg.nn"
            )

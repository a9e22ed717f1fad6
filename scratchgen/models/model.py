"""What every model is to training, checking and saving: players, each with an objective.

A player is a set of networks in one block, trained to minimise one number. A step of training is,
for each player whose turn it is:

    value = model.objective(player, batch, rng, gradient, tape)      value, and gradient += d value
    optimizer.update(block.vector, gradient.vector, memory)
    model.settle(player, tape)

`objective` moves nothing: finite differences of the number it returns, with the same rng, are the
gradient it adds.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..checks import (
    MOST_EXAMPLES,
    Array,
    Shape,
    chunks,
    count,
    examples,
    float_type,
    numbers,
    whole,
)
from ..checks import labels as checked_labels
from ..errors import DataError, KindError, OptionError, ShapeError
from ..keywords import ExplainsKeywords
from ..nn import Block, Gradient, JoinLabels, Layer, Layout, Network, Tape, distinct_leaves
from ..nn.layer import Views
from ..optim import Optimizer
from ..rng import Rng, generator, standard_normal
from .decoding import PreparedDecoder
from .trace import Trace, spied


class Model(ExplainsKeywords):
    """The protocol, and what all models share.

    Attributes:
        shape: of one example.
        networks: by name.
        players: the blocks that are trained, by name, in order of their turns.
        training_log: a record of each call of `fit` so far, as plain numbers and strings.
        history: what the last call of `fit` gave, or, after an interrupt, has given so far: name ->
            one number an epoch. It is not saved.
        steps_trained: how many steps all calls of `fit` were, by their records.
    """

    kind: ClassVar[str]
    network_names: ClassVar[tuple[str, ...]]
    replays: ClassVar[bool | None] = False  # whether kernels do all that an objective does

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
        self.history: dict[str, list[float]] = {}

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
        """What `player` minimises, mean per example; its gradient is added into `gradient`.

        batch (N, *shape) as `check` returns it; what is of another dtype is checked here. Raises
        DataError where it holds no examples. labels (N,) are for networks with JoinLabels.
        Leaves the number and its parts, by the names that a history has, on the tape as
        `tape.parts`; the number itself comes first. Updates nothing.

        `step` is that of the model's training, counted from 0 over all calls of `fit`, for what
        changes in its course, such as a KL term that warms up; None is the end of it.
        """
        raise NotImplementedError

    def settle(self, player: str, tape: Tape) -> None:
        """End the player's step: write what the pass on `tape` has learnt about its state."""
        raise NotImplementedError

    def parts(self) -> tuple[Any, ...]:
        """What its objectives call, besides networks: a likelihood, a game, a penalty."""
        return ()

    def passes(self, player: str) -> dict[str, str]:
        """The passes of that player's objective that its number comes from, for `trace`.

        The name of a pass on the objective's tape -> the network that it went through.
        """
        return {name: name for name in self.players[player].layout.networks}

    def minimises(self, player: str) -> list[str]:
        """What `player` minimises, as lines of mathematics, for `scratchgen explain`."""
        return []

    def turns(self, step: int) -> tuple[str, ...]:
        """The players that move in that step, counted from 0."""
        return tuple(self.players)

    def moves(self, player: str, steps: int) -> int:
        """How often `player` moves in the next `steps` steps of training, as `turns` has it."""
        return steps

    @property
    def steps_trained(self) -> int:
        """The steps of all calls of `fit` so far, by the training log."""
        return sum(record["steps"] for record in self.training_log if "steps" in record)

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """The optimizers that `fit` uses where it is given none, for so many steps from here on."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What a file must hold, beside the networks and their arrays, to build the model again."""
        raise NotImplementedError

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> "Model":
        """The model of `settings()`, built with rng=nn.block.BLANK: its caller has the arrays."""
        raise NotImplementedError

    def decode(self, z: Any, labels: Any = None) -> Array:
        """The example that each latent stands for: z (N, latent) -> (N, *shape)."""
        raise NotImplementedError

    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """n new examples (n, *shape); with JoinLabels, of those labels (n,) or of that one."""
        raise NotImplementedError

    def decoder(self, batch: int = 1) -> PreparedDecoder:
        """`decode` for `batch` latents at a time, in the same memory at every call.

        For programs that embed a model: few lines of Python run, and kernels that run as their
        twins, as after `load(path, jit=True)`, take no memory. Any number of threads may share it:
        each works in memory of its own. What a call returns is the caller's; `decode(z, out=x)`
        writes into x (batch, *shape), and then nothing is allocated. It decodes with the weights
        that the model has at the call. Raises OptionError unless batch is at least 1.

        >>> from scratchgen.models import vae
        >>> decode = vae((2,), latent=3, hidden=(4,), rng=0).decoder(batch=1)
        >>> decode([[0.0, 0.0, 0.0]]).shape
        (1, 2)
        """
        batch = whole(batch, "batch", least=1, most=MOST_EXAMPLES)
        name, reading = self._decoding()
        return PreparedDecoder(
            self.networks[name],
            self._views(name),
            self.shape,
            batch,
            self.dtype,
            reading,
            self.check_labels,
            joins_labels=self.n_labels > 0,
            parts=self.parts(),
        )

    def _decoding(self) -> tuple[str, Callable[[Array, Array], Array]]:
        """The network that turns z into x, and what writes its examples into an array."""
        raise NotImplementedError

    def check(self, x: Any, what: str = "x") -> Array:
        """x as (N, *shape) of the model's dtype, or ShapeError, KindError or DataError."""
        return examples(x, self.shape, self.dtype, what)

    def _batch(self, batch: Any) -> Array:
        """The batch of an objective; what is of another dtype or shape than `check` gives, checked.

        Raises DataError where it holds no examples, which have no mean.
        """
        known = isinstance(batch, np.ndarray) and batch.dtype == self.dtype
        if not known or batch.shape[1:] != self.shape:
            batch = self.check(batch, "batch")
        if not len(batch):
            raise DataError(f"batch has shape {batch.shape}, no examples: wants at least one")
        return batch

    def check_as_given(self, x: Any, what: str = "x") -> Array:
        """x (N, *shape) as it was given, of any dtype, if `check` has nothing against it.

        Only a chunk at a time is converted to the model's dtype, so that it takes little memory.
        """
        return _as_given(x, what, self.shape, self.dtype, self.check)

    def check_labels(self, labels: Any, n: int) -> Array | None:
        """labels (n,) as int64, for a model whose networks join them; None for one that does not.

        One whole number is the label of all n.

        Raises OptionError where they are missing, or not wanted; KindError, ShapeError or DataError
        where they do not fit.
        """
        if self.n_labels and labels is None:
            raise OptionError(
                f"this {self.kind} joins a label to each example: give labels=, {n:,} whole "
                f"numbers from 0 to {self.n_labels - 1}"
            )
        if not self.n_labels and labels is not None:
            raise OptionError(
                f"this {self.kind} has no JoinLabels layer to join labels with: leave labels out, "
                f"or build it with n_labels"
            )
        if not self.n_labels:
            return None
        if isinstance(labels, int | np.integer) and not isinstance(labels, bool):
            labels = np.full(n, labels)
        return checked_labels(labels, n, self.n_labels)

    def trace(self, x: Any, rng: Rng = None, labels: Any = None, training: bool = True) -> Trace:
        """What every layer gives for x (N, *shape), and the gradient that comes back to it.

        One pass of each player's objective, all of x as its batch, in which nothing moves. In the
        dict that is returned, names are those of the layers, `encoder.0` or, of a layer in a layer,
        `encoder.2.0`; where a network is passed through more than once, they say in which pass:
        `discriminator.real.0`, `discriminator.fake.0`. A record holds

            .layer                       the layer itself
            .activation (N, ...)         y, what it gave
            .gradient (N, ...)           dL/dy for the mean over the batch, or None where nothing
                                         before that layer learns; in a penalty's pass, dD/dy
            .parameters, .gradients      by name; gradients are those of the player's number, from
                                         all its passes, and empty if the layer is another player's

        All arrays are copies. Printed, the dict is a table.

        Raises ShapeError, KindError or DataError for x that is no data of this model, OptionError
        for a bad rng, or for labels as `check_labels`.
        """
        x = self.check(x)
        if not len(x):
            raise DataError(f"x has shape {x.shape}, no examples: wants at least one")
        labels, rng = self.check_labels(labels, len(x)), generator(rng)
        double = copy.copy(self)
        double.networks = {name: spied(network) for name, network in self.networks.items()}
        trace = Trace()
        for player, block in self.players.items():
            gradient, tape = block.zeros_like(), Tape()
            with np.errstate(under="ignore"):
                double.objective(player, x, rng, gradient, tape, training=training, labels=labels)
            trace.numbers[player] = tape.parts
            for name, of in self.passes(player).items():
                full = name if name == of else f"{of}.{name}"
                p, g = self._views(of), getattr(gradient.views, of, None)
                trace.note(player, full, double.networks[of], p, g, tape.inner(name))
        return trace

    def apply(self, name: str, x: Array, labels: Array | None = None) -> Array:
        """The network of that name in evaluation, x (N, ...) -> an array of the caller's own.

        labels (N,) as `check_labels` returns them.

        Works on tapes of its own, so that any number of threads may call it.
        """
        network = self.networks[name]
        out = np.empty((len(x), *network.out_shape(network.in_shape)), self.dtype)
        for rows, y in self._by_chunks(name, x, labels):
            out[rows] = y
        return out

    def _by_chunks(
        self, name: str, x: Array, labels: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """As `apply`, a chunk at a time: which examples, and what the network gives for them.

        The next chunk writes over it.
        """
        network, p, tape = self.networks[name], self._views(name), Tape()
        for rows in chunks(len(x)):
            tape.begin(training=False, labels=None if labels is None else labels[rows])
            with np.errstate(under="ignore"):
                part = np.ascontiguousarray(x[rows], self.dtype)
                y = network.forward(p, part, tape)
            yield rows, y

    def _views(self, name: str) -> Views:
        """The parameters of the network of that name."""
        block = next(b for b in self.players.values() if name in b.layout.networks)
        return getattr(block.views, name)

    def check_latents(self, z: Any, what: str = "z") -> Array:
        """z as (N, latent) of the model's dtype."""
        return examples(z, (self.latent,), self.dtype, what)

    def check_latents_as_given(self, z: Any) -> Array:
        """z (N, latent) as it was given, of any dtype, if `check_latents` accepts it."""
        return _as_given(z, "z", (self.latent,), self.dtype, self.check_latents)

    def _decode_draws(self, n: int, rng: np.random.Generator, labels: Any) -> Array:
        """`decode` of n draws of z ~ N(0, I), a chunk at a time: (n, *shape)."""
        n = count(n)
        labels = self.check_labels(labels, n)
        out = np.empty((n, *self.shape), self.dtype)
        for rows in chunks(n):
            z = self.draw_latents(rows.stop - rows.start, rng)
            out[rows] = self.decode(z, None if labels is None else labels[rows])
        return out

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z ~ N(0, I): (n, latent)."""
        n = count(n)
        return standard_normal(rng, (n, self.latent), self.dtype)

    @property
    def n_labels(self) -> int:
        """How many classes the networks are told apart by; 0 where none joins labels."""
        leaves = (leaf for net in self.networks.values() for leaf in distinct_leaves(net))
        return min((leaf.n_labels for leaf in leaves if isinstance(leaf, JoinLabels)), default=0)

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return sum(block.layout.size for block in self.players.values())

    def __str__(self) -> str:
        """What it is, in a line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        head = f"{self}, {self.parameter_count():,} parameters"
        return "\n".join([head, *(f"{name}: {net!r}" for name, net in self.networks.items())])


def _as_given(
    x: Any, what: str, shape: Shape, dtype: Any, check: Callable[[Array, str], Array]
) -> Array:
    """x (N, *shape) as it is, once `check`, which converts to `dtype`, has accepted its chunks."""
    given = numbers(x, what)
    if given.shape[1:] != shape or (given.dtype == dtype and given.flags.c_contiguous):
        return check(given, what)  # which has nothing to convert
    try:
        for rows in chunks(len(given)):
            check(given[rows], what)
    except DataError:
        check(given, what)  # its error tells of all of x
    return given


def expect_output(network: Network, name: str, wanted: Shape, reason: str) -> None:
    """ShapeError unless `network` gives examples of the shape that its place in a model wants."""
    out = network.out_shape(network.in_shape)
    if out != wanted:
        reshape = "Flatten()" if len(wanted) == 1 else f"Reshape({wanted})"
        end = f"end it in {math.prod(wanted)} numbers"
        if math.prod(out) == math.prod(wanted):
            end = f"put {reshape} at its end"
        elif len(wanted) > 1:
            end += f" and {reshape}"
        raise ShapeError(f"the {name} gives {out}, wants {wanted}, because {reason}: {end}")


def with_values(part: Any) -> str:
    """The formula of a likelihood or a penalty, and the values of the settings in it."""
    values = [
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in vars(part).items()
    ]
    return ", ".join([part.formula or part.name, *values])


def _expect_no_sharing(
    networks: dict[str, Network], players: Mapping[str, tuple[str, ...]]
) -> None:
    """OptionError where a layer with parameters or state stands in the networks of two players."""
    owner: dict[Layer, str] = {}
    for player, names in players.items():
        for layer in dict.fromkeys(
            leaf for name in names for leaf in distinct_leaves(networks[name])
        ):
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

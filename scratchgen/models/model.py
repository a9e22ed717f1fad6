"""What every model is to training, checking and saving: players, each with an objective.

A player is a set of networks in one block, trained to minimise one number. A step of training is,
for each player whose turn it is:

    value = model.objective(player, batch, rng, gradient, tape)      value, and gradient += d value
    optimizer.update(block.vector, gradient.vector, memory)
    model.settle(player, tape)

`objective` moves nothing: finite differences of the number it returns, with the same rng, are the
gradient it adds. It is the same for all models, and calls `minimise`, in which each has its
mathematics.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..applying import PreparedDecoder, by_chunks
from ..checks import (
    MOST_EXAMPLES,
    Array,
    Shape,
    chunks,
    count,
    exact_type,
    examples,
    float_type,
    numbers,
    one_of,
    whole,
)
from ..checks import labels as checked_labels
from ..data.scaling import Scaler
from ..errors import DataError, KindError, OptionError, ShapeError
from ..kernels import standard_normal
from ..keywords import ExplainsKeywords, explains_keywords
from ..nn import Block, Gradient, JoinLabels, Layer, Layout, Network, Tape, distinct_leaves
from ..nn.layer import Views
from ..optim import Optimizer
from ..rng import Rng, generator
from .trace import Trace, spied


class Model(ExplainsKeywords):
    """The protocol, and what all models share.

    Attributes:
        shape: of one example.
        networks: by name.
        players: the blocks that are trained, by name, in order of their turns.
        scaler: what its data are scaled by, or None. Objectives, networks and latents know only
            scaled data; whatever else takes or gives x has the user's units, in float64.
        training_log: a record of each call of `fit` so far, as plain numbers and strings.
        history: what the last call of `fit` gave, or, after an interrupt, has given so far: name ->
            one number an epoch. It is not saved.
        steps_trained: how many steps all calls of `fit` were, by their records.
    """

    kind: ClassVar[str]
    network_names: ClassVar[tuple[str, ...]]
    # where the default settings learn, column by column of the data; see docs/your-data.md
    spreads: ClassVar[tuple[float, float]] = (0.15, 3.0)  # bounds of the standard deviation
    farthest: ClassVar[float] = 3.0  # bound of |mean|

    shape: Shape
    latent: int
    numbers: tuple[str, ...]  # the names of what a history holds, and of tape.parts

    def __init__(
        self,
        networks: dict[str, Network],
        players: Mapping[str, tuple[str, ...]],
        dtype: Any,
        rng: Rng,
        scaler: Scaler | None = None,
    ) -> None:
        self.networks = networks
        self.scaler = self._fitting(scaler)
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
        one_of(player, self.players, "player")
        batch, rng = self._batch(batch), generator(rng)
        tape = (tape or Tape()).begin(training=training, rng=rng, labels=labels, step=step)
        tape.reports = as_arrays(self.minimise(player, batch, tape, gradient))
        tape.parts = as_floats(tape.reports)
        value: float = next(iter(tape.parts.values()))
        return value

    def minimise(
        self, player: str, batch: Array, tape: Tape, gradient: Gradient | None
    ) -> dict[str, Array]:
        """The mathematics of `objective`: the player's number, and its parts, by name, (1,) each.

        batch (N, *shape) is checked, N at least 1, and `tape` has begun; the noise comes from
        `tape.rng`, and what changes in the course of training from `tape.number`.
        """
        raise NotImplementedError

    def forward(self, name: str, x: Array, tape: Tape, on: str = "") -> Array:
        """The network of that name, in a pass of an objective: x (N, ...) -> (N, ...).

        `on` is the name of the pass, where a network is passed through more than once.
        """
        return self.networks[name].forward(self._views(name), x, tape.inner(on or name))

    def backward(
        self,
        name: str,
        dy: Array,
        tape: Tape,
        gradient: Gradient,
        on: str = "",
        need_dx: bool = True,
    ) -> Any:
        """The way back through a pass of `forward`: dL/dy (N, ...) -> dL/dx, None without need_dx.

        The gradient of the network's parameters is added if the player moves that network.
        """
        g = getattr(gradient.views, name, None)
        return self.networks[name].backward(
            self._views(name), dy, tape.inner(on or name), g, need_dx
        )

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

    @explains_keywords
    def decoder(self, batch: int = 1) -> PreparedDecoder:
        """`decode` for `batch` latents at a time, for programs that embed a model; see applying.py.

        Any number of threads may share it. What a call returns is the caller's; `decode(z, out=x)`
        writes into x (batch, *shape), and after `load(path, jit=True)` then allocates nothing. It
        decodes with the weights that the model has at the call. Raises OptionError unless batch is
        at least 1.

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
            scaler=self.scaler,
        )

    def _decoding(self) -> tuple[str, Callable[[Array], Array]]:
        """The network that turns z into x, and what reads the examples in what it gives."""
        raise NotImplementedError

    def check(self, x: Any, what: str = "x") -> Array:
        """x (N, *shape) as an objective takes it: scaled by the model's scaler, of its dtype.

        Raises ShapeError, KindError or DataError for x that is no data of this model.
        """
        if self.scaler is None:
            return examples(x, self.shape, self.dtype, what)
        x = _as_given(x, what, self.shape, self._check_numbers)
        y = np.empty(x.shape, self.dtype)
        with np.errstate(under="ignore"):
            for rows in chunks(len(x), self.shape):
                y[rows] = self.scaler.apply(x[rows], what)
        self._expect_range(y, what)
        return y

    def _check_numbers(self, x: Array, what: str) -> Array:
        """x (N, *shape), not scaled, if it holds finite numbers."""
        return examples(x, self.shape, exact_type(x), what)

    def bounds(self) -> tuple[float, float, str] | None:
        """The range of the numbers that it can give, and why; None where they may be any."""
        return None

    def is_density(self) -> bool:
        """Whether its examples are measurements, with a density; classes are none."""
        return True

    def in_units(self, y: Array) -> Array:
        """Scaled examples y (N, *shape) -> x in the user's units, with a scaler float64."""
        return y if self.scaler is None else self.scaler.undo(y)

    def _fitting(self, scaler: Any) -> Scaler | None:
        """The scaler, if it can be one of this model."""
        if scaler is None:
            return None
        if not isinstance(scaler, Scaler):
            raise KindError(
                f"scaler={scaler!r}: wants sg.data.Scaler.standard(x) or sg.data.Scaler.min_max(x),"
                f" fitted on the data x to train on"
            )
        if len(self.shape) > 1:
            raise OptionError(
                f"a {scaler} is of vectors (D,), and this {self.kind} of {self.shape}: divide "
                f"pictures, whose numbers share one unit, by their largest; or take "
                f"x.reshape(len(x), -1) and a model of ({math.prod(self.shape)},)"
            )
        if self.shape != (scaler.width,):
            raise ShapeError(
                f"the {scaler} is of {scaler.width} columns, and this {self.kind} of {self.shape}: "
                f"fit it on the data to train on"
            )
        bounds = self.bounds()
        if not bounds and not self.is_density():
            raise OptionError(
                f"a {scaler} does not go with this {self.kind}, because classes are no "
                f"measurements: leave it out, or take another likelihood"
            )
        if bounds and scaler.name == "standard":
            raise OptionError(
                f"a {scaler} does not go with this {self.kind}, because {bounds[2]}, and scaled "
                f"numbers would leave [{bounds[0]:g}, {bounds[1]:g}]: take a min_max scaler"
            )
        return scaler

    def _expect_range(self, y: Array, what: str) -> None:
        """DataError for scaled data that lie where the model could give nothing."""
        bounds, scaler = self.bounds(), self.scaler
        if not bounds or scaler is None:
            return
        low, high, reason = bounds
        bad = np.flatnonzero(((y < low) | (y > high)).any(axis=0))
        if len(bad):
            j = bad[0]
            least, most = (
                scaler.undo(np.full((1, scaler.width), edge))[0, j] for edge in (low, high)
            )
            came = scaler.undo(y[:, [j] * scaler.width])[:, j]
            raise DataError(
                f"column {j} of {what} goes from {came.min():g} to {came.max():g}, wants values in "
                f"[{least:g}, {most:g}], as the {scaler} was fitted on, because {reason}: cut them "
                f"with np.clip, or fit the scaler on data that hold them"
            )

    def _log_det(self) -> float:
        """What scaling adds to log p(x) of a density, in nats; (3) of data/scaling.py."""
        return self.scaler.log_det if self.scaler is not None and self.is_density() else 0.0

    def _scaler_settings(self) -> dict[str, Any]:
        """The entry of the scaler in `settings`; empty where there is no scaler."""
        return {} if self.scaler is None else {"scaler": self.scaler.settings()}

    @staticmethod
    def _scaler_of(settings: dict[str, Any]) -> Scaler | None:
        """The scaler that `_scaler_settings` has described, or None."""
        return Scaler(**settings["scaler"]) if "scaler" in settings else None

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

        Only a chunk at a time is scaled and converted, so that it takes little memory; see
        `scaled`.
        """
        return _as_given(x, what, self.shape, self.check)

    def scaled(self, x: Array) -> Array:
        """Of x (N, *shape) as `check_as_given` gives it, what `check` would give."""
        y = x if self.scaler is None else self.scaler.apply(x)
        with np.errstate(over="ignore", under="ignore"):
            return np.require(y, self.dtype, ["C", "ALIGNED"])

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

    @explains_keywords
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
        watched = copy.copy(self)
        watched.networks = {name: spied(network) for name, network in self.networks.items()}
        trace = Trace()
        for player, block in self.players.items():
            gradient, tape = block.zeros_like(), Tape()
            with np.errstate(under="ignore"):
                watched.objective(player, x, rng, gradient, tape, training=training, labels=labels)
            trace.numbers[player] = tape.parts
            for name, of in self.passes(player).items():
                full = name if name == of else f"{of}.{name}"
                p, g = self._views(of), getattr(gradient.views, of, None)
                trace.note(player, full, watched.networks[of], p, g, tape.inner(name))
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
        """As `apply`, a chunk at a time: the slice of examples, and what the network gives for it.

        That is the caller's until the next chunk.
        """
        return by_chunks(self.networks[name], self._views(name), x, labels, self.shape, self.dtype)

    def _pass_data(
        self, name: str, x: Array, labels: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """As `_by_chunks`, for examples x (N, *shape) as `check_as_given` gives them."""
        for rows in chunks(len(x), self.shape):
            of_rows = None if labels is None else labels[rows]
            yield rows, self.apply(name, self.scaled(x[rows]), of_rows)

    def _room(self, n: int) -> Array:
        """Memory for n examples in the user's units: (n, *shape), with a scaler float64."""
        return np.empty((n, *self.shape), self.dtype if self.scaler is None else np.float64)

    def _views(self, name: str) -> Views:
        """The parameters of the network of that name."""
        block = next(b for b in self.players.values() if name in b.layout.networks)
        return getattr(block.views, name)

    def check_latents(self, z: Any, what: str = "z") -> Array:
        """z as (N, latent) of the model's dtype."""
        return examples(z, (self.latent,), self.dtype, what)

    def check_latents_as_given(self, z: Any) -> Array:
        """z (N, latent) as it was given, of any dtype, if `check_latents` accepts it."""
        return _as_given(z, "z", (self.latent,), self.check_latents)

    def _decode_draws(self, n: int, rng: np.random.Generator, labels: Any) -> Array:
        """`decode` of n draws of z ~ N(0, I), a chunk at a time: (n, *shape)."""
        n = count(n)
        labels = self.check_labels(labels, n)
        out = self._room(n)
        for rows in chunks(n, self.shape):
            z = self.draw_latents(rows.stop - rows.start, rng)
            out[rows] = self.decode(z, None if labels is None else labels[rows])
        return out

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z ~ N(0, I): (n, latent)."""
        n = count(n)
        return standard_normal(rng, (n, self.latent), self.dtype)

    @property
    def n_labels(self) -> int:
        """How many classes the labels come from; 0 where no network joins labels."""
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


def as_arrays(reports: Mapping[str, Any]) -> dict[str, Array]:
    """The numbers that `minimise` has reported, plain or not, as arrays (1,).

    Raises ShapeError where there is more than one number by a name.
    """
    arrays = {name: np.atleast_1d(number) for name, number in reports.items()}
    for name, x in arrays.items():
        if x.shape != (1,):
            raise ShapeError(
                f"minimise gave {name} of shape {x.shape}, wants one number: a mean over the batch"
            )
    return arrays


def as_floats(reports: Mapping[str, Array]) -> dict[str, float]:
    """Numbers that are reported as arrays (1,), by the same names."""
    return {name: float(x[0]) for name, x in reports.items()}


def _as_given(x: Any, what: str, shape: Shape, check: Callable[[Array, str], Array]) -> Array:
    """x (N, *shape) as it is, once `check` has accepted each chunk; otherwise, its error."""
    given = numbers(x, what)
    if given.shape[1:] != shape:
        return check(given, what)  # which raises
    try:
        for rows in chunks(len(given), shape):
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

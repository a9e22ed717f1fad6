"""What every model is: networks in one vector, settings, and players that take turns to move.

A family is a class of models. Its fields are its networks, whose parameters lie side by side in one
vector, and its settings. Each player moves some of the networks; `minimise` is what it minimises,
written in the order of the paper. A step of training is, for each player whose turn it is:

    value = model.objective(player, batch, rng, gradient)     value, and gradient += d value
    optimizer.update(theta, gradient.vector, memory)          theta = model.theta(player)
    model.settle(player, tape)

`objective` moves nothing, so that its gradient can be checked: it agrees with finite differences of
the number that `objective` returns, from the same rng. Two players may move the same network, each
with a gradient and optimizer moments of its own.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

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
from ..errors import DataError, KindError, OptionError, ShapeError, cut
from ..kernels import standard_normal
from ..keywords import ExplainsKeywords, explains_keywords
from ..nn import Block, Gradient, Layout, Network, Tape, joined_labels
from ..nn.block import BLANK, side_by_side
from ..nn.layer import Views
from ..optim import Optimizer
from ..parts import build, check_settings, describe, setting, settings_of
from ..rng import Rng, generator
from .fitting import (
    Bounds,
    expect_families,
    expect_free_names,
    expect_networks,
    expect_own_layers,
    expect_players,
    expect_range,
    fitting_scaler,
)
from .passes import Pass
from .recipes import Recipe
from .trace import Trace, spied

M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])
Hold = Callable[[str, Array], Array]  # (name, x) -> the x of the first call by that name
COMMON = ("dtype", "rng", "scaler")  # fields of every model, which are no settings of its family
OF_MODELS = ("shape", "latent", "block", "training_log", "history")  # what they have once built


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, setting))
def family(kind: type[M]) -> type[M]:
    """Declares a class of models; its fields, in order, are the arguments of its constructor.

    Raises OptionError for a field that has the name of something that every model has.
    """
    expect_free_names(kind, taken=OF_MODELS)
    return dataclasses.dataclass(eq=False, repr=False)(kind)


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class Model(ExplainsKeywords):
    """What all families share.

    A family is declared with @family. Its fields of type Network are its networks; all others,
    except for the three below, are its settings. `players` says who moves which networks,
    `fit_together` checks that they fit, and `minimise` is what each player minimises.

    Args:
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: a Scaler for vectors, or None. Methods that take x then take it in the user's units,
            and those that return x return it so, in float64; objectives and networks only see
            scaled data.

    Attributes:
        shape, latent: of one example, and the size of z.
        block: the memory of all networks.
        training_log: a record of each call of `fit` so far, as plain numbers and strings.
        history: the history of the last call of `fit`, or after an interrupt what there is of it:
            name -> one number an epoch. It is not saved.
    """

    kind: ClassVar[str]
    players: ClassVar[Mapping[str, tuple[str, ...]]]  # the networks that each moves, in turn
    # the scale of data on which the default settings learn, by column; see docs/your-data.md
    spreads: ClassVar[tuple[float, float]] = (0.15, 3.0)  # bounds of the standard deviation
    farthest: ClassVar[float] = 3.0  # bound of |mean|
    # what a model can do
    encodes: ClassVar[bool] = False  # x -> z: encode, reconstruct
    has_likelihood: ClassVar[bool] = False  # p(x|z): sample(noise=True)
    scores: ClassVar[bool] = False  # x -> how real it seems: score
    plays_a_game: ClassVar[bool] = False  # samples against a discriminator: loss, value_of_game
    recipes: ClassVar[Mapping[str, Recipe]] = {}  # by name, the ways to build one from sizes

    dtype: Any = "float32"
    rng: dataclasses.InitVar[Rng] = None
    scaler: Any = None

    def __post_init__(self, rng: Rng) -> None:
        self.shape: Shape
        self.latent: int
        networks = self.networks
        expect_families(type(self))
        expect_players(self.players, type(self).__name__)
        expect_networks(networks)
        check_settings(self)
        self.fit_together()
        of = (self.kind, self.shape, self.bounds(), self.is_density())
        self.scaler: Scaler | None = fitting_scaler(self.scaler, *of)
        self.dtype = float_type(self.dtype)
        expect_own_layers(networks, self.players)
        moved = [name for names in self.players.values() for name in names]
        if missing := [name for name in moved if name not in networks]:
            raise OptionError(
                f"a player of {type(self).__name__} moves {missing[0]!r}, which is none of its "
                f"networks, {', '.join(networks)}: declare a field, {missing[0]}: Network"
            )
        order = side_by_side(dict.fromkeys([*moved, *networks]), self.players.values())
        layout = Layout(**{name: networks[name] for name in order})
        self.block = Block(layout, self.dtype, rng)
        self.training_log: list[dict[str, Any]] = []
        self.history: dict[str, list[float]] = {}

    def fit_together(self) -> None:
        """Set `shape` and `latent`; an error where the networks and parts do not fit each other."""
        raise NotImplementedError

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the numbers in a history, and in tape.parts."""
        raise NotImplementedError

    @property
    def networks(self) -> Mapping[str, Network]:
        """The networks by name, read-only; `model.encoder = ...` replaces one."""
        return MappingProxyType({name: getattr(self, name) for name in network_names(type(self))})

    @property
    def vector(self) -> Array:
        """All parameters (P,), with a few zeros between networks, which are no parameters."""
        return self.block.vector

    @property
    def state(self) -> Array:
        """All that is kept and not trained (S,), such as running means."""
        return self.block.state

    @property
    def views(self) -> Views:
        """Windows into the vector and the state, by name: `model.views.encoder[1].w`."""
        return self.block.views

    def theta(self, player: str) -> Array:
        """The parameters that the player moves, a window into `vector`."""
        return self.block.theta(self.players[player])

    def gradient(self, player: str) -> Gradient:
        """Zeros in the layout of `theta(player)`, for gradients to be added into."""
        return self.block.zeros_like(self.players[player])

    def is_finite(self) -> bool:
        """Whether every parameter and every number of the state is finite."""
        return self.block.is_finite()

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

        batch is (N, *shape) as `check` returns it; a batch of another dtype is checked here. Raises
        DataError for a batch without examples. labels (N,) are for models that want them.
        `tape.parts` then holds the number, first, and its parts, by the names of a history.
        Updates nothing.

        `step` counts the model's steps of training from 0, over all calls of `fit`. Settings that
        change during training depend on it, such as a KL warm-up; None is the end of training.
        """
        one_of(player, self.players, "player")
        batch, rng = self._batch(batch), generator(rng)
        tape = (tape or Tape()).begin(training=training, rng=rng, labels=labels, step=step)
        now = Pass(self.networks, self.views, player, batch, tape, gradient)
        tape.reports = as_arrays(self.minimise(now))
        tape.parts = as_floats(tape.reports)
        value: float = next(iter(tape.parts.values()))
        return value

    def minimise(self, now: Pass) -> dict[str, Array]:
        """The mathematics of `objective`: the player's number, and its parts, by name, (1,) each.

        now.batch (N, *shape) is checked, with N at least 1. Noise comes from `now`, and a number
        that changes during training from `now.number`.
        """
        raise NotImplementedError

    def surrogate(self, player: str) -> Callable[[Pass, Hold], Array] | None:
        """A number whose derivative the gradient is, where on purpose that is not the player's own.

        A function (now, hold) -> (1,), which draws the noise that `minimise` draws. hold(name, x)
        returns x as it was at the parameters at which the gradient is taken. None, as for most
        models, where the gradient is that of the player's number.
        """
        return None

    def settle(self, player: str, tape: Tape) -> None:
        """End the player's step: write into the state what the passes on `tape` learnt about it."""
        for on, name in tape.settling.items():
            self.networks[name].settle(getattr(self.views, name), tape.inner(on))

    def parts(self) -> tuple[Any, ...]:
        """The settings that objectives call, such as a likelihood, a game or a penalty."""
        fields = (field for field in family_settings(type(self)) if field.metadata.get("known"))
        values = [getattr(self, field.name) for field in fields]
        return tuple(value for value in values if value is not None)

    def minimises(self, player: str) -> list[str]:
        """What `player` minimises, as lines of mathematics, for `scratchgen explain`."""
        return []

    def remarks(self) -> list[str]:
        """What to know about its settings before training, a sentence each; mostly nothing."""
        return []

    def steps_to_check(self) -> tuple[int | None, ...]:
        """Steps at which to check gradients: None, and others where the objective differs."""
        return (None,)

    def turns(self, step: int) -> tuple[str, ...]:
        """The players that move in that step, counted from 0."""
        return tuple(self.players)

    def moves(self, player: str, steps: int) -> int:
        """How often `player` moves in the next `steps` steps of training, by `turns`."""
        return steps

    @property
    def steps_trained(self) -> int:
        """How many steps all calls of `fit` so far have taken, by the training log."""
        return sum(record["steps"] for record in self.training_log if "steps" in record)

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """The optimizers that `fit` uses by default, for the next `steps` steps, by player."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What a file needs, beside the networks and their arrays, to build the model again."""
        plain: dict[str, Any] = {}
        for field in family_settings(type(self)):
            value, known = getattr(self, field.name), field.metadata.get("known")
            plain[field.name] = value if known is None else describe(value, known)
        return {**plain, "scaler": None if self.scaler is None else self.scaler.settings()}

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> Self:
        """The model of these `settings()`, with arrays of 0, which the caller fills.

        Raises OptionError where these are the settings of no such model.
        """
        wanted = [*(field.name for field in family_settings(cls)), "scaler"]
        if set(settings) != set(wanted):
            raise OptionError(
                f"the settings {cut(', '.join(map(str, settings)))} do not fit: {cls.kind} has "
                f"{', '.join(wanted)}"
            )
        plain = dict(settings)
        scaler = plain.pop("scaler")
        for field in family_settings(cls):
            known = field.metadata.get("known")
            if known is not None:
                plain[field.name] = build(plain[field.name], known)
        return cls(
            **networks,
            **plain,
            dtype=dtype,
            rng=BLANK,
            scaler=None if scaler is None else Scaler(**scaler),
        )

    @classmethod
    def named(
        cls,
        text: str,
        like: str = "",
        fixed: tuple[str, ...] = (),
        pictures: Mapping[str, Any] | None = None,
        vectors: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]:
        """Declares a function as a recipe of this family; see recipes.py.

        `like` names another recipe, whose settings are taken too, and its defaults where none is
        given here.
        """

        def declare(build: F) -> F:
            own, name = cls.recipes, build.__name__
            base = own[like] if like else Recipe(build, cls, text)
            cls.recipes = {
                **own,
                name: Recipe(
                    build,
                    cls,
                    text,
                    {**base.pictures, **(pictures or {})},
                    {**base.vectors, **(vectors or {})},
                    fixed,
                    base if like else None,
                ),
            }
            return build

        return declare

    def decode(self, z: Any, labels: Any = None) -> Array:
        """The example of each latent vector: z (N, latent) -> (N, *shape)."""
        raise NotImplementedError

    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """n new examples (n, *shape); labels (n,), or one for all, are for JoinLabels."""
        raise NotImplementedError

    @explains_keywords
    def prepared_decoder(self, batch: int = 1) -> PreparedDecoder:
        """`decode` for `batch` latents at a time, for programs that embed a model; see applying.py.

        Any number of threads may share it. What a call returns is the caller's; `decode(z, out=x)`
        writes into x (batch, *shape), and after `load(path, jit=True)` then allocates nothing. It
        decodes with the weights that the model has at the call. Raises OptionError unless batch is
        at least 1.

        >>> from scratchgen.models import vae
        >>> decode = vae((2,), latent=3, hidden=(4,), rng=0).prepared_decoder(batch=1)
        >>> decode([[0.0, 0.0, 0.0]]).shape
        (1, 2)
        """
        batch = whole(batch, "batch", least=1, most=MOST_EXAMPLES)
        name, reading = self._decoding()
        return PreparedDecoder(
            self.networks[name],
            getattr(self.views, name),
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
        """The name of the network that decodes z, and a function from its output to examples."""
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
        expect_range(y, what, self.bounds(), self.scaler)
        return y

    def _check_numbers(self, x: Array, what: str) -> Array:
        """x (N, *shape), not scaled; an error for numbers that are not finite."""
        return examples(x, self.shape, exact_type(x), what)

    def bounds(self) -> Bounds:
        """The range of the numbers that it can generate, and why; None for any number."""
        return None

    def is_density(self) -> bool:
        """Whether examples are measurements, with a density, as classes are not."""
        return True

    def in_units(self, y: Array) -> Array:
        """Scaled examples y (N, *shape) -> x in the user's units, with a scaler float64."""
        return y if self.scaler is None else self.scaler.undo(y)

    def _log_det(self) -> float:
        """What scaling adds to log p(x) of a density, in nats; (3) of data/scaling.py."""
        return self.scaler.log_det if self.scaler is not None and self.is_density() else 0.0

    def _batch(self, batch: Any) -> Array:
        """The batch as `check` returns it; only checked where its dtype or shape is another.

        Raises DataError for no examples, which have no mean.
        """
        known = isinstance(batch, np.ndarray) and batch.dtype == self.dtype
        if not known or batch.shape[1:] != self.shape:
            batch = self.check(batch, "batch")
        if not len(batch):
            raise DataError(f"batch has shape {batch.shape}, no examples: wants at least one")
        return batch

    def check_as_given(self, x: Any, what: str = "x") -> Array:
        """x (N, *shape) as it is, of any dtype, if `check` accepts it; else the error of `check`.

        To save memory, it is checked a chunk at a time; `scaled` then scales and converts.
        """
        return _as_given(x, what, self.shape, self.check)

    def scaled(self, x: Array) -> Array:
        """What `check` would return for x (N, *shape) that `check_as_given` has accepted."""
        y = x if self.scaler is None else self.scaler.apply(x)
        with np.errstate(over="ignore", under="ignore"):
            return np.require(y, self.dtype, ["C", "ALIGNED"])

    def check_labels(self, labels: Any, n: int, network: str = "") -> Array | None:
        """labels (n,) as int64, for a model that wants them; None for one that does not.

        A single int is the label of all n. With `network`, labels may be left out where that
        network joins none.

        Raises OptionError where they are missing, or not wanted; KindError, ShapeError or DataError
        where they do not fit.
        """
        wanted = joined_labels(getattr(self, network)) if network else self.n_labels
        if labels is None and wanted:
            raise OptionError(
                f"this {self.kind} wants the label of each example: give labels=, {n:,} whole "
                f"numbers from 0 to {self.n_labels - 1}"
            )
        if labels is not None and not self.n_labels:
            raise OptionError(
                f"this {self.kind} has no JoinLabels layer to join labels with: leave labels out, "
                f"or build it with n_labels"
            )
        if labels is None:
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
        `discriminator.real.0`, `discriminator.fake.0`, and where several players go back through
        one of the same name, from the second on whose turn it is: `encoder.generator.0`. A record
        holds

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
        for name, network in self.networks.items():
            setattr(watched, name, spied(network))
        trace = Trace()
        for player in self.players:
            gradient, tape = self.gradient(player), Tape()
            with np.errstate(under="ignore"):
                watched.objective(player, x, rng, gradient, tape, training=training, labels=labels)
            trace.numbers[player] = tape.parts
            for on, name in tape.passes.items():
                if on not in tape.back:
                    continue
                full = on if on == name else f"{name}.{on}"
                full = f"{full}.{player}" if full in trace.passes else full
                p, g = getattr(self.views, name), getattr(gradient.views, name, None)
                trace.note(player, full, getattr(watched, name), p, g, tape.inner(on))
        return trace

    def apply(self, name: str, x: Array, labels: Array | None = None) -> Array:
        """The network of that name in evaluation, x (N, ...) -> an array of the caller's own.

        labels (N,) are as `check_labels` returns them. Any number of threads may call it: each call
        has tapes of its own.
        """
        network = self.networks[name]
        out = np.empty((len(x), *network.out_shape(network.in_shape)), self.dtype)
        for rows, y in self._by_chunks(name, x, labels):
            out[rows] = y
        return out

    def _by_chunks(
        self, name: str, x: Array, labels: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """As `apply`, but a chunk at a time: the slice of x, and the network's output for it.

        The output is valid until the next chunk is asked for.
        """
        network, p = getattr(self, name), getattr(self.views, name)
        return by_chunks(network, p, x, labels, self.shape, self.dtype)

    def _pass_data(
        self, name: str, x: Array, labels: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """As `_by_chunks`, for x (N, *shape) as `check_as_given` returns it, not yet scaled."""
        for rows in chunks(len(x), self.shape):
            of_rows = None if labels is None else labels[rows]
            yield rows, self.apply(name, self.scaled(x[rows]), of_rows)

    def _room(self, n: int) -> Array:
        """An empty array for n examples (n, *shape) in the user's units: float64 with a scaler."""
        return np.empty((n, *self.shape), self.dtype if self.scaler is None else np.float64)

    def check_latents(self, z: Any, what: str = "z") -> Array:
        """z as (N, latent) of the model's dtype."""
        return examples(z, (self.latent,), self.dtype, what)

    def check_latents_as_given(self, z: Any) -> Array:
        """z (N, latent) as it was given, of any dtype, if `check_latents` accepts it."""
        return _as_given(z, "z", (self.latent,), self.check_latents)

    def _decode_draws(self, n: int, rng: np.random.Generator, labels: Any) -> Array:
        """`decode` of n draws of z from `draw_latents`, a chunk at a time: (n, *shape)."""
        n = count(n)
        labels = self.check_labels(labels, n)
        out = self._room(n)
        for rows in chunks(n, self.shape):
            z = self.draw_latents(rows.stop - rows.start, rng)
            out[rows] = self.decode(z, None if labels is None else labels[rows])
        return out

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z for samples, here of N(0, I): (n, latent)."""
        n = count(n)
        return standard_normal(rng, (n, self.latent), self.dtype)

    @property
    def n_labels(self) -> int:
        """How many classes the labels come from; 0 for a model that wants none.

        The networks that join labels say so; the others need none.
        """
        counts = map(joined_labels, self.networks.values())
        return min((n for n in counts if n), default=0)

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return self.block.layout.size

    def __str__(self) -> str:
        """The model in a line: its parts, and the settings that differ from their defaults."""
        parts = [f"latent {self.latent}"]
        for field in family_settings(type(self)):
            value, words = getattr(self, field.name), field.name.replace("_", " ")
            if value is not None and value != field.default:
                shown = f"{value:g}" if isinstance(value, float) else f"{value}"
                parts.append(f"{words} {shown}")
        parts += [str(self.scaler)] if self.scaler else []
        return f"{self.kind} of {self.shape}: {', '.join(parts)}"

    def __repr__(self) -> str:
        head = f"{self}, {self.parameter_count():,} parameters"
        return "\n".join([head, *(f"{name}: {net!r}" for name, net in self.networks.items())])


def network_names(kind: type[Model]) -> tuple[str, ...]:
    """The names of a family's networks."""
    return tuple(field.name for field in settings_of(kind) if _is_network(field.type))


def _is_network(annotation: Any) -> bool:
    """Whether a field is a network; with `from __future__ import annotations` types are text."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == Network.__name__
    return annotation is Network


def family_settings(kind: type[Model]) -> list[dataclasses.Field[Any]]:
    """The fields of a family that are its settings."""
    own = (*network_names(kind), *COMMON)
    return [field for field in settings_of(kind) if field.name not in own]


def as_arrays(reports: Mapping[str, Any]) -> dict[str, Array]:
    """The numbers that `minimise` returned, floats or arrays, as arrays (1,) by name.

    Raises KindError for what is no number by name, ShapeError where there is more than one by a
    name.
    """
    if not isinstance(reports, Mapping) or not reports:
        raise KindError(
            f"minimise gave {cut(repr(reports))}, wants numbers by name, of which the first is "
            f"what the player minimises"
        )
    arrays = {name: np.atleast_1d(number) for name, number in reports.items()}
    for name, x in arrays.items():
        if x.dtype.kind not in "biuf":
            raise KindError(f"minimise gave {name} of type {x.dtype}, wants a real number")
        if x.shape != (1,):
            raise ShapeError(
                f"minimise gave {name} of shape {x.shape}, wants one number: a mean over the batch"
            )
    return arrays


def as_floats(reports: Mapping[str, Array]) -> dict[str, float]:
    """Reported numbers, arrays (1,), as floats by the same names."""
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
        check(given, what)  # so that the error describes all of x
    return given

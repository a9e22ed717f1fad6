"""What every model is: networks in one vector, parts, and players that take turns to move.

A family is a class of models. Its fields are its networks, which stand side by side in one vector,
and its settings. A player is a list of the networks that it moves; what it minimises is written as
it stands in the paper, in `minimise`. A step of training is, for each player whose turn it is:

    value = model.objective(player, batch, rng, gradient)     value, and gradient += d value
    optimizer.update(theta, gradient.vector, memory)          theta = model.theta(player)
    model.settle(player, tape)

`objective` moves nothing: finite differences of the number it returns, with the same rng, are the
gradient it adds. Two players may move the same network, each with a gradient and moments of its
own.
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
from ..errors import DataError, OptionError, ShapeError, cut
from ..kernels import standard_normal
from ..keywords import ExplainsKeywords, explains_keywords
from ..nn import Block, Gradient, Layout, Network, Tape, joined_labels
from ..nn.block import BLANK, side_by_side
from ..nn.layer import Views
from ..optim import Optimizer
from ..parts import build, check_settings, describe, setting, settings_of
from ..rng import Rng, generator
from .fitting import Bounds, expect_networks, expect_own_layers, expect_range, fitting_scaler
from .passes import Pass
from .recipes import Recipe
from .trace import Trace, spied

M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])
Hold = Callable[[str, Array], Array]  # (name, x) -> x as it was in the first pass
COMMON = ("dtype", "rng", "scaler")  # fields of every model that are no settings of its family


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, setting))
def family(kind: type[M]) -> type[M]:
    """A class of models: its fields are what it is made of, in the order of its arguments."""
    return dataclasses.dataclass(eq=False, repr=False)(kind)


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class Model(ExplainsKeywords):
    """What all families share.

    A family is declared with @family. Its fields of type Network are its networks, all others but
    the three below its settings; it says in `players` who moves which networks, in `fit_together`
    how its parts fit, and in `minimise` what each player minimises.

    Args:
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: a Scaler of vectors, in whose units x is taken and given; None is none. Objectives,
            networks and latents know only scaled data; whatever else takes or gives x has the
            user's units, in float64.

    Attributes:
        shape, latent: of one example, and the size of z.
        block: the memory of all networks.
        training_log: a record of each call of `fit` so far, as plain numbers and strings.
        history: what the last call of `fit` gave, or, after an interrupt, has given so far: name ->
            one number an epoch. It is not saved.
    """

    kind: ClassVar[str]
    players: ClassVar[Mapping[str, tuple[str, ...]]]  # the networks that each moves, in turn
    # where the default settings learn, column by column of the data; see docs/your-data.md
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
        """The names of what a history holds, and of tape.parts."""
        raise NotImplementedError

    @property
    def networks(self) -> Mapping[str, Network]:
        """By name; a network is replaced by `model.encoder = ...`, not here."""
        return MappingProxyType({name: getattr(self, name) for name in network_names(type(self))})

    @property
    def vector(self) -> Array:
        """All parameters (P,), with the few zeros between networks that are none."""
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

        batch (N, *shape) as `check` returns it; what is of another dtype is checked here. Raises
        DataError where it holds no examples. labels (N,) are for models that want them.
        Leaves the number and its parts, by the names that a history has, on the tape as
        `tape.parts`; the number itself comes first. Updates nothing.

        `step` is that of the model's training, counted from 0 over all calls of `fit`, for what
        changes in its course, such as a KL term that warms up; None is the end of it.
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

        now.batch (N, *shape) is checked, N at least 1; the noise comes from `now`, and what changes
        in the course of training from `now.number`.
        """
        raise NotImplementedError

    def surrogate(self, player: str) -> Callable[[Pass, Hold], Array] | None:
        """Of what the player's gradient is the derivative, where on purpose not of its number.

        A function of a pass, in which it draws what `minimise` draws, and of `hold`: hold(name, x)
        gives x as it was at the parameters at which the gradient is taken. None, as for most
        models, where it is the number that is differentiated.
        """
        return None

    def settle(self, player: str, tape: Tape) -> None:
        """End the player's step: write what its passes, on `tape`, have learnt about the state."""
        for on, name in tape.settling.items():
            self.networks[name].settle(getattr(self.views, name), tape.inner(on))

    def parts(self) -> tuple[Any, ...]:
        """What its objectives call, besides networks: a likelihood, a game, a penalty."""
        fields = (field for field in family_settings(type(self)) if field.metadata.get("known"))
        values = [getattr(self, field.name) for field in fields]
        return tuple(value for value in values if value is not None)

    def minimises(self, player: str) -> list[str]:
        """What `player` minimises, as lines of mathematics, for `scratchgen explain`."""
        return []

    def remarks(self) -> list[str]:
        """What whoever trains it should know of its settings, a sentence each."""
        return []

    def steps_to_check(self) -> tuple[int | None, ...]:
        """Steps of training at which objectives differ from those of the end, which is None."""
        return (None,)

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
        plain: dict[str, Any] = {}
        for field in family_settings(type(self)):
            value, known = getattr(self, field.name), field.metadata.get("known")
            plain[field.name] = value if known is None else describe(value, known)
        return {**plain, "scaler": None if self.scaler is None else self.scaler.settings()}

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> Self:
        """The model of `settings()`, its arrays still 0: its caller has them.

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

        What is not said here is as in the recipe that it is `like`, whose settings it takes too.
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
        """The example that each latent stands for: z (N, latent) -> (N, *shape)."""
        raise NotImplementedError

    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """n new examples (n, *shape); with JoinLabels, of those labels (n,) or of that one."""
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
        expect_range(y, what, self.bounds(), self.scaler)
        return y

    def _check_numbers(self, x: Array, what: str) -> Array:
        """x (N, *shape), not scaled, if it holds finite numbers."""
        return examples(x, self.shape, exact_type(x), what)

    def bounds(self) -> Bounds:
        """The range of the numbers that it can give, and why; None where they may be any."""
        return None

    def is_density(self) -> bool:
        """Whether its examples are measurements, with a density; classes are none."""
        return True

    def in_units(self, y: Array) -> Array:
        """Scaled examples y (N, *shape) -> x in the user's units, with a scaler float64."""
        return y if self.scaler is None else self.scaler.undo(y)

    def _log_det(self) -> float:
        """What scaling adds to log p(x) of a density, in nats; (3) of data/scaling.py."""
        return self.scaler.log_det if self.scaler is not None and self.is_density() else 0.0

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

    def check_labels(self, labels: Any, n: int, network: str = "") -> Array | None:
        """labels (n,) as int64, for a model that wants them; None for one that does not.

        One whole number is the label of all n. For a pass through one network alone, they may be
        left out where it joins none.

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
        network, p = getattr(self, name), getattr(self.views, name)
        return by_chunks(network, p, x, labels, self.shape, self.dtype)

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

    def check_latents(self, z: Any, what: str = "z") -> Array:
        """z as (N, latent) of the model's dtype."""
        return examples(z, (self.latent,), self.dtype, what)

    def check_latents_as_given(self, z: Any) -> Array:
        """z (N, latent) as it was given, of any dtype, if `check_latents` accepts it."""
        return _as_given(z, "z", (self.latent,), self.check_latents)

    def _decode_draws(self, n: int, rng: np.random.Generator, labels: Any) -> Array:
        """`decode` of n draws of z, as `draw_latents` gives them, a chunk each: (n, *shape)."""
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
        """What it is, in a line: its parts, and the settings that are not the default ones."""
        told = [f"latent {self.latent}"]
        for field in family_settings(type(self)):
            value, words = getattr(self, field.name), field.name.replace("_", " ")
            if value is not None and value != field.default:
                shown = f"{value:g}" if isinstance(value, float) else f"{value}"
                told.append(f"{words} {shown}")
        told += [str(self.scaler)] if self.scaler else []
        return f"{self.kind} of {self.shape}: {', '.join(told)}"

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

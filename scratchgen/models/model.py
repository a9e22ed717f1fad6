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
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np

from ..data.scaling import Scaler
from ..ground.arguments import Array, Shape, float_type, one_of
from ..ground.errors import DataError, KindError, OptionError, ShapeError, cut
from ..ground.keywords import explains_keywords
from ..ground.parts import build, check_settings, choose, describe, setting, settings_of
from ..ground.rng import Rng, generator
from ..nn import Block, Gradient, Layout, Network, Tape
from ..nn.block import BLANK
from ..nn.layer import Views
from ..nn.layout import side_by_side
from ..optim import Optimizer
from .applied import Applied
from .compatibility import (
    expect_families,
    expect_free_names,
    expect_networks,
    expect_own_layers,
    expect_players,
    fitting_scaler,
)
from .notebook import model_html
from .recipes import Recipe
from .trace import Trace, traced
from .turn import Turn

M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])
Hold = Callable[[str, Array], Array]  # (name, x) -> the x of the first call by that name
NETWORK_NAMES: dict[Any, tuple[str, ...]] = {}  # by family
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
class Model(Applied):
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
    # the scale of data on which the default settings learn, by column; see docs/own-data.md
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

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """The mathematics of `objective`: the player's number, and its parts, by name, (1,) each.

        turn.batch (N, *shape) is checked, with N at least 1. Noise comes from `turn`, and a number
        that changes during training from `turn.scheduled`.
        """
        raise NotImplementedError

    @property
    def reported(self) -> tuple[str, ...]:
        """The names of the numbers in a history, and in tape.parts."""
        raise NotImplementedError

    def turns(self, step: int) -> tuple[str, ...]:
        """The players that move in that step, counted from 0."""
        return tuple(self.players)

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """The optimizers that `fit` uses by default, for the next `steps` steps, by player."""
        raise NotImplementedError

    def fit_together(self) -> None:
        """Set `shape` and `latent`; an error where the networks and parts do not fit each other."""
        raise NotImplementedError

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
        turn = Turn(self.networks, self.views, player, batch, tape, gradient)
        tape.reports = as_arrays(self.minimise(turn))
        tape.parts = as_floats(tape.reports)
        value: float = next(iter(tape.parts.values()))
        return value

    def settle(self, player: str, tape: Tape) -> None:
        """End the player's step: write into the state what the passes on `tape` learnt about it."""
        for on, name in tape.settling.items():
            self.networks[name].settle(getattr(self.views, name), tape.inner(on))

    def theta(self, player: str) -> Array:
        """The parameters that the player moves, a window into `vector`."""
        return self.block.theta(self.players[player])

    def gradient(self, player: str) -> Gradient:
        """Zeros in the layout of `theta(player)`, for gradients to be added into."""
        return self.block.zeros_like(self.players[player])

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

    def is_finite(self) -> bool:
        """Whether every parameter and every number of the state is finite."""
        return self.block.is_finite()

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

    def surrogate(self, player: str) -> Callable[[Turn, Hold], Array] | None:
        """A number whose derivative the gradient is, where on purpose that is not the player's own.

        A function (turn, hold) -> (1,), which draws the noise that `minimise` draws. hold(name, x)
        returns x as it was at the parameters at which the gradient is taken. None, as for most
        models, where the gradient is that of the player's number.
        """
        return None

    def moves(self, player: str, steps: int) -> int:
        """How often `player` moves in the next `steps` steps of training, by `turns`."""
        return steps

    @property
    def steps_trained(self) -> int:
        """How many steps all calls of `fit` so far have taken, by the training log."""
        return sum(record["steps"] for record in self.training_log if "steps" in record)

    def steps_to_check(self) -> tuple[int | None, ...]:
        """Steps at which to check gradients: None, and others where the objective differs."""
        return (None,)

    def parts(self) -> tuple[Any, ...]:
        """The settings that objectives call, such as a likelihood, a game or a penalty."""
        fields = (field for field in family_settings(type(self)) if field.metadata.get("registry"))
        values = [getattr(self, field.name) for field in fields]
        return tuple(value for value in values if value is not None)

    def objective_text(self, player: str) -> list[str]:
        """What `player` minimises, as lines of mathematics, for `scratchgen explain`."""
        return []

    def remarks(self) -> list[str]:
        """What to know about its settings before training, a sentence each; mostly nothing."""
        return []

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
            setattr(watched, name, traced(network))
        trace = Trace()
        for player in self.players:
            gradient, tape = self.gradient(player), Tape()
            with np.errstate(under="ignore"):
                watched.objective(player, x, rng, gradient, tape, training=training, labels=labels)
            trace.reported[player] = tape.parts
            for on, name in tape.passes.items():
                if on not in tape.back:
                    continue
                full = on if on == name else f"{name}.{on}"
                full = f"{full}.{player}" if full in trace.passes else full
                p, g = getattr(self.views, name), getattr(gradient.views, name, None)
                trace.note(player, full, getattr(watched, name), p, g, tape.inner(on))
        return trace

    def settings(self) -> dict[str, Any]:
        """What a file needs, beside the networks and their arrays, to build the model again."""
        plain: dict[str, Any] = {}
        for field in family_settings(type(self)):
            value, known = getattr(self, field.name), field.metadata.get("registry")
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
            known = field.metadata.get("registry")
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

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return self.block.layout.size

    def __str__(self) -> str:
        """The model in a line: its parts, and the settings that differ from their defaults."""
        parts = [f"latent {self.latent}"]
        for field in family_settings(type(self)):
            value, words = getattr(self, field.name), field.name.replace("_", " ")
            registry = field.metadata.get("registry")
            default = choose(field.default, registry, object) if registry else field.default
            if value is not None and value != default:
                shown = f"{value:g}" if isinstance(value, float) else f"{value}"
                parts.append(f"{words} {shown}")
        parts += [str(self.scaler)] if self.scaler else []
        return f"{self.kind} of {self.shape}: {', '.join(parts)}"

    def _repr_html_(self) -> str:
        """What a notebook shows: the line of `str`, a table of layers, and samples."""
        return model_html(self, self.parameter_count())

    def __repr__(self) -> str:
        head = f"{self}, {self.parameter_count():,} parameters"
        return "\n".join([head, *(f"{name}: {net!r}" for name, net in self.networks.items())])


def network_names(kind: type[Any]) -> tuple[str, ...]:
    """The names of a family's networks, which each pass asks for."""
    if kind not in NETWORK_NAMES:
        fields = (field for field in settings_of(kind) if _is_network(field.type))
        NETWORK_NAMES[kind] = tuple(field.name for field in fields)
    return NETWORK_NAMES[kind]


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

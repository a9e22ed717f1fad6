"""What a model is to training: networks in one vector, and players that take turns to move them.

The parameters of all networks lie side by side in one vector. Each player moves some of the
networks, and `minimise` is what it minimises, written in the order of the paper. A step of training
is, for each player whose turn it is:

    value = model.objective(player, batch, rng, gradient)     value, and gradient += d value
    optimizer.update(theta, gradient.vector, memory)          theta = model.theta(player)
    model.settle(player, tape)                                running means and the like

`objective` moves nothing. So its gradient can be checked against finite differences of the number
that it returns, from the same rng. Two players may move the same network, each with a gradient and
optimizer moments of its own.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ..data.scaling import Scaler
from ..ground.arguments import Array, Shape, float_type, one_of
from ..ground.errors import OptionError
from ..ground.keywords import explains_keywords
from ..ground.parts import check_settings
from ..ground.rng import Rng, generator
from ..nn import Block, Gradient, Layout, Tape
from ..nn.layer import Views
from ..nn.layout import side_by_side
from ..optim import Optimizer
from .applied import Applied
from .compatibility import expect_networks, expect_own_layers, expect_players, fitting_scaler
from .families import expect_families
from .notebook import model_html
from .reported_numbers import reported_arrays, reported_floats
from .trace import Trace, trace_of
from .turn import Turn

Hold = Callable[[str, Array], Array]  # (name, x) -> the x of the first call by that name


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class Model(Applied):
    """What all families share, as training sees it; applied.py has the methods for users.

    A family (families.py) states its `players`, checks in `fit_together` that its networks fit each
    other, and computes in `minimise` what each player minimises.

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
        history: the history of the last call of `fit`, or what an interrupted call has left of it:
            name -> one number an epoch. It is not saved.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]]  # the networks that each moves, in turn

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """The number that the player minimises, and then its parts, by name, (1,) each.

        turn.batch (N, *shape) is checked, with N at least 1. Noise comes from `turn`, and a number
        that changes during training from `turn.scheduled`.
        """
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
        tape.reports = reported_arrays(self.minimise(turn))
        tape.parts = reported_floats(tape.reports)
        value: float = next(iter(tape.parts.values()))
        return value

    def settle(self, player: str, tape: Tape) -> None:
        """End the player's step: update states, such as running means, from its passes on `tape`.

        Only passes that were run with settle=True count; see turn.py.
        """
        for on, name in tape.settling.items():
            self.networks[name].settle(getattr(self.views, name), tape.inner(on))

    def theta(self, player: str) -> Array:
        """The parameters that the player moves, a view of `vector`."""
        return self.block.theta(self.players[player])

    def gradient(self, player: str) -> Gradient:
        """Zeros in the layout of `theta(player)`, for gradients to be added into."""
        return self.block.zeros_like(self.players[player])

    # the scale of data on which the default settings learn, by column; see docs/own-data.md
    spreads: ClassVar[tuple[float, float]] = (0.15, 3.0)  # bounds of the standard deviation
    farthest: ClassVar[float] = 3.0  # bound of |mean|
    # what a model can do
    encodes: ClassVar[bool] = False  # x -> z: encode, reconstruct
    has_likelihood: ClassVar[bool] = False  # p(x|z): sample(noise=True)
    scores: ClassVar[bool] = False  # x -> how real it seems: score
    plays_a_game: ClassVar[bool] = False  # samples against a discriminator: loss, value_of_game

    dtype: Any = "float32"
    rng: dataclasses.InitVar[Rng] = None
    scaler: Any = None

    @property
    def reported(self) -> tuple[str, ...]:
        """The names of the numbers in a history, and in tape.parts."""
        raise NotImplementedError

    def turns(self, step: int) -> tuple[str, ...]:
        """The players that move in that step, counted from 0."""
        return tuple(self.players)

    def moves(self, player: str, steps: int) -> int:
        """How often `player` moves in the next `steps` steps of training, by `turns`."""
        return steps

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """The optimizers that `fit` uses by default, for the next `steps` steps, by player."""
        raise NotImplementedError

    def fit_together(self) -> None:
        """Set `shape` and `latent`; an error where the networks and parts do not fit each other."""
        raise NotImplementedError

    def __post_init__(self, rng: Rng) -> None:
        """Check the parts, and lay the parameters of all networks out in one vector."""
        self.shape: Shape
        self.latent: int
        name, networks = type(self).__name__, self.networks
        expect_families(type(self))
        expect_players(self.players, name)
        expect_networks(networks)
        check_settings(self)
        self.fit_together()
        self.scaler: Scaler | None = fitting_scaler(
            self.scaler, self.kind, self.shape, self.bounds(), self.is_density()
        )
        self.dtype = float_type(self.dtype)
        expect_own_layers(networks, self.players)
        moved = [network for names in self.players.values() for network in names]
        if missing := [network for network in moved if network not in networks]:
            raise OptionError(
                f"a player of {name} moves {missing[0]!r}, which is none of its "
                f"networks, {', '.join(networks)}: declare a field, {missing[0]}: Network"
            )
        order = side_by_side(dict.fromkeys([*moved, *networks]), self.players.values())
        self.block = Block(Layout(**{key: networks[key] for key in order}), self.dtype, rng)
        self.training_log: list[dict[str, Any]] = []
        self.history: dict[str, list[float]] = {}

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
        """Views of the vector and the state, by name: `model.views.encoder[1].w`."""
        return self.block.views

    def is_finite(self) -> bool:
        """Whether every parameter and every number of the state is finite."""
        return self.block.is_finite()

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return self.block.layout.size

    @property
    def steps_trained(self) -> int:
        """How many steps all calls of `fit` so far have taken, by the training log."""
        return sum(record["steps"] for record in self.training_log if "steps" in record)

    def surrogate(self, player: str) -> Callable[[Turn, Hold], Array] | None:
        """A number to check the gradient against, if on purpose it is not that of `minimise`.

        A function (turn, hold) -> (1,), which draws the noise that `minimise` draws. hold(name, x)
        returns x as it was at the parameters at which the gradient is taken. None, as for most
        models, means the player's own number.
        """
        return None

    def steps_to_check(self) -> tuple[int | None, ...]:
        """Steps at which to check gradients: None, and others where the objective differs."""
        return (None,)

    def objective_text(self, player: str) -> list[str]:
        """What `player` minimises, as lines of mathematics, for `scratchgen explain`."""
        return []

    def remarks(self) -> list[str]:
        """What to know about its settings before training, a sentence each; mostly nothing."""
        return []

    @explains_keywords
    def trace(self, x: Any, rng: Rng = None, labels: Any = None, training: bool = True) -> Trace:
        """What every layer gives for x (N, *shape), and the gradient that comes back to it.

        Evaluates each player's objective with all of x as its batch, and moves nothing. Trace says
        how layers are named, and what is recorded of each. Printed, the trace is a table.

        Raises ShapeError, KindError or DataError for x that is no data of this model, OptionError
        for a bad rng, or for labels as `check_labels`.
        """
        return trace_of(self, x, rng, labels, training)

    def _repr_html_(self) -> str:
        """What a notebook shows: the line of `str`, a table of layers, and samples."""
        return model_html(self, self.parameter_count())

    def __repr__(self) -> str:
        head = f"{self}, {self.parameter_count():,} parameters"
        return "\n".join([head, *(f"{name}: {net!r}" for name, net in self.networks.items())])

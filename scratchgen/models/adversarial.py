"""The generative adversarial network (Goodfellow et al. 2014): two players, taking turns.

    made = G(z),   z ~ N(0, I)                                                           (1)
    real_n = D(x_n),   fake_n = D(made_n)               scores                           (2)
    the discriminator minimises  1/N sum_n loss.discriminator(real_n, fake_n)            (3)
    the generator minimises      1/N sum_n loss.generator(fake_n)                        (4)

docs/derivations.md says what the game is for. Backward, with dreal and dfake (N,) the derivatives
of (3), or of (4), with respect to the scores:

    dL/dw_D = D.backward(dreal), on the tape of the real pass
            + D.backward(dfake), on the tape of the fake pass                            (5)
    dmade = D.backward(dfake), nothing added for D;   dL/dw_G = G.backward(dmade)        (6)

So the discriminator's turn runs G forward and never back; the generator's turn runs through D with
the weights that D has by then, and leaves them alone. Every turn draws its own z.

The Wasserstein game needs a bound on the slope of D. There are two ways: a penalty on the slope is
added to (3), with its gradient (losses/penalties.py), or, when D has moved,

    every parameter of D, biases too, is cut to [-c, c]                                  (7)

In algorithm 1 of the paper the discriminator moves k times for each move of the generator, each
time on fresh examples: here the generator moves in every k-th step.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import Array, finite, is_picture, one_of, whole, within
from ..data.scaling import Scaler
from ..errors import OptionError
from ..kernels import add, clip, full, mean
from ..keywords import explains_keywords
from ..losses import (
    LOSSES,
    AdversarialLoss,
    GradientPenalty,
    Penalty,
    build_penalty,
    describe_loss,
    describe_penalty,
    discriminator_turn,
    generator_turn,
    penalise,
    penalty_for,
    points,
)
from ..nn import Gradient, Network, Sigmoid, Tanh, Tape
from ..nn.block import BLANK
from ..optim import Adam, LinearDecay, Optimizer, RMSProp
from ..rng import Rng
from ..rng import generator as as_generator
from .model import Model, expect_kind, expect_output, with_values


class GAN(Model):
    """A generator, a discriminator and a game; each player's number is what it minimises.

    Args:
        generator: z (N, latent) -> fake examples (N, *shape).
        discriminator: examples (N, *shape) -> a score each (N, 1), the higher the more real.
        loss: the game, by name or as an AdversarialLoss.
        discriminator_steps: the discriminator's moves for each move of the generator.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        weight_clip: c of (7), or None.

        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: a Scaler of vectors, in whose units x is taken and given; None is none.

    Raises KindError, ShapeError or OptionError where the parts do not fit.
    """

    kind = "GAN"
    network_names = ("generator", "discriminator")
    spreads, farthest = (0.25, 3.0), 0.75

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        loss: str | AdversarialLoss = "non_saturating",
        discriminator_steps: int = 1,
        penalty: str | Penalty | None = None,
        weight_clip: float | None = None,
        dtype: Any = "float32",
        rng: Rng = None,
        scaler: Scaler | None = None,
    ) -> None:
        expect_kind({"generator": generator, "discriminator": discriminator})
        self.shape = discriminator.in_shape
        if len(generator.in_shape) != 1:
            raise OptionError(f"the generator takes {generator.in_shape}: wants (latent,)")
        self.latent = generator.in_shape[0]
        expect_output(generator, "generator", self.shape, f"the discriminator takes {self.shape}")
        expect_output(discriminator, "discriminator", (1,), "it gives one score an example")
        if not isinstance(loss, AdversarialLoss):
            loss = LOSSES[one_of(loss, LOSSES, "loss")]
        self.loss = loss
        self.discriminator_steps = whole(discriminator_steps, "discriminator_steps", least=1)
        self.penalty = penalty_for(penalty)
        self.weight_clip = weight_clip
        if weight_clip is not None:
            self.weight_clip = finite(weight_clip, "weight_clip", above=True)
        if self.penalty and (reason := discriminator.why_no_tangent()):
            raise OptionError(
                f"penalty={self.penalty.name}: the discriminator cannot be penalised because "
                f"{reason}"
            )
        self.numbers = ("discriminator", *(["penalty"] if self.penalty else []), "generator")
        networks = {"generator": generator, "discriminator": discriminator}
        players = {"discriminator": ("discriminator",), "generator": ("generator",)}
        super().__init__(networks, players, dtype, rng, scaler)

    def minimise(
        self, player: str, batch: Array, tape: Tape, gradient: Gradient | None
    ) -> dict[str, Array]:
        """(3), with its penalty, or (4). Of the batch, the generator needs only the size."""
        z = self.draw_latents(len(batch), tape.rng)  # (N, Z)
        made = self.forward("generator", z, tape)  # (N, ...)   (1)
        if player == "generator":
            return self._generator(made, tape, gradient)
        return self._discriminator(batch, made, tape, gradient)

    def _discriminator(
        self, batch: Array, made: Array, tape: Tape, gradient: Gradient | None
    ) -> dict[str, Array]:
        real = self.forward("discriminator", batch, tape, on="real")[:, 0]  # (N,)   (2)
        fake = self.forward("discriminator", made, tape, on="fake")[:, 0]  # (N,)   (2)
        d = discriminator_turn(self.loss, real, fake, self._dvalue(batch))  # each (N,)
        value = mean(d.value)  # (1,)   (3)
        if gradient is not None:
            for on, dscore in (("real", d.real), ("fake", d.fake)):  # (5)
                self.backward("discriminator", dscore[:, None], tape, gradient, on, need_dx=False)
        if not self.penalty:
            return {"discriminator": value}
        x = points(self.penalty, batch, made, tape.rng)  # (M, ...), as a rule M = N
        network, p = self.networks["discriminator"], self._views("discriminator")
        g = None if gradient is None else gradient.views.discriminator
        each = penalise(self.penalty, network, p, x, self._dvalue(x), tape.inner("penalty"), g)
        penalty = mean(each)  # (1,)
        return {"discriminator": add(value, penalty), "penalty": penalty}

    def _generator(self, made: Array, tape: Tape, gradient: Gradient | None) -> dict[str, Array]:
        fake = self.forward("discriminator", made, tape, on="judged")[:, 0]  # (N,)   (2)
        d = generator_turn(self.loss, fake, self._dvalue(made))  # .value, .fake (N,)
        if gradient is not None:
            dmade = self.backward("discriminator", d.fake[:, None], tape, gradient, on="judged")
            self.backward("generator", dmade, tape, gradient, need_dx=False)  # (6)
        return {"generator": mean(d.value)}  # (4)

    def _dvalue(self, x: Array) -> Array:
        """The weight of each example of x (N, ...) in the means (3) and (4): (N,)."""
        return full((len(x),), 1 / len(x), self.dtype)

    def settle(self, player: str, tape: Tape) -> None:
        # the discriminator's passes over examples; that of a penalty writes no state
        passes = ("real", "fake") if player == "discriminator" else ("generator",)
        p = getattr(self.players[player].views, player)
        for name in passes:
            self.networks[player].settle(p, tape.inner(name))
        if player == "discriminator" and self.weight_clip is not None:
            clip(self.players[player].vector, -self.weight_clip, self.weight_clip)  # (7)

    def parts(self) -> tuple[Any, ...]:
        return (self.loss, *([self.penalty] if self.penalty else []))

    def passes(self, player: str) -> dict[str, str]:
        if player == "generator":
            return {"generator": "generator", "judged": "discriminator"}
        names = ("real", "fake", *(["penalty"] if self.penalty else []))
        return dict.fromkeys(names, "discriminator")

    def minimises(self, player: str) -> list[str]:
        if player == "generator":
            formula = self.loss.generator_formula or f"the {self.loss.name} loss of f"
            return [formula, "f = D(G(z)), z ~ N(0, I)"]
        formula = self.loss.discriminator_formula or f"the {self.loss.name} loss of r and f"
        lines = [
            formula + (" + penalty" if self.penalty else ""),
            "r = D(x), f = D(G(z)), z ~ N(0, I): the discriminator's scores",
        ]
        if self.penalty:
            lines.append(f"penalty = {with_values(self.penalty)}")
        if self.weight_clip is not None:
            c = f"{self.weight_clip:g}"
            lines.append(f"after each of its moves its weights are cut to [-{c}, {c}]")
        if self.discriminator_steps > 1:
            moves = f"{self.discriminator_steps} moves"
            lines.append(f"it makes {moves} for each move of the generator")
        return lines

    def moves(self, player: str, steps: int) -> int:
        if player == "discriminator":
            return steps
        begun, k = self.steps_trained, self.discriminator_steps
        return (begun + steps) // k - begun // k

    def turns(self, step: int) -> tuple[str, ...]:
        if (step + 1) % self.discriminator_steps:
            return ("discriminator",)
        return ("discriminator", "generator")

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """RMSProp where weights are clipped, otherwise Adam with b1 = 0.5; rates that fall to 0.

        `learning_rate` is the generator's first rate, by default 4e-4 for pictures and 2e-3 for
        vectors (5e-4 in the least-squares game, whose gradients do not level off). With Adam the
        discriminator's is four times that, so that it keeps up (two time scales: Heusel et al.
        2017). RMSProp is that of Arjovsky et al. 2017, who saw momentum do harm; under a gradient
        penalty Adam has b2 = 0.9 (Gulrajani et al. 2017). Every rate falls in a straight line over
        the player's moves.
        """
        for_vectors = 5e-4 if self.loss.name == "least_squares" else 2e-3
        own = 4e-4 if is_picture(self.shape) else for_vectors
        rate = own if learning_rate is None else learning_rate

        def falling(player: str, first: float) -> LinearDecay:
            return LinearDecay(first, max(1, self.moves(player, steps)))

        if self.weight_clip is not None:
            return {player: RMSProp(falling(player, rate)) for player in self.players}
        b2 = 0.9 if isinstance(self.penalty, GradientPenalty) else 0.999
        return {
            "discriminator": Adam(falling("discriminator", 4 * rate), b1=0.5, b2=b2),
            "generator": Adam(falling("generator", rate), b1=0.5, b2=b2),
        }

    def check(self, x: Any, what: str = "x") -> Array:
        x = super().check(x, what)
        if bounds := self.bounds():
            within(x, *bounds, what)
        return x

    def bounds(self) -> tuple[float, float, str] | None:
        last = next(reversed(self.networks["generator"].layers), None)  # None for no layers
        for kind, low in ((Sigmoid, 0), (Tanh, -1)):
            if isinstance(last, kind):
                reason = f"the generator ends in {kind.__name__} (output 'linear' gives any number)"
                return low, 1, reason
        return None

    @explains_keywords
    def decode(self, z: Any, labels: Any = None) -> Array:
        """G(z): z (N, latent) -> (N, *shape). Raises ShapeError, KindError or DataError.

        Here and below, labels (N,), or one for all, are for networks with JoinLabels, and missing
        ones an OptionError.
        """
        z = self.check_latents_as_given(z)
        out = self._room(len(z))
        for rows, made in self._by_chunks("generator", z, self.check_labels(labels, len(z))):
            out[rows] = self.in_units(made)
        return out

    @explains_keywords
    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """G(z) for n draws of z ~ N(0, I): (n, *shape). Raises OptionError for a bad n or rng."""
        return self._decode_draws(n, as_generator(rng), labels)

    def score(self, x: Any, labels: Any = None) -> Array:
        """The discriminator's scores: x (N, *shape) -> (N,), high where x seems real to it.

        They are logits in the logistic games. Raises ShapeError, KindError or DataError for x that
        is no data of this model.
        """
        x = self.check_as_given(x)
        scores = np.empty(len(x), self.dtype)
        for rows, y in self._pass_data("discriminator", x, self.check_labels(labels, len(x))):
            scores[rows] = y[:, 0]
        return scores

    def is_bounded(self) -> bool:
        """Whether a penalty or a clip bounds the slope of the discriminator."""
        return self.penalty is not None or self.weight_clip is not None

    def _decoding(self) -> tuple[str, Callable[[Array], Array]]:
        return "generator", lambda made: made

    def settings(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "latent": self.latent,
            "loss": describe_loss(self.loss),
            "discriminator_steps": self.discriminator_steps,
            "penalty": describe_penalty(self.penalty),
            "weight_clip": self.weight_clip,
            **self._scaler_settings(),
        }

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> "GAN":
        return cls(
            **networks,
            loss=settings["loss"],
            discriminator_steps=settings["discriminator_steps"],
            penalty=build_penalty(settings["penalty"]),
            weight_clip=settings["weight_clip"],
            dtype=dtype,
            rng=BLANK,
            scaler=cls._scaler_of(settings),
        )

    def __str__(self) -> str:
        steps = self.discriminator_steps
        more = [f"{steps} discriminator steps"] if steps > 1 else []
        if self.penalty:
            more.append(f"{self.penalty.name} {self.penalty.weight:g}")
        if self.weight_clip is not None:
            more.append(f"weights within {self.weight_clip:g}")
        if self.scaler:
            more.append(str(self.scaler))
        head = f"GAN of {self.shape}: latent {self.latent}, {self.loss.name} loss"
        return ", ".join([head, *more])

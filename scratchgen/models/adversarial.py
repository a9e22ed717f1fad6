"""The generative adversarial network (Goodfellow et al. 2014): two players, taking turns.

    fake = G(z),   z ~ p(z), which is N(0, I) unless another prior is chosen             (1)
    real_score_n = D(x_n),   fake_score_n = D(fake_n)                                    (2)
    the discriminator minimises  1/N sum_n loss.discriminator(real_score_n, fake_score_n)   (3)
    the generator minimises      1/N sum_n loss.generator(fake_score_n)                  (4)

docs/derivations.md says why the game makes G(z) look like the data. Backward, with d.real and
d.fake (N,) the derivatives of (3), or of (4), with respect to the scores:

    dL/dw_D = D.backward(d.real), on the tape of the real pass
            + D.backward(d.fake), on the tape of the fake pass                           (5)
    dfake = D.backward(d.fake), nothing added for D;   dL/dw_G = G.backward(dfake)       (6)

So the discriminator's turn runs G forward, but not backward. The generator's turn runs D forward
and backward, with the weights that D has by then, and does not change them. Every turn draws its
own z.

The Wasserstein game needs a bound on the slope of D. There are two ways: a penalty on the slope is
added to (3), with its gradient (losses/penalties.py), or, after D has moved,

    every parameter of D, biases too, is clipped to [-c, c]                              (7)

In algorithm 1 of the paper the discriminator moves several times for each move of the generator,
each time on fresh examples. Here it moves in every step, and the generator once in
`discriminator_steps` steps.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..distributions import PRIORS, Prior, drawn
from ..ground.arguments import Array, count, finite, is_picture, whole, within
from ..ground.keywords import explains_keywords
from ..ground.parts import choose, setting, with_values
from ..ground.rng import Rng
from ..ground.rng import generator as as_generator
from ..kernels import add, clip, mean
from ..losses import (
    LOSSES,
    PENALTIES,
    AdversarialLoss,
    GradientPenalty,
    discriminator_loss,
    generator_loss,
    mean_penalty,
)
from ..nn import Network, Sigmoid, Tanh, Tape
from ..optim import Adam, LinearDecay, Optimizer, RMSProp
from .compatibility import Bounds, expect_output, fitting_penalty, latent_of
from .families import family
from .model import Model
from .turn import Turn

__all__ = ["GAN"]


@family
class GAN(Model):
    """A generator, a discriminator, and a game that says what each of them minimises.

    Args:
        generator: z (N, latent) -> fake examples (N, *shape).
        discriminator: examples (N, *shape) -> a score each (N, 1), the higher the more real.
        loss: the game, by name or as an AdversarialLoss.
        discriminator_steps: the discriminator's moves for each move of the generator.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        weight_clip: c of (7), or None.
        prior: what z is drawn from: a name of sg.distributions.PRIORS, or a Prior.
        dtype, rng, scaler: see Model.

    Raises KindError, ShapeError or OptionError where the parts do not fit.
    """

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """(3) with its penalty, or (4); of the batch, the generator uses only the size.

        `turn` is a turn of turn.player, with the batch x (N, *shape) and the noise. Its `forward`
        and `backward` run a network; D runs twice, and `on` names the pass. `drawn` draws z from
        the prior. `discriminator_loss` and `generator_loss` give a player's value per example and
        its gradients by the scores, which they multiply by 1 / N.
        """
        z = drawn(self.prior, turn.rng, turn.size, self.latent, turn.batch.dtype)  # (N, Z)   (1)
        if turn.player == "generator":
            return self._generator(turn, z)
        return self._discriminator(turn, z)

    def _discriminator(self, turn: Turn, z: Array) -> dict[str, Array]:
        fake = turn.forward("generator", z)  # (N, *shape)   (1)
        real_score = turn.forward("discriminator", turn.batch, on="real", settle=True)  # (N, 1) (2)
        fake_score = turn.forward("discriminator", fake, on="fake", settle=True)  # (N, 1)   (2)
        d = discriminator_loss(
            self.loss, real_score[:, 0], fake_score[:, 0], 1 / turn.size
        )  # .value, .real, .fake (N,)   (3)
        value = mean(d.value)  # (1,)   (3)
        if turn.wants_gradient:
            turn.backward("discriminator", d.real[:, None], on="real", need_dx=False)  # (5)
            turn.backward("discriminator", d.fake[:, None], on="fake", need_dx=False)  # (5)
        if not self.penalty:
            return {"discriminator": value}
        discriminator = turn.network("discriminator", on="penalty")
        penalty = mean_penalty(self.penalty, discriminator, turn.batch, fake, turn.rng)  # (1,)
        return {"discriminator": add(value, penalty), "penalty": penalty}

    def _generator(self, turn: Turn, z: Array) -> dict[str, Array]:
        fake = turn.forward("generator", z, settle=True)  # (N, *shape)   (1)
        fake_score = turn.forward("discriminator", fake, on="judged")  # (N, 1)   (2)
        d = generator_loss(self.loss, fake_score[:, 0], 1 / turn.size)  # .value, .fake (N,)   (4)
        if turn.wants_gradient:
            dfake = turn.backward("discriminator", d.fake[:, None], on="judged")  # (N, *shape) (6)
            turn.backward("generator", dfake, need_dx=False)  # (6)
        return {"generator": mean(d.value)}  # (1,)   (4)

    kind: ClassVar[str] = "GAN"
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "discriminator": ("discriminator",),
        "generator": ("generator",),
    }
    scores: ClassVar[bool] = True
    plays_a_game: ClassVar[bool] = True
    spreads: ClassVar[tuple[float, float]] = (0.25, 3.0)
    farthest: ClassVar[float] = 0.75

    generator: Network
    discriminator: Network
    loss: Any = setting(default="non_saturating", text="the game", registry=LOSSES)
    discriminator_steps: int = setting(
        default=1,
        check=whole,
        text="discriminator's moves for each move of the generator",
        least=1,
    )
    penalty: Any = setting(
        default=None,
        text="penalty on the discriminator's slope",
        registry=PENALTIES,
        optional=True,
    )
    weight_clip: float | None = setting(
        default=None,
        check=finite,
        text="bound that the discriminator's weights are cut to",
        above=True,
    )
    prior: Any = setting(default="standard_normal", text="what z is drawn from", registry=PRIORS)

    def fit_together(self) -> None:
        self.shape = self.discriminator.in_shape
        self.latent = latent_of(self.generator, "generator")
        reason = f"the discriminator takes {self.shape}"
        expect_output(self.generator, "generator", self.shape, reason)
        self._expect_scores()
        self.loss = choose(self.loss, LOSSES, AdversarialLoss, "loss")
        self.prior = choose(self.prior, PRIORS, Prior)
        self.prior.check(self.latent)
        self.penalty = fitting_penalty(self.penalty, self.discriminator)

    def _expect_scores(self) -> None:
        """ShapeError unless the discriminator returns what the objectives read."""
        expect_output(self.discriminator, "discriminator", (1,), "it gives one score an example")

    @property
    def reported(self) -> tuple[str, ...]:
        return ("discriminator", *(["penalty"] if self.penalty else []), "generator")

    def settle(self, player: str, tape: Tape) -> None:
        super().settle(player, tape)
        if player == "discriminator" and self.weight_clip is not None:
            clip(self.theta(player), -self.weight_clip, self.weight_clip)  # (7)

    def objective_text(self, player: str) -> list[str]:
        if player == "generator":
            formula = self.loss.generator_formula or f"the {self.loss.name} loss of f"
            return [formula, f"f = D(G(z)), {with_values(self.prior)}"]
        formula = self.loss.discriminator_formula or f"the {self.loss.name} loss of r and f"
        lines = [
            formula + (" + penalty" if self.penalty else ""),
            f"r = D(x), f = D(G(z)), {with_values(self.prior)}: the discriminator's scores",
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
        before, every = self.steps_trained, self.discriminator_steps
        return (before + steps) // every - before // every

    def turns(self, step: int) -> tuple[str, ...]:
        if (step + 1) % self.discriminator_steps:
            return ("discriminator",)
        return ("discriminator", "generator")

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """RMSProp where weights are clipped, otherwise Adam with b1 = 0.5; rates that fall to 0.

        `learning_rate` is the generator's first rate, by default 4e-4 for pictures and 2e-3 for
        vectors (5e-4 in the least-squares game, whose gradients do not level off). With Adam the
        discriminator's is four times that, so that it keeps up (two time scales: Heusel et al.
        2017). Arjovsky et al. 2017 saw momentum do harm, and took RMSProp; under a gradient penalty
        Adam has b2 = 0.9 (Gulrajani et al. 2017). Every rate falls linearly over the player's
        moves.
        """
        for_vectors = 5e-4 if self.loss.name == "least_squares" else 2e-3
        default = 4e-4 if is_picture(self.shape) else for_vectors
        rate = default if learning_rate is None else learning_rate

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

    def bounds(self) -> Bounds:
        last = next(reversed(self.generator.layers), None)  # None for no layers
        for kind, low in ((Sigmoid, 0), (Tanh, -1)):
            if isinstance(last, kind):
                reason = f"the generator ends in {kind.__name__} (output 'linear' gives any number)"
                return low, 1, reason
        return None

    @explains_keywords
    def decode(self, z: Any, labels: Any = None) -> Array:
        """G(z): z (N, latent) -> (N, *shape). Raises ShapeError, KindError or DataError.

        Here and below, labels (N,), or a single label, are for networks with JoinLabels; without
        them such a network raises OptionError.
        """
        z = self.check_latents_as_given(z)
        out = self._new_examples(len(z))
        labels = self.check_labels(labels, len(z), "generator")
        for rows, fake in self._by_chunks("generator", z, labels):
            out[rows] = self.in_units(fake)
        return out

    @explains_keywords
    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """G(z) for n draws of z: (n, *shape). Raises OptionError for a bad n or rng."""
        return self._decode_draws(n, as_generator(rng), labels)

    def score(self, x: Any, labels: Any = None) -> Array:
        """The discriminator's scores: x (N, *shape) -> (N,), high where x looks real to it.

        They are logits in the logistic games. Raises ShapeError, KindError or DataError for x that
        does not fit this model.
        """
        x = self.check_as_given(x)
        scores = np.empty(len(x), self.dtype)
        labels = self.check_labels(labels, len(x), "discriminator")
        for rows, y in self._pass_data("discriminator", x, labels):
            scores[rows] = y[:, 0]
        return scores

    def remarks(self) -> list[str]:
        if self.loss.name == "wasserstein" and not self.is_bounded():
            return ["without a penalty or a weight clip nothing bounds this game's scores"]
        return []

    def value_of_game(self, parts: Mapping[str, float]) -> float:
        """The mean (3) without its penalty, from the parts that the objective reported."""
        return parts["discriminator"] - parts.get("penalty", 0.0)

    def is_bounded(self) -> bool:
        """Whether a penalty or a clip bounds the slope of the discriminator."""
        return self.penalty is not None or self.weight_clip is not None

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z ~ p(z), the prior: (n, latent)."""
        return drawn(self.prior, rng, count(n), self.latent, self.dtype)

    def _decoding(self) -> tuple[str, Callable[[Array], Array]]:
        return "generator", lambda fake: fake

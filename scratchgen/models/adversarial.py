"""The generative adversarial network (Goodfellow et al. 2014): two players, taking turns.

    made = G(z),   z ~ p(z), which is N(0, I) unless another prior is chosen             (1)
    real_n = D(x_n),   fake_n = D(made_n)               scores                           (2)
    the discriminator minimises  1/N sum_n loss.discriminator(real_n, fake_n)            (3)
    the generator minimises      1/N sum_n loss.generator(fake_n)                        (4)

docs/derivations.md says why the game makes G(z) look like the data. Backward, with dreal and dfake
(N,) the derivatives of (3), or of (4), with respect to the scores:

    dL/dw_D = D.backward(dreal), on the tape of the real pass
            + D.backward(dfake), on the tape of the fake pass                            (5)
    dmade = D.backward(dfake), nothing added for D;   dL/dw_G = G.backward(dmade)        (6)

So the discriminator's turn runs G forward, but not backward; the generator's turn runs D forward
and backward, with the weights that D has by then, and does not change them. Every turn draws its
own z.

The Wasserstein game needs a bound on the slope of D. There are two ways: a penalty on the slope is
added to (3), with its gradient (losses/penalties.py), or, after D has moved,

    every parameter of D, biases too, is clipped to [-c, c]                              (7)

In algorithm 1 of the paper the discriminator moves k times for each move of the generator, each
time on fresh examples: here the generator moves in every k-th step.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..data.scaling import Scaler
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
    Penalty,
    discriminator_turn,
    generator_turn,
    penalise,
    points,
)
from ..nn import Network, Sigmoid, Tanh, Tape
from ..optim import Adam, LinearDecay, Optimizer, RMSProp
from .compatibility import Bounds, expect_output, fitting_penalty, latent_of
from .model import Model, family
from .stacks import discriminator_stack, generator_stack, noise_for
from .turn import Turn

__all__ = ["GAN", "gan", "lsgan", "wgan", "wgan_gp"]


@family
class GAN(Model):
    """A generator, a discriminator and a game; each player's number is what it minimises.

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
        """ShapeError unless the discriminator's output is what the objectives read."""
        expect_output(self.discriminator, "discriminator", (1,), "it gives one score an example")

    @property
    def reported(self) -> tuple[str, ...]:
        return ("discriminator", *(["penalty"] if self.penalty else []), "generator")

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """(3) with its penalty, or (4); of the batch, the generator uses only the size."""
        z = drawn(self.prior, turn.rng, turn.size, self.latent, turn.batch.dtype)  # (N, Z)   (1)
        if turn.player == "generator":
            return self._generator(turn, z)
        return self._discriminator(turn, z)

    def _discriminator(self, turn: Turn, z: Array) -> dict[str, Array]:
        made = turn.forward("generator", z)  # (N, ...)   (1)
        real = turn.forward("discriminator", turn.batch, on="real", settle=True)  # (N, 1)   (2)
        fake = turn.forward("discriminator", made, on="fake", settle=True)  # (N, 1)   (2)
        d = discriminator_turn(self.loss, real[:, 0], fake[:, 0], 1 / turn.size)  # each (N,)   (3)
        value = mean(d.value)  # (1,)   (3)
        if turn.wants_gradient:
            turn.backward("discriminator", d.real[:, None], on="real", need_dx=False)  # (5)
            turn.backward("discriminator", d.fake[:, None], on="fake", need_dx=False)  # (5)
        if not self.penalty:
            return {"discriminator": value}
        x = points(self.penalty, turn.batch, made, turn.rng)  # (M, ...), mostly with M = N
        d_at_x = turn.network("discriminator", on="penalty")
        penalty = mean(penalise(self.penalty, d_at_x, x, 1 / len(x)))  # (1,)
        return {"discriminator": add(value, penalty), "penalty": penalty}

    def _generator(self, turn: Turn, z: Array) -> dict[str, Array]:
        made = turn.forward("generator", z, settle=True)  # (N, ...)   (1)
        fake = turn.forward("discriminator", made, on="judged")  # (N, 1)   (2)
        d = generator_turn(self.loss, fake[:, 0], 1 / turn.size)  # .value, .fake (N,)   (4)
        if turn.wants_gradient:
            dmade = turn.backward("discriminator", d.fake[:, None], on="judged")  # (N, ...)   (6)
            turn.backward("generator", dmade, need_dx=False)  # (6)
        return {"generator": mean(d.value)}  # (1,)   (4)

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

        Here and below, labels (N,), or one for all, are for networks with JoinLabels; without them
        such a network raises OptionError.
        """
        z = self.check_latents_as_given(z)
        out = self._room(len(z))
        labels = self.check_labels(labels, len(z), "generator")
        for rows, made in self._by_chunks("generator", z, labels):
            out[rows] = self.in_units(made)
        return out

    @explains_keywords
    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """G(z) for n draws of z: (n, *shape). Raises OptionError for a bad n or rng."""
        return self._decode_draws(n, as_generator(rng), labels)

    def score(self, x: Any, labels: Any = None) -> Array:
        """The discriminator's scores: x (N, *shape) -> (N,), high where it takes x for real.

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
        return "generator", lambda made: made


@GAN.named(
    "a generative adversarial network",
    pictures={
        "epochs": 60,
        "batch_size": 128,
        "latent": 32,
        "hidden": (256, 512),
        "output": "sigmoid",
    },
    vectors={
        "epochs": 20,
        "batch_size": 256,
        "latent": 2,
        "hidden": (128, 128, 128),
        "output": "linear",
    },
)
@explains_keywords
def gan(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128, 128),
    loss: str | AdversarialLoss = "non_saturating",
    discriminator_steps: int = 1,
    penalty: str | Penalty | None = None,
    weight_clip: float | None = None,
    output: str | None = None,
    instance_noise: float | None = None,
    prior: str | Prior = "standard_normal",
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> GAN:
    """A dense GAN for examples of `shape`: ReLU in the generator, LeakyReLU in the discriminator.

    Args:
        shape: of one example: a picture, (H, W) or (H, W, C), or a vector, (D,).
        latent: the size of z.
        hidden: the widths of the generator's hidden layers; the discriminator has them reversed.
        loss: the game: a name of sg.losses.LOSSES, or an AdversarialLoss.
        discriminator_steps: the discriminator's moves for each move of the generator.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        weight_clip: c, to clip the discriminator's weights to [-c, c] after its moves, or None.
        output: how the generator ends: "sigmoid", "tanh", "linear", or None: sigmoid for pictures,
            linear for vectors.
        instance_noise: the standard deviation of the noise that is added to the discriminator's
            input in training; None: 0 for vectors, and where a penalty or a clip bounds its slope,
            otherwise 0.5.
        prior: what z is drawn from: a name of sg.distributions.PRIORS, or a Prior.
        n_labels: the number of classes; above 0 both networks are given the label of each example,
            and `fit`, `sample` and the rest want labels.
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: for vectors, what they are scaled by, such as sg.data.Scaler.standard(x); the model
            takes and gives x in the units that it was fitted on.

    Raises OptionError, ShapeError or KindError.

    >>> gan((2,), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 2)
    """
    bounded = penalty is not None or weight_clip is not None
    return GAN(
        generator=generator_stack(shape, hidden, latent, output, n_labels),
        discriminator=discriminator_stack(
            shape, hidden, 1, noise_for(shape, bounded, instance_noise), n_labels
        ),
        loss=loss,
        discriminator_steps=discriminator_steps,
        penalty=penalty,
        weight_clip=weight_clip,
        prior=prior,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )


@GAN.named("a GAN with the least-squares game", like="gan", fixed=("loss",))
def lsgan(shape: Any, **settings: Any) -> GAN:
    """A GAN with the least-squares game (Mao et al. 2017); as `gan`.

    >>> lsgan((2,), rng=0).loss.name
    'least_squares'
    """
    return gan(shape, loss="least_squares", **settings)


@GAN.named(
    "a GAN with the Wasserstein game and clipped weights",
    like="gan",
    fixed=("loss",),
    # two time scales do what several moves of the discriminator would do, in fewer steps
    pictures={"discriminator_steps": 2, "weight_clip": 0.03},
    vectors={"discriminator_steps": 1, "weight_clip": 0.1},
)
def wgan(
    shape: Any, *, weight_clip: float = 0.01, discriminator_steps: int = 5, **settings: Any
) -> GAN:
    """A GAN with the Wasserstein game and clipped weights (Arjovsky et al. 2017); as `gan`.

    >>> wgan((2,), rng=0).weight_clip
    0.01
    """
    settings |= {"weight_clip": weight_clip, "discriminator_steps": discriminator_steps}
    return gan(shape, loss="wasserstein", **settings)


@GAN.named(
    "a GAN with the Wasserstein game and a gradient penalty",
    like="gan",
    fixed=("loss", "penalty"),
    pictures={"discriminator_steps": 1, "epochs": 40, "penalty": GradientPenalty()},
    vectors={"discriminator_steps": 1, "penalty": GradientPenalty(weight=1.0)},
)
def wgan_gp(
    shape: Any,
    *,
    penalty: str | Penalty = "gradient_penalty",
    discriminator_steps: int = 5,
    **settings: Any,
) -> GAN:
    """A GAN with the Wasserstein game and the gradient penalty (Gulrajani et al. 2017); as `gan`.

    >>> wgan_gp((2,), rng=0).penalty
    GradientPenalty(weight=10.0, target=1.0)
    """
    settings |= {"penalty": penalty, "discriminator_steps": discriminator_steps}
    return gan(shape, loss="wasserstein", **settings)

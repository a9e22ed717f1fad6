"""The auxiliary classifier GAN (Odena, Olah and Shlens 2017): samples of a chosen class.

The generator is given a class. The discriminator is not: it judges whether an example is real, and
classifies it. With C classes, labels m_n of the data, and labels c_n drawn uniformly for the fakes,

    fake_n = G(z_n, c_n),   z ~ p(z),   c ~ U{0 ... C - 1}                               (1)
    (real_score_n, real_logits_n) = D(x_n)                 a score, and C logits         (2)
    (fake_score_n, fake_logits_n) = D(fake_n)

    game_n = loss.discriminator(real_score_n, fake_score_n)        real or fake          (3)
    class_n = -log softmax(real_logits_n)[m_n] - log softmax(fake_logits_n)[c_n]         (4)
    the discriminator minimises  1/N sum_n (game_n + class_weight class_n)               (5)

    the generator minimises                                                              (6)
        1/N sum_n (loss.generator(fake_score_n)
                   - class_weight log softmax(fake_logits_n)[c_n])

The paper has (3) and (4) with the opposite sign, and no factor before any of their terms:

    L_S = E[log P(real | x)] + E[log P(fake | G(z, c))]
    L_C = E[log P(m | x)] + E[log P(c | G(z, c))]

Its D maximises L_S + L_C, and its G maximises L_C - L_S, in which only the terms of the fakes
depend on G. That is the minimax game with class_weight 1; here, as in most code, the default is the
non-saturating game. The players do not compete over the class part: both want fakes to be
classified correctly.

Backward, (3) gives the derivative by each score and (4) by each logit. Joined, they are

    dL/dD(x_n) = 1/N (d game_n / d real_score_n,  class_weight d class_n / d real_logits_n)    (7)

and likewise for fake_n: the dy of D's backward passes (N, 1 + C). All else is as in a GAN
(adversarial.py). A penalty acts on the slope of the score.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..data.scaling import Scaler
from ..distributions import Prior, categorical, drawn
from ..ground.arguments import Array, finite, whole
from ..ground.errors import OptionError
from ..ground.keywords import explains_keywords
from ..ground.parts import setting, with_values
from ..ground.rng import Rng
from ..kernels import add, add_scaled, integers, join, mean, split
from ..losses import (
    AdversarialLoss,
    Penalty,
    cross_entropy,
    discriminator_loss,
    generator_loss,
    mean_penalty,
)
from ..nn import Activation, joined_labels
from .adversarial import GAN
from .compatibility import expect_output
from .families import family
from .stacks import discriminator_stack, generator_stack, noise_for
from .turn import Turn

__all__ = ["ACGAN", "acgan"]


@family
class ACGAN(GAN):
    """A GAN whose generator is given a class, and whose discriminator classifies examples.

    Args:
        generator: z (N, latent) -> fake examples (N, *shape), with JoinLabels for C classes.
        discriminator: examples (N, *shape) -> a score and C logits each (N, 1 + C), no JoinLabels.
        class_weight: of the class part in what each player minimises.
        loss, discriminator_steps, penalty, weight_clip, prior, dtype, rng, scaler: see GAN.

    Training wants the label of each example. Raises KindError, ShapeError or OptionError where the
    parts do not fit.
    """

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """(5) with its penalty, or (6); their class parts are reported in nats, unweighted."""
        z = drawn(self.prior, turn.rng, turn.size, self.latent, turn.batch.dtype)  # (N, Z)   (1)
        c = integers(turn.rng, self.n_labels, (turn.size,))  # (N,)   (1)
        if turn.player == "generator":
            return self._generator_with_classes(turn, z, c)
        return self._discriminator_with_classes(turn, z, c)

    def _discriminator_with_classes(self, turn: Turn, z: Array, c: Array) -> dict[str, Array]:
        m = turn.expected_labels("the discriminator learns to predict them")  # (N,)
        fake = turn.forward("generator", z, labels=c)  # (N, *shape)   (1)
        real_out = turn.forward("discriminator", turn.batch, on="real", settle=True)  # (N, 1 + C)
        fake_out = turn.forward("discriminator", fake, on="fake", settle=True)  # (N, 1 + C)
        real_score, real_logits = split(real_out, 1)  # (N, 1), (N, C)   (2)
        fake_score, fake_logits = split(fake_out, 1)  # (N, 1), (N, C)   (2)

        weight = self.class_weight / turn.size
        d = discriminator_loss(
            self.loss, real_score[:, 0], fake_score[:, 0], 1 / turn.size
        )  # .value, .real, .fake (N,)   (3)
        real_class, dreal_logits = cross_entropy(m, real_logits, weight)  # (N,), (N, C)   (4)
        fake_class, dfake_logits = cross_entropy(c, fake_logits, weight)  # (N,), (N, C)   (4)
        parts = {"real_classes": mean(real_class), "fake_classes": mean(fake_class)}  # each (1,)
        classes = add(parts["real_classes"], parts["fake_classes"])  # (1,)   (4)
        value = add_scaled(mean(d.value), classes, self.class_weight)  # (1,)   (5)

        if turn.wants_gradient:
            dreal_out = join(d.real[:, None], dreal_logits)  # (N, 1 + C)   (7)
            dfake_out = join(d.fake[:, None], dfake_logits)  # (N, 1 + C)   (7)
            turn.backward("discriminator", dreal_out, on="real", need_dx=False)
            turn.backward("discriminator", dfake_out, on="fake", need_dx=False)
        if not self.penalty:
            return {"discriminator": value, **parts}
        discriminator = turn.network("discriminator", on="penalty")
        penalty = mean_penalty(self.penalty, discriminator, turn.batch, fake, turn.rng)  # (1,)
        return {"discriminator": add(value, penalty), **parts, "penalty": penalty}

    def _generator_with_classes(self, turn: Turn, z: Array, c: Array) -> dict[str, Array]:
        fake = turn.forward("generator", z, settle=True, labels=c)  # (N, *shape)   (1)
        fake_out = turn.forward("discriminator", fake, on="judged")  # (N, 1 + C)
        fake_score, fake_logits = split(fake_out, 1)  # (N, 1), (N, C)   (2)

        d = generator_loss(self.loss, fake_score[:, 0], 1 / turn.size)  # .value, .fake (N,)   (6)
        weight = self.class_weight / turn.size
        fake_class, dfake_logits = cross_entropy(c, fake_logits, weight)  # (N,), (N, C)   (6)
        classes = mean(fake_class)  # (1,)
        value = add_scaled(mean(d.value), classes, self.class_weight)  # (1,)   (6)

        if turn.wants_gradient:
            dfake_out = join(d.fake[:, None], dfake_logits)  # (N, 1 + C)   (7)
            dfake = turn.backward("discriminator", dfake_out, on="judged")  # (N, *shape)
            turn.backward("generator", dfake, need_dx=False)
        return {"generator": value, "generator_classes": classes}

    kind: ClassVar[str] = "ACGAN"

    class_weight: float = setting(
        default=1.0, check=finite, text="weight of the class part in what each player minimises"
    )

    def _expect_scores(self) -> None:
        classes = joined_labels(self.generator)
        if not classes:
            raise OptionError(
                f"the generator of an {self.kind} needs labels, and joins no labels: put "
                f"JoinLabels(n_labels, width) at its start"
            )
        if joined_labels(self.discriminator):
            raise OptionError(
                f"the discriminator of an {self.kind} has to classify an example without its "
                f"label, and joins labels: leave its JoinLabels out"
            )
        reason = f"it gives a score and a logit for each of {classes} classes"
        expect_output(self.discriminator, "discriminator", (1 + classes,), reason)

    @property
    def reported(self) -> tuple[str, ...]:
        penalty = ["penalty"] if self.penalty else []
        of_discriminator = ("discriminator", "real_classes", "fake_classes", *penalty)
        return (*of_discriminator, "generator", "generator_classes")

    def objective_text(self, player: str) -> list[str]:
        game, _, *rest = super().objective_text(player)
        weight = "" if self.class_weight == 1 else f"{self.class_weight:g} "
        draws = f"{with_values(self.prior)}, c one of {self.n_labels} classes, each as likely"
        if player == "generator":
            classes = "fake_class = -log p(c|G(z, c)): the cross-entropy of the class it was given"
            return [f"{game} + {weight}fake_class", f"f = D(G(z, c)), {draws}", classes, *rest]
        both = "real_class + fake_class"
        parts = both if self.class_weight == 1 else f"{weight}({both})"
        scores = f"r = D(x), f = D(G(z, c)): the discriminator's scores; {draws}"
        classes = "real_class = -log p(label|x), fake_class = -log p(c|G(z, c)): cross-entropies"
        return [f"{game} + {parts}", scores, classes, *rest]

    def value_of_game(self, parts: Mapping[str, float]) -> float:
        """As in a GAN: the mean of (3), without the class part and the penalty."""
        classes = parts["real_classes"] + parts["fake_classes"]
        return super().value_of_game(parts) - self.class_weight * classes

    def class_probabilities(self, x: Any) -> Array:
        """The discriminator's p(class|x): x (N, *shape) -> (N, C), whose rows add up to 1.

        Raises ShapeError, KindError or DataError for x that does not fit this model.
        """
        x = self.check_as_given(x)
        p = np.empty((len(x), self.n_labels), self.dtype)
        for rows, y in self._pass_data("discriminator", x, None):
            p[rows] = categorical.probabilities(y[:, 1:])  # (n, C)
        return p

    def classify(self, x: Any) -> Array:
        """The most probable class of each example: x (N, *shape) -> (N,) int64, 0 ... C - 1."""
        return self.class_probabilities(x).argmax(axis=1)


@ACGAN.named(
    "a GAN whose discriminator classifies, too",
    # with a lower weight, the players agree on classes that nobody else sees in the samples
    pictures={
        "epochs": 40,
        "batch_size": 128,
        "latent": 16,
        "hidden": (256, 512),
        "class_weight": 3.0,
    },
    vectors={"epochs": 20, "batch_size": 256, "latent": 2, "hidden": (128, 128, 128)},
)
@explains_keywords
def acgan(
    shape: Any,
    *,
    n_labels: int,
    latent: int = 20,
    hidden: Any = (128, 128),
    class_weight: float = 1.0,
    loss: str | AdversarialLoss = "non_saturating",
    discriminator_steps: int = 1,
    penalty: str | Penalty | None = None,
    weight_clip: float | None = None,
    output: str | None = None,
    activation: str | type[Activation] | Activation | None = None,
    instance_noise: float | None = None,
    prior: str | Prior = "standard_normal",
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> ACGAN:
    """A dense ACGAN for examples of `shape`, of n_labels classes; all else as `gan`.

    Args:
        n_labels: the number of classes; `fit`, `sample` and `decode` want labels.
        class_weight: of the class part in what each player minimises.

    Raises OptionError, ShapeError or KindError.

    >>> model = acgan((2,), n_labels=3, latent=2, hidden=(64,), rng=0)
    >>> x = model.sample(4, rng=0, labels=[0, 1, 2, 0])
    >>> x.shape, model.class_probabilities(x).shape, model.score(x).shape
    ((4, 2), (4, 3), (4,))
    """
    n_labels = whole(n_labels, "n_labels", least=1)
    bounded = penalty is not None or weight_clip is not None
    return ACGAN(
        generator=generator_stack(shape, hidden, latent, output, n_labels, activation),
        discriminator=discriminator_stack(
            shape,
            hidden,
            1 + n_labels,
            noise_for(shape, bounded, instance_noise),
            activation=activation,
        ),
        class_weight=class_weight,
        loss=loss,
        discriminator_steps=discriminator_steps,
        penalty=penalty,
        weight_clip=weight_clip,
        prior=prior,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )

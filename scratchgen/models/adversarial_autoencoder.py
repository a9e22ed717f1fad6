"""The adversarial autoencoder (Makhzani et al. 2016): the discriminator judges codes, not examples.

    z = encoder(x)                                      the code of each x                (1)
    raw = decoder(z)                                    p(x|z)                            (2)
    fake_score_n = D(z_n),   real_score_n = D(c_n),   c_n ~ p(z)                          (3)
    the autoencoder minimises    1/N sum_n -log p(x_n|z_n)                                (4)
    the discriminator minimises  1/N sum_n loss.discriminator(real_score_n, fake_score_n)  (5)
    the generator minimises      1/N sum_n loss.generator(fake_score_n)                   (6)

The distribution of the codes of all data is the aggregate posterior q(z). Once (5) and (6) have
brought it to the prior, draws of the prior look to the decoder like codes of data, and it turns
z ~ p(z) into a new example. A VAE's KL term asks for more: the posterior of every single x should
be near the prior. The KL term needs the density of the prior; (5) needs only draws of it. But codes
have no noise: where data lie in tight clusters, the encoder has to spread each cluster over its
share of the prior, and the game approaches that only slowly.

The encoder is the generator of this game. Two players move it in each step, first the autoencoder
and last the generator, each with a gradient and optimizer moments of its own. Backward, with d.real
and d.fake (N,) the derivatives of (5), or of (6), with respect to the scores, and with the weight
1/N for each example:

    d_raw = -1/N d log p(x|z) / d raw                                                     (7)
    dz = decoder.backward(d_raw);   dL/dw of the encoder += encoder.backward(dz)          (8)
    dL/dw_D = D.backward(d.real), on the tape of the real pass
            + D.backward(d.fake), on the tape of the fake pass                             (9)
    dz = D.backward(d.fake), nothing added for D;   encoder.backward(dz)                   (10)

x passes through the encoder three times in a step. The encoder's state, such as the running mean of
a batch norm, is updated once, from the autoencoder's pass: the other two see the same batch. The
discriminator's state is updated from both passes of (5), of draws and of codes, because it judges
the mixture of both.

With a label m for each example, the likelihood is p(x|z, m): the decoder is given the label, and
the code has only to say the rest, such as the style of a digit (figure 6 of the paper). Sampling a
class m from z ~ p(z) then needs q(z|m) = p(z) for each m, and not just on average. Therefore `aae`
gives the label to the discriminator too.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from ..data.scaling import Scaler
from ..distributions import PRIORS, FixedGaussian, Likelihood, Prior, drawn, log_prob_and_gradient
from ..ground.arguments import Array, count
from ..ground.errors import ShapeError
from ..ground.keywords import explains_keywords
from ..ground.parts import choose, setting, with_values
from ..ground.rng import Rng
from ..kernels import add, mean, scale
from ..losses import (
    LOSSES,
    PENALTIES,
    R1,
    AdversarialLoss,
    Penalty,
    discriminator_loss,
    generator_loss,
    mean_penalty,
)
from ..nn import Activation, Network
from ..optim import Adam, LinearDecay, Optimizer
from .autoencoder import Autoencoder
from .compatibility import expect_output, fitting_penalty
from .families import family
from .stacks import decoder_stack, discriminator_stack, encoder_stack, latent_size
from .turn import Turn

__all__ = ["AAE", "aae"]


@family
class AAE(Autoencoder):
    """An encoder, a decoder, and a discriminator of codes and draws of the prior.

    Args:
        encoder: x (N, *shape) -> codes z (N, latent).
        decoder: z (N, latent) -> raw (N, *likelihood.raw_shape(shape)).
        likelihood: what raw means; a name, a likelihood, or None for the default of the shape.
        discriminator: z (N, latent) -> a score each (N, 1), the higher the more like a draw of the
            prior; a keyword argument.
        loss: the game, by name or as an AdversarialLoss.
        prior: the distribution that the codes should have: a name, or a Prior.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        dtype, rng, scaler: see Model.

    Raises KindError, ShapeError or OptionError where the parts do not fit.
    """

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """(4), (5) with its penalty, or (6)."""
        if turn.player == "autoencoder":
            return self._autoencoder(turn)
        if turn.player == "discriminator":
            return self._discriminator(turn)
        return self._generator(turn)

    def _autoencoder(self, turn: Turn) -> dict[str, Array]:
        z = turn.forward("encoder", turn.batch, settle=True)  # (N, Z)   (1)
        raw = turn.forward("decoder", z, settle=True)  # (N, ...)   (2)
        log_prob, d_raw = log_prob_and_gradient(
            self.likelihood, turn.batch, raw, -1 / turn.size
        )  # (N,), and (7)
        if turn.wants_gradient:
            dz = turn.backward("decoder", d_raw)  # (N, Z)   (8)
            turn.backward("encoder", dz, need_dx=False)  # (8)
        return {"autoencoder": scale(mean(log_prob), -1)}  # (1,)   (4)

    def _discriminator(self, turn: Turn) -> dict[str, Array]:
        c = drawn(self.prior, turn.rng, turn.size, self.latent, turn.batch.dtype)  # (N, Z)   (3)
        z = turn.forward("encoder", turn.batch)  # (N, Z)   (1)
        real_score = turn.forward("discriminator", c, on="real", settle=True)  # (N, 1)   (3)
        fake_score = turn.forward("discriminator", z, on="fake", settle=True)  # (N, 1)   (3)
        d = discriminator_loss(
            self.loss, real_score[:, 0], fake_score[:, 0], 1 / turn.size
        )  # .value, .real, .fake (N,)   (5)
        value = mean(d.value)  # (1,)   (5)
        if turn.wants_gradient:
            turn.backward("discriminator", d.real[:, None], on="real", need_dx=False)  # (9)
            turn.backward("discriminator", d.fake[:, None], on="fake", need_dx=False)  # (9)
        if not self.penalty:
            return {"discriminator": value}
        discriminator = turn.network("discriminator", on="penalty")
        penalty = mean_penalty(self.penalty, discriminator, c, z, turn.rng)  # (1,)
        return {"discriminator": add(value, penalty), "penalty": penalty}

    def _generator(self, turn: Turn) -> dict[str, Array]:
        z = turn.forward("encoder", turn.batch)  # (N, Z)   (1)
        fake_score = turn.forward("discriminator", z, on="judged")  # (N, 1)   (3)
        d = generator_loss(self.loss, fake_score[:, 0], 1 / turn.size)  # .value, .fake (N,)   (6)
        if turn.wants_gradient:
            dz = turn.backward("discriminator", d.fake[:, None], on="judged")  # (N, Z)   (10)
            turn.backward("encoder", dz, need_dx=False)  # (10)
        return {"generator": mean(d.value)}  # (1,)   (6)

    kind: ClassVar[str] = "AAE"
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "autoencoder": ("encoder", "decoder"),
        "discriminator": ("discriminator",),
        "generator": ("encoder",),
    }

    discriminator: Network = field(kw_only=True)
    loss: Any = setting(default="non_saturating", text="the game", registry=LOSSES)
    prior: Any = setting(
        default="standard_normal", text="distribution that the codes should have", registry=PRIORS
    )
    penalty: Any = setting(
        default=None,
        text="penalty on the discriminator's slope",
        registry=PENALTIES,
        optional=True,
    )

    def fit_together(self) -> None:
        super().fit_together()
        if self.discriminator.in_shape != (self.latent,):
            raise ShapeError(
                f"the discriminator takes {self.discriminator.in_shape}, wants ({self.latent},), "
                f"because it judges codes: build it with Network(({self.latent},), ...)"
            )
        expect_output(self.discriminator, "discriminator", (1,), "it gives one score a code")
        self.loss = choose(self.loss, LOSSES, AdversarialLoss, "loss")
        self.prior = choose(self.prior, PRIORS, Prior)
        self.prior.check(self.latent)
        self.penalty = fitting_penalty(self.penalty, self.discriminator)

    @property
    def reported(self) -> tuple[str, ...]:
        return ("autoencoder", "discriminator", *(["penalty"] if self.penalty else []), "generator")

    def objective_text(self, player: str) -> list[str]:
        if player == "autoencoder":
            return [
                "-log p(x|z),  z = encoder(x)",
                f"p(x|z), raw = decoder(z): {with_values(self.likelihood)}",
            ]
        if player == "generator":
            formula = self.loss.generator_formula or f"the {self.loss.name} loss of f"
            return [formula, "f = D(encoder(x)): it moves the encoder again"]
        formula = self.loss.discriminator_formula or f"the {self.loss.name} loss of r and f"
        lines = [
            formula + (" + penalty" if self.penalty else ""),
            "r = D(z), z ~ p(z), f = D(encoder(x)): the discriminator's scores",
            f"p(z): {with_values(self.prior)}",
        ]
        return [*lines, f"penalty = {with_values(self.penalty)}"] if self.penalty else lines

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """Adam for each player, at rates that fall linearly to 0.

        `learning_rate` is the first rate of the autoencoder and of the generator, by default 1e-3;
        the discriminator's is twice that, so that it keeps up (Heusel et al. 2017). The two players
        of the game have b1 = 0.5. At constant rates the codes go on circling around the prior.
        """
        rate = 1e-3 if learning_rate is None else learning_rate
        last = max(1, steps)
        return {
            "autoencoder": Adam(LinearDecay(rate, last)),
            "discriminator": Adam(LinearDecay(2 * rate, last), b1=0.5),
            "generator": Adam(LinearDecay(rate, last), b1=0.5),
        }

    def remarks(self) -> list[str]:
        if self.loss.name == "wasserstein" and not self.penalty:
            return ["without a penalty nothing bounds this game's scores"]
        return []

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z ~ p(z), the prior: (n, latent)."""
        return drawn(self.prior, rng, count(n), self.latent, self.dtype)


@AAE.named(
    "an adversarial autoencoder",
    pictures={
        "epochs": 40,
        "batch_size": 128,
        "latent": 8,
        "hidden": (256, 128),
        "penalty": R1(weight=0.3),
    },
    vectors={
        "epochs": 60,
        "batch_size": 128,
        "latent": 2,
        "hidden": (128, 128),
        "penalty": R1(weight=0.3),
        # without noise in the codes, a learnt variance would fall without end
        "likelihood": FixedGaussian(variance=0.01),
    },
)
@explains_keywords
def aae(
    shape: Any,
    *,
    latent: int = 8,
    hidden: Any = (128, 128),
    loss: str | AdversarialLoss = "non_saturating",
    prior: str | Prior = "standard_normal",
    penalty: str | Penalty | None = None,
    likelihood: str | Likelihood | None = None,
    activation: str | type[Activation] | Activation | None = None,
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> AAE:
    """A dense adversarial autoencoder for examples of `shape`.

    Args:
        shape: of one example: a picture, (H, W) or (H, W, C), or a vector, (D,).
        latent: the size of z.
        hidden: the widths of the encoder's hidden layers; the decoder and the discriminator have
            them reversed.
        loss: the game: a name of sg.losses.LOSSES, or an AdversarialLoss.
        prior: the distribution that the codes should have: a name of sg.distributions.PRIORS, or a
            Prior.
        penalty: on the discriminator's slope: "gradient_penalty", "r1", a penalty, or None.
        likelihood: a name of sg.distributions.LIKELIHOODS, a likelihood, or None: Bernoulli for
            pictures, Gaussian for vectors. Where vectors are reconstructed almost exactly, a fixed
            variance, FixedGaussian(0.01), keeps (4) from falling without end.
        activation: after each hidden layer of all networks: a name in any case, such as "silu" or
            "leaky_relu", of an activation in sg.nn.LAYERS; a class or an object; None: ReLU, and
            LeakyReLU in the discriminator.
        n_labels: the number of classes; above 0 the decoder and the discriminator are given the
            label of each example, and `fit`, `sample` and the rest want labels. `encode` does not.
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: for vectors, such as sg.data.Scaler.standard(x); the model takes and returns x in
            the units of the data that the scaler was fitted on.

    Raises OptionError, ShapeError or KindError.

    >>> aae((28, 28, 1), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 28, 28, 1)
    """
    return AAE(
        encoder=encoder_stack(
            shape, hidden, latent_size(latent), likelihood, activation=activation
        ),
        decoder=decoder_stack(shape, hidden, latent, likelihood, n_labels, activation),
        discriminator=discriminator_stack(
            (latent,), hidden, n_labels=n_labels, activation=activation
        ),
        likelihood=likelihood,
        loss=loss,
        prior=prior,
        penalty=penalty,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )

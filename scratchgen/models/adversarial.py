"""The generative adversarial network (Goodfellow et al. 2014): two players, taking turns.

    fake = G(z),   z ~ N(0, I)                                                       (1)
    r = D(x),   f = D(fake)                            logits                        (2)
    the discriminator minimises  mean_n  loss.discriminator(r_n, f_n)                (3)
    the generator minimises      mean_n  loss.generator(f_n)                         (4)

The discriminator's step asks for no gradient beyond D, so that G does not move. The generator's
step goes back through D without adding anything to D's gradient, and on through G:

    dfake = D.backward(df),   G.backward(dfake)                                      (5)

In algorithm 1 of the paper the discriminator moves k times for each move of the generator, each
time on fresh examples: here the generator moves in every k-th step.
"""

from typing import Any

import numpy as np

from ..checks import Array, one_of, whole, within
from ..errors import OptionError
from ..losses import LOSSES, AdversarialLoss
from ..nn import Gradient, Network, Sigmoid, Tanh, Tape
from ..optim import Adam, LinearDecay, Optimizer
from ..rng import Rng
from ..rng import generator as as_generator
from .model import Model, expect_kind, expect_output


class GAN(Model):
    """A generator, a discriminator and a game; each player's number is what it minimises, in nats.

    Args:
        generator: z (N, latent) -> fake examples (N, *shape).
        discriminator: examples (N, *shape) -> a logit each (N, 1), positive for real.
        loss: the game, by name or as an AdversarialLoss.
        discriminator_steps: the discriminator's moves for each move of the generator.

    Raises ShapeError or OptionError where the parts do not fit.
    """

    kind = "GAN"
    network_names = ("generator", "discriminator")
    numbers = ("discriminator", "generator")

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        loss: str | AdversarialLoss = "non_saturating",
        discriminator_steps: int = 1,
        dtype: Any = "float32",
        rng: Rng = None,
    ) -> None:
        expect_kind({"generator": generator, "discriminator": discriminator})
        self.shape = discriminator.in_shape
        if len(generator.in_shape) != 1:
            raise OptionError(f"the generator takes {generator.in_shape}: wants (latent,)")
        self.latent = generator.in_shape[0]
        expect_output(generator, "generator", self.shape, f"the discriminator takes {self.shape}")
        expect_output(discriminator, "discriminator", (1,), "it gives one logit an example")
        if not isinstance(loss, AdversarialLoss):
            loss = LOSSES[one_of(loss, LOSSES, "loss")]
        self.loss = loss
        self.discriminator_steps = whole(discriminator_steps, "discriminator_steps", least=1)
        networks = {"generator": generator, "discriminator": discriminator}
        players = {"discriminator": ("discriminator",), "generator": ("generator",)}
        super().__init__(networks, players, dtype, rng)

    def objective(
        self,
        player: str,
        batch: Array,
        rng: Rng,
        gradient: Gradient | None = None,
        tape: Tape | None = None,
        training: bool = True,
    ) -> float:
        """(3) or (4); see `Model.objective`. The generator needs of the batch only its size."""
        one_of(player, self.players, "player")
        rng = as_generator(rng)
        tape = (tape or Tape()).begin(training=training, rng=rng)
        z = self.draw_latents(len(batch), rng)  # (N, Z)
        p = self.players["generator"].views.generator
        fake = self.networks["generator"].forward(p, z, tape.inner("generator"))  # (N, ...)   (1)
        turn = self._discriminator if player == "discriminator" else self._generator
        value = turn(batch, fake, gradient, tape)
        tape.parts = {player: value}
        return value

    def _discriminator(
        self, batch: Array, fake: Array, gradient: Gradient | None, tape: Tape
    ) -> float:
        network, p = self.networks["discriminator"], self.players["discriminator"].views
        r = network.forward(p.discriminator, batch, tape.inner("real"))[:, 0]  # (N,)   (2)
        f = network.forward(p.discriminator, fake, tape.inner("fake"))[:, 0]  # (N,)
        if gradient is not None:
            d = self.loss.discriminator_gradients(r, f, self._mean_weights(batch))
            g = gradient.views.discriminator
            for name, dlogits in (("real", d.real), ("fake", d.fake)):
                network.backward(
                    p.discriminator, dlogits[:, None], tape.inner(name), g, need_dx=False
                )
        return float(self.loss.discriminator(r, f).mean(dtype=np.float64))  # (3)

    def _generator(self, batch: Array, fake: Array, gradient: Gradient | None, tape: Tape) -> float:
        judge, p_judge = self.networks["discriminator"], self.players["discriminator"].views
        f = judge.forward(p_judge.discriminator, fake, tape.inner("fake"))[:, 0]  # (N,)   (2)
        if gradient is not None:
            df = self.loss.generator_gradients(f, self._mean_weights(batch)).fake  # (N,)
            dfake: Any = judge.backward(  # (N, ...)   (5)
                p_judge.discriminator, df[:, None], tape.inner("fake"), g=None
            )
            self.networks["generator"].backward(  # (5)
                self.players["generator"].views.generator,
                dfake,
                tape.inner("generator"),
                gradient.views.generator,
                need_dx=False,
            )
        return float(self.loss.generator(f).mean(dtype=np.float64))  # (4)

    def _mean_weights(self, batch: Array) -> Array:
        return np.full(len(batch), 1 / len(batch), self.dtype)  # (N,): of the means in (3), (4)

    def settle(self, player: str, tape: Tape) -> None:
        passes = ("real", "fake") if player == "discriminator" else ("generator",)
        p = getattr(self.players[player].views, player)
        for name in passes:
            self.networks[player].settle(p, tape.inner(name))

    def turns(self, step: int) -> tuple[str, ...]:
        if (step + 1) % self.discriminator_steps:
            return ("discriminator",)
        return ("discriminator", "generator")

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """Adam with b1 = 0.5, its rate falling in a straight line to 0 over the run.

        `learning_rate` is the generator's first rate, 1e-3 by default. The discriminator's is four
        times that, so that it keeps up (two time scales: Heusel et al. 2017).
        """
        rate = 1e-3 if learning_rate is None else learning_rate
        rates = {"discriminator": 4 * rate, "generator": rate}
        return {
            player: Adam(LinearDecay(first, max(steps, 1)), b1=0.5)
            for player, first in rates.items()
        }

    def check(self, x: Any, what: str = "x") -> Array:
        x = super().check(x, what)
        last = self.networks["generator"].layers[-1]
        if isinstance(last, Sigmoid):
            within(x, 0, 1, "the generator ends in Sigmoid and could give nothing else")
        if isinstance(last, Tanh):
            within(x, -1, 1, "the generator ends in Tanh and could give nothing else")
        return x

    def decode(self, z: Any) -> Array:
        """G(z): z (N, latent) -> (N, *shape)."""
        return self.apply("generator", self.check_latents(z))

    def sample(self, n: int, rng: Rng = None) -> Array:
        """G(z) for n draws of z ~ N(0, I): (n, *shape)."""
        return self.decode(self.draw_latents(n, as_generator(rng)))

    def score(self, x: Any) -> Array:
        """The discriminator's logits: x (N, *shape) -> (N,), positive where it believes x real."""
        return self.apply("discriminator", self.check(x))[:, 0]

    def settings(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "latent": self.latent,
            "loss": self.loss.name,
            "discriminator_steps": self.discriminator_steps,
        }

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> "GAN":
        steps = settings["discriminator_steps"]
        return cls(**networks, loss=settings["loss"], discriminator_steps=steps, dtype=dtype, rng=0)

    def __str__(self) -> str:
        steps = self.discriminator_steps
        k = f", {steps} discriminator steps" if steps > 1 else ""
        return f"GAN of {self.shape}: latent {self.latent}, {self.loss.name} loss{k}"

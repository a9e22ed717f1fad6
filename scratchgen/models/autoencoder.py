"""The variational autoencoder (Kingma and Welling 2014; beta: Higgins et al. 2017).

    mu, log_var = encoder(x)                                        q(z|x)           (1)
    z = mu + exp(log_var / 2) noise,   noise ~ N(0, I)                               (2)
    raw = decoder(z)                                                p(x|z)           (3)
    loss = mean over the batch of [-log p(x|z) + beta KL(q(z|x) || N(0, I))]         (4)

(4) is the negative of what is maximised, so that it can be minimised. The backward pass is the
chain rule, read from (4) up to (1), with dvalue_n = 1/N for each example n of the mean:

    d_raw    = -dvalue d log p(x|z) / d raw       Bernoulli: (sigmoid(raw) - x) / N          (5)
    dz       = d_raw, back through the decoder                                               (6)
    dmu      = dz + beta mu / N
    dlog_var = dz noise exp(log_var / 2) / 2 + beta (exp(log_var) - 1) / (2 N)               (7)
    (dmu, dlog_var), back through the encoder; nobody needs dx                               (8)

On the way back each network adds the gradients of its own parameters.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from ..checks import Array, one_of, real
from ..distributions import (
    Likelihood,
    build_likelihood,
    describe_likelihood,
    gaussian,
    likelihood_for,
)
from ..errors import OptionError
from ..nn import Gradient, Network, Tape
from ..optim import Adam, Optimizer
from ..rng import Rng, generator, standard_normal
from .model import Model, by_chunks, expect_kind, expect_output


class VAE(Model):
    """An encoder, a decoder and a likelihood; everything is in nats, mean per example.

    Args:
        encoder: x (N, *shape) -> mu and log_var side by side (N, 2 latent).
        decoder: z (N, latent) -> raw (N, *likelihood.raw_shape(shape)).
        likelihood: what raw means; a name, a likelihood, or None for the one that fits the shape.
        beta: the weight of the KL term in training; `elbo` always takes 1.

    Raises ShapeError or OptionError where the parts do not fit.
    """

    kind = "VAE"
    network_names = ("encoder", "decoder")
    numbers = ("loss", "reconstruction", "kl")

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: str | Likelihood | None = None,
        beta: float = 1.0,
        dtype: Any = "float32",
        rng: Rng = None,
    ) -> None:
        expect_kind({"encoder": encoder, "decoder": decoder})
        self.shape = encoder.in_shape
        if len(decoder.in_shape) != 1:
            raise OptionError(f"the decoder takes {decoder.in_shape}: wants (latent,)")
        self.latent = decoder.in_shape[0]
        self.likelihood = likelihood_for(likelihood, self.shape)
        self.beta = real(beta, "beta")
        heads = f"latent={self.latent} wants a mu and a log_var each"
        expect_output(encoder, "encoder", (2 * self.latent,), heads)
        raw = f"the likelihood of {self.shape} is {self.likelihood.name}"
        expect_output(decoder, "decoder", self.likelihood.raw_shape(self.shape), raw)
        networks = {"encoder": encoder, "decoder": decoder}
        super().__init__(networks, {"vae": self.network_names}, dtype, rng)

    def objective(
        self,
        player: str,
        batch: Array,
        rng: Rng,
        gradient: Gradient | None = None,
        tape: Tape | None = None,
        training: bool = True,
    ) -> float:
        """The loss (4); see `Model.objective`. Its parts are reconstruction and kl."""
        one_of(player, self.players, "player")
        rng = generator(rng)
        tape = (tape or Tape()).begin(training=training, rng=rng)
        encoder, decoder, p = self.networks["encoder"], self.networks["decoder"], self._p
        heads = encoder.forward(p.encoder, batch, tape.inner("encoder"))  # (N, 2Z)   (1)
        mu, log_var = np.split(heads, 2, axis=1)  # (N, Z) each
        noise = standard_normal(rng, mu.shape, self.dtype)  # (N, Z)
        z = gaussian.draw(mu, log_var, noise)  # (N, Z)   (2)
        raw = decoder.forward(p.decoder, z, tape.inner("decoder"))  # (N, ...)   (3)
        reconstruction = float(-self.likelihood.log_prob(batch, raw).mean(dtype=np.float64))
        kl = float(gaussian.kl_to_standard(mu, log_var).mean(dtype=np.float64))
        loss = reconstruction + self.beta * kl  # (4)
        tape.parts = {"loss": loss, "reconstruction": reconstruction, "kl": kl}
        if gradient is not None:
            dvalue = np.full(len(batch), 1 / len(batch), self.dtype)  # (N,): of the mean in (4)
            d_raw = self.likelihood.raw_gradient(batch, raw, -dvalue)  # (N, ...)   (5)
            g = gradient.views
            dz: Any = decoder.backward(p.decoder, d_raw, tape.inner("decoder"), g.decoder)  # (6)
            beta = self.dtype.type(self.beta)
            of_draw = gaussian.draw_gradients(log_var, noise, dz)
            of_kl = gaussian.kl_to_standard_gradients(mu, log_var, beta * dvalue)
            dmu = of_draw.mu + of_kl.mu  # (N, Z)   (7)
            dlog_var = of_draw.log_var + of_kl.log_var  # (N, Z)   (7)
            dheads = np.concatenate([dmu, dlog_var], axis=1)  # (N, 2Z)
            tape_e = tape.inner("encoder")
            encoder.backward(p.encoder, dheads, tape_e, g.encoder, need_dx=False)  # (8)
        return loss

    def settle(self, player: str, tape: Tape) -> None:
        for name, network in self.networks.items():
            network.settle(getattr(self._p, name), tape.inner(name))

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """Adam at 1e-3."""
        return {"vae": Adam(1e-3 if learning_rate is None else learning_rate)}

    def check(self, x: Any, what: str = "x") -> Array:
        x = super().check(x, what)
        self.likelihood.check(x, what)
        return x

    def posterior(self, x: Any) -> SimpleNamespace:
        """q(z|x) for x (N, *shape): `.mu` and `.log_var` (N, latent).

        Raises, as everything that takes x, ShapeError, KindError or DataError.
        """
        mu, log_var = np.split(self.apply("encoder", self.check(x)), 2, axis=1)
        return SimpleNamespace(mu=mu.copy(), log_var=log_var.copy())

    def encode(self, x: Any) -> Array:
        """The posterior's mean: x (N, *shape) -> mu (N, latent)."""
        return self.posterior(x).mu

    def decode(self, z: Any) -> Array:
        """The likelihood's mean: z (N, latent) -> (N, *shape)."""
        return by_chunks(self.likelihood.mean, self.apply("decoder", self.check_latents(z)))

    def reconstruct(self, x: Any) -> Array:
        """decode(encode(x)): x (N, *shape) -> (N, *shape)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Rng = None, noise: bool = False) -> Array:
        """n new examples (n, *shape): E[x|z] for z ~ N(0, I), or, with noise, draws of p(x|z).

        Raises OptionError for a bad n or rng.
        """
        rng = generator(rng)
        z = self.draw_latents(n, rng)
        if not noise:
            return self.decode(z)
        return by_chunks(lambda raw: self.likelihood.draw(raw, rng), self.apply("decoder", z))

    def elbo(self, x: Any, rng: Rng = None) -> Array:
        """log p(x|z) - KL with one draw of z and beta = 1, nats: x (N, *shape) -> (N,).

        On average over the draws a lower bound of log p(x).
        """
        x = self.check(x)
        rng = generator(rng)
        q = self.posterior(x)
        noise = standard_normal(rng, q.mu.shape, self.dtype)  # (N, Z)
        raw = self.apply("decoder", gaussian.draw(q.mu, q.log_var, noise))  # (N, ...)
        return self.likelihood.log_prob(x, raw) - gaussian.kl_to_standard(q.mu, q.log_var)

    def settings(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "latent": self.latent,
            "beta": self.beta,
            "likelihood": describe_likelihood(self.likelihood),
        }

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> "VAE":
        likelihood = build_likelihood(settings["likelihood"])
        return cls(**networks, likelihood=likelihood, beta=settings["beta"], dtype=dtype, rng=0)

    def __str__(self) -> str:
        likelihood = self.likelihood.name
        return f"VAE of {self.shape}: latent {self.latent}, {likelihood}, beta {self.beta:g}"

    @property
    def _p(self) -> Any:
        return self.players["vae"].views

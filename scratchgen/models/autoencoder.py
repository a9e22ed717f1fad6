"""The variational autoencoder (Kingma and Welling 2014; beta: Higgins et al. 2017).

    mu, log_var = encoder(x)                                        q(z|x)           (1)
    z = mu + exp(log_var / 2) noise,   noise ~ N(0, I)                               (2)
    raw = decoder(z)                                                p(x|z)           (3)
    loss = mean over the batch of [-log p(x|z) + beta KL(q(z|x) || N(0, I))]         (4)

(4) is the negative of what is maximised, so that it can be minimised; docs/derivations.md says
where it comes from. The backward pass is the chain rule, read from (4) up to (1), with
dvalue_n = 1/N for each example n of the mean:

    d_raw    = -dvalue d log p(x|z) / d raw       Bernoulli: (sigmoid(raw) - x) / N          (5)
    dz       = d_raw, back through the decoder                                               (6)
    dmu      = dz + beta mu / N
    dlog_var = dz noise exp(log_var / 2) / 2 + beta (exp(log_var) - 1) / (2 N)               (7)
    (dmu, dlog_var), back through the encoder; dx is not needed                              (8)

On the way back each network adds the gradients of its own parameters. Of (7), gaussian.py has the
code.

Two ways to keep the KL term from emptying z early in training, before the decoder has learnt to
read it. In step t of the training, (4) takes

    beta_t = beta min(1, (t + 1) / warm_up)                 KL warm-up                       (9)
    sum_j max(free_bits, mean over the batch of KL_j)       free bits, in nats per latent    (10)

for beta and for the KL (Bowman et al. 2016; Kingma et al. 2016). The gradient of (10) leaves out
the latents j whose KL is below free_bits.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..checks import Array, array_text, chunks, finite, numbers, whole
from ..data.scaling import Scaler
from ..distributions import (
    Likelihood,
    build_likelihood,
    describe_likelihood,
    gaussian,
    likelihood_for,
    scored,
)
from ..errors import OptionError, ShapeError
from ..kernels import formula, mean, standard_normal
from ..keywords import explains_keywords
from ..nn import Gradient, Network, Tape
from ..nn.block import BLANK
from ..optim import Adam, Optimizer
from ..rng import Rng, generator
from .model import Model, expect_kind, expect_output, with_values


@formula(
    "mean_log_prob (1,) float64, kl (Z,) float64, beta (1,) float64, free_bits ()"
    " -> loss, reconstruction, of_kl (1,) float64"
)
def negative_bound(
    mean_log_prob: Array, kl: Array, beta: Array, free_bits: float
) -> tuple[Array, Array, Array]:
    """The mean of log p(x|z) (1,), each latent's KL (Z,), beta (1,) -> the loss and its parts (1,).

    The KL among the parts is the true one, without (9) and (10).
    """
    counted = np.maximum(kl, free_bits)  # (Z,)   (10)
    reconstruction = -mean_log_prob  # (1,)
    loss = reconstruction + beta * counted.sum(keepdims=True)  # (1,)   (4)
    return loss, reconstruction, kl.sum(keepdims=True)  # (1,) each


class VAE(Model):
    """An encoder, a decoder and a likelihood; everything is in nats, mean per example.

    Args:
        encoder: x (N, *shape) -> mu and log_var side by side (N, 2 latent).
        decoder: z (N, latent) -> raw (N, *likelihood.raw_shape(shape)).
        likelihood: what raw means; a name, a likelihood, or None for the one that fits the shape.
        beta: the weight of the KL term in training; `elbo` always takes 1.
        warm_up: the first steps of training, over all calls of `fit`, in which beta rises to its
            value; 0 is none.
        free_bits: nats that the KL of each latent is free to have; 0 is none.

        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: a Scaler of vectors, in whose units x is taken and given; None is none.

    Raises KindError, ShapeError or OptionError where the parts do not fit.
    """

    kind = "VAE"
    network_names = ("encoder", "decoder")
    numbers: tuple[str, ...] = ("loss", "reconstruction", "kl")

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: str | Likelihood | None = None,
        beta: float = 1.0,
        warm_up: int = 0,
        free_bits: float = 0.0,
        dtype: Any = "float32",
        rng: Rng = None,
        scaler: Scaler | None = None,
    ) -> None:
        expect_kind({"encoder": encoder, "decoder": decoder})
        self.shape = encoder.in_shape
        if len(decoder.in_shape) != 1:
            raise OptionError(f"the decoder takes {decoder.in_shape}: wants (latent,)")
        self.latent = decoder.in_shape[0]
        self.likelihood = likelihood_for(likelihood, self.shape)
        self.beta = finite(beta, "beta")
        self.warm_up = whole(warm_up, "warm_up")
        self.free_bits = finite(free_bits, "free_bits")
        reason = f"latent={self.latent} wants a mu and a log_var each"
        expect_output(encoder, "encoder", (2 * self.latent,), reason)
        reason = f"the likelihood of {self.shape} is {self.likelihood.name}"
        expect_output(decoder, "decoder", self.likelihood.raw_shape(self.shape), reason)
        networks = {"encoder": encoder, "decoder": decoder}
        super().__init__(networks, {"vae": self.network_names}, dtype, rng, scaler)

    def minimise(
        self, player: str, batch: Array, tape: Tape, gradient: Gradient | None
    ) -> dict[str, Array]:
        """The loss (4), under (9) and (10); its parts are reconstruction and the true kl."""
        n = len(batch)
        noise = self.draw_latents(n, tape.rng)  # (N, Z)
        heads = self.forward("encoder", batch, tape)  # (N, 2Z)   (1)
        z, kl = gaussian.draw_and_kl(heads, noise)  # (N, Z)   (2), and the KL (Z,) of (4)
        raw = self.forward("decoder", z, tape)  # (N, ...)   (3)
        log_prob, d_raw = scored(self.likelihood, batch, raw, weight=-1 / n)  # (N,), and (5)
        beta = tape.number(self.beta_at)  # (1,)   (9)
        loss, reconstruction, of_kl = negative_bound(mean(log_prob), kl, beta, self.free_bits)
        if gradient is not None:
            dz = self.backward("decoder", d_raw, tape, gradient)  # (N, Z)   (6)
            dheads = gaussian.draw_and_kl_back(  # (N, 2Z)   (7, 10)
                heads, noise, dz, kl, beta, self.free_bits
            )
            self.backward("encoder", dheads, tape, gradient, need_dx=False)  # (8)
        return {"loss": loss, "reconstruction": reconstruction, "kl": of_kl}

    def parts(self) -> tuple[Any, ...]:
        return (self.likelihood,)

    def minimises(self, player: str) -> list[str]:
        beta = f"beta = {self.beta:g}"
        if self.warm_up:
            beta += f", to which it rises over {self.warm_up:,} steps"
        lines = [
            "-E[log p(x|z)] + beta KL(q(z|x) || N(0, I)),  z ~ q(z|x)",
            "q(z|x) = N(mu, exp(log_var)),  (mu, log_var) = encoder(x)",
            f"p(x|z), raw = decoder(z): {with_values(self.likelihood)}",
            beta,
        ]
        if self.free_bits:
            lines.append(f"each latent's KL counts as at least {self.free_bits:g}: free bits")
        return lines

    def beta_at(self, step: int | None) -> float:
        """beta in that step of the training (9); for None, beta itself."""
        if step is None or not self.warm_up:
            return self.beta
        return self.beta * min(1.0, (step + 1) / self.warm_up)  # (9)

    def settle(self, player: str, tape: Tape) -> None:
        for name, network in self.networks.items():
            network.settle(self._views(name), tape.inner(name))

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """Adam at 1e-3."""
        return {"vae": Adam(1e-3 if learning_rate is None else learning_rate)}

    def check(self, x: Any, what: str = "x") -> Array:
        x = super().check(x, what)
        self.likelihood.check(x, what)
        return x

    def bounds(self) -> tuple[float, float, str] | None:
        limits = self.likelihood.bounds
        return limits and (*limits, f"the likelihood is {type(self.likelihood).__name__}")

    def is_density(self) -> bool:
        return self.likelihood.is_density

    @explains_keywords
    def posterior(self, x: Any, labels: Any = None) -> SimpleNamespace:
        """q(z|x) for x (N, *shape): `.mu` and `.log_var` (N, latent).

        Raises, as everything that takes x, ShapeError, KindError or DataError. Here and below,
        labels (N,), or one for all, are for networks with JoinLabels, and missing ones an
        OptionError.
        """
        x = self.check_as_given(x)
        mu, log_var = (np.empty((len(x), self.latent), self.dtype) for _ in range(2))
        for rows, heads in self._pass_data("encoder", x, self.check_labels(labels, len(x))):
            mu[rows], log_var[rows] = np.split(heads, 2, axis=1)
        return SimpleNamespace(mu=mu, log_var=log_var)

    @explains_keywords
    def encode(self, x: Any, labels: Any = None) -> Array:
        """The posterior's mean: x (N, *shape) -> mu (N, latent)."""
        x = self.check_as_given(x)
        mu = np.empty((len(x), self.latent), self.dtype)
        for rows, heads in self._pass_data("encoder", x, self.check_labels(labels, len(x))):
            mu[rows] = heads[:, : self.latent]
        return mu

    @explains_keywords
    def decode(self, z: Any, labels: Any = None) -> Array:
        """The likelihood's mean, or for categories its mode: z (N, latent) -> (N, *shape)."""
        return self._read(self._mean, self.check_latents_as_given(z), labels)

    @explains_keywords
    def reconstruct(self, x: Any, labels: Any = None) -> Array:
        """decode(encode(x)): x (N, *shape) -> (N, *shape)."""
        x = self.check_as_given(x)
        labels = self.check_labels(labels, len(x))
        out = self._room(len(x))
        for rows in chunks(len(x), self.shape):
            of = None if labels is None else labels[rows]
            out[rows] = self.decode(self.encode(x[rows], of), of)
        return out

    @explains_keywords
    def sample(self, n: int, rng: Rng = None, labels: Any = None, noise: bool = False) -> Array:
        """n new examples (n, *shape): E[x|z] for z ~ N(0, I), or, with noise, draws of p(x|z).

        Raises OptionError for a bad n or rng.
        """
        rng = generator(rng)
        if not noise:
            return self._decode_draws(n, rng, labels)
        z = self.draw_latents(n, rng)
        return self._read(
            lambda raw: self._examples("draw", self.likelihood.draw(raw, rng), len(raw)), z, labels
        )

    @explains_keywords
    def elbo(self, x: Any, rng: Rng = None, labels: Any = None) -> Array:
        """log p(x|z) - KL with one draw of z and beta = 1, nats: x (N, *shape) -> (N,).

        On average over the draws a lower bound of log p(x), a density per unit of x: with a scaler
        that of the scaled x, times its Jacobian, (3) of data/scaling.py. It is -inf for an x so far
        from all others that the numbers on the way to its bound overflow.
        """
        x = self.check_as_given(x)
        labels, rng = self.check_labels(labels, len(x)), generator(rng)
        bound = np.empty(len(x), self.dtype)
        for rows in chunks(len(x), self.shape):
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                y, of_y = self.scaled(x[rows]), None if labels is None else labels[rows]
                bound[rows] = self._elbo(y, rng, of_y) + self._log_det()
        beyond = np.isnan(bound)
        if beyond.any() and all(block.is_finite() for block in self.players.values()):
            bound[beyond] = -np.inf
        return bound

    def _elbo(self, y: Array, rng: np.random.Generator, labels: Array | None) -> Array:
        """y (N, *shape), few scaled examples -> (N,); nan where numbers overflow."""
        mu, log_var = np.split(self.apply("encoder", y, labels), 2, axis=1)  # (N, Z) each
        noise = standard_normal(rng, mu.shape, self.dtype)  # (N, Z)
        z = gaussian.draw(mu, log_var, noise)  # (N, Z)
        raw = self.apply("decoder", z, labels)  # (N, ...)
        return self.likelihood.log_prob(y, raw) - gaussian.kl_to_standard(mu, log_var)

    def _read(self, reading: Callable[[Array], Array], z: Array, labels: Any) -> Array:
        """Examples in the user's units, as `reading` makes them of raw: z (N, Z) -> (N, *shape)."""
        out = self._room(len(z))
        for rows, raw in self._by_chunks("decoder", z, self.check_labels(labels, len(z))):
            with np.errstate(under="ignore"):
                out[rows] = self.in_units(reading(raw))
        return out

    def _mean(self, raw: Array) -> Array:
        """The likelihood's mean: raw (N, ...) -> (N, *shape)."""
        return self._examples("mean", self.likelihood.mean(raw), len(raw))

    def _examples(self, verb: str, x: Any, n: int) -> Array:
        """x, which the likelihood's verb gave, as (n, *shape); KindError or ShapeError."""
        x = numbers(x, f"x of {self.likelihood}.{verb}")
        if x.shape[:1] != (n,) or x.size != n * math.prod(self.shape):
            raise ShapeError(
                f"{self.likelihood}.{verb} gave x of {array_text(x)}, wants {(n, *self.shape)}"
            )
        return x.reshape(n, *self.shape)

    def _decoding(self) -> tuple[str, Callable[[Array], Array]]:
        return "decoder", self._mean

    def settings(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "latent": self.latent,
            "beta": self.beta,
            "warm_up": self.warm_up,
            "free_bits": self.free_bits,
            "likelihood": describe_likelihood(self.likelihood),
            **self._scaler_settings(),
        }

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> "VAE":
        return cls(
            **networks,
            likelihood=build_likelihood(settings["likelihood"]),
            beta=settings["beta"],
            warm_up=settings["warm_up"],
            free_bits=settings["free_bits"],
            dtype=dtype,
            rng=BLANK,
            scaler=cls._scaler_of(settings),
        )

    def __str__(self) -> str:
        likelihood = self.likelihood.name
        more = [f"warm-up {self.warm_up:,} steps"] if self.warm_up else []
        if self.free_bits:
            more.append(f"free bits {self.free_bits:g}")
        if self.scaler:
            more.append(str(self.scaler))
        head = f"VAE of {self.shape}: latent {self.latent}, {likelihood}, beta {self.beta:g}"
        return ", ".join([head, *more])

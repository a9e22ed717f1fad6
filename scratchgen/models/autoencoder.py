"""What all autoencoders share: an encoder from x to z, a decoder from z to x, and a likelihood.

    z = encode(x)                      for a Gaussian q(z|x), its mean
    x = decode(z)                      the mean of p(x|z)
    decode(encode(x))                  a reconstruction
    decode(z),   z ~ p(z)              a sample

If the encoder returns a distribution, q(z|x) = N(mu, exp(log_var)), log p(x) has lower bounds:

    log p(x) >= E_q[log p(x|z)] - KL(q(z|x) || p(z))                                    (1)
    log p(x) >= E[log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)],   z_k ~ q(z|x)              (2)

For K = 1, (2) equals (1); as K grows it rises to log p(x) (Burda et al. 2016). For p(z) = N(0, I),
the log-ratio in (2) is

    log p(z) - log q(z|x) = 1/2 sum_j (log_var_j + noise_j^2 - z_j^2)                   (3)
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from ..distributions import LIKELIHOODS, gaussian, importance_draws, likelihood_for
from ..ground.arguments import Array, Shape, array_text, real_numbers, whole
from ..ground.chunks import chunks
from ..ground.errors import ShapeError
from ..ground.keywords import explains_keywords
from ..ground.parts import setting
from ..ground.rng import Rng, generator
from ..kernels import standard_normal
from ..losses import importance_weights
from ..nn import Network
from ..optim import Adam, Optimizer
from .compatibility import Bounds, expect_output, latent_of
from .families import family
from .model import Model


@family
class Autoencoder(Model):
    """An encoder, a decoder, and the likelihood that says what the decoder's numbers mean."""

    encodes: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    numbers_per_latent: ClassVar[int] = 1  # that the encoder returns

    encoder: Network
    decoder: Network
    likelihood: Any = setting(
        default=None, text="what the decoder's numbers mean", registry=LIKELIHOODS
    )

    def fit_together(self) -> None:
        self.shape, self.latent = self.encoder.in_shape, latent_of(self.decoder, "decoder")
        self.likelihood = likelihood_for(self.likelihood, self.shape)
        heads, what = self.numbers_per_latent * self.latent, "a mu and a log_var each"
        reason = f"latent={self.latent} wants {what if self.numbers_per_latent > 1 else 'as many'}"
        expect_output(self.encoder, "encoder", (heads,), reason)
        reason = f"the likelihood of {self.shape} is {self.likelihood.name}"
        raw_shape: Shape = self.likelihood.raw_shape(self.shape)
        expect_output(self.decoder, "decoder", raw_shape, reason)

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Optimizer]:
        """Adam at 1e-3, for each player."""
        rate = 1e-3 if learning_rate is None else learning_rate
        return {player: Adam(rate) for player in self.players}

    def check(self, x: Any, what: str = "x") -> Array:
        x = super().check(x, what)
        self.likelihood.check(x, what)
        return x

    def bounds(self) -> Bounds:
        limits = self.likelihood.bounds
        return limits and (*limits, f"the likelihood is {type(self.likelihood).__name__}")

    def is_density(self) -> bool:
        is_density: bool = self.likelihood.is_density
        return is_density

    @explains_keywords
    def encode(self, x: Any, labels: Any = None) -> Array:
        """x (N, *shape) -> z (N, latent); the mean, if the encoder returns a distribution.

        Like all methods that take x, it raises ShapeError, KindError or DataError. Here and below,
        labels (N,), or a single label, are for networks with JoinLabels; without them such a
        network raises OptionError.
        """
        x = self.check_as_given(x)
        z = np.empty((len(x), self.latent), self.dtype)
        labels = self.check_labels(labels, len(x), "encoder")
        for rows, heads in self._pass_data("encoder", x, labels):
            z[rows] = heads[:, : self.latent]
        return z

    @explains_keywords
    def decode(self, z: Any, labels: Any = None) -> Array:
        """The likelihood's mean, or for categories its mode: z (N, latent) -> (N, *shape)."""
        return self._read(self._mean, self.check_latents_as_given(z), labels)

    @explains_keywords
    def reconstruct(self, x: Any, labels: Any = None) -> Array:
        """decode(encode(x)): x (N, *shape) -> (N, *shape)."""
        x = self.check_as_given(x)
        labels = self.check_labels(labels, len(x))
        out = self._new_examples(len(x))
        for rows in chunks(len(x), self.shape):
            chunk_labels = None if labels is None else labels[rows]
            out[rows] = self.decode(self.encode(x[rows], chunk_labels), chunk_labels)
        return out

    @explains_keywords
    def sample(self, n: int, rng: Rng = None, labels: Any = None, noise: bool = False) -> Array:
        """n new examples (n, *shape): E[x|z] for z ~ p(z), or, with noise, draws of p(x|z).

        Raises OptionError for a bad n or rng.
        """
        rng = generator(rng)
        if not noise:
            return self._decode_draws(n, rng, labels)
        z = self.draw_latents(n, rng)
        return self._read(
            lambda raw: self._examples("draw", self.likelihood.draw(raw, rng), len(raw)), z, labels
        )

    def _read(self, reading: Callable[[Array], Array], z: Array, labels: Any) -> Array:
        """reading(decoder(z)), in the user's units: z (N, Z) -> (N, *shape)."""
        out, labels = self._new_examples(len(z)), self.check_labels(labels, len(z), "decoder")
        for rows, raw in self._by_chunks("decoder", z, labels):
            with np.errstate(under="ignore"):
                out[rows] = self.in_units(reading(raw))
        return out

    def _mean(self, raw: Array) -> Array:
        """The likelihood's mean: raw (N, ...) -> (N, *shape)."""
        return self._examples("mean", self.likelihood.mean(raw), len(raw))

    def _examples(self, verb: str, x: Any, n: int) -> Array:
        """What the likelihood's method `verb` returned, as (n, *shape); KindError or ShapeError."""
        x = real_numbers(x, f"x of {self.likelihood}.{verb}")
        if x.shape[:1] != (n,) or x.size != n * math.prod(self.shape):
            raise ShapeError(
                f"{self.likelihood}.{verb} gave x of {array_text(x)}, wants {(n, *self.shape)}"
            )
        return x.reshape(n, *self.shape)

    def _decoding(self) -> tuple[str, Callable[[Array], Array]]:
        return "decoder", self._mean


@family
class GaussianAutoencoder(Autoencoder):
    """An autoencoder whose encoder returns mu and log_var of q(z|x) side by side (N, 2Z)."""

    numbers_per_latent: ClassVar[int] = 2

    @explains_keywords
    def posterior(self, x: Any, labels: Any = None) -> SimpleNamespace:
        """q(z|x) for x (N, *shape): `.mu` and `.log_var` (N, latent)."""
        x = self.check_as_given(x)
        mu, log_var = (np.empty((len(x), self.latent), self.dtype) for _ in range(2))
        labels = self.check_labels(labels, len(x), "encoder")
        for rows, heads in self._pass_data("encoder", x, labels):
            mu[rows], log_var[rows] = np.split(heads, 2, axis=1)
        return SimpleNamespace(mu=mu, log_var=log_var)

    @explains_keywords
    def elbo(self, x: Any, rng: Rng = None, labels: Any = None) -> Array:
        """log p(x|z) - KL with one draw of z and beta = 1, nats: x (N, *shape) -> (N,).

        Its mean over draws is (1), a lower bound of log p(x). With a scaler, p is still a density
        of x in the user's units: that of the scaled x, times the Jacobian, (3) of data/scaling.py.
        The value is -inf for an x so far from the data that its bound overflows.
        """
        return self._bound_of(x, self._elbo, rng, labels)

    @explains_keywords
    def bound(self, x: Any, draws: int = 50, rng: Rng = None, labels: Any = None) -> Array:
        """The importance-weighted bound (2) of log p(x) with K = draws, nats: (N, *shape) -> (N,).

        Raises as `elbo`, and OptionError unless there is at least one draw.
        """
        k = whole(draws, "draws", least=1)

        def bound(y: Array, rng: np.random.Generator, labels: Array | None) -> Array:
            return self._weighted_bound(y, k, rng, labels)

        return self._bound_of(x, bound, rng, labels)

    def _bound_of(self, x: Any, bound: Callable[..., Array], rng: Rng, labels: Any) -> Array:
        """bound(y, rng, labels) for x (N, *shape), scaled chunk by chunk: y (n, *shape) -> (n,)."""
        x = self.check_as_given(x)
        labels, rng = self.check_labels(labels, len(x)), generator(rng)
        values = np.empty(len(x), self.dtype)
        for rows in chunks(len(x), self.shape):
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                chunk_labels = None if labels is None else labels[rows]
                values[rows] = bound(self.scaled(x[rows]), rng, chunk_labels) + self._log_det()
        overflowed = np.isnan(values)
        if overflowed.any() and self.is_finite():
            values[overflowed] = -np.inf
        return values

    def _elbo(self, y: Array, rng: np.random.Generator, labels: Array | None) -> Array:
        """The ELBO of scaled examples: y (N, *shape) -> (N,); NaN where numbers overflow."""
        mu, log_var = np.split(self.apply("encoder", y, labels), 2, axis=1)  # (N, Z) each
        noise = standard_normal(rng, mu.shape, self.dtype)  # (N, Z)
        z = gaussian.draw(mu, log_var, noise)  # (N, Z)
        raw = self.apply("decoder", z, labels)  # (N, ...)
        log_prob: Array = self.likelihood.log_prob(y, raw)  # (N,)
        return log_prob - gaussian.kl_to_standard(mu, log_var)  # (1)

    def _weighted_bound(
        self, y: Array, k: int, rng: np.random.Generator, labels: Array | None
    ) -> Array:
        """The bound (2), a log-mean-exp over k draws: y (N, *shape) -> (N,)."""
        heads = self.apply("encoder", y, labels)  # (N, 2Z)
        log_w = np.empty((len(y), k))  # (N, K), in float64
        for log_w_k in log_w.T:  # (N,) each
            noise = standard_normal(rng, (len(y), self.latent), self.dtype)  # (N, Z)
            z, log_ratio = importance_draws.draws_and_log_ratio(heads, noise)  # (N, Z), (N,)   (3)
            log_w_k[:] = self.likelihood.log_prob(y, self.apply("decoder", z, labels)) + log_ratio
        return importance_weights(log_w)[0]  # (N,)   (2)

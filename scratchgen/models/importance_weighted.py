"""The importance-weighted autoencoder: a VAE that takes K draws of z for each example.

    mu, log_var = encoder(x)                                        q(z|x)           (1)
    z_k = mu + exp(log_var / 2) noise_k,   noise_k ~ N(0, I),   k = 1 ... K          (2)
    raw_k = decoder(z_k)                                            p(x|z)           (3)
    log w_k = log p(x|z_k) + log p(z_k) - log q(z_k|x)                               (4)
    loss = -mean over the batch of log (1/K sum_k w_k)                               (5)

For K = 1 the loss is a VAE's, with the KL estimated from the draw. As K grows, its expectation
falls to -log p(x). Its parts are those of a VAE, as means over all draws:

    reconstruction = -mean of log p(x|z_k),   kl = -mean of [log p(z_k) - log q(z_k|x)]      (6)

In (6) all draws count equally; in (5) those that explain x have larger weights than those that miss
it. So reconstruction can rise while the loss falls, where q(z|x) is wide. kl estimates
KL(q(z|x) || p(z)). log is concave, so loss <= reconstruction + kl in every batch; the difference is
the gain of K draws over a single draw, and 0 for K = 1.

The decoder's gradient is the derivative of (5). With w~_k = w_k / sum_i w_i (losses/importance.py),

    d_raw_k = -w~_k / N d log p(x|z_k) / d raw_k                                     (7)
    dz_k = d_raw_k, back through the decoder                                         (8)

The encoder has two gradients to choose from, with the same expectation. r_k is the derivative of
the loss by the log-ratio log p(z_k) - log q(z_k|x); (2) and (3) of importance_draws.py compute the
gradients of mu and log_var from dz and r:

    total derivative             r_k = -w~_k / N,   and (8)                          (9)
    doubly reparameterised       r_k = -w~_k^2 / N,   w~_k dz_k in the place of (8),
                                 and q's mu and log_var held fixed in (4)            (10)

(9) is the derivative of (5). As K grows, its mean shrinks faster than its noise: their ratio falls
as 1 / sqrt(K), and more draws would teach the encoder less; with (10) they teach it more. Therefore
(10) is the default. It holds only if z_k enters no weight but w_k, and so a decoder that mixes
examples is refused.

(10) is not the derivative of (5), and cannot be checked against it. With (7), it is that of

    -1/N sum_nk [w~_k^2 log w_k + w~_k (1 - w~_k) log p(x|z'_k)]                     (11)

where w~, the draws z'_k = z_k, and the mu and log_var of q within log w are held fixed.

Sources: Burda, Grosse and Salakhutdinov 2016; Tucker et al. 2019 for (10); Rainforth et al. 2018
for (9) as K grows.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..data.scaling import Scaler
from ..distributions import Likelihood, gaussian, importance_draws, log_prob_and_gradient
from ..ground.arguments import Array, true_or_false, whole
from ..ground.errors import OptionError
from ..ground.keywords import explains_keywords
from ..ground.parts import setting, with_values
from ..ground.rng import Rng
from ..kernels import add, mean, repeat, scale, scale_rows
from ..losses import importance_weights
from ..nn import Activation, distinct_leaves
from .autoencoder import GaussianAutoencoder
from .families import family
from .model import Hold
from .stacks import decoder_stack, encoder_stack, latent_size
from .turn import Turn

__all__ = ["IWAE", "iwae"]

MOST_DRAWS = 100_000  # for each example


@family
class IWAE(GaussianAutoencoder):
    """An encoder, a decoder, a likelihood and K draws; everything is in nats, mean per example.

    Args:
        encoder: x (N, *shape) -> mu and log_var side by side (N, 2 latent).
        decoder: z (N K, latent) -> raw (N K, *likelihood.raw_shape(shape)).
        likelihood: what raw means; a name, a likelihood, or None for the default of the shape.
        draws: K, the draws of z for each example. A step takes about K times as long as a VAE's.
        doubly_reparameterised: True to move the encoder by (10), False by (9).
        dtype, rng, scaler: see Model.

    Raises KindError, ShapeError or OptionError where the parts do not fit.
    """

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """The loss (5); its parts (6) are means over all draws."""
        n, k = turn.size, self.draws
        noise = turn.normal(n * k, self.latent)  # (N K, Z)
        heads = turn.forward("encoder", turn.batch, settle=True)  # (N, 2Z)   (1)
        z, log_ratio = importance_draws.draws_and_log_ratio(
            heads, noise
        )  # (N K, Z)   (2), and (N K,)
        raw = turn.forward("decoder", z, settle=True, labels=self._labels(turn))  # (N K, ...)   (3)
        x = repeat(turn.batch, k)  # (N K, *shape)
        log_prob, d_raw = log_prob_and_gradient(
            self.likelihood, x, raw, -1 / n
        )  # (N K,), (N K, ...)
        log_w = add(log_prob, log_ratio).reshape(n, k)  # (N, K)   (4)
        bound, weights = importance_weights(log_w)  # (N,) of (5), w~ (N, K)
        if turn.wants_gradient:
            shares = weights.reshape(n * k)  # w~ (N K,)
            d_raw = scale_rows(d_raw, shares)  # (N K, ...)   (7)
            dz = turn.backward("decoder", d_raw)  # (N K, Z)   (8)
            r = scale(shares, -1 / n)  # (N K,)   (9)
            if self.doubly_reparameterised:
                r, dz = scale_rows(r, shares), scale_rows(dz, shares)  # (N K,), (N K, Z)   (10)
                dheads = importance_draws.draws_path_backward(
                    heads, noise, z, dz, r
                )  # (N, 2Z)   (10)
            else:
                dheads = importance_draws.draws_and_log_ratio_backward(
                    heads, noise, z, dz, r
                )  # (N, 2Z) (9)
            turn.backward("encoder", dheads, need_dx=False)
        return {
            "loss": scale(mean(bound), -1.0),  # (1,)   (5)
            "reconstruction": scale(mean(log_prob), -1.0),  # (1,)   (6)
            "kl": scale(mean(log_ratio), -1.0),  # (1,)   (6)
        }

    def _labels(self, turn: Turn) -> Array | None:
        """The label of each draw's example (N K,), or None without labels."""
        return None if turn.labels is None else repeat(turn.labels, self.draws)

    kind: ClassVar[str] = "IWAE"
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"iwae": ("encoder", "decoder")}
    reported: ClassVar[tuple[str, ...]] = ("loss", "reconstruction", "kl")

    draws: int = setting(
        default=5, check=whole, text="draws of z for each example", least=1, most=MOST_DRAWS
    )
    doubly_reparameterised: bool = setting(
        default=True,
        check=true_or_false,
        text="move the encoder by a gradient of the same mean, with less noise",
    )

    def fit_together(self) -> None:
        super().fit_together()
        mixing = [leaf for leaf in distinct_leaves(self.decoder) if not leaf.example_wise]
        if self.doubly_reparameterised and mixing:
            raise OptionError(
                f"{mixing[0]} in the decoder mixes examples, or does not declare that it does not, "
                f"and the doubly reparameterised gradient holds only where the weight of a draw "
                f"depends on that draw alone: take doubly_reparameterised=False, or another layer "
                f"(your own layer that treats each example by itself declares example_wise = True)"
            )

    def surrogate(self, player: str) -> Callable[[Turn, Hold], Array] | None:
        return self._with_weights_held if self.doubly_reparameterised else None

    def _with_weights_held(self, turn: Turn, hold: Hold) -> Array:
        """(11), computed from the definitions of the densities: (1,)."""
        n, k, labels = turn.size, self.draws, self._labels(turn)
        noise = turn.normal(n * k, self.latent)  # (N K, Z)
        heads = turn.forward("encoder", turn.batch)  # (N, 2Z)   (1)
        mu, log_var = np.split(np.repeat(heads, k, axis=0), 2, axis=1)  # (N K, Z) each
        held_q = np.split(np.repeat(hold("heads", heads), k, axis=0), 2, axis=1)  # (N K, Z) each
        z = gaussian.draw(mu, log_var, noise)  # (N K, Z)   (2)
        x, before = repeat(turn.batch, k), turn.rng.bit_generator.state
        log_prob = self.likelihood.log_prob(x, turn.forward("decoder", z, labels=labels))  # (N K,)
        turn.rng.bit_generator.state = before  # the same dropout in both passes of the decoder
        raw = turn.forward("decoder", hold("z", z), on="held", labels=labels)  # (N K, ...)
        log_prior = gaussian.log_prob(z, np.zeros_like(z), np.zeros_like(z))  # (N K,)
        log_w = log_prob + log_prior - gaussian.log_prob(z, *held_q)  # (N K,)   (4)
        shares = hold("weights", importance_weights(log_w.reshape(n, k))[1]).reshape(n * k)
        terms = shares**2 * log_w + shares * (1 - shares) * self.likelihood.log_prob(x, raw)
        return -terms.sum(keepdims=True) / n  # (1,)   (11)

    def objective_text(self, player: str) -> list[str]:
        lines = [
            f"-E[log 1/K sum_k w_k],  z_1 ... z_K ~ q(z|x),  K = {self.draws}",
            "w_k = p(x|z_k) p(z_k) / q(z_k|x),  p(z) = N(0, I)",
            "q(z|x) = N(mu, exp(log_var)),  (mu, log_var) = encoder(x)",
            f"p(x|z), raw = decoder(z): {with_values(self.likelihood)}",
        ]
        if self.doubly_reparameterised:
            lines.append(
                "the encoder's gradient is doubly reparameterised: it has the mean of the "
                "derivative, and less noise"
            )
        return lines


@IWAE.named(
    "a VAE with several draws, whose bound is tighter",
    pictures={"epochs": 40, "batch_size": 128, "latent": 8, "hidden": (256, 128)},
    vectors={"epochs": 60, "batch_size": 128, "latent": 2, "hidden": (128, 128)},
)
@explains_keywords
def iwae(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128,),
    draws: int = 5,
    doubly_reparameterised: bool = True,
    likelihood: str | Likelihood | None = None,
    activation: str | type[Activation] | Activation | None = None,
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> IWAE:
    """A dense IWAE for examples of `shape`, its decoder the mirror of its encoder.

    Args:
        draws: of z for each example; 1 is a VAE whose KL is estimated from the draw.
        doubly_reparameterised: True to move the encoder by a gradient with less noise, False by the
            derivative of the loss; see (9) and (10) at the top of importance_weighted.py.
        shape, latent, hidden, likelihood, activation, n_labels, dtype, rng, scaler: as of `vae`.

    Raises OptionError, ShapeError or KindError.

    >>> iwae((28, 28, 1), latent=2, hidden=(64,), draws=3, rng=0).sample(3, rng=0).shape
    (3, 28, 28, 1)
    """
    return IWAE(
        encoder=encoder_stack(
            shape, hidden, 2 * latent_size(latent), likelihood, n_labels, activation
        ),
        decoder=decoder_stack(shape, hidden, latent, likelihood, n_labels, activation),
        likelihood=likelihood,
        draws=draws,
        doubly_reparameterised=doubly_reparameterised,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )

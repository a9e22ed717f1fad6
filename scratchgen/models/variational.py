"""The variational autoencoder (Kingma and Welling 2014; beta: Higgins et al. 2017).

    mu, log_var = encoder(x)                                        q(z|x)           (1)
    z = mu + exp(log_var / 2) noise,   noise ~ N(0, I)                               (2)
    raw = decoder(z)                                                p(x|z)           (3)
    loss = mean over the batch of [-log p(x|z) + beta KL(q(z|x) || N(0, I))]         (4)

(4) is minus the ELBO, to be minimised; docs/derivations.md says where it comes from. The backward
pass is the chain rule from (4) back to (1), in which each example has the weight 1/N of the mean:

    d_raw    = -1/N d log p(x|z) / d raw          Bernoulli: (sigmoid(raw) - x) / N          (5)
    dz       = d_raw, back through the decoder                                               (6)
    dmu      = dz + beta mu / N
    dlog_var = dz noise exp(log_var / 2) / 2 + beta (exp(log_var) - 1) / (2 N)               (7)
    (dmu, dlog_var), back through the encoder; dx is not needed                              (8)

On the way back each network adds the gradients of its own parameters. The code of (7) is in
distributions/gaussian.py.

Early in training, before the decoder has learnt to use z, the KL term can make z useless: q(z|x)
becomes N(0, I) for every x. There are two remedies. In step t of training, (4) has

    beta_t = beta min(1, (t + 1) / warm_up)                 KL warm-up                       (9)
    sum_j max(free_bits, mean over the batch of KL_j)       free bits, in nats per latent    (10)

in place of beta and of the KL (Bowman et al. 2016; Kingma et al. 2016). KL_j is the term of latent
j. The gradient of (10) leaves out the latents whose mean KL_j is not above free_bits.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..data.scaling import Scaler
from ..distributions import Likelihood, gaussian, log_prob_and_gradient
from ..ground.arguments import Array, finite, whole
from ..ground.keywords import explains_keywords
from ..ground.parts import setting, with_values
from ..ground.rng import Rng
from ..kernels import formula, loop_of, mean
from ..nn import Activation
from .autoencoder import GaussianAutoencoder
from .families import family
from .stacks import decoder_stack, encoder_stack, latent_size
from .turn import Turn

__all__ = ["VAE", "beta_vae", "vae"]


@formula(
    "mean_log_prob (1,) float64, kl (Z,) float64, beta (1,) float64, free_bits ()"
    " -> loss, reconstruction, total_kl (1,) float64"
)
def negative_bound(
    mean_log_prob: Array, kl: Array, beta: Array, free_bits: float
) -> tuple[Array, Array, Array]:
    """The mean of log p(x|z) (1,), each latent's KL (Z,), beta (1,) -> the loss and its parts (1,).

    The third, total_kl, is the KL without (9) and (10).
    """
    counted = np.maximum(kl, free_bits)  # (Z,)   (10)
    reconstruction = -mean_log_prob  # (1,)
    loss = reconstruction + beta * counted.sum(keepdims=True)  # (1,)   (4)
    return loss, reconstruction, kl.sum(keepdims=True)  # (1,) each


@family
class VAE(GaussianAutoencoder):
    """An encoder, a decoder and a likelihood; everything is in nats, mean per example.

    Args:
        encoder: x (N, *shape) -> mu and log_var side by side (N, 2 latent).
        decoder: z (N, latent) -> raw (N, *likelihood.raw_shape(shape)).
        likelihood: what raw means; a name, a likelihood, or None for the default of the shape.
        beta: the weight of the KL term in training; `elbo` always takes 1.
        warm_up: the number of steps, over all calls of `fit`, in which beta rises to its value; 0
            for none.
        free_bits: how much KL each latent may have at no cost, in nats; 0 for none.
        dtype, rng, scaler: see Model.

    Raises KindError, ShapeError or OptionError where the parts do not fit.
    """

    def minimise(self, turn: Turn) -> dict[str, Array]:
        """The loss (4), with (9) and (10); its parts are the reconstruction and the true kl.

        `turn` has the batch x (N, *shape) and the noise, and runs the networks, `forward` and
        `backward`. settle=True marks a pass from which, once the weights have moved, a batch norm
        updates its running mean. turn.scheduled(f) is f(t), as an array. wants_gradient is False
        where the value is enough. `log_prob_and_gradient` gives log p(x|z), and its gradient by raw
        times the weight -1/N, for any likelihood.
        """
        noise = turn.normal(turn.size, self.latent)  # (N, Z)
        heads = turn.forward("encoder", turn.batch, settle=True)  # (N, 2Z)   (1)
        z, kl = gaussian.draw_and_kl(heads, noise)  # (N, Z)   (2), and the KL (Z,) of (4)
        raw = turn.forward("decoder", z, settle=True)  # (N, ...)   (3)
        log_prob, d_raw = log_prob_and_gradient(
            self.likelihood, turn.batch, raw, -1 / turn.size
        )  # (N,), and (5)
        beta = turn.scheduled(self.beta_at)  # (1,)   (9)
        loss, reconstruction, total_kl = negative_bound(mean(log_prob), kl, beta, self.free_bits)
        if turn.wants_gradient:
            dz = turn.backward("decoder", d_raw)  # (N, Z)   (6)
            dheads = gaussian.draw_and_kl_backward(  # (N, 2Z)   (7, 10)
                heads, noise, dz, kl, beta, self.free_bits
            )
            turn.backward("encoder", dheads, need_dx=False)  # (8)
        return {"loss": loss, "reconstruction": reconstruction, "kl": total_kl}

    def beta_at(self, step: int | None) -> float:
        """beta_t of (9) in step t; for None, beta itself."""
        if step is None or not self.warm_up:
            return self.beta
        return self.beta * min(1.0, (step + 1) / self.warm_up)  # (9)

    kind: ClassVar[str] = "VAE"
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"vae": ("encoder", "decoder")}
    reported: ClassVar[tuple[str, ...]] = ("loss", "reconstruction", "kl")

    beta: float = setting(default=1.0, check=finite, text="weight of the KL term")
    warm_up: int = setting(
        default=0, check=whole, text="steps in which beta rises to its value", option="kl-warm-up"
    )
    free_bits: float = setting(
        default=0.0, check=finite, text="nats that the KL of each latent is free to have"
    )

    def steps_to_check(self) -> tuple[int | None, ...]:
        return (None, self.warm_up // 3) if self.warm_up else (None,)

    def objective_text(self, player: str) -> list[str]:
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


@VAE.named(
    "a variational autoencoder",
    pictures={
        "epochs": 40,
        "batch_size": 128,
        "latent": 8,
        "hidden": (256, 128),
        "likelihood": "bernoulli",
    },
    vectors={
        "epochs": 20,
        "batch_size": 128,
        "latent": 2,
        "hidden": (128, 128),
        "likelihood": "gaussian",
    },
)
@explains_keywords
def vae(
    shape: Any,
    *,
    latent: int = 20,
    hidden: Any = (128,),
    beta: float = 1.0,
    warm_up: int = 0,
    free_bits: float = 0.0,
    likelihood: str | Likelihood | None = None,
    activation: str | type[Activation] | Activation | None = None,
    n_labels: int = 0,
    dtype: Any = "float32",
    rng: Rng = None,
    scaler: Scaler | None = None,
) -> VAE:
    """A dense VAE for examples of `shape`, its decoder the mirror of its encoder.

    Args:
        shape: of one example: a picture, (H, W) or (H, W, C), or a vector, (D,).
        latent: the size of z.
        hidden: the widths of the encoder's hidden layers.
        beta, warm_up, free_bits: of the KL term in training, see VAE.
        likelihood: a name of sg.distributions.LIKELIHOODS, a likelihood, or None: Bernoulli for
            pictures, Gaussian for vectors.
        activation: after each hidden layer of both networks: a name in any case, such as "silu" or
            "leaky_relu", of an activation in sg.nn.LAYERS; a class or an object; None: ReLU.
        n_labels: the number of classes; above 0 both networks are given the label of each example,
            and `fit`, `sample` and the rest want labels.
        dtype: "float32" or "float64".
        rng: for the first weights.
        scaler: for vectors, such as sg.data.Scaler.standard(x); the model takes and returns x in
            the units of the data that the scaler was fitted on.

    Raises OptionError, ShapeError or KindError.

    >>> vae((28, 28, 1), latent=2, hidden=(64,), rng=0).sample(3, rng=0).shape
    (3, 28, 28, 1)
    """
    return VAE(
        encoder=encoder_stack(
            shape, hidden, 2 * latent_size(latent), likelihood, n_labels, activation
        ),
        decoder=decoder_stack(shape, hidden, latent, likelihood, n_labels, activation),
        likelihood=likelihood,
        beta=beta,
        warm_up=warm_up,
        free_bits=free_bits,
        dtype=dtype,
        rng=rng,
        scaler=scaler,
    )


@VAE.named("a VAE whose KL term weighs more", like="vae")
def beta_vae(shape: Any, *, beta: float = 4.0, **settings: Any) -> VAE:
    """A VAE whose KL term weighs more (Higgins et al. 2017); as `vae`.

    >>> beta_vae((2,), rng=0).beta
    4.0
    """
    return vae(shape, beta=beta, **settings)


# The formula of the bound once more, for speed: a first reader may skip the rest of this file.


@loop_of(negative_bound)
def negative_bound_loop(  # type: ignore[no-untyped-def]
    part, parts, mean_log_prob, kl, beta, free_bits, loss, reconstruction, total_kl
):
    if part == parts - 1:  # the sums have one order, whatever `parts` is
        counted = total = 0.0
        for j in range(kl.size):
            counted += free_bits if kl[j] < free_bits else kl[j]  # (10)
            total += kl[j]
        reconstruction[0], total_kl[0] = -mean_log_prob[0], total
        loss[0] = reconstruction[0] + beta[0] * counted  # (4)

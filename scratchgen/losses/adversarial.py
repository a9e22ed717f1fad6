"""What the two players of a GAN minimise, per example, from the discriminator's logits.

D(x) = sigmoid(r) for a real example with logit r, D(G(z)) = sigmoid(f) for a fake one with logit f.
With softplus(l) = log(1 + exp(l)), -log sigmoid(l) is softplus(-l) and -log(1 - sigmoid(l)) is
softplus(l).

The discriminator, in both games, minimises -[log D(x) + log(1 - D(G(z)))]:

    value = softplus(-r) + softplus(f)               dr = -sigmoid(-r),   df = sigmoid(f)      (1)

The generator minimises, in the minimax game, log(1 - D(G(z))), which is flat where D(G(z)) is near
0, as it is early in training:

    value = -softplus(f)                             df = -sigmoid(f)                          (2)

and, in the non-saturating game, -log D(G(z)), which is steep there:

    value = softplus(-f)                             df = -sigmoid(-f)                         (3)

Source: Goodfellow et al. 2014, equation 1, and the remark below algorithm 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

from ..checks import Array
from ..kernels import sigmoid, softplus


def discriminator(real: Array, fake: Array) -> Array:
    """Logits (N,) of real and of fake examples -> values (N,)."""
    return softplus(-real) + softplus(fake)  # (1)


def discriminator_gradients(real: Array, fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.real` and `.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(real=-dvalue * sigmoid(-real), fake=dvalue * sigmoid(fake))  # (1)


def minimax_generator(fake: Array) -> Array:
    """Logits (N,) of fake examples -> values (N,)."""
    return -softplus(fake)  # (2)


def minimax_generator_gradients(fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(fake=-dvalue * sigmoid(fake))  # (2)


def non_saturating_generator(fake: Array) -> Array:
    """Logits (N,) of fake examples -> values (N,)."""
    return softplus(-fake)  # (3)


def non_saturating_generator_gradients(fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(fake=-dvalue * sigmoid(-fake))  # (3)


@dataclass(frozen=True)
class AdversarialLoss:
    """A game: what each of its two players minimises, and the gradients."""

    name: str
    discriminator: Callable[[Array, Array], Array]
    discriminator_gradients: Callable[[Array, Array, Array], SimpleNamespace]
    generator: Callable[[Array], Array]
    generator_gradients: Callable[[Array, Array], SimpleNamespace]


MINIMAX = AdversarialLoss(
    "minimax",
    discriminator,
    discriminator_gradients,
    minimax_generator,
    minimax_generator_gradients,
)
NON_SATURATING = AdversarialLoss(
    "non_saturating",
    discriminator,
    discriminator_gradients,
    non_saturating_generator,
    non_saturating_generator_gradients,
)
LOSSES = {game.name: game for game in (MINIMAX, NON_SATURATING)}

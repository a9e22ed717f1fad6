"""What the two players of a GAN minimise, per example, from the discriminator's scores.

The discriminator gives scores: r = D(x) for a real example, f = D(G(z)) for a fake one. What both
players make of them is a game, a pair of losses, and `loss=` names it. In the first two games a
score is the logit of the probability, sigmoid(r), that an example is real (elsewhere D is often
that probability itself). With softplus(l) = log(1 + exp(l)), -log sigmoid(l) is softplus(-l), and
-log(1 - sigmoid(l)) is softplus(l).

    game              the discriminator's value            dr                  df
    minimax           softplus(-r) + softplus(f)           -sigmoid(-r)        sigmoid(f)      (1)
    non-saturating    the same
    least squares     (r - 1)^2 / 2 + f^2 / 2              r - 1               f               (2)
    hinge             max(0, 1 - r) + max(0, 1 + f)        -[r < 1]            [f > -1]        (3)
    Wasserstein       f - r                                -1                  1               (4)

    game              the generator's value                                    df
    minimax           -softplus(f)                                             -sigmoid(f)     (5)
    non-saturating    softplus(-f)                                             -sigmoid(-f)    (6)
    least squares     (f - 1)^2 / 2                                            f - 1           (7)
    hinge             -f                                                       -1              (8)
    Wasserstein       -f                                                       -1              (8)

(5), log(1 - sigmoid(f)), is flat where sigmoid(f) is near 0, as it is early in training; (6) is
steep there. (4) is the Wasserstein distance only for a discriminator whose slope is bounded: it
needs clipped weights, or a gradient penalty. Sources: (1, 5, 6) Goodfellow et al. 2014; (2, 7) Mao
et al. 2017 with a = 0, b = c = 1; (3) Lim and Ye 2017; (4) Arjovsky et al. 2017.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import kernels
from ..checks import Array, expect_arrays
from ..errors import OptionError
from ..kernels import sigmoid, softplus
from ..nn import Tape

# Every discriminator takes scores (N,) of real and of fake examples and gives values (N,), every
# generator takes those of fake ones; gradients are `.real` and `.fake` (N,), for dvalue (N,).


def logistic_discriminator(real: Array, fake: Array) -> Array:
    """-log sigmoid(r) - log(1 - sigmoid(f))."""
    return softplus(-real) + softplus(fake)  # (1)


def logistic_discriminator_gradients(real: Array, fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.real` and `.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(real=-dvalue * sigmoid(-real), fake=dvalue * sigmoid(fake))  # (1)


def minimax_generator(fake: Array) -> Array:
    """log(1 - sigmoid(f))."""
    return -softplus(fake)  # (5)


def minimax_generator_gradients(fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(fake=-dvalue * sigmoid(fake))  # (5)


def non_saturating_generator(fake: Array) -> Array:
    """-log sigmoid(f)."""
    return softplus(-fake)  # (6)


def non_saturating_generator_gradients(fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(fake=-dvalue * sigmoid(-fake))  # (6)


def least_squares_discriminator(real: Array, fake: Array) -> Array:
    """Scores are to be 1 for real and 0 for fake examples."""
    return (real - 1) ** 2 / 2 + fake**2 / 2  # (2)


def least_squares_discriminator_gradients(
    real: Array, fake: Array, dvalue: Array
) -> SimpleNamespace:
    """`.real` and `.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(real=dvalue * (real - 1), fake=dvalue * fake)  # (2)


def least_squares_generator(fake: Array) -> Array:
    """Scores are to be 1 for fake examples too."""
    return (fake - 1) ** 2 / 2  # (7)


def least_squares_generator_gradients(fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(fake=dvalue * (fake - 1))  # (7)


def hinge_discriminator(real: Array, fake: Array) -> Array:
    """Scores above 1 for real and below -1 for fake examples are good enough."""
    return np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)  # (3)


def hinge_discriminator_gradients(real: Array, fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.real` and `.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(real=-dvalue * (real < 1), fake=dvalue * (fake > -1))  # (3)


def wasserstein_discriminator(real: Array, fake: Array) -> Array:
    """Scores as high as can be for real, and as low for fake examples."""
    return fake - real  # (4)


def wasserstein_discriminator_gradients(
    _real: Array, _fake: Array, dvalue: Array
) -> SimpleNamespace:
    """`.real` and `.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(real=-dvalue, fake=dvalue)  # (4)


def linear_generator(fake: Array) -> Array:
    """Scores as high as can be for fake examples: the hinge and the Wasserstein game."""
    return -fake  # (8)


def linear_generator_gradients(_fake: Array, dvalue: Array) -> SimpleNamespace:
    """`.fake` (N,), for dvalue (N,)."""
    return SimpleNamespace(fake=-dvalue)  # (8)


# A pair of functions above that kernels/games.py has in one pass.
PASSES: dict[tuple[Callable[..., Any], Callable[..., Any]], Callable[..., None]] = {
    (logistic_discriminator, logistic_discriminator_gradients): kernels.logistic_pass,
    (least_squares_discriminator, least_squares_discriminator_gradients): (
        kernels.least_squares_pass
    ),
    (hinge_discriminator, hinge_discriminator_gradients): kernels.hinge_pass,
    (wasserstein_discriminator, wasserstein_discriminator_gradients): kernels.wasserstein_pass,
    (minimax_generator, minimax_generator_gradients): kernels.minimax_generator_pass,
    (non_saturating_generator, non_saturating_generator_gradients): (
        kernels.non_saturating_generator_pass
    ),
    (least_squares_generator, least_squares_generator_gradients): (
        kernels.least_squares_generator_pass
    ),
    (linear_generator, linear_generator_gradients): kernels.linear_generator_pass,
}


@dataclass(frozen=True)
class AdversarialLoss:
    """A game: what each of its two players minimises, the gradients, and both in words."""

    name: str
    discriminator: Callable[[Array, Array], Array]
    discriminator_gradients: Callable[[Array, Array, Array], SimpleNamespace]
    generator: Callable[[Array], Array]
    generator_gradients: Callable[[Array, Array], SimpleNamespace]
    discriminator_formula: str = ""  # of r and f, in a line
    generator_formula: str = ""

    def discriminator_pass(
        self, real: Array, fake: Array, dvalue: Array, tape: Tape
    ) -> SimpleNamespace:
        """`.value`, `.real` and `.fake` (N,): the value and its gradients, on the tape.

        real, fake and dvalue are (N,), because a value is that of one real and one fake example.
        Raises ShapeError for other shapes, KindError for what is no array.
        """
        expect_arrays(self, real=real, fake=fake, dvalue=dvalue)
        kernel = PASSES.get((self.discriminator, self.discriminator_gradients))
        if kernel is None:
            d = self.discriminator_gradients(real, fake, dvalue)
            return SimpleNamespace(value=self.discriminator(real, fake), real=d.real, fake=d.fake)
        value, dreal, dfake = (
            tape.array(name, fake.shape, fake.dtype) for name in ("value", "dreal", "dfake")
        )
        kernel(real, fake, dvalue, value, dreal, dfake)
        return SimpleNamespace(value=value, real=dreal, fake=dfake)

    def generator_pass(self, fake: Array, dvalue: Array, tape: Tape) -> SimpleNamespace:
        """`.value` and `.fake` (N,): the value and its gradient, on the tape."""
        expect_arrays(self, fake=fake, dvalue=dvalue)
        kernel = PASSES.get((self.generator, self.generator_gradients))
        if kernel is None:
            d = self.generator_gradients(fake, dvalue)
            return SimpleNamespace(value=self.generator(fake), fake=d.fake)
        value, dfake = (tape.array(name, fake.shape, fake.dtype) for name in ("value", "dfake"))
        kernel(fake, dvalue, value, dfake)
        return SimpleNamespace(value=value, fake=dfake)

    @property
    def replays(self) -> bool:
        """Whether both passes are kernels."""
        return (self.discriminator, self.discriminator_gradients) in PASSES and (
            self.generator,
            self.generator_gradients,
        ) in PASSES

    def __str__(self) -> str:
        """Its name."""
        return self.name


MINIMAX = AdversarialLoss(
    "minimax",
    logistic_discriminator,
    logistic_discriminator_gradients,
    minimax_generator,
    minimax_generator_gradients,
    "-log sigmoid(r) - log(1 - sigmoid(f))",
    "log(1 - sigmoid(f))",
)
NON_SATURATING = AdversarialLoss(
    "non_saturating",
    logistic_discriminator,
    logistic_discriminator_gradients,
    non_saturating_generator,
    non_saturating_generator_gradients,
    "-log sigmoid(r) - log(1 - sigmoid(f))",
    "-log sigmoid(f)",
)
LEAST_SQUARES = AdversarialLoss(
    "least_squares",
    least_squares_discriminator,
    least_squares_discriminator_gradients,
    least_squares_generator,
    least_squares_generator_gradients,
    "(r - 1)^2 / 2 + f^2 / 2",
    "(f - 1)^2 / 2",
)
HINGE = AdversarialLoss(
    "hinge",
    hinge_discriminator,
    hinge_discriminator_gradients,
    linear_generator,
    linear_generator_gradients,
    "max(0, 1 - r) + max(0, 1 + f)",
    "-f",
)
WASSERSTEIN = AdversarialLoss(
    "wasserstein",
    wasserstein_discriminator,
    wasserstein_discriminator_gradients,
    linear_generator,
    linear_generator_gradients,
    "f - r",
    "-f",
)
LOSSES: dict[str, AdversarialLoss] = {
    game.name: game for game in (MINIMAX, NON_SATURATING, LEAST_SQUARES, HINGE, WASSERSTEIN)
}


def describe_loss(loss: AdversarialLoss) -> str:
    """The name of a game, which is all that a file holds of it; OptionError for one's own."""
    if LOSSES.get(loss.name) != loss:
        raise OptionError(
            f"the game {loss.name!r} is not one of scratchgen's, so no file can hold it: add it to "
            f"scratchgen.losses.LOSSES, here and where the file is loaded"
        )
    return loss.name

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

from ..ground.arguments import Array, expect_arrays, real_numbers
from ..ground.keywords import ExplainsKeywords
from ..ground.parts import Registry
from ..kernels import formula, full, loop_of, share_row, sigmoid, softplus
from ..kernels.functions import sigmoid as sigmoid_of_one
from ..kernels.functions import softplus as softplus_of_one
from ..nn.layer import accept

# mypy: disable-error-code="no-untyped-def"

DISCRIMINATOR = "real, fake, dvalue (N,) -> value, dreal, dfake (N,)"
GENERATOR = "fake, dvalue (N,) -> value, dfake (N,)"


@formula(DISCRIMINATOR)
def logistic_pass(real: Array, fake: Array, dvalue: Array) -> tuple[Array, Array, Array]:
    """-log sigmoid(r) - log(1 - sigmoid(f)).

    Here and below, a discriminator's formula takes real, fake and dvalue (N,), and gives the value
    (N,), and dreal and dfake (N,). A generator's has no real and no dreal.
    """
    value = softplus(-real) + softplus(fake)  # (N,)   (1)
    return value, -dvalue * sigmoid(-real), dvalue * sigmoid(fake)  # each (N,)   (1)


@formula(DISCRIMINATOR)
def least_squares_pass(real: Array, fake: Array, dvalue: Array) -> tuple[Array, Array, Array]:
    """Scores should be 1 for real and 0 for fake examples."""
    value = (real - 1) ** 2 / 2 + fake**2 / 2  # (N,)   (2)
    return value, dvalue * (real - 1), dvalue * fake  # each (N,)   (2)


@formula(DISCRIMINATOR)
def hinge_pass(real: Array, fake: Array, dvalue: Array) -> tuple[Array, Array, Array]:
    """Scores above 1 for real and below -1 for fake examples are good enough."""
    value = np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)  # (N,)   (3)
    return value, -dvalue * (real < 1), dvalue * (fake > -1)  # each (N,)   (3)


@formula(DISCRIMINATOR)
def wasserstein_pass(real: Array, fake: Array, dvalue: Array) -> tuple[Array, Array, Array]:
    """Scores should be as high as possible for real examples, and as low for fake ones."""
    return fake - real, -dvalue, dvalue.copy()  # each (N,)   (4)


@formula(GENERATOR)
def minimax_generator_pass(fake: Array, dvalue: Array) -> tuple[Array, Array]:
    """log(1 - sigmoid(f))."""
    return -softplus(fake), -dvalue * sigmoid(fake)  # (N,), (N,)   (5)


@formula(GENERATOR)
def non_saturating_generator_pass(fake: Array, dvalue: Array) -> tuple[Array, Array]:
    """-log sigmoid(f)."""
    return softplus(-fake), -dvalue * sigmoid(-fake)  # (N,), (N,)   (6)


@formula(GENERATOR)
def least_squares_generator_pass(fake: Array, dvalue: Array) -> tuple[Array, Array]:
    """Scores should be 1 for fake examples too."""
    return (fake - 1) ** 2 / 2, dvalue * (fake - 1)  # (N,), (N,)   (7)


@formula(GENERATOR)
def linear_generator_pass(fake: Array, dvalue: Array) -> tuple[Array, Array]:
    """Scores should be high for fake examples too: in the hinge and in the Wasserstein game."""
    return -fake, -dvalue  # (N,), (N,)   (8)


Formula = Callable[..., tuple[Array, ...]]  # one of those above


@dataclass(frozen=True)
class Value:
    """A player's value (N,) alone, for the scores (N,): real and fake, or of a generator, fake."""

    of: Formula

    def __call__(self, *scores: Array) -> Array:
        return self.of(*scores, np.ones_like(scores[0]))[0]


@dataclass(frozen=True)
class Gradients:
    """A player's gradients alone, for its scores and dvalue (N,): `.fake` and, of D, `.real`."""

    of: Formula

    def __call__(self, *scores_and_dvalue: Array) -> SimpleNamespace:
        _, *gradients = self.of(*scores_and_dvalue)
        names = ("real", "fake")[-len(gradients) :]
        return SimpleNamespace(**dict(zip(names, gradients, strict=True)))


@dataclass(frozen=True)
class AdversarialLoss(ExplainsKeywords):
    """A game: what each of its two players minimises, the gradients, and both in words.

    A game of your own has four functions that take and give what these do.
    """

    name: str
    discriminator: Callable[[Array, Array], Array]  # real, fake -> value
    discriminator_gradients: Callable[[Array, Array, Array], SimpleNamespace]  # and dvalue
    generator: Callable[[Array], Array]  # fake -> value
    generator_gradients: Callable[[Array, Array], SimpleNamespace]  # and dvalue
    discriminator_formula: str = ""  # of r and f, in a line
    generator_formula: str = ""

    def discriminator_pass(self, real: Array, fake: Array, dvalue: Array) -> SimpleNamespace:
        """`.value`, `.real` and `.fake` (N,): the value and its gradients.

        real, fake and dvalue are (N,), because a value is that of one real and one fake example.
        Raises ShapeError for other shapes, KindError for what is no array.
        """
        expect_arrays(self, real=real, fake=fake, dvalue=dvalue)
        if of := both_of(self.discriminator, self.discriminator_gradients):
            value, dreal, dfake = of(real, fake, dvalue)
            return SimpleNamespace(value=value, real=dreal, fake=dfake)
        d = self.discriminator_gradients(real, fake, dvalue)
        return SimpleNamespace(value=self.discriminator(real, fake), real=d.real, fake=d.fake)

    def generator_pass(self, fake: Array, dvalue: Array) -> SimpleNamespace:
        """`.value` and `.fake` (N,): the value and its gradient, for fake and dvalue (N,)."""
        expect_arrays(self, fake=fake, dvalue=dvalue)
        if of := both_of(self.generator, self.generator_gradients):
            value, dfake = of(fake, dvalue)
            return SimpleNamespace(value=value, fake=dfake)
        d = self.generator_gradients(fake, dvalue)
        return SimpleNamespace(value=self.generator(fake), fake=d.fake)

    def __str__(self) -> str:
        """Its name."""
        return self.name


def both_of(value: Any, gradients: Any) -> Formula | None:
    """The formula that gives both at once; None where the two do not come from one formula."""
    one = isinstance(value, Value) and isinstance(gradients, Gradients) and value.of is gradients.of
    return value.of if one else None


def game(
    name: str, discriminator: Formula, generator: Formula, *formulas_in_a_line: str
) -> AdversarialLoss:
    """The game of two players, each given by one formula."""
    return AdversarialLoss(
        name,
        Value(discriminator),
        Gradients(discriminator),
        Value(generator),
        Gradients(generator),
        *formulas_in_a_line,
    )


MINIMAX = game(
    "minimax",
    logistic_pass,
    minimax_generator_pass,
    "-log sigmoid(r) - log(1 - sigmoid(f))",
    "log(1 - sigmoid(f))",
)
NON_SATURATING = game(
    "non_saturating",
    logistic_pass,
    non_saturating_generator_pass,
    "-log sigmoid(r) - log(1 - sigmoid(f))",
    "-log sigmoid(f)",
)
LEAST_SQUARES = game(
    "least_squares",
    least_squares_pass,
    least_squares_generator_pass,
    "(r - 1)^2 / 2 + f^2 / 2",
    "(f - 1)^2 / 2",
)
HINGE = game(
    "hinge",
    hinge_pass,
    linear_generator_pass,
    "max(0, 1 - r) + max(0, 1 + f)",
    "-f",
)
WASSERSTEIN = game("wasserstein", wasserstein_pass, linear_generator_pass, "f - r", "-f")
GAMES = (MINIMAX, NON_SATURATING, LEAST_SQUARES, HINGE, WASSERSTEIN)
LOSSES = Registry("game", "scratchgen.losses.LOSSES", {one.name: one for one in GAMES})


def discriminator_turn(
    loss: AdversarialLoss, real: Array, fake: Array, weight: float
) -> SimpleNamespace:
    """`.value`, `.real` and `.fake` (N,) for the scores (N,), each of which has that weight.

    Here and below: the weight is that of each example in the mean, 1 / N. Raises ShapeError or
    KindError where a user's own game gives other arrays.
    """
    dvalue = full(fake.shape, weight, fake.dtype)  # (N,)
    d = loss.discriminator_pass(real, fake, dvalue)
    return _accepted(loss, "discriminator_pass", d, ("value", "real", "fake"), fake)


def generator_turn(loss: AdversarialLoss, fake: Array, weight: float) -> SimpleNamespace:
    """`.value` and `.fake` (N,) for the scores fake (N,), each of which has that weight."""
    dvalue = full(fake.shape, weight, fake.dtype)  # (N,)
    d = loss.generator_pass(fake, dvalue)
    return _accepted(loss, "generator_pass", d, ("value", "fake"), fake)


def _accepted(
    loss: AdversarialLoss, verb: str, d: SimpleNamespace, names: tuple[str, ...], like: Array
) -> SimpleNamespace:
    """The arrays of `d` by those names, in the shape of `like` and, unless complex, its dtype."""
    found = {}
    for name in names:
        x: Any = getattr(d, name, None)
        dtype: Any = getattr(x, "dtype", like.dtype)
        if x is not None and "c" not in (like.dtype.kind, dtype.kind):
            x = np.asarray(real_numbers(x, f"{name} of {loss}.{verb}"), like.dtype)
        found[name] = accept(loss, verb, name, x, like.shape, like.dtype)
    return SimpleNamespace(**found)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.


@loop_of(logistic_pass, weight=8)
def logistic_pass_loop(part, parts, real, fake, dvalue, value, dreal, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = softplus_of_one(-real[n]) + softplus_of_one(fake[n])  # (1)
        dreal[n] = -dvalue[n] * sigmoid_of_one(-real[n])
        dfake[n] = dvalue[n] * sigmoid_of_one(fake[n])


@loop_of(least_squares_pass)
def least_squares_pass_loop(part, parts, real, fake, dvalue, value, dreal, dfake):
    half, one = value.dtype.type(0.5), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        r, f = real[n] - one, fake[n]
        value[n] = half * r * r + half * f * f  # (2)
        dreal[n] = dvalue[n] * r
        dfake[n] = dvalue[n] * f


@loop_of(hinge_pass)
def hinge_pass_loop(part, parts, real, fake, dvalue, value, dreal, dfake):
    zero, one = value.dtype.type(0), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        r, f = one - real[n], one + fake[n]
        value[n] = (zero if r < zero else r) + (zero if f < zero else f)  # (3)
        dreal[n] = -dvalue[n] if real[n] < one else zero
        dfake[n] = dvalue[n] if fake[n] > -one else zero


@loop_of(wasserstein_pass)
def wasserstein_pass_loop(part, parts, real, fake, dvalue, value, dreal, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = fake[n] - real[n]  # (4)
        dreal[n] = -dvalue[n]
        dfake[n] = dvalue[n]


@loop_of(minimax_generator_pass, weight=4)
def minimax_generator_pass_loop(part, parts, fake, dvalue, value, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = -softplus_of_one(fake[n])  # (5)
        dfake[n] = -dvalue[n] * sigmoid_of_one(fake[n])


@loop_of(non_saturating_generator_pass, weight=4)
def non_saturating_generator_pass_loop(part, parts, fake, dvalue, value, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = softplus_of_one(-fake[n])  # (6)
        dfake[n] = -dvalue[n] * sigmoid_of_one(-fake[n])


@loop_of(least_squares_generator_pass)
def least_squares_generator_pass_loop(part, parts, fake, dvalue, value, dfake):
    half, one = value.dtype.type(0.5), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        f = fake[n] - one
        value[n] = half * f * f  # (7)
        dfake[n] = dvalue[n] * f


@loop_of(linear_generator_pass)
def linear_generator_pass_loop(part, parts, fake, dvalue, value, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = -fake[n]  # (8)
        dfake[n] = -dvalue[n]

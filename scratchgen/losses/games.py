"""A game has a name, and two players, each with what it minimises and the gradients of that.

The formulas are in adversarial.py; here each game puts two of them together. `discriminator_loss`
and `generator_loss` are what a model calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import Array, expect_arrays, real_numbers
from ..ground.keywords import ExplainsKeywords
from ..ground.parts import Registry
from ..kernels import full
from ..nn.layer import accept
from .adversarial import (
    hinge_discriminator,
    least_squares_discriminator,
    least_squares_generator,
    linear_generator,
    logistic_discriminator,
    minimax_generator,
    non_saturating_generator,
    wasserstein_discriminator,
)

Formula = Callable[..., tuple[Array, ...]]  # one of those above: scores, dvalue -> value, gradients


@dataclass(frozen=True)
class Value:
    """What a player minimises (N,), from the scores (N,): those of fake examples come last."""

    of: Formula

    def __call__(self, *scores: Array) -> Array:
        return self.of(*scores, np.ones_like(scores[0]))[0]


@dataclass(frozen=True)
class Gradients:
    """Its gradients by the scores, for the scores and dvalue (N,): `.fake`, and `.real` for D."""

    of: Formula

    def __call__(self, *scores_and_dvalue: Array) -> SimpleNamespace:
        _, *gradients = self.of(*scores_and_dvalue)
        names = ("real", "fake")[-len(gradients) :]
        return SimpleNamespace(**dict(zip(names, gradients, strict=True)))


@dataclass(frozen=True)
class AdversarialLoss(ExplainsKeywords):
    """A game: what each player minimises, the gradients by the scores, and both in words.

    A game of your own has four functions with the same arguments and results as these. Scores,
    dvalue and values are (N,); gradients are called `.real` and `.fake` after the examples scored.
    """

    name: str
    discriminator: Callable[[Array, Array], Array]  # real_score, fake_score -> value
    discriminator_gradients: Callable[[Array, Array, Array], SimpleNamespace]  # and dvalue
    generator: Callable[[Array], Array]  # fake_score -> value
    generator_gradients: Callable[[Array, Array], SimpleNamespace]  # and dvalue
    discriminator_formula: str = ""  # of r and f, in a line
    generator_formula: str = ""

    def discriminator_pass(
        self, real_score: Array, fake_score: Array, dvalue: Array
    ) -> SimpleNamespace:
        """`.value` (N,), and its gradients `.real` and `.fake` (N,), from scores and dvalue (N,).

        Each value belongs to one real and one fake example. Raises ShapeError for other shapes,
        KindError for what is no array.
        """
        expect_arrays(self, real_score=real_score, fake_score=fake_score, dvalue=dvalue)
        if of := shared_formula(self.discriminator, self.discriminator_gradients):
            value, dreal_score, dfake_score = of(real_score, fake_score, dvalue)
            return SimpleNamespace(value=value, real=dreal_score, fake=dfake_score)
        d = self.discriminator_gradients(real_score, fake_score, dvalue)
        value = self.discriminator(real_score, fake_score)
        return SimpleNamespace(value=value, real=d.real, fake=d.fake)

    def generator_pass(self, fake_score: Array, dvalue: Array) -> SimpleNamespace:
        """`.value` (N,), and its gradient `.fake` (N,), from fake_score and dvalue (N,)."""
        expect_arrays(self, fake_score=fake_score, dvalue=dvalue)
        if of := shared_formula(self.generator, self.generator_gradients):
            value, dfake_score = of(fake_score, dvalue)
            return SimpleNamespace(value=value, fake=dfake_score)
        d = self.generator_gradients(fake_score, dvalue)
        return SimpleNamespace(value=self.generator(fake_score), fake=d.fake)

    def __str__(self) -> str:
        """Its name."""
        return self.name


def shared_formula(value: Any, gradients: Any) -> Formula | None:
    """The formula that gives a player's value and gradients; None if they come from two."""
    if isinstance(value, Value) and isinstance(gradients, Gradients) and value.of is gradients.of:
        return value.of
    return None


def of_formulas(
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


MINIMAX = of_formulas(
    "minimax",
    logistic_discriminator,
    minimax_generator,
    "-log sigmoid(r) - log(1 - sigmoid(f))",
    "log(1 - sigmoid(f))",
)
NON_SATURATING = of_formulas(
    "non_saturating",
    logistic_discriminator,
    non_saturating_generator,
    "-log sigmoid(r) - log(1 - sigmoid(f))",
    "-log sigmoid(f)",
)
LEAST_SQUARES = of_formulas(
    "least_squares",
    least_squares_discriminator,
    least_squares_generator,
    "(r - 1)^2 / 2 + f^2 / 2",
    "(f - 1)^2 / 2",
)
HINGE = of_formulas(
    "hinge",
    hinge_discriminator,
    linear_generator,
    "max(0, 1 - r) + max(0, 1 + f)",
    "-f",
)
WASSERSTEIN = of_formulas("wasserstein", wasserstein_discriminator, linear_generator, "f - r", "-f")
LOSSES = Registry("game", "scratchgen.losses.LOSSES")  # see __init__.py


def discriminator_loss(
    loss: AdversarialLoss, real_score: Array, fake_score: Array, weight: float
) -> SimpleNamespace:
    """`.value` (N,), and the gradients `.real` and `.fake` (N,), from the scores (N,).

    Here and below, `weight` is that of each example in the mean, 1 / N; only the gradients are
    multiplied by it. Raises ShapeError or KindError if a user's own game returns other arrays.
    """
    dvalue = full(fake_score.shape, weight, fake_score.dtype)  # (N,)
    d = loss.discriminator_pass(real_score, fake_score, dvalue)
    return _accepted(loss, "discriminator_pass", d, ("value", "real", "fake"), fake_score)


def generator_loss(loss: AdversarialLoss, fake_score: Array, weight: float) -> SimpleNamespace:
    """`.value` (N,), and the gradient `.fake` (N,), from the scores (N,)."""
    dvalue = full(fake_score.shape, weight, fake_score.dtype)  # (N,)
    d = loss.generator_pass(fake_score, dvalue)
    return _accepted(loss, "generator_pass", d, ("value", "fake"), fake_score)


def _accepted(
    loss: AdversarialLoss, verb: str, d: SimpleNamespace, names: tuple[str, ...], like: Array
) -> SimpleNamespace:
    """The arrays of `d` by those names, in the shape and, unless complex, the dtype of `like`."""
    arrays = {}
    for name in names:
        x: Any = getattr(d, name, None)
        dtype: Any = getattr(x, "dtype", like.dtype)
        if x is not None and "c" not in (like.dtype.kind, dtype.kind):
            x = np.asarray(real_numbers(x, f"{name} of {loss}.{verb}"), like.dtype)
        arrays[name] = accept(loss, verb, name, x, like.shape, like.dtype)
    return SimpleNamespace(**arrays)

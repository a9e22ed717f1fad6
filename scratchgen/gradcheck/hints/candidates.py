"""All candidate guesses for one wrong gradient, from its numbers and the arrays of the pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...ground.arguments import Array
from ..pairs.pair import Pair
from .guesses import Explanation, Guess, WrongGradient, shortest
from .missing_terms import formula_guesses, two_term_guesses
from .named_arrays import NamedArray, arrays_of, spread
from .named_numbers import NumberNames, names_for
from .shapes_by_group import fits_axis, fits_group_factor, fits_mean_term
from .shapes_of_error import fits_factor, fits_order, fits_whole_numbers, fits_zero
from .wrong_places import Place, places

OF_INDICES = ("border", "last rows", "few entries")
MOST_COMPARED = 8  # arrays whose values are compared in pairs


@dataclass(frozen=True)
class Ingredients:
    """The arrays and numbers that a backward pass may compute its gradient from."""

    block: Array
    arrays: list[NamedArray]
    dy: list[NamedArray]
    names: NumberNames

    @classmethod
    def of(cls, pair: Pair, name: str, dy: Sequence[Array]) -> "Ingredients":
        cotangents = [
            NamedArray("dy" if len(dy) == 1 else f"dy[{i}]", np.asarray(values))
            for i, values in enumerate(dy)
        ]
        names = names_for(name, pair.blocks, list(dy))
        return cls(pair.blocks[name], arrays_of(pair, name), cotangents, names)

    def only(self, k: int) -> "Ingredients":
        """These ingredients with the k-th cotangent alone."""
        return replace(self, dy=[self.dy[k]])


def candidates_for(gradient: WrongGradient, ingredients: Ingredients) -> Explanation:
    """Guesses that fit, shortest first, and the formulas that are known."""
    own = np.ravel(ingredients.block)[gradient.index]
    explanation = formula_guesses(ingredients.arrays, ingredients.dy, gradient, ingredients.names)
    explanation.guesses += fits_zero(gradient)
    explanation.guesses += fits_factor(gradient, ingredients.names)
    explanation.guesses += fits_whole_numbers(gradient)
    explanation.guesses += fits_order(gradient)
    explanation.guesses += fits_mean_term(gradient, own)
    explanation.guesses += fits_group_factor(gradient, own)
    explanation.guesses += fits_axis(gradient)
    explanation.guesses += _where_it_is_wrong(gradient, ingredients)
    return replace(explanation, guesses=shortest(explanation.guesses, gradient))


def with_two_terms(
    explanation: Explanation, gradient: WrongGradient, ingredients: Ingredients
) -> Explanation:
    """The same, with guesses of two terms added."""
    more = two_term_guesses(ingredients.arrays, ingredients.dy, gradient, ingredients.names)
    fits = shortest([*explanation.guesses, *more.guesses], gradient)
    return Explanation(fits, explanation.now, explanation.right or more.right)


def is_convincing(guess: Guess, gradient: WrongGradient) -> bool:
    """Whether a guess is at most half as long as a list of the wrong entries."""
    return guess.description_length(gradient) <= gradient.unexplained() / 2


def _where_it_is_wrong(gradient: WrongGradient, ingredients: Ingredients) -> Iterator[Guess]:
    """Where the gradient is wrong, and what is wrong there."""
    wrong = gradient.at(np.flatnonzero(gradient.wrong))
    where = places(
        gradient, _compared(_entries_of([*ingredients.arrays, *ingredients.dy], gradient))
    )
    inner = [*fits_zero(wrong), *fits_factor(wrong, ingredients.names)]
    if where and len(wrong.index) > 2:
        every = (ingredients.arrays, ingredients.dy, wrong, ingredients.names)
        inner += formula_guesses(*every, elementwise=True).guesses
    there = next(iter(shortest(inner, wrong)), None)
    for place in where:
        text = f"it is wrong only {place.text}"
        if there is not None:
            cause = there.cause if _says_more(there, place) else place.cause
            choice_digits = place.choice_digits + there.choice_digits
            yield Guess(
                cause, f"{text}: there {there.text}", choice_digits, there.n_fitted, there.residual
            )
        elif place.alone:
            outside = gradient.residual_of(np.where(gradient.wrong, 0.0, gradient.error))
            yield Guess(
                place.cause, text, place.choice_digits, float(gradient.wrong.sum()), outside
            )


def _says_more(there: Guess, place: Place) -> bool:
    """Whether the mistake at a place says more about the cause than the place itself."""
    if there.cause == "missing term":
        return not place.alone
    return place.cause in OF_INDICES and there.cause in ("sign", "missing factor")


def _entries_of(arrays: Sequence[NamedArray], gradient: WrongGradient) -> list[tuple[str, Array]]:
    """Name and values (n,) of each array that broadcasts to the block, at the entries."""
    every = [way for array in arrays for way in spread(array.name, array.values, gradient.shape)]
    return [(name, np.ravel(values)[gradient.index]) for name, values in every]


def _compared(known: list[tuple[str, Array]]) -> list[tuple[str, Array]]:
    """Arrays, and of each two the difference and the product, whose signs compare them."""
    few = known[:MOST_COMPARED]
    values = list(few)
    for i, (a, v) in enumerate(few):
        for b, w in few[i + 1 :]:
            values += [(f"({a} - {b})", v - w), (f"{a} * {b}", v * w)]
    return values

"""Everything that may explain one wrong gradient, from its numbers and the arrays at hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...ground.arguments import Array
from ..pairs.pair import Pair
from .explained import Explained, formula_guesses, two_term_guesses
from .guesses import Guess, WrongGradient, cheapest
from .known_arrays import Known, arrays_at_hand, spread
from .named_numbers import Names, names_for
from .shapes_by_group import fits_axis, fits_group_factor, fits_mean_term
from .shapes_of_error import fits_factor, fits_order, fits_whole_numbers, fits_zero
from .wrong_places import Place, places

OF_INDICES = ("border", "last rows", "few entries")
FEW_KNOWN = 8  # arrays, whose values are compared with each other


@dataclass(frozen=True)
class AtHand:
    """What a backward pass may have made its gradient of."""

    own: Array  # the block itself
    arrays: list[Known]
    dy: list[Known]
    names: Names

    @classmethod
    def of(cls, pair: Pair, name: str, dy: Sequence[Array]) -> "AtHand":
        cotangents = [
            Known("dy" if len(dy) == 1 else f"dy[{i}]", np.asarray(one)) for i, one in enumerate(dy)
        ]
        names = names_for(name, pair.blocks, list(dy))
        return cls(pair.blocks[name], arrays_at_hand(pair, name), cotangents, names)

    def only(self, k: int) -> "AtHand":
        """With one of the cotangents only."""
        return replace(self, dy=[self.dy[k]])


def fits_of(gradient: WrongGradient, at_hand: AtHand) -> Explained:
    """What fits, cheapest first, and the formulas that are known."""
    own = np.ravel(at_hand.own)[gradient.index]
    found = formula_guesses(at_hand.arrays, at_hand.dy, gradient, at_hand.names)
    found.guesses += fits_zero(gradient)
    found.guesses += fits_factor(gradient, at_hand.names)
    found.guesses += fits_whole_numbers(gradient)
    found.guesses += fits_order(gradient)
    found.guesses += fits_mean_term(gradient, own)
    found.guesses += fits_group_factor(gradient, own)
    found.guesses += fits_axis(gradient)
    found.guesses += _where_it_is_wrong(gradient, at_hand)
    return replace(found, guesses=cheapest(found.guesses, gradient))


def with_two_terms(found: Explained, gradient: WrongGradient, at_hand: AtHand) -> Explained:
    """The same, and what two terms have to say."""
    more = two_term_guesses(at_hand.arrays, at_hand.dy, gradient, at_hand.names)
    fits = cheapest([*found.guesses, *more.guesses], gradient)
    return Explained(fits, found.now, found.right or more.right)


def is_convincing(guess: Guess, gradient: WrongGradient) -> bool:
    """Whether a guess costs no more than half of what no idea costs."""
    return guess.price(gradient) <= gradient.unexplained() / 2


def _where_it_is_wrong(gradient: WrongGradient, at_hand: AtHand) -> Iterator[Guess]:
    """Where it is wrong, and what it is there."""
    wrong = gradient.at(np.flatnonzero(gradient.wrong))
    where = places(gradient, _compared(_entries_of([*at_hand.arrays, *at_hand.dy], gradient)))
    inner = [*fits_zero(wrong), *fits_factor(wrong, at_hand.names)]
    if where and len(wrong.index) > 2:
        every = (at_hand.arrays, at_hand.dy, wrong, at_hand.names)
        inner += formula_guesses(*every, elementwise=True).guesses
    there = next(iter(cheapest(inner, wrong)), None)
    for place in where:
        text = f"it is wrong only {place.text}"
        if there is not None:
            cause = there.cause if _says_more(there, place) else place.cause
            choice = place.choice + there.choice
            yield Guess(cause, f"{text}: there {there.text}", choice, there.free, there.residual)
        elif place.alone:
            outside = gradient.left(np.where(gradient.wrong, 0.0, gradient.error))
            yield Guess(place.cause, text, place.choice, float(gradient.wrong.sum()), outside)


def _says_more(there: Guess, place: Place) -> bool:
    """Whether what is wrong at a place tells more of the cause than the place does."""
    if there.cause == "missing term":
        return not place.alone
    return place.cause in OF_INDICES and there.cause in ("sign", "missing factor")


def _entries_of(arrays: Sequence[Known], gradient: WrongGradient) -> list[tuple[str, Array]]:
    """The arrays that broadcast to the block, at the entries: (n,) each."""
    every = [way for one in arrays for way in spread(one.name, one.values, gradient.shape)]
    return [(name, np.ravel(values)[gradient.index]) for name, values in every]


def _compared(known: list[tuple[str, Array]]) -> list[tuple[str, Array]]:
    """Arrays, and what tells of two whether they are equal, or which is larger, or of one sign."""
    few = known[:FEW_KNOWN]
    found = list(few)
    for i, (a, v) in enumerate(few):
        for b, w in few[i + 1 :]:
            found += [(f"({a} - {b})", v - w), (f"{a} * {b}", v * w)]
    return found

"""A wrong gradient is explained as a whole, or by parts: by what comes from each output's dy.

A gradient is linear in dy, so that it is a sum of parts. Where one of them is wrong and the others
are right, that part is simpler than the whole, and says where to look.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...ground.arguments import Array
from ..pairs.pair import Pair
from .both_jacobians import Jacobians, both_jacobians
from .candidates import AtHand, fits_of, is_convincing, with_two_terms
from .explained import Explained
from .guesses import Guess, WrongGradient, cheapest
from .where_it_comes_from import fits_sides, is_elementwise, mixed_axis


def explain_gradient(
    pair: Pair, name: str, gradient: WrongGradient, dy: Sequence[Array]
) -> Explained:
    """The best guesses, and the formulas that are known."""
    at_hand = AtHand.of(pair, name, dy)
    found = fits_of(gradient, at_hand)
    if _is_known(found, gradient):
        return found
    both = both_jacobians(pair, name, gradient, dy)
    wrong = both.wrong_outputs() if both is not None else []
    several = sum(bool(one.any()) for one in dy) > 1
    if both is not None and wrong and (len(wrong) == 1 or several):
        parts = [_of_a_part(both.part(k, dy[k].shape), at_hand.only(k)) for k in wrong]
        if all(one.guesses for one in parts):
            k, best = wrong[0], parts[0]
            return _said_of(best, at_hand.dy[k].name) if several else best
    found = with_two_terms(found, gradient, at_hand)
    if several and len(wrong) == 1 and not found.guesses and _is_wrong_all_over(gradient):
        name = at_hand.dy[wrong[0]].name
        text = f"the term that comes from {name} is wrong, and all else is right"
        found.guesses.append(Guess("missing term", text, 1.0))
    return found


def _of_a_part(both: Jacobians, at_hand: AtHand) -> Explained:
    """What one output's part says by itself, with its Jacobians."""
    gradient = both.gradient()
    found = with_two_terms(fits_of(gradient, at_hand), gradient, at_hand)
    if _is_known(found, gradient):
        return found
    axis = mixed_axis(both)
    sides = [*fits_sides(both, at_hand.arrays, at_hand.names)]
    fits = [one for one in cheapest(sides, both.flat()) if is_convincing(one, both.flat())]
    guesses = [*([axis] if axis else []), *fits, *found.guesses]
    if not guesses and _is_wrong_all_over(gradient) and is_elementwise(both):
        right = f": it should be {found.right}" if found.right else ""
        dy = at_hand.dy[0].name
        guesses = [Guess("missing factor", f"{dy} is multiplied by a wrong factor{right}", 1.0)]
    return replace(found, guesses=guesses)


def _is_known(found: Explained, gradient: WrongGradient) -> bool:
    return bool(found.guesses) and is_convincing(found.guesses[0], gradient)


def _is_wrong_all_over(gradient: WrongGradient) -> bool:
    return 2 * int(gradient.wrong.sum()) > len(gradient.index)


def _said_of(found: Explained, name: str) -> Explained:
    """The same, said of what comes from one output's dy."""
    guesses = [replace(one, text=f"in what comes from {name}: {one.text}") for one in found.guesses]
    return replace(found, guesses=guesses)

"""A wrong gradient is explained as a whole or, where that fails, output by output.

A gradient is linear in dy, so it is a sum with one term for each output's dy. Where one term is
wrong and the others are right, the wrong term is simpler than the sum and shows where to look.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...ground.arguments import Array
from ..pairs.pair import Pair
from .candidates import Ingredients, candidates_for, is_convincing, with_two_terms
from .guesses import Explanation, Guess, WrongGradient, shortest
from .jacobians import Jacobians, measure_jacobians
from .shapes_of_jacobians import fits_sides, is_elementwise, mixed_axis


def explain_gradient(
    pair: Pair, name: str, gradient: WrongGradient, dy: Sequence[Array]
) -> Explanation:
    """Guesses, shortest description first, and formulas for the gradient where they are known."""
    ingredients = Ingredients.of(pair, name, dy)
    found = candidates_for(gradient, ingredients)
    if _is_explained(found, gradient):
        return found
    both = measure_jacobians(pair, name, gradient, dy)
    wrong = both.wrong_outputs() if both is not None else []
    several = sum(bool(cotangent.any()) for cotangent in dy) > 1
    if both is not None and wrong and (len(wrong) == 1 or several):
        parts = [_explain_term(both.part(k, dy[k].shape), ingredients.only(k)) for k in wrong]
        if all(part.guesses for part in parts):
            k, best = wrong[0], parts[0]
            return _about_output(best, ingredients.dy[k].name) if several else best
    found = with_two_terms(found, gradient, ingredients)
    if several and len(wrong) == 1 and not found.guesses and _is_wrong_all_over(gradient):
        name = ingredients.dy[wrong[0]].name
        text = f"the term that comes from {name} is wrong, and all else is right"
        found.guesses.append(Guess("missing term", text, 1.0))
    return found


def _explain_term(both: Jacobians, ingredients: Ingredients) -> Explanation:
    """Guesses about the term of one output, from its values and its Jacobians."""
    gradient = both.gradient()
    found = with_two_terms(candidates_for(gradient, ingredients), gradient, ingredients)
    if _is_explained(found, gradient):
        return found
    axis = mixed_axis(both)
    sides = [*fits_sides(both, ingredients.arrays, ingredients.names)]
    fits = [fit for fit in shortest(sides, both.flat()) if is_convincing(fit, both.flat())]
    guesses = [*([axis] if axis else []), *fits, *found.guesses]
    if not guesses and _is_wrong_all_over(gradient) and is_elementwise(both):
        right = f": it should be {found.right}" if found.right else ""
        dy = ingredients.dy[0].name
        guesses = [Guess("missing factor", f"{dy} is multiplied by a wrong factor{right}", 1.0)]
    return replace(found, guesses=guesses)


def _is_explained(found: Explanation, gradient: WrongGradient) -> bool:
    return bool(found.guesses) and is_convincing(found.guesses[0], gradient)


def _is_wrong_all_over(gradient: WrongGradient) -> bool:
    return 2 * int(gradient.wrong.sum()) > len(gradient.index)


def _about_output(found: Explanation, name: str) -> Explanation:
    """The same guesses, each naming the output that it is about."""
    lead = f"in what comes from {name}"
    guesses = [replace(guess, text=f"{lead}: {guess.text}") for guess in found.guesses]
    return replace(found, guesses=guesses)

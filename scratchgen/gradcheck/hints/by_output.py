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
    explanation = candidates_for(gradient, ingredients)
    if _is_explained(explanation, gradient):
        return explanation
    jacobians = measure_jacobians(pair, name, gradient, dy)
    wrong = jacobians.wrong_outputs() if jacobians is not None else []
    several = sum(bool(cotangent.any()) for cotangent in dy) > 1
    if jacobians is not None and wrong and (len(wrong) == 1 or several):
        parts = [_explain_term(jacobians.part(k, dy[k].shape), ingredients.only(k)) for k in wrong]
        if all(part.guesses for part in parts):
            k, best = wrong[0], parts[0]
            return _about_output(best, ingredients.dy[k].name) if several else best
    explanation = with_two_terms(explanation, gradient, ingredients)
    if several and len(wrong) == 1 and not explanation.guesses and _is_wrong_all_over(gradient):
        name = ingredients.dy[wrong[0]].name
        text = f"the term that comes from {name} is wrong, and all else is right"
        explanation.guesses.append(Guess("missing term", text, 1.0))
    return explanation


def _explain_term(jacobians: Jacobians, ingredients: Ingredients) -> Explanation:
    """Guesses about the term of one output, from its values and its Jacobians."""
    gradient = jacobians.gradient()
    explanation = with_two_terms(candidates_for(gradient, ingredients), gradient, ingredients)
    if _is_explained(explanation, gradient):
        return explanation
    axis = mixed_axis(jacobians)
    sides = [*fits_sides(jacobians, ingredients.arrays, ingredients.names)]
    fits = [
        fit for fit in shortest(sides, jacobians.flat()) if is_convincing(fit, jacobians.flat())
    ]
    guesses = [*([axis] if axis else []), *fits, *explanation.guesses]
    if not guesses and _is_wrong_all_over(gradient) and is_elementwise(jacobians):
        right = f": it should be {explanation.right}" if explanation.right else ""
        dy = ingredients.dy[0].name
        guesses = [Guess("missing factor", f"{dy} is multiplied by a wrong factor{right}", 1.0)]
    return replace(explanation, guesses=guesses)


def _is_explained(explanation: Explanation, gradient: WrongGradient) -> bool:
    return bool(explanation.guesses) and is_convincing(explanation.guesses[0], gradient)


def _is_wrong_all_over(gradient: WrongGradient) -> bool:
    return 2 * int(gradient.wrong.sum()) > len(gradient.index)


def _about_output(explanation: Explanation, name: str) -> Explanation:
    """The same guesses, each naming the output that it is about."""
    lead = f"in what comes from {name}"
    guesses = [replace(guess, text=f"{lead}: {guess.text}") for guess in explanation.guesses]
    return replace(explanation, guesses=guesses)

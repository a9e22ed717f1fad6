"""Guesses about the gradient as a whole: it is 0, has a wrong factor, is rounded or reordered.

    analytic = 0                             a missing path
    analytic = c numeric                     a sign, a factor counted twice, a batch size
    analytic = round(numeric)                integers or float32
    analytic = permuted numeric              transposed, flipped, rolled

Each `fits_` function yields guesses, good or bad; guesses.py weighs them.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ...ground.arguments import Array
from .guesses import Guess, WrongGradient, log10_binomial
from .named_numbers import NumberNames, short

MOST_ROLLS = 40


def fits_zero(gradient: WrongGradient) -> Iterator[Guess]:
    """analytic or numeric is 0."""
    residual = gradient.residual_of(gradient.analytic)
    yield Guess("zero", "it is 0: this path is missing", 0.0, residual=residual)
    if not (abs(gradient.numeric) > gradient.bar).any():
        yield Guess("zero", "it should be 0", 0.5)


def fits_factor(gradient: WrongGradient, names: NumberNames) -> Iterator[Guess]:
    """analytic = c numeric."""
    square = float(gradient.numeric @ gradient.numeric)
    if square == 0:
        return
    c = float(gradient.analytic @ gradient.numeric) / square
    tolerance = 3 * gradient.floor * gradient.size / square**0.5 + 1e-13 * abs(c)
    named = names.name(c, min(tolerance, 0.5 * abs(c - 1)))
    fitted = c if named is None else named.value
    residual = gradient.residual_of(gradient.analytic - fitted * gradient.numeric)
    if named is None:
        text = f"it is {short(c)} times what it should be"
        yield Guess("factor", text, 1.0, n_fitted=1, residual=residual)
    elif named.value == -1:
        yield Guess("sign", "it has the wrong sign", 0.0, residual=residual)
    else:
        yield Guess(
            "factor",
            _factor_text(named.value, named.text, named.meaning),
            named.choice_digits,
            residual=residual,
        )


def _factor_text(c: float, text: str, meaning: str) -> str:
    plain = {2.0: "exactly twice", 0.5: "exactly half of"}.get(c, f"{text} times")
    reason = f", and {meaning}" if meaning else ""
    if not meaning and c == 2:
        reason = ": something is counted twice"
    elif meaning and 0 < c < 1:
        reason += ": it is divided by that once too often"
    elif meaning and c > 1:
        reason += ": it is multiplied by that once too often, or a division by it is missing"
    return f"it is {plain} what it should be{reason}"


def fits_whole_numbers(gradient: WrongGradient) -> Iterator[Guess]:
    """The numbers were rounded to integers or to float32."""
    right = gradient.numeric
    cuts = (("cut toward 0", np.trunc), ("rounded", np.rint), ("cut down", np.floor))
    for text, cut in cuts:
        text = f"it has whole numbers only: values were {text} to fit into integers"
        yield Guess(
            "dtype", text, 0.5, residual=gradient.residual_of(gradient.analytic - cut(right))
        )
    largest = float(np.max(abs(right), initial=0))
    name, single = "float32", gradient.analytic.astype(np.float32)
    if np.array_equal(single, gradient.analytic) and abs(gradient.error).max() < 1e-5 * largest:
        text = f"it has numbers of {name} only: something is computed in {name}"
        yield Guess("dtype", text, 0.5, 0.5 * len(right))


def fits_order(gradient: WrongGradient) -> Iterator[Guess]:
    """The right numbers at the wrong indices."""
    if not gradient.complete or len(gradient.index) < 2:
        return
    right = gradient.numeric.reshape(gradient.shape)
    wrong = gradient.analytic.reshape(gradient.shape)
    for text, moved in _reordered(right):
        yield Guess(
            "order",
            f"it is the right gradient {text}",
            1.0,
            residual=gradient.residual_of((wrong - moved).ravel()),
        )
    rest = np.sort(gradient.analytic) - np.sort(gradient.numeric)
    text = "it has the right numbers, in other places"
    yield Guess(
        "order",
        text,
        log10_binomial(len(rest), len(rest) // 2),
        residual=gradient.residual_of(rest),
    )


def _reordered(right: Array) -> Iterator[tuple[str, Array]]:
    for a, b in combinations(range(right.ndim), 2):
        if right.shape[a] == right.shape[b]:
            axes = "" if right.ndim == 2 else f" (axes {a} and {b})"
            yield f"transposed{axes}", right.swapaxes(a, b)
    if right.ndim > 1:
        yield "in column order, where row order is wanted", right.ravel("F").reshape(right.shape)
        yield (
            "in row order, where column order is wanted",
            np.reshape(right.ravel(), right.shape, order="F"),
        )
        yield "backwards", right.ravel()[::-1].reshape(right.shape)
    for axis, n in enumerate(right.shape):
        yield f"backwards along axis {axis}", np.flip(right, axis)
        for shift in range(1, min(n, MOST_ROLLS)):
            by = shift if shift <= n // 2 else shift - n
            yield f"moved by {by} along axis {axis}", np.roll(right, shift, axis)

"""Guesses that fit one or two numbers to each group of entries: means, spreads and wrong axes.

    E = a_g,   E = a_g + b_g (x - mean(x))   a mean, or a term from a variance, is missing
    analytic = c_g numeric                   each group is divided by a wrong spread or norm
    analytic = a_g, and numeric is not       a sum over the wrong axis

The entries of a group g differ only along some axes; all sets of axes are tried.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...ground.arguments import Array
from .guesses import Guess, WrongGradient, listed_axes


def fits_mean_term(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """E is constant or linear in x within each group; x (n,) is the block."""
    ones = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group, where = gradient.groups(axes), listed_axes(axes)
        centred = without(x, [ones], group)[0]
        text = f"the error is constant over {where}: a term that is a mean or a sum over it"
        yield _by_group(gradient, group, [ones], "mean term", f"{text} is missing or wrong")
        text = f"along {where} the error is proportional to x - mean(x): the term with "
        yield _by_group(
            gradient,
            group,
            [centred],
            "mean term",
            f"{text}mean(dy * x_hat), which comes from the variance, is missing or wrong",
        )
        text = f"along {where} the error is a + b x: the terms that come from the mean and from"
        yield _by_group(
            gradient, group, [ones, x], "mean term", f"{text} the variance are missing or wrong"
        )


def fits_group_factor(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """analytic = c_g numeric + b_g (x - mean(x)): each group is divided by a wrong spread."""
    ones = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group, where = gradient.groups(axes), listed_axes(axes)
        if group.max(initial=0) == 0 and len(gradient.shape) > 1:
            continue  # fits_factor covers a single factor
        centred = without(x, [ones], group)[0]
        text = f"it is right up to a factor that is constant over {where}"
        text += _like_a_statistic(gradient, group, x)
        plain = _by_group(gradient, group, [gradient.numeric], "missing factor", text)
        plain = replace(plain, choice_digits=0.5)
        yield plain
        text = f"along {where} it is made of the right gradient and of x - mean(x): what it divides"
        text = f"{text} by, a spread, is wrong"
        with_x = _by_group(gradient, group, [gradient.numeric, centred], "missing factor", text)
        if _sums_to_zero(gradient, group):  # a group then has one independent entry less
            with_x = replace(with_x, n_fitted=with_x.n_fitted + len(np.unique(group)))
        yield with_x
        if _falls_with_spread(gradient, group, centred):
            text = f"its relative error grows as the variance over {where} falls: look at eps"
            for fit in (plain, with_x):
                yield Guess("eps", text, 0.5, 0.8 * fit.n_fitted, fit.residual)


def _like_a_statistic(gradient: WrongGradient, group: Array, x: Array) -> str:
    """The statistic of x that the factors c_g are proportional to, in words."""
    square = np.bincount(group, gradient.numeric**2)
    along = np.bincount(group, gradient.numeric * gradient.analytic)
    count = np.bincount(group)
    mean = np.bincount(group, x) / count
    known = {"|x|": np.bincount(group, x * x) ** 0.5, "sum(x)": count * mean}
    known["std(x)"] = np.bincount(group, (x - mean[group]) ** 2) ** 0.5
    if len(square) > 2 and square.all() and along.all():
        for name, values in known.items():
            for power, text in (
                (1, name),
                (2, f"{name}^2"),
                (-1, f"1 / {name}"),
                (-2, f"1 / {name}^2"),
            ):
                quotient = along / square * values**power
                if np.ptp(quotient) < 1e-3 * abs(quotient).min():
                    return f": it lacks a factor like {text} there"
    return ": such a factor is missing"


def _sums_to_zero(gradient: WrongGradient, group: Array) -> bool:
    """Whether the error sums to 0 in each group."""
    total, size = np.bincount(group, gradient.error), np.bincount(group, abs(gradient.error))
    return bool((abs(total) <= 1e-6 * size).all())


def _falls_with_spread(gradient: WrongGradient, group: Array, centred: Array) -> bool:
    """Whether c_g is near 1, and |c_g - 1| falls with a power of the spread, as eps causes.

    Both gradients lose their projection on x - mean(x) before c_g is fitted.
    """
    right = minus_projection(gradient.numeric, centred, group)
    off = minus_projection(gradient.error, centred, group)
    size = np.bincount(group, right * right)
    spread = np.bincount(group, centred**2)
    if len(size) < 4 or not size.all() or not spread.all():
        return False
    relative = abs(np.bincount(group, right * off)) / size
    if not 0 < relative.min() <= relative.max() < 0.3 or np.ptp(spread) < 1e-3 * spread.max():
        return False
    a, b = np.log(spread), np.log(relative)
    slope = float((a - a.mean()) @ (b - b.mean()) / ((a - a.mean()) @ (a - a.mean())))
    rest = b - b.mean() - slope * (a - a.mean())
    return -2 < slope < -0.3 and float(abs(rest).max()) < 0.3


def fits_axis(gradient: WrongGradient) -> Iterator[Guess]:
    """Only one of the two gradients is constant along an axis."""
    ones = [np.ones(len(gradient.index))]
    for axes in gradient.axis_sets():
        group = gradient.groups(axes)
        pair = (
            ("it is", "should not be", gradient.analytic, gradient.numeric),
            ("it should be", "is not", gradient.numeric, gradient.analytic),
        )
        for has, lacks, flat, other in pair:
            rest, n_fitted = without(flat, ones, group)
            if without(other, ones, group)[0].any() and flat.any():
                text = f"{has} constant over {listed_axes(axes)}, and {lacks}: a sum or a mean is"
                yield Guess(
                    "axis",
                    f"{text} taken over the wrong axis",
                    1.0,
                    n_fitted,
                    gradient.residual_of(rest),
                )


def _by_group(
    gradient: WrongGradient, group: Array, basis: list[Array], cause: str, text: str
) -> Guess:
    """The error, fitted by a combination of the basis in each group."""
    if (int(group.max(initial=0)) + 1) * len(basis) >= len(group):
        return Guess(
            cause, text, 0.5 + len(basis), len(group), 0.0
        )  # enough numbers to fit anything
    rest, n_fitted = without(gradient.error, basis, group)
    return Guess(cause, text, 0.5 + len(basis), n_fitted, gradient.residual_of(rest))


def without(values: Array, basis: list[Array], group: Array) -> tuple[Array, float]:
    """`values` minus their projection on the basis in each group, and its degrees of freedom.

    Gram-Schmidt makes the basis orthogonal on the way.
    """
    n_fitted, done = 0.0, list[Array]()
    for vector in basis:
        size = np.bincount(group, vector * vector)
        for other in done:
            vector = minus_projection(vector, other, group)
        square = np.bincount(group, vector * vector)
        counts = square > 1e-18 * size
        vector = np.where(counts[group], vector, 0.0)
        values = minus_projection(values, vector, group)
        done.append(vector)
        n_fitted += float(counts.sum())
    return values, n_fitted


def minus_projection(values: Array, vector: Array, group: Array) -> Array:
    """`values` minus their projection on one vector in each group."""
    square = np.bincount(group, vector * vector)
    along = np.bincount(group, vector * values)
    share = np.divide(along, square, out=np.zeros_like(along), where=square > 0)
    rest: Array = values - share[group] * vector
    return rest

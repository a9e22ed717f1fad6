"""Shapes of an error that need a number or a few for each group of entries, as means leave them.

    E = a_g,   E = a_g + b_g (x - mean(x))   a term that is a mean, or one from a variance
    analytic = c_g numeric                   a spread, or a norm, that each group is divided by
    analytic = a_g, and numeric is not       a sum over the wrong axis

A group is what differs along some axes only; all sets of axes are tried.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...ground.arguments import Array
from .guesses import Guess, WrongGradient, listed_axes


def fits_mean_term(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """E has one number, or two, for each group of entries; x (n,) is the block."""
    one = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group, where = gradient.groups(axes), listed_axes(axes)
        centred = without(x, [one], group)[0]
        text = f"the error is constant over {where}: a term that is a mean or a sum over it"
        yield _by_group(gradient, group, [one], "mean term", f"{text} is missing or wrong")
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
            gradient, group, [one, x], "mean term", f"{text} the variance are missing or wrong"
        )


def fits_group_factor(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """analytic = c_g numeric + b_g (x - mean(x)): each group is divided by another spread."""
    one = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group, where = gradient.groups(axes), listed_axes(axes)
        if group.max(initial=0) == 0 and len(gradient.shape) > 1:
            continue  # one factor for all
        centred = without(x, [one], group)[0]
        text = f"it is right up to a factor that is constant over {where}"
        text += _like_a_statistic(gradient, group, x)
        fit = _by_group(gradient, group, [gradient.numeric], "missing factor", text)
        plain = replace(fit, choice=0.5)
        yield plain
        text = f"along {where} it is made of the right gradient and of x - mean(x): what it divides"
        text = f"{text} by, a spread, is wrong"
        bent = _by_group(gradient, group, [gradient.numeric, centred], "missing factor", text)
        if _sums_to_zero(gradient, group):  # so that each group has one entry less to tell
            bent = replace(bent, free=bent.free + len(np.unique(group)))
        yield bent
        if _falls(gradient, group, centred):
            text = f"its relative error grows as the variance over {where} falls: look at eps"
            for same in (plain, bent):
                yield Guess("eps", text, 0.5, 0.8 * same.free, same.residual)


def _like_a_statistic(gradient: WrongGradient, group: Array, x: Array) -> str:
    """What the factor of each group is proportional to, if that is a statistic of x there."""
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
    """Whether the error does, in each group."""
    total, size = np.bincount(group, gradient.error), np.bincount(group, abs(gradient.error))
    return bool((abs(total) <= 1e-6 * size).all())


def _falls(gradient: WrongGradient, group: Array, centred: Array) -> bool:
    """Whether c_g is near 1, and c_g - 1 is smaller by a power of the spread where that is larger.

    x - mean(x) is taken out of both gradients before c_g is fitted.
    """
    right = less(gradient.numeric, centred, group)
    off = less(gradient.error, centred, group)
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
    """One of the two is constant along an axis, and the other is not."""
    one = [np.ones(len(gradient.index))]
    for axes in gradient.axis_sets():
        group = gradient.groups(axes)
        pair = (
            ("it is", "should not be", gradient.analytic, gradient.numeric),
            ("it should be", "is not", gradient.numeric, gradient.analytic),
        )
        for has, lacks, flat, other in pair:
            rest, free = without(flat, one, group)
            if without(other, one, group)[0].any() and flat.any():
                text = f"{has} constant over {listed_axes(axes)}, and {lacks}: a sum or a mean is"
                yield Guess(
                    "axis", f"{text} taken over the wrong axis", 1.0, free, gradient.left(rest)
                )


def _by_group(
    gradient: WrongGradient, group: Array, basis: list[Array], cause: str, text: str
) -> Guess:
    """The error, fitted in each group by numbers of its own times the arrays of the basis."""
    if (int(group.max(initial=0)) + 1) * len(basis) >= len(group):
        return Guess(cause, text, 0.5 + len(basis), len(group), 0.0)  # it would fit anything
    rest, free = without(gradient.error, basis, group)
    return Guess(cause, text, 0.5 + len(basis), free, gradient.left(rest))


def without(values: Array, basis: list[Array], group: Array) -> tuple[Array, float]:
    """`values` less their projections on the basis in each group, and how many numbers that took.

    The basis is made orthogonal on the way (Gram-Schmidt).
    """
    free, done = 0.0, list[Array]()
    for vector in basis:
        size = np.bincount(group, vector * vector)
        for other in done:
            vector = less(vector, other, group)
        square = np.bincount(group, vector * vector)
        counts = square > 1e-18 * size
        vector = np.where(counts[group], vector, 0.0)
        values = less(values, vector, group)
        done.append(vector)
        free += float(counts.sum())
    return values, free


def less(values: Array, vector: Array, group: Array) -> Array:
    """`values` less their projection on one vector in each group."""
    square = np.bincount(group, vector * vector)
    along = np.bincount(group, vector * values)
    share = np.divide(along, square, out=np.zeros_like(along), where=square > 0)
    rest: Array = values - share[group] * vector
    return rest

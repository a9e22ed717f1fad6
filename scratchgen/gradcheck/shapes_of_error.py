"""Shapes that an error of a gradient can have as a whole; each `fits_` function knows one of them.

    analytic = c numeric                     a sign, a factor counted twice, a batch size
    analytic = numeric in another order      transposed, flipped, rolled
    E = a_g,   E = a_g + b_g x               one number per group g: a mean or a variance is missing
    analytic = a_g, and numeric is not       summed over the wrong axis
    E = u_i v_j + s_i t_j                    two axes mixed up

Each gives guesses (guesses.py), and does not ask whether they are any good.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..checks import Array
from .guesses import Guess, WrongGradient, listed_axes, ways
from .named_numbers import Names, short

LARGEST_MATRIX = 10**5  # entries
MOST_ROLLS = 40


def fits_zero(gradient: WrongGradient) -> Iterator[Guess]:
    """One of the two is 0."""
    residual = gradient.left(gradient.analytic)
    yield Guess("zero", "it is 0: this path is missing", 0.0, residual=residual)
    if not (abs(gradient.numeric) > gradient.bar).any():
        yield Guess("zero", "it should be 0", 0.5)


def fits_factor(gradient: WrongGradient, names: Names) -> Iterator[Guess]:
    """analytic = c numeric."""
    square = float(gradient.numeric @ gradient.numeric)
    if square == 0:
        return
    c = float(gradient.analytic @ gradient.numeric) / square
    tolerance = 3 * gradient.floor * gradient.size / square**0.5 + 1e-13 * abs(c)
    named = names.name(c, min(tolerance, 0.5 * abs(c - 1)))
    fitted = c if named is None else named.value
    residual = gradient.left(gradient.analytic - fitted * gradient.numeric)
    if named is None:
        text = f"it is {short(c)} times what it should be"
        yield Guess("factor", text, 1.0, free=1, residual=residual)
    elif named.value == -1:
        yield Guess("sign", "it has the wrong sign", 0.0, residual=residual)
    else:
        yield Guess(
            "factor",
            _factor_text(named.value, named.text, named.meaning),
            named.choice,
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
    """The numbers were cut to whole ones, or rounded to float32 or float16."""
    right = gradient.numeric
    cuts = (("cut toward 0", np.trunc), ("rounded", np.rint), ("cut down", np.floor))
    for text, cut in cuts:
        text = f"it has whole numbers only: values were {text} to fit into integers"
        yield Guess("dtype", text, 0.5, residual=gradient.left(gradient.analytic - cut(right)))
    largest = float(np.max(abs(right), initial=0))
    name, single = "float32", gradient.analytic.astype(np.float32)
    if np.array_equal(single, gradient.analytic) and abs(gradient.error).max() < 1e-5 * largest:
        text = f"it has numbers of {name} only: something is computed in {name}"
        yield Guess("dtype", text, 0.5, 0.5 * len(right))


def fits_order(gradient: WrongGradient) -> Iterator[Guess]:
    """The right numbers in the wrong places."""
    if not gradient.complete or len(gradient.index) < 2:
        return
    right = gradient.numeric.reshape(gradient.shape)
    wrong = gradient.analytic.reshape(gradient.shape)
    for text, moved in _reordered(right):
        yield Guess(
            "order",
            f"it is the right gradient {text}",
            1.0,
            residual=gradient.left((wrong - moved).ravel()),
        )
    rest = np.sort(gradient.analytic) - np.sort(gradient.numeric)
    text = "it has the right numbers, in other places"
    yield Guess("order", text, ways(len(rest), len(rest) // 2), residual=gradient.left(rest))


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


def fits_mean_term(
    gradient: WrongGradient, x: Array, others: Sequence[tuple[str, Array]]
) -> Iterator[Guess]:
    """E has one number, or a few, for each group of entries; x and the others are (n,)."""
    one = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group, where = gradient.groups(axes), listed_axes(axes)
        centred = _without(x, [one], group)[0]
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
        for name, values in others:
            text = f"along {where} the error is proportional to {name}: a term with {name} times a"
            yield _by_group(
                gradient,
                group,
                [values],
                "mean term",
                f"{text} mean or a sum over {where} is missing or wrong",
            )
            text = f"along {where} the error is made of 1, x, {name} and x * {name}: {name} is"
            yield _by_group(
                gradient,
                group,
                [one, x, values, values * x],
                "mean term",
                f"{text} inside of one mean, and outside of another",
            )


def fits_group_factor(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """analytic = c_g numeric + b_g (x - mean(x)): each group is divided by another spread."""
    one = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group, where = gradient.groups(axes), listed_axes(axes)
        if group.max(initial=0) == 0 and len(gradient.shape) > 1:
            continue  # one factor for all
        centred = _without(x, [one], group)[0]
        text = f"it is right up to a factor that is constant over {where}"
        text += _like_a_statistic(gradient, group, x)
        fit = _by_group(gradient, group, [gradient.numeric], "missing factor", text)
        plain = replace(fit, choice=0.5)
        yield plain
        text = f"along {where} it is made of the right gradient and of x - mean(x): what it divides"
        text = f"{text} by, a spread, is wrong"
        bent = _by_group(gradient, group, [gradient.numeric, centred], "missing factor", text)
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
                with np.errstate(all="ignore"):
                    quotient = along / square * values**power
                if np.ptp(quotient) < 1e-3 * abs(quotient).min():
                    return f": it lacks a factor like {text} there"
    return ": such a factor is missing"


def _falls(gradient: WrongGradient, group: Array, centred: Array) -> bool:
    """Whether c_g is near 1, and c_g - 1 is smaller by a power of the spread where that is larger.

    x - mean(x) is taken out of both gradients before c_g is fitted.
    """
    right = _less(gradient.numeric, centred, group)
    off = _less(gradient.error, centred, group)
    size = np.bincount(group, right * right)
    spread = np.bincount(group, centred**2)
    if len(size) < 2 or not size.all() or not spread.all():
        return False
    relative = abs(np.bincount(group, right * off)) / size
    if not 0 < relative.min() <= relative.max() < 0.3 or np.ptp(spread) < 1e-3 * spread.max():
        return False
    a, b = np.log(spread), np.log(relative)
    slope = float((a - a.mean()) @ (b - b.mean()) / ((a - a.mean()) @ (a - a.mean())))
    rest = b - b.mean() - slope * (a - a.mean())
    return -2 < slope < -0.3 and float(abs(rest).max()) < 0.3


def fits_inside_a_mean(
    gradient: WrongGradient, x: Array, products: Sequence[tuple[str, Array]]
) -> Iterator[Guess]:
    """Both are made of 1, x and a product of dy, as behind a normalisation, but not of the same."""
    one = np.ones(len(gradient.index))
    for axes in gradient.axis_sets():
        group = gradient.groups(axes)
        if group.max(initial=0) * 4 > len(group):
            continue
        rests: list[list[tuple[str, float, float]]] = [[], []]
        for name, values in products:
            for found, flat in zip(rests, (gradient.analytic, gradient.numeric), strict=True):
                rest, free = _without(flat, [one, x, values], group)
                found.append((name, gradient.left(rest), free))
        for now, missed, free in rests[0]:
            for right, also_missed, _ in rests[1]:
                if now != right:
                    text = f"along {listed_axes(axes)} it is made of 1, x and {now}, and should be"
                    yield Guess(
                        "missing factor",
                        f"{text} made of 1, x and {right}",
                        2.0,
                        free,
                        float(np.hypot(missed, also_missed)),
                    )


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
            rest, free = _without(flat, one, group)
            if _without(other, one, group)[0].any() and flat.any():
                text = f"{has} constant over {listed_axes(axes)}, and {lacks}: a sum or a mean is"
                yield Guess(
                    "axis", f"{text} taken over the wrong axis", 1.0, free, gradient.left(rest)
                )


def fits_two_axes(gradient: WrongGradient, x: Array) -> Iterator[Guess]:
    """E, or E / (x - mean(x)), is a matrix of rank 1 or 2."""
    if not gradient.complete or len(gradient.shape) < 2 or len(gradient.index) > LARGEST_MATRIX:
        return
    columns = gradient.shape[-1]
    error = gradient.error.reshape(-1, columns)
    right = gradient.numeric.reshape(-1, columns)
    matrix = x.reshape(-1, columns)
    scaled = [np.ones_like(matrix), *(matrix - matrix.mean(axis=i, keepdims=True) for i in (0, 1))]
    for by in scaled:
        with np.errstate(all="ignore"):
            quotient = error / by
        if not np.isfinite(quotient).all():
            continue
        u, s, v = np.linalg.svd(quotient, full_matrices=False)
        for rank in (1, 2):
            rest = error - by * ((u[:, :rank] * s[:rank]) @ v[:rank])
            if _rank(right) <= rank or _rank(right / by) <= rank:
                continue  # the right gradient is such a matrix as well, so that this tells nothing
            free = rank * (sum(error.shape) - rank)
            cause = "mean term" if rank == 1 else "axis"
            yield Guess(cause, _rank_text(rank), 1.0 + rank, free, gradient.left(rest.ravel()))


def _rank(matrix: Array) -> int:
    return int((np.linalg.svd(matrix, compute_uv=False) > 1e-6 * abs(matrix).max()).sum())


def _rank_text(rank: int) -> str:
    if rank == 1:
        return (
            "the error is one number per row times one per column: a term that is a mean or "
            "a sum along one of them is missing or wrong"
        )
    return (
        "the error is a term that is constant along the rows and one along the columns: a mean "
        "is taken over the wrong axis"
    )


def _by_group(
    gradient: WrongGradient, group: Array, basis: list[Array], cause: str, text: str
) -> Guess:
    """The error, fitted in each group by numbers of its own times the arrays of the basis."""
    if (int(group.max(initial=0)) + 1) * len(basis) >= len(group):
        return Guess(cause, text, 0.5 + len(basis), len(group), 0.0)  # it would fit anything
    rest, free = _without(gradient.error, basis, group)
    return Guess(cause, text, 0.5 + len(basis), free, gradient.left(rest))


def _without(values: Array, basis: list[Array], group: Array) -> tuple[Array, float]:
    """`values` less their projections on the basis in each group, and how many numbers that took.

    The basis is made orthogonal on the way (Gram-Schmidt).
    """
    free, done = 0.0, list[Array]()
    for vector in basis:
        size = np.bincount(group, vector * vector)
        for other in done:
            vector = _less(vector, other, group)
        square = np.bincount(group, vector * vector)
        counts = square > 1e-18 * size
        vector = np.where(counts[group], vector, 0.0)
        values = _less(values, vector, group)
        done.append(vector)
        free += float(counts.sum())
    return values, free


def _less(values: Array, vector: Array, group: Array) -> Array:
    """`values` less their projection on one vector in each group."""
    square = np.bincount(group, vector * vector)
    along = np.bincount(group, vector * values)
    share = np.divide(along, square, out=np.zeros_like(along), where=square > 0)
    rest: Array = values - share[group] * vector
    return rest

"""Two laws that need no derivative: backward is linear in dy, and examples do not mix.

    backward(a dy) = a backward(dy),   backward(dy) = backward(m dy) + backward((1 - m) dy)      (1)

for numbers a, and masks m of 0 and 1. A backward pass with |dy|, or with dy clipped, is right
wherever dy happens to be positive, or small. Where examples do not mix, for any choice i of them,

    f(x[i]) = f(x)[i],   dx of x[i] = dx[i],   and other gradients add up over the choices       (2)

Three choices are tried: a permutation, a split in two, and every example twice.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ...ground.arguments import Array
from ..measuring.passes import Blocks, OutOfBudget, Stopped
from ..results import FAIL, NOTE, PASS, Finding
from .reference import Gradients, Reference

# Powers of 2 cause no rounding. A smaller dy would let the rest of terms that cancel show.
SCALES = {2.0**-10: "dy / 1024", -1.0: "-dy", 2.0**40: "2^40 dy"}
MOST = 1e300  # beyond this, gradients may overflow
MOST_GUESSES = 3  # arguments that may have a batch axis, though it was not declared


def linear(reference: Reference) -> list[Finding]:
    """(1), and that backward(0) is 0."""
    if not reference.pair.takes_cotangents or not reference.repeats:
        return []
    dy = reference.dy
    nothing = {name: np.zeros(g.shape) for name, g in reference.gradients.items()}
    at_zero = reference.new_gradients(dy=[0.0 * cotangent for cotangent in dy])
    if gap := reference.largest_gap(at_zero, nothing):
        return [Finding("linear", FAIL, f"backward(0) is not 0: {gap[1]}", gap[0])]
    largest = max((float(abs(g).max(initial=0.0)) for g in reference.gradients.values()), default=0)
    for a, words in SCALES.items():
        if abs(a) * largest > MOST:
            continue
        scaled = reference.new_gradients(dy=[a * cotangent for cotangent in dy])
        got = {name: g / a for name, g in scaled.items()}
        if gap := reference.largest_gap(got, rounding="scaled"):
            text = f"backward({words}) is not {words.replace('dy', 'backward(dy)')}: {gap[1]}"
            return [Finding("linear", FAIL, text, gap[0])]
    reference.trust_scaling()
    masks = [reference.rng.random(cotangent.shape) < 0.5 for cotangent in dy]
    part = [np.where(mask, cotangent, 0.0) for mask, cotangent in zip(masks, dy, strict=True)]
    rest = [np.where(mask, 0.0, cotangent) for mask, cotangent in zip(masks, dy, strict=True)]
    first, second = reference.new_gradients(dy=part), reference.new_gradients(dy=rest)
    total = {name: g + second[name] for name, g in first.items()}
    if reference.largest_gap(total):
        reference.measure_rounding(part)  # besides dy
    if gap := reference.largest_gap(total):
        text = f"backward of some of dy, and of the rest of dy, do not add up: {gap[1]}"
        return [Finding("linear", FAIL, text, gap[0])]
    return [Finding("linear", PASS)]


def batch(reference: Reference) -> list[Finding]:
    """(2), where the pair declares a batch axis, and draws no random numbers per example."""
    pair = reference.pair
    if not pair.per_example or not reference.repeats or pair.frozen.shared is not None:
        return []
    pair.forward(pair.blocks)
    if pair.frozen.moved():
        return []
    name, axis = next(iter(pair.per_example.items()))
    n = pair.blocks[name].shape[axis]
    if any(y.ndim <= axis or y.shape[axis] != n for y in reference.y):
        shapes = ", ".join(str(y.shape) for y in reference.y)
        text = f"batch laws do not apply: y {shapes} has no axis {axis} of the {n} examples"
        return [Finding("batch", NOTE, text)]
    first = ""
    for axes in _possible_axes(reference, axis, n):
        words = _broken_law(reference, axes, axis, n)
        if not words:
            return [Finding("batch", PASS)]
        first = first or words
    return [Finding("batch", FAIL, first)]


def _possible_axes(reference: Reference, axis: int, n: int) -> Iterator[dict[str, int]]:
    """Arrays that may have a batch axis: those declared, and others as long, such as labels."""
    pair = reference.pair
    declared = pair.per_example
    yield declared
    others = [
        name
        for name, array in {**pair.blocks, **pair.other_arrays}.items()
        if name not in declared and array.ndim > axis and array.shape[axis] == n
    ]
    if len(others) > MOST_GUESSES:
        yield {**declared, **dict.fromkeys(others, axis)}
    others = others[:MOST_GUESSES]
    for count in range(len(others), 0, -1):
        for subset in combinations(others, count):
            yield {**declared, **dict.fromkeys(subset, axis)}


def _broken_law(reference: Reference, axes: dict[str, int], axis: int, n: int) -> str:
    """Which part of (2) is broken, in words; "" where all hold."""
    order = reference.rng.permutation(n)
    cuts = [np.arange(1), np.arange(1, n)] if n > 1 else []
    trials = {
        "permuted": [order] if n > 1 else [],
        "split into the first and the others": cuts,
        "taken twice": [np.arange(2 * n) % n],
    }
    for words, choices in trials.items():
        try:
            problem = _compare_choices(reference, axes, axis, choices) if choices else ""
        except OutOfBudget:
            raise
        except Stopped as stop:
            problem = stop.text
        if problem:
            return f"with the examples {words}, {problem}"
    return ""


def _compare_choices(
    reference: Reference, axes: dict[str, int], axis: int, choices: list[Array]
) -> str:
    """(2) for choices that together contain every example equally often."""
    pair = reference.pair
    outputs: list[list[Array]] = []
    parts: list[Gradients] = []
    for i in choices:
        y, gradients = _pass(reference, axes, axis, i)
        outputs.append(y)
        parts.append(gradients)
    i = np.concatenate(choices)
    times = len(i) // pair.blocks[next(iter(axes))].shape[axis]
    got = [np.concatenate(ys, axis) for ys in zip(*outputs, strict=True)]
    words = reference.output_gap(got, [y.take(i, axis) for y in reference.y])
    if words:
        return f"y is not the same, example by example: {words}"
    joined: Gradients = {}
    expected: Gradients = {}
    for name, g in reference.gradients.items():
        if name in axes:
            joined[name] = np.concatenate([part[name] for part in parts], axes[name])
            expected[name] = g.take(i, axes[name])
        else:
            joined[name], expected[name] = np.add.reduce([part[name] for part in parts]), times * g
    gap = reference.largest_gap(joined, expected)
    if not gap:
        return ""
    how = "is not the same, example by example" if gap[0] in axes else "does not add up"
    return f"d{gap[0]} {how}: {gap[1]}"


def _pass(
    reference: Reference, axes: dict[str, int], axis: int, i: Array
) -> tuple[list[Array], Gradients]:
    """The outputs and gradients of a pass over the examples i."""
    pair = reference.pair
    others = {name: array for name, array in pair.other_arrays.items() if name in axes}
    everything = {**pair.blocks, **others}
    selected: Blocks = {
        name: array.take(i, axes[name]) if name in axes else array
        for name, array in everything.items()
    }
    before, pair.blocks = pair.blocks, {name: selected[name] for name in pair.blocks}
    try:
        run = pair.forward(selected)
        outputs = [y.copy() for y in run.outputs]
        return outputs, reference.backward(
            run, [cotangent.take(i, axis) for cotangent in reference.dy]
        )
    finally:
        pair.blocks = before

"""A gradient depends on its own pass and the numbers in it, not on other passes or memory layouts.

    backward(run of x) is the same before and after forward(x'), and in a second call            (1)
    f and its gradients are the same for arrays in C order, in Fortran order, or with gaps       (2)

A cache that several passes share returns the gradient of another pass. A backward pass that reads
memory in the order in which it happens to lie is right for arrays in C order only.
"""

from collections.abc import Callable

import numpy as np

from ...ground.arguments import Array
from ..measuring.claims import random_signs
from ..measuring.passes import Blocks, OutOfBudget, Run, Stopped
from ..pairs.exception_texts import exception_text
from ..results import FAIL, NOTE, PASS, Finding
from .reference import Reference

ELSEWHERE = (
    (-1, 0.3),
    (1, 0.3),
    (1, 0.003),
)  # other points: x times the first, moved by the second


def stale(reference: Reference) -> list[Finding]:
    """(1), with a pass at other values, and a pass of a single example, in between."""
    pair = reference.pair
    if gap := reference.largest_gap(again := reference.new_gradients(), rounding="none"):
        reference.repeats = False
        steps = {name: 2 * g - reference.gradients[name] for name, g in again.items()}
        adds_up = reference.largest_gap(reference.new_gradients(), steps, "none") is None
        how = "gradients add up from call to call" if adds_up else "it keeps state, or draws anew"
        return [_stale("the same passes once more give another gradient", gap, how)]
    first = pair.forward(pair.blocks)
    between = _elsewhere(reference)
    _one_example(reference)
    if gap := reference.largest_gap(reference.backward(first), rounding="none"):
        return [_stale("after another forward pass, backward of the first one is wrong", gap)]
    notes = []
    try:
        gap = reference.largest_gap(reference.backward(first), rounding="none")
    except OutOfBudget:
        raise
    except Stopped as stop:
        notes.append(Finding("stale", NOTE, f"called a second time for one pass, {stop.text}"))
    if gap:
        return [_stale("called a second time for one pass, backward gives something else", gap)]
    if between is not None:
        blocks, second = between
        if gap := reference.largest_gap(
            reference.backward(second), reference.new_gradients(blocks), "not"
        ):
            return [_stale("of two forward passes, backward of the second one is wrong", gap)]
    if words := reference.output_gap(pair.forward(pair.blocks).outputs, reference.y):
        gap = "", words
        return [_stale("after backward passes, forward gives another y at the same point", gap)]
    return [Finding("stale", PASS), *notes]


def _stale(text: str, gap: tuple[str, str], how: str = "") -> Finding:
    block, words = gap
    return Finding("stale", FAIL, f"{text}, {words}{how and ': '}{how}", block)


def _elsewhere(reference: Reference) -> tuple[Blocks, Run] | None:
    """Other values of every block that is checked, and a forward pass there; None if all fail.

    The first values have other signs and another largest entry, so that masks differ.
    """
    pair, rng = reference.pair, reference.rng
    for multiple, size in ELSEWHERE:
        blocks = dict(pair.blocks)
        for name in pair.checked:
            block = blocks[name]
            blocks[name] = np.asarray(
                block * (multiple + size * random_signs(rng, block.shape) / 1.5)
            )
            blocks[name][block == 0] = size / 10
        try:
            run = pair.forward(blocks)
        except OutOfBudget:
            raise
        except Stopped:
            continue
        if all(np.isfinite(y).all() for y in run.outputs):
            return blocks, run
    return None


def _one_example(reference: Reference) -> None:
    """A forward pass of a single example, where there is a batch axis and the pass works."""
    pair = reference.pair
    blocks = dict(pair.blocks)
    for name, axis in pair.per_example.items():
        if name in blocks:
            blocks[name] = blocks[name].take([0], axis)
    if pair.per_example:
        try:
            pair.forward(blocks)
        except OutOfBudget:
            raise
        except Stopped:
            return


def layout(reference: Reference) -> list[Finding]:
    """(2), also for arrays that are read backwards."""
    pair = reference.pair
    if not pair.takes_cotangents or not reference.repeats:
        return []  # an objective copies its arguments
    for words, rearranged in LAYOUTS.items():
        blocks = {name: rearranged(block) for name, block in pair.blocks.items()}
        dy = [rearranged(cotangent) for cotangent in reference.dy]
        if not any(map(_differ, (*blocks.values(), *dy), (*pair.blocks.values(), *reference.dy))):
            continue
        if _problem(reference, blocks, dy):
            problem = _problem(reference, pair.blocks, dy)
            if problem:
                return [_failed(f"with dy {words}", problem)]
            problem = _problem(reference, blocks, reference.dy)
            return [_failed(f"with arguments {words}", problem or ("", "it is not the same"))]
    ones = [np.ones(cotangent.shape) for cotangent in reference.dy]
    spread_out = [np.lib.stride_tricks.as_strided(np.ones(1), y.shape, (0,) * y.ndim) for y in ones]
    expected = reference.new_gradients(dy=ones)
    if gap := reference.largest_gap(reference.new_gradients(dy=spread_out), expected):
        return [_failed("with one number broadcast as dy (strides 0)", gap)]
    return [Finding("layout", PASS)]


def _problem(reference: Reference, blocks: Blocks, dy: list[Array]) -> tuple[str, str] | None:
    """The block that is off ("" for y), and by how much, for arrays in another layout."""
    try:
        run = reference.pair.forward(blocks)
        words = reference.output_gap(run.outputs, reference.y)
        return ("", f"y: {words}") if words else reference.largest_gap(reference.backward(run, dy))
    except OutOfBudget:
        raise
    except Stopped as stop:
        return "", stop.text


def _failed(circumstance: str, problem: tuple[str, str]) -> Finding:
    block, words = problem
    return Finding("layout", FAIL, f"{circumstance}: {words}", block)


def _differ(a: Array, b: Array) -> bool:
    return a.strides != b.strides


def _fortran(x: Array) -> Array:
    return np.asfortranarray(x) if x.ndim else x  # which makes a number an array (1,)


def _last_axis_first(x: Array) -> Array:
    """In an order that is neither C nor Fortran, for three axes or more."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 0)), 0, -1) if x.ndim > 2 else x


def _with_gaps(x: Array) -> Array:
    """Every second number of a larger array, with NaN in between."""
    if not x.ndim:
        return x
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, dtype=x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def _backwards(x: Array) -> Array:
    """Stored from the end to the start, along every axis."""
    back = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[back])[back] if x.ndim else x


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "in Fortran order": _fortran,
    "with their last axis outermost in memory": _last_axis_first,
    "as every second number of a larger array": _with_gaps,
    "with negative strides": _backwards,
}


def places(reference: Reference) -> list[Finding]:
    """Whether all ways to call a layer's backward pass give the same gradients."""
    pair = reference.pair
    try:
        variants = pair.variants(pair.blocks, reference.dy)
    except Exception as problem:  # a user's code may raise anything, and that is the finding
        return [
            Finding("places", FAIL, exception_text(problem, "backward without g, or without dx,"))
        ]
    for words, raw in variants.items():
        got = {name: np.zeros(()) if g is None else np.asarray(g) for name, g in raw.items()}
        for name, g in reference.gradients.items():
            if got[name].shape != g.shape:
                text = f"d{name} {words} has shape {got[name].shape}, wants {g.shape}"
                return [Finding("places", FAIL, text, name)]
        if gap := reference.largest_gap(got):
            return [Finding("places", FAIL, f"d{gap[0]} {words}: {gap[1]}", gap[0])]
    return [Finding("places", PASS)] if variants else []

"""What a gradient must not depend on: other passes, the number of calls, how arrays lie in memory.

A pass at x' between the forward and the backward pass at x; a second backward pass; a layer used
twice: a cache that is shared by passes gives the gradient of another one. And a backward pass that
reads memory in the order it happens to have is right for arrays in C order only.
"""

from collections.abc import Callable

import numpy as np

from ...ground.arguments import Array
from ..measuring.claims import random_signs
from ..measuring.passes import Blocks, OutOfBudget, Run, Stopped
from ..pairs.exception_texts import exception_text
from ..results import FAIL, NOTE, PASS, Finding
from .reference import Reference

ELSEWHERE = ((-1, 0.3), (1, 0.3), (1, 0.003))  # another point: a multiple, moved by a share of it


def stale(reference: Reference) -> list[Finding]:
    """Whether what a pass gives depends on that pass alone."""
    pair = reference.pair
    if gap := reference.largest_gap(again := reference.new_gradients(), rounded="not"):
        reference.repeats = False
        steps = {name: 2 * g - reference.gradients[name] for name, g in again.items()}
        adds_up = reference.largest_gap(reference.new_gradients(), steps, "not") is None
        how = "gradients add up from call to call" if adds_up else "it keeps state, or draws anew"
        return [_stale("the same passes once more give another gradient", gap, how)]
    first = pair.forward(pair.blocks)
    between = _elsewhere(reference)
    _one_example(reference)
    if gap := reference.largest_gap(reference.backward(first), rounded="not"):
        return [_stale("after another forward pass, backward of the first one is wrong", gap)]
    notes = []
    try:
        gap = reference.largest_gap(reference.backward(first), rounded="not")
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
    """A forward pass at other values of every wanted block, and these values; None if all fail.

    The first to be tried has other signs, and another largest entry: masks differ there.
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
    """A forward pass of one example, where it is known what that is, and where it works."""
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
    """Whether arrays in Fortran order, with gaps, or read backwards give the same."""
    pair = reference.pair
    if not pair.takes_cotangents or not reference.repeats:
        return []  # an objective copies what it is given
    for words, lay in LAYOUTS.items():
        blocks = {name: lay(block) for name, block in pair.blocks.items()}
        dy = [lay(cotangent) for cotangent in reference.dy]
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
    wanted = reference.new_gradients(dy=ones)
    if gap := reference.largest_gap(reference.new_gradients(dy=spread_out), wanted):
        return [_failed("with one number broadcast as dy (strides 0)", gap)]
    return [Finding("layout", PASS)]


def _problem(reference: Reference, blocks: Blocks, dy: list[Array]) -> tuple[str, str] | None:
    """The block, "" for y, and by how much it is off, for arrays that lie otherwise in memory."""
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


def _differ(a: Array, other: Array) -> bool:
    return a.strides != other.strides


def _fortran(x: Array) -> Array:
    return np.asfortranarray(x) if x.ndim else x  # which would make a number an array of one


def _last_axis_first(x: Array) -> Array:
    """In an order that is neither C nor Fortran; of three axes or more."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 0)), 0, -1) if x.ndim > 2 else x


def _with_gaps(x: Array) -> Array:
    """Every second number of a larger array, with NaN between."""
    if not x.ndim:
        return x
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, dtype=x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def _backwards(x: Array) -> Array:
    """Read from the end, along every axis."""
    back = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[back])[back] if x.ndim else x


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "in Fortran order": _fortran,
    "with their last axis outermost in memory": _last_axis_first,
    "as every second number of a larger array": _with_gaps,
    "with negative strides": _backwards,
}


def places(reference: Reference) -> list[Finding]:
    """Whether all ways to ask for gradients give the same: a layer has several."""
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

"""Gradients at extreme points are finite wherever the function and its derivative are finite.

Every block in turn is set to 0, +-1e-8, +-30 and +-800, as a whole and then in random places. There
exp overflows, 1 + exp(-x) loses its second term, and 0/0 occurs, often in the backward pass alone.
A gradient that is not finite breaks the contract if the function is differentiable, both along the
entries in question and along a direction u that moves every block: in

    r(h) = (f(x + h u) - f(x)) / h,   l(h) = (f(x) - f(x - h u)) / h                             (1)

each must converge as h falls, and both to the same value. A root at 0 has no finite derivative,
and a norm has none at all: those are notes.
"""

from collections.abc import Iterator

import numpy as np

from ...ground.arguments import Array
from ..measuring.claims import random_signs
from ..measuring.passes import Blocks, NoGradient, OutOfBudget, Stopped
from ..results import FAIL, NOTE, PASS, Finding
from .reference import Reference

VALUES = (0.0, 1e-8, -1e-8, 30.0, -30.0, 800.0, -800.0)
MIXED = 2  # points at which values are mixed
LARGE = 1e100  # a larger f is not judged: products of its derivatives may overflow
STEPS = (1e-3, 1e-4, 1e-5)  # h of (1)
ROUND = 1e-14  # relative rounding of f, with a margin
FINE = 1e-4  # largest rounding / h with which (1) can be judged


def at_extremes(reference: Reference) -> list[Finding]:
    """A FAIL for the first gradient that should be finite and is not; else PASS, and a note."""
    try:
        return _findings(reference)
    finally:
        reference.pair.move_to(reference.pair.blocks)


def _findings(reference: Reference) -> list[Finding]:
    notes: list[Finding] = []
    for name in reference.pair.checked:
        for words, x in _points(reference.pair.blocks[name], reference.rng):
            blocks = {**reference.pair.blocks, name: x}
            reference.pair.move_to(blocks)
            problem = _problem(reference, blocks)
            if problem is None:
                continue
            block, what, bad = problem
            if _is_smooth(reference, blocks, bad) and _is_smooth(reference, blocks, {}):
                text = f"with {name} {words}, {what}, where the derivative is finite"
                return [Finding("extremes", FAIL, text, block)]
            text = f"with {name} {words}, {what}; there is no finite derivative there"
            notes.append(Finding("extremes", NOTE, text, block))
    return [Finding("extremes", PASS), *notes[:1]]


def _points(block: Array, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Extreme values of a block, each with its description."""
    for value in VALUES:
        yield f"at {value:g} throughout", np.full(block.shape, value)
    if block.size < 2:
        return
    for _ in range(MIXED):
        x = block.copy()
        places = rng.choice(block.size, max(1, block.size // 4), replace=False)
        x.flat[places] = rng.choice(VALUES, len(places))
        yield "at 0, 1e-8, 30 and 800 in some places", x


def _problem(reference: Reference, blocks: Blocks) -> tuple[str, str, Blocks] | None:
    """A block whose gradient is not finite though f is: its name, where in words, and a mask.

    None where all gradients are finite, or where f is not finite either.
    """
    pair = reference.pair
    try:
        run = pair.forward(blocks)
        if not all(map(_is_moderate, run.outputs)) or _shapes(run.outputs) != _shapes(reference.y):
            return None
    except OutOfBudget:
        raise
    except Stopped:
        return None
    try:
        gradients = pair.backward(run, reference.dy)
    except OutOfBudget:
        raise
    except Stopped as stop:
        return "", stop.text, {}
    for name, g in gradients.items():
        if not isinstance(g, NoGradient) and not np.isfinite(g).all():
            mask = ~np.isfinite(g)
            bad = np.argwhere(mask)
            at = f" at {list(map(int, bad[0]))}" if g.ndim else ""
            text = f"d{name} is {g[tuple(bad[0])]}{at} ({len(bad)} of {g.size} entries)"
            return name, text, {name: mask}
    return None


def _is_smooth(reference: Reference, blocks: Blocks, masks: Blocks) -> bool:
    """Whether (1) settles along the entries in the masks, or along all without masks."""
    u = {}
    for name in masks or reference.pair.checked:
        size = np.minimum(np.where(blocks[name] == 0, 1.0, abs(blocks[name])), 1.0)
        u[name] = random_signs(reference.rng, size.shape) * size * masks.get(name, np.array(1.0))
    try:
        middle = _values(reference, blocks)
        around = [
            (_values(reference, _moved(blocks, u, h)), _values(reference, _moved(blocks, u, -h)))
            for h in STEPS
        ]
    except OutOfBudget:
        raise
    except Stopped:
        return False
    if ROUND * abs(middle).max() / STEPS[-1] > FINE:
        return False
    r = np.array([(up - middle) / h for (up, _), h in zip(around, STEPS, strict=True)])
    left = np.array([(middle - down) / h for (_, down), h in zip(around, STEPS, strict=True)])
    if not np.isfinite(r + left).all():
        return False
    jump, change = (
        abs(r - left),
        abs(np.diff((r + left) / 2, axis=0)),
    )  # at each h; from h to h
    enough = 0.01 * np.maximum(abs(r[-1]), abs(left[-1])) + ROUND * abs(middle) / STEPS[-1]
    settles = change[1] <= np.maximum(0.2 * change[0], enough)
    meets = jump[2] <= np.maximum(0.2 * jump[1], enough)
    return bool((settles & meets).all())


def _moved(blocks: Blocks, u: Blocks, h: float) -> Blocks:
    return {name: block + h * u[name] if name in u else block for name, block in blocks.items()}


def _values(reference: Reference, blocks: Blocks) -> Array:
    """All outputs of f, as one vector."""
    outputs = reference.pair.forward(blocks).outputs
    return np.concatenate([np.ravel(y).astype(np.float64) for y in outputs])


def _is_moderate(y: Array) -> bool:
    return bool((np.abs(y) < LARGE).all())


def _shapes(arrays: list[Array] | tuple[Array, ...]) -> list[tuple[int, ...]]:
    return [array.shape for array in arrays]

"""Gradients at extreme points: finite wherever the function and its derivative are.

Every block in turn is set to 0, +-1e-8, +-30 and +-800, as a whole, and in places that are drawn.
There exp overflows, 1 + exp(-x) loses its second term, and 0/0 is met, often in the backward pass
alone. A gradient that is not finite breaks the contract if the function is differentiable, along a
direction that moves every block:

    r(h) = <w, f(x + h u) - f(x)> / h,   l(h) = <w, f(x) - f(x - h u)> / h                       (1)

must settle, and draw together, as h falls. A root at 0 has no finite derivative, and a norm has
none at all: they are worth a note.
"""

from collections.abc import Iterator

import numpy as np

from ..checks import Array
from .arguments import Blocks
from .claims import signs
from .pair import Odd, OutOfTime, Stopped
from .reference import Reference
from .results import FAIL, NOTE, PASS, Finding

VALUES = (0.0, 1e-8, -1e-8, 30.0, -30.0, 800.0, -800.0)
MIXED = 2  # points at which values are mixed
LARGE = 1e100  # no question is asked of an f beyond: products of its derivatives may overflow
STEPS = (1e-3, 1e-4, 1e-5)  # h of (1)


def at_extremes(reference: Reference) -> list[Finding]:
    """A FAIL for the first gradient that is not finite where it should; else PASS, and a note."""
    notes: list[Finding] = []
    for name in reference.pair.wanted:
        for words, x in _points(reference.pair.blocks[name], reference.rng):
            blocks = {**reference.pair.blocks, name: x}
            problem = _problem(reference, blocks)
            if problem is None:
                continue
            block, what = problem
            if _is_differentiable(reference, blocks):
                text = f"with {name} {words}, {what}, where the derivative is finite"
                return [Finding("extremes", FAIL, text, block)]
            text = f"with {name} {words}, {what}; there is no finite derivative there"
            notes.append(Finding("extremes", NOTE, text, block))
    return [Finding("extremes", PASS), *notes[:1]]


def _points(block: Array, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """The block at its extremes, and in words what they are."""
    for value in VALUES:
        yield f"at {value:g} throughout", np.full(block.shape, value)
    if block.size < 2:
        return
    for _ in range(MIXED):
        x = block.copy()
        places = rng.choice(block.size, max(1, block.size // 4), replace=False)
        x.flat[places] = rng.choice(VALUES, len(places))
        yield "at 0, 1e-8, 30 and 800 in some places", x


def _problem(reference: Reference, blocks: Blocks) -> tuple[str, str] | None:
    """The block whose gradient is not finite though f is, and in words where; None for none."""
    pair = reference.pair
    try:
        run = pair.forward(blocks)
        if not all(map(_is_moderate, run.outputs)) or _shapes(run.outputs) != _shapes(reference.y):
            return None
    except OutOfTime:
        raise
    except Stopped:
        return None
    try:
        given = pair.backward(run, reference.dy)
    except OutOfTime:
        raise
    except Stopped as stop:
        return "", stop.text
    for name, g in given.items():
        if not isinstance(g, Odd) and not np.isfinite(g).all():
            bad = np.argwhere(~np.isfinite(g))
            at = f" at {list(map(int, bad[0]))}" if g.ndim else ""
            return name, f"d{name} is {g[tuple(bad[0])]}{at} ({len(bad)} of {g.size} entries)"
    return None


def _is_differentiable(reference: Reference, blocks: Blocks) -> bool:
    """Whether (1) settles on both sides, on one number."""
    pair, rng = reference.pair, reference.rng
    u = {
        name: signs(rng, blocks[name].shape) * np.where(blocks[name] == 0, 1.0, blocks[name])
        for name in pair.wanted
    }
    try:
        middle = [y.copy() for y in pair.forward(blocks).outputs]
        r = np.array([_change(reference, blocks, u, h, middle) for h in STEPS])
        left = np.array([_change(reference, blocks, u, -h, middle) for h in STEPS])
    except OutOfTime:
        raise
    except Stopped:
        return False
    if not np.isfinite(r + left).all():
        return False
    jump, centre = abs(r - left), (r + left) / 2
    change = abs(np.diff(centre))
    size = 0.01 * float(max(abs(r[-1]), abs(left[-1])))
    return bool(jump[2] <= max(0.2 * jump[1], size) and change[1] <= max(0.2 * change[0], size))


def _change(
    reference: Reference, blocks: Blocks, u: Blocks, h: float, middle: list[Array]
) -> float:
    """<w, f(x + h u) - f(x)> / h."""
    moved = {name: one + h * u[name] if name in u else one for name, one in blocks.items()}
    outputs = reference.pair.forward(moved).outputs
    terms = zip(reference.dy, outputs, middle, strict=True)
    return sum(float(np.vdot(w, y - y0)) for w, y, y0 in terms) / h


def _is_moderate(y: Array) -> bool:
    return bool((np.abs(y) < LARGE).all())


def _shapes(arrays: list[Array] | tuple[Array, ...]) -> list[tuple[int, ...]]:
    return [one.shape for one in arrays]

"""A pair's gradients at its point, to compare others with, and how far rounding moves them.

What ought to be equal is equal but for rounding: sums in another order, a matrix product by another
routine. How much that is, is measured, and only where something differs at all:

    backward at points one ulp away                                    (noise.py)                (1)
    backward(0.7 dy) / 0.7 - backward(dy)      sees float32 inside the backward pass             (2)
    f(x + d) - 2 f(x) + f(x - d),   d about 1e-7 x      sees float32 inside the forward pass     (3)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import Array
from .arguments import Blocks
from .claims import cotangent, signs
from .comparing import portion
from .noise import backward_noise
from .pair import Odd, Pair, Run, Stopped

Gradients = dict[str, Array]
EQUAL = 1e-11  # of a gradient's largest entry: no question is asked below
MARGIN = 100.0  # times the noise that was measured
SMOOTH = 1e-3  # what (2) finds above this is no rounding


class Reference:
    """Outputs and gradients at the point of a pair, for one dy that was drawn.

    Attributes:
        y: the outputs, copied.
        dy: the cotangents, one for each output.
        gradients: of the blocks whose gradient is an array without NaN or infinity.
    """

    def __init__(self, pair: Pair, rng: np.random.Generator) -> None:
        self.pair, self.rng = pair, rng
        run = pair.forward(pair.blocks)
        self.y = [y.copy() for y in run.outputs]
        self.dy = [cotangent(pair, y, rng) for y in run.outputs]
        self.gradients: Gradients = {
            name: g.copy()
            for name, g in pair.backward(run, self.dy).items()
            if not isinstance(g, Odd) and g.size and np.isfinite(g).all()
        }
        self._near: dict[str, float] = {}
        self._scaled: dict[str, float] = {}
        self._bent: list[float] = []

    def fresh(self, blocks: Blocks | None = None, dy: Sequence[Array] | None = None) -> Gradients:
        """The gradients of a pass of its own, at other blocks or for other cotangents."""
        return self.backward(self.pair.forward(self.pair.blocks if blocks is None else blocks), dy)

    def backward(self, run: Run, dy: Sequence[Array] | None = None) -> Gradients:
        """The gradients of that pass, copied. Stopped where one no longer is any."""
        given = self.pair.backward(run, self.dy if dy is None else dy)
        return {name: _array(given[name]).copy() for name in self.gradients}

    def apart(
        self, got: Gradients, wanted: Gradients | None = None, exactly: bool = False
    ) -> tuple[str, str] | None:
        """The block whose gradients differ most beyond rounding, and by how much, in words.

        `exactly` leaves (2) out: what is scaled by a power of two is not rounded anew.
        """
        wanted = self.gradients if wanted is None else wanted
        worst, block, words = 0.0, "", ""
        for name, reference in self.gradients.items():
            b = wanted[name]
            off, size = _largest(got[name] - b), max(_largest(b), _largest(reference))
            if off <= EQUAL * size or off <= MARGIN * self._noise(name, exactly):
                continue
            share = off / size if size else np.inf
            if not block or share > worst:
                worst, block, words = share, name, _by_how_much(off, size)
        return (block, words) if block else None

    def outputs_apart(self, got: Sequence[Array], wanted: Sequence[Array]) -> str:
        """By how much outputs differ beyond rounding, in words; "" where they do not."""
        for k, (a, b) in enumerate(zip(got, wanted, strict=True)):
            if a.shape != b.shape:
                return f"it has shape {a.shape} where {b.shape} is due"
            off, size = _largest(np.subtract(a, b, dtype=np.float64)), _largest(b)
            if not (off <= EQUAL * size or off <= MARGIN * self._wobble(k)):
                return _by_how_much(off, size)
        return ""

    def _noise(self, name: str, exactly: bool) -> float:
        """The largest rounding error of the gradient of a block: (1) and (2)."""
        if not self._near:
            found = backward_noise(self.pair, self.pair.blocks, self.dy, self.rng)
            self._near = {block: _largest(found.get(block, 0.0)) for block in self.gradients}  # (1)
        if exactly:
            return self._near[name]
        if not self._scaled:
            scaled = self.fresh(dy=[0.7 * one for one in self.dy])
            for block, g in self.gradients.items():
                off = _largest(scaled[block] / 0.7 - g)  # (2)
                self._scaled[block] = off if off <= SMOOTH * _largest(g) else 0.0
        return max(self._near[name], self._scaled[name])

    def _wobble(self, k: int) -> float:
        """The largest rounding error of output k: (3)."""
        if not self._bent:
            blocks = self.pair.blocks
            step = {name: 1e-7 * b * signs(self.rng, b.shape) for name, b in blocks.items()}
            above = self.pair.forward({n: b + step[n] for n, b in blocks.items()}).outputs
            above = tuple(y.copy() for y in above)
            below = self.pair.forward({n: b - step[n] for n, b in blocks.items()}).outputs
            both = zip(above, self.y, below, strict=True)
            self._bent = [_largest(1.0 * a - 2.0 * y + b) for a, y, b in both]  # (3)
        return self._bent[k]


def _array(g: Array | Odd) -> Array:
    if isinstance(g, Odd):
        raise Stopped(g.contract, g.text)
    return g


def _largest(array: Any) -> float:
    """The largest size of an entry; infinite where one is NaN."""
    top = float(np.abs(array).max()) if np.size(array) else 0.0
    return top if top == top else np.inf


def _by_how_much(off: float, size: float) -> str:
    """A difference, in words."""
    if not np.isfinite(off):
        return "it is not finite"
    return f"off by {portion(off / size)} of its largest entry" if size else f"{off:.2g}, not 0"

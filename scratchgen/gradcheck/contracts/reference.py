"""A pair's gradients at its point, to compare others with, and how far rounding moves them.

What ought to be equal is equal but for rounding: sums in another order, a matrix product by another
routine. How much that is, is measured, and only where something differs at all:

    backward at points one ulp away                                    (noise.py)                (1)
    backward(a dy) / a - backward(dy)      sees float32 inside the backward pass                 (2)
    f(x + d) - 2 f(x) + f(x - d),   d about 1e-7 x      sees it inside the forward pass          (3)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ..measuring.claims import cotangent, random_signs
from ..measuring.passes import Blocks, NoGradient, Run, Stopped
from ..measuring.rounding import backward_noise, one_ulp_off
from ..pairs.pair import Pair
from .comparing import percent

Gradients = dict[str, Array]
EQUAL = 1e-11  # of a gradient's largest entry: no question is asked below
DUST = 1e-13  # of the largest entry of all gradients: what may be left of terms that cancel
MARGIN = 100.0  # times the noise that was measured
DRAWS = 3  # of each look at the noise: by chance, one may see none


class Reference:
    """Outputs and gradients at the point of a pair, for one dy that was drawn.

    Attributes:
        y: the outputs, copied.
        dy: the cotangents, one for each output.
        gradients: of the blocks whose gradient is an array without NaN or infinity.
        repeats: whether the same pass gives the same again; else nothing can be compared.
        scales: whether backward(a dy) = a backward(dy) for powers of two; else (2) says nothing.
    """

    def __init__(self, pair: Pair, rng: np.random.Generator) -> None:
        self.pair, self.rng = pair, rng
        self.repeats, self.scales = True, False
        run = pair.forward(pair.blocks)
        self.y = [y.copy() for y in run.outputs]
        self.dy = [cotangent(pair, y, rng) for y in run.outputs]
        self.gradients: Gradients = {
            name: g.astype(np.float64)
            for name, g in pair.backward(run, self.dy).items()
            if not isinstance(g, NoGradient) and g.size and np.isfinite(g).all()
        }
        self._near: dict[str, float] = {}
        self._scaled: dict[str, float] = {}
        self._bent: list[float] = []

    def new_gradients(
        self, blocks: Blocks | None = None, dy: Sequence[Array] | None = None
    ) -> Gradients:
        """The gradients of a pass of its own, at other blocks or for other cotangents."""
        return self.backward(self.pair.forward(self.pair.blocks if blocks is None else blocks), dy)

    def backward(self, run: Run, dy: Sequence[Array] | None = None) -> Gradients:
        """The gradients of that pass, copied. Stopped where one no longer is any."""
        given = self.pair.backward(run, self.dy if dy is None else dy)
        return {name: _array(given[name]).astype(np.float64) for name in self.gradients}

    def largest_gap(
        self, got: Gradients, wanted: Gradients | None = None, rounded: str = "anew"
    ) -> tuple[str, str] | None:
        """The block whose gradients differ most beyond rounding, and by how much, in words.

        `rounded` is "anew" where sums may come in another order, "alike" where numbers differ by a
        power of two, and "not" where the very same numbers went in.
        """
        wanted = self.gradients if wanted is None else wanted
        worst, block, words = 0.0, "", ""
        for name, reference in self.gradients.items():
            b = wanted[name]
            off, size = _largest(got[name] - b), max(_largest(b), _largest(reference))
            if off <= EQUAL * size or off <= self._allowed(name, rounded):
                continue
            share = off / size if size else np.inf
            if not block or share > worst:
                worst, block, words = share, name, _by_how_much(off, size)
        return (block, words) if block else None

    def output_gap(self, got: Sequence[Array], wanted: Sequence[Array]) -> str:
        """By how much outputs differ beyond rounding, in words; "" where they do not."""
        for k, (a, b) in enumerate(zip(got, wanted, strict=True)):
            if a.shape != b.shape:
                return f"it has shape {a.shape} where {b.shape} is due"
            off, size = _largest(np.subtract(a, b, dtype=np.float64)), _largest(b)
            if not (off <= EQUAL * size or off <= MARGIN * self._wobble(k)):
                return _by_how_much(off, size)
        return ""

    def _allowed(self, name: str, rounded: str) -> float:
        """How far rounding may move the gradient of a block, by (1) and (2)."""
        top = max(map(_largest, (*self.gradients.values(), *self.dy)))
        if rounded == "not":
            return EQUAL * top
        if not self._near:
            self.measure_rounding(self.dy)
        noise = self._near[name] if rounded == "alike" else self._near[name] + self._scaled[name]
        return MARGIN * noise + DUST * top

    def trust_scaling(self) -> None:
        """From now on (2) counts; what was measured without it is forgotten."""
        self.scales = True
        self._near.clear()
        self._scaled.clear()

    def measure_rounding(self, dy: list[Array]) -> None:
        """Measure (1) and (2) for these cotangents; the largest that was ever found counts."""
        at = self.new_gradients(dy=dy)
        for _ in range(DRAWS):
            found = backward_noise(self.pair, self.pair.blocks, dy, self.rng)
            a = self.rng.uniform(0.6, 1.7)
            scaled = self.new_gradients(dy=[a * cotangent for cotangent in dy])
            for block, g in at.items():
                near = _largest(found.get(block, 0.0))  # (1)
                self._near[block] = max(self._near.get(block, 0.0), near)
                off = _largest(scaled[block] / a - g) if self.scales else 0.0  # (2)
                self._scaled[block] = max(self._scaled.get(block, 0.0), off)

    def _wobble(self, k: int) -> float:
        """The largest rounding error of output k: (3), and at points one ulp away."""
        if not self._bent:
            blocks = self.pair.blocks
            self._bent = [0.0 for _ in self.y]
            for _ in range(DRAWS):
                steps = {n: 1e-7 * b * random_signs(self.rng, b.shape) for n, b in blocks.items()}
                above = self._outputs({n: b + steps[n] for n, b in blocks.items()})
                below = self._outputs({n: b - steps[n] for n, b in blocks.items()})
                near = self._outputs({n: one_ulp_off(b, self.rng) for n, b in blocks.items()})
                for i, y in enumerate(self.y):
                    bent = _largest(above[i] - 2.0 * y + below[i])  # (3)
                    self._bent[i] = max(self._bent[i], bent, _largest(near[i] - y))
        return self._bent[k]

    def _outputs(self, blocks: Blocks) -> list[Array]:
        return [y.astype(np.float64) for y in self.pair.forward(blocks).outputs]


def _array(g: Array | NoGradient) -> Array:
    if isinstance(g, NoGradient):
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
    return f"off by {percent(off / size)} of its largest entry" if size else f"{off:.2g}, not 0"

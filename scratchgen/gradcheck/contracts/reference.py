"""The gradients of a pair at its point, with which others are compared, and their rounding.

Arrays that should be equal are equal up to rounding: sums may run in another order, or another
routine may multiply matrices. How much that is, is measured, but only where something differs:

    backward at points one ulp away                                    (rounding.py)             (1)
    backward(a dy) / a - backward(dy)      shows float32 inside the backward pass                (2)
    f(x + d) - 2 f(x) + f(x - d),   d about 1e-7 x      shows it inside the forward pass         (3)
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
EQUAL = 1e-11  # of a gradient's largest entry: differences below do not count
DUST = 1e-13  # of the largest entry of all gradients: rest of terms that cancel
MARGIN = 100.0  # allowed difference / noise that was measured
DRAWS = 3  # measurements of noise: a single one may show none, by chance


class Reference:
    """Outputs and gradients at the point of a pair, for a random dy.

    Attributes:
        y: the outputs, copied.
        dy: the cotangents, one for each output.
        gradients: of the blocks whose gradient is an array without NaN or infinity.
        repeats: whether a second pass gives the same gradients; else nothing can be compared.
        scales: whether backward(a dy) = a backward(dy) for powers of two; else (2) is meaningless.
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
        self._curved: list[float] = []

    def new_gradients(
        self, blocks: Blocks | None = None, dy: Sequence[Array] | None = None
    ) -> Gradients:
        """The gradients of a new pass, at other blocks or for other cotangents."""
        return self.backward(self.pair.forward(self.pair.blocks if blocks is None else blocks), dy)

    def backward(self, run: Run, dy: Sequence[Array] | None = None) -> Gradients:
        """The gradients of `run`, copied. Stopped where there is no gradient any more."""
        gradients = self.pair.backward(run, self.dy if dy is None else dy)
        return {name: _array(gradients[name]).astype(np.float64) for name in self.gradients}

    def largest_gap(
        self, got: Gradients, expected: Gradients | None = None, rounding: str = "new order"
    ) -> tuple[str, str] | None:
        """The block whose gradients differ most beyond rounding, and by how much, in words.

        `rounding` is "new order" where sums may run in another order, "scaled" where all numbers
        differ by a power of two, and "none" where the same numbers went in.
        """
        expected = self.gradients if expected is None else expected
        worst, block, words = 0.0, "", ""
        for name, reference in self.gradients.items():
            b = expected[name]
            off, size = _largest(got[name] - b), max(_largest(b), _largest(reference))
            if off <= EQUAL * size or off <= self._allowed(name, rounding):
                continue
            share = off / size if size else np.inf
            if not block or share > worst:
                worst, block, words = share, name, _by_how_much(off, size)
        return (block, words) if block else None

    def output_gap(self, got: Sequence[Array], expected: Sequence[Array]) -> str:
        """By how much outputs differ beyond rounding, in words; "" where they do not."""
        for k, (a, b) in enumerate(zip(got, expected, strict=True)):
            if a.shape != b.shape:
                return f"it has shape {a.shape}, wants {b.shape}"
            off, size = _largest(np.subtract(a, b, dtype=np.float64)), _largest(b)
            if not (off <= EQUAL * size or off <= MARGIN * self._output_rounding(k)):
                return _by_how_much(off, size)
        return ""

    def _allowed(self, name: str, rounding: str) -> float:
        """How far rounding may move the gradient of a block, by (1) and (2)."""
        top = max(map(_largest, (*self.gradients.values(), *self.dy)))
        if rounding == "none":
            return EQUAL * top
        if not self._near:
            self.measure_rounding(self.dy)
        noise = self._near[name] if rounding == "scaled" else self._near[name] + self._scaled[name]
        return MARGIN * noise + DUST * top

    def trust_scaling(self) -> None:
        """Count (2) from now on; what was measured without it is deleted."""
        self.scales = True
        self._near.clear()
        self._scaled.clear()

    def measure_rounding(self, dy: list[Array]) -> None:
        """Measure (1) and (2) for these cotangents; the largest result so far counts."""
        at = self.new_gradients(dy=dy)
        for _ in range(DRAWS):
            noise = backward_noise(self.pair, self.pair.blocks, dy, self.rng)
            a = self.rng.uniform(0.6, 1.7)
            scaled = self.new_gradients(dy=[a * cotangent for cotangent in dy])
            for block, g in at.items():
                near = _largest(noise.get(block, 0.0))  # (1)
                self._near[block] = max(self._near.get(block, 0.0), near)
                off = _largest(scaled[block] / a - g) if self.scales else 0.0  # (2)
                self._scaled[block] = max(self._scaled.get(block, 0.0), off)

    def _output_rounding(self, k: int) -> float:
        """The largest rounding error of output k: (3), and at points one ulp away."""
        if not self._curved:
            blocks = self.pair.blocks
            self._curved = [0.0 for _ in self.y]
            for _ in range(DRAWS):
                steps = {n: 1e-7 * b * random_signs(self.rng, b.shape) for n, b in blocks.items()}
                above = self._outputs({n: b + steps[n] for n, b in blocks.items()})
                below = self._outputs({n: b - steps[n] for n, b in blocks.items()})
                near = self._outputs({n: one_ulp_off(b, self.rng) for n, b in blocks.items()})
                for i, y in enumerate(self.y):
                    curved = _largest(above[i] - 2.0 * y + below[i])  # (3)
                    self._curved[i] = max(self._curved[i], curved, _largest(near[i] - y))
        return self._curved[k]

    def _outputs(self, blocks: Blocks) -> list[Array]:
        return [y.astype(np.float64) for y in self.pair.forward(blocks).outputs]


def _array(g: Array | NoGradient) -> Array:
    if isinstance(g, NoGradient):
        raise Stopped(g.contract, g.text)
    return g


def _largest(array: Any) -> float:
    """The largest |entry|; infinite where an entry is NaN."""
    top = float(np.abs(array).max()) if np.size(array) else 0.0
    return top if top == top else np.inf


def _by_how_much(off: float, size: float) -> str:
    """The difference `off` in words; `size` is that of what was expected."""
    if not np.isfinite(off):
        return "it is not finite"
    return f"off by {percent(off / size)} of its largest entry" if size else f"{off:.2g}, not 0"

"""What each entry of dy adds to each entry of a gradient: as claimed, and as it should be.

    claimed[o, e] = backward(1 at o, else 0)_e
    measured[o, e] = (4 D(h / 2) - D(h)) / 3                                          (1)
    D(h) = (y_o(x + h at e) - y_o(x - h at e)) / 2 h

(1) is one step of Richardson's from central differences, too coarse for a verdict, and enough to
see where an error comes from: from which output, from the entry's own place, or from a mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...ground.arguments import Array, Shape
from ..measuring.passes import Stopped
from ..pairs.pair import Pair
from .guesses import WrongGradient

MOST_CALLS = 600  # of the forward and the backward pass together
STEP = 2e-3  # h in (1), relative to the size of an entry
FINEST = 1e-8  # of the largest number: what is smaller counts as 0
COARSEST = 1e-4


@dataclass(frozen=True)
class Jacobians:
    """Both of them, (m, n): a row for each entry of all outputs, a column for each of the block."""

    claimed: Array
    measured: Array
    dy: Array  # (m,) the cotangents that the gradient was measured with
    output: Array  # (m,) which of the outputs a row belongs to
    shape: Shape  # of the output, where it is but one
    block: Shape
    tolerance: float

    @property
    def error(self) -> Array:
        return self.claimed - self.measured

    def wrong_outputs(self) -> list[int]:
        """The outputs whose cotangents add something wrong."""
        wrong = (abs(self.error) > self.tolerance).any(axis=1)
        return sorted({int(k) for k in self.output[wrong]})

    def part(self, k: int, shape: Shape) -> "Jacobians":
        """Those of one output, of this shape."""
        rows = self.output == k
        some = {name: getattr(self, name)[rows] for name in ("claimed", "measured", "dy", "output")}
        return replace(self, shape=shape, **some)

    def gradient(self) -> WrongGradient:
        """What dy times them is: the gradient, or a part of it."""
        n = self.claimed.shape[1]
        claimed, measured = self.dy @ self.claimed, self.dy @ self.measured
        bar = np.full(n, self.tolerance)
        wrong = abs(claimed - measured) > 10 * self.tolerance
        return WrongGradient(self.block, np.arange(n), claimed, measured, bar, wrong, True)

    def flat(self) -> WrongGradient:
        """All their entries that are not 0 in both, as if they were a gradient."""
        claimed, measured = self.claimed.ravel(), self.measured.ravel()
        used = np.flatnonzero(abs(claimed) + abs(measured) > self.tolerance)
        wrong = abs(claimed - measured)[used] > self.tolerance
        bar = np.full(len(used), 0.1 * self.tolerance)
        shape = self.claimed.shape
        return WrongGradient(shape, used, claimed[used], measured[used], bar, wrong, False)

    def mixes(self, matrix: Array, axis: int) -> bool:
        """Whether an entry depends on what stands elsewhere along an axis."""
        rows = np.unravel_index(np.arange(matrix.shape[0]), self.shape)[axis]
        columns = np.unravel_index(np.arange(matrix.shape[1]), self.block)[axis]
        return bool((abs(matrix) > self.tolerance)[rows[:, None] != columns].any())


def both_jacobians(
    pair: Pair, name: str, gradient: WrongGradient, dy: Sequence[Array]
) -> Jacobians | None:
    """Both Jacobians of a small block; None where they do not add up to the gradient.

    They do not where the backward pass is not linear, or keeps state, or f has a kink nearby.
    """
    m, n = sum(one.size for one in dy), len(gradient.index)
    if not gradient.complete or not pair.takes_cotangents or m < 2 or m + 4 * n > MOST_CALLS:
        return None
    try:
        measured = _measured(pair, name)
        claimed = _claimed(pair, name, dy)
    except Stopped:
        return None
    if claimed is None or measured.shape != claimed.shape:
        return None
    w = np.concatenate([one.ravel() for one in dy])
    size = max(float(abs(claimed).max()), float(abs(measured).max()))
    off = max(
        float(abs(w @ measured - gradient.numeric).max()),
        float(abs(w @ claimed - gradient.analytic).max()),
    )
    if not off <= COARSEST * size:
        return None
    output = np.repeat(np.arange(len(dy)), [one.size for one in dy])
    tolerance = FINEST * size + 3 * off
    return Jacobians(claimed, measured, w, output, dy[0].shape, gradient.shape, tolerance)


def _measured(pair: Pair, name: str) -> Array:
    """(1), (m, n)."""
    block = pair.blocks[name]
    rms = float(np.sqrt(np.mean(block * block))) or 1.0

    def moved(place: int, by: float) -> Array:
        here = block.copy()
        here.flat[place] += by
        outputs = pair.forward({**pair.blocks, name: here}).outputs
        return np.concatenate([np.ravel(one) for one in outputs])

    columns = []
    for i in range(block.size):
        h = STEP * max(abs(float(block.flat[i])), 0.1 * rms)
        coarse = (moved(i, h) - moved(i, -h)) / (2 * h)
        fine = (moved(i, h / 2) - moved(i, -h / 2)) / h
        columns.append((4 * fine - coarse) / 3)  # (1)
    return np.stack(columns, axis=1)


def _claimed(pair: Pair, name: str, dy: Sequence[Array]) -> Array | None:
    """The gradient for each entry of dy by itself, (m, n)."""
    rows = []
    for k, one in enumerate(dy):
        for place in range(one.size):
            cotangents = [np.zeros(other.shape) for other in dy]
            cotangents[k].flat[place] = 1.0
            if not one.flat[place]:  # of a constant
                rows.append(np.zeros(pair.blocks[name].size))
                continue
            given = pair.backward(pair.forward(pair.blocks), cotangents)[name]
            if not isinstance(given, np.ndarray):
                return None
            rows.append(given.ravel())
    return np.stack(rows)

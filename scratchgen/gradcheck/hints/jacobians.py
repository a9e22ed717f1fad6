"""Two Jacobians of a pass, one claimed by the backward pass and one measured from the forward pass.

    claimed[o, e] = backward(1 at o, else 0)_e
    measured[o, e] = (4 D(h / 2) - D(h)) / 3                                          (1)
    D(h) = (y_o(x + h at e) - y_o(x - h at e)) / 2 h

(1) is a Richardson step on central differences. It is too coarse for a verdict, but it shows where
an error comes from: which output, the same entry of dy, or a mean over others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...ground.arguments import Array, Shape
from ..measuring.passes import Stopped
from ..pairs.pair import Pair
from .guesses import WrongGradient

MOST_CALLS = 600  # forward and backward calls together
STEP = 2e-3  # h in (1), relative to the size of an entry
FINEST = 1e-8  # relative to the largest entry; smaller ones count as 0
COARSEST = 1e-4  # relative disagreement with the gradient above which both are dropped


@dataclass(frozen=True)
class Jacobians:
    """Both Jacobians (m, n): a row for each entry of any output, a column for each of the block."""

    claimed: Array
    measured: Array
    dy: Array  # (m,) cotangents of the measured gradient
    output: Array  # (m,) the output that each row belongs to
    shape: Shape  # of the first output
    block: Shape
    tolerance: float

    @property
    def error(self) -> Array:
        return self.claimed - self.measured

    def wrong_outputs(self) -> list[int]:
        """The outputs with a wrong row."""
        wrong = (abs(self.error) > self.tolerance).any(axis=1)
        return sorted({int(k) for k in self.output[wrong]})

    def part(self, k: int, shape: Shape) -> "Jacobians":
        """The rows of the k-th output, which has this shape."""
        rows = self.output == k
        some = {name: getattr(self, name)[rows] for name in ("claimed", "measured", "dy", "output")}
        return replace(self, shape=shape, **some)

    def gradient(self) -> WrongGradient:
        """dy times both: the gradient, or its term from one output."""
        n = self.claimed.shape[1]
        claimed, measured = self.dy @ self.claimed, self.dy @ self.measured
        bar = np.full(n, self.tolerance)
        wrong = abs(claimed - measured) > 10 * self.tolerance
        return WrongGradient(self.block, np.arange(n), claimed, measured, bar, wrong, True)

    def flat(self) -> WrongGradient:
        """All entries that are not 0 in both, as if they were a gradient."""
        claimed, measured = self.claimed.ravel(), self.measured.ravel()
        used = np.flatnonzero(abs(claimed) + abs(measured) > self.tolerance)
        wrong = abs(claimed - measured)[used] > self.tolerance
        bar = np.full(len(used), 0.1 * self.tolerance)
        shape = self.claimed.shape
        return WrongGradient(shape, used, claimed[used], measured[used], bar, wrong, False)

    def mixes(self, matrix: Array, axis: int) -> bool:
        """Whether an entry depends on dy at another index of this axis."""
        rows = np.unravel_index(np.arange(matrix.shape[0]), self.shape)[axis]
        columns = np.unravel_index(np.arange(matrix.shape[1]), self.block)[axis]
        return bool((abs(matrix) > self.tolerance)[rows[:, None] != columns].any())


def measure_jacobians(
    pair: Pair, name: str, gradient: WrongGradient, dy: Sequence[Array]
) -> Jacobians | None:
    """Both Jacobians of a small block; None if dy times them is not the gradient.

    It is not if the backward pass is not linear or keeps state, or if f has a kink nearby.
    """
    m, n = sum(cotangent.size for cotangent in dy), len(gradient.index)
    if not gradient.complete or not pair.takes_cotangents or m < 2 or m + 4 * n > MOST_CALLS:
        return None
    try:
        measured = _measured(pair, name)
        claimed = _claimed(pair, name, dy)
    except Stopped:
        return None
    if claimed is None or measured.shape != claimed.shape:
        return None
    w = np.concatenate([cotangent.ravel() for cotangent in dy])
    size = max(float(abs(claimed).max()), float(abs(measured).max()))
    off = max(
        float(abs(w @ measured - gradient.numeric).max()),
        float(abs(w @ claimed - gradient.analytic).max()),
    )
    if not off <= COARSEST * size:
        return None
    output = np.repeat(np.arange(len(dy)), [cotangent.size for cotangent in dy])
    tolerance = FINEST * size + 3 * off
    return Jacobians(claimed, measured, w, output, dy[0].shape, gradient.shape, tolerance)


def _measured(pair: Pair, name: str) -> Array:
    """(m, n) by (1)."""
    block = pair.blocks[name]
    rms = float(np.sqrt(np.mean(block * block))) or 1.0

    def moved(place: int, by: float) -> Array:
        here = block.copy()
        here.flat[place] += by
        outputs = pair.forward({**pair.blocks, name: here}).outputs
        return np.concatenate([np.ravel(output) for output in outputs])

    columns = []
    for i in range(block.size):
        h = STEP * max(abs(float(block.flat[i])), 0.1 * rms)
        coarse = (moved(i, h) - moved(i, -h)) / (2 * h)
        fine = (moved(i, h / 2) - moved(i, -h / 2)) / h
        columns.append((4 * fine - coarse) / 3)  # (1)
    return np.stack(columns, axis=1)


def _claimed(pair: Pair, name: str, dy: Sequence[Array]) -> Array | None:
    """(m, n) a backward pass for each unit cotangent."""
    rows = []
    for k, cotangent in enumerate(dy):
        for place in range(cotangent.size):
            cotangents = [np.zeros(other.shape) for other in dy]
            cotangents[k].flat[place] = 1.0
            if not cotangent.flat[place]:  # output k is constant here
                rows.append(np.zeros(pair.blocks[name].size))
                continue
            given = pair.backward(pair.forward(pair.blocks), cotangents)[name]
            if not isinstance(given, np.ndarray):
                return None
            rows.append(given.ravel())
    return np.stack(rows)

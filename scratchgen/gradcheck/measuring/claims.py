"""What a backward pass claims: its gradients for a random cotangent w, and how precise they are.

    claimed: phi'(0) = <backward(w), u>                                                          (1)

Directions u and cotangents w have entries in [0.5, 1.5] with random signs, so that every entry of a
gradient counts. Among normal draws, one in twelve would be below a tenth of the standard deviation.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array, Shape
from .passes import Blocks, NoGradient, PassPair, copied
from .rounding import EPS, one_ulp_off

CLOSE = 30  # rms / standard deviation beyond which numbers are close together


@dataclass
class Claim:
    """What the backward pass returns for one draw of w, at the point and at two neighbours.

    The neighbours, an ulp away, show how far rounding moves the gradients.
    """

    w: tuple[Array, ...]
    outputs: tuple[Array, ...]
    gradients: dict[str, Array | NoGradient]
    neighbours: list[dict[str, Array | NoGradient]]

    def gradient(self, name: str) -> Array:
        """The gradient of a block, which must be an array."""
        g = self.gradients[name]
        assert isinstance(g, np.ndarray)
        return g

    def derivative(self, name: str, u: Array) -> tuple[float, float, float]:
        """(1) for one block: <g, u>, its noise, and |g * u|_2.

        The noise is estimated twice: from the precision of g, and from the claims at the two
        neighbours, times 3, because two are few.
        """
        g = self.gradient(name)
        s = float(np.vdot(g, u))  # (1)
        length = float(np.linalg.norm(g * u))
        noise = 2 * precision(g) * length
        for gradients in self.neighbours:
            near = gradients[name]
            if isinstance(near, np.ndarray):
                noise = max(noise, 3 * abs(float(np.vdot(near - g, u))))
        return s, noise, length

    def size(self) -> float:
        """|w * f|_2, over all outputs."""
        pairs = zip(self.w, self.outputs, strict=True)
        return math.sqrt(sum(float(np.sum((w * y) ** 2)) for w, y in pairs))


def precision(g: Array) -> float:
    """The eps of a gradient: that of float32 where all of its numbers are float32 numbers.

    Whole numbers are, too, but say nothing of how they were computed.
    """
    fits = np.array_equal(g, g.astype(np.float32)) and not np.array_equal(g, np.rint(g))
    return float(np.finfo(np.float32).eps) if fits else EPS


def draw_claim(pair: PassPair, blocks: Blocks, rng: np.random.Generator) -> Claim:
    """The gradients for a random w, at x and w, and at two neighbours one ulp away."""
    run = pair.forward(blocks)
    w = tuple(cotangent(pair, y, rng) for y in run.outputs)
    outputs = tuple(y.copy() for y in run.outputs)
    gradients = copied(pair.backward(run, list(w)))
    neighbours = []
    for _ in range(2):
        moved = {name: one_ulp_off(block, rng) for name, block in blocks.items()}
        moved_w = [one_ulp_off(wk, rng) if wk.any() else wk for wk in w]  # all 0: not checked
        neighbours.append(copied(pair.backward(pair.forward(moved), moved_w)))
    return Claim(w, outputs, gradients, neighbours)


def cotangent(pair: PassPair, y: Array, rng: np.random.Generator) -> Array:
    """A random w for an output: 0 for integers, 1 for an objective's number."""
    if y.dtype.kind != "f":
        return np.zeros(y.shape)
    if not pair.takes_cotangents:
        return np.ones(y.shape)
    return random_signs(rng, y.shape)


def random_signs(rng: np.random.Generator, shape: Shape) -> Array:
    """Random numbers in [0.5, 1.5], with random signs."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * (2.0 * (rng.random(shape) < 0.5) - 1))


def direction(block: Array, scaled: str, rng: np.random.Generator) -> Array:
    """A random u: entries in [0.5, 1.5] times the size of the block; "own": times each entry's.

    The size of a block is its rms, or its standard deviation where its numbers lie close together,
    far from 0.
    """
    rms = math.sqrt(float(np.mean(block * block))) or 1.0
    spread = float(block.std())
    if 0 < spread < rms / CLOSE:
        return random_signs(rng, block.shape) * spread
    size = abs(block) if scaled == "own" else rms
    return random_signs(rng, block.shape) * np.where(size == 0, rms, size)

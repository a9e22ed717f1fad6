"""What a backward pass claims: its gradients for a cotangent that is drawn, and how sure they are.

Directions and cotangents have entries in [0.5, 1.5] with random signs, so that every entry of a
gradient has weight; of normal draws, one in twelve would weigh less than 0.1 of the spread.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array, Shape
from .passes import Blocks, NoGradient, PassPair, copied
from .rounding import EPS, one_ulp_off

CLOSE = 30  # times as far from 0 as they are spread, numbers are close together


@dataclass
class Claim:
    """What the backward pass says for one draw of w: its gradients, and those at two neighbours."""

    w: tuple[Array, ...]
    outputs: tuple[Array, ...]
    gradients: dict[str, Array | NoGradient]
    neighbours: list[dict[str, Array | NoGradient]]

    def gradient(self, name: str) -> Array:
        """That of a block; not for one that gave something odd."""
        g = self.gradients[name]
        assert isinstance(g, np.ndarray)
        return g

    def about(self, name: str, u: Array) -> tuple[float, float, float]:
        """<g, u>, its noise, and |g * u|_2."""
        g = self.gradient(name)
        s = float(np.vdot(g, u))
        length = float(np.linalg.norm(g * u))
        noise = 2 * precision(g) * length
        for there in self.neighbours:
            other = there[name]
            if isinstance(other, np.ndarray):
                noise = max(noise, 3 * abs(float(np.vdot(other - g, u))))
        return s, noise, length

    def size(self) -> float:
        """|w * f|_2, over all outputs."""
        pairs = zip(self.w, self.outputs, strict=True)
        return math.sqrt(sum(float(np.sum((w * y) ** 2)) for w, y in pairs))


def precision(g: Array) -> float:
    """The rounding of a gradient's numbers: that of float32 where all of them fit into it."""
    fits = np.array_equal(g, g.astype(np.float32)) and not np.array_equal(g, np.rint(g))
    return float(np.finfo(np.float32).eps) if fits else EPS


def claim(pair: PassPair, blocks: Blocks, rng: np.random.Generator) -> Claim:
    """Draw w, and ask the backward pass at x and w, and at two neighbours one ulp away."""
    run = pair.forward(blocks)
    w = tuple(cotangent(pair, y, rng) for y in run.outputs)
    outputs = tuple(y.copy() for y in run.outputs)
    gradients = copied(pair.backward(run, list(w)))
    neighbours = []
    for _ in range(2):
        moved = {name: one_ulp_off(block, rng) for name, block in blocks.items()}
        beside_w = [one_ulp_off(one, rng) if one.any() else one for one in w]
        neighbours.append(copied(pair.backward(pair.forward(moved), beside_w)))
    return Claim(w, outputs, gradients, neighbours)


def cotangent(pair: PassPair, y: Array, rng: np.random.Generator) -> Array:
    """A random w for an output: zeros for one that is a constant, 1 for an objective's number."""
    if y.dtype.kind != "f":
        return np.zeros(y.shape)
    if not pair.takes_cotangents:
        return np.ones(y.shape)
    return signs(rng, y.shape)


def signs(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers in [0.5, 1.5] with random signs."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * (2.0 * (rng.random(shape) < 0.5) - 1))


def direction(block: Array, scaled: str, rng: np.random.Generator) -> Array:
    """A random u: every entry in [0.5, 1.5] times the block's size, or times its own.

    The size of a block is its rms; of numbers that lie close together far from 0, their spread.
    """
    rms = math.sqrt(float(np.mean(block * block))) or 1.0
    spread = float(block.std())
    if 0 < spread < rms / CLOSE:
        return signs(rng, block.shape) * spread
    size = abs(block) if scaled == "own" else rms
    return signs(rng, block.shape) * np.where(size == 0, rms, size)

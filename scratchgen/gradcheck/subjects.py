"""Layers and models as pairs, at points that are drawn."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import Array, Shape
from ..models import Model
from ..nn import (
    Block,
    JoinLabels,
    Layer,
    Layout,
    Tape,
    distinct_leaves,
)
from .arguments import Blocks
from .pair import Pair, Run


class LayerPair(Pair):
    """A layer: the blocks are x (N, *shape) and its parameters, `w` or, in a network, `1.w`.

    Each pass has a tape of its own, and draws the same random numbers.
    """

    def __init__(
        self,
        layer: Layer,
        blocks: Blocks,
        state: dict[str, Array],
        training: bool,
        labels: Array | None = None,
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        super().__init__(str(layer), blocks, rng, layer)
        self.layer, self.state = layer, state
        self.layout = Layout(it=layer)
        self.given = {"training": training, "labels": labels, "rng": rng}

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        tape = Tape().begin(**self.given)
        p = self._tree({**blocks, **self.state})
        return self.layer.forward(p, blocks["x"], tape), (p, tape)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        gradients = {name: np.zeros(b.shape) for name, b in self.blocks.items() if name != "x"}
        dx = self.layer.backward(p, dy[0], tape, self._tree(gradients), "x" in self.wanted)
        return {"x": dx, **gradients}

    def _tree(self, arrays: dict[str, Array]) -> Any:
        return self.layout.tree({f"it.{name}": array for name, array in arrays.items()}).it


class ObjectivePair(Pair):
    """What one player of a model minimises, as a function of the arrays that it trains."""

    takes_cotangents = False

    def __init__(
        self, model: Model, player: str, x: Array, labels: Array | None = None, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.model, self.player, self.x, self.labels, self.rng = model, player, x, labels, rng
        self.block: Block = model.players[player]
        self.views = {entry.name: view for entry, view in self.block.arrays() if entry.trained}
        blocks = {name: view.copy() for name, view in self.views.items()}
        super().__init__(f"{model.kind}, {player}", blocks, rng)

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        return np.float64(self._objective(blocks, None)), blocks

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        self.frozen.restore()
        gradient = self.block.zeros_like()
        self._objective(run.memory, gradient)
        entries = (entry for entry in self.block.layout.entries if entry.trained)
        return {entry.name: dy[0] * entry.view(gradient.vector) for entry in entries}

    def _objective(self, blocks: Blocks, gradient: Any) -> float:
        for name, view in self.views.items():
            np.copyto(view, blocks[name])
        return self.model.objective(
            self.player, self.x, self.rng, gradient, Tape(), labels=self.labels
        )


def layer_point(
    layer: Layer, x: Array, rng: np.random.Generator
) -> tuple[Blocks, dict[str, Array]]:
    """x and drawn parameters, and drawn state, of a layer."""
    blocks, state = {"x": x}, {}
    for entry in Layout(it=layer).entries:
        name = entry.name.removeprefix("it.")
        if entry.trained:
            blocks[name] = signed(rng, entry.shape)
        else:
            state[name] = rng.uniform(0.5, 1.5, entry.shape)
    return blocks, state


def signed(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers of size 0.1 to 1.5 with random signs: none of them negligible, none large."""
    return rng.uniform(0.1, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def draw_labels(layer: Layer, n: int, rng: np.random.Generator) -> Array | None:
    """Labels (n,) for a layer that joins them; None for others."""
    leaves = [one for one in distinct_leaves(layer) if isinstance(one, JoinLabels)]
    if not leaves:
        return None
    return rng.integers(min(leaf.n_labels for leaf in leaves), size=n)


def count_of(x: Array) -> int:
    """How many numbers x holds."""
    return math.prod(x.shape)

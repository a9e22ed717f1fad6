"""A layer or a model's objective as a pair: its passes as functions of named arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ...models import Model, Turn
from ...nn import Layer, Tape
from ..measuring.passes import Blocks, Run
from ..pairs.pair import Pair
from .points import layer_layout, named_entries
from .surrogates import StandIn, has_surrogate


class LayerPair(Pair):
    """A layer: its blocks are x (N, *shape) and its parameters, `w` or, in a network, `1.w`.

    Each pass has its own tape and draws the same random numbers. Labels are a block without a
    gradient.
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
        self.layer, self.training, self.rng, self.seed = layer, training, rng, seed
        self.other_arrays = dict(state)
        self.layout = layer_layout(layer)
        self.block_names = {e.name: name for name, e in named_entries(self.layout, layer)}
        self.parameters = [name for name in self.block_names.values() if name in blocks]
        self.surrogate = StandIn(layer) if has_surrogate(layer) else None
        if labels is not None:
            self.blocks = {**blocks, "labels": np.asarray(labels).astype(np.float64)}
            self.constants = ["labels"]

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        tape = self._tape(blocks)
        p = self._tree({**self.other_arrays, **blocks})
        y = self.layer.forward(p, blocks["x"], tape)
        if self.surrogate is not None:
            self.frozen.restore()
            y = self.surrogate.forward(p, blocks["x"], self._tape(blocks))
        return y, (p, tape)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        gradients = {name: np.zeros(self.blocks[name].shape) for name in self.parameters}
        dx = self.layer.backward(p, dy[0], tape, self._tree(gradients), "x" in self.checked)
        return {"x": dx, **gradients}

    def variants(self, blocks: Blocks, dy: Sequence[Array]) -> dict[str, dict[str, Any]]:
        """As networks call it: adding to gradients that are there, without dx, and for dx alone."""
        first = self._called(blocks, dy, {name: np.zeros(b.shape) for name, b in blocks.items()})
        twice = {name: np.array(g) for name, g in first.items() if name != "x"}
        added = self._called(blocks, dy, twice)
        halves = {name: added[name] / 2 for name in self.parameters}
        ways = {
            "added to gradients that are there": {**first, **halves},
            "with g=None": {**first, "x": self._called(blocks, dy, None)["x"]},
        }
        if self.parameters:
            without = self._called(blocks, dy, {n: 0 * g for n, g in twice.items()}, need_dx=False)
            ways["with need_dx=False"] = {**without, "x": first["x"]}
        return ways

    def _called(
        self, blocks: Blocks, dy: Sequence[Array], gradients: Any, need_dx: bool = True
    ) -> dict[str, Any]:
        """The gradients, added to the arrays in `gradients`; None for dx alone."""
        self.frozen.restore()
        _, (p, tape) = self._forward(blocks)
        if gradients is None:
            return {"x": self.layer.backward(p, dy[0], tape)}
        dx = self.layer.backward(p, dy[0], tape, self._tree(gradients), need_dx)
        return {**gradients, "x": None if dx is None else dx.copy()}

    def declare_batch(self, axis: int) -> None:
        super().declare_batch(axis)
        self.per_example |= dict.fromkeys(self.constants, 0)

    def _tape(self, blocks: Blocks) -> Tape:
        labels = blocks.get("labels")
        if labels is not None:
            labels = np.rint(labels).astype(np.int64)
        return Tape().begin(training=self.training, labels=labels, rng=self.rng)

    def _tree(self, arrays: dict[str, Array]) -> Any:
        names = self.block_names
        return self.layout.tree({e: arrays[name] for e, name in names.items() if name in arrays}).it


class ObjectivePair(Pair):
    """The objective of one player of a model, as a function of the arrays that it trains.

    Where its gradient is deliberately not the derivative of that number, `Model.surrogate` is the
    function whose derivative it is; then (1) of surrogates.py is differentiated.
    """

    takes_cotangents = False

    def __init__(
        self,
        model: Model,
        player: str,
        x: Array,
        labels: Array | None = None,
        seed: int = 0,
        training: bool = True,
        step: int | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.model, self.player, self.x, self.rng = model, player, x, rng
        self.options: dict[str, Any] = {"training": training, "step": step, "labels": labels}
        moved = model.block.layout.entries_of(model.players[player])
        self.entries = [entry for entry in moved if entry.trained]
        self.views = {entry.name: entry.view(model.vector) for entry in self.entries}
        blocks = {name: view.copy() for name, view in self.views.items()}
        super().__init__(f"{model.kind}, {player}", blocks, rng)
        self.surrogate = model.surrogate(player)
        self.move_to(self.blocks)

    def move_to(self, blocks: Blocks) -> None:
        self.point = {name: block.copy() for name, block in blocks.items()}  # x_0
        self.held_fixed: dict[str, Array] = {}  # by the surrogate, with its values at x_0
        self.shift: float | None = None  # f(x_0) - s(x_0)

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        if self.surrogate is None:
            return np.float64(self._objective(blocks, None)), blocks
        if self.shift is None:
            s = self._surrogate(self.point)
            self.frozen.restore()
            self.shift = self._objective(self.point, None) - s
            self.frozen.restore()
        return np.float64(self._surrogate(blocks) + self.shift), blocks

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        self.frozen.restore()
        gradient = self.model.gradient(self.player)
        self._objective(run.memory, gradient)
        start = self.model.block.layout.span(self.model.players[self.player]).start
        return {entry.name: dy[0] * entry.view(gradient.vector, start) for entry in self.entries}

    def _objective(self, blocks: Blocks, gradient: Any) -> float:
        self._set(blocks)
        return self.model.objective(self.player, self.x, self.rng, gradient, Tape(), **self.options)

    def _surrogate(self, blocks: Blocks) -> float:
        self._set(blocks)
        model, tape = self.model, Tape().begin(rng=self.rng, **self.options)
        turn = Turn(model.networks, model.views, self.player, self.x, tape, None)
        return float(self.surrogate(turn, self._hold)[0])

    def _hold(self, name: str, x: Array) -> Array:
        """x as it was in the first pass, at x_0."""
        return self.held_fixed.setdefault(name, x.copy())

    def _set(self, blocks: Blocks) -> None:
        for name, view in self.views.items():
            np.copyto(view, blocks[name])

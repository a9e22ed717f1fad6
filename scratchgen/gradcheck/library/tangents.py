"""A layer's tangent as pairs: with its own backward pass, and against the forward pass alone.

x, u, p -> y, v         tangent_backward is its backward pass                (1)
t -> f(x + t u)         its derivative at any t is the tangent v             (2)
x -> y                  for dy = 0, the du of tangent_backward is J^T dv     (3)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ..measuring.passes import Blocks, Run
from .own_pairs import LayerPair


class TangentPair(LayerPair):
    """(1): from x, u and the parameters to y and v."""

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        tape = self._tape(blocks)
        p = self._tree({**self.other_arrays, **blocks})
        y = self.layer.forward(p, blocks["x"], tape).copy()  # the tangent may overwrite the tape
        return (y, self.layer.tangent(p, blocks["u"], tape)), (p, tape)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        gradients = {name: np.zeros(self.blocks[name].shape) for name in self.parameters}
        needed = "x" in self.checked or "u" in self.checked
        g = self._tree(gradients)
        d = self.layer.tangent_backward(p, dy[0], dy[1], tape, g, needed)
        inputs = {} if d is None else {"x": d.x, "u": d.u}
        return {**inputs, **gradients}

    def variants(self, blocks: Blocks, dy: Sequence[Array]) -> dict[str, dict[str, Any]]:
        return {}

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        outputs = y if isinstance(y, tuple) else (y,)
        read = super()._outputs
        return tuple(array for output in outputs for array in read(output))


class AlongPair(TangentPair):
    """(2): from t to f(x + t u), with the tangent as backward pass. The block is named v."""

    def __init__(self, of: TangentPair) -> None:
        super().__init__(**same_layer(of))
        self.at, self.blocks, self.checked = self.blocks, {"v": np.zeros(())}, ["v"]

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        moved = {**self.at, "x": self.at["x"] + blocks["v"] * self.at["u"]}
        return LayerPair._forward(self, moved)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        return {"v": np.vdot(dy[0], self.layer.tangent(p, self.at["u"], tape))}

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        return LayerPair._outputs(self, y)


class CotangentPair(TangentPair):
    """(3): from x to y, with the du of tangent_backward as backward pass."""

    def __init__(self, of: TangentPair) -> None:
        super().__init__(**same_layer(of))
        self.checked = ["x"]

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        return LayerPair._forward(self, blocks)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        self.layer.tangent(p, self.blocks["u"], tape)
        d: Any = self.layer.tangent_backward(p, np.zeros_like(dy[0]), dy[0], tape)  # with need_dx
        return {"x": d.u}

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        return LayerPair._outputs(self, y)


def float_blocks(pair: LayerPair) -> Blocks:
    """The blocks that may be differentiated."""
    return {name: block for name, block in pair.blocks.items() if name != "labels"}


def same_layer(pair: LayerPair) -> dict[str, Any]:
    """The arguments for another pair of the same layer at the same point."""
    return {
        "layer": pair.layer,
        "blocks": float_blocks(pair),
        "state": pair.other_arrays,
        "training": pair.training,
        "labels": pair.blocks.get("labels"),
        "seed": pair.seed,
    }

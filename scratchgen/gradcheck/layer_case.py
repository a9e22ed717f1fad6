"""A layer case is a layer and an input at which to check it, as strategies.py draws them.

`check(case)` uses its input, its mode and its seed.
"""

from dataclasses import dataclass

from ..ground.arguments import Array
from ..nn import Layer


@dataclass(frozen=True, eq=False)
class LayerCase:
    """A layer and an input x (N, *shape); `seed` draws parameters, state, labels and cotangents."""

    layer: Layer
    x: Array
    training: bool
    seed: int
    layout: str = "C"
    scale: float = 1.0

    def __repr__(self) -> str:
        mode = "training" if self.training else "evaluation"
        x = f"{self.x.shape} {self.x.dtype} {self.layout}, scale {self.scale:g}"
        return f"LayerCase({self.layer}, x {x}, {mode}, seed {self.seed})"

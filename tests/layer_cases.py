"""Layers with random parameters, inputs and cotangents, to test the contract of every layer.

The gradient checker checks a layer like any other function. These cases test what it cannot know:
tapes that are used again, gradients that are added to others, and gradients that nobody needs.
"""

import numpy as np
from hypothesis import Phase, assume, settings
from hypothesis import strategies as st

from scratchgen.gradcheck import INCONCLUSIVE, Report
from scratchgen.gradcheck.library.points import draw_labels, layer_layout, signed, spread
from scratchgen.gradcheck.strategies import own_layers
from scratchgen.nn import LAYERS, Block, Layer, Tape

kinds = sorted(LAYERS)
kinds_with_tangent = sorted(set(LAYERS) - {"BatchNorm"})
layers = own_layers(kinds)
# The simplest case comes first, and shrinking a failure would take minutes of checks.
of_each_kind = settings(
    max_examples=max(2, settings().max_examples // 8),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
examples, seeds, in_training = st.integers(1, 5), st.integers(0, 2**32), st.booleans()


def passes(report: Report) -> None:
    """Assert that the checker says PASS of a drawn case; if it is undecided, draw another case."""
    assume(report.verdict != INCONCLUSIVE)
    assert report.ok, report


class Case:
    """A layer at a random point, in float64; `layer` is a layer and the shape of an example."""

    def __init__(self, layer: tuple[Layer, tuple[int, ...]], n: int, seed: int) -> None:
        (self.layer, shape), rng = layer, np.random.default_rng(seed)
        self.block = Block(layer_layout(self.layer), np.float64, rng)
        self.block.vector[:] = signed(rng, self.block.vector.shape)
        self.block.state[:] = rng.uniform(0.5, 1.5, self.block.state.shape)
        self.p = self.block.views.it
        self.x, self.u = spread(rng, (n, *shape)), spread(rng, (n, *shape))
        out = (n, *self.layer.out_shape(shape))
        self.dy, self.dv = spread(rng, out), spread(rng, out)
        self.labels = draw_labels(self.layer, n, rng)

    def forward(self, tape: Tape | None = None) -> Tape:
        """The tape of a training pass; its randomness is the same every time."""
        tape = Tape() if tape is None else tape
        tape.begin(training=True, rng=np.random.default_rng(5), labels=self.labels)
        self.layer.forward(self.p, self.x, tape)
        return tape

    def gradients(self, tape: Tape | None = None, before: float = 0, need_dx: bool = True):
        """backward: dx, and the parameters' gradient, added to a vector that is `before`."""
        tape, gradient = self.forward(tape), self._filled(before)
        dx = self.layer.backward(self.p, self.dy, tape, gradient.views.it, need_dx)
        return _copied(dx), gradient.vector

    def second_gradients(self, tape: Tape | None = None, before: float = 0, need_dx: bool = True):
        """tangent_backward: dx, du, and the parameters' gradient, added to `before`."""
        tape, gradient = self.forward(tape), self._filled(before)
        self.layer.tangent(self.p, self.u, tape)
        g = gradient.views.it
        d = self.layer.tangent_backward(self.p, self.dy, self.dv, tape, g, need_dx)
        dx, du = (None, None) if d is None else (d.x, d.u)
        return _copied(dx), _copied(du), gradient.vector

    def _filled(self, before: float) -> Block:
        gradient = self.block.zeros_like()
        gradient.vector[:] = before
        return gradient


def _copied(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.copy()

"""The pass of an objective: what it is given, and its way through the networks and back.

    y = now.forward("decoder", z)       through a network, on a tape of its own             (1)
    dz = now.backward("decoder", dy)    back through it, on the same tape, and              (2)
                                        g += dL/dp, if the player moves the decoder

A network that is passed through more than once has a tape for each pass, by the name `on`. What a
pass learns about a network's state, such as the running mean of a batch norm, is written when the
player has moved, if that pass was opened with settle=True.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checks import Array
from ..kernels import standard_normal
from ..nn import Bound, Gradient, Network, Tape
from ..nn.layer import Views

SAME: Any = object()  # labels: those of the batch


class Pass:
    """What an objective is given.

    Attributes:
        player: whose objective it is.
        batch: x (N, *shape), scaled, of the model's dtype.
        size: N.
        labels: of the batch (N,), or None.
        rng: where noise comes from.
        wants_gradient: whether to go back too.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        views: Views,
        player: str,
        batch: Array,
        tape: Tape,
        gradient: Gradient | None,
    ) -> None:
        self.player, self.batch, self.size = player, batch, len(batch)
        self.wants_gradient = gradient is not None
        self._networks, self._views, self._tape = networks, views, tape
        self._g = None if gradient is None else gradient.views
        self._bound: dict[str, Bound] = {}  # by the name of the pass
        tape.passes = {}  # the name of each pass -> its network
        tape.back = {}  # of those that there was a way back through
        tape.settling = {}  # of those that write the state

    @property
    def labels(self) -> Array | None:
        """Of the batch (N,), or None."""
        labels: Array | None = self._tape.what_was_given().get("labels")
        return labels

    def expected_labels(self, reason: str) -> Array:
        """Those of the batch (N,); TapeError, with the reason why it needs them, for none."""
        labels: Array = self._tape.given("labels", reason)
        return labels

    @property
    def rng(self) -> np.random.Generator:
        """Where noise comes from."""
        rng: np.random.Generator = self._tape.rng
        return rng

    def normal(self, *shape: int) -> Array:
        """Draws of N(0, 1), of that shape."""
        return standard_normal(self.rng, shape, self.batch.dtype)

    def number(self, f: Callable[[int | None], float]) -> Array:
        """f(step) as an array (1,): a number that changes from step to step; see Tape.number."""
        return self._tape.number(f)

    def network(
        self, name: str, on: str = "", settle: bool = False, labels: Array | None = SAME
    ) -> Bound:
        """The network of that name, in the pass `on`, for what goes forward and back by itself.

        By default the pass is called like the network. labels (N,) are those that its layers join,
        by default the labels of the batch.
        """
        self._tape.back[on or name] = name
        return self._opened(name, on or name, settle, labels)

    def forward(
        self, name: str, x: Array, on: str = "", settle: bool = False, labels: Array | None = SAME
    ) -> Array:
        """(1): x (N, ...) -> y (N, ...), in a new pass; see `network`."""
        return self._opened(name, on or name, settle, labels).forward(x)  # (1)

    def backward(self, name: str, dy: Array, on: str = "", need_dx: bool = True) -> Any:
        """(2): dL/dy (N, ...) -> dL/dx, None without need_dx, through the last pass of that name.

        One pass may be gone back through more than once; gradients add.
        """
        self._tape.back[on or name] = name
        return self._bound[on or name].backward(dy, need_dx)  # (2)

    def _opened(self, name: str, on: str, settle: bool, labels: Array | None) -> Bound:
        labels = self.labels if labels is SAME else labels
        self._tape.passes[on] = name
        self._tape.settling.pop(on, None)  # that of an earlier pass of this name
        if settle:
            self._tape.settling[on] = name
        tape, g = self._tape.inner(on, labels=labels), getattr(self._g, name, None)
        self._bound[on] = Bound(self._networks[name], getattr(self._views, name), tape, g)
        return self._bound[on]

"""What an objective is given: the batch, the noise, and the networks, forward and backward.

    y = turn.forward("decoder", z)       forward through a network, on a tape of its own     (1)
    dz = turn.backward("decoder", dy)    backward through it, on the same tape, and          (2)
                                        g += dL/dp, if the player moves the decoder

An objective that runs a network more than once names each pass, such as `on="real"` and
`on="fake"`, and each pass has its tape.

To settle a pass is to update the network's state from it, such as the running mean of a batch norm.
`minimise` only marks passes, with settle=True. They are settled once the player has moved, so that
computing an objective changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..ground.arguments import Array, one_of
from ..ground.errors import TapeError
from ..kernels import standard_normal
from ..nn import Bound, Gradient, Network, Tape
from ..nn.layer import Views

DEFAULT: Any = object()  # as `labels` of a pass: those of the batch; None gives it no labels


class Turn:
    """One evaluation of a player's objective, always called `turn`.

    Attributes:
        player: whose objective it is.
        batch: x (N, *shape), scaled, of the model's dtype.
        size: N.
        labels: of the batch (N,), or None.
        rng: the generator that noise is drawn from.
        wants_gradient: whether to run the backward passes too.
    """

    def forward(
        self,
        name: str,
        x: Array,
        on: str = "",
        settle: bool = False,
        labels: Array | None = DEFAULT,
    ) -> Array:
        """(1): x (N, ...) -> y (N, ...), in a new pass; see `network`."""
        return self._bind(name, on or name, settle, labels).forward(x)  # (1)

    def backward(self, name: str, dy: Array, on: str = "", need_dx: bool = True) -> Any:
        """(2): dL/dy (N, ...) -> dL/dx, or None without need_dx, through the last pass `on`.

        It may be called more than once after one forward pass: gradients add.
        """
        on = on or name
        if on not in self._bound:
            raise TapeError(
                f"there was no pass {on!r} to go back through: run turn.forward({name!r}, x"
                f"{'' if on == name else f', on={on!r}'}) first"
            )
        self._tape.back[on] = name
        return self._bound[on].backward(dy, need_dx)  # (2)

    def normal(self, *shape: int) -> Array:
        """Draws of N(0, 1), as an array of `shape`."""
        return standard_normal(self.rng, shape, self.batch.dtype)

    def scheduled(self, f: Callable[[int | None], float]) -> Array:
        """f(step) as an array (1,), for a number that changes from step to step; see Tape."""
        return self._tape.scheduled(f)

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
        # each maps the name of a pass to the name of its network:
        tape.passes = {}  # all passes
        tape.back = {}  # passes with a backward pass
        tape.settling = {}  # passes with settle=True

    @property
    def labels(self) -> Array | None:
        """The labels of the batch (N,), or None."""
        labels: Array | None = self._tape.given_values().get("labels")
        return labels

    def expected_labels(self, reason: str) -> Array:
        """The labels of the batch (N,); without labels, TapeError with the reason to need them."""
        labels: Array = self._tape.given("labels", reason)
        return labels

    @property
    def rng(self) -> np.random.Generator:
        """The generator that noise is drawn from."""
        rng: np.random.Generator = self._tape.rng
        return rng

    def network(
        self, name: str, on: str = "", settle: bool = False, labels: Array | None = DEFAULT
    ) -> Bound:
        """A network bound to a new pass, for code that runs it forward and backward itself.

        `on` names the pass, by default after the network. Its JoinLabels layers join `labels` (N,),
        by default the labels of the batch. For settle see the top of this file.
        """
        self._tape.back[on or name] = name
        return self._bind(name, on or name, settle, labels)

    def _bind(self, name: str, on: str, settle: bool, labels: Array | None) -> Bound:
        """The network bound to the tape of the pass `on`."""
        if name not in self._networks:
            one_of(name, self._networks, "network")  # which raises
        if labels is DEFAULT and on not in self._tape.passes:
            tape = self._tape.inner(on)
        else:
            tape = self._tape.inner(on, labels=self.labels if labels is DEFAULT else labels)
        self._tape.passes[on] = name
        self._tape.settling.pop(on, None)  # an earlier pass of this name no longer counts
        if settle:
            self._tape.settling[on] = name
        p, g = getattr(self._views, name), getattr(self._g, name, None)
        self._bound[on] = bound = Bound(self._networks[name], p, tape, g)
        return bound

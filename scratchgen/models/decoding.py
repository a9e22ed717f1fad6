"""A decoder prepared for calls of one size, which all work in the same memory.

    decode = model.decoder(batch=1)
    x = decode(z)                      z (1, latent) -> x (1, *shape)            (1)

What a call returns is written over by the next. Two threads take two decoders. The call is recorded
once and then replayed, if all that it goes through can be; see kernels/plans.py. It runs on one
thread, and by twins or references, whichever run when the decoder is made.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..checks import Array, Shape, examples
from ..data.scaling import Scaler
from ..errors import KindError, ShapeError
from ..kernels import here, lasting
from ..kernels.plans import Plan
from ..kernels.recording import recording
from ..nn import Layer, Network, Tape, distinct_layers, replays
from ..nn.layer import Views


class PreparedDecoder:
    """z (batch, latent) -> x (batch, *shape), without new memory; see the top of this file."""

    def __init__(
        self,
        network: Network,
        p: Views,
        shape: Shape,
        batch: int,
        dtype: np.dtype[Any],
        reading: Callable[[Array, Array], Array],
        check_labels: Callable[[Any, int], Array | None],
        joins_labels: bool,
        parts: Sequence[Any],
        scaler: Scaler | None,
    ) -> None:
        self._z = lasting(np.zeros((batch, *network.in_shape), dtype))
        self._out = lasting(np.zeros((batch, *shape), dtype))
        self._scaler = scaler
        self._in_units = None if scaler is None else lasting(np.zeros((batch, *shape)))
        self._tape = Tape().begin(training=False)
        self._passes = list(_passes(network, p, self._tape))
        self._reading, self._check_labels = reading, check_labels
        self._joins_labels = joins_labels
        self._plan: Plan | None = None
        if not joins_labels and all(map(replays, [*distinct_layers(network), *parts])):
            with recording() as notes:
                self._x = self._run()
            if notes.can_be_replayed():
                self._plan = Plan(notes, threads=1)

    def __call__(self, z: Any, labels: Any = None) -> Array:
        """The batch of examples for z (batch, latent), numbers of any kind; (1).

        labels (batch,) are for a model whose networks join them. Raises ShapeError, KindError,
        DataError or OptionError, as `decode` does; that all is finite is not asked of an array that
        fits as it is.
        """
        x = self._z
        if type(z) is not np.ndarray or z.dtype != x.dtype or z.shape != x.shape:
            z = self._array(z)
        np.copyto(x, z)
        if self._joins_labels or labels is not None:
            self._tape.begin(training=False, labels=self._check_labels(labels, len(x)))
        if self._plan is None:
            return self._run()
        self._plan.run()
        return self._x

    def _run(self) -> Array:
        x = self._z
        for forward, p, tape in self._passes:
            x = forward(p, x, tape)
        x = self._reading(x, self._out)
        if self._scaler is None or self._in_units is None:
            return x
        here(self._scaler.undo, x, self._in_units)
        return self._in_units

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise KindError(
            "a prepared decoder cannot be copied or pickled, because it works in its own memory: "
            "model.decoder(batch=...) prepares another"
        )

    def _array(self, z: Any) -> Array:
        """z as an array of the size that was prepared for, or an error."""
        z = examples(z, self._z.shape[1:], self._z.dtype, "z")
        if z.shape != self._z.shape:
            raise ShapeError(
                f"z has shape {z.shape}, wants {self._z.shape}, for which this decoder was "
                f"prepared: model.decoder(batch=...) prepares another"
            )
        return z


def _passes(
    layer: Layer, p: Views, tape: Tape
) -> Iterator[tuple[Callable[..., Array], Views, Tape]]:
    """The forward passes of a network's layers, one after the other, with what each is given."""
    if not isinstance(layer, Network):
        yield layer.forward, p, tape
        return
    for i, child in enumerate(layer.layers):
        yield from _passes(child, p[i], tape.inner(i))

"""A decoder prepared for calls of one size, for programs that embed a model.

    decode = model.prepared_decoder(batch=1)
    x = decode(z)                      z (1, latent) -> x (1, *shape)            (1)
    decode(z, out=x)                   the same, written into x                  (2)

Every call works in the memory of the call before it, unless somebody may look at those arrays or
keep them; see evaluation.py. What a call returns is the caller's.

Any number of threads may share a prepared decoder: each works in memory of its own, and starts no
other threads. Whether it runs loops or formulas is decided when the decoder is made.
kernels/prepared.py says how little is left to do in a call.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..data.scaling import Scaler
from ..ground.arguments import Array, Shape, array_text, examples
from ..ground.errors import KindError, ShapeError
from ..kernels.formulas import loops_run, run_by
from ..kernels.prepared import Prepared
from ..kernels.trust import is_ours
from ..nn import Layer, Network, Tape, distinct_layers
from ..nn.layer import Views
from .evaluation import is_watched


class PreparedDecoder:
    """z (batch, latent) -> x (batch, *shape), in memory allocated once for each thread.

    `Model.prepared_decoder` makes it.
    """

    def __init__(
        self,
        network: Network,
        p: Views,
        shape: Shape,
        batch: int,
        dtype: np.dtype[Any],
        reading: Callable[[Array], Array],
        check_labels: Callable[[Any, int], Array | None],
        joins_labels: bool,
        parts: Sequence[Any],
        scaler: Scaler | None,
    ) -> None:
        self._like_z = np.zeros((batch, *network.in_shape), dtype)
        self._like_x = np.zeros((batch, *shape), dtype if scaler is None else np.float64)
        self._network, self._p, self._reading, self._scaler = network, p, reading, scaler
        self._check_labels, self._joins_labels = check_labels, joins_labels
        layers = [*distinct_layers(network), *parts]
        self._is_ours = not joins_labels and all(map(is_ours, layers))
        self._is_watched = is_watched()
        self._by_loops = loops_run()  # as each thread's pass then is
        self._of_thread = threading.local()  # .decoding: this thread's DecodingPass
        self._new_pass()

    def __call__(self, z: Any, labels: Any = None, out: Array | None = None) -> Array:
        """The batch of examples for z (batch, latent), numbers of any kind; (1), (2).

        labels (batch,) are for a model whose networks join them. `out` (batch, *shape) of the
        model's dtype, or float64 where it has a scaler, is written and returned; without it, the
        array is a new one.

        Raises ShapeError, KindError, DataError or OptionError, as `decode` does, except that an
        array of the right shape and dtype is not searched for NaN and infinity.
        """
        try:
            decoding: DecodingPass = self._of_thread.decoding
        except AttributeError:  # the first call of this thread
            decoding = self._new_pass()
        like = decoding.z
        if type(z) is not np.ndarray or z.dtype != like.dtype or z.shape != like.shape:
            z = self._checked(z)
        if self._joins_labels or labels is not None:
            decoding.tape.begin(training=False, labels=self._check_labels(labels, len(z)))
        x = decoding.run(z)
        if out is None:
            return x.copy()
        like = self._like_x
        if type(out) is not np.ndarray or out.dtype != like.dtype or out.shape != like.shape:
            raise ShapeError(
                f"out got {array_text(out)}: wants an array of {array_text(like)}, such as "
                f"np.empty({like.shape}, {like.dtype.name!r})"
            )
        np.copyto(out, x)
        return out

    def _new_pass(self) -> "DecodingPass":
        """A pass for this thread alone."""
        z = np.zeros_like(self._like_z)
        with run_by(loops=self._by_loops):
            decoding = DecodingPass(
                self._network,
                self._p,
                z,
                self._reading,
                self._scaler,
                self._is_ours and not self._is_watched,
                self._is_watched,
            )
        self._of_thread.decoding = decoding
        return decoding

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise KindError(
            "a prepared decoder cannot be copied or pickled, because it works in its own memory: "
            "model.prepared_decoder(batch=...) prepares another"
        )

    def _checked(self, z: Any) -> Array:
        """z as an array (batch, latent), or an error."""
        like = self._like_z
        z = examples(z, like.shape[1:], like.dtype, "z")
        if z.shape != like.shape:
            raise ShapeError(
                f"z has shape {z.shape}, wants {like.shape}, for which this decoder was "
                f"prepared: model.prepared_decoder(batch=...) prepares another"
            )
        return z


class DecodingPass:
    """One thread's pass through the decoder, with its z, tape and memory."""

    def __init__(
        self,
        network: Network,
        p: Views,
        z: Array,
        reading: Callable[[Array], Array],
        scaler: Scaler | None,
        is_replayed: bool,
        is_watched: bool,
    ) -> None:
        self.z, self.tape = z, Tape().begin(training=False)
        self._layers = list(_layers(network, p, self.tape))
        self._reading, self._scaler = reading, scaler
        with np.errstate(under="ignore"):
            p = p if is_replayed else None
            self._decode = Prepared(self._layer_by_layer, z, p, new_memory=is_watched)
        self._runs_loops_alone = scaler is None and self._decode.runs_loops_alone

    def run(self, z: Array) -> Array:
        """z (batch, latent) -> x (batch, *shape), to be copied before the next run."""
        if self._runs_loops_alone:
            return self._decode(z)
        with np.errstate(under="ignore"):  # numbers too small for the dtype become 0
            x = self._decode(z)
            return x if self._scaler is None else self._scaler.undo(x)

    def _layer_by_layer(self, z: Array) -> Array:
        x = z
        for forward, p, tape in self._layers:
            x = forward(p, x, tape)
        return self._reading(x)


def _layers(
    layer: Layer, p: Views, tape: Tape
) -> Iterator[tuple[Callable[..., Array], Views, Tape]]:
    """The `forward` of each layer of a network in turn, with its parameters and its tape."""
    if not isinstance(layer, Network):
        yield layer.forward, p, tape
        return
    for i, child in enumerate(layer.layers):
        yield from _layers(child, p[i], tape.inner(i))

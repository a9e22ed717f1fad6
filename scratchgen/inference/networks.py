"""Networks outside of training: applied to many examples, or prepared for calls of one size.

    for rows, y in by_chunks(network, p, x, dtype): ...        y = network(x[rows])

    decode = model.prepared_decoder(batch=1)
    x = decode(z)                      z (1, latent) -> x (1, *shape)            (1)
    decode(z, out=x)                   the same, written into x                  (2)

Each chunk is computed in the memory of the last one, and so is each call of a prepared decoder,
unless somebody may be looking: where the source was edited, a debugger follows, or replays are
switched off, all arrays are new and may be kept.

Any number of threads may share it: each works in memory of its own, and what a call returns is the
caller's. kernels/prepared.py says how little is left to do in a call. It runs on one thread, by
loops or by formulas, whichever run when the decoder is made.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..data.scaling import Scaler
from ..ground.arguments import Array, Shape, array_text, chunks, examples
from ..ground.errors import KindError, ShapeError
from ..kernels.formulas import loops_run, run_by
from ..kernels.prepared import Prepared
from ..kernels.trust import asked, is_followed, is_ours, why_not
from ..kernels.workspaces import Workspace
from ..nn import Layer, Network, Tape, distinct_layers
from ..nn.layer import Views


def is_watched() -> bool:
    """Whether somebody may look at, or keep, the arrays of a pass."""
    return asked(None) is False or is_followed() or bool(why_not())


def by_chunks(
    network: Network, p: Views, x: Array, labels: Array | None, shape: Shape, dtype: np.dtype[Any]
) -> Iterator[tuple[slice, Array]]:
    """A chunk of x (N, ...) at a time: the slice of examples, and what the network gives for it.

    A chunk is of as many examples as `chunks` says for those of `shape`. The next one may be
    written over what was given for it.
    """
    parts, tape = list(chunks(len(x), shape)), Tape()
    workspace = Workspace() if len(parts) > 1 and not is_watched() else None
    for rows in parts:
        tape.begin(training=False, labels=None if labels is None else labels[rows])
        memory = nullcontext() if workspace is None else workspace.step(rows.stop - rows.start)
        with memory, np.errstate(under="ignore"):
            part = np.ascontiguousarray(x[rows], dtype)
            y = network.forward(p, part, tape)
        yield rows, y


class PreparedDecoder:
    """z (batch, latent) -> x (batch, *shape), in memory that is taken once a thread.

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
        self._mine = threading.local()  # .work: this thread's DecodingPass
        self._pass()

    def __call__(self, z: Any, labels: Any = None, out: Array | None = None) -> Array:
        """The batch of examples for z (batch, latent), numbers of any kind; (1), (2).

        labels (batch,) are for a model whose networks join them. `out` (batch, *shape) of the
        model's dtype, or float64 where it has a scaler, is written and returned; without it, the
        array is a new one.

        Raises ShapeError, KindError, DataError or OptionError, as `decode` does, except that an
        array of the right shape and dtype is not searched for NaN and infinity.
        """
        try:
            mine: DecodingPass = self._mine.work
        except AttributeError:  # the first call of this thread
            mine = self._pass()
        if type(z) is not np.ndarray or z.dtype != mine.z.dtype or z.shape != mine.z.shape:
            z = self._array(z)
        if self._joins_labels or labels is not None:
            mine.tape.begin(training=False, labels=self._check_labels(labels, len(z)))
        x = mine.run(z)
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

    def _pass(self) -> "DecodingPass":
        """This thread's own pass."""
        z = np.zeros_like(self._like_z)
        with run_by(loops=self._by_loops):
            self._mine.work = DecodingPass(
                self._network,
                self._p,
                z,
                self._reading,
                self._scaler,
                self._is_ours and not self._is_watched,
                self._is_watched,
            )
        mine: DecodingPass = self._mine.work
        return mine

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise KindError(
            "a prepared decoder cannot be copied or pickled, because it works in its own memory: "
            "model.prepared_decoder(batch=...) prepares another"
        )

    def _array(self, z: Any) -> Array:
        """z as an array of the size that was prepared for, or an error."""
        like = self._like_z
        z = examples(z, like.shape[1:], like.dtype, "z")
        if z.shape != like.shape:
            raise ShapeError(
                f"z has shape {z.shape}, wants {like.shape}, for which this decoder was "
                f"prepared: model.prepared_decoder(batch=...) prepares another"
            )
        return z


class DecodingPass:
    """What one thread works in: z, the tape, and the examples."""

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
        self._passes = list(_passes(network, p, self.tape))
        self._reading, self._scaler = reading, scaler
        with np.errstate(under="ignore"):
            p = p if is_replayed else None
            self._decode = Prepared(self._layer_by_layer, z, p, new_memory=is_watched)
        self._runs_loops_alone = scaler is None and self._decode.runs_loops_alone

    def run(self, z: Array) -> Array:
        """x for z; to be copied before the next run."""
        if self._runs_loops_alone:
            return self._decode(z)
        with np.errstate(under="ignore"):  # what is too small for a number is 0
            x = self._decode(z)
            return x if self._scaler is None else self._scaler.undo(x)

    def _layer_by_layer(self, z: Array) -> Array:
        x = z
        for forward, p, tape in self._passes:
            x = forward(p, x, tape)
        return self._reading(x)


def _passes(
    layer: Layer, p: Views, tape: Tape
) -> Iterator[tuple[Callable[..., Array], Views, Tape]]:
    """The forward passes of a network's layers, one after the other, with what each is given."""
    if not isinstance(layer, Network):
        yield layer.forward, p, tape
        return
    for i, child in enumerate(layer.layers):
        yield from _passes(child, p[i], tape.inner(i))

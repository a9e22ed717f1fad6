"""What users call of a model: checks of data and labels, decoding, and samples.

    y = scaler.apply(x)            what objectives and networks see, in the model's dtype
    x = scaler.undo(y)             what users see, in float64

Without a scaler, y is x. Methods for many examples work on a chunk at a time, and need little
memory beyond what they return.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..ground.arguments import (
    MOST_EXAMPLES,
    Array,
    Shape,
    chunks,
    count,
    exact_type,
    examples,
    real_numbers,
    whole,
)
from ..ground.arguments import labels as checked_labels
from ..ground.errors import DataError, OptionError
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng
from ..inference.evaluation import by_chunks
from ..inference.prepared_decoder import PreparedDecoder
from ..kernels import standard_normal
from ..nn import joined_labels
from ..nn.layer import Views
from .compatibility import Bounds, expect_range
from .families import Declared


class Applied(Declared):
    """The part of Model that users call; model.py has the part that training calls."""

    dtype: Any

    @property
    def views(self) -> Views:
        """Windows into the parameters and the state, by name."""
        raise NotImplementedError

    def check(self, x: Any, what: str = "x") -> Array:
        """x (N, *shape) as an objective takes it: scaled by the model's scaler, of its dtype.

        Raises ShapeError, KindError or DataError for x that is no data of this model.
        """
        if self.scaler is None:
            return examples(x, self.shape, self.dtype, what)
        x = _as_given(x, what, self.shape, self._check_numbers)
        y = np.empty(x.shape, self.dtype)
        with np.errstate(under="ignore"):
            for rows in chunks(len(x), self.shape):
                y[rows] = self.scaler.apply(x[rows], what)
        expect_range(y, what, self.bounds(), self.scaler)
        return y

    def _check_numbers(self, x: Array, what: str) -> Array:
        """x (N, *shape), not scaled; an error for numbers that are not finite."""
        return examples(x, self.shape, exact_type(x), what)

    def check_as_given(self, x: Any, what: str = "x") -> Array:
        """x (N, *shape) unchanged, of any dtype, if `check` accepts it; else the error of `check`.

        To save memory, x is checked a chunk at a time; `scaled` then scales and converts it.
        """
        return _as_given(x, what, self.shape, self.check)

    def scaled(self, x: Array) -> Array:
        """What `check` would return for x (N, *shape) that `check_as_given` has accepted."""
        y = x if self.scaler is None else self.scaler.apply(x)
        with np.errstate(over="ignore", under="ignore"):
            return np.require(y, self.dtype, ["C", "ALIGNED"])

    def in_units(self, y: Array) -> Array:
        """Scaled examples y (N, *shape) -> x in the user's units, with a scaler float64."""
        return y if self.scaler is None else self.scaler.undo(y)

    def bounds(self) -> Bounds:
        """The range of numbers that the model can generate, and why; None for any number."""
        return None

    def is_density(self) -> bool:
        """Whether p(x) is a density, as it is for measurements, but not for classes."""
        return True

    def _log_det(self) -> float:
        """What scaling adds to log p(x) of a density, in nats; (3) of data/scaling.py."""
        return self.scaler.log_det if self.scaler is not None and self.is_density() else 0.0

    def _batch(self, batch: Any) -> Array:
        """The batch as `check` returns it; checked only if its dtype or shape differs.

        Raises DataError for a batch without examples, which has no mean.
        """
        has_dtype = isinstance(batch, np.ndarray) and batch.dtype == self.dtype
        if not has_dtype or batch.shape[1:] != self.shape:
            batch = self.check(batch, "batch")
        if not len(batch):
            raise DataError(f"batch has shape {batch.shape}, no examples: wants at least one")
        return batch

    def check_labels(self, labels: Any, n: int, network: str = "") -> Array | None:
        """labels (n,) as int64, for a model that is trained with labels; None for others.

        A single int is the label of all n. With `network`, labels may be left out if that network
        joins none.

        Raises OptionError if they are missing, or the model has none; KindError, ShapeError or
        DataError if they do not fit.
        """
        classes = joined_labels(getattr(self, network)) if network else self.n_labels
        if labels is None and classes:
            numbers = "a whole number" if n == 1 else f"{n:,} whole numbers"
            raise OptionError(
                f"this {self.kind} wants the label of each example: give labels=, {numbers} from 0 "
                f"to {self.n_labels - 1}"
            )
        if labels is not None and not self.n_labels:
            raise OptionError(
                f"this {self.kind} has no JoinLabels layer to join labels with: leave labels out, "
                f"or build it with n_labels"
            )
        if labels is None:
            return None
        if isinstance(labels, int | np.integer) and not isinstance(labels, bool):
            labels = np.full(n, labels)
        return checked_labels(labels, n, self.n_labels)

    @property
    def n_labels(self) -> int:
        """The number of classes that labels come from; 0 for a model without labels."""
        counts = map(joined_labels, self.networks.values())
        return min((n for n in counts if n), default=0)

    def check_latents(self, z: Any, what: str = "z") -> Array:
        """z as (N, latent) of the model's dtype."""
        return examples(z, (self.latent,), self.dtype, what)

    def check_latents_as_given(self, z: Any) -> Array:
        """z (N, latent) unchanged, of any dtype, if `check_latents` accepts it."""
        return _as_given(z, "z", (self.latent,), self.check_latents)

    def decode(self, z: Any, labels: Any = None) -> Array:
        """The example of each latent vector: z (N, latent) -> (N, *shape)."""
        raise NotImplementedError

    def sample(self, n: int, rng: Rng = None, labels: Any = None) -> Array:
        """n new examples (n, *shape); labels (n,), or a single label, are for JoinLabels."""
        raise NotImplementedError

    def draw_latents(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of z for samples, by default of N(0, I): (n, latent)."""
        n = count(n)
        return standard_normal(rng, (n, self.latent), self.dtype)

    def _decode_draws(self, n: int, rng: np.random.Generator, labels: Any) -> Array:
        """`decode` of n draws of z from `draw_latents`, a chunk at a time: (n, *shape)."""
        n = count(n)
        labels = self.check_labels(labels, n)
        out = self._new_examples(n)
        for rows in chunks(n, self.shape):
            z = self.draw_latents(rows.stop - rows.start, rng)
            out[rows] = self.decode(z, None if labels is None else labels[rows])
        return out

    @explains_keywords
    def prepared_decoder(self, batch: int = 1) -> PreparedDecoder:
        """`decode` for `batch` latents at a time, for programs that embed a model.

        Any number of threads may share it. The array that a call returns is the caller's.
        `decode(z, out=x)` writes into x (batch, *shape); after `load(path, jit=True)` it allocates
        nothing. Each call uses the weights that the model has by then. Raises OptionError unless
        batch is at least 1.

        >>> from scratchgen.models import vae
        >>> decode = vae((2,), latent=3, hidden=(4,), rng=0).prepared_decoder(batch=1)
        >>> decode([[0.0, 0.0, 0.0]]).shape
        (1, 2)
        """
        batch = whole(batch, "batch", least=1, most=MOST_EXAMPLES)
        name, reading = self._decoding()
        return PreparedDecoder(
            self.networks[name],
            getattr(self.views, name),
            self.shape,
            batch,
            self.dtype,
            reading,
            self.check_labels,
            joins_labels=self.n_labels > 0,
            parts=self.parts(),
            scaler=self.scaler,
        )

    def _decoding(self) -> tuple[str, Callable[[Array], Array]]:
        """The name of the network that decodes z, and a function from its output to examples."""
        raise NotImplementedError

    def apply(self, name: str, x: Array, labels: Array | None = None) -> Array:
        """The network of that name, outside of training: x (N, ...) -> y (N, ...), a new array.

        labels (N,) are as `check_labels` returns them. Any number of threads may call it: each call
        has its own tapes.
        """
        network = self.networks[name]
        out = np.empty((len(x), *network.out_shape(network.in_shape)), self.dtype)
        for rows, y in self._by_chunks(name, x, labels):
            out[rows] = y
        return out

    def _by_chunks(
        self, name: str, x: Array, labels: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """As `apply`, but a chunk at a time: a slice of x, and the network's output for it.

        The output is valid until the next chunk is asked for.
        """
        network, p = getattr(self, name), getattr(self.views, name)
        return by_chunks(network, p, x, labels, self.shape, self.dtype)

    def _pass_data(
        self, name: str, x: Array, labels: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """As `_by_chunks`, for x (N, *shape) as `check_as_given` returns it, not yet scaled."""
        for rows in chunks(len(x), self.shape):
            chunk_labels = None if labels is None else labels[rows]
            yield rows, self.apply(name, self.scaled(x[rows]), chunk_labels)

    def _new_examples(self, n: int) -> Array:
        """An empty array for n examples (n, *shape) in the user's units: float64 with a scaler."""
        return np.empty((n, *self.shape), self.dtype if self.scaler is None else np.float64)


def _as_given(x: Any, what: str, shape: Shape, check: Callable[[Array, str], Array]) -> Array:
    """x (N, *shape) unchanged, if `check` accepts each chunk; otherwise its error."""
    array = real_numbers(x, what)
    if array.shape[1:] != shape:
        return check(array, what)  # which raises
    try:
        for rows in chunks(len(array), shape):
            check(array[rows], what)
    except DataError:
        check(array, what)  # so that the error describes all of x
    return array

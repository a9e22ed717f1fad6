"""A likelihood p(x|z) gives meaning to the numbers of a decoder: log p(x|z), and draws of x.

    Bernoulli      the decoder gives a logit per pixel
    Categorical    the decoder gives a logit per number and class

These numbers are called raw. The Gaussian likelihoods are in gaussian_likelihoods.py.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ..ground import advice
from ..ground.arguments import Array, Shape, expect_arrays, whole, within
from ..ground.chunks import chunks
from ..ground.errors import DataError, ShapeError
from ..ground.parts import Part, setting
from ..kernels import full, sigmoid
from ..nn.layer import accept
from . import bernoulli, categorical


@dataclass(frozen=True)
class Likelihood(Part):
    """What every likelihood does, for x (N, *shape) and raw (N, *raw_shape(shape)).

    Likelihoods are frozen dataclasses: their fields are their settings.
    """

    name: ClassVar[str]
    formula: ClassVar[str] = ""  # in one line, for `scratchgen explain`
    is_density: ClassVar[bool] = True  # of x, per unit of x; if False, a probability
    learns_variance: ClassVar[bool] = False  # whether raw holds a variance, or several
    bounds: ClassVar[tuple[float, float] | None] = None  # of x; None for any real number

    def log_prob(self, x: Array, raw: Array) -> Array:
        """log p(x|z) in nats per example (N,), for x (N, *shape) and raw (N, *raw_shape(shape)).

        The likelihoods of this library raise ShapeError for raw of another shape.
        """
        raise NotImplementedError

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        """d log p(x|z) / d raw, in raw's shape, each example multiplied by dvalue (N,)."""
        raise NotImplementedError

    def value_and_gradient(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        """`log_prob` and `raw_gradient`; override it if one formula gives both."""
        return self.log_prob(x, raw), self.raw_gradient(x, raw, dvalue)

    def mean(self, raw: Array) -> Array:
        """E[x|z], with as many numbers as x; for categories the most probable class."""
        raise NotImplementedError

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        """A draw of x given z, with as many numbers as x."""
        raise NotImplementedError

    def raw_shape(self, shape: Shape) -> Shape:
        """The shape of raw for examples of `shape`; by default the same."""
        return shape

    def check(self, x: Array, what: str = "x") -> None:
        """DataError unless x, called `what`, has a log p(x|z); by default, every x has."""

    def expect(self, x: Array, raw: Array) -> None:
        """ShapeError unless raw has the shape for x; KindError unless both are arrays."""
        expect_arrays(self, x=x, raw=raw)
        wanted = (len(x), *self.raw_shape(x.shape[1:]))
        if raw.shape != wanted:
            raise ShapeError(
                f"{self} got raw of shape {raw.shape}, wants {wanted} for x of shape {x.shape}"
            )

    combined: ClassVar = {"value_and_gradient": ("log_prob", "raw_gradient")}  # see Part


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Pixels in [0, 1]; -log p(x|z) is the cross-entropy with sigmoid(raw), see bernoulli.py.

    >>> Bernoulli().raw_shape((28, 28, 1))
    (28, 28, 1)
    """

    name: ClassVar[str] = "bernoulli"
    formula: ClassVar[str] = "x_j ~ Bernoulli(sigmoid(raw_j))"
    is_density: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float] | None] = (0, 1)

    def check(self, x: Array, what: str = "x") -> None:
        reason = "the likelihood is Bernoulli, as it is for pictures ('gaussian' takes any number)"
        within(x, 0, 1, reason, what)

    def log_prob(self, x: Array, raw: Array) -> Array:
        self.expect(x, raw)
        return bernoulli.log_prob(x, raw)

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        self.expect(x, raw)
        return bernoulli.log_prob_gradients(x, raw, dvalue).logits

    def value_and_gradient(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        self.expect(x, raw)
        return bernoulli.value_and_gradient(x, raw, dvalue)

    def mean(self, raw: Array) -> Array:
        return sigmoid(raw)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        return bernoulli.draw(raw, rng)


@dataclass(frozen=True)
class Categorical(Likelihood):
    """Whole numbers 0 ... classes - 1, as floats, each drawn by a softmax; see categorical.py.

    Raises OptionError for fewer than two classes.

    >>> Categorical(classes=10).raw_shape((28, 28, 1))
    (28, 28, 1, 10)
    """

    classes: int = setting(check=whole, text="number of classes", least=2)
    name: ClassVar[str] = "categorical"
    formula: ClassVar[str] = "x_j ~ Categorical(softmax(raw_j))"
    is_density: ClassVar[bool] = False

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(4),)

    def raw_shape(self, shape: Shape) -> Shape:
        """A logit for each number and class."""
        return (*shape, self.classes)

    def check(self, x: Array, what: str = "x") -> None:
        """DataError unless each number of x is one of the classes."""
        where = self._first_bad(x)
        if where is None:
            return
        raise DataError(
            f"{what}{list(where)} is {advice.number_text(x[where])}, wants whole numbers 0 ... "
            f"{self.classes - 1}, because the likelihood is Categorical(classes={self.classes}): "
            f"{advice.for_classes(x, self.classes, advice.name_of(what))}"
        )

    def _first_bad(self, x: Array) -> Shape | None:
        """The index of the first number in x (N, *shape) that is not a class, or None."""
        for rows in chunks(len(x)):
            part = x[rows]
            bad = (part != np.floor(part)) | (part < 0) | (part >= self.classes)
            if bad.any():
                n, *rest = (int(i) for i in np.argwhere(bad)[0])
                return (rows.start + n, *rest)
        return None

    def log_prob(self, x: Array, raw: Array) -> Array:
        self.expect(x, raw)
        self.check(x)
        return categorical.log_prob(x, raw)

    def raw_gradient(self, x: Array, raw: Array, dvalue: Array) -> Array:
        self.expect(x, raw)
        return categorical.log_prob_gradients(x, raw, dvalue).logits

    def value_and_gradient(self, x: Array, raw: Array, dvalue: Array) -> tuple[Array, Array]:
        self.expect(x, raw)
        return categorical.value_and_gradient(x, raw, dvalue)

    def mean(self, raw: Array) -> Array:
        """The most probable class of each number, because classes have no mean."""
        by_number = raw.reshape(-1, self.classes)  # (N D, classes)
        return categorical.most_probable(by_number).reshape(raw.shape[:-1])  # (N, *shape)

    def draw(self, raw: Array, rng: np.random.Generator) -> Array:
        return categorical.draw(raw, rng).astype(raw.dtype)


def log_prob_and_gradient(
    likelihood: Likelihood, x: Array, raw: Array, weight: float
) -> tuple[Array, Array]:
    """log p(x|z) (N,), and its gradient by raw (N, ...), multiplied by `weight`.

    Raises ShapeError or KindError if a user's own likelihood returns arrays that do not fit.
    """
    dvalue = full((len(x),), weight, raw.dtype)  # (N,)
    value, gradient = likelihood.value_and_gradient(x, raw, dvalue)
    return (
        accept(likelihood, "value_and_gradient", "value", value, dvalue.shape, raw.dtype),
        accept(likelihood, "value_and_gradient", "gradient", gradient, raw.shape, raw.dtype),
    )

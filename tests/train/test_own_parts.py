"""A user's part that returns a wrong shape is named, wherever the shape would cause an error."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

import scratchgen as sg
from scratchgen import distributions, losses, nn
from scratchgen.ground.errors import KindError, ShapeError
from scratchgen.kernels.formulas import by_formulas, by_loops

EITHER_WAY = pytest.mark.parametrize("way", [by_loops, by_formulas])
LATE = 30  # passes: by then steps are replayed


@dataclass(frozen=True, eq=False)
class Own(nn.Layer):
    """The identity; after `after` calls, `verb` returns `wrong` of its result."""

    verb: str
    wrong: Any
    after: int = 0

    def _given(self, verb: str, x: Any) -> Any:
        calls = vars(self).setdefault("calls", [])
        calls += [verb] if verb == self.verb else []
        return self.wrong(x) if len(calls) > self.after else x

    def forward(self, p, x, tape):
        return self._given("forward", x)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self._given("backward", dy) if need_dx else None

    def tangent(self, p, u, tape):
        return self._given("tangent", u)

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return SimpleNamespace(x=dy, u=self._given("tangent_backward", dv)) if need_dx else None

    def __str__(self):
        return "Own()"


def train(model: Any) -> None:
    x = np.random.default_rng(0).random((8, 4)).astype("float32")
    sg.fit(model, x, epochs=40, batch_size=8, seed=0, replay=True)


def vae(*between: nn.Layer, likelihood: Any = None) -> sg.models.VAE:
    encoder = nn.Network((4,), nn.Dense(4, 5), *between, nn.Dense(5, 4))
    decoder = nn.Network((2,), nn.Dense(2, 4))
    return sg.models.VAE(encoder, decoder, likelihood or distributions.FixedGaussian(), rng=0)


def gan(*between: nn.Layer, **settings: Any) -> sg.models.GAN:
    critic = nn.Network((4,), nn.Dense(4, 5), *between, nn.Dense(5, 1))
    return sg.models.GAN(nn.Network((3,), nn.Dense(3, 4)), critic, rng=0, **settings)


WRONG = {
    "a column less": (lambda x: x[:, :-1].copy(), r"\(8, 4\)"),
    "a column more": (lambda x: np.concatenate([x, x[:, :1]], axis=1), r"\(8, 6\)"),
    "a row less": (lambda x: x[:-1].copy(), r"\(7, 5\)"),
    "one row": (lambda x: x[:1].copy(), r"\(1, 5\)"),
    "transposed": (lambda x: x.T.copy(), r"\(5, 8\)"),
    "a dimension more": (lambda x: x[..., None], r"\(8, 5, 1\)"),
}


@EITHER_WAY
@pytest.mark.parametrize("after", [0, LATE])
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("verb", "array"), [("forward", "y"), ("backward", "dx")])
def test_a_layer_is_named(verb, array, wrong, after, way):
    make, came = WRONG[wrong]
    text = rf"^Own\(\)\.{verb} gave {array} of shape {came}, float32, wants shape \(8, 5\)$"
    with way(), pytest.raises(ShapeError, match=text):
        train(vae(Own(verb, make, after)))


@EITHER_WAY
@pytest.mark.parametrize(("verb", "array"), [("tangent", "v"), ("tangent_backward", "u")])
@pytest.mark.parametrize("after", [0, LATE])
def test_a_layer_is_named_under_a_penalty(verb, array, after, way):
    text = rf"^Own\(\)\.{verb} gave {array} of shape \(8, 4\), float32, wants shape \(8, 5\)$"
    with way(), pytest.raises(ShapeError, match=text):
        train(gan(Own(verb, WRONG["a column less"][0], after), penalty="gradient_penalty"))


@EITHER_WAY
@pytest.mark.parametrize("verb", ["forward", "backward", "tangent", "tangent_backward"])
def test_a_layer_is_named_in_a_residual_block_and_in_a_nested_network(verb, way):
    for around in (nn.Residual, lambda layer: nn.Network((5,), layer)):
        layer = around(Own(verb, lambda x: x.T.copy()))
        with way(), pytest.raises(ShapeError, match=rf"^Own\(\)\.{verb} gave"):
            train(gan(layer, penalty="r1"))


@EITHER_WAY
def test_a_backward_that_returns_none_is_named_and_not_taken_as_an_identity(way):
    with way(), pytest.raises(ShapeError, match=r"^Own\(\)\.backward gave no dx, wants"):
        train(vae(Own("backward", lambda dx: None)))
    train(vae(Own("forward", lambda y: y)))  # the first layer that learns is asked for no dx


@EITHER_WAY
@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4", ">f8", "int64", "bool"])
def test_numbers_of_another_dtype_are_converted_to_the_models(dtype, way):
    model = vae(Own("forward", lambda x: np.sign(x).clip(0).astype(dtype)))
    same = vae(Own("forward", lambda x: np.sign(x).clip(0)))
    with way():
        train(model)
        train(same)
    assert np.array_equal(model.vector, same.vector)


NO_NUMBERS = {
    "objects": (lambda x: x.astype(object), KindError, "is of dtype object"),
    "text": (lambda x: x.astype(str), KindError, "is of dtype <U32"),
    "masked": (np.ma.masked_array, KindError, "is a masked array"),
    "ragged": (lambda x: [[0.0], [0.0, 1.0]], ShapeError, "is a ragged list"),
}


@EITHER_WAY
@pytest.mark.parametrize("after", [0, LATE])
@pytest.mark.parametrize(("wrong", "error", "text"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_a_layer_that_returns_no_numbers_is_named(wrong, error, text, after, way):
    with way(), pytest.raises(error, match=rf"^dx of Own\(\)\.backward {text}"):
        train(vae(Own("backward", wrong, after)))


class Buffered(Own):
    """Returns the same memory in every pass."""

    def _given(self, verb, x):
        buffer = vars(self).setdefault(f"{verb} {x.shape}", np.empty_like(x))
        buffer[:] = x
        return buffer


@EITHER_WAY
@pytest.mark.parametrize("penalty", [None, "gradient_penalty"])
def test_a_layer_may_return_the_same_memory_in_every_pass(penalty, way):
    """The real and the fake pass run forward one after the other, and then backward."""
    model, same = gan(Buffered("", None), penalty=penalty), gan(penalty=penalty)
    with way():
        train(model)
        train(same)
    assert np.array_equal(model.vector, same.vector)


class Descending:
    """Gradient descent that returns new parameters, or writes in place and returns those."""

    def __init__(self, in_place: bool) -> None:
        self.in_place = in_place

    def memory(self, theta):
        return None

    def update(self, theta, gradient, memory):
        if not self.in_place:
            return theta - 0.1 * gradient
        theta -= 0.1 * gradient
        return theta

    def __str__(self):
        return "Descending"


@EITHER_WAY
def test_an_optimizer_that_returns_new_parameters_is_refused(way):
    x, model = np.zeros((8, 4), "float32"), vae()
    text = r"^Descending\.update returned an array, wants theta written in place"
    with way(), pytest.raises(KindError, match=text):
        sg.fit(model, x, epochs=1, optimizer=Descending(in_place=False))
    before = model.vector.copy()
    with way():
        sg.fit(model, x, epochs=1, optimizer=Descending(in_place=True))
    assert not np.array_equal(model.vector, before)


class Read(distributions.FixedGaussian):
    """A likelihood whose mean and draw are wrong."""

    wrong: ClassVar[Any] = None

    def mean(self, raw):
        return self.wrong(raw)

    def draw(self, raw, rng):
        return self.wrong(raw)


READ = {
    "a single row": (lambda raw: raw[:1], ShapeError, r"gave x of shape \(1, 4\), .* \(3, 4\)"),
    "transposed": (lambda raw: raw.T, ShapeError, r"gave x of shape \(4, 3\), .* \(3, 4\)"),
    "nothing": (lambda raw: None, KindError, "is None"),
    "text": (lambda raw: raw.astype(str), KindError, "is of dtype <U32"),
}


@EITHER_WAY
@pytest.mark.parametrize(("wrong", "error", "text"), READ.values(), ids=READ)
def test_a_likelihood_whose_examples_are_wrong_is_named(wrong, error, text, way, monkeypatch):
    monkeypatch.setattr(Read, "wrong", staticmethod(wrong))
    model, z = vae(likelihood=Read()), np.zeros((3, 2), "float32")
    with way():
        for verb in (lambda: model.decode(z), lambda: model.prepared_decoder(3)(z)):
            with pytest.raises(error, match=rf"Read\(variance=1.0\)\.mean {text}"):
                verb()
        with pytest.raises(error, match=rf"Read\(variance=1.0\)\.draw {text}"):
            model.sample(3, rng=0, noise=True)


class Likely(distributions.FixedGaussian):
    """A likelihood that returns wrong arrays."""

    wrong: ClassVar[Any] = (None, None)

    def log_prob(self, x, raw):
        value = super().log_prob(x, raw)
        return value[:-1] if self.wrong[0] else value

    def raw_gradient(self, x, raw, dvalue):
        gradient = super().raw_gradient(x, raw, dvalue)
        return gradient[:, :-1] if self.wrong[1] else gradient


@EITHER_WAY
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            (True, False),
            r"value_and_gradient gave value of shape \(7,\), float32, wants shape \(8,\)",
        ),
        (
            (False, True),
            r"value_and_gradient gave gradient of shape \(8, 3\), float32, wants shape \(8, 4\)",
        ),
    ],
)
def test_a_likelihood_is_named(wrong, text, way, monkeypatch):
    monkeypatch.setattr(Likely, "wrong", wrong)
    with way(), pytest.raises(ShapeError, match=rf"^Likely\(variance=1.0\)\.{text}$"):
        train(vae(likelihood=Likely()))


GAME = losses.HINGE
GAMES = {
    "real of shape (1,)": lambda real, fake, dvalue: SimpleNamespace(real=real[:1], fake=fake),
    "fake of shape (8, 1)": lambda real, fake, dvalue: SimpleNamespace(
        real=real, fake=fake[:, None]
    ),
}


@EITHER_WAY
@pytest.mark.parametrize("what", GAMES)
def test_a_game_is_named(what, way):
    game = losses.AdversarialLoss(
        "own", GAME.discriminator, GAMES[what], GAME.generator, GAME.generator_gradients
    )
    with way(), pytest.raises(ShapeError) as raised:
        train(gan(loss=game))
    assert str(raised.value).startswith(f"own.discriminator_pass gave {what}")


class Strict(losses.R1):
    """A penalty that returns wrong arrays."""

    def points(self, real, fake, rng):
        return real[:, :-1] if self.weight == 1 else real

    def value(self, slope):
        value = super().value(slope)
        return value[:, None] if self.weight == 2 else value

    def slope_gradient(self, slope, dvalue):
        return super().slope_gradient(slope, dvalue)[: 1 if self.weight == 3 else None]


@EITHER_WAY
@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (1.0, r"points gave x of shape \(8, 3\), float32, wants shape \(8, 4\)"),
        (2.0, r"value_and_gradient gave value of shape \(8, 1\), float32, wants shape \(8,\)"),
        (3.0, r"value_and_gradient gave gradient of shape \(1, 4\), float32, wants shape \(8, 4\)"),
    ],
)
def test_a_penalty_is_named(weight, text, way):
    with way(), pytest.raises(ShapeError, match=rf"^Strict\(weight={weight}\)\.{text}$"):
        train(gan(penalty=Strict(weight)))

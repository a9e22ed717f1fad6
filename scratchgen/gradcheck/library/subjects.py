"""Layers, networks, likelihoods, games, penalties and models as pairs, at random points."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ...distributions import Likelihood
from ...ground.arguments import Array, Shape, real_numbers
from ...ground.errors import KindError, OptionError, ShapeError
from ...losses import AdversarialLoss, Penalty
from ...models import Model
from ...nn import Block, Layer
from ...nn.layer import check_layer
from ..measuring.passes import Stopped
from ..pairs.function_pairs import VJPPair
from ..pairs.pair import Pair
from .layer_points import layer_points
from .own_pairs import LayerPair, ObjectivePair
from .points import (
    draw_labels,
    example_shape_of,
    given_or_drawn,
    layer_point,
    legal,
    signed,
    spread,
    vary,
)

__all__ = [
    "LayerPair",
    "ObjectivePair",
    "in_double",
    "layer_pair",
    "layer_point",
    "pairs_of",
    "signed",
]

Pairs = list[tuple[str, Pair]]  # each with the label of its case


def pairs_of(
    subject: Any,
    x: Any = None,
    seed: int = 0,
    training: bool | None = None,
    labels: Any = None,
) -> Pairs:
    """The pairs of a part of scratchgen, or of a user's class that keeps its rules.

    Args:
        subject: a layer, a likelihood, an AdversarialLoss, a penalty, or a model; or a class of
            layers, which is checked at its own examples.
        x: an array, a shape with the batch in front, or None. It is the data of a likelihood, the
            scores (N,) of a game, the slopes of a penalty.
        training: one mode; None is both where they differ.
        labels: for layers and models that join labels; None draws them.

    Raises KindError, ShapeError, DataError or OptionError if the arguments make no sense.
    """
    if isinstance(subject, type) and issubclass(subject, Layer):
        return _class_pairs(subject, x, seed, training, labels)
    rng = np.random.default_rng(seed)
    if isinstance(subject, Layer):
        return _layer_pairs(subject, x, seed, rng, training, labels)
    if isinstance(subject, Model):
        return _model_pairs(subject, x, seed, rng, training, labels)
    if labels is not None or training is not None:
        what = "labels" if labels is not None else "training"
        raise OptionError(f"{what}= is for layers and models, not for {subject}: leave it out")
    if isinstance(subject, AdversarialLoss):
        return _game_pairs(subject, x, rng)
    if isinstance(subject, Likelihood):
        return _likelihood_pairs(subject, x, rng)
    if isinstance(subject, Penalty):
        return _penalty_pairs(subject, x, rng)
    kind = "the class " + subject.__name__ if isinstance(subject, type) else repr(subject)
    advice = "wants an object of it" if isinstance(subject, type) else "wants an object"
    raise KindError(
        f"check got {kind}: {advice}: a layer, such as Dense(5, 3), a likelihood, a game, a "
        f"penalty, an optimizer or a model; for functions there is check_pair(f, vjp, args)"
    )


def layer_pair(
    layer: Layer, x: Array, seed: int, training: bool, labels: Array | None = None
) -> LayerPair:
    """The pair of a layer at x, with random parameters.

    They are made positive where the output is not finite otherwise, as for a scale that must not be
    negative.
    """
    blocks, state = layer_point(layer, x, np.random.default_rng(seed))
    pair = LayerPair(layer, blocks, state, training, labels, seed)
    if _is_finite(pair):
        return pair
    positive = {name: block if name == "x" else abs(block) for name, block in blocks.items()}
    other = LayerPair(layer, positive, state, training, labels, seed)
    return other if _is_finite(other) else pair


def in_double(model: Model, rng: np.random.Generator) -> Model:
    """A float64 copy of the model, whose constant arrays are varied at random.

    A new model has biases of 0 and gains of 1, which would hide mistakes.
    """
    double = copy.copy(model)
    double.dtype = np.dtype(np.float64)
    double.block = Block(model.block.layout, np.float64, rng)
    double.block.restore((model.vector, model.state))
    vary(double.block, rng)
    return double


def _class_pairs(kind: type[Layer], x: Any, seed: int, training: bool | None, labels: Any) -> Pairs:
    for name, value in {"x": x, "labels": labels}.items():
        if value is not None:
            raise OptionError(
                f"{name}= is for a layer, and {kind.__name__} is a class, which is checked at its "
                f"own examples: leave {name} out, or check an object, {kind.__name__}(...)"
            )
    points = layer_points(kind)
    return [pair for layer, shape in points for pair in pairs_of(layer, shape, seed, training)]


def _layer_pairs(
    layer: Layer, x: Any, seed: int, rng: np.random.Generator, training: bool | None, labels: Any
) -> Pairs:
    check_layer(layer, "check")
    x = given_or_drawn(x, lambda: example_shape_of(layer), lambda shape: spread(rng, shape))
    layer.out_shape(x.shape[1:])  # raises if x does not fit
    if labels is None:
        labels = draw_labels(layer, len(x), rng)
    else:
        labels = real_numbers(labels, "labels")
        if labels.shape != (len(x),):
            raise ShapeError(f"labels has shape {labels.shape}, wants ({len(x)},): one for each x")

    def pair_in(mode: bool) -> Pair:
        pair = layer_pair(layer, x, seed, mode, labels)
        is_random = _run(pair) is not None and pair.frozen.moved()
        if layer.example_wise and not is_random:  # a random mask depends on the place in the batch
            pair.per_example = {name: 0 for name in ("x", "labels") if name in pair.blocks}
        return pair

    if training is not None:
        return [(_label(x, training), pair_in(training))]
    train, evaluate = pair_in(True), pair_in(False)
    if _are_alike(train, evaluate) and not train.other_arrays:
        return [(_label(x), train)]
    return [(_label(x, True), train), (_label(x, False), evaluate)]


def _model_pairs(
    model: Model, x: Any, seed: int, rng: np.random.Generator, training: bool | None, labels: Any
) -> Pairs:
    double = in_double(model, rng)
    classes = getattr(getattr(model, "likelihood", None), "classes", 2)

    unscaled = copy.copy(double)
    unscaled.scaler = None

    def draw(shape: Shape) -> Array:
        return double.in_units(legal(unscaled.check, shape, rng, classes))

    x = double.check(given_or_drawn(x, lambda: model.shape, draw))
    if labels is None and double.n_labels:
        labels = rng.integers(double.n_labels, size=len(x))
    labels = double.check_labels(labels, len(x))
    mode = True if training is None else training
    return [
        (f"{player}, {_label(x, training)}", ObjectivePair(double, player, x, labels, seed, mode))
        for player in double.players
    ]


def _game_pairs(game: AdversarialLoss, x: Any, rng: np.random.Generator) -> Pairs:
    real = given_or_drawn(x, lambda: (), lambda shape: 2 * spread(rng, shape))
    if real.ndim != 1:
        raise ShapeError(f"x has shape {real.shape}, wants scores (N,), as x=(5,)")
    fake = 2 * spread(rng, real.shape)

    def discriminator(real: Array, fake: Array) -> Array:
        return game.discriminator(real, fake)

    def discriminator_gradients(dvalue: Array, real: Array, fake: Array) -> tuple[Array, Array]:
        d = game.discriminator_gradients(real, fake, dvalue)
        return d.real, d.fake

    def generator(fake: Array) -> Array:
        return game.generator(fake)

    def generator_gradients(dvalue: Array, fake: Array) -> Array:
        gradient: Array = game.generator_gradients(fake, dvalue).fake
        return gradient

    return [
        _example_pair("discriminator", game, discriminator, discriminator_gradients, (real, fake)),
        _example_pair("generator", game, generator, generator_gradients, (fake,)),
    ]


def _likelihood_pairs(likelihood: Likelihood, x: Any, rng: np.random.Generator) -> Pairs:
    classes = getattr(likelihood, "classes", 2)

    def draw(shape: Shape) -> Array:
        return legal(likelihood.check, shape, rng, classes)

    x = given_or_drawn(x, lambda: (3,), draw)
    likelihood.check(x)
    raw = spread(rng, (len(x), *likelihood.raw_shape(x.shape[1:])))
    is_whole = bool((x == np.rint(x)).all())  # and stays so when x moves by an ulp

    def log_prob(x: Array, raw: Array) -> Array:
        return likelihood.log_prob(np.rint(x) if is_whole else x, raw)

    def raw_gradient(dvalue: Array, x: Array, raw: Array) -> dict[str, Array]:
        return {"raw": likelihood.raw_gradient(np.rint(x) if is_whole else x, raw, dvalue)}

    label, pair = _example_pair(_label(x), likelihood, log_prob, raw_gradient, (x, raw))
    pair.checked, pair.constants = ["raw"], ["x"]
    return [(label, pair)]


def _penalty_pairs(penalty: Penalty, x: Any, rng: np.random.Generator) -> Pairs:
    slope = given_or_drawn(x, lambda: (3,), lambda shape: spread(rng, shape))

    def value(slope: Array) -> Array:
        return penalty.value(slope)

    def slope_gradient(dvalue: Array, slope: Array) -> Array:
        return penalty.slope_gradient(slope, dvalue)

    return [_example_pair(_label(slope), penalty, value, slope_gradient, (slope,))]


def _example_pair(
    label: str, subject: Any, f: Callable[..., Any], vjp: Callable[..., Any], args: Any
) -> tuple[str, Pair]:
    """A pair with a value for each example."""
    pair = VJPPair(f, vjp, args, name=str(getattr(subject, "name", subject)))
    pair.per_example = dict.fromkeys(pair.blocks, 0)
    return label, pair


def _label(x: Array, training: bool | None = None) -> str:
    mode = "" if training is None else ", training" if training else ", evaluation"
    return f"x {x.shape}{mode}"


def _run(pair: Pair, back: bool = False) -> list[Array] | None:
    """The outputs at the pair's point, with `back` the gradients too; None if a pass fails."""
    try:
        with np.errstate(all="ignore"):
            run = pair.forward({name: block.copy() for name, block in pair.blocks.items()})
            arrays = [y.copy() for y in run.outputs]
            if back:
                ones = [np.ones(y.shape) for y in arrays]
                gradients = pair.backward(run, ones).values()
                arrays += [g for g in gradients if isinstance(g, np.ndarray)]
    except Stopped:
        return None
    pair.forward_calls = pair.backward_calls = 0
    return arrays


def _is_finite(pair: Pair) -> bool:
    outputs = _run(pair)
    return outputs is None or all(np.isfinite(y).all() for y in map(np.asarray, outputs))


def _are_alike(train: Pair, evaluate: Pair) -> bool:
    """Whether both modes give equal outputs and gradients, and neither draws random numbers."""
    first, second = _run(train, back=True), _run(evaluate, back=True)
    if first is None or second is None or train.frozen.moved():
        return first is second
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

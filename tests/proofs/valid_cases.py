"""Random right cases: a pair at a point, as awkward as users make them.

    draw_case(seed, index) -> Case       the same case every time

A case is a pair of one of the families, and what makes it awkward, each drawn by itself:

    scale      half of the cases have numbers of size 1; in the others x and every parameter block
               have a size of their own, from 1e-3 to 1e3
    batch      1 example in one case of five, else 2 to 6
    layout     Fortran order, every second number, a negative stride; one case of three
    kink       exact zeros, ties, or whole numbers among the arguments; one case of five
    float32    everything inside is computed in single precision; one case of twenty
    offset     1e6 to 1e9 is added to all outputs; one case of twenty

Nothing is known about the checker here. A case is drawn again, and counted, only where its forward
pass is not finite at its own point: that is a bug of the user's that another contract reports.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from valid_functions import FUNCTIONS

import scratchgen as sg
from scratchgen import nn
from scratchgen.distributions import bernoulli, categorical, gaussian
from scratchgen.gradcheck.library.subjects import LayerPair, ObjectivePair, in_double
from scratchgen.gradcheck.measuring.passes import Stopped
from scratchgen.gradcheck.pairs.function_pairs import VJPPair
from scratchgen.gradcheck.pairs.pair import Pair
from scratchgen.nn import Layout

Array = np.ndarray
Rng = np.random.Generator
Scale = Callable[[], float]
N_LABELS = 4
SHARES = {"layer": 0.32, "network": 0.2, "function": 0.28, "likelihood": 0.08, "loss": 0.07,
          "distribution": 0.04, "model": 0.01}  # fmt: skip


@dataclass
class Case:
    """A right pair and how it was made; `redrawn` counts the points that were not finite."""

    family: str
    name: str
    pair: Pair
    how: dict[str, Any] = field(default_factory=dict)
    redrawn: int = 0


def draw_case(seed: int, index: int) -> Case:
    """The case with this number."""
    redrawn = 0
    while True:
        rng = np.random.default_rng([seed, index, redrawn])
        with np.errstate(all="ignore"):
            case = one_case(rng)
            if _is_finite(case.pair):
                case.redrawn = redrawn
                return case
        redrawn += 1


def one_case(rng: Rng) -> Case:
    """A random case."""
    family = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    how: dict[str, Any] = {"n": 1 if rng.random() < 0.2 else int(rng.integers(2, 7))}
    scale = Scales(rng)
    name, pair, zeros = FAMILIES[family](rng, how["n"], scale)
    if not scale.is_one:
        how["scales"] = True
    if family != "model":
        _awkward(rng, pair, how, zeros)
    return Case(family, name, pair, how)


class Scales:
    """A function that draws the scale of each array: always 1, or from 1e-3 to 1e3."""

    def __init__(self, rng: Rng) -> None:
        self.rng, self.is_one = rng, bool(rng.random() < 0.5)

    def __call__(self) -> float:
        return 1.0 if self.is_one else float(10 ** self.rng.uniform(-3, 3))


def a_layer(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """A layer of any kind with random settings."""
    kind = str(rng.choice(sorted(nn.LAYERS)))
    layer, shape = _layer(kind, rng)
    return kind, _at_a_point(layer, (n, *shape), rng, scale), True


def a_network(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """Two to six layers of any kinds that fit each other."""
    d = int(rng.integers(1, 6))
    layers: list[nn.Layer] = []
    shape = (d,)
    for _ in range(rng.integers(2, 7)):
        layer = _next(rng, shape, layers)
        shape = layer.out_shape(shape)
        layers.append(layer)
    network = nn.Network((d,), *layers)
    return (
        "-".join(type(layer).__name__ for layer in layers),
        _at_a_point(network, (n, d), rng, scale),
        True,
    )


def a_function(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """A pair of functions as users write them."""
    name = str(rng.choice(list(FUNCTIONS)))
    function = FUNCTIONS[name]
    return (
        name,
        VJPPair(function.f, function.vjp, function.draw(rng, n, scale()), name),
        function.zeros,
    )


def a_likelihood(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """A likelihood of suitable data, as a function of the raw outputs."""
    d = int(rng.integers(1, 5))
    kinds: list[sg.distributions.Likelihood] = [
        sg.distributions.Bernoulli(),
        sg.distributions.Categorical(int(rng.integers(2, 6))),
        sg.distributions.FixedGaussian(float(10 ** rng.uniform(-3, 2))),
        sg.distributions.MeanSquaredError(),
        sg.distributions.SharedGaussian(),
        sg.distributions.Gaussian(),
    ]
    kind = kinds[rng.integers(len(kinds))]
    x = rng.standard_normal((n, d))
    if isinstance(kind, sg.distributions.Bernoulli):
        x = rng.random((n, d)) if rng.random() < 0.5 else rng.integers(2, size=(n, d)).astype(float)
    if isinstance(kind, sg.distributions.Categorical):
        x = rng.integers(kind.classes, size=(n, d)).astype(float)
    raw = scale() * rng.standard_normal((n, *kind.raw_shape((d,))))

    def f(raw: Array) -> Array:
        return kind.log_prob(x, raw)

    def vjp(dy: Array, raw: Array) -> Array:
        return kind.raw_gradient(x, raw, dy)

    return kind.name, VJPPair(f, vjp, (raw,), kind.name), True


def a_loss(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """A player's loss, or a penalty as a function of the slope."""
    if rng.random() < 0.3:
        kind = (sg.losses.GradientPenalty, sg.losses.R1)[rng.integers(2)]
        penalty = kind(float(10 ** rng.uniform(-2, 2)))
        slope = scale() * rng.standard_normal((n, rng.integers(1, 6)))
        pair = VJPPair(penalty.value, lambda dy, s: penalty.slope_gradient(s, dy), (slope,))
        return penalty.name, pair, True
    game = list(sg.losses.LOSSES.values())[rng.integers(len(sg.losses.LOSSES))]
    real, fake = scale() * rng.standard_normal(n), scale() * rng.standard_normal(n)
    if rng.random() < 0.5:

        def both(dy: Array, real: Array, fake: Array) -> tuple[Array, Array]:
            d = game.discriminator_gradients(real, fake, dy)
            return d.real, d.fake

        return game.name, VJPPair(game.discriminator, both, (real, fake)), True

    def generator_gradient(dy: Array, fake: Array) -> Array:
        return game.generator_gradients(fake, dy).fake

    return game.name, VJPPair(game.generator, generator_gradient, (fake,)), True


def a_distribution(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """A free function of the rooms of distributions."""
    d = int(rng.integers(1, 5))
    draw = rng.standard_normal
    mu, log_var, x = (scale() * draw((n, d)) for _ in range(3))
    noise, labels = draw((n, d)), rng.integers(d, size=n)

    def grouped(d: Any, *names: str) -> tuple[Array, ...]:
        return tuple(getattr(d, name) for name in names)

    pairs: dict[str, tuple[Any, Any, tuple[Array, ...]]] = {
        "gaussian.draw": (
            lambda m, v: gaussian.draw(m, v, noise),
            lambda dy, m, v: grouped(gaussian.draw_gradients(v, noise, dy), "mu", "log_var"),
            (mu, log_var),
        ),
        "gaussian.kl_to_standard": (
            gaussian.kl_to_standard,
            lambda dy, m, v: grouped(gaussian.kl_to_standard_gradients(m, v, dy), "mu", "log_var"),
            (mu, log_var),
        ),
        "gaussian.log_prob": (
            gaussian.log_prob,
            lambda dy, x, m, v: grouped(
                gaussian.log_prob_gradients(x, m, v, dy), "x", "mu", "log_var"
            ),
            (x, mu, log_var),
        ),
        "bernoulli.log_prob": (
            lambda l: bernoulli.log_prob(noise > 0, l),  # noqa: E741 - logits
            lambda dy, l: bernoulli.log_prob_gradients(noise > 0, l, dy).logits,  # noqa: E741
            (x,),
        ),
        "categorical.log_prob": (
            lambda l: categorical.log_prob(labels, l),  # noqa: E741
            lambda dy, l: categorical.log_prob_gradients(labels, l, dy).logits,  # noqa: E741
            (x,),
        ),
    }
    name = list(pairs)[rng.integers(len(pairs))]
    return name, VJPPair(*pairs[name], name), True


def a_model(rng: Rng, n: int, scale: Scale) -> tuple[str, Pair, bool]:
    """A player's loss in a small model, near its initial parameters."""
    x = rng.standard_normal((n, 3))
    maker = (sg.models.vae, sg.models.gan, sg.models.wgan_gp)[rng.integers(3)]
    model = in_double(maker((3,), latent=2, hidden=(4,), rng=int(rng.integers(1000))), rng)
    player = list(model.players)[rng.integers(len(model.players))]
    pair = ObjectivePair(model, player, x, seed=int(rng.integers(1000)))
    return f"{model.kind}, {player}", pair, False


FAMILIES: dict[str, Callable[[Rng, int, Scale], tuple[str, Pair, bool]]] = {
    "layer": a_layer,
    "network": a_network,
    "function": a_function,
    "likelihood": a_likelihood,
    "loss": a_loss,
    "distribution": a_distribution,
    "model": a_model,
}


def _layer(kind: str, rng: Rng) -> tuple[nn.Layer, tuple[int, ...]]:
    """A layer of this kind, and the shape of an example for it."""
    a, b, c = (int(k) for k in rng.integers(1, 6, 3))
    shape = tuple(int(k) for k in rng.integers(1, 5, rng.integers(1, 4)))
    bias = (None, "zeros")[rng.integers(2)]
    if kind == "Dense":
        return nn.Dense(a, b, bias=bias), (a,)
    if kind == "Tied":
        dense = nn.Dense(a, b)
        return nn.Network((a,), dense, nn.Tanh(), nn.Tied(dense, bias=bias)), (a,)
    if kind in ("LayerNorm", "BatchNorm"):
        features = a + 1
        eps = float(10 ** rng.uniform(-8, -2))
        made = (
            nn.LayerNorm(features, eps) if kind == "LayerNorm" else nn.BatchNorm(features, 0.9, eps)
        )
        return made, (*shape[:-1], features)
    made_with: dict[str, Callable[[], tuple[nn.Layer, tuple[int, ...]]]] = {
        "LeakyReLU": lambda: (nn.LeakyReLU(float(rng.uniform(0, 0.9))), shape),
        "ELU": lambda: (nn.ELU(float(rng.uniform(0.1, 2))), shape),
        "GaussianNoise": lambda: (nn.GaussianNoise(float(rng.uniform(0, 2))), shape),
        "Dropout": lambda: (nn.Dropout(float(rng.uniform(0, 0.9))), shape),
        "Maxout": lambda: (nn.Maxout(a), (*shape[:-1], a * shape[-1])),
        "JoinLabels": lambda: (nn.JoinLabels(N_LABELS, b), (a,)),
        "JoinParameters": lambda: (nn.JoinParameters(b), (a,)),
        "Reshape": lambda: (nn.Reshape(shape[::-1]), shape),
        "Residual": lambda: (_residual(a, b), (a,)),
        "Network": lambda: (nn.Network((a,), nn.Dense(a, b), nn.Tanh(), nn.Dense(b, c)), (a,)),
    }
    return made_with[kind]() if kind in made_with else (nn.LAYERS[kind](), shape)


def _residual(a: int, b: int) -> nn.Residual:
    return nn.Residual(nn.Network((a,), nn.Dense(a, b), nn.ReLU(), nn.Dense(b, a)))


def _next(rng: Rng, shape: tuple[int, ...], before: list[nn.Layer]) -> nn.Layer:
    """A layer that takes examples of that shape."""
    d = shape[0]
    if len(shape) > 1:
        return nn.Flatten()
    activations = tuple(nn.ACTIVATIONS.values())
    others: list[Callable[[], nn.Layer]] = [
        lambda: nn.Dropout(0.3),
        lambda: nn.GaussianNoise(0.5),
        lambda: nn.BatchNorm(d),
        lambda: nn.Maxout(2) if d % 2 == 0 else nn.Maxout(1),
        lambda: _residual(d, int(rng.integers(1, 5))),
        lambda: nn.JoinLabels(N_LABELS, 2),
        lambda: nn.JoinParameters(1),
        lambda: nn.Reshape((1, d)),
        lambda: nn.LayerNorm(d) if d > 1 else nn.Tanh(),
    ]
    choice = rng.random()
    if choice < 0.4:
        tied = [layer for layer in before if isinstance(layer, nn.Dense) and layer.n_out == d]
        if tied and rng.random() < 0.3:
            return nn.Tied(tied[0])
        return nn.Dense(d, int(rng.integers(1, 7)), bias=(None, "zeros")[rng.integers(2)])
    if choice < 0.7:
        return activations[rng.integers(len(activations))]()
    return others[rng.integers(len(others))]()


def _at_a_point(layer: nn.Layer, shape: tuple[int, ...], rng: Rng, scale: Scale) -> LayerPair:
    """The layer with random arrays, in training or evaluation mode."""
    blocks, state = {"x": scale() * rng.standard_normal(shape)}, {}
    for entry in Layout(it=layer).entries:
        name = entry.name.removeprefix("it.")
        if entry.trained:
            blocks[name] = scale() * rng.standard_normal(entry.shape)
        else:
            state[name] = rng.uniform(0.1, 2, entry.shape)
    labels = rng.integers(N_LABELS, size=shape[0])
    training = bool(rng.random() < 0.7)
    pair = LayerPair(layer, blocks, state, training, labels, seed=int(rng.integers(10_000)))
    pair.forward(pair.blocks)
    if layer.example_wise and not pair.frozen.moved():  # a mask is drawn by the place in the batch
        pair.per_example = {name: 0 for name in ("x", "labels") if name in pair.blocks}
    return pair


def _awkward(rng: Rng, pair: Pair, how: dict[str, Any], zeros: bool) -> None:
    """Adds kinks, layouts, single precision and offsets at random, and notes each in `how`."""
    if zeros and rng.random() < 0.2:
        how["kink"] = str(rng.choice(["zeros", "ties", "whole"]))
        for name, block in pair.blocks.items():
            pair.blocks[name] = _with_kinks(rng, block, how["kink"])
    if rng.random() < 1 / 3:
        how["layout"] = str(rng.choice(["F", "every second", "backwards"]))
        for name, block in pair.blocks.items():
            pair.blocks[name] = _laid_out(block, how["layout"])
    if rng.random() < 0.05:
        how["float32"] = True
        _in_single(pair)
    if rng.random() < 0.05:
        how["offset"] = float(10 ** rng.uniform(6, 9))
        _add_offset(pair, how["offset"])


def _with_kinks(rng: Rng, block: Array, kink: str) -> Array:
    """The block with some zeros, with ties, or with integers only."""
    flat = block.reshape(-1).copy()
    if kink == "zeros":
        flat[rng.random(flat.size) < 0.4] = 0
    if kink == "ties":
        flat = flat[rng.integers(flat.size, size=flat.size)]
    if kink == "whole":
        flat = np.round(flat)
    return flat.reshape(block.shape)


def _laid_out(block: Array, layout: str) -> Array:
    """The same numbers in another memory layout."""
    if block.ndim == 0:
        return block
    if layout == "F":
        return np.asfortranarray(block)
    if layout == "backwards":
        return block[::-1].copy()[::-1]
    wide = np.zeros((*block.shape[:-1], 2 * block.shape[-1]))
    wide[..., ::2] = block
    return wide[..., ::2]


def _single(value: Any) -> Any:
    """A value whose arrays, at any depth, are in single precision."""
    if isinstance(value, tuple | list):
        return type(value)(_single(item) for item in value)
    if isinstance(value, dict):
        return {name: _single(item) for name, item in value.items()}
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**_single(vars(value)))
    if isinstance(value, np.ndarray | float) and np.asarray(value).dtype.kind == "f":
        return np.asarray(value, np.float32)
    return value


def _double(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_double(item) for item in value)
    return np.asarray(value, np.float64)


def _in_single(pair: Any) -> None:
    """Compute both passes in float32."""
    forward, backward = pair._forward, pair._backward
    if isinstance(pair, LayerPair):
        pair.other_arrays, pair.layer = _single(pair.other_arrays), InSingle(pair.layer)

    def single_forward(blocks: dict[str, Array]) -> tuple[Any, Any]:
        y, memory = forward(_single(blocks))
        return _double(y), memory

    pair._forward = single_forward
    pair._backward = lambda run, dy: backward(run, _single(dy))


class InSingle:
    """A layer whose backward pass computes in float32, as all its arrays share a float type."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def backward(self, p: Any, dy: Array, tape: Any, g: Any = None, need_dx: bool = True) -> Any:
        own = _single(g)
        pairs = list(_pairs(own, g))
        for x, _ in pairs:
            x[...] = 0
        dx = self._layer.backward(p, _single(dy), tape, own, need_dx)
        for x, into in pairs:  # which may be windows of the same memory
            into += x
        return dx


def _pairs(first: Any, second: Any) -> Iterator[tuple[Array, Array]]:
    """The pairs of arrays of two trees with the same structure."""
    if isinstance(first, np.ndarray):
        yield first, second
    elif isinstance(first, SimpleNamespace):
        yield from _pairs(list(vars(first).values()), list(vars(second).values()))
    elif isinstance(first, list):
        for pair in zip(first, second, strict=True):
            yield from _pairs(*pair)


def _add_offset(pair: Any, offset: float) -> None:
    """Add a constant to all outputs."""
    forward = pair._forward

    def moved(blocks: dict[str, Array]) -> tuple[Any, Any]:
        y, memory = forward(blocks)
        return (tuple(part + offset for part in y) if isinstance(y, tuple) else y + offset), memory

    pair._forward = moved


def _is_finite(pair: Pair) -> bool:
    """Whether the forward pass is finite at the point."""
    try:
        outputs = pair.forward(pair.blocks).outputs
    except Stopped as stop:
        raise RuntimeError(f"{pair.name}: {stop.text}") from stop
    return all(np.isfinite(y).all() for y in outputs)

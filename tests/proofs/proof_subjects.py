"""The subjects of mutation: every layer, likelihood, loss, penalty and model, at five points.

    SUBJECTS["Dense"][2]()      the third point: a pair of plain NumPy functions, and arguments
    with at_work(mutant):       subjects run with the mutant inside

A mutant is at work in the backward pass alone, and in a tangent: the forward pass stays what it is.
"""

import functools
import inspect
import math
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["SCRATCHGEN_JIT"] = "0"  # the formulas are what is mutated

import numpy as np
from operators import Mutant, keep_notes

from scratchgen import losses
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    FixedGaussian,
    Gaussian,
    MeanSquaredError,
    SharedGaussian,
    gaussian,
)
from scratchgen.models import GAN, VAE
from scratchgen.nn import (
    ELU,
    GELU,
    BatchNorm,
    Bound,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    JoinLabels,
    JoinParameters,
    LayerNorm,
    Layout,
    LeakyReLU,
    Maxout,
    Network,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    Tape,
    Tied,
)

keep_notes(Tape)
WHOLE = ("VAE", "GAN discriminator", "GAN generator", "penalise")  # with their forward passes


@dataclass
class Subject:
    """A pair of plain functions at a point.

    forward(*args) -> (output or tuple of outputs, cache);  backward(dy, cache) -> tuple.
    """

    kind: str
    label: str
    names: list[str]
    args: list[np.ndarray]
    forward: Callable[..., Any] = field(repr=False)
    backward: Callable[[Any, Any], tuple[Any, ...]] = field(repr=False)
    layer: Any = None  # of which this is the second order

    def __post_init__(self) -> None:
        plain = [name.replace(".", "_") for name in self.names]
        self.names = [f"layer_{name}" if name[0].isdigit() else name for name in plain]
        inner = self.forward

        def forward(*args: Any) -> Any:
            return inner(*args)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in self.names]
        )
        forward.__name__ = self.kind.replace(" ", "_")
        self.forward = forward

    def outputs(self, *args: Any) -> tuple[np.ndarray, ...]:
        """The outputs of forward as a tuple of arrays; the arguments are copied."""
        y, _ = self.forward(*[np.array(array) for array in args])
        return tuple(map(np.asarray, y)) if isinstance(y, tuple) else (np.asarray(y),)

    def call_backward(self, dys: list[np.ndarray], cache: Any) -> tuple[Any, ...]:
        """The gradients for a list of cotangents."""
        return self.backward(tuple(dys) if len(dys) > 1 else dys[0], cache)


CURRENT: list[Mutant] = []  # the mutant at work, if any
RECORD: list[set[Any]] = []  # where the functions that run are noted, if anywhere


@contextmanager
def spoiled() -> Iterator[None]:
    """The phase in which the mutant is active."""
    with CURRENT[0].applied() if CURRENT else nullcontext():
        if not RECORD:
            yield
            return
        codes = RECORD[0]
        sys.setprofile(lambda frame, event, _: codes.add(frame.f_code) if event == "call" else None)
        try:
            yield
        finally:
            sys.setprofile(None)


@contextmanager
def at_work(mutant: Mutant | None) -> Iterator[None]:
    """Subjects run with this mutant inside."""
    CURRENT[:] = [mutant] if mutant else []
    try:
        yield
    finally:
        CURRENT.clear()


def signed(rng: np.random.Generator, shape: Any, low: float = 0.1, high: float = 1.5) -> Any:
    """Numbers of both signs, away from 0."""
    return rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def spread(rng: np.random.Generator, shape: Any) -> Any:
    """Numbers far apart, so that no maximum is near a tie."""
    n = math.prod(shape)
    return (0.3 * (rng.permutation(n) - n / 2) + rng.uniform(-0.1, 0.1, n)).reshape(shape)


def layer_point(layer: Any, x: Any, rng: np.random.Generator) -> Any:
    """The names and values of the blocks, and the state by the names of the layout."""
    names, args, state = ["x"], [x], {}
    for entry in Layout(it=layer).entries:
        if entry.trained:
            names.append(entry.name.removeprefix("it."))
            args.append(signed(rng, entry.shape))
        else:
            state[entry.name] = rng.uniform(0.5, 1.5, entry.shape)
    return names, args, state


def of_layer(
    layer: Any, shape: Any, training: bool = True, seed: int = 1, labels: Any = None, x: Any = None
) -> Subject:
    """The first order of a layer: x and its parameters -> y."""
    rng = np.random.default_rng(seed)
    x = spread(rng, shape) if x is None else x
    names, args, state = layer_point(layer, x, rng)
    layout = Layout(it=layer)
    paths = [f"it.{name}" for name in names[1:]]

    def tree(arrays: Any) -> Any:
        return layout.tree({**dict(zip(paths, arrays, strict=True)), **state}).it

    def forward(x: Any, *w: Any) -> Any:
        rng = np.random.default_rng(5)
        tape = Tape().begin(training=training, rng=rng, labels=labels)
        p = tree(w)
        return layer.forward(p, x, tape), (p, tape, w)

    def backward(dy: Any, cache: Any) -> tuple[Any, ...]:
        p, tape, w = cache
        g = [np.zeros(cotangent.shape) for cotangent in w]
        with spoiled():
            dx = layer.backward(p, dy, tape, layout.tree(dict(zip(paths, g, strict=True))).it)
        return dx, *g

    mode = "" if training else ", evaluation"
    return Subject(type(layer).__name__, f"{layer} {shape}{mode}", names, args, forward, backward)


def of_second_order(
    layer: Any, shape: Any, training: bool = True, seed: int = 2, labels: Any = None, x: Any = None
) -> Subject:
    """The second order of a layer: x, u and its parameters -> y and v = J u."""
    rng = np.random.default_rng(seed)
    x = spread(rng, shape) if x is None else x
    names, args, _ = layer_point(layer, x, rng)
    layout = Layout(it=layer)
    paths = [f"it.{name}" for name in names[1:]]

    def tree(arrays: Any) -> Any:
        return layout.tree(dict(zip(paths, arrays, strict=True))).it

    def forward(x: Any, u: Any, *w: Any) -> Any:
        rng = np.random.default_rng(5)
        tape = Tape().begin(training=training, rng=rng, labels=labels)
        p = tree(w)
        y = layer.forward(p, x, tape)
        with spoiled():
            v = layer.tangent(p, u, tape)
        return (y, v), (p, tape, w)

    def backward(dys: Any, cache: Any) -> tuple[Any, ...]:
        p, tape, w = cache
        g = [np.zeros(cotangent.shape) for cotangent in w]
        with spoiled():
            d = layer.tangent_backward(p, *dys, tape, tree(g))
        return d.x, d.u, *g

    kind = f"{type(layer).__name__} second order"
    names, args = ["x", "u", *names[1:]], [x, signed(rng, x.shape), *args[1:]]
    label = f"{layer} {shape}, second order"
    return Subject(kind, label, names, args, forward, backward, layer)


def of_functions(kind: str, label: str, names: Any, args: Any, f: Any, vjp: Any) -> Subject:
    """A value f(*args) and its gradients vjp(dy, *args), as they stand in the library."""

    def forward(*args: Any) -> Any:
        return f(*args), args

    def backward(dy: Any, cache: Any) -> tuple[Any, ...]:
        with spoiled():
            found = vjp(dy, *cache)
        if isinstance(found, types.SimpleNamespace):
            return tuple(getattr(found, name) for name in names)
        return found if isinstance(found, tuple) else (found,)

    return Subject(kind, label, list(names), list(args), forward, backward)


def of_likelihood(likelihood: Any, shape: Any, seed: int = 3) -> Subject:
    """log p(x|z) as a function of the decoder outputs."""
    rng = np.random.default_rng(seed)
    raw = signed(rng, (shape[0], *likelihood.raw_shape(shape[1:])))
    x = rng.standard_normal(shape)
    if isinstance(likelihood, Bernoulli):
        x = rng.random(shape)
    if isinstance(likelihood, Categorical):
        x = rng.integers(likelihood.classes, size=shape).astype(float)
    return of_functions(
        type(likelihood).__name__,
        f"{likelihood} {shape}",
        ["raw"],
        [raw],
        lambda raw: likelihood.log_prob(x, raw),
        lambda dvalue, raw: likelihood.raw_gradient(x, raw, dvalue),
    )


def of_penalty(penalty: Any, shape: Any, seed: int = 4) -> Subject:
    """A penalty as a function of the slope."""
    slope = signed(np.random.default_rng(seed), shape)
    return of_functions(
        type(penalty).__name__,
        f"{penalty} {shape}",
        ["slope"],
        [slope],
        penalty.value,
        lambda dvalue, slope: penalty.slope_gradient(slope, dvalue),
    )


class _Weighted(losses.Penalty):
    """A penalty with a different weight for each example."""

    def __init__(self, penalty: Any, weights: Any) -> None:
        self.penalty, self.weights = penalty, weights

    def value_and_gradient(self, slope: Any, dvalue: Any) -> Any:
        return self.penalty.value_and_gradient(slope, dvalue * self.weights)


def of_penalised(penalty: Any, network: Any, n: int, seed: int = 5) -> Subject:
    """The penalty of a network for each example, as a function of its parameters."""
    rng = np.random.default_rng(seed)
    x = signed(rng, (n, *network.in_shape))
    names, args, _ = layer_point(network, x, rng)
    layout = Layout(it=network)
    paths = [f"it.{name}" for name in names[1:]]

    def tree(arrays: Any) -> Any:
        return layout.tree(dict(zip(paths, arrays, strict=True))).it

    def forward(*w: Any) -> Any:
        d = Bound(network, tree(w), Tape().begin())
        return losses.penalise(penalty, d, x, 1), w

    def backward(dvalue: Any, w: Any) -> tuple[Any, ...]:
        g = [np.zeros(cotangent.shape) for cotangent in w]
        with spoiled():
            d = Bound(network, tree(w), Tape().begin(), tree(g))
            losses.penalise(_Weighted(penalty, dvalue), d, x, 1)
        return tuple(g)

    label = f"{penalty} of {network}, N={n}"
    return Subject("penalise", label, names[1:], args[1:], forward, backward)


def of_objective(kind: str, make: Any, player: str, shape: Any, seed: int = 6) -> Subject:
    """A player's loss as a function of the arrays that it trains."""
    rng = np.random.default_rng(seed)
    model = make()
    x = rng.random(shape)
    layout, names = model.block.layout, model.players[player]
    start, moved = layout.span(names).start, layout.entries_of(names)
    entries = [(entry, entry.view(model.vector)) for entry in moved if entry.trained]
    for _, view in entries:
        view[...] = signed(rng, view.shape)

    def run(arrays: Any, gradient: Any) -> float:
        for (_, view), array in zip(entries, arrays, strict=True):
            np.copyto(view, array)
        return model.objective(player, x, np.random.default_rng(7), gradient, Tape())

    def forward(*arrays: Any) -> Any:
        return np.float64(run(arrays, None)), arrays

    def backward(dy: Any, arrays: Any) -> tuple[Any, ...]:
        gradient = model.gradient(player)
        with spoiled():
            run(arrays, gradient)
        return tuple(dy * entry.view(gradient.vector, start) for entry, _ in entries)

    labels, args = [entry.name for entry, _ in entries], [view.copy() for _, view in entries]
    return Subject(kind, f"{kind} {shape}", labels, args, forward, backward)


def _subjects() -> dict[str, list[Callable[[], Subject]]]:
    """Kind -> its points, each a function that makes the subject."""
    later = functools.partial
    found: dict[str, list[Any]] = {}
    found["Dense"] = [
        later(of_layer, Dense(5, 2), (1, 5)),
        later(of_layer, Dense(3, 4), (2, 3)),
        later(of_layer, Dense(4, 3), (5, 4)),
        later(of_layer, Dense(3, 3), (4, 3)),
        later(of_layer, Dense(3, 3), (3, 3)),
    ]
    two = {
        "Dense": [
            (Dense(5, 2), (1, 5)),
            (Dense(3, 4), (2, 3)),
            (Dense(4, 3), (5, 4)),
            (Dense(3, 3), (4, 3)),
            (Dense(3, 3), (3, 3)),
        ]
    }
    shapes = [(1, 3), (2, 4), (5, 3), (3, 3), (4, 2, 3)]
    for kind in (ReLU, Tanh, Sigmoid, Softplus, SiLU, GELU):
        two[kind.__name__] = [(kind(), shape) for shape in shapes]
    leaks, alphas = (0.2, 0.3, 0.05, 0.2, 0.7), (1.0, 0.7, 1.0, 1.6, 0.3)
    two["LeakyReLU"] = [(LeakyReLU(a), shape) for a, shape in zip(leaks, shapes, strict=True)]
    two["ELU"] = [(ELU(a), shape) for a, shape in zip(alphas, shapes, strict=True)]
    two["LayerNorm"] = [
        (LayerNorm(shape[-1]), shape) for shape in ((1, 5), (2, 4), (5, 3), (4, 4), (4, 2, 3))
    ]
    two["Maxout"] = [
        (Maxout(k), shape)
        for k, shape in ((2, (1, 4)), (2, (2, 4)), (3, (5, 6)), (3, (4, 3)), (2, (3, 2, 6)))
    ]
    two["Dropout"] = [
        (Dropout(drop), shape)
        for drop, shape in zip(
            (0.2, 0.5, 0.3, 0.4, 0.5), ((1, 6), (2, 4), (5, 3), (4, 4), (4, 2, 3)), strict=True
        )
    ]
    two["GaussianNoise"] = [(GaussianNoise(0.5), shape) for shape in shapes]
    two["Reshape"] = [
        (Reshape(out), shape)
        for out, shape in (
            ((3, 1), (1, 3)),
            ((2, 2), (2, 4)),
            ((3, 2), (5, 2, 3)),
            ((6,), (3, 3, 2)),
            ((4,), (4, 4)),
        )
    ]
    two["Flatten"] = [
        (Flatten(), shape) for shape in ((1, 3), (2, 2, 2), (5, 3, 2), (3, 3), (4, 2, 3))
    ]
    two["Residual"] = [
        (Residual(Network((d,), Dense(d, k), Tanh(), Dense(k, d))), (n, d))
        for n, d, k in ((1, 3, 2), (2, 4, 3), (5, 3, 4), (3, 3, 3), (4, 2, 5))
    ]
    two["Network"] = [
        (_network(a, b, c), (n, a))
        for n, a, b, c in ((1, 3, 2, 4), (2, 4, 3, 2), (5, 3, 4, 2), (3, 3, 3, 3), (4, 2, 5, 3))
    ]
    two["Tied"] = [
        (_tied(a, b), (n, a)) for n, a, b in ((1, 3, 2), (2, 4, 3), (5, 3, 4), (3, 3, 3), (4, 2, 5))
    ]
    two["shared layers"] = [
        (_shared(d, k), (n, d))
        for n, d, k in ((1, 3, 2), (2, 4, 1), (5, 3, 4), (3, 3, 3), (4, 5, 2))
    ]
    two["JoinParameters"] = [
        (JoinParameters(k), (n, d))
        for n, d, k in ((1, 3, 2), (2, 4, 1), (5, 3, 4), (3, 3, 3), (4, 2, 2))
    ]
    joined = [
        (n, d, k, labels)
        for n, d, k, labels in (
            (1, 3, 2, [1]),
            (2, 4, 1, [2, 2]),
            (5, 3, 4, [0, 2, 2, 1, 0]),
            (3, 3, 3, [1, 1, 0]),
            (4, 2, 2, [0, 1, 2, 0]),
        )
    ]
    for kind_name, points in two.items():
        found[kind_name] = [later(of_layer, layer, shape) for layer, shape in points]
        found[f"{kind_name} second order"] = [later(of_second_order, *point) for point in points]
    for way, suffix in ((of_layer, ""), (of_second_order, " second order")):
        found[f"JoinLabels{suffix}"] = [
            later(way, JoinLabels(3, k), (n, d), labels=np.array(labels))
            for n, d, k, labels in joined
        ]
    for name in ("Dropout", "GaussianNoise"):
        layer = two[name][2][0]
        found[name].append(later(of_layer, layer, (5, 3), False))
    found["BatchNorm"] = [
        later(of_layer, BatchNorm(shape[-1]), shape, training)
        for shape, training in (
            ((3, 2), True),
            ((5, 3), True),
            ((4, 4), True),
            ((4, 2, 3), True),
            ((6, 1), True),
            ((1, 4), False),
            ((5, 3), False),
        )
    ]
    flat, deep = [(1, 3), (2, 4), (5, 3), (3, 3)], (4, 2, 3)
    for likelihood in (
        Bernoulli(),
        Categorical(3),
        FixedGaussian(0.3),
        MeanSquaredError(),
        SharedGaussian(0.05),
        Gaussian(0.05),
    ):
        found[type(likelihood).__name__] = [
            later(of_likelihood, likelihood, shape) for shape in (*flat, deep)
        ]
    for name in ("draw", "kl", "log_prob"):
        found[f"gaussian {name}"] = [later(_of_gaussian, name, shape) for shape in (*flat, (4, 2))]
    sizes = (1, 2, 5, 4, 9)
    for game in losses.LOSSES.values():
        found[f"{game.name} discriminator"] = [later(_of_game, game, True, n) for n in sizes]
        found[f"{game.name} generator"] = [later(_of_game, game, False, n) for n in sizes]
    for penalty in (losses.GradientPenalty(3.0, 0.7), losses.R1(3.0)):
        found[type(penalty).__name__] = [
            later(of_penalty, penalty, shape) for shape in (*flat, deep)
        ]
    gp, r1 = losses.GradientPenalty(3.0, 0.7), losses.R1(3.0)
    found["penalise"] = [
        later(of_penalised, penalty, Network((d,), Dense(d, k), *mid, Dense(k, 1)), n)
        for penalty, n, d, k, mid in (
            (gp, 1, 3, 4, [Tanh()]),
            (r1, 2, 4, 3, [Softplus()]),
            (gp, 5, 3, 3, [LayerNorm(3)]),
            (r1, 3, 2, 5, [GELU()]),
            (gp, 4, 2, 4, [SiLU(), Residual(Dense(4, 4))]),
        )
    ]
    found["VAE"] = [
        later(of_objective, "VAE", later(_vae, d, z, like, bits), "vae", (n, d))
        for n, d, z, like, bits in (
            (1, 3, 2, "bernoulli", 0.0),
            (2, 4, 1, "gaussian", 0.0),
            (5, 3, 2, "gaussian", 0.05),
            (3, 3, 3, "bernoulli", 0.2),
            (4, 2, 2, "gaussian_fixed", 0.0),
        )
    ]
    for player in ("discriminator", "generator"):
        found[f"GAN {player}"] = [
            later(of_objective, f"GAN {player}", later(_gan, d, z, loss, penalty), player, (n, d))
            for n, d, z, loss, penalty in (
                (1, 3, 2, "non_saturating", None),
                (2, 4, 1, "least_squares", None),
                (5, 3, 2, "wasserstein", "gradient_penalty"),
                (3, 3, 3, "minimax", "r1"),
                (4, 2, 2, "hinge", None),
            )
        ]
    return found


def _network(a: int, b: int, c: int) -> Any:
    twice = Dense(b, b)
    return Network((a,), Dense(a, b), Tanh(), twice, Sigmoid(), twice, Dense(b, c))


def _shared(d: int, k: int) -> Any:
    """A normalisation, and joined parameters, that are used twice."""
    norm, join = LayerNorm(d), JoinParameters(k)
    return Network((d,), norm, Dense(d, d), Tanh(), norm, join, join)


def _tied(a: int, b: int) -> Any:
    dense = Dense(a, b)
    return Network((a,), dense, Tanh(), Tied(dense))


def _vae(d: int, z: int, likelihood: str, bits: float) -> Any:
    raw = {"gaussian": 2 * d}.get(likelihood, d)
    encoder = Network((d,), Dense(d, 4), Tanh(), Dense(4, 2 * z))
    decoder = Network((z,), Dense(z, 4), Softplus(), Dense(4, raw))
    return VAE(encoder, decoder, likelihood, beta=1.7, free_bits=bits, dtype="float64", rng=0)


def _gan(d: int, z: int, loss: str, penalty: Any) -> Any:
    generator = Network((z,), Dense(z, 4), Softplus(), Dense(4, d))
    discriminator = Network((d,), Dense(d, 4), Tanh(), Dense(4, 1))
    return GAN(generator, discriminator, loss, penalty=penalty, dtype="float64", rng=0)


def _of_gaussian(name: str, shape: Any) -> Subject:
    rng = np.random.default_rng(8)
    x, mu, log_var, noise = (signed(rng, shape) for _ in range(4))
    if name == "draw":
        return of_functions(
            "gaussian draw",
            f"{shape}",
            ["mu", "log_var"],
            [mu, log_var],
            lambda mu, log_var: gaussian.draw(mu, log_var, noise),
            lambda dz, mu, log_var: gaussian.draw_gradients(log_var, noise, dz),
        )
    if name == "kl":
        return of_functions(
            "gaussian kl",
            f"{shape}",
            ["mu", "log_var"],
            [mu, log_var],
            gaussian.kl_to_standard,
            lambda dvalue, mu, log_var: gaussian.kl_to_standard_gradients(mu, log_var, dvalue),
        )
    return of_functions(
        "gaussian log_prob",
        f"{shape}",
        ["x", "mu", "log_var"],
        [x, mu, log_var],
        gaussian.log_prob,
        lambda dvalue, x, mu, log_var: gaussian.log_prob_gradients(x, mu, log_var, dvalue),
    )


def _of_game(game: Any, discriminator: bool, n: int) -> Subject:
    rng = np.random.default_rng(9)
    real, fake = signed(rng, n, 0.1, 2.5), signed(rng, n, 0.1, 2.5)
    if discriminator:
        return of_functions(
            f"{game.name} discriminator",
            f"N={n}",
            ["real", "fake"],
            [real, fake],
            game.discriminator,
            lambda dvalue, r, f: game.discriminator_gradients(r, f, dvalue),
        )
    return of_functions(
        f"{game.name} generator",
        f"N={n}",
        ["fake"],
        [fake],
        game.generator,
        lambda dvalue, fake: game.generator_gradients(fake, dvalue),
    )


SUBJECTS = _subjects()

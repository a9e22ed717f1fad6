"""Every mutant of every gradient of the library, with the pairs on which it is judged.

    subjects                    pairs of plain NumPy functions: (forward, backward) at five points
    functions()                 the library's functions that run in the backward pass of a subject
    mutants()                   all mutants of all of these functions
    behaviour(subject, mutant)  what the mutant changes: nothing, a gradient, a contract, or it raises

A mutant is at work in the backward pass alone (and in a tangent): the forward pass stays what it
is. Which function belongs to which subject is recorded while the subjects run; nothing is chosen.
"""

import functools
import importlib
import inspect
import math
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["SCRATCHGEN_JIT"] = "0"  # the references are what is mutated

import numpy as np
from operators import LATEST, Mutant, keep_notes, mutants_of

import scratchgen
from scratchgen import kernels, losses, nn
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

ROOM = Path(scratchgen.__file__).parent
PLUMBING = {  # files without arithmetic of gradients: memory, names, checks
    "nn/tape.py", "nn/block.py", "nn/layer.py", "nn/initialisers.py", "checks.py", "rng.py",
    "errors.py", "kernels/compiling.py", "models/model.py", "nn/description.py", "versions.py",
}  # fmt: skip
OF_SHAPES = (
    "out_shape", "_out_shape", "shapes", "size", "learns", "distinct_layers", "distinct_leaves",
    "children", "visit", "borrows", "parameters", "_first_trained", "variance_for", "joined",
    "forward", "value", "points", "draw_latents", "beta_at", "_log", "draw", "log_prob",
    "kl_terms", "kl_to_standard", "softplus",
)  # fmt: skip
WITH_VALUE = ("objective", "_discriminator", "_generator", "_penalise", "penalise")
WHOLE = ("VAE", "GAN discriminator", "GAN generator", "penalise")
SAME = 1e-12  # relative: gradients that agree to this are the same


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
        """What forward gives, as a tuple of arrays."""
        y, _ = self.forward(*args)
        return tuple(map(np.asarray, y)) if isinstance(y, tuple) else (np.asarray(y),)

    def call_backward(self, dys: list[np.ndarray], cache: Any) -> tuple[Any, ...]:
        """backward, for a list of cotangents."""
        return self.backward(tuple(dys) if len(dys) > 1 else dys[0], cache)


CURRENT: list[Mutant] = []  # the mutant at work, if any
RECORD: list[set[Any]] = []  # where the functions that run are noted, if anywhere


@contextmanager
def spoiled() -> Iterator[None]:
    """The phase in which the mutant is at work."""
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


# --- subjects -----------------------------------------------------------------------------------


def signed(rng: np.random.Generator, shape: Any, low: float = 0.1, high: float = 1.5) -> Any:
    """Numbers of both signs, away from 0."""
    return rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def spread(rng: np.random.Generator, shape: Any) -> Any:
    """Numbers far from each other, so that no maximum is near a tie."""
    n = math.prod(shape)
    return (0.3 * (rng.permutation(n) - n / 2) + rng.uniform(-0.1, 0.1, n)).reshape(shape)


def layer_point(layer: Any, x: Any, rng: np.random.Generator) -> Any:
    """The names of blocks and their values; and the state, by the layout's names."""
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
        g = [np.zeros(one.shape) for one in w]
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
        g = [np.zeros(one.shape) for one in w]
        with spoiled():
            d = layer.tangent_backward(p, *dys, tape, tree(g))
        return d.x, d.u, *g

    kind = f"{type(layer).__name__} second order"
    names, args = ["x", "u", *names[1:]], [x, signed(rng, x.shape), *args[1:]]
    return Subject(kind, f"{layer} {shape}, second order", names, args, forward, backward)


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
    """log p(x|z) by the decoder's numbers."""
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
    """A penalty by the slope."""
    slope = signed(np.random.default_rng(seed), shape)
    return of_functions(
        type(penalty).__name__,
        f"{penalty} {shape}",
        ["slope"],
        [slope],
        penalty.value,
        lambda dvalue, slope: penalty.slope_gradient(slope, dvalue),
    )


def of_penalised(penalty: Any, network: Any, n: int, seed: int = 5) -> Subject:
    """The penalty of a network by its parameters, for each example."""
    rng = np.random.default_rng(seed)
    x = signed(rng, (n, *network.in_shape))
    names, args, _ = layer_point(network, x, rng)
    layout = Layout(it=network)
    paths = [f"it.{name}" for name in names[1:]]

    def tree(arrays: Any) -> Any:
        return layout.tree(dict(zip(paths, arrays, strict=True))).it

    def forward(*w: Any) -> Any:
        each = losses.penalise(penalty, network, tree(w), x, np.ones(n), Tape().begin())
        return each, w

    def backward(dvalue: Any, w: Any) -> tuple[Any, ...]:
        g = [np.zeros(one.shape) for one in w]
        with spoiled():
            losses.penalise(penalty, network, tree(w), x, dvalue, Tape().begin(), tree(g))
        return tuple(g)

    label = f"{penalty} of {network}, N={n}"
    return Subject("penalise", label, names[1:], args[1:], forward, backward)


def of_objective(kind: str, make: Any, player: str, shape: Any, seed: int = 6) -> Subject:
    """What a player of a model minimises, by the arrays that it trains."""
    rng = np.random.default_rng(seed)
    model = make()
    x = rng.random(shape)
    block = model.players[player]
    entries = [(entry, view) for entry, view in block.arrays() if entry.trained]
    for _, view in entries:
        view[...] = signed(rng, view.shape)

    def run(arrays: Any, gradient: Any) -> float:
        for (_, view), array in zip(entries, arrays, strict=True):
            np.copyto(view, array)
        return model.objective(player, x, np.random.default_rng(7), gradient, Tape())

    def forward(*arrays: Any) -> Any:
        return np.float64(run(arrays, None)), arrays

    def backward(dy: Any, arrays: Any) -> tuple[Any, ...]:
        gradient = block.zeros_like()
        with spoiled():
            run(arrays, gradient)
        return tuple(dy * entry.view(gradient.vector) for entry, _ in entries)

    names, args = [entry.name for entry, _ in entries], [view.copy() for _, view in entries]
    return Subject(kind, f"{kind} {shape}", names, args, forward, backward)


FIRST: dict[str, list[Callable[[], Subject]]] = {}


def _subjects() -> dict[str, list[Callable[[], Subject]]]:
    """Kind -> its points, each as a function that makes the subject."""
    later = functools.partial
    found: dict[str, list[Any]] = {}
    found["Dense"] = [
        later(of_layer, Dense(5, 2), (1, 5)),
        later(of_layer, Dense(3, 4), (2, 3)),
        later(of_layer, Dense(4, 3), (5, 4)),
        later(of_layer, Dense(3, 3), (4, 3)),
        later(of_layer, Dense(3, 3), (3, 3)),
    ]
    two = {"Dense": [(Dense(5, 2), (1, 5)), (Dense(3, 4), (2, 3)), (Dense(4, 3), (5, 4)),
                     (Dense(3, 3), (4, 3)), (Dense(3, 3), (3, 3))]}  # fmt: skip
    shapes = [(1, 3), (2, 4), (5, 3), (3, 3), (4, 2, 3)]
    for kind in (ReLU, Tanh, Sigmoid, Softplus, SiLU, GELU):
        two[kind.__name__] = [(kind(), shape) for shape in shapes]
    leaks, alphas = (0.2, 0.3, 0.05, 0.2, 0.7), (1.0, 0.7, 1.0, 1.6, 0.3)
    two["LeakyReLU"] = [(LeakyReLU(a), shape) for a, shape in zip(leaks, shapes, strict=True)]
    two["ELU"] = [(ELU(a), shape) for a, shape in zip(alphas, shapes, strict=True)]
    two["LayerNorm"] = [(LayerNorm(shape[-1]), shape) for shape in
                        ((1, 5), (2, 4), (5, 3), (4, 4), (4, 2, 3))]  # fmt: skip
    two["Maxout"] = [(Maxout(k), shape) for k, shape in
                     ((2, (1, 4)), (2, (2, 4)), (3, (5, 6)), (3, (4, 3)), (2, (3, 2, 6)))]  # fmt: skip
    two["Dropout"] = [(Dropout(drop), shape) for drop, shape in
                      zip((0.2, 0.5, 0.3, 0.4, 0.5), ((1, 6), (2, 4), (5, 3), (4, 4), (4, 2, 3)),
                          strict=True)]  # fmt: skip
    two["GaussianNoise"] = [(GaussianNoise(0.5), shape) for shape in shapes]
    two["Reshape"] = [(Reshape(out), shape) for out, shape in
                      (((3, 1), (1, 3)), ((2, 2), (2, 4)), ((3, 2), (5, 2, 3)), ((6,), (3, 3, 2)),
                       ((4,), (4, 4)))]  # fmt: skip
    two["Flatten"] = [(Flatten(), shape) for shape in
                      ((1, 3), (2, 2, 2), (5, 3, 2), (3, 3), (4, 2, 3))]  # fmt: skip
    two["Residual"] = [(Residual(Network((d,), Dense(d, k), Tanh(), Dense(k, d))), (n, d))
                       for n, d, k in ((1, 3, 2), (2, 4, 3), (5, 3, 4), (3, 3, 3), (4, 2, 5))]  # fmt: skip
    two["Network"] = [(_network(a, b, c), (n, a)) for n, a, b, c in
                      ((1, 3, 2, 4), (2, 4, 3, 2), (5, 3, 4, 2), (3, 3, 3, 3), (4, 2, 5, 3))]  # fmt: skip
    two["Tied"] = [(_tied(a, b), (n, a)) for n, a, b in
                   ((1, 3, 2), (2, 4, 3), (5, 3, 4), (3, 3, 3), (4, 2, 5))]  # fmt: skip
    two["JoinParameters"] = [(JoinParameters(k), (n, d)) for n, d, k in
                             ((1, 3, 2), (2, 4, 1), (5, 3, 4), (3, 3, 3), (4, 2, 2))]  # fmt: skip
    joined = [(n, d, k, labels) for n, d, k, labels in
              ((1, 3, 2, [1]), (2, 4, 1, [2, 2]), (5, 3, 4, [0, 2, 2, 1, 0]), (3, 3, 3, [1, 1, 0]),
               (4, 2, 2, [0, 1, 2, 0]))]  # fmt: skip
    for kind_name, points in two.items():
        found[kind_name] = [later(of_layer, layer, shape) for layer, shape in points]
        found[f"{kind_name} second order"] = [later(of_second_order, *one) for one in points]
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
        for shape, training in (((3, 2), True), ((5, 3), True), ((4, 4), True), ((4, 2, 3), True),
                                ((6, 1), True), ((1, 4), False), ((5, 3), False))
    ]  # fmt: skip
    flat, deep = [(1, 3), (2, 4), (5, 3), (3, 3)], (4, 2, 3)
    for likelihood in (Bernoulli(), Categorical(3), FixedGaussian(0.3), MeanSquaredError(),
                       SharedGaussian(0.05), Gaussian(0.05)):  # fmt: skip
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
            (gp, 1, 3, 4, [Tanh()]), (r1, 2, 4, 3, [Softplus()]), (gp, 5, 3, 3, [LayerNorm(3)]),
            (r1, 3, 2, 5, [GELU()]), (gp, 4, 2, 4, [SiLU(), Residual(Dense(4, 4))]),
        )
    ]  # fmt: skip
    found["VAE"] = [
        later(of_objective, "VAE", later(_vae, d, z, like, bits), "vae", (n, d))
        for n, d, z, like, bits in (
            (1, 3, 2, "bernoulli", 0.0), (2, 4, 1, "gaussian", 0.0), (5, 3, 2, "gaussian", 0.05),
            (3, 3, 3, "bernoulli", 0.2), (4, 2, 2, "gaussian_fixed", 0.0),
        )
    ]  # fmt: skip
    for player in ("discriminator", "generator"):
        found[f"GAN {player}"] = [
            later(of_objective, f"GAN {player}", later(_gan, d, z, loss, penalty), player, (n, d))
            for n, d, z, loss, penalty in (
                (1, 3, 2, "non_saturating", None), (2, 4, 1, "least_squares", None),
                (5, 3, 2, "wasserstein", "gradient_penalty"), (3, 3, 3, "minimax", "r1"),
                (4, 2, 2, "hinge", None),
            )
        ]  # fmt: skip
    return found


def _network(a: int, b: int, c: int) -> Any:
    twice = Dense(b, b)
    return Network((a,), Dense(a, b), Tanh(), twice, Sigmoid(), twice, Dense(b, c))


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
            "gaussian draw", f"{shape}", ["mu", "log_var"], [mu, log_var],
            lambda mu, log_var: gaussian.draw(mu, log_var, noise),
            lambda dz, mu, log_var: gaussian.draw_gradients(log_var, noise, dz),
        )  # fmt: skip
    if name == "kl":
        return of_functions(
            "gaussian kl", f"{shape}", ["mu", "log_var"], [mu, log_var],
            gaussian.kl_to_standard,
            lambda dvalue, mu, log_var: gaussian.kl_to_standard_gradients(mu, log_var, dvalue),
        )  # fmt: skip
    return of_functions(
        "gaussian log_prob", f"{shape}", ["x", "mu", "log_var"], [x, mu, log_var],
        gaussian.log_prob,
        lambda dvalue, x, mu, log_var: gaussian.log_prob_gradients(x, mu, log_var, dvalue),
    )  # fmt: skip


def _of_game(game: Any, discriminator: bool, n: int) -> Subject:
    rng = np.random.default_rng(9)
    real, fake = signed(rng, n, 0.1, 2.5), signed(rng, n, 0.1, 2.5)
    if discriminator:
        return of_functions(
            f"{game.name} discriminator", f"N={n}", ["real", "fake"], [real, fake],
            game.discriminator, lambda dvalue, r, f: game.discriminator_gradients(r, f, dvalue),
        )  # fmt: skip
    return of_functions(
        f"{game.name} generator", f"N={n}", ["fake"], [fake],
        game.generator, lambda dvalue, fake: game.generator_gradients(fake, dvalue),
    )  # fmt: skip


SUBJECTS = _subjects()


# --- functions and mutants ----------------------------------------------------------------------


def draw_cotangents(subject: Subject, rng: np.random.Generator) -> list[np.ndarray]:
    """Random cotangents of both signs, also beyond 1."""
    return [np.asarray(signed(rng, y.shape, 0.3, 1.7)) for y in subject.outputs(*subject.args)]


def run_once(subject: Subject, dys: list[np.ndarray]) -> tuple[Any, ...]:
    """Forward, and backward for dys; copies all around."""
    _, cache = subject.forward(*[one.copy() for one in subject.args])
    return owned(subject.call_backward([dy.copy() for dy in dys], cache))


def owned(gradients: Any) -> tuple[Any, ...]:
    return tuple(None if g is None else np.array(g, copy=True) for g in gradients)


@functools.cache
def functions() -> dict[str, list[str]]:
    """`module:function` -> the kinds of subjects in whose backward pass it runs, plainest first."""
    by_kind: dict[str, set[str]] = {}
    for kind, points in SUBJECTS.items():
        codes: set[Any] = set()
        for make in points:
            subject = make()
            rng = np.random.default_rng(0)
            dys = draw_cotangents(subject, rng)
            RECORD[:] = [codes]
            run_once(subject, dys)
            RECORD.clear()
        by_kind[kind] = {name for code in codes if (name := _named(code))}
    # a model's gradient comes with its value: what runs there alone is its forward pass
    plain = set().union(*(names for kind, names in by_kind.items() if kind not in WHOLE))
    for kind in WHOLE:
        own = {
            name
            for name in by_kind[kind]
            if name.split(".")[-1] in (*WITH_VALUE, "_dvalue", "_join")
            or name.endswith(":penalise")
        }
        by_kind[kind] = {name for name in by_kind[kind] if name in plain} | own
    order = sorted(by_kind, key=lambda kind: (len(by_kind[kind]), len(kind), kind))
    every = sorted({name for names in by_kind.values() for name in names})
    return {name: [kind for kind in order if name in by_kind[kind]] for name in every}


def _named(code: Any) -> str:
    """`nn.dense:Dense.backward` for a function that is mutated, "" for any other."""
    try:
        path = Path(code.co_filename).relative_to(ROOM).as_posix()
    except ValueError:
        return ""
    last = code.co_qualname.split(".")[-1]
    if path in PLUMBING or path.startswith("gradcheck/") or last in OF_SHAPES or "<" in last:
        return ""
    if last.startswith("__"):
        return ""
    found = f"{path.removesuffix('.py').replace('/', '.')}:{code.co_qualname}"
    return found if isinstance(function_of(found), types.FunctionType) else ""


def function_of(name: str) -> Any:
    """The function of a name in `functions()`."""
    module, qualname = name.split(":")
    found: Any = importlib.import_module(f"scratchgen.{module}")
    for part in qualname.split("."):
        found = found.__dict__[part] if isinstance(found, type) else getattr(found, part)
    return found


@functools.cache
def mutants() -> list[Mutant]:
    """All mutants of all functions of gradients, in a fixed order."""
    found: list[Mutant] = []
    for name in functions():
        function = function_of(name)
        only_gradient = function.__name__ in WITH_VALUE
        found += mutants_of(function, only_gradient)
    return found


def kinds_for(mutant: Mutant) -> list[str]:
    """The kinds of subjects on which a mutant may show, plainest first."""
    return functions()[f"{mutant.module}:{mutant.function}"]


def by_id(name: str) -> Mutant:
    return next(one for one in mutants() if one.id == name)


# --- what a mutant changes ----------------------------------------------------------------------


def behaviour(subject: Subject, mutant: Mutant) -> tuple[str, str]:
    """What the mutant changes at this point, and in what: ("derivative", "x"), ("same", "") ...

    raises      an exception, or no array of the right shape
    derivative  a gradient, for fresh arrays and random cotangents
    contract    the same gradients, but: writes, twice, stale, layout, scales, far (large, or tiny
                arguments)
    kink        the same gradients but at 0 exactly, where both are a convention
    same        nothing
    """
    with np.errstate(all="ignore"):
        whole = _observe(subject, None)
        try:
            spoilt = _observe(subject, mutant)
        except Exception as problem:
            return "raises", f"{type(problem).__name__}: {problem}"
        for name, a, b in zip(_names(subject), _flat(whole), _flat(spoilt), strict=True):
            if b is None or np.shape(b) != np.shape(a) or b.dtype.kind not in "fiub":
                return "raises", f"{name}: {None if b is None else b.shape}"
        for name, a, b in zip(_names(subject), _flat(whole), _flat(spoilt), strict=True):
            if not same(a, b):
                return "derivative", name
        for contract, look in CONTRACTS.items():
            expected = look(subject, None)
            try:
                seen = look(subject, mutant)
            except Exception as problem:
                return "contract", f"{contract} ({type(problem).__name__})"
            if not all(same(a, b) for a, b in zip(expected, seen, strict=True)):
                return ("kink", "") if contract == "at 0" else ("contract", contract)
    return "same", ""


def same(a: Any, b: Any, by: float = SAME) -> bool:
    """Whether two arrays agree to `by` of the largest number in them, NaN with NaN."""
    if a is None or b is None or np.shape(a) != np.shape(b):
        return a is b
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not a.size:
        return True
    if (np.isnan(a) != np.isnan(b)).any() or (np.isinf(a) != np.isinf(b)).any():
        return False
    finite = np.isfinite(a)
    if not finite.any():
        return True
    a, b = a[finite], b[finite]
    return bool(abs(a - b).max() <= by * max(abs(a).max(), abs(b).max()) + 1e-300)


def _names(subject: Subject) -> list[str]:
    """The names of what `_observe` finds, in its order."""
    return [*subject.names * 5, *(["y", "v"] if "second order" in subject.kind else [])]


def _flat(rows: Any) -> list[Any]:
    return [one for row in rows for one in row]


def _observe(subject: Subject, mutant: Mutant | None) -> list[tuple[Any, ...]]:
    """Gradients at the point for five random cotangents."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(5):
        dys = draw_cotangents(subject, rng)
        with at_work(mutant):
            found.append(run_once(subject, dys))
    if "second order" in subject.kind:  # the mutant may be at work in v
        with at_work(mutant):
            found.append(tuple(one.copy() for one in subject.outputs(*subject.args)))
    return found


def _dys(subject: Subject) -> list[np.ndarray]:
    return draw_cotangents(subject, np.random.default_rng(12))


def _writes(subject: Subject, mutant: Mutant | None) -> list[Any]:
    args, dys = [one.copy() for one in subject.args], _dys(subject)
    with at_work(mutant):
        _, cache = subject.forward(*args)
        subject.call_backward(dys, cache)
    return [*args, *dys]


def _twice(subject: Subject, mutant: Mutant | None) -> list[Any]:
    with at_work(mutant):
        _, cache = subject.forward(*[one.copy() for one in subject.args])
        first = [dy.copy() for dy in _dys(subject)]
        other = [2 * dy for dy in _dys(subject)]
        a = owned(subject.call_backward(first, cache))
        b = owned(subject.call_backward(other, cache))
        c = owned(subject.call_backward([dy.copy() for dy in _dys(subject)], cache))
    return [*a, *b, *c]


def _stale(subject: Subject, mutant: Mutant | None) -> list[Any]:
    dys = _dys(subject)
    with at_work(mutant):
        _, cache = subject.forward(*[one.copy() for one in subject.args])
        subject.forward(*[-1.3 * one for one in subject.args])
        return list(owned(subject.call_backward(dys, cache)))


def _layout(subject: Subject, mutant: Mutant | None) -> list[Any]:
    found: list[Any] = []
    for laid_out in (np.asfortranarray, _strided, _backwards):
        with at_work(mutant):
            _, cache = subject.forward(*[laid_out(one.copy()) for one in subject.args])
            found += owned(subject.call_backward([laid_out(dy) for dy in _dys(subject)], cache))
    with at_work(mutant):
        _, cache = subject.forward(*[one.copy() for one in subject.args])
        flat = [np.broadcast_to(np.float64(0.7), dy.shape) for dy in _dys(subject)]
        found += owned(subject.call_backward(flat, cache))
    return found


def _strided(a: np.ndarray) -> np.ndarray:
    if not a.ndim:
        return a
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]))
    wide[..., ::2] = a
    return wide[..., ::2]


def _backwards(a: np.ndarray) -> np.ndarray:
    return a[::-1].copy()[::-1] if a.ndim else a


def _scales(subject: Subject, mutant: Mutant | None) -> list[Any]:
    found: list[Any] = []
    for scale in (0.0, 1e-3, -1.0, 1e3, 1e-9, 1e9):
        with at_work(mutant):
            found += run_once(subject, [scale * dy for dy in _dys(subject)])
    return found


def _far(subject: Subject, mutant: Mutant | None) -> list[Any]:
    found: list[Any] = []
    rng = np.random.default_rng(13)
    for value in (1e-8, -1e-8, 30.0, -30.0, 800.0, -800.0):
        found += _at(subject, mutant, value, rng)
    return found


def _at_zero(subject: Subject, mutant: Mutant | None) -> list[Any]:
    return _at(subject, mutant, 0.0, np.random.default_rng(14))


def _at(subject: Subject, mutant: Mutant | None, value: float, rng: Any) -> list[Any]:
    """Gradients with half of the first argument at `value`."""
    dys = _dys(subject)
    args = [one.copy() for one in subject.args]
    args[0] = np.where(rng.random(args[0].shape) < 0.6, value, args[0])
    with at_work(mutant):
        _, cache = subject.forward(*args)
        return list(owned(subject.call_backward(dys, cache)))


CONTRACTS = {
    "writes": _writes,
    "twice": _twice,
    "stale": _stale,
    "layout": _layout,
    "scales": _scales,
    "far": _far,
    "at 0": _at_zero,
}
_ = (LATEST, kernels, nn)

"""Replayed steps give the bits of steps by Python, for every model."""

import math
import re
import sys
import tracemalloc
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import scratchgen as sg
from scratchgen import distributions, kernels, losses, nn, optim
from scratchgen.gradcheck.library.layer_points import layer_points
from scratchgen.ground.errors import DataError, OptionError, ShapeError, TapeError
from scratchgen.kernels import plans
from scratchgen.kernels.choice import now, products_by
from scratchgen.kernels.compiling import for_python
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import Call, note_constant, recording, run_action
from scratchgen.kernels.workspaces import PAGE, Workspace, empty
from scratchgen.train import permission, step_kinds
from scratchgen.train.replay import StepEngine
from scratchgen.train.trainer import Trainer

needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)


def layers_of(*between):
    """Two dense layers, from 6 numbers to 10, with the given layers between them."""
    return [nn.Dense(6, 5), *between, nn.Dense(5, 10)]


def vae(*between, likelihood=None, shape=(4,), **settings):
    likelihood = likelihood or distributions.FixedGaussian()
    size = int(np.prod(shape))
    encoder = nn.Network(shape, nn.Flatten(), nn.Dense(size, 6), *layers_of(*between)[:-1],
                         nn.Dense(5, 4))  # fmt: skip
    raw = likelihood.raw_shape(shape)
    decoder = nn.Network((2,), nn.Dense(2, 5), *between, nn.Dense(5, int(np.prod(raw))),
                         nn.Reshape(raw))  # fmt: skip
    return sg.models.VAE(encoder, decoder, likelihood, rng=0, **settings)


def gan(*between, loss="non_saturating", **settings):
    generator = nn.Network((3,), nn.Dense(3, 5), nn.ReLU(), nn.Dense(5, 4))
    critic = nn.Network((4,), nn.Dense(4, 5), *between, nn.Dense(5, 1))
    return sg.models.GAN(generator, critic, loss, rng=0, **settings)


def gan_with(kind):
    """A GAN with a layer of this class in its critic, and with a penalty if that is possible."""
    layer, (_, *sizes) = layer_points(kind)[1]
    shape, n = tuple(sizes), math.prod(sizes)
    generator = nn.Network((3,), nn.Dense(3, n))
    critic = nn.Network((n,), nn.Dense(n, n), nn.Reshape(shape), layer, nn.Flatten(),
                        nn.Dense(math.prod(layer.out_shape(shape)), 1))  # fmt: skip
    penalty = None if layer.why_no_tangent() else "r1"
    return sg.models.GAN(generator, critic, penalty=penalty, rng=0)


def tied():
    first = nn.Dense(4, 5)
    encoder = nn.Network((4,), first, nn.Tanh(), nn.Dense(5, 4))
    decoder = nn.Network((2,), nn.Dense(2, 5), nn.Tanh(), nn.Tied(first))
    return sg.models.VAE(encoder, decoder, distributions.FixedGaussian(), rng=0)


@dataclass(frozen=True, eq=False)
class Doubled(nn.Dense):
    """A user's layer that computes without kernels."""

    def forward(self, p, x, tape):
        return 2 * super().forward(p, x, tape)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return super().backward(p, 2 * dy, tape, g, need_dx)


@dataclass(frozen=True, eq=False)
class Shaken(nn.Layer):
    """A user's layer that draws and has a state; outside training it returns its input itself."""

    def state(self):
        return {"passes": ((1,), 0.0)}

    def forward(self, p, x, tape):
        return x + tape.rng.standard_normal(x.shape, dtype=x.dtype.type) if tape.training else x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy if need_dx else None

    def tangent(self, p, u, tape):
        return u

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return SimpleNamespace(x=dy, u=dv) if need_dx else None

    def settle(self, p, tape):
        p.passes += 1


@dataclass(frozen=True, eq=False)
class Labelled(nn.Layer):
    """A user's layer that reads labels and step from the tape."""

    def forward(self, p, x, tape):
        return x + tape.labels[:, None].astype(x.dtype) + x.dtype.type(tape.step % 3)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy if need_dx else None


@dataclass(frozen=True, eq=False)
class Masked(nn.Layer):
    """A user's layer that draws a mask if the tape has none: once in each pass."""

    def forward(self, p, x, tape):
        try:
            mask = tape.mask
        except TapeError:
            mask = tape.mask = (tape.rng.random(x.shape) < 0.5).astype(x.dtype)
        return x * mask

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy * tape.mask if need_dx else None


class Pair(NamedTuple):
    """A tangent_backward may return this instead of a namespace."""

    x: np.ndarray
    u: np.ndarray


@dataclass(frozen=True, eq=False)
class Chatty(Shaken):
    """A user's layer whose settle returns something."""

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        return Pair(dy, dv)

    def settle(self, p, tape):
        super().settle(p, tape)
        return "settled", 3.0


class OwnLikelihood(distributions.MeanSquaredError):
    """A user's likelihood."""

    def log_prob(self, x, raw):
        return 0.5 * super().log_prob(x, raw)

    def raw_gradient(self, x, raw, dvalue):
        return super().raw_gradient(x, raw, 0.5 * dvalue)

    def value_and_gradient(self, x, raw, dvalue):
        return self.log_prob(x, raw), self.raw_gradient(x, raw, dvalue)


class OwnPenalty(losses.R1):
    """A user's penalty, at points that it draws."""

    def points(self, real, fake, rng):
        return real + rng.standard_normal(real.shape).astype(real.dtype)

    def value_and_gradient(self, slope, dvalue):
        return tuple(2 * x for x in super().value_and_gradient(slope, dvalue))


OWN_GAME = losses.AdversarialLoss(
    "own",
    lambda real, fake: (real - 1) ** 2 + (fake + 1) ** 2,
    lambda real, fake, dvalue: SimpleNamespace(
        real=2 * (real - 1) * dvalue, fake=2 * (fake + 1) * dvalue
    ),
    lambda fake: (fake - 1) ** 2,
    lambda fake, dvalue: SimpleNamespace(fake=2 * (fake - 1) * dvalue),
)


def residual(*within):
    return nn.Residual(nn.Network((5,), nn.Dense(5, 5), *within, nn.Tanh()))


MODELS = {
    **{kind.__name__: lambda kind=kind: vae(kind()) for kind in nn.ACTIVATIONS.values()},
    **{
        f"a critic's {name}": lambda kind=kind: gan_with(kind)
        for name, kind in nn.LAYERS.items()
        if name not in (*nn.ACTIVATIONS, "Tied", "JoinLabels")  # these stand elsewhere
    },
    "layer norm": lambda: vae(nn.LayerNorm(5), nn.ReLU()),
    "batch norm": lambda: vae(nn.BatchNorm(5), nn.ReLU()),
    "dropout": lambda: vae(nn.Dropout(0.3), nn.ReLU()),
    "noise": lambda: vae(nn.GaussianNoise(0.1), nn.ReLU()),
    "residual": lambda: vae(residual()),
    "tied": tied,
    "maxout": lambda: vae(nn.Dense(5, 10), nn.Maxout()),
    "own layers": lambda: vae(Doubled(5, 5), nn.ReLU(), Shaken()),
    "own layers in a block": lambda: vae(residual(Doubled(5, 5), Shaken()), nn.Dropout(0.3)),
    "own layers in a critic": lambda: gan(Shaken(), Doubled(5, 5), nn.Tanh(), penalty="r1"),
    "own layers that write on the tape": lambda: vae(Masked()),
    "own layers that return more": lambda: gan(Chatty(), nn.Tanh(), penalty="r1"),
    "own likelihood": lambda: vae(nn.Dropout(0.3), likelihood=OwnLikelihood()),
    "own game": lambda: gan(nn.Dropout(0.3), loss=OWN_GAME),
    "own penalty": lambda: gan(nn.Tanh(), penalty=OwnPenalty(2.0)),
    "parameters": lambda: vae(nn.JoinParameters(2), nn.Dense(7, 5)),
    "picture": lambda: vae(likelihood=distributions.Bernoulli(), shape=(2, 2, 1)),
    **{
        f"likelihood {name}": lambda likelihood=likelihood: vae(likelihood=likelihood)
        for name, likelihood in distributions.LIKELIHOODS.examples().items()
    },
    "warm-up": lambda: vae(nn.ReLU(), warm_up=17, beta=2.0),
    "free bits": lambda: vae(nn.ReLU(), free_bits=0.01),
    "float64": lambda: vae(nn.Tanh(), dtype="float64"),
    **{f"game {name}": lambda name=name: gan(nn.ReLU(), loss=name) for name in losses.LOSSES},
    "clipped": lambda: gan(nn.ReLU(), loss="wasserstein", weight_clip=0.05),
    "three moves": lambda: gan(nn.ReLU(), discriminator_steps=3),
    "critic's batch norm": lambda: gan(nn.BatchNorm(5), nn.ReLU()),
    **{
        f"{name}, {type(layer).__name__}": lambda name=name, layer=layer: gan(layer, penalty=name)
        for name in losses.PENALTIES
        for layer in (
            *(kind() for kind in nn.ACTIVATIONS.values()),
            nn.LayerNorm(5),
            nn.Dropout(0.3),
            nn.GaussianNoise(0.1),
            residual(),
        )
    },
}
OPTIMIZERS = [
    *(kind() for kind in optim.OPTIMIZERS.values() if kind is not optim.ClipNorm),
    optim.RMSProp(centred=True),
    optim.ClipNorm(optim.Adam(), 0.1),
    optim.Adam(optim.Cosine(1e-2, 20)),
]


COUNT = 19  # examples
DTYPE = float  # of them


def trained(model, replay, monkeypatch, which=by_loops, **settings):
    """Weights, history, and how often a plan ran, after training on batches of 7, 6 and 6."""
    replayed = []
    run = Plan.run
    monkeypatch.setattr(Plan, "run", lambda plan: replayed.append(plan) or run(plan))
    x = np.random.default_rng(0).integers(0, 2, (COUNT, *model.shape)).astype(DTYPE)
    with which():
        history = sg.fit(model, x, epochs=8, batch_size=8, seed=0, replay=replay, **settings)
    monkeypatch.setattr(Plan, "run", run)
    left = [array.tobytes() for array in model.block.snapshot()]
    return left, dict(history), len(replayed)


def compare(build, monkeypatch, **settings):
    """Expect the same bits with and without replay; returns how often a plan ran."""
    expected = trained(build(), False, monkeypatch, **settings)
    found = trained(build(), True, monkeypatch, **settings)
    assert expected[2] == 0
    assert found[:2] == expected[:2]
    return found[2]


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("name", MODELS)
def test_replayed_steps_give_the_bits_of_steps_by_python(name, which, monkeypatch):
    assert compare(MODELS[name], monkeypatch, which=which) >= 8


@needs_numba
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_replays_give_the_same_bits_with_every_optimizer(optimizer, monkeypatch):
    assert compare(lambda: vae(nn.Tanh()), monkeypatch, optimizer=optimizer) >= 15


@needs_numba
def test_replays_give_the_same_bits_with_averages_and_threads(monkeypatch):
    monkeypatch.setattr(plans, "FINE", 1)
    with sg.threads(2):
        assert compare(lambda: gan(nn.ReLU()), monkeypatch, average=0.9) >= 15


@needs_numba
def test_replays_give_the_same_bits_where_numpy_multiplies(monkeypatch):
    with products_by("numpy"):
        assert compare(lambda: gan(nn.Tanh(), penalty="r1"), monkeypatch) >= 15


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_replays_give_the_same_bits_where_each_batch_is_converted(dtype, which, monkeypatch):
    monkeypatch.setitem(globals(), "DTYPE", dtype)
    assert compare(lambda: vae(nn.ReLU()), monkeypatch, which=which) >= 15


@needs_numba
@pytest.mark.parametrize("n", [16, 19, 44, 45])
def test_all_but_two_batches_of_each_size_are_replayed_with_a_users_layer(n, monkeypatch):
    monkeypatch.setitem(globals(), "COUNT", n)
    replayed = []
    run = Plan.run
    monkeypatch.setattr(Plan, "run", lambda plan: replayed.append(plan) or run(plan))
    x = np.random.default_rng(0).random((n, 4))
    with by_loops():
        sg.fit(vae(Doubled(5, 5)), x, epochs=10, batch_size=8, seed=0, replay=True)
    sizes = 1 if n % -(-n // 8) == 0 else 2
    assert len(replayed) == 10 * -(-n // 8) - 2 * sizes


class Within(nn.Residual):
    """A user's residual block that computes without kernels."""

    def forward(self, p, x, tape):
        return super().forward(p, x, tape) * 2 - x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        dx = super().backward(p, 2 * dy, tape, g, need_dx)
        return dx - dy if need_dx else None


@pytest.mark.parametrize("layers", [(nn.Tanh(),), (Doubled(5, 5), nn.ReLU())])
def test_a_users_residual_block_runs_with_all_layers_in_it(layers, monkeypatch):
    assert compare(lambda: vae(Within(nn.Network((5,), *layers))), monkeypatch) >= 15


def test_a_users_layer_may_be_used_in_two_places(monkeypatch):
    def build():
        layer = Doubled(5, 5)
        return vae(layer, nn.Tanh(), residual(layer), Shaken())

    assert compare(build, monkeypatch) >= 15


@needs_numba
def test_a_layer_that_returns_another_shape_in_a_replay_is_refused(monkeypatch):
    class Growing(Shaken):
        """Its forward returns one row too many, from some step on."""

        def forward(self, p, x, tape):
            return np.concatenate([x, x[:1]]) if p.passes[0] > 20 else x

    model = vae(Growing())
    text = r"Growing\(\)\.forward gave y of shape \(\d, 5\), float32, wants shape \(\d, 5\)"
    with pytest.raises(ShapeError, match=text):
        trained(model, True, monkeypatch)


@needs_numba
@pytest.mark.parametrize("count", [17, 19])  # of 6, 6 and 5, or 7, 6 and 6
def test_a_users_layer_gets_the_labels_of_its_batch(count, monkeypatch):
    def build():
        encoder = nn.Network((4,), Labelled(), nn.Dense(4, 4))
        decoder = nn.Network((2,), nn.JoinLabels(3, 2), nn.Dense(4, 4))
        return sg.models.VAE(encoder, decoder, distributions.FixedGaussian(), rng=0)

    monkeypatch.setitem(globals(), "COUNT", count)
    assert compare(build, monkeypatch, labels=np.arange(count) % 3) >= 8


@needs_numba
@pytest.mark.parametrize("early", [True, False])
def test_a_gradient_that_is_sometimes_missing_is_refused(early, monkeypatch):
    class Sometimes(Shaken):
        """Its backward returns None after some passes, or before."""

        def backward(self, p, dy, tape, g=None, need_dx=True):
            return None if (p.passes[0] > 20) == early else dy

    text = r"Sometimes\(\)\.backward gave no dx, wants shape \(\d, 5\)"
    with pytest.raises(ShapeError, match=text):
        trained(vae(Sometimes()), True, monkeypatch)


@needs_numba
def test_a_settle_that_was_set_on_one_layer_object_is_called_in_each_step(monkeypatch):
    counts = []
    for replay in (False, True):
        calls = []
        layer = nn.ReLU()
        object.__setattr__(layer, "settle", lambda p, tape, calls=calls: calls.append(1))
        trained(vae(layer), replay, monkeypatch)
        counts.append(len(calls))
    assert counts == [48, 48]  # 24 steps, in both networks


class Own(optim.SGD):
    """A user's optimizer."""

    def move(self, theta, g, memory, numbers):
        theta -= 1e-3 * g


@needs_numba
@pytest.mark.parametrize("wrapped", [0, 1, 2])
def test_a_users_optimizer_may_be_wrapped_in_ours(wrapped, monkeypatch):
    optimizer = Own()
    for _ in range(wrapped):
        optimizer = optim.ClipNorm(optimizer, 0.1)
    assert compare(lambda: vae(nn.ReLU()), monkeypatch, optimizer=optimizer) >= 15


class OwnAdam(optim.Adam):
    """A user's optimizer whose memory is that of Adam and a count of calls."""

    def memory(self, theta):
        memory = super().memory(theta)
        memory.calls = np.zeros(1, theta.dtype)
        return memory

    def update(self, theta, gradient, memory):
        memory.calls += 1
        super().update(theta, gradient * memory.calls, memory)


def test_a_users_optimizer_may_override_the_update_of_ours(monkeypatch):
    assert compare(lambda: vae(nn.ReLU()), monkeypatch, optimizer=OwnAdam()) >= 15


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("kind", [sg.models.vae, sg.models.wgan_gp])
def test_replays_give_the_same_bits_with_labels(kind, which, monkeypatch):
    def build():
        return kind((4,), latent=2, hidden=(5,), n_labels=3, rng=0)

    assert compare(build, monkeypatch, which=which, labels=np.arange(19) % 3) >= 8


CHANGES = {
    "beta": lambda model: setattr(model, "beta", 3.0),
    "free_bits": lambda model: setattr(model, "free_bits", 0.5),
    "likelihood": lambda model: setattr(model, "likelihood", distributions.FixedGaussian(0.1)),
    "loss": lambda model: setattr(model, "loss", losses.LOSSES["hinge"]),
    "penalty": lambda model: setattr(model, "penalty", losses.R1(3.0)),
    "weight_clip": lambda model: setattr(model, "weight_clip", 0.01),
    "networks": lambda model: quieter(model),
}


def quieter(model):
    """Replace the critic by a critic with less noise."""
    old = model.discriminator
    layers = (nn.GaussianNoise(0.01) if isinstance(layer, nn.GaussianNoise) else layer
              for layer in old.layers)  # fmt: skip
    model.discriminator = nn.Network(old.in_shape, *layers)


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_by_a_callback_takes_effect(name, which, monkeypatch):
    of_vae = name != "networks" and hasattr(vae(), name)
    build = (lambda: vae(nn.ReLU())) if of_vae else (lambda: gan(nn.GaussianNoise(1.0), nn.ReLU()))

    def change(run):
        if run.epoch == 5:
            CHANGES[name](run.model)

    settings = {"which": which, "callbacks": [change], "average": 0.9}
    assert compare(build, monkeypatch, **settings) >= 8


def slower(run):
    run.trainer.optimizers["generator"] = optim.Adam(1e-4, b1=0.5)


def another_kind(run):
    optimizer = optim.SGD(0.01)
    run.trainer.optimizers["generator"] = optimizer
    run.trainer.memories["generator"] = optimizer.memory(run.model.theta("generator"))


def shorter(run):
    run.trainer.average = optim.MovingAverage(0.5)


@pytest.mark.parametrize("put", [slower, another_kind, shorter])
def test_an_optimizer_or_average_set_by_a_callback_takes_effect(put, monkeypatch):
    def change(run):
        if run.epoch == 5:
            put(run)

    assert compare(lambda: gan(nn.ReLU()), monkeypatch, callbacks=[change], average=0.9) >= 8


def layer_norm(model):
    return next(layer for layer in model.encoder.layers if isinstance(layer, nn.LayerNorm))


def with_another_layer(model):
    network = model.encoder
    layers = tuple(nn.ReLU() if isinstance(x, nn.Tanh) else x for x in network.layers)
    object.__setattr__(network, "layers", layers)


FROZEN = {  # changes of frozen settings, in models and optimizers
    "layer": lambda model, _: object.__setattr__(layer_norm(model), "eps", 0.5),
    "method": lambda model, _: object.__setattr__(
        layer_norm(model), "settle", lambda p, tape: np.copyto(p.gamma, p.gamma / 2)
    ),
    "class": lambda model, _: object.__setattr__(layer_norm(model), "__class__", Halved),
    "network": lambda model, _: with_another_layer(model),
    "likelihood": lambda model, _: object.__setattr__(model.likelihood, "variance", 0.1),
    "b1": lambda _, optimizer: object.__setattr__(optimizer.optimizer, "b1", 0.5),
    "norm": lambda _, optimizer: object.__setattr__(optimizer, "norm", 1e-3),
    "rate": lambda _, optimizer: object.__setattr__(optimizer.optimizer, "learning_rate", 0.1),
    "schedule": lambda _, optimizer: object.__setattr__(
        optimizer.optimizer.learning_rate, "rate", 0.1
    ),
}


class Halved(nn.LayerNorm):
    """A user's layer."""

    def backward(self, p, dy, tape, g=None, need_dx=True):
        dx = super().backward(p, dy, tape, g, need_dx)
        return None if dx is None else dx / 2


@pytest.mark.parametrize("name", FROZEN)
def test_a_change_of_a_frozen_setting_takes_effect(name, monkeypatch):
    left = []
    for replay in (False, True):
        optimizer = optim.ClipNorm(optim.Adam(optim.Cosine(1e-2, 20)), 0.1)

        def change(run, optimizer=optimizer):
            if run.epoch == 5:
                FROZEN[name](run.model, optimizer)

        model = vae(nn.LayerNorm(5), nn.Tanh())
        found = trained(model, replay, monkeypatch, optimizer=optimizer, callbacks=[change])
        left.append(found[:2])
    unchanged = trained(
        vae(nn.LayerNorm(5), nn.Tanh()), False, monkeypatch,
        optimizer=optim.ClipNorm(optim.Adam(optim.Cosine(1e-2, 20)), 0.1),
    )  # fmt: skip
    assert left[1] == left[0] != unchanged[:2]


@pytest.mark.parametrize("label", [3, -1, 10**9])
def test_labels_that_a_callback_writes_are_checked_before_a_loop_trusts_them(label, monkeypatch):
    labels = np.arange(19) % 3

    def change(run):
        labels[:] = label if run.epoch == 5 else labels

    model = sg.models.vae((4,), latent=2, hidden=(5,), n_labels=3, rng=0)
    with pytest.raises(DataError, match=rf"^labels\[0\] is {label}, wants whole numbers 0 ... 2"):
        trained(model, True, monkeypatch, labels=labels, callbacks=[change])


class Twice(losses.R1):
    """A user's penalty."""

    def value_and_gradient(self, slope, dvalue):
        each, u = super().value_and_gradient(slope, dvalue)
        return 2 * each, 2 * u


@pytest.mark.parametrize("name", ["objective", "settle"])
@pytest.mark.parametrize("early", [True, False])
def test_a_method_set_on_the_model_object_is_called_in_each_step(name, early, monkeypatch):
    calls = []

    def put(model):
        method = getattr(model, name)
        setattr(model, name, lambda *args, **given: calls.append(name) or method(*args, **given))

    def build():
        model = vae(nn.ReLU())
        if early:
            put(model)
        return model

    def change(run):
        if run.epoch == 5 and not early:
            put(run.model)

    replayed = compare(build, monkeypatch, callbacks=[change])
    assert len(calls) == 2 * 3 * (8 if early else 3)
    assert replayed == (0 if early else pytest.approx(8, abs=4))


def test_a_new_parameter_vector_is_refused_in_a_replay_too(monkeypatch):
    class Swap(sg.train.Callback):
        def on_step(self, run):
            if run.steps == 12:
                block = run.model.block
                block.vector = block.vector.copy()

    with pytest.raises(OptionError, match="a memory of another vector"):
        trained(vae(nn.ReLU()), True, monkeypatch, by_formulas, callbacks=Swap())


class HalfR1(losses.R1):
    """A penalty on half of the examples."""

    def points(self, real, fake, rng):
        return real[: len(real) // 2]


def test_a_penalty_may_use_fewer_points_than_examples(monkeypatch):
    assert compare(lambda: gan(nn.ReLU(), penalty=HalfR1(2.0)), monkeypatch) >= 15


@pytest.mark.parametrize("hashable", [True, False])
def test_a_callback_may_set_a_users_penalty(hashable, monkeypatch):
    def change(run):
        run.model.penalty = Twice(3.0)

    if not hashable:
        monkeypatch.setattr(Twice, "__hash__", None)
    compare(lambda: gan(nn.ReLU()), monkeypatch, callbacks=[change])


@dataclass
class Loose(losses.Penalty):
    """A user's penalty that has no hash, and counts its calls."""

    weight: float = 1.0
    name = "loose"
    seen: int = field(default=0, compare=False)

    def points(self, real, fake, rng):
        self.seen += 1
        return real

    def value(self, slope):
        return np.float32(self.weight / self.seen) * (slope**2).sum(1)

    def slope_gradient(self, slope, dvalue):
        return np.float32(2 * self.weight / self.seen) * slope * dvalue[:, None]


@pytest.mark.parametrize("put", [lambda: Loose(5.0), lambda: Loose(1.0), lambda: losses.R1(5.0)])
def test_a_penalty_without_a_hash_may_be_replaced(put, monkeypatch):
    def change(run):
        if run.epoch == 4:
            run.model.penalty = put()

    assert compare(lambda: gan(nn.Tanh(), penalty=Loose(1.0)), monkeypatch, callbacks=[change]) >= 8


@dataclass(frozen=True, eq=False)
class Turned(nn.Layer):
    """A user's layer that returns arrays of a different memory layout for each `way`."""

    def forward(self, p, x, tape):
        return [x[:, ::-1], np.asfortranarray(x), x[:, np.arange(x.shape[1])], x][self.way]

    way: int = 0

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self.forward(p, dy, tape) if need_dx else None


@pytest.mark.parametrize("way", range(4))
def test_a_layer_may_return_arrays_of_any_memory_layout(way, monkeypatch):
    def build():
        return vae(Turned(way), nn.Dense(5, 5), Turned(way), shape=(40,))

    assert compare(build, monkeypatch) >= 8


class Fussy:
    """A user's optimizer that fails if a gradient is not finite."""

    def memory(self, theta):
        return SimpleNamespace(t=0)

    def update(self, theta, gradient, memory):
        assert np.isfinite(gradient).all()
        theta -= np.float32(0.01) * gradient


@pytest.mark.parametrize("build", [lambda: vae(nn.ReLU()), lambda: gan(nn.ReLU())])
def test_a_users_optimizer_never_gets_a_gradient_that_is_not_finite(build, monkeypatch):
    def poison(run):
        if run.epoch == 5:
            run.model.vector[:] *= np.float32(1e20)

    left = []
    for replay in (False, True):
        model = build()
        with pytest.raises(sg.errors.DivergedError), np.errstate(all="ignore"):
            trained(model, replay, monkeypatch, by_formulas, optimizer=Fussy(), callbacks=[poison])
        left.append(model.vector.tobytes())
    assert left[0] == left[1]


def test_settings_that_change_in_every_step_do_not_fill_the_memory(monkeypatch):
    made = []
    init = StepEngine.__init__
    monkeypatch.setattr(
        StepEngine, "__init__", lambda self, *args: made.append(self) or init(self, *args)
    )

    class Change(sg.train.Callback):
        def on_step(self, run):
            run.model.beta *= 1.01

    settings = {"batch_size": 8, "callbacks": Change(), "seed": 0, "replay": True}
    sg.fit(vae(nn.ReLU()), np.ones((8, 4)), epochs=300, **settings)
    most = step_kinds.MOST_KINDS + 1
    assert len(made[0]._kinds._kinds) <= most
    assert len(made[0]._kinds._doubles) <= most
    assert len(made[0]._kinds.workspace._kinds) <= most


@needs_numba
def test_another_number_of_threads_has_plans_of_its_own(monkeypatch):
    def change(run):
        sg.set_threads(1 + len(run.history["loss"]) % 2)

    try:
        assert compare(lambda: vae(nn.ReLU()), monkeypatch, callbacks=[change]) >= 4
    finally:
        sg.set_threads(1)


@needs_numba
def test_a_loss_that_stops_being_finite_ends_a_replayed_run():
    model, settings = vae(nn.ReLU()), {"optimizer": optim.SGD(3.0), "seed": 0, "replay": True}
    with by_loops(), pytest.raises(sg.errors.DivergedError, match="epoch"):
        sg.fit(model, np.ones((8, 4)), epochs=200, batch_size=8, **settings)
    assert model.is_finite()


CALLS: dict[str, int] = {}  # numbers of calls, by class and verb


def counted(part, *verbs):
    """The part, with its calls of those verbs counted in CALLS."""
    for verb in verbs:
        method = getattr(part, verb)

        def call(*args, verb=verb, method=method, **given):
            name = f"{type(part).__name__}.{verb}"
            CALLS[name] = CALLS.get(name, 0) + 1
            return method(*args, **given)

        object.__setattr__(part, verb, call)
    return part


def rising(step):
    """A user's schedule."""
    CALLS["schedule"] = CALLS.get("schedule", 0) + 1
    return 1e-3 * (1 + step)


OF_LAYERS = ("forward", "backward", "tangent", "tangent_backward", "settle")
COUNTED = {
    "layer": (lambda: gan(counted(Shaken(), *OF_LAYERS), penalty="r1"), None),
    "layer of ours": (lambda: gan(counted(nn.Tanh(), *OF_LAYERS), penalty="r1"), None),
    "likelihood": (lambda: vae(likelihood=counted(OwnLikelihood(), "value_and_gradient")), None),
    "penalty": (
        lambda: gan(penalty=counted(OwnPenalty(2.0), "points", "value_and_gradient")),
        None,
    ),
    "optimizer": (lambda: gan(), lambda: counted(Own(), "update")),
    "schedule": (lambda: gan(), lambda: optim.Adam(rising)),
    "schedule within": (lambda: vae(), lambda: optim.ClipNorm(optim.Adam(rising), 0.1)),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_users_part_is_called_as_often_with_replay_as_without(name, monkeypatch):
    build, optimizer = COUNTED[name]
    counts = []
    for replay in (False, True):
        CALLS.clear()
        settings = {"optimizer": optimizer()} if optimizer else {}
        _, _, replayed = trained(build(), replay, monkeypatch, **settings)
        counts.append(dict(CALLS))
        assert replayed >= (15 if replay else 0)
    assert counts[0]
    assert counts[1] == counts[0]


@dataclass(frozen=True, eq=False)
class Halving(nn.Layer):
    """A user's layer that writes into its input, forward and backward."""

    def forward(self, p, x, tape):
        x *= x.dtype.type(0.5)
        return x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        dy *= dy.dtype.type(0.5)
        return dy if need_dx else None


@dataclass(frozen=True, eq=False)
class Remembering(nn.Layer):
    """A user's layer that adds its output of the pass before."""

    def forward(self, p, x, tape):
        last = vars(self).get("last")
        made = x * x.dtype.type(0.5)
        object.__setattr__(self, "last", made)
        return made if last is None or last.shape != made.shape else made + last

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy * dy.dtype.type(0.5) if need_dx else None


@dataclass(frozen=True, eq=False)
class Spectral(nn.Dense):
    """A user's layer that writes its state in forward."""

    def state(self):
        return {"seen": ((1,), 0.0)}

    def forward(self, p, x, tape):
        if tape.training:
            p.seen += np.abs(x).mean()
        return super().forward(p, x, tape) / (1 + p.seen)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return super().backward(p, dy / (1 + p.seen), tape, g, need_dx)


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("kind", [Halving, Remembering, lambda: Spectral(5, 5)])
def test_a_users_layer_may_write_into_its_input_and_keep_its_output(kind, which, monkeypatch):
    build = lambda: vae(nn.Dense(5, 5), nn.Tanh(), kind(), nn.Dropout(0.3))  # noqa: E731
    assert compare(build, monkeypatch, which=which) >= 15


def test_random_numbers_are_drawn_in_the_order_of_the_layers(monkeypatch):
    def build():
        return vae(nn.Dropout(0.3), Shaken(), nn.GaussianNoise(0.1), Masked(), nn.Dropout(0.2))

    assert compare(build, monkeypatch) >= 15


class OwnModel(sg.models.VAE):
    """A user's model."""

    def minimise(self, turn):
        reports = super().minimise(turn)
        return {**reports, "kl": 2 * reports["kl"]}


def test_a_users_model_is_never_replayed_and_nothing_is_printed(monkeypatch, capsys):
    def build():
        model = vae(nn.ReLU())
        return OwnModel(*model.networks.values(), model.likelihood, rng=0)

    assert compare(build, monkeypatch) == 0
    assert capsys.readouterr().err == ""


class Failing(Shaken):
    """A user's layer that fails at a certain call."""

    def forward(self, p, x, tape):
        CALLS["failing"] = CALLS.get("failing", 0) + 1
        if CALLS["failing"] == CALLS["most"]:
            raise ZeroDivisionError
        return super().forward(p, x, tape)


@pytest.mark.parametrize("turn", ["discriminator", "generator"])
def test_a_broken_off_step_leaves_the_last_step_or_the_last_epoch_if_a_player_had_moved(
    turn, monkeypatch
):
    """A step calls it three times: with real and fake examples, and in the generator's turn."""
    left = []
    for replay in (False, True):
        CALLS.clear()
        CALLS["most"] = 3 * (3 * 6 + 2) + (1 if turn == "discriminator" else 3)
        model = gan(Failing(), nn.Tanh())
        with pytest.raises(ZeroDivisionError):
            trained(model, replay, monkeypatch)
        arrays = [x.tobytes() for x in model.block.snapshot()]
        left.append((arrays, model.training_log[-1]["steps"]))
    assert left[1] == left[0]
    assert left[0][1] == 3 * 6 + (2 if turn == "discriminator" else 0)


@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["__init__", "run"])
def test_an_exception_of_a_signal_handler_in_a_recorded_or_compared_step_ends_the_run(where, error):
    """An alarm is no signal that a run holds back."""

    def alarm(*_):
        raise error("it is time")

    model = gan(nn.BatchNorm(5))
    before = [x.tobytes() for x in model.block.snapshot()]
    x = np.random.default_rng(0).standard_normal((8, 4))
    with pytest.MonkeyPatch.context() as context:
        context.setattr(Plan, where, alarm)
        with pytest.raises(error, match="it is time"):
            sg.fit(model, x, epochs=1, batch_size=2, seed=0, replay=True)
    after = [x.tobytes() for x in model.block.snapshot()]
    assert after == before
    assert not model.training_log


@needs_numba  # formulas make arrays of their own besides
def test_a_plan_is_compared_in_little_more_memory_than_a_step_changes():
    peaks = []
    for replay in (False, True):
        model = sg.models.vae((200,), latent=2, hidden=(1000,), rng=0)
        x = np.ones((16, 200), "float32")
        sg.fit(model, x, epochs=4, batch_size=16, seed=0, replay=replay)  # kernels are compiled
        tracemalloc.start()
        sg.fit(model, x, epochs=4, batch_size=16, seed=0, replay=replay)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    size = model.vector.nbytes
    # a copy of the vector and of Adam's two; and a chunk, of which most is not touched
    assert peaks[1] - peaks[0] < 4 * size + step_kinds.CHUNK + PAGE


# which steps are replayed


@pytest.fixture
def engines(monkeypatch):
    """The StepEngine of each training; reasons are printed again; the source counts as unedited."""
    made = []
    init = StepEngine.__init__
    monkeypatch.setattr(
        StepEngine, "__init__", lambda self, *args: made.append(self) or init(self, *args)
    )
    monkeypatch.setattr(permission, "SAID", set())
    monkeypatch.setattr(permission, "is_followed", lambda: False)
    monkeypatch.setattr("scratchgen.kernels.fingerprints.edited", list)
    monkeypatch.delenv("SCRATCHGEN_REPLAY", raising=False)
    return made


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize(
    ("replay", "variable", "is_replayed"),
    [
        (True, None, True),
        (False, None, False),
        (None, None, True),
        (None, "1", True),
        (None, "0", False),
        (True, "0", True),
        (False, "1", False),
    ],
)
def test_every_setting_of_replay_gives_the_same_bits(
    replay, variable, is_replayed, monkeypatch, capsys
):
    expected = trained(gan(nn.ReLU()), False, monkeypatch)
    if variable is not None:
        monkeypatch.setenv("SCRATCHGEN_REPLAY", variable)
    found = trained(gan(nn.ReLU()), replay, monkeypatch)
    assert found[:2] == expected[:2]
    assert (found[2] > 15) == is_replayed
    assert is_replayed or found[2] == 0
    assert capsys.readouterr().err == ""


def test_other_values_of_replay_are_refused_before_any_work(monkeypatch):
    model = vae()
    for replay in ("yes", 1, 0):
        with pytest.raises(OptionError, match="wants True, False, or None"):
            sg.fit(model, np.ones((8, 4)), epochs=1, replay=replay)
    monkeypatch.setenv("SCRATCHGEN_REPLAY", "yes")
    with pytest.raises(OptionError, match="SCRATCHGEN_REPLAY=yes: wants 0 or 1"):
        sg.fit(model, np.ones((8, 4)), epochs=1)
    assert not model.training_log


class OwnMomentum:
    """A user's optimizer with a memory."""

    def memory(self, theta):
        return {"v": np.zeros_like(theta), "t": 0, "theta": theta}

    def update(self, theta, gradient, memory):
        assert memory["theta"] is theta or memory["theta"].ctypes.data == theta.ctypes.data
        memory["t"] += 1
        memory["v"] *= np.float32(0.9)
        memory["v"] += gradient
        theta -= np.float32(0.01) / memory["t"] * memory["v"]


def remembered_by(steps):
    """All memories of a training, and the state of its noise."""

    def plain(memory):
        values = memory if isinstance(memory, dict) else vars(memory)
        return {
            name: value.tobytes() if isinstance(value, np.ndarray)
            else plain(value) if isinstance(value, SimpleNamespace) else value
            for name, value in values.items()
        }  # fmt: skip

    trainer = steps.trainer
    memories = {player: plain(memory) for player, memory in trainer.memories.items()}
    averages = [plain(average) for pair in trainer.averages.values() for average in pair]
    return memories, averages, trainer.model_steps, repr(steps._rng.bit_generator.state)


def writes_in_place(monkeypatch, since):
    turn, calls = sg.models.adversarial.generator_loss, []

    def doubled(*args):
        d = turn(*args)
        calls.append(1)
        if len(calls) >= since:
            d.fake *= d.fake.dtype.type(2)
        return d

    monkeypatch.setattr("scratchgen.models.adversarial.generator_loss", doubled)


def multiplies_by_numpy(monkeypatch, since):
    turn, calls = sg.models.adversarial.generator_loss, []

    def doubled(*args):
        d = turn(*args)
        calls.append(1)
        if len(calls) >= since:
            d.fake = d.fake * d.fake.dtype.type(2)
        return d

    monkeypatch.setattr("scratchgen.models.adversarial.generator_loss", doubled)


def reads_the_step(monkeypatch, since):
    minimise = sg.models.GAN.minimise

    def in_turns(self, turn):
        if turn.player == "generator" and turn._tape.step >= 4:
            turn.batch, turn.size = turn.batch[:2], 2
        return minimise(self, turn)

    monkeypatch.setattr(sg.models.GAN, "minimise", in_turns)


def looks_the_step_up(monkeypatch, since):
    minimise = sg.models.GAN.minimise

    def in_turns(self, turn):
        if turn.player == "generator":  # C reads an int without asking it
            turn.size = ([turn.size] * 4 + [2] * 100)[turn._tape.step]
            turn.batch = turn.batch[: turn.size]
        return minimise(self, turn)

    monkeypatch.setattr(sg.models.GAN, "minimise", in_turns)


def hides_something(monkeypatch, since):
    full, calls = sg.losses.games.full, []

    def falling(shape, value, dtype):
        calls.append(1)
        return full(shape, value / (len(calls) if len(calls) >= since else 1), dtype)

    monkeypatch.setattr("scratchgen.losses.games.full", falling)


REFUSED = {
    "writes in place": (writes_in_place, "doubled (test_replay.py, line "),
    "multiplies by NumPy": (multiplies_by_numpy, "was given an array ("),
    "reads the step": (
        reads_the_step,
        "the number of the step is read other than by",
    ),
    "looks the step up": (
        looks_the_step_up,
        "the number of the step is read other than by",
    ),
    "hides something": (hides_something, "the recording of a step gave other numbers"),
}


@pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("optimizer", [optim.Adam(optim.Cosine(1e-2, 20)), OwnMomentum()])
@pytest.mark.parametrize("since", [1, 2, 3])
@pytest.mark.parametrize("name", REFUSED)
def test_a_step_that_cannot_be_replayed_gives_the_bits_of_a_step_by_python(
    name, since, optimizer, which, monkeypatch, engines, capsys
):
    """The generator's turn is broken off, after the discriminator has moved."""
    patch, reason = REFUSED[name]
    found = []
    settings = {"optimizer": optimizer, "average": 0.9, "which": which}
    for replay in (False, True):
        with monkeypatch.context() as context:
            patch(context, since)
            model = gan(nn.BatchNorm(5), nn.Dropout(0.3))
            left, history, replayed = trained(model, replay, context, **settings)
        found.append((left, history, remembered_by(engines[-1])))
        assert replayed <= 1  # which was compared
    assert found[1] == found[0]
    err = capsys.readouterr().err
    assert err.startswith("scratchgen: steps run as they are written, and are not replayed: ")
    assert reason in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("early", [True, False])
def test_a_replaced_method_is_called_in_each_step(early, monkeypatch, engines, capsys):
    calls, forward = [], nn.Tanh.forward

    def slower(self, p, x, tape):
        calls.append(1)
        return forward(self, p, x, tape)

    def replace(run):
        if run.epoch == 3 and not early:
            monkeypatch.setattr(nn.Tanh, "forward", slower)

    if early:
        monkeypatch.setattr(nn.Tanh, "forward", slower)
    left, history, replayed = trained(vae(nn.Tanh()), None, monkeypatch, callbacks=replace)
    assert len(calls) == 2 * 3 * (8 if early else 5)  # in both networks
    assert (replayed == 0) == early
    assert capsys.readouterr().err == (
        "scratchgen: steps run as they are written, and are not replayed: "
        "Tanh.forward was replaced\n"
    )
    monkeypatch.setattr(nn.Tanh, "forward", forward)
    assert (left, history) == trained(vae(nn.Tanh()), False, monkeypatch)[:2]


def test_a_debugger_sees_each_step(monkeypatch, engines, capsys):
    monkeypatch.undo()
    monkeypatch.setattr(permission, "SAID", set())
    monkeypatch.setattr("scratchgen.kernels.fingerprints.edited", list)
    expected, seen, before = trained(vae(nn.Tanh()), False, monkeypatch), [], sys.gettrace()

    def follow(frame, _event, _arg):
        seen.extend([1] if frame.f_code is sg.models.VAE.minimise.__code__ else [])

    sys.settrace(follow)
    try:
        found = trained(vae(nn.Tanh()), None, monkeypatch)
    finally:
        sys.settrace(before)
    assert found == expected
    assert len(seen) == 24
    assert capsys.readouterr().err == (
        "scratchgen: steps run as they are written, and are not replayed: "
        "a debugger follows the program\n"
    )


class Sparse(losses.R1):
    """A user's penalty, at a random number of points."""

    def points(self, real, fake, rng):
        CALLS["points"] = CALLS.get("points", 0) + 1
        most = 2 if CALLS["points"] < 12 else 4
        return real[: rng.integers(1, most)]


def test_a_penalty_at_another_number_of_points_ends_the_replays(monkeypatch, engines, capsys):
    found = []
    for replay in (False, True):
        CALLS.clear()
        model = gan(nn.Dropout(0.3), penalty=Sparse(2.0))
        left, history, replayed = trained(model, replay, monkeypatch, optimizer=OwnMomentum())
        assert (replayed > 4) == replay
        found.append((left, history, remembered_by(engines[-1])))
    assert found[1] == found[0]
    assert re.search(r"points gave \d points, and \d before\n$", capsys.readouterr().err)


def test_actions_run_at_once_and_a_plan_does_them_in_their_order():
    seen, x = [], np.zeros(3)
    with recording() as notes:
        run_action(seen.append, ("first",), written=(x,))
        run_action(seen.append, ("second",), read=(x,))
        run_action(seen.append, ("third",), fenced=True)
    run_action(seen.append, ("nobody records",))
    assert seen == ["first", "second", "third", "nobody records"]
    seen.clear()
    Plan(notes, threads=1).run()
    assert seen == ["first", "second", "third"]


def test_a_plan_does_not_know_memory_that_was_made_outside_kernels():
    workspace, mine, passing = Workspace(), np.zeros(3), np.zeros(3)
    with workspace.step():
        of_step = empty((3,), float)
    for x, is_strange in ((mine, False), (mine[1:], False), (of_step, False), (passing, True)):
        with recording() as notes:
            run_action(np.negative, (x, x), read=(x,), written=(x,))
        assert bool(notes.foreign_arrays([mine], workspace)) == is_strange
        with recording() as notes:
            note_constant(x)
            run_action(np.negative, (x, x), read=(x,), written=(x,))
        assert not notes.foreign_arrays([], workspace)


@needs_numba
def test_a_thread_that_waits_in_vain_does_all_the_work_and_a_late_thread_none():
    x, out = np.arange(100_000.0), np.zeros(100_000)
    call = Call(kernels.add_scaled.definition.loop, (x, x, np.float64(2), out), 1e6)
    table = plans.Table([call, call], threads=2)
    for_python(plans.enter)(1, 2, table._rows, table._gate)
    assert (out == 3 * x).all()
    out[:] = 0
    for_python(plans.enter)(0, 2, table._rows, table._gate)
    assert not out.any()


@needs_numba
@pytest.mark.parametrize("name", ["picture", "free bits", "batch norm", "three moves",
                                  "gradient_penalty, ReLU", "r1, Tanh", "dropout"])  # fmt: skip
def test_a_replayed_step_allocates_no_array(name):
    """With so many examples that the smallest array, (N,), takes more memory than Python does."""
    if now("f") != "ours":
        pytest.skip("NumPy multiplies on this CPU, and makes arrays to add up in")
    examples, model = 5000, MODELS[name]()
    x = np.ones((examples, *model.shape), np.float32)
    trainer = Trainer(model, model.optimizers(100))
    with by_loops():
        steps = StepEngine(trainer, x, None, np.random.default_rng(0), replay=True)
        rows = np.arange(examples)
        for _ in range(12):
            steps.step(rows)
        tracemalloc.start()
        try:
            for _ in range(3):
                steps.step(rows)
            assert tracemalloc.get_traced_memory()[1] < 4 * examples / 2
        finally:
            tracemalloc.stop()

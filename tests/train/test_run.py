"""A run resumes from its checkpoint with the same bits; `fit` is a loop around a run."""

import contextlib
import copy
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from small_models import small_model

import scratchgen as sg
from scratchgen import nn, optim
from scratchgen.data import Scaler
from scratchgen.ground import errors
from scratchgen.ground.rng import stream
from scratchgen.kernels.formulas import by_formulas
from scratchgen.models import RECIPES, Model, family
from scratchgen.train import Callback, Run, complete

N, SIZE, EPOCHS, STEPS = 10, 4, 3, 9  # three batches an epoch
LABELS = np.arange(N) % 3
SMALL = {"latent": 2, "hidden": (4,), "rng": 0}


@pytest.fixture(autouse=True)
def no_loop_is_compiled():
    with by_formulas():
        yield


def data(shape=(3,), n=N):
    return np.random.default_rng(1).random((n, *shape))


def vae(**settings):
    return sg.models.vae((3,), **{**SMALL, **settings})


def gan(**settings):
    return sg.models.gan((3,), **{**SMALL, **settings})


def new_run(model, epochs=EPOCHS, **options):
    """A run on data for this model, with labels if it wants them."""
    options = {"batch_size": SIZE, "seed": 5, "replay": False, **options}
    return Run(model, data(model.shape), epochs=epochs, **options, **labels_for(model))


def labels_for(model):
    return {"labels": LABELS} if model.n_labels else {}


def held_out(model):
    x = data(model.shape)[:5]
    return (x, LABELS[:5]) if model.n_labels else x


def checkpoint(run):
    """The arrays and the plain values of a run, after JSON."""
    arrays = {name: x.copy() for name, x in run.arrays().items()}
    return arrays, json.loads(json.dumps(run.plain()))


def resumed(saved, model, **options):
    """A run that resumes from a checkpoint, on the data of `new_run`."""
    arrays, plain = saved
    return Run.resumed(data(model.shape), arrays, plain, **labels_for(model), **options)


def bits(run):
    """All bits of a run."""
    arrays, plain = run.arrays(), run.plain()
    return {name: x.tobytes() for name, x in arrays.items()}, json.dumps(plain)


def end(run):
    """Take a run to its end; returns all bits of it and of its model."""
    while not run.is_done():
        run.step()
    run.finish()
    model, history = run.model, json.dumps(dict(run.history))
    left = [x.tobytes() for x in model.block.snapshot()]
    return bits(run), left, history, json.dumps(model.training_log)


def expect_to_resume(build, replay=True, **options):
    """A run that is stopped after every step equals, step by step, a run that is never stopped.

    The latter is replayed, if `replay`; so is a third run, which is stopped once.
    """
    without = {} if options.get("validation") is None else {"validation": options["validation"]}
    whole, stopped = new_run(build(), replay=replay, **options), new_run(build(), **options)
    once = None
    for step in range(STEPS):
        stopped = resumed(checkpoint(stopped), stopped.model, replay=False, **without)
        assert bits(stopped) == bits(whole), step
        assert stopped.step() == whole.step()
        if step == 3:
            once = resumed(checkpoint(whole), whole.model, replay=replay, **without)
    stopped = resumed(checkpoint(stopped), stopped.model, replay=False, **without)
    assert end(stopped) == end(whole) == end(once)


def accepted(recipe, shape, expected):
    """Those of the given settings that the recipe takes."""
    settings = dict(SMALL)
    for name, value in expected.items():
        try:
            recipe(shape, **settings, **{name: value})
        except (TypeError, errors.ScratchgenError):
            continue
        settings[name] = value
    return settings


WANTED = {
    "n_labels": 3,
    "dtype": "float64",
    "warm_up": 5,
    "free_bits": 0.1,
    "discriminator_steps": 2,
    "scaler": Scaler.standard(data()),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_stopped_run_of_each_recipe_resumes_with_the_same_bits(name):
    """On pictures, because discriminators of pictures add noise to their input."""
    expect_to_resume(lambda: small_model(name, (2, 2, 1), **SMALL))


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_with_all_settings_resumes_with_the_same_bits(name):
    settings = accepted(RECIPES[name], (3,), WANTED)

    def made():
        return RECIPES[name]((3,), **settings)

    options = {"average": 0.8, "even_batches": False, "validation": held_out(made())}
    expect_to_resume(made, optimizer=optim.ClipNorm(optim.Adam(optim.Cosine(0.01, 7))), **options)


def test_each_of_the_settings_is_taken_by_some_recipe():
    for_vae, for_gan = (accepted(RECIPES[name], (3,), WANTED) for name in ("vae", "gan"))
    assert for_vae.keys() == {*SMALL, *WANTED} - {"discriminator_steps"}
    assert for_gan.keys() == {*SMALL, *WANTED} - {"warm_up", "free_bits"}


def layered():
    """A model with layers that have state or draw noise."""
    layers = (nn.Dense(3, 6), nn.BatchNorm(6), nn.ReLU(), nn.Dropout(0.3), nn.GaussianNoise(0.1))
    encoder = nn.Network((3,), *layers, nn.Dense(6, 4))
    decoder = nn.Network((2,), nn.Dense(2, 4), nn.BatchNorm(4), nn.Tanh(), nn.Dense(4, 3))
    return sg.models.VAE(encoder, decoder, "gaussian_fixed", rng=0)


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_run_resumes_with_layers_that_have_state_and_noise(average):
    expect_to_resume(layered, average=average)


def test_a_second_run_of_a_model_resumes():
    """Turns, warm-up, order and noise depend on the steps before."""

    def build():
        model = gan(discriminator_steps=4)
        end(new_run(model, epochs=2))
        return model

    expect_to_resume(build)
    assert new_run(build()).steps_before == 6


SCHEDULES = (
    0.01,
    optim.Constant(0.01, steps=4),
    optim.LinearDecay(0.01, 7),
    optim.StepDecay(0.01, 2),
    optim.Cosine(0.01, 7, least=1e-3),
    optim.WarmUp(0.01, 4),
    optim.Chain(optim.WarmUp(0.01, 3), optim.Cosine(0.01, 4)),
)


@pytest.mark.parametrize("name", optim.OPTIMIZERS.examples())
def test_a_run_resumes_with_each_optimizer(name):
    expect_to_resume(vae, replay=False, optimizer=optim.OPTIMIZERS.examples()[name])


@pytest.mark.parametrize("rate", SCHEDULES, ids=str)
def test_a_run_resumes_with_each_schedule(rate):
    expect_to_resume(gan, replay=False, optimizer=optim.SGD(rate))


def test_a_run_resumes_with_nan_and_infinity_in_its_history():
    """The generator has no turn in the first epoch, and the validation numbers overflow."""
    far = np.full((2, 3), 1e30)
    for build, name, validation in (
        (lambda: gan(discriminator_steps=4), "generator", None),
        (vae, "val_loss", far),
    ):
        run = new_run(build(), validation=validation)
        for _ in range(4):
            run.step()
        (value,) = run.history[name]
        assert not np.isfinite(value)
        expect_to_resume(build, validation=validation)


def test_a_run_resumes_in_another_process(tmp_path):
    options = {"average": 0.9, "optimizer": optim.Nesterov(optim.Cosine(0.01, 9))}
    run = new_run(layered(), **options)
    for _ in range(4):
        run.step()
    arrays, plain = checkpoint(run)
    np.savez(tmp_path / "arrays.npz", **arrays, x=data())
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    program = (
        "import json, sys, numpy as np\n"
        "from scratchgen.train import Run\n"
        "arrays = dict(np.load('arrays.npz'))\n"
        "x, plain = arrays.pop('x'), json.load(open('plain.json'))\n"
        "run = Run.resumed(x, arrays, plain)\n"
        "while not run.is_done():\n"
        "    run.step()\n"
        "run.finish()\n"
        "model = run.model\n"
        "print(json.dumps([model.vector.tobytes().hex(), model.state.tobytes().hex(),\n"
        "                  dict(run.history), model.training_log, run.plain()]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(sg.__path__[0]) + "/..", "SCRATCHGEN_JIT": "0"},
    )  # fmt: skip
    end(run)
    vector, state = (x.tobytes().hex() for x in run.model.block.snapshot())
    found = [vector, state, dict(run.history), run.model.training_log, run.plain()]
    assert json.loads(done.stdout) == json.loads(json.dumps(found))


# orders


def orders(run):
    """For each remaining epoch, the examples in their order."""
    seen, step = {}, run.engine.step

    def noting(rows):
        seen.setdefault(run.epoch, []).extend(rows.tolist())
        return step(rows)

    run.engine.step = noting
    while not run.is_done():
        run.step()
    run.finish()
    return seen


def test_the_order_of_an_epoch_depends_on_nothing_but_seed_and_epoch():
    expected = orders(new_run(vae()))
    assert [sorted(order) for order in expected.values()] == [list(range(N))] * EPOCHS
    for options in ({"epochs": 5}, {"batch_size": 3}, {"optimizer": "sgd"}, {"average": 0.9}):
        found = orders(new_run(vae(), **options))
        assert [found[epoch] for epoch in expected] == list(expected.values())
    assert [*orders(new_run(gan())).values()] == [*expected.values()]
    run = new_run(vae())
    for _ in range(5):
        run.step()
    rest = orders(resumed(checkpoint(run), run.model))
    assert rest == {2: expected[2][-3:], 3: expected[3]}


def test_epochs_seeds_and_calls_have_orders_and_noise_of_their_own():
    model = vae()
    all_of_them = [*orders(new_run(model)).values(), *orders(new_run(model)).values()]
    all_of_them += orders(new_run(vae(), seed=6)).values()
    assert len(set(map(tuple, all_of_them))) == 3 * EPOCHS
    noises = [new_run(x).noise.random() for x in (vae(), model)]
    assert noises[0] == stream(5, "noise").random() != noises[1]
    assert model.steps_trained == 2 * STEPS


def test_a_second_run_after_one_that_ended_early_repeats_no_order():
    model = vae()
    first = new_run(model)
    for _ in range(3):
        first.step()
    first.finish()
    second = orders(new_run(model))
    assert not {*map(tuple, orders(new_run(vae())).values())} & {*map(tuple, second.values())}


# what is refused


@pytest.fixture
def run():
    run = new_run(vae(), average=0.9)
    for _ in range(4):
        run.step()
    return run


def test_other_data_are_refused(run):
    arrays, plain = checkpoint(run)
    for x, error, words in (
        (data(n=9), errors.DataError, "x has 9 examples, and the run has 10: give the data"),
        (data()[::-1], errors.DataError, "differ from the run's, or are in another order: give"),
        (data() + 1e-9, errors.DataError, "differ from the run's, or are in another order: give"),
        (data((4,)), errors.ShapeError, r"wants \(N, 3\)"),
        (np.full((N, 3), np.nan), errors.DataError, "NaN"),
    ):
        with pytest.raises(error, match=words):
            Run.resumed(x, arrays, plain)
    with pytest.raises(errors.OptionError, match="leave labels out"):
        Run.resumed(data(), arrays, plain, labels=LABELS)
    with pytest.raises(errors.OptionError, match="the run had no validation data: give the same"):
        Run.resumed(data(), arrays, plain, validation=data())


def test_labels_and_validation_are_wanted_where_the_run_had_them():
    model = vae(n_labels=3)
    run = new_run(model, validation=held_out(model))
    arrays, plain = checkpoint(run)
    given = {"labels": LABELS, "validation": held_out(model)}
    assert Run.resumed(data(), arrays, plain, **given).step() == run.step()
    for change, error, words in (
        ({"labels": None}, errors.OptionError, "give labels="),
        ({"labels": LABELS[:5]}, errors.ShapeError, "labels"),
        ({"validation": None}, errors.OptionError, "the run had validation data: give the same"),
        (
            {"validation": (data(n=4), LABELS[:4])},
            errors.DataError,
            "has 4 examples, the run's has 5: give the same",
        ),
        ({"validation": data()[:5]}, errors.OptionError, r"wants a pair \(x, labels\)"),
    ):
        with pytest.raises(error, match=words):
            Run.resumed(data(), arrays, plain, **{**given, **change})


def other(**changes):
    """A function that changes some arrays; None removes an array."""

    def change(arrays):
        return {name: x for name, x in {**arrays, **changes}.items() if x is not None}

    return change


BAD_ARRAYS = {
    "of another model": (lambda _: new_run(vae(latent=3), average=0.9).arrays(), "has shape|wants"),
    "without an average": (lambda _: new_run(vae()).arrays(), "'average.decoder.*is missing"),
    "of another optimizer": (
        lambda _: new_run(vae(), average=0.9, optimizer="sgd").arrays(),
        "'memory.vae.* is missing",
    ),
    "none": (lambda _: {}, "is missing"),
    "one missing": (other(vector=None), "'vector' is missing"),
    "the good weights missing": (other(**{"good.state": None}), "'good.state' is missing"),
    "one too many": (other(more=np.zeros(3)), "'more' is unknown"),
    "another name": (other(state=None, State=np.zeros(0, "f4")), "'State' is unknown"),
    "another dtype": (
        lambda arrays: {name: x.astype(np.float64) for name, x in arrays.items()},
        "float64.*wants.*float32",
    ),
    "another byte order": (lambda a: {**a, "vector": a["vector"].astype(">f4")}, "'vector' is"),
    "another shape": (lambda a: {**a, "vector": a["vector"][:-1]}, "'vector' is .*wants"),
    "with an axis more": (lambda a: {**a, "vector": a["vector"][None]}, "'vector' is .*wants"),
    "objects": (other(vector=np.array([None])), "'vector' is"),
    "text": (other(vector="text"), "'vector' is"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_of_another_run_are_refused(name, run):
    change, words = BAD_ARRAYS[name]
    arrays, plain = checkpoint(run)
    with pytest.raises(errors.OptionError, match=f"not the arrays and numbers of a run.*({words})"):
        Run.resumed(data(), change(arrays), plain)


def test_plain_values_of_another_run_are_refused(run):
    arrays, plain = checkpoint(run)
    for name in plain:
        less = {key: value for key, value in plain.items() if key != name}
        with pytest.raises(errors.OptionError, match=f"'{name}' is missing"):
            Run.resumed(data(), arrays, less)
    for change, words in (
        ({"epoch": 4}, "epoch=4"),
        ({"position": -1}, "position=-1"),
        ({"position": 4}, "position=4"),
        ({"noise": {"bit_generator": "MT19937"}}, "the state of the noise"),
        ({"noise": None}, "the state of the noise"),
        ({"history": {"loss": []}}, "the history holds loss, wants loss, reconstruction, kl"),
        ({"trainer": {**plain["trainer"], "more": 1}}, "'more' is unknown"),
        (
            {"optimizers": {**plain["optimizers"], "vea": {"name": "sgd", "learning_rate": 1}}},
            "'vae'",
        ),
        ({"optimizers": {"vae": {"name": "adma"}}}, "mean 'adam'"),
        ({"optimizers": {}}, "the optimizer of the vae is missing"),
        ({"model": {**plain["model"], "model": "VEA"}}, "mean 'VAE'"),
    ):
        with pytest.raises(errors.OptionError, match=words):
            Run.resumed(data(), arrays, {**plain, **change})


@dataclass(frozen=True)
class Halving:
    """A user's schedule."""

    rate: float = 0.1

    def __call__(self, step):
        return self.rate / 2**step


@dataclass(frozen=True)
class Heavy:
    """A user's optimizer whose memory has everything that a memory may hold."""

    rate: float = 0.01

    def memory(self, theta):
        return {"v": np.zeros_like(theta), "few": [0, np.float64(0.5)], "name": "heavy", "x": None}

    def update(self, theta, gradient, memory):
        memory["few"][0] += 1
        memory["few"][1] = np.float64(memory["few"][1] + 0.1 / memory["few"][0])
        memory["v"][:] = 0.9 * memory["v"] + gradient
        theta -= (memory["few"][1] * self.rate * memory["v"]).astype(theta.dtype)


def test_a_users_schedules_and_optimizers_are_refused_until_they_are_registered(monkeypatch):
    for optimizer, words in (
        (optim.SGD(Halving()), r"add it to scratchgen\.optim\.SCHEDULES"),
        (optim.SGD(lambda step: 0.1), "plain function.* frozen dataclass.*SCHEDULES"),
        (Heavy(), r"add it to scratchgen\.optim\.OPTIMIZERS"),
        (optim.ClipNorm(Heavy()), r"add it to scratchgen\.optim\.OPTIMIZERS"),
    ):
        run = new_run(vae(), optimizer=optimizer)
        run.step()
        with pytest.raises(errors.OptionError, match=words):
            run.plain()
    monkeypatch.setitem(optim.SCHEDULES, "halving", Halving)
    monkeypatch.setitem(optim.OPTIMIZERS, "heavy", Heavy)
    expect_to_resume(vae, optimizer=optim.SGD(Halving()))
    expect_to_resume(vae, optimizer=Heavy())
    expect_to_resume(vae, optimizer=optim.ClipNorm(Heavy(), norm=0.1))


def test_a_memory_of_other_than_arrays_and_numbers_is_refused(monkeypatch):
    class Secretive(Heavy):
        def memory(self, theta):
            return {**super().memory(theta), "secret": {1, 2}}

    monkeypatch.setitem(optim.OPTIMIZERS, "secretive", Secretive)
    run = new_run(vae(), optimizer=Secretive())
    run.step()
    for give in (run.arrays, run.plain):
        with pytest.raises(errors.KindError, match=r"holds \{1, 2\}: wants arrays, numbers, text"):
            give()


def test_a_users_model_is_refused_until_it_is_registered(monkeypatch):
    class Mine(sg.models.VAE):
        kind = "Mine"

    def build():
        given = vae()
        return Mine(given.encoder, given.decoder, given.likelihood, rng=0)

    with pytest.raises(
        errors.OptionError, match=r"Mine is not one of .*scratchgen\.models\.MODELS"
    ):
        new_run(build()).plain()
    monkeypatch.setitem(sg.models.MODELS, "Mine", Mine)
    expect_to_resume(build)


# fit is a loop


class Recorder(Callback):
    """Records each call with the bits of the run then, and, if asked, a checkpoint."""

    def __init__(self, saves=False):
        self.calls, self.saves, self.checkpoints = [], saves, []

    def on_start(self, run):
        self.calls.append("start")

    def on_step(self, run):
        self._note("step", run)

    def on_epoch(self, run):
        self._note("epoch", run)

    def on_end(self, run):
        self.calls.append("end")

    def _note(self, what, run):
        weights, history = run.model.vector.tobytes(), json.dumps(dict(run.history))
        losses = json.dumps(run.losses)
        self.calls.append((what, run.epoch, run.steps, losses, history, weights))
        if self.saves:
            self.checkpoints.append((len(self.calls), checkpoint(run)))


@pytest.mark.parametrize("average", [None, 0.8])
@pytest.mark.parametrize("build", [vae, lambda: gan(discriminator_steps=2)], ids=["vae", "gan"])
def test_fit_is_a_loop_around_a_run(build, average):
    by_fit, by_hand = build(), build()
    options = {"epochs": EPOCHS, "batch_size": SIZE, "seed": 5, "average": average}
    history = sg.fit(by_fit, data(), **options, validation=data()[:5])
    run = new_run(by_hand, average=average, validation=data()[:5])
    assert by_hand.history is run.history
    while not run.is_done():
        run.step()
    run.finish()
    assert json.dumps(dict(run.history)) == json.dumps(dict(history))
    assert np.array_equal(by_hand.vector, by_fit.vector)
    assert by_hand.training_log == by_fit.training_log


@pytest.mark.parametrize("average", [None, 0.8])
def test_a_checkpoint_from_a_callback_resumes_as_fit_would_have_gone_on(average):
    """After a step, after the last step of an epoch, and after the epoch, with averages."""
    recorder, model = Recorder(saves=True), layered()
    options = {"epochs": EPOCHS, "batch_size": SIZE, "seed": 5, "average": average}
    held = data()[:5]
    history = sg.fit(model, data(), **options, validation=held, callbacks=recorder)
    assert len(recorder.checkpoints) == STEPS + EPOCHS
    for count, (arrays, plain) in recorder.checkpoints:
        run, rest = Run.resumed(data(), arrays, plain, validation=held), Recorder()
        assert complete(run, rest) is run.history is run.model.history
        assert rest.calls == ["start", *recorder.calls[count:]]
        assert dict(run.history) == dict(history)
        assert np.array_equal(run.model.vector, model.vector)
        assert np.array_equal(run.model.state, model.state)
        assert run.model.training_log == model.training_log


def test_a_checkpoint_can_be_taken_at_the_end_of_an_interrupted_run():
    class Interrupted(Callback):
        def on_step(self, run):
            if run.steps == 5:
                raise KeyboardInterrupt

        def on_end(self, run):
            self.checkpoint = checkpoint(run)

    expected, interrupted = new_run(vae(), average=0.8), Interrupted()
    options = {"epochs": EPOCHS, "batch_size": SIZE, "seed": 5, "average": 0.8}
    with pytest.raises(KeyboardInterrupt):
        sg.fit(vae(), data(), **options, callbacks=interrupted)
    assert end(resumed(interrupted.checkpoint, expected.model)) == end(expected)


# averages


@family
class Shared(Model):
    """Two players that both move the middle network; one moves in every other step."""

    kind = "Shared"
    players: ClassVar = {"first": ("left", "middle"), "second": ("middle", "right")}
    reported = ("first", "second")

    left: nn.Network
    middle: nn.Network
    right: nn.Network

    def fit_together(self):
        self.shape, self.latent = (3,), 3

    def minimise(self, turn):
        total = 0.0
        for name in self.players[turn.player]:
            y = turn.forward(name, turn.batch)
            total += float((y**2).sum()) / turn.size
            if turn.wants_gradient:
                turn.backward(name, 2 * y / turn.size, need_dx=False)
        return {turn.player: total}

    def turns(self, step):
        return ("first",) if step % 2 else ("first", "second")

    def optimizers(self, steps, learning_rate=None):
        return {player: optim.SGD(0.05) for player in self.players}


def shared():
    networks = (nn.Network((3,), nn.Dense(3, 3)) for _ in range(3))
    return Shared(*networks, dtype="float64", rng=0)


def averaged(weights, keep):
    """(1) of optim/averaging.py, of the weights after each move."""
    shares = keep ** np.arange(len(weights))[::-1]
    return np.tensordot(shares / shares.sum(), weights, axes=1)


@pytest.mark.parametrize("replay", [False, True])
def test_averages_count_once_in_each_step_in_which_their_network_moved(replay):
    for model, moved in (
        (shared(), {"left": range(STEPS), "middle": range(STEPS), "right": range(0, STEPS, 2)}),
        (
            gan(discriminator_steps=3, dtype="float64"),
            {"discriminator": range(STEPS), "generator": range(2, STEPS, 3)},
        ),
    ):
        run, seen = new_run(model, average=0.7, replay=replay), {name: [] for name in moved}
        for step in range(STEPS):
            run.step()
            for name, steps in moved.items():
                if step in steps:
                    seen[name].append(model.block.theta((name,)).copy())
        last = {name: model.block.theta((name,)).copy() for name in moved}
        run.finish()
        for name, weights in seen.items():
            found = model.block.theta((name,))
            np.testing.assert_allclose(found, averaged(weights, 0.7), rtol=1e-10)
            assert not np.array_equal(found, last[name])


def test_the_state_is_averaged_over_the_steps_of_its_network():
    model, seen = layered(), []
    run = new_run(model, average=0.7)
    while not run.is_done():
        run.step()
        seen.append(model.state.copy())
    run.finish()
    np.testing.assert_allclose(model.state, averaged(np.float64(seen), 0.7), rtol=1e-5)


def test_a_network_that_has_not_moved_yet_keeps_its_weights():
    model = gan(discriminator_steps=STEPS + 1)
    before = model.theta("generator").copy()
    run = new_run(model, average=0.9)
    end(run)
    assert np.array_equal(model.theta("generator"), before)


def test_a_run_resumes_where_two_players_move_the_same_network(monkeypatch):
    monkeypatch.setitem(sg.models.MODELS, "Shared", Shared)
    expect_to_resume(shared, average=0.9, optimizer="adam")


# runs that go wrong


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_resumed_run_that_diverges_has_the_weights_of_the_last_good_epoch(average):
    run = new_run(vae(), average=average)
    for _ in range(3):
        run.step()
    run.end_epoch()
    with run.with_averages():
        good = run.model.vector.copy()
    run.step()
    again = resumed(checkpoint(run), run.model)
    again.model.vector[0] = np.nan
    with pytest.raises(errors.DivergedError, match=r"epoch 2, step 2 of 3.* the end of epoch 1"):
        again.step()
    assert np.array_equal(again.model.vector, good)
    again.finish()
    assert np.array_equal(again.model.vector, good)
    (record,) = again.model.training_log
    assert (record["epochs"], record["steps"]) == (1, 3)


def broken_off():
    run = new_run(gan())
    run.step()
    run.model.views.generator[0].w[0, 0] = np.nan
    with pytest.raises(errors.DivergedError):
        run.step()
    return run


def interrupted_within():
    """A run whose discriminator has moved in a step, and whose generator has not."""

    class Stopping(optim.SGD):
        def update(self, theta, gradient, memory):
            raise KeyboardInterrupt

    run = new_run(gan(), optimizer={"generator": Stopping(0.01)})
    with pytest.raises(KeyboardInterrupt):
        run.step()
    return run


@pytest.mark.parametrize("end_of", [broken_off, interrupted_within])
def test_a_run_cannot_go_on_after_a_broken_off_step(end_of):
    run = end_of()
    for _ in range(2):
        for go_on in (run.step, run.arrays, run.plain):
            with pytest.raises(errors.OptionError, match=r"broken off.*: call finish\(\)"):
                go_on()
        run.finish()
    fresh = gan()
    assert np.array_equal(run.model.vector, fresh.vector)
    assert run.model.training_log == []


def test_there_is_no_step_after_the_last():
    run = new_run(vae())
    while not run.is_done():
        run.step()
    before = bits(run)
    for _ in range(2):
        with pytest.raises(errors.OptionError, match=r"all 9 steps of this run are done: call fin"):
            run.step()
    assert bits(run) == before
    run.finish()
    assert len(run.history["loss"]) == EPOCHS


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("steps", [5, 6, STEPS])
def test_to_finish_twice_is_to_finish_once(steps, average):
    run = new_run(vae(), average=average)
    for _ in range(steps):
        run.step()
    run.finish()
    log, vector, left = list(run.model.training_log), run.model.vector.copy(), bits(run)
    run.finish()
    with run.with_averages():
        assert np.array_equal(run.model.vector, vector)
    assert (run.model.training_log, bits(run)) == (log, left)
    assert np.array_equal(run.model.vector, vector)
    assert len(run.history["loss"]) == steps // 3
    with pytest.raises(errors.OptionError, match="this run was finished"):
        run.step()


def test_a_run_that_was_finished_early_resumes_from_its_weights():
    run, whole = new_run(vae(), average=0.9), new_run(vae(), average=0.9)
    for _ in range(5):
        run.step()
    run.finish()
    assert end(resumed(checkpoint(run), run.model)) == end(whole)


def test_a_run_of_no_epochs_has_no_step():
    model = vae()
    before = model.vector.copy()
    run = new_run(model, epochs=0, average=0.9, validation=held_out(model))
    assert run.is_done()
    assert (run.steps, run.epoch) == (0, 0)
    with pytest.raises(errors.OptionError, match="all 0 steps"):
        run.step()
    again = resumed(checkpoint(run), model, validation=held_out(model))
    for ended in (run, again):
        ended.finish()
        assert set(map(len, ended.history.values())) == {0}
        assert np.array_equal(ended.model.vector, before)
        assert ended.model.training_log == []


def test_an_epoch_can_only_be_ended_after_its_last_step():
    run = new_run(vae())
    for step in range(1, 4):
        with pytest.raises(errors.OptionError, match=f"{step - 1} of the 3 steps of an epoch"):
            run.end_epoch()
        run.step()
    assert run.is_at_end_of_epoch()
    run.end_epoch()
    assert len(run.history["loss"]) == 1
    with pytest.raises(errors.OptionError, match="0 of the 3"):
        run.end_epoch()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_run_is_not_copied_because_its_parts_share_memory(copied, steps):
    run = new_run(vae())
    for _ in range(steps):
        run.step()
    with pytest.raises(errors.KindError, match=r"keep arrays\(\) and plain\(\)"):
        copied(run)


ODD = (None, "text", -1, 10**30, 1.5, True, [], [1], {"name": "x"})


def places(value, way=()):
    """The paths to all plain values but descriptions of layers and optimizers."""
    yield way
    inner = value.items() if isinstance(value, dict) else ()
    for key, item in inner:
        if key not in ("networks", "bit_generator") and way[:1] not in (
            ("entry",),
            ("optimizers",),
        ):
            yield from places(item, (*way, key))


def with_another(plain, way, value):
    """Plain values with another value at that path."""
    if not way:
        return value
    return {**plain, way[0]: with_another(plain[way[0]], way[1:], value)}


@pytest.mark.filterwarnings("ignore:this run's products were computed by loops:RuntimeWarning")
def test_other_plain_values_give_one_of_our_errors_or_a_run_that_takes_steps(run):
    arrays, plain = checkpoint(run)
    for way in places(plain):
        for odd in ODD:
            try:
                other = Run.resumed(data(), arrays, with_another(plain, way, odd))
            except errors.ScratchgenError:
                continue
            if way[:1] != ("trainer",):  # where any whole number may be what an optimizer counts
                with contextlib.suppress(errors.DivergedError):
                    other.step()
            other.finish()


def test_a_position_that_does_not_fit_the_steps_is_refused(run):
    arrays, plain = checkpoint(run)
    for change in (
        {"position": plain["position"] + 1},
        {"epoch": plain["epoch"] + 1},
        {"trainer": {**plain["trainer"], "steps": plain["trainer"]["steps"] + 1}},
    ):
        with pytest.raises(errors.OptionError, match="do not end at step"):
            Run.resumed(data(), arrays, {**plain, **change})


def test_a_run_cannot_go_on_after_a_step_that_was_broken_off_before_anything_moved():
    class Ending(type(vae())):
        def minimise(self, turn):
            turn.normal(1)  # noise that is gone
            raise KeyboardInterrupt

    run = new_run(vae())
    run.step()
    vector = run.model.vector.copy()
    run.model.__class__ = Ending
    with pytest.raises(KeyboardInterrupt):
        run.step()
    for go_on in (run.step, run.arrays, run.plain):
        with pytest.raises(errors.OptionError, match=r"broken off.*: call finish\(\)"):
            go_on()
    run.finish()
    assert np.array_equal(run.model.vector, vector)
    assert run.model.training_log[-1]["steps"] == 1


def test_an_evaluation_that_was_broken_off_is_repeated(monkeypatch):
    runs = [new_run(vae(), validation=data()) for _ in range(2)]
    for run in runs:
        while not run.is_at_end_of_epoch():
            run.step()

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(runs[0].model), "objective", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runs[0].end_epoch()
    for run in runs:
        run.end_epoch()
    assert runs[0].history == runs[1].history
    assert len(runs[0].history["val_loss"]) == 1

"""`fit`: histories, seeds, batches, callbacks, and runs that go wrong."""

import copy
import io
import tracemalloc

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.ground.rng import stream
from scratchgen.kernels.formulas import by_formulas
from scratchgen.optim import Adam, LinearDecay
from scratchgen.train import Callback


def vae(**options):
    return sg.models.vae((2,), latent=2, hidden=(8,), rng=0, **options)


def vectors(model):
    return model.vector.copy()


def test_a_history_has_a_number_per_epoch_for_each_name(points, small_gan):
    history = sg.fit(vae(), points, epochs=3, seed=0)
    assert {name: len(values) for name, values in history.items()} == {
        "loss": 3,
        "reconstruction": 3,
        "kl": 3,
    }
    assert all(isinstance(value, float) for values in history.values() for value in values)
    assert list(sg.fit(small_gan, points, epochs=2, seed=0)) == ["discriminator", "generator"]


def test_loss_is_reconstruction_plus_beta_kl_in_every_epoch(points):
    h = sg.fit(vae(beta=3.0), points, epochs=3, seed=0, validation=points[:50])
    for prefix in ("", "val_"):
        total = np.add(h[f"{prefix}reconstruction"], np.multiply(3, h[f"{prefix}kl"]))
        np.testing.assert_allclose(h[f"{prefix}loss"], total, rtol=1e-9)


def test_training_lowers_the_loss(points, small_vae, pictures):
    history = sg.fit(small_vae, pictures, epochs=8, batch_size=32, seed=0)
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_one_seed_trains_the_same_model_and_another_another(points):
    models = [vae(), vae(), vae()]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        sg.fit(model, points, epochs=2, seed=seed)
    first, same, other = map(vectors, models)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_drawn_seed_is_in_the_history_and_trains_the_same_model_again(points):
    model, again = vae(), vae()
    history = sg.fit(model, points, epochs=1)
    sg.fit(again, points, epochs=1, seed=history.seed)
    assert np.array_equal(vectors(model), vectors(again))


def test_neither_data_nor_global_randomness_are_touched(points):
    x, state = points.copy(), np.random.get_state()[1].copy()  # noqa: NPY002 - that it is untouched
    x.flags.writeable = False
    sg.fit(vae(), x, epochs=2, seed=0, validation=x)
    assert np.array_equal(x, points)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


class Seen(Callback):
    """Notes its calls, and the examples of each batch."""

    def __init__(self):
        self.calls = []

    def on_start(self, run):
        self.calls.append("start")

    def on_step(self, run):
        self.calls.append(("step", run.epoch, run.steps))

    def on_epoch(self, run):
        self.calls.append(("epoch", run.epoch))

    def on_end(self, run):
        self.calls.append("end")


def test_callbacks_are_called_at_start_steps_epochs_and_end(points):
    seen, losses = Seen(), []
    history = sg.fit(
        vae(), points[:10], epochs=2, batch_size=5, seed=0, callbacks=[seen, losses.append]
    )
    assert seen.calls == [
        "start",
        ("step", 1, 1),
        ("step", 1, 2),
        ("epoch", 1),
        ("step", 2, 3),
        ("step", 2, 4),
        ("epoch", 2),
        "end",
    ]
    assert losses[-1].losses["loss"] == history["loss"][-1]


def test_a_plain_function_may_be_the_only_callback(points):
    epochs = []
    sg.fit(vae(), points, epochs=2, seed=0, callbacks=lambda run: epochs.append(run.epoch))
    assert epochs == [1, 2]


class BatchSizes:
    """A model's objective, with the sizes of its batches noted."""

    def __init__(self, model):
        self.sizes, self.values, self.objective = [], [], model.objective
        model.objective = self

    def __call__(self, player, batch, *rest, **options):
        value = self.objective(player, batch, *rest, **options)
        self.sizes.append(len(batch))
        self.values.append(value)
        return value


def test_uneven_batches_end_in_a_short_batch_and_histories_weigh_by_examples(points):
    model = vae()
    noted = BatchSizes(model)
    history = sg.fit(model, points[:10], epochs=1, batch_size=4, seed=0, even_batches=False)
    assert noted.sizes == [4, 4, 2]
    assert model.training_log[0]["even_batches"] is False
    expected = np.average(noted.values, weights=noted.sizes)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-12)
    assert history["loss"][0] != pytest.approx(np.mean(noted.values), rel=1e-6)


@pytest.mark.parametrize(("n", "sizes"), [(10, [10]), (129, [65, 64])])
def test_the_default_batches_are_even_and_of_128_at_most(points, n, sizes):
    model = vae()
    noted = BatchSizes(model)
    sg.fit(model, points[:n], epochs=1, seed=0)
    assert noted.sizes == sizes


def test_a_single_remaining_example_is_not_a_step_of_its_own_which_would_cost_nats(pictures):
    """65 digits at batch 64: with 64 and 1 a step for one example moves as far as one for 64."""
    bounds = []
    for even_batches in (True, False):
        model = sg.models.vae((28, 28, 1), latent=2, hidden=(32,), rng=0)
        x = pictures[:65]
        sg.fit(model, x, epochs=100, batch_size=64, seed=0, even_batches=even_batches)
        bounds.append(model.elbo(pictures[100:], rng=0).mean())
    assert bounds[0] > bounds[1] + 3


class Recorder:
    """A model's objective, with its batches, its noise, its modes and its steps noted."""

    def __init__(self, model):
        self.batches, self.states, self.modes, self.steps = [], [], [], []
        self.objective, model.objective = model.objective, self

    def __call__(self, player, batch, rng, *rest, training=True, **options):
        self.batches.append(batch.copy())
        self.states.append(rng.bit_generator.state["state"]["state"])
        self.modes.append(training)
        self.steps.append(options.get("step"))
        return self.objective(player, batch, rng, *rest, training=training, **options)


def test_every_epoch_sees_every_example_once_in_a_new_order():
    x = np.arange(20.0).reshape(10, 2) / 10
    model = vae(dtype="float64")
    seen = Recorder(model)
    sg.fit(model, x, epochs=2, batch_size=5, seed=0)
    orders = [np.concatenate(seen.batches[k : k + 2])[:, 0].tolist() for k in (0, 2)]
    assert sorted(orders[0]) == sorted(orders[1]) == x[:, 0].tolist()
    assert orders[0] != orders[1]


def test_batches_and_noise_are_drawn_from_streams_of_their_own(points):
    model = vae()
    seen = Recorder(model)
    sg.fit(model, points, epochs=1, batch_size=100, seed=3)
    first = next(sg.data.batches(points, 100, stream(3, "batches", 0, 1)))
    assert np.array_equal(seen.batches[0], first)
    assert seen.states[0] == stream(3, "noise").bit_generator.state["state"]["state"]


def test_validation_runs_in_evaluation_mode_and_training_in_training_mode(points):
    model = vae()
    seen = Recorder(model)
    sg.fit(model, points[:10], epochs=1, seed=0, validation=points[:10])
    assert seen.modes == [True, False]


def test_validation_is_evaluated_with_the_same_noise_and_changes_nothing(points):
    alone, watched = vae(), vae()
    sg.fit(alone, points, epochs=3, seed=0)
    h = sg.fit(watched, points, epochs=3, seed=0, validation=points[:50])
    assert np.array_equal(vectors(alone), vectors(watched))
    assert len(h["val_loss"]) == 3
    frozen = sg.fit(vae(), points, epochs=2, seed=0, validation=points, optimizer=Still())
    assert frozen["val_loss"][0] == frozen["val_loss"][1]


class Still:
    """An optimizer that moves nothing."""

    def memory(self, theta):
        return None

    def update(self, theta, gradient, memory):
        pass


def test_fit_starts_from_the_present_weights(points):
    model = vae()
    first = sg.fit(model, points, epochs=5, seed=0)
    second = sg.fit(model, points, epochs=1, seed=1)
    assert second["loss"][0] < first["loss"][0]
    assert [log["epochs"] for log in model.training_log] == [5, 1]


def test_a_generator_that_moves_rarely_also_moves_in_a_loop_of_short_calls(points):
    gan = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=5, rng=0)
    seen = []
    for _ in range(5):
        watch = Watch(gan.theta("generator"), seen)
        sg.fit(gan, points, epochs=1, batch_size=75, seed=0, callbacks=[watch])
    assert [step for step, moved in enumerate(seen, 1) if moved] == [5, 10, 15, 20]


def test_the_default_rates_of_a_call_fall_over_its_moves(points):
    """Nine steps a call and a move in every fifth: 1, 2, 2 and then 2 moves, of 7 in 36 steps."""
    gan = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=5, rng=0)
    for _ in range(4):
        sg.fit(gan, points[:90], epochs=9, batch_size=90, seed=0)
    rates = [log["optimizer"]["generator"]["learning_rate"] for log in gan.training_log]
    assert [rate["steps"] for rate in rates] == [1, 2, 2, 2]


def test_a_warm_up_continues_in_the_next_call(points):
    model = vae(warm_up=12, beta=2.0)
    seen = Recorder(model)
    for _ in range(3):
        sg.fit(model, points, epochs=2, batch_size=100, seed=0)
    assert seen.steps == list(range(18))
    betas = [model.beta_at(step) for step in seen.steps]
    assert betas[:12] == pytest.approx(np.arange(1, 13) / 6)
    assert betas[12:] == [2.0] * 6


def test_one_seed_in_two_calls_repeats_neither_order_nor_noise(points):
    model, again = vae(), vae()
    seen, other = Recorder(model), Recorder(again)
    for trained in (model, model, again, again):
        sg.fit(trained, points, epochs=1, seed=0)
    half = len(seen.batches) // 2
    assert all(np.array_equal(a, b) for a, b in zip(seen.batches, other.batches, strict=True))
    assert seen.states == other.states
    assert not np.array_equal(seen.batches[0], seen.batches[half])
    assert len(set(seen.states)) == len(seen.states)


def test_the_steps_that_callbacks_see_start_at_0_in_each_call(points):
    model = vae()
    for _ in range(2):
        seen = Seen()
        sg.fit(model, points, epochs=1, batch_size=100, seed=0, callbacks=seen)
        assert [call[2] for call in seen.calls if call[0] == "step"] == [1, 2, 3]


def test_copies_and_files_have_the_steps_trained(points):
    model, file = vae(), io.BytesIO()
    assert model.steps_trained == 0
    sg.fit(model, points, epochs=2, batch_size=100, seed=0)
    sg.fit(model, points, epochs=1, batch_size=50, seed=0)
    sg.save(model, file)
    twin = copy.deepcopy(model)
    sg.fit(twin, points, epochs=1, batch_size=100, seed=0)
    counts = [x.steps_trained for x in (model, sg.load(file.getvalue()), twin)]
    assert counts == [12, 12, 15]


def test_steps_trained_are_those_of_the_weights_that_the_model_has(points):
    model, steps = vae(), []

    class Stop(Callback):
        def on_step(self, run):
            if run.steps == 4:
                raise KeyboardInterrupt

    def sabotage(run):
        if run.epoch == 2:
            run.model.vector[0] = np.nan

    for callback, error in ((Stop(), KeyboardInterrupt), (sabotage, errors.DivergedError)):
        with pytest.raises(error):
            sg.fit(model, points, epochs=5, batch_size=100, seed=0, callbacks=callback)
        steps.append(model.steps_trained)
    assert steps == [4, 4 + 6]


def test_no_epochs_change_nothing(points):
    model = vae()
    before = vectors(model)
    assert sg.fit(model, points, epochs=0) == {"loss": [], "reconstruction": [], "kl": []}
    assert np.array_equal(before, vectors(model))
    assert model.training_log == []


def test_an_optimizer_for_one_player_leaves_the_other_its_default(points, small_gan):
    before = small_gan.theta("discriminator").copy()
    sg.fit(small_gan, points, epochs=1, seed=0, optimizer={"discriminator": Still()})
    assert np.array_equal(before, small_gan.theta("discriminator"))
    log = small_gan.training_log[0]["optimizer"]
    assert log["discriminator"] == {"name": "Still"}
    assert log["generator"]["name"] == "adam"


def test_the_learning_rate_of_a_gan_decays_to_nothing_over_the_run(points, small_gan):
    sg.fit(small_gan, points, epochs=2, batch_size=100, seed=0)
    log = small_gan.training_log[0]["optimizer"]
    for optimizer in log.values():
        assert optimizer["b1"] == 0.5
        assert optimizer["learning_rate"]["steps"] == 6
    rates = {player: optimizer["learning_rate"]["rate"] for player, optimizer in log.items()}
    assert rates == {"discriminator": 8e-3, "generator": 2e-3}


def test_with_k_discriminator_steps_the_generators_rate_falls_over_its_own_moves(points):
    gan = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=3, rng=0)
    steps = {player: x.learning_rate.steps for player, x in gan.optimizers(60).items()}
    assert steps == {"discriminator": 60, "generator": 20}


def test_with_k_discriminator_steps_the_generator_moves_in_every_kth_step(points):
    gan = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=4, rng=0)
    seen = []
    watch = Watch(gan.theta("generator"), seen)
    sg.fit(gan, points, epochs=2, batch_size=100, seed=0, callbacks=[watch])
    assert seen == [False, False, False, True, False, False]


class Watch(Callback):
    def __init__(self, vector, seen):
        self.vector, self.seen, self.last = vector, seen, vector.copy()

    def on_step(self, run):
        self.seen.append(not np.array_equal(self.vector, self.last))
        self.last = self.vector.copy()


def test_an_epoch_without_a_turn_has_nan_in_the_history(points):
    gan = sg.models.gan((2,), latent=2, hidden=(4,), discriminator_steps=4, rng=0)
    history = sg.fit(gan, points, epochs=2, batch_size=100, seed=0)
    assert np.isnan(history["generator"][0])
    assert np.isfinite(history["generator"][1])


@pytest.mark.parametrize("kind", ["vae", "gan"])
def test_a_loss_that_stops_being_finite_stops_training_and_restores_the_weights(kind, points):
    model = vae() if kind == "vae" else sg.models.gan((2,), latent=2, hidden=(8,), rng=0)
    kept = []

    def sabotage(run):
        kept.append(vectors(run.model))
        if run.epoch == 2:
            for player in run.model.players:
                run.model.theta(player)[0] = np.nan

    with pytest.raises(errors.DivergedError, match=r"became nan in epoch 3, step 1 of 3"):
        sg.fit(model, points, epochs=9, batch_size=100, seed=0, callbacks=sabotage)
    assert np.array_equal(vectors(model), kept[1])
    assert model.training_log[-1]["epochs"] == 2
    assert model.training_log[-1]["steps"] == 6


def test_a_learning_rate_that_is_far_too_high_ends_in_our_error_without_warnings(points):
    model = vae()
    before = vectors(model)
    with pytest.raises(errors.DivergedError, match="weights of the start again"):
        sg.fit(model, points, epochs=3, seed=0, optimizer=Adam(1e12))
    assert np.array_equal(before, vectors(model))


class Poison:
    """An optimizer whose last step spoils the weights, after the last loss."""

    def __init__(self, at):
        self.at = at

    def memory(self, theta):
        return {"t": 0}

    def update(self, theta, gradient, memory):
        memory["t"] += 1
        if memory["t"] == self.at:
            theta[:] = np.inf


def test_weights_spoilt_by_the_very_last_step_are_noticed(points):
    with pytest.raises(errors.DivergedError, match="epoch 2, step 3 of 3"):
        sg.fit(vae(), points, epochs=2, batch_size=100, seed=0, optimizer=Poison(6))


def test_data_on_a_huge_scale_end_in_advice_to_scale_them(points):
    huge = pytest.warns(errors.ScaleWarning, match=r"deviation 7.*e\+17")
    with huge, pytest.raises(errors.DivergedError, match=r"x reaches 1.*, so build .* scaler="):
        sg.fit(vae(), points * 1e18, epochs=1, seed=0)
    with pytest.raises(errors.DataError, match="too large for float32: scale them"):
        sg.fit(vae(), points.astype(float) * 1e39, epochs=1, seed=0)


def test_a_scaler_of_other_data_is_named_where_training_diverges(points):
    model = vae(scaler=sg.data.Scaler.standard(points))
    far = pytest.warns(errors.ScaleWarning, match="scaled by its standard scaler")
    with far, pytest.raises(errors.DivergedError, match=r"scaled, reaches .*, so fit the scaler"):
        sg.fit(model, points * 1e17, epochs=1, seed=0)


def test_numpy_integers_are_whole_numbers_and_can_be_saved(points, tmp_path):
    model = vae()
    sg.fit(model, points, epochs=np.int64(1), batch_size=np.int32(50), seed=np.int64(0))
    sg.save(model, tmp_path / "model.npz")
    assert sg.load(tmp_path / "model.npz").training_log == model.training_log


def test_an_interrupted_run_keeps_its_weights_and_its_record(points):
    def interrupt(run):
        raise KeyboardInterrupt

    model, seen = vae(), Seen()
    with pytest.raises(KeyboardInterrupt):
        sg.fit(model, points, epochs=5, batch_size=100, seed=0, callbacks=[seen, interrupt])
    assert seen.calls[-1] == "end"
    assert model.training_log[0]["steps"] == 3


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"epochs": -1}, errors.OptionError, "epochs=-1"),
        ({"epochs": 1.5}, errors.OptionError, "epochs=1.5"),
        ({"batch_size": 0}, errors.OptionError, "batch_size=0"),
        ({"batch_size": 301}, errors.OptionError, "above the 300 examples"),
        ({"validation": np.full((3, 2), np.nan)}, errors.DataError, "validation holds NaN"),
        ({"batch_size": "all"}, errors.OptionError, "batch_size='all'"),
        ({"seed": -3}, errors.OptionError, "seed=-3"),
        ({"seed": 0.5}, errors.OptionError, "seed=0.5"),
        ({"optimizer": "adm"}, errors.OptionError, "did you mean 'adam'"),
        ({"optimizer": LinearDecay}, errors.KindError, "which needs settings"),
        ({"optimizer": 1e-3}, errors.KindError, "wants an optimizer, such as"),
        ({"optimizer": {"discriminater": Adam()}}, errors.OptionError, "player 'discriminater'"),
        ({"callbacks": [3]}, errors.KindError, "callbacks holds 3"),
        ({"callbacks": [Seen]}, errors.KindError, "callbacks holds"),
        ({"validation": np.zeros((0, 2))}, errors.DataError, "validation has shape (0, 2)"),
        ({"validation": np.zeros((3, 5))}, errors.ShapeError, "validation has shape (3, 5)"),
    ],
)
def test_bad_options_are_refused_before_any_work(points, small_gan, options, kind, words):
    before = vectors(small_gan)
    with pytest.raises(kind) as caught:
        sg.fit(small_gan, points, **{"epochs": 1, **options})
    assert words in str(caught.value)
    assert np.array_equal(before, vectors(small_gan))


def test_an_empty_data_set_is_refused(small_gan):
    with pytest.raises(errors.DataError, match="no examples"):
        sg.fit(small_gan, np.zeros((0, 2)), epochs=1)


def test_what_is_not_a_model_is_refused(points):
    with pytest.raises(errors.KindError, match="wants one of"):
        sg.fit("vae", points, epochs=1)


def test_progress_is_a_line_an_epoch_where_there_is_no_terminal(points, capsys):
    sg.fit(vae(), points, epochs=3, seed=0, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert "reconstruction" in lines[0]


def test_a_schedule_gets_the_step_counted_from_zero(points):
    asked = []

    def schedule(step):
        asked.append(step)
        return 1e-3

    sg.fit(vae(), points, epochs=2, batch_size=100, seed=0, optimizer=Adam(schedule))
    assert asked == list(range(6))
    assert LinearDecay(1.0, 4)(5) == 0


def digits_by_label(n=60):
    x, labels = sg.data.digits(n, rng=0, return_labels=True)
    return x, labels


@pytest.mark.parametrize("recipe", [sg.models.vae, sg.models.gan])
def test_a_conditional_model_trains_with_labels_and_samples_the_requested_labels(recipe):
    x, labels = digits_by_label()
    model = recipe((28, 28, 1), hidden=(8,), latent=2, n_labels=10, rng=0)
    before = vectors(model)
    history = sg.fit(
        model, x, labels=labels, validation=(x[:20], labels[:20]), epochs=2, batch_size=25, seed=0
    )
    assert all(np.isfinite(values).all() for values in history.values())
    assert (before != vectors(model)).mean() > 0.5
    threes, eights = (model.sample(4, rng=0, labels=[label] * 4) for label in (3, 8))
    assert threes.shape == (4, 28, 28, 1)
    assert (threes != eights).any()


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (None, errors.OptionError, "give labels=, 60 whole numbers from 0 to 9"),
        ([0] * 59, errors.ShapeError, "60"),
        ([0] * 59 + [10], errors.DataError, "10"),
        ([0.5] * 60, errors.KindError, "whole"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_any_work(labels, error, words):
    x, _ = digits_by_label()
    model = sg.models.vae((28, 28, 1), hidden=(8,), latent=2, n_labels=10, rng=0)
    before = vectors(model)
    with pytest.raises(error, match=words):
        sg.fit(model, x, labels=labels, epochs=1, seed=0)
    assert np.array_equal(before[0], vectors(model)[0])


def test_labels_for_a_model_without_labels_are_refused():
    x, labels = digits_by_label()
    model = sg.models.vae((28, 28, 1), hidden=(8,), latent=2, rng=0)
    with pytest.raises(errors.OptionError, match="no JoinLabels layer"):
        sg.fit(model, x, labels=labels, epochs=1, seed=0)


def test_the_average_is_that_of_the_weights_after_each_step(points):
    seen = []

    class Collect(sg.train.Callback):
        def on_step(self, run):
            seen.append(run.model.vector.astype(np.longdouble))

    model = vae()
    sg.fit(model, points, epochs=2, batch_size=100, seed=0, average=0.8, callbacks=[Collect()])
    weights = np.longdouble(0.8) ** np.arange(len(seen))[::-1]
    expected = (weights[:, None] * seen).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(model.vector, expected.astype(float), rtol=2e-5)
    assert model.training_log[-1]["average"] == 0.8


def test_averaging_does_not_change_training_itself(points):
    ends = []

    def last(run):
        ends.append(run.losses["loss"])

    for average in (None, 0.99):
        sg.fit(vae(), points, epochs=3, batch_size=100, seed=0, average=average, callbacks=[last])
    assert ends[:3] == ends[3:]


def test_callbacks_and_validation_see_the_average_that_the_model_would_end_with(points):
    seen = []
    model = vae()
    history = sg.fit(
        model,
        points,
        epochs=1,
        batch_size=100,
        seed=0,
        average=0.9,
        validation=points,
        callbacks=[lambda run: seen.append(run.model.vector.copy())],
    )
    assert np.array_equal(seen[0], model.vector)
    again = sg.fit(model, points, epochs=0, seed=0)
    assert again == {"loss": [], "reconstruction": [], "kl": []}
    assert np.isfinite(history["val_loss"]).all()


def test_a_loss_that_stops_being_finite_restores_the_average_of_the_epochs_before(points):
    kept, model = [], vae()

    class Sabotage(sg.train.Callback):
        def on_epoch(self, run):
            kept.append(run.model.vector.copy())

        def on_step(self, run):
            if run.epoch == 2:
                run.model.vector[0] = np.nan

    with pytest.raises(errors.DivergedError, match="epoch 2"):
        sg.fit(model, points, epochs=3, seed=0, average=0.9, callbacks=[Sabotage()])
    assert np.array_equal(model.vector, kept[0])


@pytest.mark.parametrize("bad", [1.0, -0.1, "most", float("nan")])
def test_an_average_that_makes_no_sense_is_refused(bad, points):
    with pytest.raises(errors.OptionError, match=r"average=.*wants a number in"):
        sg.fit(vae(), points, epochs=1, average=bad)


def test_a_schedule_that_returns_no_rate_is_named_with_its_step(points):
    falls = sg.optim.Adam(lambda step: 1e-3 if step < 2 else float("nan"))
    with pytest.raises(errors.OptionError, match=r"returned nan at step 2, wants a finite number"):
        sg.fit(vae(), points, epochs=1, batch_size=100, seed=0, optimizer=falls)


def test_the_kl_term_warms_up_over_the_steps_of_a_run(points):
    """The first step weighs the KL by 1/6, the last by 1, so that a long warm-up keeps it large."""
    kl = {}
    for warm_up in (0, 10**6):
        model = sg.models.vae((2,), hidden=(16,), latent=2, warm_up=warm_up, rng=0)
        kl[warm_up] = sg.fit(model, points, epochs=30, batch_size=50, seed=0)["kl"][-1]
    assert kl[10**6] > kl[0] + 0.5


def test_validation_of_a_model_that_joins_labels_wants_a_pair():
    x, labels = digits_by_label()
    model = sg.models.vae((28, 28, 1), hidden=(8,), latent=2, n_labels=10, rng=0)
    with pytest.raises(errors.OptionError, match=r"validation=ndarray: wants a pair \(x, labels\)"):
        sg.fit(model, x, labels=labels, validation=x, epochs=1)


BYTES = np.random.default_rng(0).integers(0, 2, (90, 6))
GIVEN = {
    "bool": BYTES.astype(bool),
    "bytes": BYTES.astype(np.uint8),
    "negative": BYTES.astype(np.int8) - 1,
    "halves": (BYTES / 3).astype(np.float16),
    "whole numbers": BYTES,
    "float64": BYTES / 3,
    "big-endian": (BYTES / 3).astype(">f2"),
    "every other row": np.repeat(BYTES, 2, axis=0).astype(np.uint8)[::2],
    "columns": np.asfortranarray(BYTES.astype(np.float16)),
    "a list": BYTES.tolist(),
}


@pytest.mark.parametrize("name", GIVEN)
def test_data_of_any_dtype_train_like_converted_data(name):
    """In replayed steps and in validation too."""
    left = []
    given = GIVEN[name]
    for x in (given, np.ascontiguousarray(given, dtype=np.float32)):
        model = sg.models.vae((6,), latent=2, hidden=(8,), rng=0)
        history = sg.fit(model, x, epochs=8, batch_size=40, seed=0, validation=x[:50])
        left.append((dict(history), model.vector.tobytes()))
    assert left[0] == left[1]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float16", "float32"])
def test_the_memory_of_training_and_validation_does_not_grow_with_the_data(dtype, monkeypatch):
    monkeypatch.setattr("scratchgen.ground.chunks.CHUNK", 64)
    model, peaks = sg.models.vae((400,), latent=2, hidden=(4,), rng=0), []
    for n in (400, 400, 4_000):  # at first kernels are compiled
        x = np.ones((n, 400), dtype)
        tracemalloc.start()
        sg.fit(model, x, epochs=1, batch_size=40, seed=0, validation=x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 3_600 * 40  # bytes an example, of which x has 400 and more


def test_an_error_describes_all_the_data_though_a_chunk_shows_it(monkeypatch):
    monkeypatch.setattr("scratchgen.ground.chunks.CHUNK", 10)
    model = sg.models.vae((2, 2, 1), latent=2, hidden=(4,), rng=0)
    x = np.zeros((90, 2, 2, 1), np.uint8)
    x[15], x[88] = 3, 255
    with pytest.raises(errors.DataError, match="x goes from 0 to 255"):
        sg.fit(model, x, epochs=1)
    halves = np.zeros((90, 2, 2, 1), np.float16)
    halves[[47, 61]] = np.nan
    with pytest.raises(errors.DataError, match=r"in 2 of 90 examples \(first at index 47\)"):
        sg.fit(model, halves, epochs=1)


def test_a_validation_loss_that_overflows_is_infinite(points):
    far = np.array([[1e30, -1e30]])
    history = sg.fit(vae(), points, epochs=2, seed=0, validation=far)
    assert history["val_loss"] == [np.inf, np.inf]


@pytest.mark.filterwarnings("ignore::scratchgen.ground.errors.ScaleWarning")  # meant
def test_training_works_where_numpy_is_set_to_raise_at_an_underflow(points):
    tiny = points * np.float32(1e-30)
    with np.errstate(all="raise"), by_formulas():
        history = sg.fit(vae(), tiny, epochs=2, seed=0, validation=tiny)
    assert np.isfinite(history["val_loss"]).all()

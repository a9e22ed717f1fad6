"""However `fit` ends, the model has the weights of a complete step, and the log has its number."""

import os
import signal
import threading

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.optim import SGD
from scratchgen.train import Callback

pytestmark = pytest.mark.usefixtures("ctrl_c_interrupts")

SIZE, STEPS = 50, 6  # a batch, and the steps of an epoch on the 300 points


def model():
    return sg.models.gan((2,), latent=2, hidden=(8,), rng=0)


def weights(of):
    return of.vector.copy()


class Until(Callback):
    """Calls a function after a number of steps."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def on_step(self, run):
        if run.steps == self.step:
            self.act()


class Enough(Exception):
    pass


def stop():
    raise Enough


def fit(of, points, **options):
    return sg.fit(of, points, epochs=3, batch_size=SIZE, seed=0, **options)


def after(steps, points, **options):
    """The weights after a number of steps."""
    ended = model()
    with pytest.raises(Enough):
        fit(ended, points, callbacks=Until(steps, stop), **options)
    return ended


class KeyboardInterruptsInStep(SGD):
    """An optimizer during whose updates the user presses Ctrl-C."""

    presses = 0

    def update(self, theta, gradient, memory):
        type(self).presses += 1
        if type(self).presses == 15:  # the discriminator's in the 8th step
            signal.raise_signal(signal.SIGINT)
        super().update(theta, gradient, memory)


@pytest.mark.parametrize("average", [None, 0.9])
def test_ctrl_c_within_a_step_ends_training_after_it(points, average, monkeypatch):
    monkeypatch.setattr(KeyboardInterruptsInStep, "presses", 0)
    interrupted = model()
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted, points, optimizer=KeyboardInterruptsInStep(0.01), average=average)
    same = after(8, points, optimizer=SGD(0.01), average=average)
    np.testing.assert_array_equal(weights(interrupted), weights(same))
    assert interrupted.training_log[0]["steps"] == 8
    assert interrupted.training_log[0]["epochs"] == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_first_step_ends_training_at_once(points):
    class Slow(SGD):
        def update(self, theta, gradient, memory):
            super().update(theta, gradient, memory)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("the step goes on")

    ended = model()
    with pytest.raises(KeyboardInterrupt):
        fit(ended, points, optimizer=Slow(0.01))
    np.testing.assert_array_equal(weights(ended), weights(model()))
    assert ended.training_log == []


def test_a_users_signal_handler_runs_between_two_steps(points):
    seen, ended, optimizer = [], model(), SGD(0.01)

    def handler(number, frame):
        seen.append((number, len(ended.training_log) and ended.training_log[0]["steps"]))
        raise Enough

    class Terminated(SGD):
        def update(self, theta, gradient, memory):
            if ended.training_log:  # in the second step
                os.kill(os.getpid(), signal.SIGTERM)
            super().update(theta, gradient, memory)

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(Enough):
            fit(
                ended, points, optimizer={"generator": Terminated(0.01), "discriminator": optimizer}
            )
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [(signal.SIGTERM, 2)]
    np.testing.assert_array_equal(weights(ended), weights(after(2, points, optimizer=optimizer)))


def test_signals_without_a_handler_are_left_alone(points):
    class Look(Callback):
        def on_step(self, run):
            found.append(signal.getsignal(signal.SIGTERM))

    found = []
    fit(model(), points, callbacks=Look())
    assert set(found) == {signal.SIG_DFL}


def test_fit_works_where_no_handler_can_be_set(points):
    trained = model()
    thread = threading.Thread(target=fit, args=(trained, points))
    thread.start()
    thread.join()
    assert trained.training_log[0]["steps"] == 3 * STEPS


def test_a_training_in_a_callback_of_another_passes_ctrl_c_on(points):
    outer, inner = model(), model()

    def press():
        signal.raise_signal(signal.SIGINT)

    def train_another():
        fit(inner, points, callbacks=Until(2, press))

    with pytest.raises(KeyboardInterrupt):
        fit(outer, points, callbacks=Until(4, train_another))
    assert [x.training_log[0]["steps"] for x in (outer, inner)] == [4, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_callback_that_fails_leaves_the_weights_of_the_last_step(points, average):
    ended = after(8, points, average=average)
    steps = []

    class Keep(Callback):
        def on_step(self, run):
            steps.append(weights(run.model).copy())

    same = model()
    fit(same, points, average=average, callbacks=Keep())
    if average is None:
        np.testing.assert_array_equal(weights(ended), steps[7])
    else:  # (1 - keep) sum_t keep^(8 - t) theta_t, over 1 - keep^8
        shares = (1 - average) * average ** np.arange(7, -1, -1)
        mean = shares @ np.array(steps[:8], np.float64) / shares.sum()
        np.testing.assert_allclose(weights(ended), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_memory_error_leaves_the_weights_of_a_complete_step(points, player, monkeypatch):
    """That is the last step if nothing had moved, and otherwise the end of the last epoch."""
    ended = model()
    objective, calls = type(ended).objective, []

    def scarce(self, turn, *args, **kwargs):
        calls.append(turn)
        if calls.count(player) == STEPS + 3 and turn == player:
            raise MemoryError
        return objective(self, turn, *args, **kwargs)

    monkeypatch.setattr(
        type(ended), "objective", scarce
    )  # which every step calls, none is replayed
    with pytest.raises(MemoryError):
        fit(ended, points)
    monkeypatch.undo()
    steps = STEPS + 2 if player == "discriminator" else STEPS
    np.testing.assert_array_equal(weights(ended), weights(after(steps, points)))
    assert ended.training_log[0]["steps"] == steps
    assert len(ended.history["generator"]) == 1


def test_weights_that_a_callback_spoils_are_replaced_by_those_of_the_last_epoch(points):
    ended = model()

    def poison():
        ended.theta("generator")[:] = np.nan
        raise Enough

    with pytest.raises(Enough):
        fit(ended, points, callbacks=Until(STEPS + 1, poison))
    np.testing.assert_array_equal(weights(ended), weights(after(STEPS, points)))
    assert ended.training_log[0]["steps"] == STEPS


def test_the_history_survives_an_interrupt(points):
    ended, whole = model(), model()

    def press(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(ended, points, callbacks=press)
    history = fit(whole, points)
    assert whole.history is history
    assert ended.history == {name: values[:2] for name, values in history.items()}


def test_a_model_saved_in_a_callback_has_its_log_up_to_then(points, tmp_path):
    class Save(Callback):
        def on_step(self, run):
            sg.save(run.model, tmp_path / f"step{run.steps}.npz")

        def on_epoch(self, run):
            sg.save(run.model, tmp_path / f"epoch{run.epoch}.npz")

    trained = model()
    history = fit(trained, points, callbacks=Save(), average=0.9)
    for name, epochs, steps in [("step1", 0, 1), ("step8", 1, 8), ("epoch2", 2, 12)]:
        (record,) = sg.load(tmp_path / f"{name}.npz").training_log
        assert (record["epochs"], record["steps"]) == (epochs, steps)
        assert record["losses"] == {k: v[epochs - 1] for k, v in history.items() if epochs}
    last = sg.load(tmp_path / "epoch3.npz")
    assert last.training_log == trained.training_log
    np.testing.assert_array_equal(weights(last), weights(trained))


def test_a_run_without_a_step_leaves_no_record(points):
    class Fail(Callback):
        def on_start(self, run):
            raise Enough

    ended = model()
    with pytest.raises(Enough):
        fit(ended, points, callbacks=Fail())
    assert ended.training_log == []

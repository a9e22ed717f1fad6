"""Training in memory that holds NaN until it is written: correct code gives the same, other NaN."""

import numpy as np
import pytest
from filled import filled
from whole_models import KINDS, Whole, gan, vae

import scratchgen as sg
from scratchgen import kernels
from scratchgen.ground.errors import DivergedError
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, formula, loop_of
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.nn import Dense, Layer, Network, Tanh

EXAMPLES, BATCH = 19, 8  # batches of 7, 6 and 6
needs_numba = pytest.mark.skipif(not compiles(), reason="there are no loops")
by_both = pytest.mark.parametrize("which", [pytest.param(by_loops, marks=needs_numba), by_formulas])


@pytest.fixture(autouse=True)
def memory_of_steps() -> None:
    """These tests choose their memory themselves."""


def left_by_training(kind: str, replay: bool):
    """All arrays of a model after training, as bytes, and its history."""
    whole = Whole(kind, EXAMPLES, 0)
    model = whole.model
    history = sg.fit(
        model, whole.x, labels=whole.labels, epochs=4, batch_size=BATCH, seed=0, replay=replay
    )
    left = [array.tobytes() for array in model.block.snapshot()]
    return left, dict(history)


@pytest.fixture
def runs(monkeypatch) -> list[Plan]:
    """The plans that ran."""
    ran, run = [], Plan.run
    monkeypatch.setattr(Plan, "run", lambda plan: ran.append(plan) or run(plan))
    return ran


@by_both
@pytest.mark.parametrize("kind", KINDS)
def test_training_in_filled_memory_gives_the_same_bits_as_in_new_memory(kind, which, runs):
    """For steps that are run, recorded, compared and replayed."""
    with which():
        expected = left_by_training(kind, replay=False)
    assert not runs
    with filled(which):
        assert left_by_training(kind, replay=False) == expected
        assert not runs
        assert left_by_training(kind, replay=True) == expected
    assert len(runs) >= 8  # of 12 steps: for each of two sizes of batches, two steps make the plan


# Mistakes that must be found. By their __module__ these layers count as the library's own: a user's
# layer runs in a stand-in, which copies its arrays.


@formula("x (N, D) -> y (N, D)")
def all_but_the_last(x):
    return x.copy()


@loop_of(all_but_the_last)
def all_but_the_last_loop(part, parts, x, y):
    if part == 0:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                if i + 1 < x.shape[0] or j + 1 < x.shape[1]:
                    y[i, j] = x[i, j]


class OfOurs(Layer):
    """y = x, computed in a way of its own."""

    __module__ = "scratchgen.nn.of_ours"
    formula = "y = x"
    example_wise = True

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy if need_dx else None


class LeavesOneOut(OfOurs):
    """A layer whose loop does not write the last number."""

    __module__ = OfOurs.__module__

    def forward(self, p, x, tape):
        return all_but_the_last(x)


class Remembers(OfOurs):
    """It keeps its input of the last step, without a copy, and adds it."""

    __module__ = OfOurs.__module__

    def __init__(self) -> None:
        self.last = None

    def forward(self, p, x, tape):
        y = kernels.add(x, x)
        if self.last is not None and self.last.shape == y.shape:
            y = kernels.add(y, self.last)
        self.last = y
        return y


def with_layer(layer: Layer, family):
    between = Network((3,), Dense(3, 4), layer, Tanh(), Dense(4, 4 if family is vae else 1))
    return vae(between, likelihood="mse") if family is vae else gan(discriminator=between)


def objective(model) -> float:
    x = np.random.default_rng(0).standard_normal((5, 3))
    return model.objective(next(iter(model.players)), x, 7)


def is_found_out(layer: Layer, family) -> bool:
    """Whether an objective, computed several times, is NaN in filled memory, but not in new."""
    new = with_layer(layer, family)
    with by_loops():
        assert np.isfinite([objective(new) for _ in range(3)]).all()
    model = with_layer(type(layer)(), family)
    with filled():
        return bool(np.isnan([objective(model) for _ in range(3)][-1]))


@needs_numba
@pytest.mark.parametrize("family", [vae, gan])
@pytest.mark.parametrize("layer", [LeavesOneOut, Remembers])
def test_a_layer_that_reads_unwritten_or_kept_memory_is_found_out(layer, family):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numpy.empty", np.zeros)  # new memory often looks right
        assert is_found_out(layer(), family)
    assert not is_found_out(Tanh(), family)


@needs_numba
@pytest.mark.parametrize("layer", [LeavesOneOut, Remembers])
@pytest.mark.parametrize("replay", [False, True])
def test_training_ends_where_filled_memory_is_read(layer, replay):
    x = np.random.default_rng(0).standard_normal((16, 3))
    with filled(), pytest.raises(DivergedError, match="nan"):
        sg.fit(with_layer(layer(), vae), x, epochs=3, batch_size=8, seed=0, replay=replay)


@needs_numba
def test_a_plan_that_reads_what_an_earlier_step_left_is_found_out():
    x = np.ones((2, 3))
    with filled():
        workspace = Workspace()
        with workspace.step("one"):
            kernels.add(x, x)
            kept = kernels.add(x, x)
        with workspace.step("two"), recording() as notes:
            kept[...] = 2  # not written by a kernel
            y = kernels.add(x, kept)
        assert (y == 3).all()
        Plan(notes, threads=1).run()
        assert np.isnan(y).all()

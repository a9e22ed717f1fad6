"""A run records who multiplies, and multiplies in the same way when it is resumed elsewhere."""

import warnings

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground.errors import OptionError
from scratchgen.kernels import choice
from scratchgen.kernels.formulas import by_formulas, by_loops, numba_works
from scratchgen.train import Run, complete

needs_numba = pytest.mark.skipif(
    not numba_works(), reason="numba is not installed, or switched off: NumPy multiplies"
)
SOME = ["square dy w^T", "square x w"]  # products of 64 x 64 x 64 numbers
X = np.random.default_rng(0).random((192, 64)).astype(np.float32)


@pytest.fixture
def asked(monkeypatch):
    """For each product so far that is not small, whether NumPy computed it."""
    seen, answer = [], choice.numpy_multiplies

    def numpy_multiplies(form, char, *sizes):
        by_numpy = answer(form, char, *sizes)
        if choice.kind_of(*sizes) != "small":
            seen.append((form, by_numpy))
        return by_numpy

    monkeypatch.setattr(choice, "has_tiles", lambda: True)
    monkeypatch.setattr(choice, "numpy_multiplies", numpy_multiplies)
    return seen


def new_run(**settings) -> Run:
    model = sg.models.vae((64,), hidden=(64,), latent=2, rng=0)
    return Run(model, X, epochs=4, batch_size=64, seed=0, **settings)


@needs_numba
@pytest.mark.parametrize("replay", [False, True])
def test_a_resumed_run_multiplies_as_before_where_another_choice_is_made_now(asked, replay):
    with by_loops():
        with choice.products_by(SOME):
            whole, stopped = new_run(replay=replay), new_run(replay=replay)
            complete(whole)
            for _ in range(5):
                stopped.step()
        asked.clear()
        with choice.products_by("ours"):
            resumed = Run.resumed(X, stopped.arrays(), stopped.plain(), replay=replay)
            complete(resumed)
    assert set(asked) == {("x w", True), ("x^T dy", False), ("dy w^T", True)}
    assert resumed.model.vector.tobytes() == whole.model.vector.tobytes()
    assert resumed.model.training_log == whole.model.training_log


@needs_numba
@pytest.mark.parametrize("products", ["ours", "numpy", SOME])
def test_the_log_says_who_multiplied_and_a_run_is_repeated_by_that(asked, products, tmp_path):
    with by_loops(), choice.products_by(products):
        first = new_run()
        complete(first)
    sg.save(first.model, tmp_path / "model.npz")
    (entry,) = sg.load(tmp_path / "model.npz").training_log
    assert entry["products"] == products
    asked.clear()
    with by_loops(), sg.products_by(entry["products"]):
        again = new_run()
        complete(again)
    assert {by_numpy for _, by_numpy in asked} == {
        by_numpy
        for by_numpy in (True, False)
        if products == SOME or by_numpy == (products == "numpy")
    }
    assert again.model.vector.tobytes() == first.model.vector.tobytes()


@needs_numba
def test_held_out_examples_are_evaluated_as_the_steps_are(asked):
    with by_loops():
        with choice.products_by("numpy"):
            run = new_run(validation=X)
            run.step()
        complete(run)
    assert {by_numpy for _, by_numpy in asked} == {True}


@needs_numba
def test_the_choice_is_made_at_the_first_step_and_stays(asked):
    with by_loops():
        run = new_run()
        assert run.plain()["products"] is None
        with choice.products_by("numpy"):
            run.step()
        with choice.products_by("ours"):
            run.step()
    assert run.plain()["products"] == "numpy"
    assert {by_numpy for _, by_numpy in asked} == {True}


def test_a_run_by_formulas_records_no_choice():
    with by_formulas():
        run = new_run()
        run.step()
    assert run.plain()["products"] is None
    assert "products" not in run.entry


def checkpoint(products):
    with by_formulas():
        run = new_run()
        run.step()
        return X, run.arrays(), {**run.plain(), "products": products}


def test_a_record_that_cannot_be_kept_to_here_gives_a_warning(monkeypatch):
    monkeypatch.setattr(choice, "no_loop_because", lambda: "numba is not installed here")
    for products in ("ours", SOME):
        with pytest.warns(RuntimeWarning, match="numba is not installed here, so NumPy computes"):
            Run.resumed(*checkpoint(products))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for products in ("numpy", None):
            Run.resumed(*checkpoint(products))


@pytest.mark.parametrize("products", ["mine", 3, ["round x w"], {"ours": 1}])
def test_a_record_that_means_nothing_is_refused(products):
    with pytest.raises(OptionError, match="wants ours, numpy, or a list"):
        Run.resumed(*checkpoint(products))

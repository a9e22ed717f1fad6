"""What is read is what runs: a few edits of the textbook; tests/proofs/edits.py tests many more."""

import functools
import importlib.util
import types
from pathlib import Path

import numpy as np
import pytest
from edited_copies import Edit, copied, outcome, problems, published

import scratchgen as sg
from scratchgen import nn
from scratchgen.distributions import gaussian
from scratchgen.kernels import fingerprints as sources
from scratchgen.kernels import products
from scratchgen.kernels.formulas import by_loops, compiles, numba_works
from scratchgen.kernels.replaced import Names, is_published, replaced

VAE, GAUSSIAN, DENSE = "models/variational.py", "distributions/gaussian.py", "nn/dense.py"
HEADS = '        heads = turn.forward("encoder", turn.batch, settle=True)  # (N, 2Z)   (1)\n'
AFFINE = "        return kernels.affine(x, p.w, p.b)  # (N, O)   (1)\n"
KL = "(mu**2 + np.expm1(log_var) - log_var) / 2"

EDITS = (
    Edit("a write", VAE, HEADS, f"{HEADS}        np.clip(heads, -1, 1, out=heads)\n"),
    Edit("an array of NumPy's", VAE, HEADS, f"{HEADS}        heads = np.clip(heads, -0.1, 0.1)\n"),
    Edit("a constant", GAUSSIAN, "math.log(2 * math.pi)\n", "1.0\n", training="gaussian"),
    Edit("print", DENSE, AFFINE, f"        print()\n{AFFINE}", counts=False, prints=True),
    Edit("a docstring", DENSE, '"""A dense layer mixes', '"""Dense mixes', counts=False),
    Edit("CRLF", DENSE, "\n", "\r\n", counts=False, line=""),
)
RELOADED = Edit(
    "reloaded", line=f"scratchgen/{GAUSSIAN} was edited", hook=f"""
import importlib, pathlib
from scratchgen.distributions import gaussian
path = pathlib.Path(gaussian.__file__)
path.write_text(path.read_text().replace({KL!r}, {KL.replace(" - log_var", "")!r}))
importlib.reload(gaussian)
""")  # fmt: skip
# what draw_and_kl calls: its own text and its loop are as they were
LOOPED = Edit("what a formula calls", GAUSSIAN, KL, KL.replace(" - log_var", ""))


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    return published(tmp_path_factory.mktemp("origin"))


@functools.cache
def plain(origin, training, loops):
    return outcome(origin, Edit("", training=training), loops)


def expect_promise(edit, origin, folder, loops=False):
    """Expect what docs/stepping.md promises, for that edit."""
    copy = copied(origin, folder / "copy")
    edit.put_into(copy)
    found = outcome(copy, edit, loops, NUMBA_CACHE_DIR=str(folder / "kernels"))
    assert problems(edit, found, plain(origin, edit.training, loops)) == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_takes_effect_with_and_without_replay(edit, origin, tmp_path):
    expect_promise(edit, origin, tmp_path)


def test_an_edit_that_is_reloaded_while_the_program_runs_takes_effect(origin, tmp_path):
    expect_promise(RELOADED, origin, tmp_path)


@pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not there, or not asked for"
)
def test_a_loop_does_not_run_if_a_function_that_its_formula_calls_was_edited(origin, tmp_path):
    expect_promise(LOOPED, origin, tmp_path, loops=True)


def test_an_edit_must_match_exactly_one_place(origin, tmp_path):
    copy = copied(origin, tmp_path)
    for old in ("no such text", "return"):
        with pytest.raises(ValueError, match="times in"):
            Edit("wrong", DENSE, old, "").put_into(copy)


def test_a_new_file_in_a_published_room_is_an_edit(monkeypatch, tmp_path):
    for room in sources.ROOMS:
        (tmp_path / room).mkdir()
    (tmp_path / "nn" / "mine.py").write_text("")
    monkeypatch.setattr(sources, "PACKAGE", tmp_path)
    assert sources.edited() == ["nn/mine.py"]  # of the others there is no text, so no edit
    monkeypatch.undo()
    sources.edited()


@functools.wraps(nn.Dense.forward)
def wrapped(*args):
    return nn.Dense.forward(*args)


typed = types.FunctionType(compile("0", "<stdin>", "eval"), {"__name__": "__main__"})


@pytest.mark.parametrize(
    ("where", "name", "by"),
    [
        (nn.Dense, "forward", wrapped),
        (nn.Dense, "forward", typed),
        (nn.Dense, "forward", functools.partial(print)),
        (nn.ReLU, "forward", lambda *_: None),  # it had none of its own
        (nn.Dense, "__str__", lambda _: "mine"),
        (gaussian, "kl_terms", gaussian.kl_terms_gradients),
        (sg.models.VAE, "minimise", staticmethod(print)),
    ],
)
def test_a_replaced_function_is_found(where, name, by, monkeypatch):
    assert replaced() == []
    names = Names()
    assert names.are_as_before()
    monkeypatch.setattr(where, name, by, raising=False)
    assert not names.are_as_before()
    assert [x.rpartition(".")[2] for x in replaced()] == [name]


def test_a_formula_is_the_published_one_only_if_all_that_it_calls_is(monkeypatch):
    published = gaussian.draw_and_kl.definition.written
    assert is_published(published)
    with monkeypatch.context() as patch:
        patch.setattr(gaussian, "kl_terms", lambda mu, _: mu)
        assert not is_published(published)
    assert is_published(published)
    monkeypatch.setattr(nn.ELU, "_tail_slope", lambda _, x: x)
    assert not is_published(nn.ELU.slope, kind=nn.ELU)
    assert is_published(nn.ReLU.slope, kind=nn.ReLU)


def test_a_replaced_product_runs_instead_of_its_loop(monkeypatch):
    x, w, b = np.ones((4, 3), np.float32), np.ones((3, 2), np.float32), np.ones(2, np.float32)
    monkeypatch.setattr(products, "_affine", lambda x, w, b: x @ w - b)
    with by_loops():
        np.testing.assert_array_equal(products.affine(x, w, b), np.full((4, 2), 2))


def test_a_function_that_a_callback_replaces_runs_from_the_next_step_on():
    def train(replay, first):
        model = sg.models.vae((6,), latent=2, hidden=(8,), likelihood="bernoulli", rng=0)
        x = (np.random.default_rng(0).random((64, 6)) > 0.5).astype(np.float32)
        with pytest.MonkeyPatch.context() as patch:

            class Replacing(sg.train.Callback):
                def on_step(self, run):
                    if run.steps == first:
                        patch.setattr(nn.ReLU, "value", lambda _, x: np.maximum(x, -0.1))

            history = sg.fit(model, x, epochs=3, batch_size=16, seed=0, replay=replay,
                             callbacks=Replacing())  # fmt: skip
        return history["loss"]

    for first in (6, 10):
        assert train(None, first) == train(False, first) == train(True, first) != train(None, 99)


def test_every_edit_of_the_proof_matches_the_source(monkeypatch):
    proofs = Path(__file__).parents[1] / "proofs"
    monkeypatch.syspath_prepend(proofs)
    spec = importlib.util.spec_from_file_location("proof", proofs / "edits.py")
    proof = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(proof)
    edits = [*EDITS, *proof.TEXTS, *proof.LOOPS]
    assert len(edits) > 30
    for edit in edits:
        text = (Path(sg.__file__).parent / edit.file).read_text()
        assert text.count(edit.old) == 1 or edit.name == "CRLF", edit.name

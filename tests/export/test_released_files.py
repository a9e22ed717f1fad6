"""Model files that earlier versions wrote: today's code reads them, and they mean the same.

released/make.py wrote them, each under its version, beside what that version gave for them. These
numbers are our own output, on purpose: what is tested is that a user's file goes on giving them.
"""

import functools
import io
import json
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.kernels.twins import references

RELEASED = Path(__file__).parent / "released"
EXPECTED = "expected.npz"
FILES = sorted(file for file in RELEASED.glob("*/*.npz") if file.name != EXPECTED)
# Relative to the largest number of an array. A number is the end of some 20 sums of at most 20
# terms each, and every CPU, NumPy and compiled loop may round each of them by half a unit in the
# last place, 6e-8 and 1.1e-16: at the very worst 2.4e-5 and 4.4e-14, in truth its square root's
# share, near 1e-6 and 1e-15. A wrong setting, layer or array is seen in the first three digits.
CLOSE = {"float32": 1e-5, "float64": 1e-12}

# in the units of x, whose columns may differ by many orders of magnitude
OF_X = {"samples", "decoded", "reconstructed"}

each_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}"
)


@functools.cache
def expected_of_folder(folder: Path) -> dict:
    with np.load(folder / EXPECTED, allow_pickle=False) as archive:
        return dict(archive)


def expected_of(file: Path) -> dict:
    """What the file's version gave for its model, by name."""
    of_all = expected_of_folder(file.parent)
    start = f"{file.stem}."
    return {name.removeprefix(start): of_all[name] for name in of_all if name.startswith(start)}


def given_by(model, expected: dict) -> dict:
    """What the model gives for the same x, latents, labels and seeds."""
    x, labels = expected["x"], expected.get("labels")
    few = None if labels is None else labels[:4]
    given = {
        "samples": model.sample(4, rng=1, labels=few),
        "decoded": model.decode(expected["z"], labels=few),
    }
    if model.kind == "GAN":
        return given | {"score": model.score(x, labels=labels)}
    return given | {
        "encoded": model.encode(x, labels=labels),
        "reconstructed": model.reconstruct(x, labels=labels),
        "elbo": model.elbo(x, rng=2, labels=labels),
    }


def expect_the_same(model, expected: dict) -> None:
    words = json.loads(str(expected["words"]))
    assert model.training_log == words["training_log"]
    assert model.steps_trained == words["steps_trained"]
    assert model.parameter_count() == words["parameter_count"]
    given = given_by(model, expected)
    assert given.keys() == expected.keys() - {"words", "x", "z", "labels"}
    for name, array in given.items():
        wanted = expected[name]
        assert (array.shape, array.dtype) == (wanted.shape, wanted.dtype), name
        if name in OF_X:
            mean, deviation = (
                f(expected["x"], axis=0, dtype=np.float64) for f in (np.mean, np.std)
            )
            array, wanted = ((of_x - mean) / deviation for of_x in (array, wanted))
        most = CLOSE[model.dtype.name] * np.abs(wanted).max()
        np.testing.assert_allclose(array, wanted, rtol=0, atol=most, err_msg=name)


@each_file
def test_a_file_of_an_earlier_version_gives_what_that_version_gave(file):
    expect_the_same(sg.load(file), expected_of(file))


@each_file
def test_a_file_of_an_earlier_version_gives_the_same_when_it_is_saved_again(file):
    again = io.BytesIO()
    sg.save(sg.load(file), again)
    expect_the_same(sg.load(again.getvalue()), expected_of(file))


@each_file
def test_a_model_of_an_earlier_version_can_be_trained_on(file):
    model, expected = sg.load(file), expected_of(file)
    rows = np.random.default_rng(8).integers(len(expected["x"]), size=20)
    labels = expected["labels"][rows] if "labels" in expected else None
    before = [block.vector.copy() for block in model.players.values()]
    steps = model.steps_trained
    with references():  # no loop has to be compiled
        sg.fit(model, expected["x"][rows], labels=labels, epochs=1, batch_size=4, seed=0)
    assert model.steps_trained == steps + 5
    for block, vector in zip(model.players.values(), before, strict=True):
        assert not np.array_equal(block.vector, vector)


def test_the_folder_of_every_earlier_version_was_found():
    assert {file.parent.name for file in FILES} == {"0.1.0", "format-3"}

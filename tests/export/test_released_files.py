"""Model files that earlier versions wrote: today's code reads them, and they mean the same.

released/make.py wrote them, each under its version, beside what that version gave for them. These
numbers are our own output, on purpose: what is tested is that a user's file goes on giving them.
"""

import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.export.translation import translated
from scratchgen.kernels.formulas import by_formulas

RELEASED = Path(__file__).parent / "released"
EXPECTED = "expected.npz"
FILES = sorted(file for file in RELEASED.glob("*/*.npz") if file.name != EXPECTED)
# Relative to the largest number of an array. A number is the end of some 20 sums of at most 20
# terms each, and every CPU, NumPy and compiled loop may round each term by half a unit in the last
# place, 6e-8 and 1.1e-16: 2.4e-5 and 4.4e-14 if all of these errors had one sign, about 1e-6 and
# 2e-15 if they have not (6e-7 and 8e-16 were measured between NumPy and the loops). What is read
# wrongly is wrong in its first digits.
CLOSE = {"float32": 1e-5, "float64": 1e-12}
# In the units of x, whose columns may differ by many orders of magnitude.
OF_X = {"samples", "decoded", "reconstructed"}

each_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}"
)


@pytest.fixture(autouse=True)
def no_loop_is_compiled() -> Iterator[None]:
    with by_formulas():
        yield


@functools.cache
def expected_of_folder(folder: Path) -> dict:
    with np.load(folder / EXPECTED, allow_pickle=False) as archive:
        return dict(archive)


def expected_of(file: Path) -> dict:
    """What the file's version gave for its model, by name."""
    of_all = expected_of_folder(file.parent)
    start = f"{file.stem}."
    return {name.removeprefix(start): of_all[name] for name in of_all if name.startswith(start)}


def described_in(file: Path) -> dict:
    """What the file says of its model."""
    with np.load(file, allow_pickle=False) as archive:
        return json.loads(str(archive["config"]))


def expect_as_described(part, described, met: list) -> None:
    """A part of a model has all that a file of format 2 or 3 says of it."""
    if not isinstance(described, dict | list):
        assert part == described
    elif isinstance(described, list):
        for item, of_item in zip(part, described, strict=True):
            expect_as_described(item, of_item, met)
    elif "again" in described:
        assert part is met[described["again"]]
    else:
        for name, value in described.items():
            if name in ("layer", "initialiser"):
                assert type(part).__name__ == value
            else:
                expect_as_described(getattr(part, name), value, met)
        if "layer" in described:
            met.append(part)


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


def expect_the_same(model, file: Path) -> None:
    expected = expected_of(file)
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
            x = expected["x"].astype(np.float64)
            array, wanted = ((of_x - x.mean(axis=0)) / x.std(axis=0) for of_x in (array, wanted))
        most = CLOSE[model.dtype.name] * np.abs(wanted).max()
        np.testing.assert_allclose(array, wanted, rtol=0, atol=most, err_msg=name)


@each_file
def test_a_file_of_an_earlier_version_gives_what_that_version_gave(file):
    expect_the_same(sg.load(file), file)


@each_file
def test_a_file_of_an_earlier_version_gives_the_same_when_it_is_saved_again(file):
    again = io.BytesIO()
    sg.save(sg.load(file), again)
    expect_the_same(sg.load(again.getvalue()), file)


@each_file
def test_a_model_of_an_earlier_version_has_the_settings_and_layers_that_its_file_describes(file):
    model, described = sg.load(file), described_in(file)
    settings = translated(described)["settings"]
    assert settings == json.loads(json.dumps(model.settings()))
    settings |= {name: described["settings"][name] for name in ("shape", "latent")}
    assert (model.kind, model.dtype.name) == (described["model"], described["dtype"])
    expect_as_described(model, settings, met=[])
    met = []
    assert model.networks.keys() == described["networks"].keys()
    for name, network in model.networks.items():
        expect_as_described(network, described["networks"][name], met)


@each_file
def test_a_model_of_an_earlier_version_can_be_trained_on(file):
    model, expected = sg.load(file), expected_of(file)
    rows = np.random.default_rng(8).integers(len(expected["x"]), size=20)
    labels = expected["labels"][rows] if "labels" in expected else None
    before = {player: model.theta(player).copy() for player in model.players}
    steps = model.steps_trained
    sg.fit(model, expected["x"][rows], labels=labels, epochs=1, batch_size=4, seed=0)
    assert model.steps_trained == steps + 5
    for player, vector in before.items():
        assert not np.array_equal(model.theta(player), vector)


def test_the_folder_of_every_earlier_version_was_found():
    assert {file.parent.name for file in FILES} == {"0.1.0", "format-3"}

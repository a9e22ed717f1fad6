"""Model files of earlier versions load, and their models give the same results as in that version.

released/make.py wrote each file and its expected results under that version. The expected results
are our own output on purpose: the tests check that a user's file goes on giving them.
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
# Tolerances, relative to the largest number of an array. A number results from some 20 sums of at
# most 20 terms, and each CPU, NumPy and compiled loop may round each term by half a unit in the
# last place, 6e-8 and 1.1e-16. Such errors add up to 2.4e-5 and 4.4e-14 if all have the same sign,
# and to about 1e-6 and 2e-15 otherwise (6e-7 and 8e-16 were measured between NumPy and the loops).
# If a file is read wrongly, even the first digits are wrong.
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
# Results in the units of x, whose columns may differ by many orders of magnitude.
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
    """The results of the file's model in its version, by name."""
    arrays = expected_of_folder(file.parent)
    start = f"{file.stem}."
    return {name.removeprefix(start): arrays[name] for name in arrays if name.startswith(start)}


def described_in(file: Path) -> dict:
    """The configuration in the file."""
    with np.load(file, allow_pickle=False) as archive:
        return json.loads(str(archive["config"]))


def expect_as_described(part, described, layers: list) -> None:
    """Assert that a part of a model is as a file of format 2 or 3 describes it.

    `layers` collects the layers, to which later descriptions refer by number.
    """
    if not isinstance(described, dict | list):
        assert part == described
    elif isinstance(described, list):
        for item, of_item in zip(part, described, strict=True):
            expect_as_described(item, of_item, layers)
    elif "again" in described:
        assert part is layers[described["again"]]
    else:
        for name, value in described.items():
            if name in ("layer", "initialiser"):
                assert type(part).__name__ == value
            else:
                expect_as_described(getattr(part, name), value, layers)
        if "layer" in described:
            layers.append(part)


def results_of(model, expected: dict) -> dict:
    """The results of the model for the same x, latents, labels and seeds."""
    x, labels = expected["x"], expected.get("labels")
    few = None if labels is None else labels[:4]
    results = {
        "samples": model.sample(4, rng=1, labels=few),
        "decoded": model.decode(expected["z"], labels=few),
    }
    if model.kind == "GAN":
        return results | {"score": model.score(x, labels=labels)}
    return results | {
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
    results = results_of(model, expected)
    assert results.keys() == expected.keys() - {"words", "x", "z", "labels"}
    for name, array in results.items():
        right = expected[name]
        assert (array.shape, array.dtype) == (right.shape, right.dtype), name
        if name in OF_X:
            x = expected["x"].astype(np.float64)
            array, right = ((y - x.mean(axis=0)) / x.std(axis=0) for y in (array, right))
        most = TOLERANCE[model.dtype.name] * np.abs(right).max()
        np.testing.assert_allclose(array, right, rtol=0, atol=most, err_msg=name)


@each_file
def test_a_file_of_an_earlier_version_gives_the_results_of_that_version(file):
    expect_the_same(sg.load(file), file)


@each_file
def test_a_file_of_an_earlier_version_gives_the_same_results_after_saving_again(file):
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
    expect_as_described(model, settings, layers=[])
    layers = []
    assert model.networks.keys() == described["networks"].keys()
    for name, network in model.networks.items():
        expect_as_described(network, described["networks"][name], layers)


@each_file
def test_a_model_of_an_earlier_version_can_be_trained_further(file):
    model, expected = sg.load(file), expected_of(file)
    rows = np.random.default_rng(8).integers(len(expected["x"]), size=20)
    labels = expected["labels"][rows] if "labels" in expected else None
    before = {player: model.theta(player).copy() for player in model.players}
    steps = model.steps_trained
    sg.fit(model, expected["x"][rows], labels=labels, epochs=1, batch_size=4, seed=0)
    assert model.steps_trained == steps + 5
    for player, vector in before.items():
        assert not np.array_equal(model.theta(player), vector)


def test_there_are_files_of_every_earlier_format():
    assert {file.parent.name for file in FILES} == {"0.1.0", "format-3"}

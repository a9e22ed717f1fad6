"""Model files can be loaded again, and damaged and malicious files are refused."""

import contextlib
import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hostile import changed, declaring, members, npy, with_config, zipped
from hypothesis import given
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen.distributions import Gaussian
from scratchgen.ground import errors
from scratchgen.nn import Dense, Layer, Network, ReLU


def as_bytes(model) -> bytes:
    file = io.BytesIO()
    sg.save(model, file)
    return file.getvalue()


def models():
    shared = Dense(3, 3)
    return {
        "vae": sg.models.vae((28, 28, 1), latent=3, hidden=(8,), rng=0),
        "gaussian": sg.models.vae((5,), latent=2, hidden=(4,), likelihood=Gaussian(0.25), rng=0),
        "float64": sg.models.vae((2,), latent=2, hidden=(4,), beta=0.5, dtype="float64", rng=0),
        "gan": sg.models.gan((2,), latent=2, hidden=(4,), loss="minimax", rng=0),
        "pictures": sg.models.gan((4, 4, 3), latent=2, hidden=(4,), discriminator_steps=2, rng=0),
        "shared by two networks": sg.models.VAE(
            Network((3,), shared, Dense(3, 6)), Network((3,), shared), "bernoulli", rng=0
        ),
        "shared": sg.models.GAN(
            Network((3,), shared, Network((3,), ReLU(), shared)), Network((3,), Dense(3, 1)), rng=0
        ),
    }


@pytest.mark.parametrize("name", sorted(models()))
def test_a_loaded_model_equals_the_saved_model(name, tmp_path):
    model = models()[name]
    sg.save(model, tmp_path / "model.npz")
    same = sg.load(tmp_path / "model.npz")
    assert type(same) is type(model)
    assert repr(same) == repr(model)
    assert same.settings() == model.settings()
    assert same.dtype == model.dtype
    assert np.array_equal(same.sample(9, rng=1), model.sample(9, rng=1))
    assert as_bytes(same) == as_bytes(model)


def test_a_loaded_model_has_its_training_log_and_can_be_trained_further(points, tmp_path):
    model = models()["float64"]
    sg.fit(model, points, epochs=2, seed=3)
    sg.save(model, str(tmp_path / "model.npz"))
    same = sg.load(str(tmp_path / "model.npz"))
    assert same.training_log == model.training_log
    sg.fit(model, points, epochs=1, seed=4)
    sg.fit(same, points, epochs=1, seed=4)
    assert np.array_equal(model.sample(5, rng=0), same.sample(5, rng=0))


def test_a_model_is_loaded_from_bytes_and_from_a_file_object():
    model = models()["gan"]
    data = as_bytes(model)
    for same in (sg.load(data), sg.load(io.BytesIO(data)), sg.load(memoryview(data))):
        assert np.array_equal(same.sample(3, rng=0), model.sample(3, rng=0))


def test_the_file_is_an_npz_that_numpy_reads_without_pickle(tmp_path):
    model = models()["vae"]
    sg.save(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["config"]))["format"] == 4
        assert np.array_equal(arrays["encoder.1.w"], model.views.encoder[1].w)


def test_training_twice_with_one_seed_gives_the_same_bytes(points):
    def trained():
        model = models()["gan"]
        sg.fit(model, points, epochs=1, seed=0)
        return as_bytes(model)

    assert trained() == trained()


def test_saving_replaces_an_old_file_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "model.npz"
    sg.save(models()["vae"], path)
    sg.save(models()["gan"], path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    assert isinstance(sg.load(path), sg.models.GAN)


def test_a_users_layer_can_be_saved_after_it_is_registered(monkeypatch):
    from dataclasses import dataclass

    from scratchgen.nn import LAYERS

    @dataclass(frozen=True, eq=False)
    class Double(Layer):
        def forward(self, p, x, tape):
            return 2 * x

        def state(self):
            return {"seen": ((2,), 0.5)}

    model = sg.models.GAN(Network((2,), Double()), Network((2,), Dense(2, 1)), rng=0)
    model.state[:] = 7
    with pytest.raises(errors.OptionError, match="Double is not one of"):
        as_bytes(model)
    monkeypatch.setitem(LAYERS, "Double", Double)
    same = sg.load(as_bytes(model))
    assert same.state.tolist() == [7, 7]
    assert np.array_equal(same.sample(3, rng=0), model.sample(3, rng=0))


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded():
    model = models()["gan"]
    data = as_bytes(model)
    good, bad = np.float32(0).tobytes() * 4, np.array([np.nan] * 4, np.float32).tobytes()
    damaged = changed(data, "generator.0.b.npy", lambda old: old.replace(good, bad))
    with pytest.raises(errors.FileError, match="NaN or infinite"):
        sg.load(damaged)
    model.theta("generator")[0] = np.nan
    with pytest.raises(errors.DataError, match="NaN"):
        as_bytes(model)


# Damaged and malicious files.


DATA = as_bytes(models()["vae"])


def deep(config):
    layer = {"layer": "ReLU"}
    for _ in range(300):
        layer = {"layer": "Network", "in_shape": [1], "layers": [layer]}
    config["networks"]["encoder"] = layer


def doubling(config):
    """Networks that each hold the previous network twice: 2**60 layers in a few lines."""
    layers = [{"layer": "Network", "in_shape": [1], "layers": [{"layer": "ReLU"}]}]
    for k in range(1, 61):
        again = {"again": k}
        layers.append({"layer": "Network", "in_shape": [1], "layers": [again, again]})
    config["networks"]["encoder"] = {"layer": "Network", "in_shape": [1], "layers": layers}


def huge(config):
    layers = config["networks"]["encoder"]["layers"]
    layers[1]["n_out"] = layers[3]["n_in"] = 10**12


def many(config):
    layers = [{"layer": "ReLU"}] * 60_000
    config["networks"]["encoder"] = {"layer": "Network", "in_shape": [784], "layers": layers}


def misnamed(config):
    config["networks"]["encoder"]["layers"][1]["weights"] = "a" * 10**6


def swap(config):
    config["networks"]["encoder"] = config["networks"]["decoder"]


def recorded(**changes):
    """A record of training as `fit` writes it, with some changes."""
    counts = dict.fromkeys(["epochs", "steps", "examples", "batch_size", "seed"], 1)
    record = {**counts, "optimizer": {"vae": {"name": "Adam"}}, "losses": {"loss": 1.0}}
    return lambda config: {**config, "training": [{**record, **changes}]}


HOSTILE = {
    "nothing": (b"", "no model file"),
    "text": (b"hello", "no model file"),
    "a pickle": (pickle.dumps({"a": 1}), "never read"),
    "a truncated file": (DATA[: len(DATA) // 2], "truncated"),
    "a file without its end": (DATA[:-1], "truncated"),
    "an npz of data": (zipped({"x.npy": npy(np.zeros(3))}), "no model"),
    "a compressed file": (zipped(members(DATA), zipfile.ZIP_DEFLATED), "compressed"),
    "a missing array": (
        zipped({k: v for k, v in members(DATA).items() if k != "encoder.1.b.npy"}),
        "encoder.1.b.npy",
    ),
    "an extra array": (zipped({**members(DATA), "more.npy": npy(np.zeros(3))}), "more.npy"),
    "a claim of 32 GiB": (
        changed(DATA, "encoder.1.w.npy", lambda old: declaring("(8589934592,)")),
        "34,359,738,368 bytes",
    ),
    "a config of 32 GiB": (
        changed(DATA, "config.npy", lambda old: declaring("(8589934592,)")),
        "34,359,738,368 bytes",
    ),
    "layers of absurd size": (with_config(DATA, huge), "wants (784, 1000000000000)"),
    "layers nested too deeply": (with_config(DATA, deep), "64 within each other"),
    "an absurd number of layers": (with_config(DATA, doubling), "layers, one after the other"),
    "a config of absurd depth": (
        changed(DATA, "config.npy", lambda old: npy(np.array("[" * 100_000 + "]" * 100_000))),
        "cannot be read",
    ),
    "an array of another shape": (
        changed(DATA, "encoder.1.b.npy", lambda old: npy(np.zeros(9, np.float32))),
        "wants (8,)",
    ),
    "an array of another dtype": (
        changed(DATA, "encoder.1.b.npy", lambda old: npy(np.zeros(8, np.float64))),
        "float32",
    ),
    "an array of objects": (
        changed(DATA, "encoder.1.b.npy", lambda old: npy(np.array([None] * 8))),
        "never read",
    ),
    "a member that is no array": (
        changed(DATA, "encoder.1.b.npy", lambda old: b"garbage"),
        "not an array file",
    ),
    "a negative shape": (
        changed(DATA, "encoder.1.b.npy", lambda old: declaring("(-8,)", b"\0" * 32)),
        "impossible shape",
    ),
    "a config that is no JSON": (
        changed(DATA, "config.npy", lambda old: npy(np.array("{"))),
        "cannot be read",
    ),
    "a config that is a list": (with_config(DATA, lambda c: [1]), "cannot be read"),
    "a later format": (with_config(DATA, lambda c: {**c, "format": 5}), "update scratchgen"),
    "an earlier format": (with_config(DATA, lambda c: {**c, "format": 1}), "train the model again"),
    "an unknown model": (with_config(DATA, lambda c: {**c, "model": "VEA"}), "did you mean 'VAE'"),
    "no settings": (with_config(DATA, lambda c: {**c, "settings": {}}), "describes no model"),
    "networks in the wrong place": (with_config(DATA, swap), "missing or odd"),
    "a setting that a VAE does not have": (
        with_config(DATA, lambda c: {**c, "settings": {**c["settings"], "latent": 9}}),
        "do not fit",
    ),
    "a configuration of too many letters": (
        changed(DATA, "config.npy", lambda old: npy(np.array("[" + " " * 2**22))),
        "absurd length",
    ),
    "a configuration of two hundred thousand dicts": (
        changed(DATA, "config.npy", lambda old: npy(np.array("[" + "{}," * 200_000 + "1]"))),
        "absurd length",
    ),
    "a configuration that is a list of texts": (
        changed(DATA, "config.npy", lambda old: npy(np.array(["{}", "{}"]))),
        "cannot be read",
    ),
    "a configuration of invalid characters": (
        changed(DATA, "config.npy", lambda old: npy(np.frombuffer(b"\xff" * 40, "<U10")[0])),
        "cannot be read",
    ),
    "sixty thousand layers": (with_config(DATA, many), "wants at most 50,000 layers"),
    "a layer with a name of a million letters": (
        with_config(DATA, lambda c: {**c, "networks": {"encoder": {"layer": "a" * 10**6}}}),
        "needs the layer 'aaaa",
    ),
    "a model with a name that writes on terminals": (
        with_config(DATA, lambda c: {**c, "model": "\x1b[2J" * 9}),
        "needs the model '\\x1b[2J",
    ),
    "weights with a name of a million letters": (
        with_config(DATA, misnamed),
        "unknown initialiser 'aaaa",
    ),
    "a setting of a million letters": (
        with_config(DATA, lambda c: {**c, "settings": {**c["settings"], "beta": "a" * 10**6}}),
        "beta='aaaa",
    ),
    "a number of four thousand digits": (
        with_config(DATA, lambda c: {**c, "format": int("9" * 4000)}),
        "update scratchgen",
    ),
    "a member with a name of sixty thousand letters": (
        zipped({**members(DATA), "a" * 60_000: npy(np.zeros(3))}),
        "aaaa",
    ),
    "a dtype of text": (with_config(DATA, lambda c: {**c, "dtype": "U9"}), "unknown dtype"),
    "a training log of nonsense": (with_config(DATA, lambda c: {**c, "training": 5}), "describes"),
    "a record of nonsense": (with_config(DATA, lambda c: {**c, "training": [5]}), "describes"),
    "a record of text for numbers": (with_config(DATA, recorded(seed="0")), "did not write"),
    "a record of lists": (with_config(DATA, recorded(losses=[1])), "did not write"),
    "a record without an optimizer's name": (
        with_config(DATA, recorded(optimizer={"vae": {}})),
        "did not write",
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_bad_file_is_refused_with_the_reason(name, tmp_path):
    data, text = HOSTILE[name]
    path = tmp_path / "model.npz"
    path.write_bytes(data)
    with pytest.raises(errors.FileError) as caught:
        sg.load(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
    with pytest.raises(errors.FileError):
        sg.load(data)


def test_a_long_text_takes_less_than_three_times_the_memory_of_its_file():
    """A letter takes four bytes in the file, and reading holds two copies of them."""
    data = with_config(DATA, recorded(data="a" * 2_000_000))
    tracemalloc.start()
    try:
        assert len(sg.load(data).training_log[0]["data"]) == 2_000_000
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_file_with_one_changed_byte_is_loaded_or_refused(place, change):
    data = bytearray(DATA)
    data[place] ^= change
    with contextlib.suppress(errors.FileError):
        assert isinstance(sg.load(bytes(data)), sg.models.VAE)


def test_a_record_that_fit_could_have_written_is_loaded():
    assert sg.load(with_config(DATA, recorded())).training_log[0]["seed"] == 1


def test_errors_name_paths_and_objects_that_cannot_be_used(tmp_path):
    with pytest.raises(errors.FileError, match="there is no file"):
        sg.load(tmp_path / "no.npz")
    with pytest.raises(errors.FileError, match="is a folder"):
        sg.load(tmp_path)
    with pytest.raises(errors.FileError, match="cannot be written"):
        sg.save(models()["gan"], tmp_path / "no" / "model.npz")
    with pytest.raises(errors.KindError, match="a path, bytes"):
        sg.load(3)
    with pytest.raises(errors.KindError, match="binary mode"):
        sg.load(io.StringIO("x"))
    with pytest.raises(errors.KindError, match="wants a path or a binary"):
        sg.save(models()["gan"], 3)
    with pytest.raises(errors.KindError, match="as its model"):
        sg.save(3, tmp_path / "model.npz")

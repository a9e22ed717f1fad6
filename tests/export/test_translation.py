"""Configurations of earlier formats are translated into the present format, or refused."""

import copy
import io
import json
from pathlib import Path

import numpy as np
import pytest
from small_models import small_model

import scratchgen as sg
from scratchgen.export.translation import EARLIER, FORMAT, translated
from scratchgen.ground.errors import FileError, OptionError

RELEASED = Path(__file__).parent / "released"
OF_FORMAT = {2: RELEASED / "0.1.0" / "wgan_gp.npz", 3: RELEASED / "format-3" / "vae_standard.npz"}


def arrays_of(file):
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def described_in(file):
    return json.loads(str(arrays_of(file)["config"]))


def with_config(file, described):
    """The bytes of the file with another configuration."""
    data = io.BytesIO()
    np.savez(data, **{**arrays_of(file), "config": np.array(json.dumps(described))})
    return data.getvalue()


def saved(model):
    data = io.BytesIO()
    sg.save(model, data)
    return data.getvalue()


def with_settings(described, **changes):
    """The configuration with other settings; None removes a setting."""
    settings = {**described["settings"], **changes}
    settings = {name: value for name, value in settings.items() if value is not None}
    return {**described, "settings": settings}


@pytest.mark.parametrize("version", EARLIER)
def test_a_translation_changes_only_what_differs_between_the_formats(version):
    described = described_in(OF_FORMAT[version])
    assert described["format"] == version
    before = copy.deepcopy(described)
    translation = translated(described)
    assert described == before
    assert translation["format"] == FORMAT == 4
    for name in ("model", "dtype", "networks", "training"):
        assert translation[name] == described[name]
    settings = dict(described["settings"])
    for name in ("shape", "latent"):
        del settings[name]
    if version == 2:
        assert translation["settings"].pop("loss") == {"name": settings.pop("loss")}
        assert translation["settings"].pop("scaler") is None
        assert translation["settings"].pop("prior") == {"name": "standard_normal"}
    assert translation["settings"] == settings


def test_a_configuration_of_the_present_format_is_not_translated():
    for model in (sg.models.vae((2,), latent=1, rng=0), sg.models.wgan_gp((2,), latent=1, rng=0)):
        described = described_in(io.BytesIO(saved(model)))
        assert described["format"] == FORMAT
        assert translated(described) is described


@pytest.mark.parametrize("version", EARLIER)
def test_a_loaded_file_is_saved_in_the_present_format_and_then_stays_the_same(version):
    first = saved(sg.load(OF_FORMAT[version]))
    described = described_in(io.BytesIO(first))
    assert described == translated(described_in(OF_FORMAT[version]))
    assert saved(sg.load(first)) == first


@pytest.mark.parametrize("recipe", sg.models.RECIPES)
def test_a_loaded_model_of_each_recipe_equals_the_saved_model(recipe):
    model = small_model(recipe, (2,), latent=2, hidden=(3,), rng=0)
    again = sg.load(saved(model))
    assert again.settings() == model.settings()
    assert repr(again) == repr(model)
    assert saved(again) == saved(model)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (5, "reads 2 to 4: update scratchgen"),
        (10**30, "update scratchgen"),
        ("4", "update scratchgen"),
        (4.0, "update scratchgen"),
        (True, "update scratchgen"),
        (None, "update scratchgen"),
        ([4], "update scratchgen"),
        ({"format": 4}, "update scratchgen"),
        (1, "train the model again"),
        (0, "train the model again"),
        (-4, "train the model again"),
    ],
)
@pytest.mark.parametrize("file", OF_FORMAT.values(), ids=OF_FORMAT)
def test_an_unknown_format_is_refused_with_advice(file, version, advice):
    described = {**described_in(file), "format": version}
    with pytest.raises(FileError, match=advice):
        sg.load(with_config(file, described))


@pytest.mark.parametrize("bad", [None, [], "settings", 3, {}])
@pytest.mark.parametrize("version", [*EARLIER, FORMAT])
def test_settings_of_the_wrong_type_are_refused(version, bad):
    file = OF_FORMAT.get(version, OF_FORMAT[2])
    with pytest.raises(FileError):
        sg.load(with_config(file, {**described_in(file), "format": version, "settings": bad}))


HOSTILE = {  # of format 2, a Wasserstein GAN, (2,) and latent 2
    "no shape": {"shape": None},
    "another shape": {"shape": [3]},
    "a shape that is a number": {"shape": 2},
    "a shape of text": {"shape": ["2"]},
    "a shape within a shape": {"shape": [[2]]},
    "no latent": {"latent": None},
    "another latent": {"latent": 9},
    "a latent that is a list": {"latent": [2]},
    "a latent that is text": {"latent": "2"},
    "no loss": {"loss": None},
    "an unknown loss": {"loss": "wassersten"},
    "a loss of today's format": {"loss": {"name": "wasserstein"}},
    "a loss that is a number": {"loss": 3},
    "a loss that is a list": {"loss": ["wasserstein"]},
    "a scaler": {"scaler": {"name": "standard", "offset": [0, 0], "scale": [1, 1]}},
    "moves as text": {"discriminator_steps": "2"},
    "half a move": {"discriminator_steps": 0.5},
    "no moves": {"discriminator_steps": 0},
    "missing moves": {"discriminator_steps": None},
    "a penalty that is text": {"penalty": "gradient_penalty"},
    "an unknown penalty": {"penalty": {"name": "r2", "weight": 1.0}},
    "a penalty without its settings": {"penalty": {"name": "gradient_penalty"}},
    "a penalty of text": {"penalty": {"name": "gradient_penalty", "weight": "5", "target": 1.0}},
    "a clip that is text": {"weight_clip": "0.1"},
    "a clip below 0": {"weight_clip": -1.0},
    "a setting of a VAE": {"beta": 1.0},
    "a network": {"generator": 3},
    "an argument": {"rng": 0},
    "a dtype": {"dtype": "float64"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_wrong_settings_of_format_2_are_refused(name):
    described = with_settings(described_in(OF_FORMAT[2]), **HOSTILE[name])
    with pytest.raises(FileError):
        sg.load(with_config(OF_FORMAT[2], described))


@pytest.mark.parametrize(
    "changes",
    [
        {"scaler": None},
        {"scaler": {"name": "standard"}},
        {"scaler": "standard"},
        {"scaler": []},
        {"beta": "1"},
        {"beta": [1.0]},
        {"warm_up": 0.5},
        {"likelihood": "gaussian"},
        {"likelihood": {"name": "gausian"}},
        {"likelihood": [{"name": "gaussian"}]},
        {"loss": "hinge"},
    ],
    ids=str,
)
def test_wrong_settings_of_format_3_are_refused_for_a_vae_with_a_scaler(changes):
    described = with_settings(described_in(OF_FORMAT[3]), **changes)
    with pytest.raises(FileError):
        sg.load(with_config(OF_FORMAT[3], described))


def test_a_null_scaler_fits_neither_earlier_format():
    for version, file in OF_FORMAT.items():
        described = described_in(file)
        described["settings"]["scaler"] = None
        with pytest.raises(OptionError, match="do not fit the format"):
            translated(described)
        with pytest.raises(FileError, match="do not fit the format"):
            sg.load(with_config(file, {**described, "format": version}))


@pytest.mark.parametrize("networks", [None, [], "none", {}, {"generator": 3}, {"encoder": []}])
@pytest.mark.parametrize("version", EARLIER)
def test_networks_of_the_wrong_type_are_refused(version, networks):
    file = OF_FORMAT[version]
    with pytest.raises(FileError):
        sg.load(with_config(file, {**described_in(file), "networks": networks}))


def test_settings_of_a_users_model_are_translated_whatever_its_networks_are_called():
    described = {
        "format": 2,
        "model": "Mine",
        "settings": {"shape": [2], "latent": 2, "more": 1},
        "networks": {"only": {"in_shape": [5]}},
    }
    assert translated(described)["settings"] == {"more": 1, "scaler": None}

"""Data on a scale that nothing is learnt on: a warning before training, and none without need."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.data import Scaler
from scratchgen.distributions import Categorical
from scratchgen.ground import errors
from scratchgen.train.scales import scale_problem

NORMAL = np.random.default_rng(0).standard_normal((1_000, 6))


def vae(x, **settings):
    return sg.models.vae(x.shape[1:], latent=2, hidden=(4,), rng=0, **settings)


def gan(x, **settings):
    return sg.models.gan(x.shape[1:], latent=2, hidden=(4,), rng=0, **settings)


def warning_of(model, x) -> str:
    with pytest.warns(errors.ScaleWarning) as caught:
        sg.fit(model, x, epochs=0, seed=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # it points to the line that called fit
    return str(caught[0].message)


def with_column(column, values):
    x = NORMAL.copy()
    x[:, column] = values
    return x


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (NORMAL * 0.01, r"deviation 0\.0\d* to 0\.0\d* in columns 0, 1, 2, 3 and 2 more"),
        (NORMAL * 30, r"deviation \d\d\.\d* to \d\d\.\d* in columns 0, 1, 2, 3 and 2 more"),
        (with_column(2, NORMAL[:, 2] * 1e-3), r": deviation 0\.00\d* in column 2:"),
        (NORMAL + np.array([0, 0, 0, 0, 1e9, 0]), r": mean 1e\+09 in column 4:"),
        (NORMAL + np.array([0, -7, 0, 5, 0, 0]), r": mean -\d\.\d* to \d\.\d* in columns 1 and 3:"),
        (with_column(5, 1990.0), r": constant 1990 in column 5:"),
        (
            with_column(0, 7.0) * [1, 1, 1, 1, 1, 1e4],
            r": deviation \d+ in column 5; constant 7 in column 0:",
        ),
        ((NORMAL * 1000).astype(np.int64).tolist(), "deviation"),
    ],
)
def test_the_warning_names_the_columns_and_what_is_wrong_with_them(x, words):
    assert re.search(words, warning_of(vae(NORMAL), x))


def test_what_the_warning_advises_mends_it():
    x = NORMAL * [1e-3, 1, 30, 1, 1, 1] + [0, 0, 0, 1e6, 0, 0]
    for made in (vae, gan):
        line = re.search(r"scaler=(sg\.data\.Scaler\.standard\(x\))", warning_of(made(x), x))[1]
        mended = made(x, scaler=eval(line, {"sg": sg, "x": x}))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sg.fit(mended, x, epochs=1, seed=0)


def test_numbers_that_share_their_unit_are_told_to_share_a_divisor(pictures):
    x = pictures * 255
    line = re.search(r"train on (x / 255)$", warning_of(vae(x, likelihood="gaussian"), x))[1]
    assert not scale_problem(vae(x), eval(line, {"x": x}))
    for x in (pictures * 400 - 200, np.full_like(pictures, -5)):
        model = gan(x, output="linear")
        line = re.search(r"train on (.*)$", warning_of(model, x))[1]
        mended = eval(line, {"x": x})
        assert np.isfinite(mended).all()
        assert not scale_problem(model, mended)


def is_silent(model, x) -> bool:
    return not scale_problem(model, x)


@pytest.mark.parametrize("name", ["digits", "ring", "grid", "swiss_roll", "two_moons", "spiral"])
@pytest.mark.parametrize("made", [vae, gan])
def test_built_in_data_are_taken_without_a_warning(name, made, few_digits):
    x = sg.data.load(name)
    assert is_silent(made(x), x)
    if made is vae:
        assert is_silent(vae(x, likelihood="gaussian"), x)


def test_data_near_scale_1_are_taken_without_a_warning():
    for scale in (0.2, 0.5, 1, 2, 2.8):
        assert is_silent(vae(NORMAL), NORMAL * scale)
    for scale in (0.5, 1, 2, 2.8):
        assert is_silent(gan(NORMAL), NORMAL * scale)
    assert is_silent(vae(NORMAL), np.random.default_rng(0).random((500, 6)))


def test_classes_bits_and_constants_are_no_small_numbers():
    rng = np.random.default_rng(0)
    x = np.concatenate([NORMAL, np.eye(200)[rng.integers(200, size=1_000)]], axis=1)
    assert is_silent(vae(x), x)
    signs = rng.choice([-1.0, 1.0], size=(1_000, 6), p=[0.001, 0.999])
    assert is_silent(vae(signs), signs)
    for constant in (0.0, 1.0, -2.5):
        x = with_column(3, constant)
        assert is_silent(vae(x), x)
    assert is_silent(vae(x, dtype="float64"), np.zeros((3, 6)))


def test_pictures_are_taken_without_a_warning_flattened_too(pictures):
    rows = pictures.reshape(len(pictures), -1)
    for x in (pictures, 2 * pictures - 1, pictures / 2):
        assert is_silent(vae(x, likelihood="gaussian"), x)
        assert is_silent(gan(x, output="linear"), x)
    assert is_silent(vae(rows), rows)
    assert is_silent(vae(rows, likelihood="bernoulli"), rows)


def test_what_takes_only_some_numbers_is_not_asked():
    small = np.full((50, 6), 0.5) + NORMAL[:50] * 1e-3
    assert not is_silent(vae(small), small)
    assert is_silent(vae(small, likelihood="bernoulli"), small)
    assert is_silent(gan(small, output="sigmoid"), small)
    classes = np.arange(300.0).reshape(50, 6)
    assert is_silent(vae(classes, likelihood=Categorical(300)), classes)


def test_a_column_is_called_constant_only_if_its_own_digits_are():
    x = with_column(1, 1e9 + NORMAL[:, 1])  # which float32 would round to one number
    assert np.ptp(x[:, 1].astype(np.float32)) == 0
    assert "mean 1e+09 in column 1" in scale_problem(vae(x), x)
    rare = with_column(1, np.arange(1_000) == 333)
    rare[:, 1] += 100
    assert "mean 100 in column 1" in scale_problem(vae(rare), np.repeat(rare, 5, axis=0))


def test_scaled_data_are_judged_as_they_are_scaled():
    scaler = Scaler.standard(NORMAL)
    assert is_silent(vae(NORMAL, scaler=scaler), NORMAL)
    model = vae(NORMAL, scaler=scaler)
    assert "x, scaled by its standard scaler, is off" in scale_problem(model, NORMAL * 100)
    skewed = np.exp(5 * NORMAL)
    text = scale_problem(vae(skewed, scaler=Scaler.min_max(skewed)), skewed)
    assert "scaled by its min_max scaler" in text


def test_the_bounds_are_those_of_the_table_in_the_docs():
    text = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")
    for kind in (sg.models.VAE, sg.models.GAN):
        least, most = kind.spreads
        assert f"| {kind.kind} | {least:g} to {most:g} | within {kind.farthest:g} of 0 |" in text

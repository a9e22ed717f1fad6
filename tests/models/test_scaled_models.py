"""Models with a scaler: all methods take and return x in the user's units."""

import io
import json
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.data import SCALERS, Scaler
from scratchgen.distributions import LIKELIHOODS, Bernoulli, Categorical
from scratchgen.ground import errors
from scratchgen.nn import Tape

FACTORS = np.array([[1, 0, 1, 1, -1, 0.5], [0, 1, 1, -1, 0.5, 1]])
UNITS = [1e-3, 1.0, 30.0, 1e4, 1.0, 1e-6]
OFFSETS = [0.0, 2000.0, 0.0, 1e6, 1e9, 0.0]


def six_columns(n=600):
    """Six columns (n, 6) of two factors, each of mean about 0 and deviation 1."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 2)) @ FACTORS + 0.1 * rng.standard_normal((n, 6))
    return x / x.std(axis=0)


def r_squared(x, again):
    left = ((x - again) / x.std(axis=0)) ** 2
    return 1 - left.sum() / x.size


def trained(x, fitted=Scaler.standard, **settings):
    scaler = fitted and fitted(x)
    model = sg.models.vae((6,), latent=2, hidden=(64,), rng=0, scaler=scaler, **settings)
    sg.fit(model, x, epochs=30, batch_size=50, seed=0)
    return model


@pytest.fixture(scope="module")
def in_units():
    """Data in six units, and a VAE of them."""
    x = six_columns() * UNITS + OFFSETS
    return x, trained(x)


def test_six_columns_of_any_scale_are_explained_as_at_scale_1(in_units):
    x, model = in_units
    near_1 = six_columns()
    expected = r_squared(near_1, trained(near_1, fitted=None).reconstruct(near_1))
    assert expected > 0.97
    assert abs(r_squared(x, model.reconstruct(x)) - expected) < 0.01
    for scale, offset in ((0.01, 0), (30, 0), (1e4, 1e6)):
        x = near_1 * scale + offset
        assert abs(r_squared(x, trained(x).reconstruct(x)) - expected) < 0.01


def test_samples_have_the_units_and_the_spread_of_the_data(in_units):
    x, model = in_units
    for noise in (False, True):
        new = model.sample(2_000, rng=0, noise=noise)
        assert new.dtype == np.float64
        assert (np.abs(new.mean(axis=0) - x.mean(axis=0)) < 0.3 * x.std(axis=0)).all()
        assert (np.abs(np.log2(new.std(axis=0) / x.std(axis=0))) < 0.5).all()


def test_a_model_with_a_scaler_is_the_plain_model_of_scaled_data(in_units):
    x, model = in_units
    scaler = model.scaler
    y = scaler.apply(x).astype(np.float32)
    plain = trained(y, fitted=None)
    assert np.array_equal(plain.vector, model.vector)
    assert np.array_equal(model.check(x), y)
    assert np.array_equal(model.encode(x), plain.encode(y))
    assert np.array_equal(model.posterior(x).log_var, plain.posterior(y).log_var)
    for of_units, of_scaled in (
        (model.reconstruct(x), plain.reconstruct(y)),
        (model.decode(np.eye(2)), plain.decode(np.eye(2))),
        (model.sample(9, rng=1), plain.sample(9, rng=1)),
        (model.sample(9, rng=1, noise=True), plain.sample(9, rng=1, noise=True)),
    ):
        np.testing.assert_array_equal(of_units, scaler.undo(of_scaled))
    jacobian = -np.log(x.std(axis=0)).sum()
    rounded = np.finfo(np.float32).eps * abs(jacobian)  # where it is added, in float32
    expected = plain.elbo(y, rng=0) + jacobian
    np.testing.assert_allclose(model.elbo(x, rng=0), expected, rtol=1e-5, atol=rounded)
    scaled, unscaled = model.trace(x[:50], rng=0), plain.trace(y[:50], rng=0)
    assert np.array_equal(scaled["encoder.0"].activation, unscaled["encoder.0"].activation)
    assert scaled.reported == unscaled.reported


def test_the_loss_of_training_is_minus_the_elbo_but_for_the_jacobian(in_units):
    x, model = in_units
    tape = Tape()
    loss = model.objective("vae", model.check(x), rng=0, tape=tape, training=False)
    assert loss == pytest.approx(-model.elbo(x, rng=0).mean() + model.scaler.log_det, rel=1e-5)


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_shared", "gaussian_fixed", "mse"])
def test_the_density_in_the_users_units_integrates_to_1(likelihood):
    scaler = Scaler([1e3], [20.0])
    model = sg.models.vae((1,), latent=2, hidden=(), likelihood=likelihood, rng=0, scaler=scaler)
    model.vector[:] = 0  # q(z|x) is N(0, I), and p(x|z) does not know of z
    variance = 0.5 if likelihood == "mse" else 1.0
    x = np.linspace(1e3 - 160, 1e3 + 160, 4_001)[:, None]
    density = np.exp(model.elbo(x, rng=0).astype(float))
    expected = -((x[:, 0] - 1e3) ** 2) / (2 * variance * 20**2)
    expected -= np.log(2 * np.pi * variance * 20**2) / 2
    np.testing.assert_allclose(density, np.exp(expected), rtol=2e-4, atol=1e-12)
    assert np.sum((density[1:] + density[:-1]) / 2) * 0.08 == pytest.approx(1, abs=1e-4)


def test_probabilities_have_no_jacobian():
    x = np.array([[10.0, 5.0], [30.0, 5.0], [10.0, 7.0]])
    scaler = Scaler.min_max(x)
    model = sg.models.vae((2,), latent=1, hidden=(), likelihood="bernoulli", rng=0, scaler=scaler)
    model.vector[:] = 0  # each pixel is 1 with probability 1/2
    np.testing.assert_allclose(model.elbo(x, rng=0), -2 * np.log(2), rtol=1e-6)
    assert set(np.unique(model.sample(50, rng=0, noise=True)[:, 0])) == {10, 30}
    np.testing.assert_allclose(model.sample(1, rng=0), [[20, 6]])


def gan(x, **settings):
    return sg.models.gan((x.shape[1],), latent=2, hidden=(8,), rng=0, **settings)


def test_a_gan_takes_and_gives_the_users_units():
    x = sg.data.ring(400, rng=0) * np.array([1e-3, 50.0]) + np.array([0.0, 1e5])
    model, plain = gan(x, scaler=Scaler.standard(x)), gan(x)
    y = model.scaler.apply(x).astype(np.float32)
    histories = [
        sg.fit(each, data, epochs=2, seed=0, validation=data[:50])
        for each, data in ((model, x), (plain, y))
    ]
    assert histories[0] == histories[1]
    assert np.array_equal(model.score(x), plain.score(y))
    np.testing.assert_array_equal(model.sample(9, rng=0), model.scaler.undo(plain.sample(9, rng=0)))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda scaler: sg.models.vae((6,), latent=2, hidden=(8,), rng=0, scaler=scaler),
        lambda scaler: sg.models.vae(
            (6,), latent=2, hidden=(8,), rng=0, scaler=scaler, likelihood="mse", n_labels=2
        ),
        lambda scaler: sg.models.gan((6,), latent=2, hidden=(8,), rng=0, scaler=scaler),
    ],
)
def test_a_prepared_decoder_gives_the_users_units(make, batch):
    model = make(Scaler(OFFSETS, UNITS))
    labels = {"labels": [0] * batch} if model.n_labels else {}
    decode, rng = model.prepared_decoder(batch), np.random.default_rng(0)
    for _ in range(3):
        z = rng.standard_normal((batch, 2), dtype=np.float32)
        x = decode(z, **labels)
        np.testing.assert_allclose(x, model.decode(z, **labels), rtol=1e-6, atol=1e-9)


def test_threads_share_a_model_with_a_scaler(in_units):
    x, model = in_units
    expected = model.reconstruct(x)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: model.reconstruct(x), range(20)))
    assert all(np.array_equal(result, expected) for result in results)


def test_its_gradients_are_checked_in_the_users_units():
    x = six_columns(40)[:, :2] * [1e-3, 1] + [0, 1e9]
    model = sg.models.vae((2,), latent=1, hidden=(), rng=0, scaler=Scaler.standard(x))
    assert sg.check(model, x[:4]).ok
    assert sg.check(model).ok


# files


def as_bytes(model):
    file = io.BytesIO()
    sg.save(model, file)
    return file.getvalue()


def described(data):
    return json.loads(str(np.load(io.BytesIO(data))["config"]))


def test_a_scaler_is_kept_in_the_file_to_the_last_bit(in_units):
    x, model = in_units
    for each in (model, gan(x, scaler=Scaler.min_max(x), output="sigmoid")):
        same = sg.load(as_bytes(each))
        assert same.scaler == each.scaler
        assert repr(same) == repr(each)
        assert as_bytes(same) == as_bytes(each)
        assert np.array_equal(same.sample(9, rng=0), each.sample(9, rng=0))
        assert described(as_bytes(each))["format"] == 4
        assert f"{each.scaler.name} scaler" in str(each)


def test_a_file_says_that_its_model_has_no_scaler():
    config = described(as_bytes(gan(np.zeros((1, 2)))))
    assert config["format"] == 4
    assert config["settings"]["scaler"] is None


# each test changes one setting in the configuration of this file
HOSTILE = {
    "NaN": {"offset": [float("nan"), 0.0]},
    "infinity": {"offset": [1e999, 0.0]},
    "a number beyond float64": {"offset": [10**400, 0]},
    "a scale of 0": {"scale": [0.0, 1.0]},
    "a scale below 0": {"scale": [-1.0, 1.0]},
    "too few columns": {"offset": [0.0], "scale": [1.0]},
    "no columns": {"offset": [], "scale": []},
    "an offset too many": {"offset": [0.0, 0.0, 0.0]},
    "text": {"offset": ["0", "0"]},
    "lists in lists": {"offset": [[0.0, 0.0]]},
    "ragged lists": {"offset": [[0.0], 0.0]},
    "an unknown name": {"name": "robust"},
    "a name that is none": {"name": ["standard"]},
    "an unknown field": {"slope": 1.0},
}


def with_config(data, change):
    arrays = dict(np.load(io.BytesIO(data)))
    arrays["config"] = np.array(json.dumps(change(json.loads(str(arrays["config"])))))
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.fixture(scope="module")
def small():
    return as_bytes(gan(np.zeros((1, 2)), scaler=Scaler([0, 1], [2, 3], "standard")))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_with_a_bad_scaler_is_refused(name, small):
    def change(config):
        config["settings"]["scaler"] |= HOSTILE[name]
        return config

    with pytest.raises(errors.FileError):
        sg.load(with_config(small, change))


def in_format(version, without=()):
    """A configuration of today, changed to an earlier format or to one that is nearly right."""

    def change(config):
        settings = config["settings"] | {"shape": [2], "latent": 2, "loss": "non_saturating"}
        for name in without:
            del settings[name]
        return config | {"format": version, "settings": settings}

    return change


def test_format_and_scaler_must_agree(small):
    plain = as_bytes(gan(np.zeros((1, 2))))
    assert sg.load(with_config(small, lambda config: config)).scaler
    assert sg.load(with_config(small, in_format(3))).scaler
    assert sg.load(with_config(plain, in_format(2, without=["scaler"]))).scaler is None
    for bad in (
        with_config(small, in_format(2)),
        with_config(small, in_format(3, without=["scaler"])),
        with_config(plain, in_format(2)),
        with_config(plain, in_format(3)),
        with_config(plain, in_format(3, without=["scaler"])),
    ):
        with pytest.raises(errors.FileError, match="do not fit the format"):
            sg.load(bad)


# errors


@pytest.mark.parametrize(
    ("kind", "words", "shape", "settings"),
    [
        (errors.KindError, r"Scaler\.standard\(x\)", (2,), {"scaler": "standard"}),
        (errors.KindError, r"Scaler\.standard\(x\)", (2,), {"scaler": Scaler.standard}),
        (errors.ShapeError, "2 columns", (3,), {}),
        (errors.OptionError, r"a model of \(784,\)", (28, 28, 1), {}),
        (errors.OptionError, r"a model of \(784,\)", (28, 28), {"likelihood": "gaussian"}),
        (errors.OptionError, "take a min_max scaler", (2,), {"likelihood": "bernoulli"}),
        (errors.OptionError, "classes are no", (2,), {"likelihood": Categorical(3)}),
        (errors.OptionError, "take a min_max scaler", (2,), {"output": "sigmoid"}),
        (errors.OptionError, "take a min_max scaler", (2,), {"output": "tanh"}),
    ],
)
def test_a_scaler_that_does_not_fit_is_refused_with_the_reason(kind, words, shape, settings):
    recipe = sg.models.gan if "output" in settings else sg.models.vae
    keywords = {"scaler": Scaler.standard([[0.0, 1.0], [2.0, 5.0]])} | settings
    with pytest.raises(kind, match=words):
        recipe(shape, latent=2, hidden=(4,), rng=0, **keywords)


def test_errors_are_stated_in_the_users_units():
    x = np.array([[0.0, 100.0], [50.0, 300.0]])
    bernoulli = sg.models.vae(
        (2,), latent=1, hidden=(), likelihood=Bernoulli(), rng=0, scaler=Scaler.min_max(x)
    )
    ends = r"column 1 of x goes from 250 to 350, wants values in \[100, 300\]"
    beyond = np.array([[20.0, 250.0], [20.0, 350.0]])
    with pytest.raises(errors.DataError, match=ends):
        bernoulli.encode(beyond)
    with pytest.raises(errors.DataError, match=ends):
        gan(x, output="sigmoid", scaler=Scaler.min_max(x)).score(beyond)
    scaler = bernoulli.scaler
    bernoulli.encode(np.clip(beyond, scaler.offset, scaler.offset + scaler.scale))  # as it advises
    with pytest.raises(errors.DataError, match=r"NaN or infinity in 1 of 2 .* index 1"):
        bernoulli.encode([[20.0, 250.0], [np.nan, 250.0]])
    with pytest.raises(errors.ShapeError, match=r"wants \(N, 2\)"):
        bernoulli.encode(np.zeros((3, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        standard = gan(x, scaler=Scaler.standard(x))
        with pytest.raises(errors.DataError, match="too far"):
            standard.score([[1e300, 0.0]])


def test_every_likelihood_says_whether_it_is_a_density():
    assert {name for name, kind in LIKELIHOODS.items() if not kind.is_density} == {
        "bernoulli",
        "categorical",
    }


@pytest.mark.parametrize("name", SCALERS)
def test_an_empty_x_is_scaled_to_an_empty_array(name, in_units):
    x, _ = in_units
    model = sg.models.vae((6,), latent=2, hidden=(4,), rng=0, scaler=SCALERS[name](x))
    assert model.reconstruct(x[:0]).shape == model.sample(0, rng=0).shape == (0, 6)


def test_bytes_are_scaled_in_little_more_memory_than_the_result_takes():
    x = np.random.default_rng(0).integers(0, 256, (20_000, 50), np.uint8)
    model = sg.models.vae((50,), latent=2, hidden=(4,), rng=0, scaler=Scaler.min_max(x))
    tracemalloc.start()
    y = model.check(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(y, x / 255, rtol=1e-6)
    assert peak < 1.5 * y.nbytes

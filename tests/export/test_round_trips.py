"""`load` reads what `save` writes: drawn models and records, two writers, any file object."""

import contextlib
import copy
import io
import json
import math
import sys
import threading
import tracemalloc
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hostile import changed, npy, with_config
from hypothesis import given
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    FixedGaussian,
    Gaussian,
    MeanSquaredError,
    SharedGaussian,
)
from scratchgen.export.configuration import config
from scratchgen.gradcheck.strategies import own_layers
from scratchgen.ground import errors
from scratchgen.losses import LOSSES, R1, GradientPenalty
from scratchgen.nn import LAYERS, Dense, Flatten, Layer, Network, Normal, Orthogonal, Reshape
from scratchgen.nn.block import BLANK


def as_bytes(model) -> bytes:
    file = io.BytesIO()
    sg.save(model, file)
    return file.getvalue()


def vector_of(model) -> np.ndarray:
    return np.concatenate([model.vector, model.state])


# Drawn models and records.

numbers = st.floats(0, allow_infinity=False)
above = st.floats(1e-300, allow_infinity=False)
variances = st.floats(1e-30, allow_infinity=False)
counts = st.integers(0, 10**40)
likelihoods = st.one_of(
    st.just(Bernoulli()),
    st.just(MeanSquaredError()),
    st.integers(2, 9).map(Categorical),
    *(variances.map(kind) for kind in (FixedGaussian, SharedGaussian, Gaussian)),
)
penalties = st.one_of(st.none(), above.map(R1), st.builds(GradientPenalty, above, numbers))
dtypes = st.sampled_from(["float32", "float64"])


@st.composite
def drawn_models(draw):
    """A VAE with any likelihood, or a GAN around any layer, with settings that may be extreme."""
    layer, shape = draw(own_layers().filter(lambda drawn: not drawn[0].borrows()))
    n, dtype = math.prod(shape), draw(dtypes)
    if draw(st.booleans()):
        likelihood = draw(likelihoods)
        raw = likelihood.raw_shape(shape)
        spread = Normal(draw(st.floats(0, 9)))
        width = math.prod(Network(shape, layer).out_shape(shape))
        return sg.models.VAE(
            Network(shape, layer, Flatten(), Dense(width, 4)),
            Network((2,), Dense(2, math.prod(raw), spread), Reshape(raw)),
            likelihood,
            beta=draw(numbers),
            warm_up=draw(counts),
            free_bits=draw(numbers),
            dtype=dtype,
            rng=0,
        )
    behind = [layer, Flatten()]
    score = Dense(math.prod(Network(shape, *behind).out_shape(shape)), 1)
    discriminator = Network(shape, *behind, score)
    return sg.models.GAN(
        Network((2,), Dense(2, n), Reshape(shape)),
        discriminator,
        draw(st.sampled_from(sorted(LOSSES))),
        discriminator_steps=draw(st.integers(1, 10**40)),
        penalty=None if discriminator.why_no_tangent() else draw(penalties),
        weight_clip=draw(st.none() | above),
        dtype=dtype,
        rng=0,
    )


any_text = st.text(st.characters(exclude_categories=()))  # with escapes, NUL and lone surrogates
plain = st.recursive(
    st.none()
    | st.booleans()
    | any_text
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**300), 10**300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(any_text.filter(lambda name: name not in NAMES_OF_FIT), plain, max_size=4)
NAMES_OF_FIT = {"epochs", "steps", "examples", "batch_size", "seed", "optimizer", "losses"}


@given(drawn_models(), st.lists(records, max_size=2))
def test_a_loaded_model_equals_the_saved_model_and_has_its_records(model, log):
    model.training_log = log
    same = sg.load(as_bytes(model))
    assert same.training_log == log
    assert same.settings() == model.settings()
    assert repr(same) == repr(model)
    assert np.array_equal(vector_of(same), vector_of(model))
    assert as_bytes(same) == as_bytes(model)


any_values = st.one_of(
    plain,
    st.sampled_from([math.nan, math.inf, 10**400, b"bytes", object(), 1j, {1: 2}, {3}, print]),
    st.sampled_from([np.float32(0.5), np.int64(3), np.bool_(True), np.str_("x"), np.zeros(2)]),
)
written_by_fit = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(NAMES_OF_FIT), any_values))


@given(st.lists(written_by_fit | records | any_values, max_size=2) | any_values)
def test_any_training_log_is_refused_before_it_is_written_or_can_be_loaded(log):
    model = sg.models.gan((1,), latent=1, hidden=(1,), rng=0)
    model.training_log = log
    file = io.BytesIO()
    with contextlib.suppress(errors.DataError):
        sg.save(model, file)
    assert not file.getvalue() or sg.load(file.getvalue()).training_log == log


@pytest.mark.parametrize("loss", [2.0**63, -1e30, 1.7e308])
def test_a_loss_of_any_size_can_be_recorded(loss, points):
    model = sg.models.vae((2,), latent=1, hidden=(2,), beta=1e30, rng=0)
    sg.fit(model, points[:20], epochs=1, seed=0)
    model.training_log[0]["losses"]["loss"] = loss
    assert sg.load(as_bytes(model)).training_log == model.training_log


def test_numpy_numbers_in_a_record_are_loaded_as_python_numbers():
    model = sg.models.gan((1,), latent=1, hidden=(1,), rng=0)
    model.training_log = [{"epochs": np.int64(3), "losses": {"a": np.float32(0.5)}, "b": (1, None)}]
    log = sg.load(as_bytes(model)).training_log
    assert log == [{"epochs": 3, "losses": {"a": 0.5}, "b": [1, None]}]
    assert type(log[0]["epochs"]) is int


@pytest.mark.parametrize(
    ("log", "place"),
    [
        ([{"losses": {"loss": math.nan}}], r"training_log\[0\]\['losses'\]\['loss'\] is nan"),
        ([{}, {"x": [0, {1, 2}]}], r"training_log\[1\]\['x'\]\[1\] is of type set"),
        ([{"seed": 0.5}], r"training_log\[0\] holds what fit did not write"),
        ([{"steps": -1}], "wants whole numbers of at least 0"),
        ([3], r"training_log\[0\] is of type int: wants a dict"),
        ((), "is a tuple: wants a list"),
    ],
)
def test_the_error_about_a_bad_value_in_a_record_names_its_place(log, place, tmp_path):
    model = sg.models.gan((1,), latent=1, hidden=(1,), rng=0)
    model.training_log = log
    with pytest.raises(errors.DataError, match=place):
        sg.save(model, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_saving_a_log_that_is_too_long_is_refused_with_advice():
    model = sg.models.gan((1,), latent=1, hidden=(1,), rng=0)
    model.training_log = [{"note": "x" * 10**6} for _ in range(5)]
    with pytest.raises(errors.DataError, match="keep fewer records, or shorter"):
        as_bytes(model)
    model.training_log = [{"note": "x" * 10**6} for _ in range(4)]
    assert len(sg.load(as_bytes(model)).training_log) == 4


# Users' parts that a file cannot hold are refused when the model is saved.


@dataclass(frozen=True, eq=False)
class Own(Layer):
    """y = x, with a field of any kind."""

    value: Any = None

    def forward(self, p, x, tape):
        return x


@dataclass(frozen=True, eq=False)
class Doubles(Layer):
    """Its field differs from its argument: each time it is built, the number is doubled."""

    n: int = 1

    def __post_init__(self):
        object.__setattr__(self, "n", 2 * self.n)

    def forward(self, p, x, tape):
        return x


@dataclass(frozen=True, eq=False)
class Hidden(Layer):
    """It has a field that is no argument of __init__."""

    n: int = field(default=1, init=False)

    def parameters(self):
        return {"w": ((self.n,), lambda rng, shape: np.zeros(shape))}

    def forward(self, p, x, tape):
        return x


@dataclass(frozen=True, eq=False)
class Wrap(Layer):
    """Its field has the name `layer`, which a description uses for classes."""

    layer: Any

    def children(self):
        return (self.layer,)

    def forward(self, p, x, tape):
        return x


@dataclass(frozen=True, eq=False)
class NamedParameter(Layer):
    """Its parameter has the given name."""

    name: str

    def parameters(self):
        return {self.name: ((1,), lambda rng, shape: np.zeros(shape))}

    def forward(self, p, x, tape):
        return x


@pytest.fixture
def own_classes(monkeypatch):
    for kind in (Own, Doubles, Hidden, Wrap, NamedParameter):
        monkeypatch.setitem(LAYERS, kind.__name__, kind)


def around(layer) -> sg.models.GAN:
    return sg.models.GAN(Network((2,), layer), Network((2,), Dense(2, 1)), rng=0)


def hidden_3() -> Hidden:
    layer = Hidden()
    object.__setattr__(layer, "n", 3)
    return layer


def deep(n: int) -> Layer:
    layer: Layer = Dense(2, 2)
    for _ in range(n):
        layer = Network((2,), layer)
    return layer


@pytest.mark.usefixtures("own_classes")
@pytest.mark.parametrize(
    "value", [(1, 2.5, "a"), Dense(2, 2), np.float32(0.5), None, "", [True], (Normal(0.5), "a")]
)
def test_fields_that_a_file_can_hold_are_loaded_again(value):
    same = sg.load(as_bytes(around(Own(value))))
    (layer,) = same.generator.layers
    if isinstance(value, Layer):
        assert str(layer.value) == str(value)
    else:
        assert layer.value == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.usefixtures("own_classes")
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Own(np.zeros(3)), "Own: value is of type ndarray"),
        (lambda: Own({"a": 1}), "Own: value is of type dict"),
        (lambda: Own(math.nan), "not JSON compliant"),
        (lambda: Own(10**5000), "no file can hold this GAN"),
        (lambda: Doubles(3), "would build another"),
        (hidden_3, "would build another"),
        (lambda: Wrap(Dense(2, 2)), "has a field 'layer', a word"),
        (lambda: NamedParameter("a\nb"), "cannot be the name of an array"),
        (lambda: NamedParameter("a" * 2_000), "cannot be the name of an array"),
        (lambda: deep(70), "64 within each other"),
    ],
)
def test_a_layer_that_could_not_be_loaded_is_refused_before_anything_is_written(
    make, text, tmp_path
):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(errors.OptionError, match=text):
        sg.save(around(make()), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"old"


def test_saving_refuses_a_setting_that_was_changed_to_an_impossible_value():
    model = sg.models.vae((2,), latent=1, hidden=(2,), rng=0)
    model.beta = -1.0
    with pytest.raises(errors.OptionError, match=r"beta=-1\.0"):
        as_bytes(model)


def test_networks_of_the_greatest_allowed_depth_are_loaded_again():
    same = sg.load(as_bytes(around(deep(60))))
    assert same.parameter_count() == 4 + 2 + 2 + 1


# Two writers, and names of files.


def test_while_two_threads_write_a_file_every_reader_finds_a_whole_model(tmp_path):
    path = tmp_path / "model.npz"
    models = [sg.models.vae((2,), latent=n, hidden=(3,), rng=0) for n in (1, 2)]
    sg.save(models[0], path)

    def write(model):
        for _ in range(20):
            sg.save(model, path)

    writers = [threading.Thread(target=write, args=(model,)) for model in models]
    for writer in writers:
        writer.start()
    latents = {sg.load(path).latent for _ in range(40)}
    for writer in writers:
        writer.join()
    assert latents <= {1, 2}
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def test_no_extension_is_added_to_a_name(tmp_path):
    sg.save(around(Dense(2, 2)), tmp_path / "model")
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert sg.load(tmp_path / "model").shape == (2,)


# File objects.


class Piecewise(io.RawIOBase):
    """It takes at most a hundred bytes at a time, as a socket may."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:100])
        return min(100, len(data))


class Answers:
    """A file object that takes all bytes and returns a given answer."""

    def __init__(self, answer):
        self.data, self.answer = b"", answer

    def write(self, data):
        self.data += bytes(data)
        return self.answer


class Blocked(Piecewise):
    """A raw file object that would have to wait, and says so by returning None."""

    def write(self, data):
        return None


class Full(Piecewise):
    """It has no room, which a buffer in front of it notices late."""

    def write(self, data):
        raise OSError(28, "No space left on device")


def test_file_objects_that_take_a_part_at_a_time_get_the_whole_file():
    model = around(Dense(2, 2))
    for file in (Piecewise(), Answers(None), Answers(True), Answers("done")):
        sg.save(model, file)
        assert file.data == as_bytes(model)


def test_a_model_is_written_and_read_at_the_position_of_a_file_object():
    file = io.BytesIO()
    file.write(b"before")
    sg.save(around(Dense(2, 2)), file)
    assert file.getvalue() == b"before" + as_bytes(around(Dense(2, 2)))
    file.seek(6)
    assert sg.load(file).shape == (2,)


def test_file_objects_that_cannot_be_written_are_refused(tmp_path):
    model, closed = around(Dense(2, 2)), io.BytesIO()
    closed.close()
    for text in (io.StringIO(), (tmp_path / "x").open("w")):
        with text, pytest.raises(errors.KindError, match="binary mode"):
            sg.save(model, text)
    with (tmp_path / "x").open("rb") as reading:
        for file in (closed, reading, Full(), io.BufferedWriter(Full(), 10**6)):
            with pytest.raises(errors.FileError, match="cannot be written"):
                sg.save(model, file)
    for file in (Blocked(), Answers(0), Answers(7)):
        with pytest.raises(errors.FileError, match=f"took {getattr(file, 'answer', 0)} of "):
            sg.save(model, file)


# The cost of loading and saving.


def large() -> sg.models.GAN:
    """4 MB of weights that would take a second to draw."""
    dense = Dense(1000, 1000, weights="orthogonal")
    model = sg.models.GAN(
        Network((1000,), dense, Dense(1000, 2)), Network((2,), Dense(2, 1)), rng=BLANK
    )
    for _, array in model.block.arrays():
        array[...] = (np.arange(array.size) % 7).reshape(array.shape)
    return model


def peak_of(f) -> int:
    """The largest amount of memory that f holds, in bytes."""
    tracemalloc.start()
    try:
        f()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_loading_runs_no_initialiser_and_takes_little_more_than_the_weights(tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("an initialiser was run")

    model, path = large(), tmp_path / "x"
    monkeypatch.setattr(Orthogonal, "__call__", never)
    sg.save(model, path)
    data = path.read_bytes()
    for source in (path, data, io.BytesIO(data)):
        same: list[Any] = []
        peak = peak_of(lambda source=source, same=same: same.append(sg.load(source)))
        # the vector, a byte for each number to test whether it is finite, and a buffer of 1 MiB
        assert peak < 1.25 * len(data) + 2**20 + 10**6
        assert np.array_equal(vector_of(same[0]), vector_of(model))
    with pytest.raises(AssertionError, match="was run"):  # building runs it
        around(Dense(2, 2, weights="orthogonal"))
    assert np.array_equal(vector_of(copy.deepcopy(same[0])), vector_of(model))


def test_saving_to_a_path_holds_no_copy_of_the_weights(tmp_path):
    model = large()
    # a blank model tests whether the description can be read, in memory that stays untouched
    weights = 4 * model.parameter_count()
    assert peak_of(lambda: sg.save(model, tmp_path / "x")) < 1.1 * weights + 10**6


def test_a_matrix_in_column_order_is_loaded():
    """Other programs may write matrices so."""
    model = around(Network((2,), Dense(2, 3), Dense(3, 2)))
    w = model.views.generator[0][0].w
    other = npy(np.asfortranarray(w))
    assert b"'fortran_order': True" in other
    same = sg.load(changed(as_bytes(model), "generator.0.0.w.npy", lambda old: other))
    assert np.array_equal(vector_of(same), vector_of(model))


# Users' classes.


class Scale(Own):
    """A layer of a module that is no longer imported."""


Scale.__module__ = "layers_of_mine"


@pytest.fixture
def named_scale(monkeypatch):
    """The file of a model with that layer."""
    monkeypatch.setitem(LAYERS, "Scale", Scale)
    data = as_bytes(around(Scale(2)))
    monkeypatch.delitem(LAYERS, "Scale")
    return data


def test_the_error_about_a_missing_layer_names_the_module_to_import(named_scale):
    text = "'Scale': before loading, import layers_of_mine, .*--import layers_of_mine"
    with pytest.raises(errors.FileError, match=text):
        sg.load(named_scale)


def test_the_error_about_an_unregistered_layer_says_to_register_it(named_scale, monkeypatch):
    monkeypatch.setitem(sys.modules, "layers_of_mine", sys)
    text = "Scale' of layers_of_mine: see that it is added to scratchgen.nn.LAYERS"
    with pytest.raises(errors.FileError, match=text):
        sg.load(named_scale)
    monkeypatch.setitem(LAYERS, "Scale", Scale)
    assert sg.load(named_scale).shape == (2,)


def test_a_file_without_the_name_of_the_module_says_to_import_one(named_scale):
    def forget(config):
        del config["modules"]

    with pytest.raises(errors.FileError, match=r"none of scratchgen's: .*--import MODULE"):
        sg.load(with_config(named_scale, forget))
    for module in ("rm -rf /", "x" * 10**5, 3, "a\nb"):
        odd = with_config(named_scale, lambda c, m=module: {**c, "modules": {"layer Scale": m}})
        with pytest.raises(errors.FileError, match="needs the layer 'Scale'") as caught:
            sg.load(odd)
        assert "rm" not in str(caught.value)
        assert len(str(caught.value)) < 700


def test_errors_about_missing_likelihoods_games_penalties_and_models_name_the_module(monkeypatch):
    from scratchgen.distributions import LIKELIHOODS
    from scratchgen.losses import PENALTIES
    from scratchgen.models import MODELS

    class Mine(Bernoulli):
        name = "mine"

    class Steep(R1):
        name = "steep"

    class MyVAE(sg.models.VAE):
        kind = "MyVAE"

    def judged(real, fake):
        return fake - real

    game = replace(LOSSES["wasserstein"], name="my_game", discriminator=judged)
    for part in (Mine, Steep, MyVAE, judged):
        part.__module__ = "parts_of_mine"
    known = ((LIKELIHOODS, "mine", Mine), (LOSSES, "my_game", game), (PENALTIES, "steep", Steep),
             (MODELS, "MyVAE", MyVAE))  # fmt: skip
    for registry, name, part in known:
        monkeypatch.setitem(registry, name, part)
    vae = sg.models.vae((2,), latent=1, hidden=(2,), likelihood=Mine(), rng=0)
    saved = {
        "likelihood 'mine'": as_bytes(vae),
        "loss 'my_game'": as_bytes(sg.models.gan((2,), hidden=(2,), loss=game, rng=0)),
        "penalty 'steep'": as_bytes(sg.models.gan((2,), hidden=(2,), penalty=Steep(), rng=0)),
        "model 'MyVAE'": as_bytes(MyVAE(*vae.networks.values(), "bernoulli", rng=0)),
    }
    for registry, name, _ in known:
        monkeypatch.delitem(registry, name)
    for text, data in saved.items():
        with pytest.raises(errors.FileError, match=f"needs the {text}: .*import parts_of_mine"):
            sg.load(data)


def test_a_game_of_functions_without_a_module_is_saved_and_loaded(monkeypatch):
    """As `exec` defines them in a namespace without a __name__."""
    names: dict = {}
    exec("def judged(real, fake):\n    return fake - real", names)
    assert names["judged"].__module__ is None
    game = replace(LOSSES["wasserstein"], name="my_game", discriminator=names["judged"])
    monkeypatch.setitem(LOSSES, "my_game", game)
    saved = as_bytes(sg.models.gan((2,), hidden=(2,), loss=game, rng=0))
    assert sg.load(saved).loss is game


def test_files_of_library_models_name_no_modules():
    assert "modules" not in config(around(Dense(2, 2)))
    assert json.loads(json.dumps(config(around(Dense(2, 2)))))["format"] == 4

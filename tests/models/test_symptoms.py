"""Symptoms of a network that does not learn, read from a trace; a healthy network has none."""

import numpy as np
import pytest
from small_models import labels_of, small_model

import scratchgen as sg
from scratchgen.models import symptoms
from scratchgen.nn import (
    Dense,
    Layer,
    Network,
    ReLU,
    Sigmoid,
    Tanh,
)


def healthy(activation: Layer = ReLU(), depth: int = 1) -> sg.models.VAE:  # noqa: B008
    hidden = [layer for _ in range(depth) for layer in (Dense(20, 20), activation)]
    encoder = Network((3,), Dense(3, 20), activation, *hidden, Dense(20, 4))
    return sg.models.VAE(encoder, Network((2,), Dense(2, 3)), "gaussian_fixed", rng=0)


@pytest.fixture
def many():
    return np.random.default_rng(0).standard_normal((100, 3)).astype("float32")


@pytest.mark.parametrize("recipe", sg.models.RECIPES)
def test_a_new_model_has_no_symptoms(recipe):
    for seed in range(3):
        model, x = (
            small_model(recipe, (2,), latent=2, hidden=(32, 32), rng=seed),
            sg.data.ring(200, rng=seed),
        )
        assert symptoms(model.trace(x, rng=seed, **labels_of(model, 200))) == []


def test_dead_units_are_counted_and_reported_from_half_of_a_layer_on(many):
    model = healthy()
    bias = model.views.encoder[0].b
    bias[:9] = -1e3
    trace = model.trace(many, rng=0)
    assert trace["encoder.1"].flat() == pytest.approx(9 / 20)
    assert symptoms(trace) == []
    bias[:10] = -1e3
    expected = "encoder.1 ReLU(): 50% of its units are dead, 0 for all 100 examples"
    assert symptoms(model.trace(many, rng=0)) == [expected]
    assert symptoms(model.trace(many[:20], rng=0)) == []  # too few to tell


def test_a_gradient_of_exactly_zero_is_reported_where_it_is_lost(many):
    model = healthy()
    model.views.encoder[2].b[:] = -1e3
    found = symptoms(model.trace(many, rng=0))
    assert found[0].startswith("encoder.3 ReLU(): 100%")
    assert found[1].startswith("encoder.2 Dense(20 -> 20): its gradient is exactly 0")
    assert len(found) == 2


@pytest.mark.parametrize(("activation", "black"), [(Tanh(), -3), (Sigmoid(), -6)])
def test_saturated_layers_are_reported_unless_their_outputs_are_data(many, activation, black):
    model = healthy(activation)
    assert symptoms(model.trace(many, rng=0)) == []
    model.views.encoder[0].w[:] *= 100
    found = symptoms(model.trace(many, rng=0))
    assert any(f"encoder.1 {activation}: " in text and "saturated" in text for text in found)
    generator = Network((2,), Dense(2, 3), activation)
    model = sg.models.GAN(generator, Network((3,), Dense(3, 1)), rng=0)
    model.views.generator[0].b[:] = black
    trace = model.trace(np.zeros((50, 3)), rng=0)
    assert trace["generator.1"].flat() > 0.5
    assert symptoms(trace) == []


def test_vanishing_and_exploding_gradients_are_reported(many):
    for scale, word in ((0.1, "vanish"), (10, "explode")):
        model = healthy(ReLU(), depth=6)
        assert symptoms(model.trace(many, rng=0)) == []
        for i in range(2, 14, 2):
            model.views.encoder[i].w[:] *= scale
        found = symptoms(model.trace(many / scale**6, rng=0))  # so that the heads stay as they are
        assert [text.split(":")[0] for text in found] == [f"gradients {word}"]
        assert "encoder.14 Dense(20 -> 4), and" in found[0]
        assert found[0].endswith("at encoder.0 Dense(3 -> 20)")


def test_nan_and_infinity_are_reported_where_they_begin(many):
    model = healthy()
    model.views.encoder[2].w[0, 0] = np.nan
    with np.errstate(all="ignore"):
        found = symptoms(model.trace(many, rng=0))
    assert found[0] == "encoder.2 Dense(20 -> 20): 5.0% of its activation is NaN or infinite"
    assert any("gradient is NaN" in text for text in found)

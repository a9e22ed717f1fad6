"""The first weights have the published variances and bounds, and bad initialisers are refused."""

import json

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.nn import (
    INITIALISERS,
    Block,
    Constant,
    Dense,
    Layout,
    Network,
    Normal,
    Orthogonal,
    build,
    describe,
)

N_IN, N_OUT = 500, 300
VARIANCES = {
    "zeros": 0,
    "ones": 0,
    "normal": 0.02**2,
    "fan_in_uniform": 1 / (3 * N_IN),
    "glorot_uniform": 2 / (N_IN + N_OUT),
    "glorot_normal": 2 / (N_IN + N_OUT),
    "he_uniform": 2 / N_IN,
    "he_normal": 2 / N_IN,
    "orthogonal": 1 / N_IN,
}


def weights(initialiser, shape=(N_IN, N_OUT)):
    return Block(Layout(it=Dense(*shape, weights=initialiser)), np.float64, rng=0).views.it.w


@pytest.mark.parametrize("name", sorted(INITIALISERS))
def test_weights_have_the_published_variance(name):
    assert weights(name).var() == pytest.approx(VARIANCES[name], rel=0.02)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("fan_in_uniform", 1 / np.sqrt(N_IN)),
        ("glorot_uniform", np.sqrt(6 / (N_IN + N_OUT))),
        ("he_uniform", np.sqrt(6 / N_IN)),
    ],
)
def test_uniform_weights_come_close_to_their_bound_and_do_not_exceed_it(name, bound):
    assert 0.99 * bound < np.abs(weights(name)).max() <= bound


def test_a_bias_by_fan_in_is_bounded_by_the_inputs_of_its_layer():
    b = Block(Layout(it=Dense(N_IN, N_OUT, bias="fan_in_uniform")), rng=0).views.it.b
    assert 0.95 / np.sqrt(N_IN) < np.abs(b).max() <= 1 / np.sqrt(N_IN)


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4)])
def test_orthogonal_weights_keep_lengths(shape):
    w = weights(Orthogonal(gain=2.0), shape)
    smaller_gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(smaller_gram, 4 * np.eye(min(shape)), atol=1e-12)


def test_orthogonal_matrices_favour_no_sign():
    traces = [
        np.trace(Orthogonal()(np.random.default_rng(seed), (3, 3), (3, 3))) for seed in range(2000)
    ]
    assert np.mean(traces) == pytest.approx(0, abs=0.1)  # the trace of a random rotation
    assert np.std(traces) == pytest.approx(1, abs=0.1)


def test_a_description_keeps_the_settings_of_an_initialiser():
    network = Network((2,), Dense(2, 3, weights=Normal(0.5), bias=Constant(0.1)))
    again = build(json.loads(json.dumps(describe(network))))
    assert again.layers[0].weights == Normal(0.5)
    assert again.layers[0].bias == Constant(0.1)


def test_a_users_own_function_initialises_weights_but_cannot_be_saved():
    def twos(rng, shape, fans):
        return np.full(shape, 2.0)

    assert (weights(twos) == 2).all()
    with pytest.raises(errors.OptionError, match="no file can hold it"):
        describe(Dense(2, 2, weights=twos))


def test_bad_initialisers_are_refused():
    with pytest.raises(errors.OptionError, match="did you mean 'he_normal'"):
        Dense(2, 2, weights="he_norm")
    with pytest.raises(errors.KindError, match="wants the name of an initialiser"):
        Dense(2, 2, weights=0.1)
    with pytest.raises(errors.KindError, match="wants the name of an initialiser"):
        Dense(2, 2, bias=int)
    with pytest.raises(errors.ShapeError, match="take another initialiser"):
        Block(Layout(it=Dense(2, 2, bias="orthogonal")), rng=0)
    with pytest.raises(errors.OptionError, match="wants a number"):
        Constant(float("inf"))

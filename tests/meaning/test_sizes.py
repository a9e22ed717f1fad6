"""The memory of a model and of its training: what the parameters need, and the zeros between."""

import math
import tracemalloc

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.nn import BatchNorm, Dense, Network, ReLU
from scratchgen.nn.layout import LINE
from scratchgen.optim import SGD, Adam, Momentum
from scratchgen.train import Trainer
from scratchgen.train.outcome import Outcome

SMALL = 50_000  # bytes, of objects that are not arrays of the model


def vae(dtype):
    encoder = Network((50,), Dense(50, 301), BatchNorm(301), ReLU(), Dense(301, 6))
    return sg.models.VAE(encoder, Network((3,), Dense(3, 301), Dense(301, 50)), "mse", dtype=dtype)


def gan(dtype):
    generator = Network((3,), Dense(3, 301), BatchNorm(301), ReLU(), Dense(301, 50))
    discriminator = Network((50,), Dense(50, 301), ReLU(), Dense(301, 1))
    return sg.models.GAN(generator, discriminator, dtype=dtype)


def parameters(model, names):
    """The number of parameters of these networks, counted layer by layer."""
    return sum(
        math.prod(shape)
        for name in names
        for layer in model.networks[name].layers
        for shape, _ in layer.parameters().values()
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("build", [vae, gan])
def test_a_model_has_its_parameters_and_less_than_a_line_of_zeros_for_each_network(build, dtype):
    model = build(dtype)
    count = parameters(model, model.networks)
    assert model.parameter_count() == count
    zeros = model.vector.size - count
    assert 0 < zeros < LINE * (len(model.networks) - 1)
    assert model.vector.nbytes == (count + zeros) * np.dtype(dtype).itemsize
    assert model.state.nbytes == 2 * 301 * np.dtype(dtype).itemsize  # mean and variance


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("optimizer", "moments"), [(SGD(), 0), (Momentum(), 1), (Adam(), 2)])
@pytest.mark.parametrize("build", [vae, gan])
def test_a_player_has_a_gradient_and_moments_of_what_it_moves_alone(
    build, optimizer, moments, dtype
):
    model = build(dtype)
    trainer = Trainer(model, dict.fromkeys(model.players, optimizer))
    for player, names in model.players.items():
        size = parameters(model, names)
        theta = trainer.memories[player].theta
        most = size + LINE * (len(names) - 1)
        assert theta is model.theta(player)
        assert size <= theta.size <= most
        assert trainer.gradients[player].vector.size == theta.size
        arrays = [x for x in vars(trainer.memories[player]).values() if isinstance(x, np.ndarray)]
        assert [x.size for x in arrays if x is not theta] == [theta.size] * moments


@pytest.mark.parametrize("build", [vae, gan])
def test_training_takes_a_gradient_two_moments_and_a_copy_to_go_back_to(build):
    """Whatever the players, each parameter is moved once: 4 numbers beside the vector's own."""
    tracemalloc.start()
    try:
        model = build("float64")
        of_model = tracemalloc.get_traced_memory()[0]
        trainer = Trainer(model, dict.fromkeys(model.players, Adam()))
        outcome = Outcome(trainer)
        of_training = tracemalloc.get_traced_memory()[0] - of_model
    finally:
        tracemalloc.stop()
    vector, state = model.vector.nbytes, model.state.nbytes
    assert vector + state <= of_model < vector + state + SMALL
    assert 4 * vector + state - 3 * 8 * LINE <= of_training < 4 * vector + state + SMALL
    assert trainer.model_steps == outcome.good_steps == 0


def test_an_average_takes_a_number_for_each_parameter_and_each_number_of_the_state():
    model = vae("float32")
    trainer = Trainer(model, {"vae": Adam()}, sg.optim.MovingAverage(0.9))
    sizes = {
        name: [memory.average.size for memory in memories]
        for name, memories in trainer.averages.items()
    }
    assert sizes == {
        "encoder": [parameters(model, ["encoder"]), 2 * 301],
        "decoder": [parameters(model, ["decoder"]), 0],
    }

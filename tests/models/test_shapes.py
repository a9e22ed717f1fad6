"""The shape of an example says what it is: (H, W) and (H, W, C) are pictures."""

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.distributions import Bernoulli, Gaussian
from scratchgen.ground import errors
from scratchgen.ground.arguments import can_be_drawn, is_picture
from scratchgen.nn import GaussianNoise, Sigmoid


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 1), (8, 6, 2), (8, 6, 3), (8, 6, 4), (3, 8, 6)])
def test_two_and_three_axes_are_a_picture_with_numbers_from_0_to_1(shape):
    assert is_picture(shape)
    assert sg.models.vae(shape, latent=2, hidden=(4,), rng=0).likelihood == Bernoulli()
    gan = sg.models.gan(shape, latent=2, hidden=(4,), rng=0)
    assert isinstance(gan.generator.layers[-1], Sigmoid)
    assert isinstance(gan.discriminator.layers[0], GaussianNoise)
    assert gan.optimizers(10)["generator"].learning_rate.rate == 4e-4
    fakes = gan.sample(50, rng=0)
    assert fakes.shape == (50, *shape)
    assert fakes.min() >= 0
    assert fakes.max() <= 1


@pytest.mark.parametrize("shape", [(8,), (2, 8, 6, 3)])
def test_one_axis_and_more_than_three_are_real_numbers(shape):
    assert not is_picture(shape)
    assert sg.models.vae(shape, latent=2, hidden=(4,), rng=0).likelihood == Gaussian()
    assert sg.models.gan(shape, latent=2, hidden=(4,), rng=0).bounds() is None


def test_grey_pictures_are_modelled_the_same_with_and_without_their_channel_axis(pictures):
    flat = pictures[..., 0]  # (200, 28, 28)
    for recipe in (sg.models.vae, sg.models.gan):
        with_axis, without = (recipe(s, latent=3, rng=0) for s in ((28, 28, 1), (28, 28)))
        histories = [
            sg.fit(model, x, epochs=2, seed=0)
            for model, x in ((with_axis, pictures), (without, flat))
        ]
        assert histories[0] == histories[1]
        fakes = without.sample(20, rng=0)
        assert fakes.shape == (20, 28, 28)
        assert np.array_equal(fakes, with_axis.sample(20, rng=0)[..., 0])


def test_a_table_of_real_numbers_is_refused_with_the_way_to_choose(points):
    table = points[:240].reshape(10, 6, 8)
    vae = sg.models.vae((6, 8), latent=2, hidden=(4,), rng=0)
    with pytest.raises(errors.DataError, match=r"as it is for pictures \('gaussian' takes any"):
        sg.fit(vae, table, epochs=1)
    sg.fit(sg.models.vae((6, 8), latent=2, likelihood="gaussian", rng=0), table, epochs=1)
    gan = sg.models.gan((6, 8), latent=2, hidden=(4,), rng=0)
    with pytest.raises(errors.DataError, match="output 'linear' gives any number"):
        sg.fit(gan, table, epochs=1)
    sg.fit(sg.models.gan((6, 8), latent=2, output="linear", rng=0), table, epochs=1)


def test_loaded_data_are_the_same_to_a_model(tmp_path):
    rng = np.random.default_rng(0)
    for shape in ((9,), (6, 4), (6, 4, 1), (6, 4, 3)):
        np.save(tmp_path / "x.npy", rng.random((5, *shape)))
        x = sg.data.load(tmp_path / "x.npy")
        assert is_picture(x.shape[1:]) == is_picture(shape)
        model = sg.models.vae(x.shape[1:], latent=2, hidden=(4,), rng=0)
        assert isinstance(model.likelihood, Bernoulli if is_picture(shape) else Gaussian)


def test_grey_and_three_colours_can_be_drawn():
    drawn = [(8, 6), (8, 6, 1), (8, 6, 3)]
    others = [(8,), (8, 6, 2), (8, 6, 4), (3, 8, 6), (1, 8, 6, 3)]
    assert [shape for shape in drawn + others if can_be_drawn(shape)] == drawn

"""Recipes have the settings of their papers, take others, and keep them in a file."""

import io

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.distributions import LIKELIHOODS, Categorical
from scratchgen.losses import LOSSES, R1, GradientPenalty
from scratchgen.models import RECIPES


def setting(model, name):
    value = getattr(model, name)
    return getattr(value, "name", value)


def test_each_recipe_differs_from_the_plain_recipe_as_published():
    """Every setting of a recipe's model, compared with that of `vae` or `gan`."""
    published = {
        "vae": {},
        "beta_vae": {"beta": 4.0},
        "gan": {},
        "lsgan": {"loss": "least_squares"},
        "wgan": {"loss": "wasserstein", "weight_clip": 0.01, "discriminator_steps": 5},
        "wgan_gp": {
            "loss": "wasserstein",
            "penalty": "gradient_penalty",
            "discriminator_steps": 5,
        },
    }
    for name, difference in published.items():
        model = RECIPES[name]((2,), latent=2, hidden=(4,), rng=0)
        plain = (sg.models.vae if model.kind == "VAE" else sg.models.gan)(
            (2,), latent=2, hidden=(4,), rng=0
        )
        found = {key: setting(model, key) for key in model.settings()}
        assert found == {key: setting(plain, key) for key in plain.settings()} | difference, name
        assert [repr(network) for network in model.networks.values()] == [
            repr(network) for network in plain.networks.values()
        ]


def test_the_plain_recipes_have_the_plain_settings():
    vae, gan = sg.models.vae((2,), rng=0), sg.models.gan((2,), rng=0)
    assert (vae.beta, vae.warm_up, vae.free_bits, vae.n_labels) == (1, 0, 0, 0)
    assert (gan.loss.name, gan.penalty, gan.weight_clip) == ("non_saturating", None, None)
    assert (gan.discriminator_steps, gan.n_labels) == (1, 0)


def test_wgan_gp_has_the_published_weight_and_target():
    assert sg.models.wgan_gp((2,), rng=0).penalty == GradientPenalty(weight=10.0, target=1.0)


def test_a_recipe_takes_other_values_than_its_defaults():
    assert sg.models.beta_vae((2,), beta=0.5, rng=0).beta == 0.5
    clipped = sg.models.wgan((2,), weight_clip=0.1, discriminator_steps=2, rng=0)
    assert (clipped.weight_clip, clipped.discriminator_steps) == (0.1, 2)
    assert sg.models.wgan_gp((2,), penalty=R1(2.0), rng=0).penalty == R1(2.0)


@pytest.mark.parametrize("name", ["lsgan", "wgan", "wgan_gp"])
def test_a_recipe_named_after_its_game_takes_no_other_game(name):
    with pytest.raises(TypeError, match="loss"):
        RECIPES[name]((2,), loss="hinge")


VARIANTS = {
    "beta_vae": lambda **more: sg.models.beta_vae((2,), beta=3.0, **more),
    "vae with warm-up": lambda **more: sg.models.vae((2,), warm_up=7, free_bits=0.25, **more),
    "categorical": lambda **more: sg.models.vae((2,), likelihood=Categorical(3), **more),
    "lsgan": lambda **more: sg.models.lsgan((2,), **more),
    "hinge": lambda **more: sg.models.gan((2,), loss="hinge", instance_noise=0.1, **more),
    "wgan": lambda **more: sg.models.wgan((2,), weight_clip=0.02, **more),
    "wgan_gp": lambda **more: sg.models.wgan_gp((2,), penalty=GradientPenalty(5.0, 0.5), **more),
    "r1": lambda **more: sg.models.gan((2,), penalty=R1(3.0), discriminator_steps=2, **more),
} | {
    name: lambda name=name, **more: sg.models.vae((2,), likelihood=name, **more)
    for name in LIKELIHOODS
    if name != "categorical"
}


@pytest.mark.parametrize("n_labels", [0, 3])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_loaded_model_has_every_setting_and_trains_on_alike(name, n_labels):
    model = VARIANTS[name](latent=2, hidden=(4,), n_labels=n_labels, rng=0)
    file = io.BytesIO()
    sg.save(model, file)
    same = sg.load(file.getvalue())
    assert same.settings() == model.settings()
    for key in model.settings():
        assert setting(same, key) == setting(model, key)
    for part in ("penalty", "likelihood"):
        assert getattr(same, part, None) == getattr(model, part, None)
    assert same.n_labels == model.n_labels == n_labels
    x = np.random.default_rng(0).integers(2, size=(12, 2)).astype(np.float32)
    labels = {"labels": np.arange(12) % 3} if n_labels else {}
    for each in (model, same):
        sg.fit(each, x, epochs=2, batch_size=4, seed=0, **labels)
    assert np.array_equal(model.sample(12, rng=1, **labels), same.sample(12, rng=1, **labels))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_game_is_accepted_by_name_and_as_an_object(loss):
    for game in (loss, LOSSES[loss]):
        assert sg.models.gan((2,), loss=game, rng=0).loss is LOSSES[loss]

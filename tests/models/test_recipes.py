"""Recipes: which settings they refuse, and what the command line reads from them."""

import re

import pytest
from small_models import small_model

from scratchgen.ground.errors import KindError, OptionError
from scratchgen.models import GAN, RECIPES, Recipe, vae
from scratchgen.models.stacks import chosen_activation, named_activations
from scratchgen.nn import ACTIVATIONS, LAYERS, Activation, LeakyReLU, ReLU, SiLU, Tanh


def for_classes(shape, *, n_labels, latent=2):
    return None


def for_any(shape, *, n_labels=0, latent=2):
    return None


def without(shape, *, latent=2):
    return None


def narrow(shape, *, latent=1, **settings):
    return None


@pytest.mark.parametrize(
    ("build", "needs"), [(for_classes, True), (for_any, False), (without, False)]
)
def test_a_recipe_needs_labels_where_their_number_has_no_default(build, needs):
    recipe = Recipe(build, GAN, "")
    assert recipe.needs_labels is needs
    assert Recipe(narrow, GAN, "", like=recipe).needs_labels is needs


@pytest.mark.parametrize("name", ["vae", "beta_vae", "gan", "lsgan", "wgan", "wgan_gp"])
def test_recipes_whose_labels_are_optional_need_none(name):
    assert not RECIPES[name].needs_labels


@pytest.mark.parametrize("latent", [0, 2.5, "x"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_bad_size_of_the_latent_is_refused_by_its_name(name, latent):
    """Not by the name of a layer whose width follows from it."""
    with pytest.raises(OptionError, match=f"^latent={re.escape(repr(latent))}: wants"):
        small_model(name, (2,), latent=latent, hidden=(4,))


def activations_of(model):
    """The activations of each network, by its name."""
    return {
        name: [layer for layer in network.layers if isinstance(layer, Activation)]
        for name, network in model.networks.items()
    }


@pytest.mark.parametrize("choice", ["silu", "SiLU", "SILU", "si-lu", SiLU, SiLU()])
@pytest.mark.parametrize("name", RECIPES)
def test_the_activation_follows_each_hidden_layer_of_each_network(name, choice):
    model = small_model(name, (2,), latent=2, hidden=(4, 3), activation=choice)
    for found in activations_of(model).values():
        assert [type(layer) for layer in found[:2]] == [SiLU, SiLU]
        assert found[0] is not found[1]


@pytest.mark.parametrize("name", RECIPES)
def test_without_an_activation_only_discriminators_have_leaky_rectifiers(name):
    model = small_model(name, (2,), latent=2, hidden=(4, 3))
    for network, found in activations_of(model).items():
        kind = LeakyReLU if network == "discriminator" else ReLU
        assert [type(layer) for layer in found[:2]] == [kind, kind]


def test_an_activation_object_keeps_its_settings():
    model = small_model("gan", (2,), latent=2, hidden=(4,), activation=LeakyReLU(0.05))
    assert all(str(found[0]) == str(LeakyReLU(0.05)) for found in activations_of(model).values())


def test_each_activation_has_a_name_in_small_letters():
    names = named_activations()
    assert {"relu", "leaky_relu", "silu", "softplus"} <= set(names)
    assert set(names.values()) == set(ACTIVATIONS.values())
    for name, kind in names.items():
        assert name == name.lower()
        assert type(chosen_activation(name, ReLU)) is kind


def test_a_users_activation_has_a_name_when_files_can_hold_it(monkeypatch):
    class SquaredReLU(ReLU):
        pass

    with pytest.raises(OptionError, match="unknown activation"):
        chosen_activation("squared_relu", ReLU)
    monkeypatch.setitem(LAYERS, "SquaredReLU", SquaredReLU)
    for name in ("squared_relu", "SquaredReLU", "squaredrelu", "Squared-ReLU"):
        assert type(chosen_activation(name, ReLU)) is SquaredReLU


def test_the_exact_name_of_a_class_comes_before_names_that_differ_in_case(monkeypatch):
    class RELU(ReLU):
        pass

    monkeypatch.setitem(LAYERS, "RELU", RELU)
    assert type(chosen_activation("RELU", Tanh)) is RELU
    assert type(chosen_activation("ReLU", Tanh)) is ReLU
    assert type(chosen_activation("relu", Tanh)) is ReLU


def test_what_is_no_activation_has_no_name_among_them(monkeypatch):
    monkeypatch.setitem(LAYERS, "Three", 3)
    for name in ("dropout", "Dropout", "three", "Three", "Activation", ""):
        with pytest.raises(OptionError, match="unknown activation"):
            chosen_activation(name, ReLU)


def test_an_unknown_activation_is_refused_with_the_nearest_name():
    with pytest.raises(OptionError, match=r"unknown activation 'sillu'.*'silu'.*did you mean"):
        vae((2,), activation="sillu")
    with pytest.raises(KindError, match="activation=3: wants a name, relu or"):
        vae((2,), activation=3)

"""What recipes refuse, and what the command line knows of them."""

import re

import pytest
from small_models import small_model

from scratchgen.ground.errors import OptionError
from scratchgen.models import GAN, RECIPES, Recipe


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
def test_models_that_may_be_told_labels_do_not_need_them(name):
    assert not RECIPES[name].needs_labels


@pytest.mark.parametrize("latent", [0, 2.5, "x"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_latent_that_is_no_size_is_refused_by_its_own_name(name, latent):
    """And not by that of a layer whose width follows from it."""
    with pytest.raises(OptionError, match=f"^latent={re.escape(repr(latent))}: wants"):
        small_model(name, (2,), latent=latent, hidden=(4,))

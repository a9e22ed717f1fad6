"""Small models of every recipe, for the tests that run over all recipes."""

from typing import Any

import numpy as np

from scratchgen.models import RECIPES, Model


def needed(recipe: str) -> dict[str, int]:
    """The settings without a default that the recipe needs, besides its sizes."""
    return {"n_labels": 3} if RECIPES[recipe].needs_labels else {}


def small_model(recipe: str, shape: tuple[int, ...], **settings: Any) -> Model:
    """A model of that recipe; it has three classes if the recipe needs classes."""
    return RECIPES[recipe](shape, **{**needed(recipe), **settings})


def labels_of(model: Model, n: int) -> dict[str, Any]:
    """n labels in turn, as keyword, for a model that wants them; nothing for others."""
    return {"labels": np.arange(n) % model.n_labels} if model.n_labels else {}

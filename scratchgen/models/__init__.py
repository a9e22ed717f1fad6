"""Models: what all share, the families, and recipes that build them.

A family is a line here, and a file with its mathematics and its recipes. The recipes of the GANs
have a file of their own.
"""

from .variational import *  # noqa: F403, I001 # the families, in the order of MODELS
from .importance_weighted import *  # noqa: F403
from .adversarial import *  # noqa: F403
from .adversarial_recipes import *  # noqa: F403
from .adversarial_autoencoder import *  # noqa: F403
from .auxiliary_classifier import *  # noqa: F403

from .autoencoder import Autoencoder as Autoencoder
from .autoencoder import GaussianAutoencoder as GaussianAutoencoder
from .diagnosis import active_latents as active_latents
from .diagnosis import collapse as collapse
from .diagnosis import symptoms as symptoms
from .model import Model as Model
from .families import family as family
from .turn import Turn as Turn
from .recipes import Recipe as Recipe
from .trace import Trace as Trace

MODELS: dict[str, type[Model]] = {
    value.kind: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Model) and "kind" in vars(value)
}
RECIPES: dict[str, Recipe] = {
    name: recipe
    for kind in MODELS.values()
    for name, recipe in kind.recipes.items()
    if recipe.family is kind
}

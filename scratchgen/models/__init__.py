"""Models: what all share, the families, and names for the ways to build them.

A family is one line here, and one file, which has its mathematics, its recipes and what `train`
does with them.
"""

from .variational import *  # noqa: F403, I001 # the families, in the order in which they are listed
from .importance_weighted import *  # noqa: F403
from .adversarial import *  # noqa: F403
from .adversarial_autoencoder import *  # noqa: F403
from .auxiliary_classifier import *  # noqa: F403

from .autoencoder import Autoencoder as Autoencoder
from .autoencoder import GaussianAutoencoder as GaussianAutoencoder
from .diagnosis import active_latents as active_latents
from .diagnosis import collapse as collapse
from .diagnosis import symptoms as symptoms
from .model import Model as Model
from .model import family as family
from .turn import Turn as Turn
from .recipes import Recipe as Recipe
from .trace import Trace as Trace

MODELS: dict[str, type[Model]] = {
    one.kind: one
    for one in list(vars().values())
    if isinstance(one, type) and issubclass(one, Model) and "kind" in vars(one)
}
RECIPES: dict[str, Recipe] = {
    name: recipe
    for kind in MODELS.values()
    for name, recipe in kind.recipes.items()
    if recipe.family is kind
}

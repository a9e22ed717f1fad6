"""A recipe is a named way to build a model of a family, from sizes: `vae`, `wgan_gp`.

    @VAE.named("a variational autoencoder", pictures={"epochs": 40}, vectors={"epochs": 20})
    def vae(shape, *, latent=20, ...): ...

What `scratchgen train` does where it is not told stands with the recipe: for pictures, and for
vectors. Both were found by looking at what came out. A recipe whose n_labels has no default builds
models that learn from labelled data alone: `train` gives it the classes of the data, and refuses
data without labels.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """A function that builds a model, and what the command line is to know of it.

    Attributes:
        build: (shape, **settings) -> the model.
        family: the model's class.
        text: what it is, in a line.
        pictures, vectors: what `train` takes for data of that kind, by the names of settings.
        fixed: settings of the family that the recipe chooses itself.
        like: the recipe whose settings it takes too, or None.
    """

    build: Callable[..., Any]
    family: type
    text: str
    pictures: Mapping[str, Any] = field(default_factory=dict)
    vectors: Mapping[str, Any] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    like: "Recipe | None" = None

    @property
    def needs_labels(self) -> bool:
        """Whether it builds nothing without the number of classes."""
        return self.takes.get("n_labels", 0) is None

    @property
    def by_data(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What `train` takes for pictures, and for vectors."""
        return self.pictures, self.vectors

    @property
    def takes(self) -> dict[str, Any]:
        """The settings that it takes by name, with their defaults; None where one has to be given.

        Those of the recipe that it is `like` come first, without what it chooses itself.
        """
        names = inspect.signature(self.build).parameters.values()
        own = {
            one.name: None if one.default is one.empty else one.default
            for one in names
            if one.kind is one.KEYWORD_ONLY
        }
        more = self.like.takes if self.like else {}
        kept = {name: one for name, one in more.items() if name in own or name not in self.fixed}
        return kept | own

    def __call__(self, shape: Any, **settings: Any) -> Any:
        """The model of these settings."""
        return self.build(shape, **settings)

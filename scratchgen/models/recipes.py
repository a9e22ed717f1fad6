"""A recipe is a function that builds a model of a family from sizes, such as `vae` or `wgan_gp`.

    @VAE.named("a variational autoencoder", pictures={"epochs": 40}, vectors={"epochs": 20})
    def vae(shape, *, latent=20, ...): ...

A recipe also has the default settings of `scratchgen train`, for pictures and for vectors; they
were chosen by looking at the samples. If its n_labels has no default, its models learn only from
labelled data: `train` passes the number of classes in the data, and refuses data without labels.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """A function that builds a model, and what the command line needs to know about it.

    Attributes:
        build: (shape, **settings) -> the model.
        family: the model's class.
        text: what it is, in a line.
        pictures, vectors: the default settings of `train` for such data, by name.
        fixed: settings of the family that the recipe itself chooses.
        like: the recipe to which it passes on all other settings, or None.
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
        """Whether the caller has to state the number of classes."""
        return self.takes.get("n_labels", 0) is None

    @property
    def by_data(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The default settings of `train`, for pictures and for vectors."""
        return self.pictures, self.vectors

    @property
    def takes(self) -> dict[str, Any]:
        """Its settings by name, with their defaults; None also for a setting that must be given.

        The settings of the recipe that it is `like` come first, without those that are `fixed`.
        """
        arguments = inspect.signature(self.build).parameters.values()
        own = {
            argument.name: None if argument.default is argument.empty else argument.default
            for argument in arguments
            if argument.kind is argument.KEYWORD_ONLY
        }
        base = self.like.takes if self.like else {}
        inherited = {
            name: default for name, default in base.items() if name in own or name not in self.fixed
        }
        return inherited | own

    def __call__(self, shape: Any, **settings: Any) -> Any:
        """The model for examples of `shape`, with these settings."""
        return self.build(shape, **settings)

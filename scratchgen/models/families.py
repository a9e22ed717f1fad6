"""A family of models is a class whose fields are its networks and its settings.

    @family
    class VAE(GaussianAutoencoder):
        beta: float = setting(default=1.0, check=finite, text="weight of the KL term")

A field of type Network is a network. All others, except for dtype, rng and scaler, are settings.
The constructor, a model's description in a file and its line of text follow from the fields.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform, get_origin

from ..data.scaling import Scaler
from ..ground.arguments import Shape
from ..ground.errors import OptionError, cut
from ..ground.keywords import ExplainsKeywords
from ..ground.parts import build, choose, describe, setting, settings_of
from ..nn import Network
from ..nn.block import BLANK
from .recipes import Recipe

M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])
NETWORK_NAMES: dict[Any, tuple[str, ...]] = {}  # by family
COMMON = ("dtype", "rng", "scaler")  # fields of every model, which are not settings of its family
RESERVED = ("shape", "latent", "block", "training_log", "history")  # attributes of every model


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, setting))
def family(kind: type[M]) -> type[M]:
    """Declares a class of models; its fields, in order, are the arguments of its constructor.

    Raises OptionError for a field whose name means something else in every model.
    """
    _expect_free_names(kind)
    return dataclasses.dataclass(eq=False, repr=False)(kind)


class Declared(ExplainsKeywords):
    """The part of every model that follows from the fields of its class."""

    kind: ClassVar[str]
    recipes: ClassVar[Mapping[str, Recipe]] = {}  # by name, the ways to build a model from sizes

    shape: Shape
    latent: int
    scaler: Any

    @property
    def networks(self) -> Mapping[str, Network]:
        """The networks by name, read-only; `model.encoder = ...` replaces one."""
        return MappingProxyType({name: getattr(self, name) for name in network_names(type(self))})

    def parts(self) -> tuple[Any, ...]:
        """The settings that objectives call, such as a likelihood, a game or a penalty."""
        fields = (field for field in family_settings(type(self)) if field.metadata.get("registry"))
        values = [getattr(self, field.name) for field in fields]
        return tuple(value for value in values if value is not None)

    def settings(self) -> dict[str, Any]:
        """The settings as plain values; with the networks and their arrays, they are the model."""
        plain: dict[str, Any] = {}
        for field in family_settings(type(self)):
            value, registry = getattr(self, field.name), field.metadata.get("registry")
            plain[field.name] = value if registry is None else describe(value, registry)
        return {**plain, "scaler": None if self.scaler is None else self.scaler.settings()}

    @classmethod
    def from_settings(
        cls, networks: dict[str, Network], settings: dict[str, Any], dtype: Any
    ) -> Self:
        """The model that has these `settings()`, with arrays of 0 for the caller to fill.

        Raises OptionError for settings of another family.
        """
        fields = family_settings(cls)
        names = [*(field.name for field in fields), "scaler"]
        if set(settings) != set(names):
            raise OptionError(
                f"the settings {cut(', '.join(map(str, settings)))} do not fit: {cls.kind} has "
                f"{', '.join(names)}"
            )
        values = dict(settings)
        scaler = values.pop("scaler")
        for field in fields:
            registry = field.metadata.get("registry")
            if registry is not None:
                values[field.name] = build(values[field.name], registry)
        return cls(
            **networks,
            **values,
            dtype=dtype,
            rng=BLANK,
            scaler=None if scaler is None else Scaler(**scaler),
        )

    @classmethod
    def named(
        cls,
        text: str,
        like: str = "",
        fixed: tuple[str, ...] = (),
        pictures: Mapping[str, Any] | None = None,
        vectors: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]:
        """Declares a function as a recipe of this family; see recipes.py.

        `like` names another recipe. Its settings are taken too, and its defaults, except for those
        given here.
        """

        def declare(build: F) -> F:
            base = cls.recipes[like] if like else Recipe(build, cls, text)
            recipe = Recipe(
                build,
                cls,
                text,
                {**base.pictures, **(pictures or {})},
                {**base.vectors, **(vectors or {})},
                fixed,
                base if like else None,
            )
            cls.recipes = {**cls.recipes, build.__name__: recipe}
            return build

        return declare

    def __str__(self) -> str:
        """The model in a line: its latents, and the settings that differ from their defaults."""
        words = [f"latent {self.latent}"]
        for field in family_settings(type(self)):
            value, registry = getattr(self, field.name), field.metadata.get("registry")
            default = choose(field.default, registry, object) if registry else field.default
            if value is not None and value != default:
                text = f"{value:g}" if isinstance(value, float) else f"{value}"
                words.append(f"{field.name.replace('_', ' ')} {text}")
        words += [str(self.scaler)] if self.scaler else []
        return f"{self.kind} of {self.shape}: {', '.join(words)}"


def network_names(kind: type[Any]) -> tuple[str, ...]:
    """The names of a family's networks; every evaluation of an objective asks for them."""
    if kind not in NETWORK_NAMES:
        fields = (field for field in settings_of(kind) if _is_network(field.type))
        NETWORK_NAMES[kind] = tuple(field.name for field in fields)
    return NETWORK_NAMES[kind]


def family_settings(kind: type[Any]) -> list[dataclasses.Field[Any]]:
    """The fields of a family that are its settings."""
    others = (*network_names(kind), *COMMON)
    return [field for field in settings_of(kind) if field.name not in others]


def expect_families(kind: type) -> None:
    """OptionError for a class that changes or adds fields but is not declared with @family."""
    for base in kind.__mro__:
        if "__dataclass_fields__" in vars(base) or not dataclasses.is_dataclass(base):
            continue
        fields = {field.name for field in dataclasses.fields(base)}
        for name, annotation in inspect.get_annotations(base).items():
            is_added = isinstance(vars(base).get(name), dataclasses.Field)
            if (is_added or name in fields) and not _is_class_variable(annotation):
                raise OptionError(
                    f"{base.__name__} declares the field {name!r} and is no family: put @family "
                    f"above it"
                )


def _expect_free_names(kind: type) -> None:
    """OptionError for a new field whose name a class above uses for something else."""
    above = [base for base in kind.__mro__[1:] if dataclasses.is_dataclass(base)]
    fields = {name for base in above for name in inspect.signature(base).parameters}
    for name, annotation in inspect.get_annotations(kind).items():
        if name in fields or _is_class_variable(annotation):
            continue
        if name in RESERVED or any(
            hasattr(base, name) or name in inspect.get_annotations(base) for base in above
        ):
            raise OptionError(
                f"{kind.__name__} declares a field {name!r}, which is something else in every "
                f"model: take another name, or write {name}: ClassVar for what the class has"
            )


def _is_network(annotation: Any) -> bool:
    """Whether it is Network; with `from __future__ import annotations` types are text."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == Network.__name__
    return annotation is Network


def _is_class_variable(annotation: Any) -> bool:
    """Whether it is a ClassVar; with `from __future__ import annotations` types are text."""
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "ClassVar"
    return annotation is ClassVar or get_origin(annotation) is ClassVar

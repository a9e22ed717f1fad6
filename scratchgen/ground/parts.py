"""A part, such as a likelihood or a penalty: a frozen dataclass whose fields are its settings.

    @dataclass(frozen=True)
    class R1(Part):
        name: ClassVar[str] = "r1"
        weight: float = setting(10.0, finite, "weight of the penalty", above=True)

Everything else follows from the fields. They are checked when a part is built. `describe` turns the
part into plain values for a file, and `build` turns those into a part again. `with_values` shows it
in one line, and each setting that has a text is an option of the command line.

Each kind of part has a registry, a dict of its classes by name, which follows from the lines of a
room's __init__.py, and to which users can add their own. Any frozen dataclass will do, whether or
not it derives from Part.
"""

import copy
import dataclasses
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from .arguments import as_object, one_of
from .errors import KindError, OptionError, cut
from .keywords import ExplainsKeywords

MISSING: Any = dataclasses.MISSING
LARGEST = sys.float_info.max


class Registry(dict[str, Any]):
    """The parts of one kind by name: classes, or the parts themselves where there are no settings.

    `what` is the word for that kind, such as "penalty"; `place` names the registry in errors.
    """

    def __init__(self, what: str, place: str, kinds: Mapping[str, Any] | None = None) -> None:
        super().__init__(kinds or {})
        self.what, self.place = what, place

    def examples(self) -> dict[str, Any]:
        """The parts to check, each under its name and, after a class's first, its settings."""
        found: dict[str, Any] = {}
        for name, kind in self.items():
            first, *others = _examples(kind)
            found[name] = first
            found.update((f"{name}, {_differences(other, first)}", other) for other in others)
        return found


def parts_in(room: Mapping[str, Any], kind: type, *bases: type) -> dict[str, Any]:
    """The parts of a kind among the names of a room, in their order, by what files call them.

    That is their `name`, or the name of a class without one, such as a layer. The kind itself and
    other base classes are no parts.
    """
    return {
        getattr(part, "name", None) or part.__name__: part
        for part in room.values()
        if (issubclass(part, kind) if isinstance(part, type) else isinstance(part, kind))
        and part not in (kind, *bases)
    }


def _examples(kind: Any) -> tuple[Any, ...]:
    if not isinstance(kind, type):
        return (kind,)
    examples: tuple[Any, ...] = kind.examples() if issubclass(kind, Part) else (kind(),)
    return examples


def _differences(part: Any, first: Any) -> str:
    """The settings in which a part differs from another of its class: `centred=True`."""
    names = [field.name for field in settings_of(part)]
    differ = [name for name in names if getattr(part, name) != getattr(first, name)]
    return ", ".join(f"{name}={getattr(part, name)}" for name in differ)


def setting(
    default: Any = MISSING,
    check: Callable[..., Any] | None = None,
    text: str = "",
    option: str = "",
    registry: Registry | None = None,
    optional: bool = False,
    **bounds: Any,
) -> Any:
    """A field with a check: `check(value, what, **bounds)` returns the value to keep, or raises.

    `text` is the help of the command line's option, which is called --`option`, by default like the
    field. With a default of None, None is not checked. If a setting of a model is itself a part,
    `registry` lists the classes that it can have; if it is `optional`, None leaves the part out,
    which the command line calls `none`.
    """
    notes: dict[str, Any] = {"check": check, "bounds": bounds, "text": text, "option": option}
    notes |= {"registry": registry, "optional": optional}
    return dataclasses.field(default=default, metadata=notes)


def option_of(field: dataclasses.Field[Any]) -> str:
    """The name of a setting on the command line, without the leading dashes."""
    return field.metadata.get("option") or field.name.replace("_", "-")


class Part(ExplainsKeywords):
    """The base class of parts, which checks the settings. Derive frozen dataclasses from it."""

    # a method -> the methods that it combines: a class with its own version of one of these has the
    # method of the base class, and inherits none that has other formulas
    combined: ClassVar[Mapping[str, Collection[str]]] = {}

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        for name, methods in cls.combined.items():
            if name not in vars(cls) and not vars(cls).keys().isdisjoint(methods):
                first = next(base for base in reversed(cls.__mro__) if name in vars(base))
                setattr(cls, name, vars(first)[name])

    def __post_init__(self) -> None:
        check_settings(self, f"{type(self).__name__}: ")

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Parts of this class to check; the default is for a class that needs no settings."""
        return (cls(),)

    @classmethod
    def of_settings(cls, settings: dict[str, Any]) -> Self:
        """The part with these settings; override it if the class takes other arguments."""
        return cls(**settings)


def check_settings(part: Any, owner: str = "") -> None:
    """Check all settings of a part, and store each as its check returns it."""
    for field in settings_of(part):
        value, check = getattr(part, field.name), field.metadata.get("check")
        if check is not None and not (value is None and field.default is None):
            value = check(value, owner + field.name, **field.metadata["bounds"])
            object.__setattr__(part, field.name, value)
        registry = field.metadata.get("registry")
        if value is None and registry is not None and field.default is not None:
            raise KindError(
                f"{owner}{field.name}=None: wants a name, {' or '.join(registry)}, or an object"
            )


def settings_of(part: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a part or of its class that are arguments, in order.

    A field that a subclass redeclares with another default keeps its check and its text.
    """
    if not dataclasses.is_dataclass(part):
        return []
    kind = part if isinstance(part, type) else type(part)
    return [_with_notes(field, kind) for field in dataclasses.fields(part) if field.init]


def _with_notes(field: dataclasses.Field[Any], kind: type) -> dataclasses.Field[Any]:
    """The field, with the metadata of `setting` from this class or its nearest base."""
    declared = (vars(base).get("__dataclass_fields__", {}).get(field.name) for base in kind.__mro__)
    source = next((base for base in declared if base is not None and base.metadata), field)
    if source is not field:
        field = copy.copy(field)
        field.metadata = source.metadata
    return field


def choose(choice: Any, registry: Registry, kind: type, what: str = "") -> Any:
    """The part that `choice` means: a part itself, or a class or a name with default settings.

    None stays None. Raises OptionError for an unknown name, KindError for an object of another
    kind, under its name too, and for a class that needs settings.
    """
    what = what or registry.what
    if choice is None:
        return None
    entry = registry[one_of(choice, registry, what)] if isinstance(choice, str) else choice
    part = as_object(entry, kind, what)
    if isinstance(part, kind):
        return part
    if isinstance(choice, str):
        raise KindError(
            f"{registry.place}[{choice!r}] is {cut(repr(entry))}: wants a {registry.what}, "
            f"{kind.__name__} or a class of it"
        )
    raise KindError(f"{what}={choice!r}: wants a name, {' or '.join(registry)}, or an object")


def letters(name: str) -> str:
    """`leakyrelu`, for `LeakyReLU` and for `leaky_relu`."""
    return re.sub("[-_ ]", "", name).lower()


def matching_name(word: str, names: Iterable[str]) -> str:
    """The first name that differs from `word` only in case and in what joins words, or `word`.

    >>> matching_name("LeakyReLU", ["relu", "leaky_relu"])
    'leaky_relu'
    """
    return next((name for name in names if letters(name) == letters(word)), word)


def describe(
    part: Any, registry: Registry, unknown: Callable[[Any], Any] | None = None
) -> dict[str, Any] | None:
    """`{"name": "r1", "weight": 10.0}`: a part as plain numbers, text, lists and dicts.

    None is described by None. `unknown(value)` describes a part whose class is not in the registry,
    and a setting that no file can hold. Without `unknown` both raise OptionError.
    """
    if part is None:
        return None
    entries = registry.items()
    name = next((name for name, entry in entries if entry is type(part) or entry == part), None)
    if name is None:
        if unknown is not None:
            return unknown(part)
        are_classes = any(isinstance(entry, type) for entry in registry.values())
        shown, what = (str(part), "the class") if are_classes else (repr(str(part)), "it")
        raise OptionError(
            f"the {registry.what} {cut(shown)} is not one of scratchgen's, so no file can hold it: "
            f"add {what} to {registry.place}, here and where the file is loaded"
        )
    if not isinstance(registry[name], type):
        return {"name": name}
    foreign = [*getattr(part, "__dict__", ()), *getattr(type(part), "__slots__", ())]
    if foreign and not dataclasses.is_dataclass(part):
        if unknown is not None:
            return unknown(part)
        raise OptionError(
            f"{type(part).__name__} has settings, {cut(', '.join(foreign))}, that are not fields, "
            f"so no file can hold them: make it a frozen dataclass"
        )
    values = {
        field.name: _plain(getattr(part, field.name), registry, unknown, part)
        for field in settings_of(part)
    }
    return {"name": name, **values}


def build(description: Any, registry: Registry) -> Any:
    """The part of a description. Raises OptionError where it describes none."""
    if description is None:
        return None
    if not isinstance(description, dict):
        raise OptionError(
            f"the {registry.what} is described by {cut(repr(description))}: wants a dict, such as "
            f"{{'name': {next(iter(registry))!r}}}, and its settings"
        )
    settings = {
        name: _built(value, registry) for name, value in description.items() if name != "name"
    }
    kind = registry[one_of(description.get("name"), registry, registry.what)]
    wanted = [field.name for field in settings_of(kind)] if isinstance(kind, type) else []
    if set(settings) != set(wanted):
        name, came = description["name"], cut(", ".join(map(str, settings)))
        raise OptionError(
            f"the {registry.what} {name!r} is described by {came or 'its name alone'}: wants "
            f"{', '.join(wanted) or 'its name alone'}"
        )
    return with_settings(kind, settings) if isinstance(kind, type) else kind


def with_settings(kind: type, settings: dict[str, Any]) -> Any:
    """The part of that class with these settings."""
    return kind.of_settings(settings) if issubclass(kind, Part) else kind(**settings)


def _plain(value: Any, registry: Registry, unknown: Callable[[Any], Any] | None, part: Any) -> Any:
    """A setting's value for a file: numbers and text unchanged, parts described, lists by item."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and abs(value) <= LARGEST:
        return value
    if isinstance(value, tuple | list):
        return [_plain(item, registry, unknown, part) for item in value]
    if dataclasses.is_dataclass(value) or type(value) in registry.values():
        return describe(value, registry, unknown)
    if unknown is not None:
        return unknown(value)
    raise OptionError(
        f"{cut(str(part))} has the setting {cut(repr(value))}, which no file can hold: wants "
        f"finite numbers, text, or parts of {registry.place}"
    )


def _built(value: Any, registry: Registry) -> Any:
    """The setting's value that `_plain` described."""
    if isinstance(value, dict):
        return build(value, registry)
    return tuple(_built(item, registry) for item in value) if isinstance(value, list) else value


def with_values(part: Any) -> str:
    """A part in one line: its formula or its name, and the values of its settings."""
    values = [
        f"{field.name} = {value:g}" if isinstance(value, float) else f"{field.name} = {value}"
        for field in settings_of(part)
        for value in [getattr(part, field.name)]
        if value is not None
    ]
    name = getattr(part, "name", type(part).__name__)
    return ", ".join([getattr(part, "formula", "") or name, *values])

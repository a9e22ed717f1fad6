"""A part, such as a likelihood or a penalty, is a frozen dataclass whose fields are its settings.

    @dataclass(frozen=True)
    class R1(Part):
        name: ClassVar[str] = "r1"
        weight: float = setting(10.0, finite, "weight of the penalty", above=True)

All else follows from the fields. The settings are checked when a part is built; `describe` turns
the part into plain values for a file, and `build` turns these into the part again; `with_values`
shows the part in a line; and each setting that has a text is an option of the command line.

Each kind of part has a dict of its classes by name. Users may add their own classes: any frozen
dataclass will do, whether or not it derives from Part.
"""

import copy
import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from .arguments import as_object, one_of
from .errors import KindError, OptionError, cut
from .keywords import ExplainsKeywords

MISSING: Any = dataclasses.MISSING
LARGEST = sys.float_info.max


class Registry(dict[str, Any]):
    """Classes of parts of one kind by name; of a kind without settings, the parts themselves.

    `what` is the word for that kind, such as "penalty"; `place` is where users add their own.
    """

    def __init__(self, what: str, place: str, kinds: Mapping[str, Any]) -> None:
        super().__init__(kinds)
        self.what, self.place = what, place


def setting(
    default: Any = MISSING,
    check: Callable[..., Any] | None = None,
    text: str = "",
    option: str = "",
    known: Registry | None = None,
    optional: bool = False,
    **bounds: Any,
) -> Any:
    """A field with a check: `check(value, what, **bounds)` returns the value to keep, or raises.

    `text` is the help of the command line, whose option is --`option`, by default the field's name.
    A default of None means that the part does without it; then None is not checked. Where a
    setting of a model is itself a part, `known` lists the classes that it may have; it is
    `optional` where None leaves it out, which the command line calls `none`.
    """
    notes: dict[str, Any] = {"check": check, "bounds": bounds, "text": text, "option": option}
    notes |= {"known": known, "optional": optional}
    return dataclasses.field(default=default, metadata=notes)


def option_of(field: dataclasses.Field[Any]) -> str:
    """The command line's name for a setting, without the dashes in front."""
    return field.metadata.get("option") or field.name.replace("_", "-")


class Part(ExplainsKeywords):
    """The base class of parts: it checks the settings. Derive a frozen dataclass from it."""

    def __post_init__(self) -> None:
        check_settings(self, f"{type(self).__name__}: ")

    @classmethod
    def of_settings(cls, settings: dict[str, Any]) -> Self:
        """The part with these settings; override it where the class takes other arguments."""
        return cls(**settings)


def check_settings(part: Any, owner: str = "") -> None:
    """Check all settings of a part, and keep each in the form in which its check returns it."""
    for field in settings_of(part):
        value, check = getattr(part, field.name), field.metadata.get("check")
        if check is not None and not (value is None and field.default is None):
            value = check(value, owner + field.name, **field.metadata["bounds"])
            object.__setattr__(part, field.name, value)
        known = field.metadata.get("known")
        if value is None and known is not None and field.default is not None:
            raise KindError(
                f"{owner}{field.name}=None: wants a name, {' or '.join(known)}, or an object"
            )


def settings_of(part: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a part, or of a class of parts, that are its arguments, in order.

    A field that a subclass declares again, with just another default, keeps its check and its text.
    """
    if not dataclasses.is_dataclass(part):
        return []
    kind = part if isinstance(part, type) else type(part)
    return [_with_notes(field, kind) for field in dataclasses.fields(part) if field.init]


def _with_notes(field: dataclasses.Field[Any], kind: type) -> dataclasses.Field[Any]:
    """The field, with the notes that `setting` left in this class or in its nearest base."""
    declared = (vars(base).get("__dataclass_fields__", {}).get(field.name) for base in kind.__mro__)
    source = next((base for base in declared if base is not None and base.metadata), field)
    if source is not field:
        field = copy.copy(field)
        field.metadata = source.metadata
    return field


def choose(choice: Any, known: Registry, kind: type, what: str = "") -> Any:
    """The part that `choice` names: a part itself, a class, or a name, with default settings.

    None stays None. Raises OptionError for an unknown name, and KindError for anything that is not
    of that kind, or for a class that cannot be built without settings.
    """
    what = what or known.what
    if isinstance(choice, str):
        choice = known[one_of(choice, known, what)]
    choice = as_object(choice, kind, what)
    if choice is None or isinstance(choice, kind):
        return choice
    raise KindError(f"{what}={choice!r}: wants a name, {' or '.join(known)}, or an object")


def describe(
    part: Any, known: Registry, unknown: Callable[[Any], Any] | None = None
) -> dict[str, Any] | None:
    """`{"name": "r1", "weight": 10.0}`: a part in plain numbers, text, lists and dicts.

    None is described by None. Raises OptionError for a part of the user's own whose class is not in
    `known`, and for a setting that no file can hold; `unknown`, where it is given, describes both.
    """
    if part is None:
        return None
    name = next((name for name, one in known.items() if one is type(part) or one == part), None)
    if name is None:
        if unknown is not None:
            return unknown(part)
        are_classes = any(isinstance(one, type) for one in known.values())
        shown, what = (str(part), "the class") if are_classes else (repr(str(part)), "it")
        raise OptionError(
            f"the {known.what} {cut(shown)} is not one of scratchgen's, so no file can hold it: "
            f"add {what} to {known.place}, here and where the file is loaded"
        )
    if not isinstance(known[name], type):
        return {"name": name}
    loose = [*getattr(part, "__dict__", ()), *getattr(type(part), "__slots__", ())]
    if loose and not dataclasses.is_dataclass(part):
        if unknown is not None:
            return unknown(part)
        raise OptionError(
            f"{type(part).__name__} has settings, {cut(', '.join(loose))}, that are not fields, so "
            f"no file can hold them: make it a frozen dataclass"
        )
    values = {
        field.name: _plain(getattr(part, field.name), known, unknown, part)
        for field in settings_of(part)
    }
    return {"name": name, **values}


def build(description: Any, known: Registry) -> Any:
    """The part of a description. Raises OptionError where it describes none."""
    if description is None:
        return None
    if not isinstance(description, dict):
        raise OptionError(
            f"the {known.what} is described by {cut(repr(description))}: wants a dict, such as "
            f"{{'name': {next(iter(known))!r}}}, and its settings"
        )
    settings = {name: _built(value, known) for name, value in description.items() if name != "name"}
    kind = known[one_of(description.get("name"), known, known.what)]
    wanted = [field.name for field in settings_of(kind)] if isinstance(kind, type) else []
    if set(settings) != set(wanted):
        name, came = description["name"], cut(", ".join(map(str, settings)))
        raise OptionError(
            f"the {known.what} {name!r} is described by {came or 'its name alone'}: wants "
            f"{', '.join(wanted) or 'its name alone'}"
        )
    return with_settings(kind, settings) if isinstance(kind, type) else kind


def with_settings(kind: type, settings: dict[str, Any]) -> Any:
    """The part of that class with these settings."""
    return kind.of_settings(settings) if issubclass(kind, Part) else kind(**settings)


def _plain(value: Any, known: Registry, unknown: Callable[[Any], Any] | None, part: Any) -> Any:
    """A setting's value for a file: numbers and text as they are, parts described, or a list."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and abs(value) <= LARGEST:
        return value
    if isinstance(value, tuple | list):
        return [_plain(one, known, unknown, part) for one in value]
    if dataclasses.is_dataclass(value) or type(value) in known.values():
        return describe(value, known, unknown)
    if unknown is not None:
        return unknown(value)
    raise OptionError(
        f"{cut(str(part))} has the setting {cut(repr(value))}, which no file can hold: wants "
        f"finite numbers, text, or parts of {known.place}"
    )


def _built(value: Any, known: Registry) -> Any:
    """The setting's value that `_plain` described."""
    if isinstance(value, dict):
        return build(value, known)
    return tuple(_built(one, known) for one in value) if isinstance(value, list) else value


def with_values(part: Any) -> str:
    """A part in a line: its formula, or its name, and the values of its settings."""
    values = [
        f"{field.name} = {value:g}" if isinstance(value, float) else f"{field.name} = {value}"
        for field in settings_of(part)
        for value in [getattr(part, field.name)]
        if value is not None
    ]
    name = getattr(part, "name", type(part).__name__)
    return ", ".join([getattr(part, "formula", "") or name, *values])

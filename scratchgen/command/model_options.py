"""The options of a model, and the settings that their values mean.

Both follow from the recipe: from the arguments of its function, and from the fields of its family
and of its parts. Each setting has an option. If the setting is a part, such as a penalty, the
option names it, and each setting of the parts in its registry has an option as well:

    --penalty r1 --penalty-weight 5        penalty=R1(weight=5.0)
    --variance 0.1                         likelihood=FixedGaussian(variance=0.1)

The second line names no likelihood, because only one has a variance.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..ground.errors import OptionError
from ..ground.parts import MISSING, Registry, option_of, settings_of, with_settings
from ..models import Recipe
from ..models.families import family_settings
from ..models.stacks import SIZES

Field = dataclasses.Field[Any]
KINDS: dict[str, type] = {kind.__name__: kind for kind in (bool, int, float, tuple, str)}
NONE_KNOWN = Registry("setting", "", {})
NONE = "none"  # the name that leaves a part out


@dataclasses.dataclass(frozen=True)
class Option:
    """An option for a setting of the recipe or, with owners, for a setting of one of its parts.

    Attributes:
        setting: the name of the recipe's setting.
        field: the dataclass field, with the type and the check of the value.
        text: the help text, one line.
        owners: the names of the parts that have the setting.
    """

    setting: str
    field: Field
    text: str
    owners: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the option, without the leading dashes."""
        return option_of(self.field)

    @property
    def key(self) -> str:
        """The name of its value in argparse's namespace."""
        return self.name.replace("-", "_")

    @property
    def kind(self) -> type:
        """The type of its value, bool, int, float, tuple or str; None is left out of a union."""
        found = re.search("|".join(KINDS), str(self.field.type))
        return KINDS[found[0]] if found else str

    @property
    def choices(self) -> Registry:
        """The parts that its value may name; empty for a number."""
        return _known(self.field)

    @property
    def may_be_none(self) -> bool:
        """Whether `none` leaves out a part that the recipe has by default."""
        return _may_be_none(self.field)


def options_of(recipe: Recipe) -> list[Option]:
    """The options of the recipe's model, in the order of its function's arguments."""
    options: list[Option] = []
    for field in _fields(recipe).values():
        if field.name not in recipe.fixed:
            choices = [*_known(field), *([NONE] if _may_be_none(field) else [])]
            names = f": {', '.join(choices)}" if _known(field) else ""
            values = _defaults(recipe, field)
            text = f"{field.metadata.get('text', '')}{names}{by_default(*values)}"
            options.append(Option(field.name, field, text.strip()))
        options += _options_of_parts(recipe, field)
    return options


def by_default(pictures: Any, vectors: Any) -> str:
    """` (default: 40 for pictures, 20 for vectors)`; "" if both are None."""
    texts = [_shown(pictures), _shown(vectors)]
    if len(set(texts)) == 1:
        return f" (default: {texts[0]})" if texts[0] else ""
    return f" (default: {texts[0] or 'none'} for pictures, {texts[1] or 'none'} for vectors)"


def compose(
    recipe: Recipe, given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The recipe's settings, from given values by the keys of its options, and from defaults.

    Raises OptionError for a setting that the named part does not have, or that several parts have
    and none is named.
    """
    fields = _fields(recipe)
    settings = {name: value for name, value in defaults.items() if name in fields}
    of_parts: dict[str, dict[Option, Any]] = {}
    named: dict[str, Any] = {}
    for option in options_of(recipe):
        value = given.get(option.key)
        if value is None:
            continue
        if option.owners:
            of_parts.setdefault(option.setting, {})[option] = value
        else:
            named[option.setting] = value
    for name in [name for name, value in named.items() if value == NONE]:
        if own := of_parts.get(name):
            raise OptionError(
                f"--{next(iter(own)).name} is a setting of a {_known(fields[name]).what}, and "
                f"--{option_of(fields[name])} {NONE} leaves that out: leave out one of the two"
            )
        del named[name]
        settings[name] = None
    for name, value in named.items():
        settings[name] = value
    for name in {**named, **of_parts}:
        if known := _known(fields[name]):
            default = defaults.get(name, recipe.takes[name])
            own = of_parts.get(name, {})
            settings[name] = _part(fields[name], known, named.get(name), default, own)
    return settings


def _fields(recipe: Recipe) -> dict[str, Field]:
    """The fields of the recipe's arguments, in order: of its family, and sizes of networks."""
    fields = SIZES | {field.name: field for field in family_settings(recipe.family)}
    return {name: fields[name] for name in recipe.takes if name in fields}


def _may_be_none(field: Field) -> bool:
    return bool(field.metadata.get("optional"))


def _defaults(recipe: Recipe, field: Field) -> list[Any]:
    """The default of the setting for pictures, and for vectors."""
    return [defaults.get(field.name, recipe.takes[field.name]) for defaults in recipe.by_data]


def _known(field: Field) -> Registry:
    return field.metadata.get("registry") or NONE_KNOWN


def _options_of_parts(recipe: Recipe, field: Field) -> Iterator[Option]:
    """The options for settings of the field's parts; if the recipe fixes the part, of that one."""
    known = _known(field)
    defaults = _defaults(recipe, field)
    kinds = {name: kind for name, kind in known.items() if _settings_by_option(kind)}
    if field.name in recipe.fixed:
        kinds = {name: kinds[name] for name in map(_name_of, defaults) if name in kinds}
    owners: dict[str, dict[str, Field]] = {}
    for name, kind in kinds.items():
        for option, setting in _settings_by_option(kind).items():
            owners.setdefault(option, {})[name] = setting
    for fields in owners.values():
        setting = next(iter(fields.values()))
        is_of_all = field.name in recipe.fixed or len(fields) == len(known)
        whose = "" if is_of_all else f"for the {known.what} {' or '.join(fields)}: "
        meaning = setting.metadata.get("text") or setting.name.replace("_", " ")
        text = meaning + _by_default_in(defaults, fields)
        yield Option(field.name, setting, (whose + text).strip(), tuple(fields))


def _settings_by_option(kind: Any) -> dict[str, Field]:
    """The settings of a class of parts; an entry of a registry that is no class has none."""
    return (
        {option_of(field): field for field in settings_of(kind)} if isinstance(kind, type) else {}
    )


def _name_of(part: Any) -> str:
    """The name of a part, which may be given by its name; "" for None."""
    return part if isinstance(part, str) else getattr(part, "name", "")


def _by_default_in(parts: list[Any], owners: Mapping[str, Field]) -> str:
    """As `by_default`, for a setting of the default parts or, if they lack it, of its owners."""
    values = []
    for part in parts:
        own = owners.get(_name_of(part))
        values.append(getattr(part, own.name, own.default) if own else None)
    if None not in values:
        return by_default(*values)
    of_each = {
        name: field.default for name, field in owners.items() if field.default is not MISSING
    }
    if len(set(map(_shown, of_each.values()))) == 1:
        first = next(iter(of_each.values()))
        return by_default(first, first)
    texts = [f"{_shown(value)} for {name}" for name, value in of_each.items() if _shown(value)]
    return f" (default: {', '.join(texts)})" if texts else ""


def _part(
    field: Field, known: Registry, named: str | None, default: Any, own: Mapping[Option, Any]
) -> Any:
    """The named part, or the part that has the settings `own`; its name if no setting is given."""
    name = named or _implied(field, known, default, own)
    kind = known[name]
    for option in own:
        if name not in option.owners:
            owners = f"--{option_of(field)} {' or '.join(option.owners)}"
            raise OptionError(
                f"--{option.name} is a setting of {owners}, not of {name}: leave out one of the two"
            )
    fields = _settings_by_option(kind)
    settings = {}
    if type(default) is kind:
        settings = {entry.name: getattr(default, entry.name) for entry in fields.values()}
    settings |= {fields[option.name].name: value for option, value in own.items()}
    for option_name, entry in fields.items():
        if entry.name not in settings and entry.default is MISSING:
            raise OptionError(
                f"--{option_of(field)} {name} wants the "
                f"{entry.metadata.get('text') or entry.name}: add --{option_name} N"
            )
    return with_settings(kind, settings) if settings else name


def _implied(field: Field, known: Registry, default: Any, own: Mapping[Option, Any]) -> str:
    """The name of the part that has these settings, if none was named."""
    able = [name for name in known if all(name in option.owners for option in own)]
    if _name_of(default) in able:
        return _name_of(default)
    option, value = next(iter(own.items()))
    if len(able) > 1:
        raise OptionError(
            f"--{option.name} {_shown(value)} is a setting of a {known.what}: name it with "
            f"--{option_of(field)} {' or '.join(able)}"
        )
    return able[0] if able else option.owners[0]


def _shown(value: Any) -> str:
    """A value as one types it: `256,128`, `0.03`, `r1`; "" for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(_shown, value))
    if isinstance(value, int | float):
        return f"{value:g}"
    return _name_of(value)

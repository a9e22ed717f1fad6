"""What can be set of a model in the words of a command, and the settings that they mean.

All of it follows from the recipe: from what its function takes, and from the fields of its family
and of the parts that a setting may be. A setting has an option; one that is a part has an option
for its name, and one for each setting of the parts that are known:

    --penalty r1 --penalty-weight 5        penalty=R1(weight=5.0)
    --variance 0.1                         likelihood=FixedGaussian(variance=0.1)

The second names no part, because one likelihood alone has a variance.
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
NONE = "none"  # the name of no part


@dataclasses.dataclass(frozen=True)
class Option:
    """A setting of a recipe or, with owners, one of the parts that a setting of a recipe may be.

    Attributes:
        setting: the name of the recipe's setting.
        field: with what there is to know of the value: its check, its type.
        text: what it is, in a line.
        owners: the names of the parts that have it.
    """

    setting: str
    field: Field
    text: str
    owners: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The word of the command line, without the dashes in front."""
        return option_of(self.field)

    @property
    def key(self) -> str:
        """The name that its value goes by among those of a command."""
        return self.name.replace("-", "_")

    @property
    def kind(self) -> type:
        """The type of its value: bool, int, float, tuple or str, whether or not it may be None."""
        found = re.search("|".join(KINDS), str(self.field.type))
        return KINDS[found[0]] if found else str

    @property
    def choices(self) -> Registry:
        """The parts by name, one of which its value is; none for a number."""
        return _known(self.field)

    @property
    def may_be_none(self) -> bool:
        """Whether there may be no such part, though the recipe has one where nothing is said."""
        return _may_be_none(self.field)


def options_of(recipe: Recipe) -> list[Option]:
    """All that can be set of the recipe's model, in the order of its function's arguments."""
    found: list[Option] = []
    for field in _fields(recipe).values():
        if field.name not in recipe.fixed:
            known = [*_known(field), *([NONE] if _may_be_none(field) else [])]
            names = f": {', '.join(known)}" if _known(field) else ""
            values = [of.get(field.name, recipe.takes[field.name]) for of in recipe.by_data]
            text = f"{field.metadata.get('text', '')}{names}{by_default(*values)}"
            found.append(Option(field.name, field, text.strip()))
        found += _options_of_parts(recipe, field)
    return found


def by_default(pictures: Any, vectors: Any) -> str:
    """What is taken where nothing is said: ` (40 for pictures, 20 for vectors)`, or "" for None."""
    texts = [_shown(pictures), _shown(vectors)]
    if len(set(texts)) == 1:
        return f" ({texts[0]})" if texts[0] else ""
    return f" ({texts[0] or 'none'} for pictures, {texts[1] or 'none'} for vectors)"


def composed(
    recipe: Recipe, given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The recipe's settings, of what was given by the keys of its options, and the defaults.

    Raises OptionError for a setting of a part that is not the one named, or where several parts
    have it and none is named.
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
                f"--{next(iter(own)).name} is of a {_known(fields[name]).what}, and "
                f"--{option_of(fields[name])} {NONE} leaves it out: leave one out"
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
    """Those of the settings that the recipe takes, in its order; the sizes of networks too."""
    fields = SIZES | {field.name: field for field in family_settings(recipe.family)}
    return {name: fields[name] for name in recipe.takes if name in fields}


def _may_be_none(field: Field) -> bool:
    return bool(field.metadata.get("optional"))


def _known(field: Field) -> Registry:
    return field.metadata.get("registry") or NONE_KNOWN


def _options_of_parts(recipe: Recipe, field: Field) -> Iterator[Option]:
    """The settings of the parts that the field may be; of a part that is fixed, of that alone."""
    known = _known(field)
    defaults = [of.get(field.name, recipe.takes[field.name]) for of in recipe.by_data]
    kinds = {name: kind for name, kind in known.items() if _settings_by_option(kind)}
    if field.name in recipe.fixed:
        kinds = {name: kinds[name] for name in map(_name_of, defaults) if name in kinds}
    owners: dict[str, dict[str, Field]] = {}
    for name, kind in kinds.items():
        for option, setting in _settings_by_option(kind).items():
            owners.setdefault(option, {})[name] = setting
    for having in owners.values():
        setting = next(iter(having.values()))
        is_of_all = field.name in recipe.fixed or len(having) == len(known)
        whose = "" if is_of_all else f"of the {known.what} {' or '.join(having)}: "
        meaning = setting.metadata.get("text") or setting.name.replace("_", " ")
        text = meaning + _by_default_in(defaults, having)
        yield Option(field.name, setting, (whose + text).strip(), tuple(having))


def _settings_by_option(kind: Any) -> dict[str, Field]:
    """The settings of a class of parts; a part that is known as it is has none to be set."""
    return {option_of(one): one for one in settings_of(kind)} if isinstance(kind, type) else {}


def _name_of(part: Any) -> str:
    """The name of a part, or "" of none; it may be given by its name."""
    return part if isinstance(part, str) else getattr(part, "name", "")


def _by_default_in(parts: list[Any], owners: Mapping[str, Field]) -> str:
    """As `by_default`, for a setting of the parts that pictures and vectors have, or of any."""
    values = []
    for part in parts:
        own = owners.get(_name_of(part))
        values.append(getattr(part, own.name, own.default) if own else None)
    if None not in values:
        return by_default(*values)
    of_each = {name: one.default for name, one in owners.items() if one.default is not MISSING}
    if len(set(map(_shown, of_each.values()))) == 1:
        first = next(iter(of_each.values()))
        return by_default(first, first)
    texts = [f"{_shown(value)} of {name}" for name, value in of_each.items() if _shown(value)]
    return f" ({', '.join(texts)})" if texts else ""


def _part(
    field: Field, known: Registry, named: str | None, default: Any, own: Mapping[Option, Any]
) -> Any:
    """The part of that name, or that has the settings `own`; its name where none of them is set."""
    name = named or _implied(field, known, default, own)
    kind = known[name]
    for option in own:
        if name not in option.owners:
            of = f"--{option_of(field)} {' or '.join(option.owners)}"
            raise OptionError(f"--{option.name} is of {of}: leave one out")
    fields = _settings_by_option(kind)
    settings = {}
    if type(default) is kind:
        settings = {one.name: getattr(default, one.name) for one in fields.values()}
    settings |= {fields[option.name].name: value for option, value in own.items()}
    for word, one in fields.items():
        if one.name not in settings and one.default is MISSING:
            raise OptionError(
                f"--{option_of(field)} {name} wants the {one.metadata.get('text') or one.name}: "
                f"add --{word} N"
            )
    return with_settings(kind, settings) if settings else name


def _implied(field: Field, known: Registry, default: Any, own: Mapping[Option, Any]) -> str:
    """The name of the part that has these settings, where none was named."""
    able = [name for name in known if all(name in option.owners for option in own)]
    if _name_of(default) in able:
        return _name_of(default)
    option, value = next(iter(own.items()))
    if len(able) > 1:
        raise OptionError(
            f"--{option.name} {_shown(value)} is of a {known.what}: name it with "
            f"--{option_of(field)} {' or '.join(able)}"
        )
    return able[0] if able else option.owners[0]


def _shown(value: Any) -> str:
    """A value as it is typed: `256,128`, `0.03`, `r1`; "" for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(_shown, value))
    if isinstance(value, int | float):
        return f"{value:g}"
    return _name_of(value)

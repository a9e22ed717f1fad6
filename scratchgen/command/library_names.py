"""The parts of the library that can be checked by name: those in its registries.

A name may be typed in any case, with or without underscores. A layer is its class, and any other
part its first example; both have examples of their own.
"""

from typing import Any

from ..distributions import LIKELIHOODS
from ..ground.arguments import nearest
from ..ground.errors import OptionError, cut
from ..ground.parts import Registry, letters
from ..losses import LOSSES, PENALTIES
from ..nn import LAYERS
from ..optim import OPTIMIZERS

PARTS = (LIKELIHOODS, LOSSES, PENALTIES, OPTIMIZERS)


def registries() -> tuple[Registry, ...]:
    """The registries with all names that can be checked."""
    return (Registry("layer", "scratchgen.nn.LAYERS", LAYERS), *PARTS)


def find_part(word: str) -> Any:
    """The part of the library with that name, such as `Softsign` or `gaussian`.

    Raises OptionError if no registry has the name, or several do.
    """
    known = [(name, registry) for registry in registries() for name in registry]
    matches = [(name, registry) for name, registry in known if letters(name) == letters(word)]
    matches = [match for match in matches if match[0] == word] or matches
    if not matches:
        kinds = ", ".join(registry.what for registry in registries())
        raise OptionError(
            f"the library has no {cut(repr(word))}, wants a {kinds}, or MODULE:NAME for a part of "
            f"your own{nearest(word, [name for name, _ in known])}"
        )
    if len(matches) > 1:
        kinds = " or ".join(f"{registry.what} ({registry.place})" for _, registry in matches)
        raise OptionError(f"{word!r} is ambiguous, {kinds}: wants MODULE:NAME")
    name, registry = matches[0]
    return registry.examples()[name] if registry in PARTS else registry[name]

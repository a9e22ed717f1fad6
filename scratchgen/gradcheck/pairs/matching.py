"""Which of the gradients that a backward pass returned belongs to which argument."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ..measuring.passes import Stopped
from .named_blocks import is_container, keys, parts


def gradients_by_argument(
    raw: Any, args: Sequence[Any], names: list[str], blocks: Sequence[str], checked: Sequence[str]
) -> dict[str, Any]:
    """The gradient of each argument, by name. Raises Stopped for a wrong number of them."""
    with_blocks = {_argument_of(name) for name in blocks}
    floats = [name for name in names if name in with_blocks]
    arguments = {_argument_of(name) for name in checked}
    only = args[names.index(floats[0])] if len(floats) == 1 else None
    is_whole = len(floats) == 1 and _is_one_gradient(raw, only, len(args))
    if isinstance(raw, Mapping | SimpleNamespace) and not is_whole:
        given = dict(raw) if isinstance(raw, Mapping) else vars(raw)
        known = {f"{d}{name}": name for d in ("d_", "d", "") for name in names}
        unknown = [key for key in given if key not in known]
        if unknown:
            known_names = ", ".join(map(repr, floats))
            raise Stopped(
                "count", f"backward gave a gradient for {unknown[0]!r}, wants {known_names}"
            )
        return {known[key]: gradient for key, gradient in given.items()}
    if isinstance(raw, tuple | list) and not is_whole:
        for order in (names, floats, [name for name in floats if name in arguments]):
            if len(raw) == len(order):
                return dict(zip(order, raw, strict=True))
        count = f"{len(raw)} gradients" if len(raw) != 1 else "1 gradient"
        raise Stopped("count", f"backward gave {count} for {_listed(floats)}")
    if len(floats) == 1 or len(arguments) == 1:
        return {(floats if len(floats) == 1 else list(arguments))[0]: raw}
    count = "None" if raw is None else "1 gradient"
    raise Stopped("count", f"backward gave {count} for {_listed(floats)}")


def _is_one_gradient(raw: Any, arg: Any, n_args: int) -> bool:
    """Whether `raw` is itself the gradient of the only argument, and not a container of it."""
    if not is_container(arg):
        return isinstance(raw, list) and not is_container(raw) and len(raw) != 1
    if n_args > 1 and isinstance(raw, tuple | list) and len(raw) == n_args:
        return False
    known, given = keys(arg), keys(raw) if is_container(raw) else []
    return set(given) <= set(known) and (len(given) == len(known) or isinstance(arg, Mapping))


def gradients_by_leaf(arg: Any, gradient: Any, name: str) -> dict[str, Any]:
    """The leaves of an argument, each with its part of a gradient of the same structure."""
    if not is_container(arg):
        return {name: gradient}
    found: dict[str, Any] = {}
    for key, (path, inner) in zip(keys(arg), parts(arg, name), strict=True):
        found |= gradients_by_leaf(inner, _part(gradient, key), path)
    return found


def _part(gradient: Any, key: Any) -> Any:
    """`gradient[key]` or `gradient.key`; None if there is neither."""
    try:
        return gradient[key]
    except (TypeError, KeyError, IndexError):
        return getattr(gradient, str(key), None)


def _argument_of(name: str) -> str:
    """The argument that a block belongs to: `p` for `p['w'][0]`, `args[0]` for `args[0][1]`."""
    cut = name.find("]") + 1 if name.startswith("args[") else 0
    ends = [place for sign in "[." if (place := name.find(sign, cut)) >= 0]
    return name[: min(ends)] if ends else name


def _listed(names: list[str]) -> str:
    return f"{len(names)} arguments: {', '.join(names)}" if len(names) != 1 else names[0]

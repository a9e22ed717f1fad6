"""Whether the textbook is as it was published: an edit of it must count.

A step of training that was recorded is run again without the Python that was read (train/replay.py),
and a kernel's loop runs in the place of its formula (kernels/twins.py). Both are right for the text
that they were made from. So of each file that a step goes through, and of each function in it,

    digest = the first digits of SHA-256 of its text                                     (1)

is kept in fingerprints.py, and compared before the first step: an edited file has another. A
function that was put into the place of another while the program ran comes from another place:

    its code says which file it was read from, and by which name                         (2)

    python -m scratchgen.sources        writes fingerprints.py anew, when an edit is meant to stay
"""

import ast
import contextlib
import functools
import hashlib
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .fingerprints import FILES, FUNCTIONS

PACKAGE = Path(__file__).parent
ROOMS = ("nn", "distributions", "losses", "optim", "models")
BESIDE = ("train/step.py", *(f"kernels/{name}.py" for name in (
    "arithmetic", "elementwise", "normal", "pointwise", "products", "random",
)))  # fmt: skip
DIGITS = 12
ALL = (*FILES, "kernels/__init__.py")  # that steps go through, by what they import
IMPORT = re.compile(r"^from (\.+)([\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)  # of this package

_seen: list[tuple[Mapping[str, Any], list[Any]]] = []  # what was there when nothing was replaced


def edited() -> list[str]:
    """The files, `nn/dense.py`, whose text is not the one that was published."""
    return [file for file, digest in FILES.items() if _digest_of(file) not in (digest, None)]


def replaced() -> list[str]:
    """Functions of the textbook that came from elsewhere, `Dense.forward`, by (2).

    Names that a file imports count too. Asked again, and nothing has changed, it knows that soon.
    """
    global _seen
    if _seen and all(map(_is_as_seen, _seen)):
        return []
    spaces = [space for file in ALL if (module := _module(file)) for space in _spaces(module)]
    found = [name for file in ALL for name in _replaced_in(file)]
    _seen = [] if found else [(vars(space), list(vars(space).values())) for space in spaces]
    return found


def _is_as_seen(seen: tuple[Mapping[str, Any], list[Any]]) -> bool:
    now, before = seen
    return len(now) == len(before) and all(map(operator.is_, now.values(), before))


def _module(file: str) -> ModuleType | None:
    name = f"{__package__}.{file[:-3].replace('/', '.')}"
    return sys.modules.get(name.removesuffix(".__init__"))


def _spaces(module: ModuleType) -> Iterator[Any]:
    """The module, and the classes that are defined in it."""
    yield module
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield value


def is_published(function: Callable[..., Any]) -> bool:
    """Whether the text of a function of the textbook is the one that its loop was written for."""
    code = function.__code__
    try:
        file = Path(code.co_filename).relative_to(PACKAGE).as_posix()
    except ValueError:
        return False
    if _digest_of(file) in (FILES.get(file), None):
        return True
    return _functions(file).get(code.co_qualname) == FUNCTIONS.get(f"{file}:{code.co_qualname}")


@functools.cache
def _digest_of(file: str) -> str | None:
    """(1) of a file; None where there is no text, which then nobody can have edited."""
    try:
        text = (PACKAGE / file).read_bytes()
    except OSError:
        return None
    return _digest(text.replace(b"\r\n", b"\n"))


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:DIGITS]


@functools.cache
def _functions(file: str) -> dict[str, str]:
    """(1) of each function in a file, without its comments, docstring and decorators."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    return {name: _digest(_text(node).encode()) for name, node in _defined(tree, "")}


def _defined(tree: Any, path: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield f"{path}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _defined(node, f"{path}{node.name}.")


def _text(node: ast.FunctionDef) -> str:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    plain = ast.FunctionDef(node.name, node.args, body or [ast.Pass()], [], lineno=0, type_params=[])
    return ast.unparse(plain)


def _replaced_in(file: str) -> Iterator[str]:
    module = _module(file)
    if module is None:
        return
    for name in _top_level(file):
        value = vars(module).get(name)
        if not callable(value) or not _is_from(value, module, name):
            yield f"{file[:-3].replace('/', '.')}.{name}"
    for name, of, its_name in _imported(file):
        if vars(module).get(name) is not getattr(sys.modules.get(of), its_name, None):
            yield f"{module.__name__.partition('.')[2]}.{name}"
    for space in [one for one in _spaces(module) if one is not module]:
        for name, method in list(vars(space).items()):
            dunder = name.startswith("__")  # as what dataclasses and protocols write
            if not dunder and not _is_from(method, module, f"{space.__qualname__}.{name}"):
                yield f"{space.__qualname__}.{name}"


@functools.cache
def _imported(file: str) -> list[tuple[str, str, str]]:
    """What a file imports of this package: a name there, the module, and the name in that."""
    try:
        text = (PACKAGE / file).read_text(encoding="utf-8")
    except OSError:
        return []
    folder, found = [__package__, *file.split("/")[:-1]], []
    for dots, module, names in IMPORT.findall(text):
        of = ".".join([*folder[: len(folder) - len(dots) + 1], *filter(None, [module])])
        for one in re.sub(r"#.*", "", names).strip("()").split(","):
            if one.strip():
                its_name, _, name = one.strip().partition(" as ")
                found.append((name or its_name, of, its_name))
    return found


@functools.cache
def _top_level(file: str) -> tuple[str, ...]:
    start = f"{file}:"
    names = (key.removeprefix(start) for key in FUNCTIONS if key.startswith(start))
    return tuple(name for name in names if "." not in name)


def _is_from(value: Any, module: ModuleType, name: str) -> bool:
    """Whether a function, in whatever of ours it is wrapped, was read from there by that name."""
    code = _code(value)
    if code is None:
        ours = isinstance(value, type) or type(value).__module__.startswith(f"{__package__}.")
        return ours or not callable(value)
    return code.co_filename == module.__file__ and code.co_qualname == name


def _code(value: Any) -> CodeType | None:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    while hasattr(value, "__wrapped__") and _is_wrapper_of_ours(value):
        value = value.__wrapped__
    return value.__code__ if isinstance(value, FunctionType) else None


def _is_wrapper_of_ours(value: Any) -> bool:
    """Whether it is what a decorator in the text has made; what others wrap is theirs."""
    if not isinstance(value, FunctionType):
        return True  # as functools.cache has it
    file = value.__code__.co_filename
    return file == contextlib.__file__ or Path(file).is_relative_to(PACKAGE)


def write() -> None:
    """fingerprints.py for the text as it is now."""
    files = sorted(
        path.relative_to(PACKAGE).as_posix() for room in ROOMS for path in (PACKAGE / room).glob("*.py")
    )
    files += [file for file in BESIDE if (PACKAGE / file).exists()]
    _digest_of.cache_clear()
    lines = ['"""The text of the textbook as it was published; see sources.py, which writes this."""', ""]
    lines += ["FILES = {", *(f'    "{file}": "{_digest_of(file)}",' for file in files), "}"]
    digests = {f"{file}:{name}": x for file in files for name, x in _functions(file).items()}
    lines += ["FUNCTIONS = {", *(f'    "{name}": "{x}",' for name, x in digests.items()), "}"]
    (PACKAGE / "fingerprints.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()

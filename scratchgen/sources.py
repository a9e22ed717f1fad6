"""Whether the textbook is as it was published: an edit of it must count.

A recorded step of training is run again without the Python that was read (train/replay.py), and a
kernel's loop runs in the place of its formula (kernels/twins.py). Both are right for the text
that they were made from. So of each file that a step goes through, and of each function in it,

    digest = the first digits of SHA-256 of its text                                     (1)

is kept in fingerprints.py, and compared before the first step: an edited file has another. A
function that was put into the place of another while the program ran comes from another place:

    its code says which file it was read from, and by which name                         (2)

    python -m scratchgen.sources        writes fingerprints.py anew, when an edit is meant to stay
"""

import ast
import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
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


def edited() -> list[str]:
    """The files, `nn/dense.py`, whose text is not the one that was published."""
    return [file for file, digest in FILES.items() if _digest_of(file) not in (digest, None)]


def replaced() -> list[str]:
    """Functions of the textbook that came from elsewhere, `Dense.forward`, by (2)."""
    if not _seen or any(_is_changed(*one) for one in _seen):
        found = [name for file in FILES for name in _replaced_in(file)]
        _seen[:] = [] if found else _all_there_is()
        return found
    return []


_seen: list[tuple[dict[str, Any], int, list[tuple[str, Any, Any]]]] = []  # when nothing was amiss


def _all_there_is() -> list[Any]:
    """Of each module and class of the textbook: its names, how many, and those of functions."""
    modules = [module for file in FILES if (module := _module(file)) is not None]
    rooms: list[Any] = [*modules, *(kind for module in modules for kind in _classes(module))]
    return [
        (
            vars(room),
            len(vars(room)),
            [(name, x, _code(x)) for name, x in vars(room).items() if _code(x) is not None],
        )
        for room in rooms
    ]


def _is_changed(names: Any, count: int, functions: list[tuple[str, Any, Any]]) -> bool:
    """Whether there is another function, or another code in one."""
    if len(names) != count:
        return True
    for name, x, code in functions:
        if names.get(name) is not x:
            return True
        # what is wrapped has a code of its own, and is not looked at: it cannot be reached
        if getattr(x, "__code__", code) is not code and not hasattr(x, "__wrapped__"):
            return True
    return False


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
    plain: Any = ast.FunctionDef(node.name, node.args, body or [ast.Pass()], [], lineno=0)
    plain.type_params = []  # which Python wants since 3.12
    return ast.unparse(plain)


def _replaced_in(file: str) -> Iterator[str]:
    module = _module(file)
    if module is None:
        return
    for name in _top_level(file):
        if not _is_from(vars(module).get(name), module, name):
            yield f"{file[:-3].replace('/', '.')}.{name}"
    for kind in _classes(module):
        for name, method in list(vars(kind).items()):
            dunder = name.startswith("__")  # as what dataclasses and protocols write
            if not dunder and not _is_from(method, module, f"{kind.__qualname__}.{name}"):
                yield f"{kind.__qualname__}.{name}"


def _module(file: str) -> ModuleType | None:
    """The module of a file, if it was imported."""
    return sys.modules.get(f"{__package__}.{file[:-3].replace('/', '.')}")


def _classes(module: ModuleType) -> list[type]:
    """The classes that a module defines."""
    return [
        x for x in list(vars(module).values())
        if isinstance(x, type) and x.__module__ == module.__name__
    ]  # fmt: skip


@functools.cache
def _top_level(file: str) -> tuple[str, ...]:
    start = f"{file}:"
    names = (key.removeprefix(start) for key in FUNCTIONS if key.startswith(start))
    return tuple(name for name in names if "." not in name)


def _is_from(value: Any, module: ModuleType, name: str) -> bool:
    """Whether a function, in whatever it is wrapped, was read from the module by that name."""
    code = _code(value)
    if code is None:
        ours = isinstance(value, type) or type(value).__module__.startswith(f"{__package__}.")
        return ours or not callable(value)
    if code.co_filename.startswith("<"):  # what dataclasses write
        return True
    return code.co_filename == module.__file__ and code.co_qualname == name


def _code(value: Any) -> CodeType | None:
    if type(value) is FunctionType and "__wrapped__" not in value.__dict__:
        return value.__code__
    if isinstance(value, str | int | float | tuple | type(None)):
        return None
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    value = inspect.unwrap(value) if callable(value) else value
    return value.__code__ if isinstance(value, FunctionType) else None


def write() -> None:
    """fingerprints.py for the text as it is now."""
    files = sorted(
        path.relative_to(PACKAGE).as_posix()
        for room in ROOMS
        for path in (PACKAGE / room).glob("*.py")
    )
    files += [file for file in BESIDE if (PACKAGE / file).exists()]
    _digest_of.cache_clear()
    lines = [
        '"""The text of the textbook as it was published; see sources.py, which writes this."""',
        "",
    ]
    lines += ["FILES = {", *(f'    "{file}": "{_digest_of(file)}",' for file in files), "}"]
    digests = {f"{file}:{name}": x for file in files for name, x in _functions(file).items()}
    lines += ["FUNCTIONS = {", *(f'    "{name}": "{x}",' for name, x in digests.items()), "}"]
    (PACKAGE / "fingerprints.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()

"""Whether the textbook is as it was published: an edit of it must count.

A step of training that was recorded is run again without the Python that was read
(train/replay.py), and a kernel's loop runs in the place of its formula (kernels/twins.py). Both are
right for the text that they were made from. So of each file that a step goes through, and of each
function in it,

    digest = the first digits of SHA-256 of its text                                     (1)

is kept in fingerprints.py, and compared before the first step: an edited file has another. A
function that was put into the place of another while the program ran comes from another place:

    its code says which file it was read from, and by which name                         (2)

    python -m scratchgen.sources        writes fingerprints.py anew, when an edit is meant to stay
"""

import ast
import copy
import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .fingerprints import FILES, FUNCTIONS
from .writing import write_whole

PACKAGE = Path(__file__).parent
ROOMS = ("nn", "distributions", "losses", "optim", "models")
BESIDE = ("train/step.py", *(f"kernels/{name}.py" for name in (
    "arithmetic", "bending", "elementwise", "normal", "products", "random",
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
    """Whether a formula is the one that its loop was written for, with all that it calls."""
    known, left = {function}, [function]
    while left:
        one = left.pop()
        if not _is_as_published(one.__code__):
            return False
        others = set(_called(one)) - known
        known |= others
        left += others
    return True


def _is_as_published(code: CodeType) -> bool:
    """Whether neither the function was edited nor what stands outside all functions of its file.

    Of a method, nor the methods of its class that it names.
    """
    file = _file_of(code)
    if file is None:
        return False
    kind = code.co_qualname.rpartition(".")[0]
    own = [f"{kind}.{name}" for name in _names_in(code)] if kind else []
    return are_published(file, "", code.co_qualname, *own)


def are_published(file: str, *names: str) -> bool:
    """Whether functions of a file, by their names, are as they were published."""
    if _digest_of(file) in (FILES.get(file), None):
        return True
    text = _functions(file)
    return all(text.get(name) == FUNCTIONS.get(f"{file}:{name}") for name in names)


def _called(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Functions that a function names, of the textbook or of a user's."""
    names, known = _names_in(function.__code__), function.__globals__
    values = [known[name] for name in names if name in known]
    for room in [x for x in values if isinstance(x, ModuleType)]:
        if room.__name__.startswith(f"{__package__}."):
            values += [vars(room)[name] for name in names if name in vars(room)]
    for value in values:
        one = inspect.unwrap(value) if isinstance(value, FunctionType) else None
        if one is not None and _file_of(one.__code__) in (None, *FILES):
            yield one


def _names_in(code: CodeType) -> set[str]:
    """The names that a function uses and does not make, also within its comprehensions."""
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))


def _file_of(code: CodeType) -> str | None:
    """The file of this package that a function was read from, `nn/dense.py`; None for others."""
    try:
        return Path(code.co_filename).relative_to(PACKAGE).as_posix()
    except ValueError:
        return None


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
    """(1) of each function in a file, without its comments, docstring and decorators.

    By the name "" that of all that stands outside them, such as a number that they share.
    """
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    digests = {name: _digest(_text(node).encode()) for name, node in _defined(tree, "")}
    return {"": _digest(ast.unparse(_Outside().visit(tree)).encode()), **digests}


class _Outside(ast.NodeTransformer):
    """Leaves out functions and docstrings."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def _defined(tree: Any, path: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield f"{path}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _defined(node, f"{path}{node.name}.")


def _text(node: ast.FunctionDef) -> str:
    plain = copy.copy(node)
    plain.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    plain.body, plain.decorator_list = plain.body or [ast.Pass()], []
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
    return tuple(name for name in names if name and "." not in name)


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
    write_whole(PACKAGE / "fingerprints.py", "\n".join([*lines, ""]).encode())


if __name__ == "__main__":
    write()

"""Whether the textbook is as it was published: an edit of it must count.

A step of training that was recorded runs again without the Python that was read (train/replay.py),
and a kernel's loop runs in the place of its formula (kernels/twins.py). Both are right for the text
that they were made from. So of each file that a step goes through, and of each function and each
constant in it,

    digest = the first digits of SHA-256 of its text                                     (1)

is kept in fingerprints.py, and compared before the first step: an edited file has another. What was
put into the place of a function while the program ran comes from another place:

    a function knows its name, and the module whose names it reads                       (2)

A formula is more than its own text. It is as it was published if all functions and constants that
it reaches by name are, and stand where they stood                                       (3)

    python -m scratchgen.sources        writes fingerprints.py anew, when an edit is meant to stay
"""

import ast
import copy
import functools
import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .fingerprints import FILES, TEXTS
from .writing import write_whole

PACKAGE = Path(__file__).parent
ROOMS = ("nn", "distributions", "losses", "optim", "models")
BESIDE = ("train/step.py", "checks.py", "rng.py", *(f"kernels/{name}.py" for name in (
    "__init__", "arithmetic", "bending", "elementwise", "normal", "products", "random",
)))  # fmt: skip
DIGITS = 12
OTHERS = sys.stdlib_module_names | {"numpy"}  # whose functions the textbook has among its names
TYPES = ("typing", "types", "collections.abc")  # whose objects can be called, and never are

_digests: dict[str, tuple[Any, str | None]] = {}  # by file, and what the file was like
_last: list[str | None] = []
_edited: list[str] = []
_version = 0  # of all files together; another one whenever a file has become another


def edited() -> list[str]:
    """The files, `nn/dense.py`, whose text is not the one that was published."""
    global _last, _edited, _version
    files = _files()
    digests = [_digest_of(file) for file in files]
    if digests != _last:
        pairs = zip(files, digests, strict=True)
        _edited = [file for file, digest in pairs if digest not in (FILES.get(file, ""), None)]
        _last, _version = digests, _version + 1
    return list(_edited)


def replaced() -> list[str]:
    """What came into the textbook from elsewhere, `Dense.forward`, by (2)."""
    return [name for module in _modules() for name in _replaced_in(module)]


class Names:
    """What the names of the textbook stand for at one moment, in its modules and classes."""

    def __init__(self) -> None:
        spaces = (space for module in _modules() for space in _spaces(module))
        self._views = [space.values() for space in spaces]
        self._values = list(map(list, self._views))

    def are_as_before(self) -> bool:
        """Whether they still stand for the same; some 0.02 ms."""
        return _are_same(list(map(list, self._views)), self._values)

    def are_like(self, other: "Names | None") -> bool:
        """Whether they stood for the same at another moment, and there were as many of them."""
        return other is not None and _are_same(self._values, other._values)


def _are_same(a: list[list[Any]], b: list[list[Any]]) -> bool:
    try:
        return a == b  # what is identical is not compared
    except Exception:  # as arrays, which do not know whether they are equal
        return False


def is_published(*functions: Callable[..., Any], kind: type | None = None) -> bool:
    """Whether formulas are those that a loop was written for, by (3); `kind` has them as methods.

    What is asked again is answered at once, unless a name that the formula reads has come to stand
    for something else, or, by `edited`, a file has become another.
    """
    if (answer := _answers.get((functions, kind))) is None:
        answer = _answers[functions, kind] = Answer(functions, kind)
    return answer.holds()


class Answer:
    """What `is_published` says of formulas."""

    def __init__(self, functions: tuple[Callable[..., Any], ...], kind: type | None) -> None:
        self._functions, self._kind = functions, kind
        self._version, self._holds = -1, False
        self._globals: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._methods: dict[str, Any] = {}

    def holds(self) -> bool:
        """Whether they are as they were published."""
        if _version == 0:
            edited()
        if self._version != _version or not self._are_names_as_before():
            self._globals, self._methods = {}, {}
            self._version, self._holds = _version, self._look()
        return self._holds

    def _are_names_as_before(self) -> bool:
        for scope, name, x in self._globals.values():
            if scope.get(name) is not x:
                return False
        return all(getattr(self._kind, name, None) is x for name, x in self._methods.items())

    def _look(self) -> bool:
        todo: list[Any] = list(self._functions)
        seen, files = set(), _edited
        changed = {name for file in files for name in _changed_in(file) if "." not in name}
        while todo:
            function, *wrapped = _chain(todo.pop())
            if not all(map(is_of_package, (function, *wrapped))):
                return False
            function = wrapped[-1] if wrapped else function
            file, names = _file_of(function), _names(function.__code__)
            if function in seen or file not in FILES:
                continue
            seen.add(function)
            if file in files and function.__qualname__ in _changed_in(file):
                return False
            if not changed.isdisjoint(names):
                return False
            for where, name in self._read(function, names):
                value = _at(where, name)
                if where is self._kind:
                    self._methods[name] = value
                else:
                    self._globals[id(where), name] = where, name, value
                if not _is_in_place(value, where, name):
                    return False
                todo += [value] if isinstance(value, FunctionType) else []
        return True

    def _read(self, function: FunctionType, names: set[str]) -> Iterator[tuple[Any, str]]:
        """Where the function reads which names of functions."""
        scope = function.__globals__
        spaces = [scope, *([self._kind] if self._kind else [])]
        modules = [scope[name] for name in names if isinstance(scope.get(name), ModuleType)]
        spaces += [vars(module) for module in modules if _root(module.__name__) == __package__]
        for where, name in itertools.product(spaces, sorted(names)):
            value = _at(where, name)
            if callable(value) and not isinstance(value, type):
                yield where, name


_answers: dict[Any, Answer] = {}


def _at(where: Any, name: str) -> Any:
    """What stands there by that name, in a class or among the names of a module."""
    return getattr(where, name, None) if isinstance(where, type) else where.get(name)


def _is_in_place(value: Any, where: Any, name: str) -> bool:
    """(2), for what a function finds by that name."""
    if isinstance(where, type):
        where = next(kind for kind in where.__mro__ if name in vars(kind))
        module, name = sys.modules[where.__module__], f"{where.__qualname__}.{name}"
    else:
        module = sys.modules[where["__name__"]]
    return _is_right(value, module, name)


def _files() -> list[str]:
    """Those that were published, and those that stand beside them."""
    found = {f"{room}/{path}" for room in ROOMS for path in _listed(room) if path.endswith(".py")}
    return [*FILES, *sorted(found.difference(FILES))]


def _listed(room: str) -> list[str]:
    try:
        return os.listdir(PACKAGE / room)
    except OSError:
        return []


def _digest_of(file: str) -> str | None:
    """(1) of a file; None where there is no text, which then nobody can have edited."""
    path = PACKAGE / file
    try:
        status = path.stat()
        like = status.st_mtime_ns, status.st_size, status.st_ino
        if _digests.get(file, (None,))[0] != like:
            _digests[file] = like, _digest(path.read_bytes().replace(b"\r\n", b"\n"))
    except OSError:
        return None
    return _digests[file][1]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def _changed_in(file: str) -> frozenset[str]:
    """The functions and constants of an edited file that have another text than was published."""
    return _changed(file, _digest_of(file))


@functools.cache
def _changed(file: str, _digest: str | None) -> frozenset[str]:
    old, new = _published(file), _texts(file)
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


@functools.cache
def _published(file: str) -> dict[str, str]:
    start = f"{file}:"
    return {key.removeprefix(start): x for key, x in TEXTS.items() if key.startswith(start)}


def _texts(file: str) -> dict[str, str]:
    """(1) of each function and constant in a file, without comments, docstrings and decorators."""
    try:
        tree = ast.parse((PACKAGE / file).read_bytes())
    except (OSError, SyntaxError):
        return {}
    return {name: _digest(ast.unparse(node).encode()) for name, node in _defined(tree, "")}


def _defined(tree: Any, path: str) -> Iterator[tuple[str, ast.stmt]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield f"{path}{node.name}", _plain(node)
        elif isinstance(node, ast.ClassDef):
            yield from _defined(node, f"{path}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not path:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (one for target in targets for one in ast.walk(target)):
                if isinstance(name, ast.Name):
                    yield name.id, node


def _plain(node: ast.FunctionDef) -> ast.FunctionDef:
    plain = copy.copy(node)
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    plain.body, plain.decorator_list = body or [ast.Pass()], []
    return plain


def _modules() -> list[ModuleType]:
    files = (file.removesuffix(".py").removesuffix("/__init__") for file in FILES)
    names = (f"{__package__}.{file.replace('/', '.')}" for file in files)
    return [sys.modules[name] for name in names if name in sys.modules]


def _spaces(module: ModuleType) -> Iterator[Any]:
    """The names of a module, and of each class in it."""
    yield vars(module)
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield vars(value)


def _replaced_in(module: ModuleType) -> Iterator[str]:
    for name, value in list(vars(module).items()):
        if not name.isidentifier():  # which no text can read; pytest has such
            continue
        if not isinstance(value, type) or value.__module__ != module.__name__:
            if not _is_right(value, module, name):
                yield f"{module.__name__.removeprefix(f'{__package__}.')}.{name}"
            continue
        for method, x in list(vars(value).items()):
            if not _is_right(x, module, f"{value.__qualname__}.{method}"):
                yield f"{value.__qualname__}.{method}"


def _is_right(value: Any, module: ModuleType, name: str) -> bool:
    """(2): whether what stands by that name was defined so there, or comes from a known place."""
    value = _function_in(value)
    is_defined = f"{_file_of_module(module.__name__)}:{name}" in TEXTS
    if isinstance(value, ModuleType):
        return _is_known(value.__name__)
    if not isinstance(value, FunctionType):
        if is_defined and "." in name:  # of a class the methods alone are in TEXTS
            return False
        kind = value if isinstance(value, type) else type(value)
        known = kind.__module__ in TYPES if is_defined else _is_known(kind.__module__)
        return not callable(value) or known or _root(kind.__module__) == __package__
    chain = _chain(value)
    if not all(_is_known(one.__globals__.get("__name__")) for one in chain):
        return False
    if not is_defined:
        return True
    return chain[-1].__globals__ is vars(module) and chain[-1].__qualname__ == name


def _function_in(value: Any) -> Any:
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    if isinstance(value, property):
        return value.fget
    if isinstance(value, functools.cached_property):
        return value.func
    return value.__wrapped__ if isinstance(value, functools._lru_cache_wrapper) else value


def _chain(function: Any) -> list[Any]:
    """A function, and what it wraps, to the innermost."""
    chain = [function]
    while hasattr(chain[-1], "__wrapped__"):
        chain.append(chain[-1].__wrapped__)
    return chain


def _names(code: CodeType) -> set[str]:
    """The names that code reads, also within what it defines."""
    inner = (_names(x) for x in code.co_consts if isinstance(x, CodeType))
    return set(code.co_names).union(*inner)


def _root(name: Any) -> str:
    return str(name).partition(".")[0]


def _is_known(name: Any) -> bool:
    """Whether a module is of this package, of Python or NumPy."""
    return _root(name) == __package__ or _root(name) in OTHERS


def is_of_package(function: Any) -> bool:
    """Whether it is a function that reads the names of a module of this package."""
    return (
        isinstance(function, FunctionType)
        and _root(function.__globals__.get("__name__")) == __package__
    )


def _file_of(function: FunctionType) -> str:
    return _file_of_module(function.__globals__["__name__"])


@functools.cache
def _file_of_module(name: str) -> str:
    file = name.removeprefix(f"{__package__}.").replace(".", "/")
    return f"{file}/__init__.py" if f"{file}/__init__.py" in FILES else f"{file}.py"


def write() -> None:
    """fingerprints.py for the text as it is now."""
    files = sorted(
        path.relative_to(PACKAGE).as_posix()
        for room in ROOMS
        for path in (PACKAGE / room).glob("*.py")
    )
    files += [file for file in BESIDE if (PACKAGE / file).exists()]
    lines = [
        '"""The text of the textbook as it was published; see sources.py, which writes this."""',
        "",
    ]
    lines += ["FILES = {", *(f'    "{file}": "{_digest_of(file)}",' for file in files), "}"]
    digests = {f"{file}:{name}": x for file in files for name, x in _texts(file).items()}
    lines += ["TEXTS = {", *(f'    "{name}": "{x}",' for name, x in digests.items()), "}"]
    write_whole(PACKAGE / "fingerprints.py", "\n".join([*lines, ""]).encode())


if __name__ == "__main__":
    write()

"""A function that was replaced while the program ran must count, so replaced functions are found.

A recorded step runs again without the Python that was read (train/replay.py), and a kernel's loop
runs in the place of its formula (kernels/formulas.py). Both are right only for the functions that
they were derived from. fingerprints.py finds edits of their text. A function that was put in the
place of another comes from elsewhere:

    a function knows its name, and the module whose names it reads                       (1)

A formula is more than its own text. It is as it was published if all functions and constants that
it reaches by name are, and stand where they stood                                       (2)
"""

import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from . import fingerprints
from .digests import FILES, TEXTS

PACKAGE = __name__.split(".")[0]
OTHERS = sys.stdlib_module_names | {"numpy"}  # whose functions the textbook has among its names
TYPES = ("typing", "types", "collections.abc")  # whose objects are callable, but never called


def replaced() -> list[str]:
    """The names in the textbook, such as `Dense.forward`, of functions from elsewhere; (1)."""
    return [name for module in _modules() for name in _replaced_in(module)]


class Names:
    """A snapshot: the objects that the names in the textbook's modules and classes refer to."""

    def __init__(self) -> None:
        spaces = (space for module in _modules() for space in _spaces(module))
        self._views = [space.values() for space in spaces]
        self._values = list(map(list, self._views))

    def are_as_before(self) -> bool:
        """Whether the names still refer to the same objects; takes some 0.02 ms."""
        return _are_same(list(map(list, self._views)), self._values)

    def are_like(self, other: "Names | None") -> bool:
        """Whether the other snapshot has the same objects, and as many."""
        return other is not None and _are_same(self._values, other._values)


def _are_same(a: list[list[Any]], b: list[list[Any]]) -> bool:
    try:
        return a == b  # identical objects are not compared
    except Exception:  # arrays, for example, have no single truth value
        return False


def is_published(*functions: Callable[..., Any], kind: type | None = None) -> bool:
    """Whether formulas are as they were published, by (2); `kind` has them as methods.

    The answer is cached until a name that the formula reads refers to another object, or
    `fingerprints.edited` has seen a file change.
    """
    if (answer := _answers.get((functions, kind))) is None:
        answer = _answers[functions, kind] = Answer(functions, kind)
    return answer.holds()


class Answer:
    """The cached answer of `is_published` for some formulas."""

    def __init__(self, functions: tuple[Callable[..., Any], ...], kind: type | None) -> None:
        self._functions, self._kind = functions, kind
        self._version, self._holds = -1, False
        self._globals: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._methods: dict[str, Any] = {}

    def holds(self) -> bool:
        """Whether they are as they were published."""
        version, edited = fingerprints.last_look()
        if self._version != version or not self._are_names_as_before():
            self._globals, self._methods = {}, {}
            self._version, self._holds = version, self._look(edited)
        return self._holds

    def _are_names_as_before(self) -> bool:
        for scope, name, x in self._globals.values():
            if scope.get(name) is not x:
                return False
        return all(getattr(self._kind, name, None) is x for name, x in self._methods.items())

    def _look(self, edited: list[str]) -> bool:
        todo: list[Any] = list(self._functions)
        seen = set()
        changed = {file: fingerprints.changed_in(file) for file in edited}
        top_level = {name for names in changed.values() for name in names if "." not in name}
        while todo:
            function, *wrapped = _chain(todo.pop())
            if not all(map(is_of_package, (function, *wrapped))):
                return False
            function = wrapped[-1] if wrapped else function
            file, names = _file_of(function), _names(function.__code__)
            if function in seen or file not in FILES:
                continue
            seen.add(function)
            if function.__qualname__ in changed.get(file, ()) or not top_level.isdisjoint(names):
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
        """The functions that the function reads: where each is looked up, and its name."""
        scope = function.__globals__
        spaces = [scope, *([self._kind] if self._kind else [])]
        modules = [scope[name] for name in names if isinstance(scope.get(name), ModuleType)]
        spaces += [vars(module) for module in modules if _root(module.__name__) == PACKAGE]
        for where, name in itertools.product(spaces, sorted(names)):
            value = _at(where, name)
            if callable(value) and not isinstance(value, type):
                yield where, name


_answers: dict[Any, Answer] = {}


def _at(where: Any, name: str) -> Any:
    """The object of that name in a class, or among the globals of a module."""
    return getattr(where, name, None) if isinstance(where, type) else where.get(name)


def _is_in_place(value: Any, where: Any, name: str) -> bool:
    """(1), for the object that a function finds by that name."""
    if isinstance(where, type):
        where = next(kind for kind in where.__mro__ if name in vars(kind))
        module, name = sys.modules[where.__module__], f"{where.__qualname__}.{name}"
    else:
        module = sys.modules[where["__name__"]]
    return _is_right(value, module, name)


def _modules() -> list[ModuleType]:
    files = (file.removesuffix(".py").removesuffix("/__init__") for file in FILES)
    names = (f"{PACKAGE}.{file.replace('/', '.')}" for file in files)
    return [sys.modules[name] for name in names if name in sys.modules]


def _spaces(module: ModuleType) -> Iterator[Any]:
    """The names of a module, and of each class in it."""
    yield vars(module)
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield vars(value)


def _replaced_in(module: ModuleType) -> Iterator[str]:
    for name, value in list(vars(module).items()):
        if not name.isidentifier():  # pytest adds such names, which no code can read
            continue
        if not isinstance(value, type) or value.__module__ != module.__name__:
            if not _is_right(value, module, name):
                yield f"{module.__name__.removeprefix(f'{PACKAGE}.')}.{name}"
            continue
        for method, x in list(vars(value).items()):
            if not _is_right(x, module, f"{value.__qualname__}.{method}"):
                yield f"{value.__qualname__}.{method}"


def _is_right(value: Any, module: ModuleType, name: str) -> bool:
    """(1): whether the object was defined there by that name, or comes from a known module."""
    value = _function_in(value)
    is_defined = name in TEXTS.get(_file_of_module(module.__name__), ())
    if isinstance(value, ModuleType):
        return _is_known(value.__name__)
    if not isinstance(value, FunctionType):
        if is_defined and "." in name:  # TEXTS has only the methods of a class
            return False
        kind = value if isinstance(value, type) else type(value)
        known = kind.__module__ in TYPES if is_defined else _is_known(kind.__module__)
        return not callable(value) or known or _root(kind.__module__) == PACKAGE
    chain = _chain(value)
    if not all(_is_known(link.__globals__.get("__name__")) for link in chain):
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
    """A function, and the functions that it wraps, to the innermost."""
    chain = [function]
    while hasattr(chain[-1], "__wrapped__"):
        chain.append(chain[-1].__wrapped__)
    return chain


def _names(code: CodeType) -> set[str]:
    """The names that code reads, including functions defined within it."""
    inner = (_names(x) for x in code.co_consts if isinstance(x, CodeType))
    return set(code.co_names).union(*inner)


@functools.cache
def _root(name: Any) -> str:
    """`numpy` for `numpy.linalg`."""
    return str(name).partition(".")[0]


def _is_known(name: Any) -> bool:
    """Whether a module belongs to this package, to Python or to NumPy."""
    return _root(name) == PACKAGE or _root(name) in OTHERS


def is_of_package(function: Any) -> bool:
    """Whether it is a function that reads the names of a module of this package."""
    return (
        isinstance(function, FunctionType)
        and _root(function.__globals__.get("__name__")) == PACKAGE
    )


def _file_of(function: FunctionType) -> str:
    return _file_of_module(function.__globals__["__name__"])


@functools.cache
def _file_of_module(name: str) -> str:
    file = name.removeprefix(f"{PACKAGE}.").replace(".", "/")
    return f"{file}/__init__.py" if f"{file}/__init__.py" in FILES else f"{file}.py"

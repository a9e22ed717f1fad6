"""The user's own objects, as the command line names them: `layers:Scale`, `layers:make()`.

The module is imported with the current folder first on the path, as `python -m` does. An error in
it is reported with its file and line.
"""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..gradcheck.pairs.exception_texts import exception_text
from ..ground.arguments import nearest
from ..ground.errors import FileError, OptionError


def find(word: str) -> list[Any]:
    """The objects that `module:name`, `module:name,name` or `module:name()` names.

    Raises OptionError if there is no such module or name, FileError if the module, or the function
    to call, raises.
    """
    module_name, colon, names = word.partition(":")
    expect_no_file(module_name, f":{names or 'NAME'}")
    if not (module_name and colon and names):
        raise OptionError(f"{word!r}: wants a module and a name in it, as layers:Scale")
    module = import_module(module_name)
    return [_named(module, name.strip()) for name in names.split(",")]


def expect_no_file(name: str, rest: str) -> None:
    """OptionError if the name is that of a file, which names the module plus `rest` instead."""
    if name.endswith(".py") or "/" in name or os.sep in name:
        module = ".".join(Path(name).with_suffix("").parts)
        raise OptionError(f"{name!r} is a file: wants its module, {module}{rest}")


def import_module(name: str) -> ModuleType:
    """The user's module of that name, imported if it was not yet.

    Raises OptionError if there is no such module, FileError if it raises.
    """
    expect_no_file(name, "")
    if sys.path[:1] != [os.getcwd()]:
        sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()
    try:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ModuleNotFoundError(name=name)
        return importlib.import_module(name)
    except SyntaxError as problem:
        line = f": {problem.text.strip()}" if problem.text else ""
        file = Path(problem.filename or "?").name
        raise FileError(
            f"importing {name} raised {type(problem).__name__}: {problem.msg}, in line "
            f"{problem.lineno} of {file}{line}"
        ) from problem
    except ModuleNotFoundError as problem:
        if not f"{name}.".startswith(f"{problem.name}."):
            raise FileError(exception_text(problem, f"importing {name}")) from problem
        raise OptionError(
            f"there is no module {name} in {os.getcwd()} or on Python's path: go to the folder "
            f"that {name.replace('.', '/')}.py is in, or install it"
        ) from problem
    except (Exception, SystemExit) as problem:
        raise FileError(exception_text(problem, f"importing {name}")) from problem


def _named(module: ModuleType, name: str) -> Any:
    """The module's object of that name, or what it returns if the name ends in ()."""
    value: Any = module
    for part in name.removesuffix("()").split("."):
        if not hasattr(value, part):
            known = [attribute for attribute in dir(value) if not attribute.startswith("_")]
            file = f" ({module.__file__})" if getattr(module, "__file__", None) else ""
            raise OptionError(
                f"the module {module.__name__}{file} has no {name!r}{nearest(part, known)}"
            )
        value = getattr(value, part)
    return call(value, f"{module.__name__}:{name}") if name.endswith("()") else value


def call(make: Callable[[], Any], word: str) -> Any:
    """What `make` returns when it is called without arguments; FileError if it raises."""
    if not callable(make):
        raise OptionError(f"{word}: the object of that name cannot be called: leave the () out")
    try:
        return make()
    except (Exception, SystemExit) as problem:
        shown = word.removesuffix("()").rpartition(":")[2] + "()"
        raise FileError(exception_text(problem, shown)) from problem

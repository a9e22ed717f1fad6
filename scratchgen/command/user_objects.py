"""What a word of the command line names in the user's own files: `layers:Scale`, `layers:make()`.

The module is imported with the current folder first on the path, as `python -m` does. What goes
wrong in it is told with its file and line.
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

    Raises OptionError where there is no such module or name, FileError where the module, or the
    function that was to be called, raises.
    """
    module_name, colon, names = word.partition(":")
    _expect_no_file(module_name, f":{names or 'NAME'}")
    if not (module_name and colon and names):
        raise OptionError(f"{word!r}: wants a module and a name in it, as layers:Scale")
    module = imported(module_name)
    return [_named(module, name.strip()) for name in names.split(",")]


def _expect_no_file(name: str, rest: str) -> None:
    if name.endswith(".py") or "/" in name or os.sep in name:
        module = ".".join(Path(name).with_suffix("").parts)
        raise OptionError(f"{name!r} is a file: wants its module, {module}{rest}")


def imported(name: str) -> ModuleType:
    """The user's module of that name, which is run if it has not been imported yet.

    Raises OptionError where there is no such module, FileError where it raises.
    """
    _expect_no_file(name, "")
    if sys.path[:1] != [os.getcwd()]:
        sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()
    try:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ModuleNotFoundError(name=name)
        return importlib.import_module(name)
    except SyntaxError as problem:
        line = f": {problem.text.strip()}" if problem.text else ""
        where = Path(problem.filename or "?").name
        raise FileError(
            f"importing {name} raised {type(problem).__name__}: {problem.msg}, in line "
            f"{problem.lineno} of {where}{line}"
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
    """What the module has by that name; called, where the name ends in ()."""
    value: Any = module
    for part in name.removesuffix("()").split("."):
        if not hasattr(value, part):
            known = [one for one in dir(value) if not one.startswith("_")]
            where = f" ({module.__file__})" if getattr(module, "__file__", None) else ""
            raise OptionError(
                f"the module {module.__name__}{where} has no {name!r}{nearest(part, known)}"
            )
        value = getattr(value, part)
    return made(value, f"{module.__name__}:{name}") if name.endswith("()") else value


def made(make: Callable[[], Any], word: str) -> Any:
    """What `make` gives when it is called without arguments; FileError where it raises."""
    if not callable(make):
        raise OptionError(f"{word}: what has that name cannot be called: leave the () out")
    try:
        return make()
    except (Exception, SystemExit) as problem:
        call = word.removesuffix("()").partition(":")[2] + "()"
        raise FileError(exception_text(problem, call)) from problem

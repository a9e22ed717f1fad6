"""Compiling takes seconds, so compiled kernels are kept on disk until their sources change.

    folder = <cache home>/scratchgen/<hash of all loops' sources, numba, the CPU>        (1)

numba's own cache looks only at the file of the function that is compiled, and would miss a change
in a function called from there. With (1), other sources, another numba or another CPU have another
folder. The sources are the files of kernels/ and the others of this package that hold loops: an
edit of a file without loops, such as nn/dense.py, compiles nothing. For a loop of a user's own, its
file counts as well, and so do those of the functions that it calls.

The cache home is NUMBA_CACHE_DIR, or XDG_CACHE_HOME, or ~/.cache (on Windows LOCALAPPDATA). If it
cannot be written, a private folder in the temporary directory takes its place:

    <temporary directory>/scratchgen-<user's number>, of that user, closed to all others      (2)

Whoever can write to (2) could make a program run their code, so a folder by that name that somebody
else made is not used. Without any folder kernels are compiled in every process; a kernel whose file
is damaged is compiled again.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import re
import stat
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numpy as np

from ...ground.errors import FileError
from ...ground.versions import __version__
from ...ground.writing import write_atomically
from .. import caches
from ..fingerprints import ROOMS
from . import blocks, target

KERNELS = Path(__file__).parent.parent
PACKAGE = KERNELS.parent
DIGITS = 20
SUFFIX = ".kernel"
SIZE = 32  # bytes of the digest with which a file begins
THREADS = "NUMBA_NUM_THREADS"
LAYER = {"NUMBA_THREADING_LAYER", "NUMBA_THREADING_LAYER_PRIORITY"}
# numba's variables that do not change its code, or are in (1) by themselves
NO_SETTINGS = {"NUMBA_CACHE_DIR", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", THREADS, *LAYER}
CONSTANTS = (bool, int, float, complex, str, np.generic, tuple)  # of names that loops read
MARKS = re.compile(rb"^@(kernels\.)?(loop_of|loops_of|helper|by_dtype|rounded)\b", re.MULTILINE)


@functools.cache
def folder() -> Path | None:
    """The folder of the compiled kernels; None if no place has any, or can be written."""
    for home in (_home, _private):
        try:
            path = home() / "scratchgen" / _key()
            path.mkdir(parents=True, exist_ok=True)
            if not any(path.glob(f"*{SUFFIX}")):  # with kernels it may be read-only, as in an image
                tempfile.TemporaryFile(dir=path).close()
        except (OSError, RuntimeError):  # RuntimeError if the user has no home
            continue
        return path
    return None


def _home() -> Path:
    """The cache home: the folder that a variable names, or the user's."""
    names = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", *["LOCALAPPDATA"] * (sys.platform == "win32"))
    given = next(filter(None, map(os.environ.get, names)), None)
    return Path(given) if given else Path.home() / ".cache"


def _private() -> Path:
    """(2), created if it is missing; PermissionError if others may enter it."""
    if sys.platform == "win32":  # each user has a temporary directory of their own
        return Path(tempfile.gettempdir())
    path, user = Path(tempfile.gettempdir(), f"scratchgen-{os.getuid()}"), os.getuid()
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()  # of a symbolic link itself, not of its target
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == user
    if not mine or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path} is not a folder of this user's alone")
    return path


def sources() -> dict[str, bytes]:
    """The files that compiled loops depend on, and their text."""
    texts = _texts("*.py")
    if not texts:  # only Python's bytecode was installed
        texts = _texts("*.pyc")
        return {path.relative_to(PACKAGE).as_posix(): text for path, text in texts.items()}
    return {
        path.relative_to(PACKAGE).as_posix(): text
        for path, text in texts.items()
        if path.is_relative_to(KERNELS) or MARKS.search(text)
    }


def _texts(pattern: str) -> dict[Path, bytes]:
    """The files of the rooms where loops may stand, and their text."""
    rooms = (PACKAGE / room for room in ("kernels", *ROOMS))
    return {path: path.read_bytes() for room in rooms for path in sorted(room.rglob(pattern))}


def _key() -> str:
    """The hash in (1)."""
    hashed = hashlib.sha256()
    for name, source in sources().items():
        hashed.update(f"{name} {len(source)} ".encode() + source)
    hashed.update(_numba_version())
    numba = sorted(pair for pair in os.environ.items() if pair[0].startswith("NUMBA_"))
    settings = [pair for pair in numba if pair[0] not in NO_SETTINGS]
    # our own version counts where no sources are there, as in an application in one file
    python = sys.implementation.cache_tag, blocks.HEADER  # which free threads make longer
    versions = __version__, llvmlite.__version__, np.__version__, *python
    cpu = target.name(), target.features(), target.BITS, caches.L1, caches.L2
    hashed.update(repr((versions, cpu, settings)).encode())
    return hashed.hexdigest()[:DIGITS]


@functools.cache
def _numba_version() -> bytes:
    """The text of the file that names it: importing numba takes longer than loading kernels."""
    spec = importlib.util.find_spec("numba")
    if spec is None or not spec.origin:
        return b""
    path = Path(spec.origin).with_name("_version.py")
    if path.exists():
        return path.read_bytes()
    import numba

    return numba.__version__.encode()


def numba_has_compiled() -> bool:
    """Whether the folder has kernels that this numba compiled: it works, and need not be imported.

    False if there are settings of numba that it has to look at itself, as they may forbid it to
    compile.
    """
    names = {name for name, value in os.environ.items() if name.startswith("NUMBA_") and value}
    if names - NO_SETTINGS or Path(".numba_config.yaml").exists():
        return False
    if THREADS in names and not os.environ[THREADS].strip("0").isdecimal():
        return False  # numba refuses 0
    place = folder()
    return place is not None and next(place.glob(f"*{SUFFIX}"), None) is not None


def name_of(loop: Callable[..., Any], kinds: Any) -> str:
    """The name of the file of a loop for arguments of those kinds."""
    hashed = hashlib.sha256(repr(kinds).encode())
    for words in _words(loop, set()):
        hashed.update(words)
    return f"{loop.__module__.rpartition('.')[2]}.{loop.__name__}-{hashed.hexdigest()[:DIGITS]}"


def _words(function: Any, seen: set[Any]) -> Iterator[bytes]:
    """What a function's machine code depends on, beside the sources in (1).

    That is its code and the values of its names, which numba takes as constants, and likewise the
    functions of other files that it calls.
    """
    seen.add(function)
    code = function.__code__
    yield repr(_text_of(code)).encode()
    if not _is_ours(function):
        yield _text(Path(code.co_filename))
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, np.ndarray):
            yield f"{name} {value.dtype.str} {value.shape}".encode() + value.tobytes()
        elif isinstance(value, CONSTANTS):
            yield f"{name} {value!r}".encode()
        # the functions of a ByDtype, and that of a function compiled by numba
        for attribute in ("double", "single", "py_func"):
            called = getattr(value, attribute, value)
            if isinstance(called, types.FunctionType) and called not in seen:
                yield from () if _is_ours(called) else _words(called, seen)


def _text_of(code: types.CodeType) -> tuple[Any, ...]:
    """The code, without what differs in each process."""
    constants = [_text_of(x) if isinstance(x, types.CodeType) else x for x in code.co_consts]
    return code.co_filename, code.co_names, code.co_varnames, constants, code.co_code


def _is_ours(function: Any) -> bool:
    return Path(function.__code__.co_filename).is_relative_to(PACKAGE)


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # code typed at a prompt has no file
        return b""


def read(name: str) -> bytes | None:
    """The object file by that name; None if it is missing or damaged."""
    place = folder()
    try:
        text = (place / f"{name}{SUFFIX}").read_bytes() if place else b""
    except OSError:
        return None
    digest, code = text[:SIZE], text[SIZE:]
    return code if code and digest == _digest(name, code) else None


def write(name: str, code: bytes) -> None:
    """Keep an object file, at once and whole: other processes may read and write it meanwhile."""
    place = folder()
    if place is None:
        return
    with contextlib.suppress(FileError):  # a full disk, a folder that was removed
        write_atomically(place / f"{name}{SUFFIX}", _digest(name, code) + code)


def _digest(name: str, code: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b" " + code).digest()

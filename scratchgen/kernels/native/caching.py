"""Compiling takes seconds, so compiled kernels are kept on disk until their sources change.

    folder = <cache home>/scratchgen/<hash of all loops' sources, numba, the CPU>        (1)

Numba itself looks only at the file of the function that it compiles, and would miss a change in a
function called from there. With (1) other sources, another numba or another CPU have another
folder. The sources are the files of kernels/ and the others of this package that hold loops: an
edit of a file without loops, such as nn/dense.py, compiles nothing. For a loop of a user's own, its
file counts as well.

The cache home is NUMBA_CACHE_DIR, or XDG_CACHE_HOME, or ~/.cache (on Windows LOCALAPPDATA). If it
cannot be written, a private folder in the temporary directory takes its place:

    <temporary directory>/scratchgen-<user's number>, of that user, closed to all others      (2)

Whoever can write there could make a program run their code, so a folder by that name that somebody
else made is not used. Without any folder kernels are compiled in every process; a kernel whose file
is damaged is compiled again.
"""

import contextlib
import functools
import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching

from .. import caches
from ..fingerprints import ROOMS
from . import target

KERNELS = Path(__file__).parent.parent
PACKAGE = KERNELS.parent
DIGITS = 20
MARKS = re.compile(rb"^@(kernels\.)?(loop_of|loops_of|helper|by_dtype|rounded)\b", re.MULTILINE)


@functools.cache
def folder() -> Path | None:
    """The folder of the compiled kernels; None if no place can be written."""
    for home in (_home, _private):
        try:
            path = home() / "scratchgen" / _key()
            path.mkdir(parents=True, exist_ok=True)
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
    cpu = target.name(), target.features(), str(target.BITS)
    sizes = str(caches.L1), str(caches.L2)
    for word in (numba.__version__, llvmlite.__version__, *cpu, *sizes):
        hashed.update(word.encode())
    return hashed.hexdigest()[:DIGITS]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:DIGITS]


class _Locator(caching._CacheLocator):
    """Tells numba's cache where to look."""

    def __init__(self, file: str) -> None:
        self._py_file = file
        self._is_ours = Path(file).is_relative_to(PACKAGE)

    def get_cache_path(self) -> str:
        return str(folder())

    def get_source_stamp(self) -> str:
        return (
            "" if self._is_ours else _digest(self._text())
        )  # for our files the folder is the stamp

    def get_disambiguator(self) -> str:
        return "kernel" if self._is_ours else _digest(self._py_file.encode())

    def _text(self) -> bytes:
        try:
            return Path(self._py_file).read_bytes()
        except OSError:  # code typed at a prompt has no file
            return b""

    @classmethod
    def from_function(cls, _function: Callable[..., Any], file: str) -> "_Locator | None":
        return cls(file) if folder() else None


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class KernelCache(caching.FunctionCache):
    """Numba's cache of a function, in (1); a file that cannot be read or written is no error."""

    _impl_class = _Implementation
    on_miss: Callable[[], None] = staticmethod(lambda: None)  # called before a compilation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
            if found is not None and found.signature.args != tuple(sig):
                found = None  # two processes wrote the file at the same time
        except Exception:  # a damaged file can fail in as many ways as there are bytes
            found = None
            with contextlib.suppress(OSError):
                self.flush()  # forgotten, and written again
        if found is None:
            type(self).on_miss()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk, a folder that was removed
            self.disable()

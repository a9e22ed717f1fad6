"""Opening what a user names for reading: a file, a pipe, or standard input.

A file is opened directly. A pipe can be read only once and has no size, so it is read into memory,
provided that it begins like a wanted format. Nothing here waits for a program that does not exist;
devices, sockets and folders are refused.
"""

import io
import os
import selectors
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from .arguments import user_path
from .errors import FileError

STANDARD_INPUT = "-"
MOST_PIPED = 2**30  # bytes read from a pipe
LONGEST_SILENCE = 60.0  # seconds to wait for the program at the other end of a pipe
BLOCK = 2**20  # bytes
REFUSED = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


class Opened(NamedTuple):
    """An opened input: a seekable stream, its size in bytes, and its name for errors."""

    stream: IO[bytes]
    size: int
    name: str


def open_named(named: str | os.PathLike[str], starts: Iterable[bytes], wanted: str) -> Opened:
    """Open the file or pipe called `named`, or standard input for "-".

    A pipe is read further than its beginning only if it begins with one of `starts`. Raises
    FileError, which names what is `wanted`, for anything missing, unreadable or silent.
    """
    starts = tuple(starts)
    if _is_standard_input(named):
        return _standard_input(starts, wanted)
    path = user_path(named)
    try:
        _expect_readable(path.stat().st_mode, str(path), wanted)
        stream: Any = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 # the caller closes it
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode):
            return Opened(stream, os.fstat(stream.fileno()).st_size, str(path))
        with stream:
            _expect_readable(mode, str(path), wanted)
            return _piped(stream.fileno(), starts, str(path), wanted)
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(f"there is no file {path}: wants {wanted}") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise FileError(f"{path} cannot be read ({reason}): wants {wanted}") from problem


def is_there(named: str | os.PathLike[str]) -> bool:
    """Whether something of that name exists; standard input always does."""
    try:
        return _is_standard_input(named) or user_path(named).exists()
    except PermissionError:  # opening it will raise a better error
        return True
    except (OSError, ValueError):  # a name that no file can have
        return False


def is_folder(named: str | os.PathLike[str]) -> bool:
    """Whether that is a folder; False if it cannot be looked at."""
    try:
        return not _is_standard_input(named) and user_path(named).is_dir()
    except (OSError, ValueError):
        return False


def can_be_read_again(named: str | os.PathLike[str]) -> bool:
    """Whether it can be read a second time: not a pipe, and not standard input."""
    try:
        return not _is_standard_input(named) and not user_path(named).is_fifo()
    except (OSError, ValueError):
        return True


def title(named: str | os.PathLike[str]) -> str:
    """The name of `named` without its folder, for texts."""
    return "standard input" if _is_standard_input(named) else Path(named).name


def _is_standard_input(named: str | os.PathLike[str]) -> bool:
    return os.fspath(named) == STANDARD_INPUT


def _without_waiting(path: str, flags: int) -> int:
    """Open without blocking on a pipe that nobody writes into; a file opens normally."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _expect_readable(mode: int, name: str, wanted: str) -> None:
    kind = REFUSED.get(stat.S_IFMT(mode))
    if kind is not None:
        raise FileError(f"{name} is {kind}: wants {wanted}")


def _standard_input(starts: tuple[bytes, ...], wanted: str) -> Opened:
    name = "standard input"
    try:
        handle = sys.stdin.fileno()
        mode = os.fstat(handle).st_mode
    except (
        AttributeError,
        OSError,
        ValueError,
    ):  # missing, closed, or replaced by an object without a descriptor
        raise FileError(f"{name} is closed: wants {wanted}, or its path in place of -") from None
    if not stat.S_ISSOCK(mode):  # some programs connect a socket in place of a pipe
        _expect_readable(mode, name, f"{wanted}, from a pipe or with <")
    return _piped(handle, starts, name, wanted)


def _piped(handle: int, starts: tuple[bytes, ...], name: str, wanted: str) -> Opened:
    """The content of a pipe if it begins with one of `starts`, else only its beginning."""
    longest, data = max(map(len, starts)), io.BytesIO()
    while block := _block(handle, name, begun=data.tell() > 0):
        data.write(block)
        size = data.tell()
        if size >= longest and not bytes(data.getbuffer()[:longest]).startswith(starts):
            break
        if size > MOST_PIPED:
            raise FileError(
                f"more than {MOST_PIPED:,} bytes came through {name}: write them into a file, and "
                f"give its name"
            )
    size = data.tell()
    if not size:
        raise FileError(f"nothing came through {name}, no program writes into it: wants {wanted}")
    data.seek(0)
    return Opened(data, size, name)


def _block(handle: int, name: str, begun: bool) -> bytes:
    """The next bytes of a pipe; b"" once no program has it open for writing."""
    while True:
        with suppress(BlockingIOError):
            return os.read(handle, BLOCK)
        with selectors.DefaultSelector() as waiting:
            waiting.register(handle, selectors.EVENT_READ)
            ready = waiting.select(LONGEST_SILENCE)
        if not ready:
            came = "no more" if begun else "nothing"
            raise FileError(
                f"{came} has come through {name} for {LONGEST_SILENCE:.0f} seconds, though a "
                f"program holds it open: end that program, and write its output into a file"
            )


__all__ = ["Opened", "can_be_read_again", "is_folder", "is_there", "open_named", "title"]

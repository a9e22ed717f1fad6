"""Files are written atomically: a reader finds the old content or the new, never a part.

    the bytes are written to a temporary file in the same folder, and synced to the disk      (1)
    the temporary file replaces the old one, in one step                                      (2)

Whatever fails before (2), Ctrl-C included, leaves the old file unchanged and no temporary file. If
two processes write the same file, the later one wins.

A symbolic link stays a link: the file that it points to is written, whether it exists or not. A
file that is replaced keeps its mode, and its owner if that is allowed; a read-only file is not
written. A second hard link to it keeps the old content. Devices and pipes are written into, not
replaced (3).
"""

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

from .arguments import user_path
from .errors import FileError, KindError, cut

PathLike = str | os.PathLike[str]


def write_atomically(path: PathLike, data: bytes | memoryview) -> None:
    """Write `data` to a path; FileError, with the reason, if that fails."""
    with whole_file(path) as stream:
        stream.write(data)


@contextmanager
def whole_file(path: PathLike) -> Iterator[IO[bytes]]:
    """A context manager that gives a binary stream; at its end the content becomes the file.

    If the block raises, nothing is written. Raises FileError, with the reason, if the path cannot
    be written.
    """
    expect_path(path)
    try:
        with _opened(user_path(path)) as stream:
            yield stream
    except FileError:
        raise
    except OSError as problem:
        raise FileError(f"{path} cannot be written{_reason(problem)}") from problem


def expect_path(path: object) -> None:
    """KindError for what is no path."""
    if not isinstance(path, str | os.PathLike):
        raise KindError(f"{cut(repr(path))} is not a path: wants the name of a file")


def expect_writable(path: PathLike, advice: str) -> None:
    """FileError, with that advice, unless a file can be written at `path`; nothing is left there.

    Call it before a long computation whose result will be written.
    """
    expect_path(path)
    try:
        target = Path(os.path.realpath(user_path(path)))
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.is_file() and not _may_be_written(target):
            raise PermissionError(errno.EACCES, "it is read-only")
        if target.is_file() or not target.exists():  # devices and pipes are not tried out
            part = _beside(target)
            part.open("xb").close()
            part.unlink()
    except OSError as problem:
        raise FileError(f"{path} cannot be written ({problem.strerror}): {advice}") from problem
    except ValueError as problem:
        raise _no_name(path, problem) from problem


def _no_name(path: PathLike, problem: ValueError) -> FileError:
    return FileError(f"{str(path)!r} is not a name that a file can have: {problem}")


def _may_be_written(place: Path) -> bool:
    return os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _beside(target: Path) -> Path:
    """A new name in the same folder, of fixed length, as the target's own may be too long."""
    return target.with_name(f".part-{secrets.token_hex(8)}")


def _opened(place: Path) -> AbstractContextManager[IO[bytes]]:
    """A context manager that writes there, chosen by what is there now."""
    try:
        before = place.stat()
    except FileNotFoundError:
        return _replacing(place, None)
    except ValueError as problem:  # a NUL, or letters that the file system cannot encode
        raise _no_name(place, problem) from problem
    if stat.S_ISREG(before.st_mode):
        if not _may_be_written(place):
            raise FileError(f"{place} cannot be written, it is read-only: name another file")
        return _replacing(place, before)
    if stat.S_ISDIR(before.st_mode):
        raise FileError(f"{place} cannot be written, it is a folder: name a file in it")
    if stat.S_ISCHR(before.st_mode) or stat.S_ISFIFO(before.st_mode):
        return _into(place, is_pipe=stat.S_ISFIFO(before.st_mode))
    raise FileError(f"{place} cannot be written, it is a disk or a socket: name a file")


@contextmanager
def _replacing(place: Path, before: os.stat_result | None) -> Iterator[IO[bytes]]:
    target = Path(os.path.realpath(place))
    part = _beside(target)
    try:
        with part.open("xb") as stream:  # its mode follows the umask
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # (1)
        if before is not None:
            _keep_mode(part, before)
        part.replace(target)  # (2)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _keep_mode(part: Path, before: os.stat_result) -> None:
    """Give the new file the old one's owner, where that is allowed, and its mode."""
    now = part.stat()
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):
            os.chown(part, before.st_uid, before.st_gid)
    if now.st_mode != before.st_mode:
        part.chmod(stat.S_IMODE(before.st_mode))


@contextmanager
def _into(place: Path, is_pipe: bool) -> Iterator[IO[bytes]]:
    data = io.BytesIO()
    yield data
    try:
        # without O_NONBLOCK, opening a pipe that nobody reads would block
        descriptor = os.open(place, os.O_WRONLY | (os.O_NONBLOCK if is_pipe else 0))
    except OSError as problem:
        if is_pipe and problem.errno == errno.ENXIO:
            text = f"{place} is a pipe that nobody reads: start its reader first"
            raise FileError(text) from problem
        raise
    with open(descriptor, "wb") as stream:
        if is_pipe:
            os.set_blocking(descriptor, True)
        stream.write(data.getbuffer())  # (3)


def _reason(problem: OSError) -> str:
    """The reason and what to do about it."""
    if isinstance(problem, FileNotFoundError) and problem.filename:
        return f", there is no folder {Path(problem.filename).parent}: create it first"
    return f" ({problem.strerror or problem}): fix that, or choose another path"

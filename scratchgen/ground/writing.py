"""A file is written whole: whoever reads it finds all that was there before, or all that is new.

    a file beside it, under a name that nobody else has  <-  the bytes, as far as the disk      (1)
    the name                                             <-  that file, in one step             (2)

What goes wrong before (2), Ctrl-C too, leaves the old file as it was and nothing beside it. Of two
that write one file at once, the later has its way.

A symbolic link stays one, and the file that it points to is written, there or not. A file that is
written again keeps its mode, and its owner where that is allowed; one that is read-only is not
written. Where it had a second name, a hard link, that one keeps the old content. A device or a pipe
is never replaced by a file: it is written into (3).
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
from .errors import FileError, KindError

PathLike = str | os.PathLike[str]


def write_atomically(path: PathLike, data: bytes | memoryview) -> None:
    """Write `data` to a path; FileError, with the reason, where that cannot be done."""
    with whole_file(path) as stream:
        stream.write(data)


@contextmanager
def whole_file(path: PathLike) -> Iterator[IO[bytes]]:
    """A binary stream for a `with`, whose content is the file at `path` once the block has ended.

    A block that raises writes nothing. Raises FileError, with the reason, where the path cannot be
    written.
    """
    if not isinstance(path, str | os.PathLike):
        raise KindError(f"{path!r} is no path: wants the name of a file")
    try:
        with _opened(user_path(path)) as stream:
            yield stream
    except FileError:
        raise
    except OSError as problem:
        raise FileError(f"{path} cannot be written{_reason(problem)}") from problem


def expect_writable(path: PathLike, advice: str) -> None:
    """FileError, with that advice, unless a file can be written at `path`; nothing is left there.

    To be asked before there is anything to write, where what is to be written takes long.
    """
    target = Path(os.path.realpath(user_path(path)))
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.is_file() and not _may_be_written(target):
            raise PermissionError(errno.EACCES, "it is read-only")
        if target.is_file() or not target.exists():  # a device or a pipe is not tried for nothing
            part = _beside(target)
            part.open("xb").close()
            part.unlink()
    except OSError as problem:
        raise FileError(f"{path} cannot be written ({problem.strerror}): {advice}") from problem


def _may_be_written(place: Path) -> bool:
    return os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _beside(target: Path) -> Path:
    """A new name in the same folder, of fixed length: one as long as may be has room for it."""
    return target.with_name(f".part-{secrets.token_hex(8)}")


def _opened(place: Path) -> AbstractContextManager[IO[bytes]]:
    """The way to write there, by what is there now."""
    try:
        before = place.stat()
    except FileNotFoundError:
        return _replacing(place, None)
    except ValueError as problem:  # a NUL in the name, or what the file system cannot spell
        raise FileError(f"{str(place)!r} is no name for a file: {problem}") from problem
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
        with part.open("xb") as stream:  # its mode is what the umask leaves
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
        # a pipe that nobody reads would be waited for
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
    """What was wrong, and what to do."""
    if isinstance(problem, FileNotFoundError) and problem.filename:
        return f", there is no folder {Path(problem.filename).parent}: make it first"
    return f" ({problem.strerror or problem}): mend that, or name another place"

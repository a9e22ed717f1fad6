"""A run claims its folder before it writes, so that no two runs write into the same folder.

The claim is a file in the folder, locked by the operating system for the process. The lock ends
with the process, however that ends, and the next run takes over a file that was left behind. On a
file system without locks the file alone is the claim.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..ground.errors import FileError

NAME = ".training"
TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # errors that a locked file gives


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Within the `with` no other run can claim the folder.

    Raises FileError if another run has claimed it, or if it cannot be written.
    """
    path = folder / NAME
    try:
        file = _open_locked(path, folder)
    except OSError as problem:
        if isinstance(problem, FileError):
            raise
        raise FileError(
            f"the folder {folder} cannot be written ({problem.strerror}): name another with --out"
        ) from problem
    try:
        yield
    finally:
        is_ours = _is_at(file, path)  # the folder may have been moved away
        with contextlib.suppress(OSError):
            if is_ours and sys.platform != "win32":
                path.unlink()  # while it is locked; later it could be another run's
        os.close(file)
        with contextlib.suppress(OSError):
            if is_ours and sys.platform == "win32":
                path.unlink()  # Windows does not remove a file that is open, here or in another run


def _open_locked(path: Path, folder: Path) -> int:
    """The file of the claim, open and locked; a symbolic link is not followed."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    while True:
        try:
            file, is_new = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                file, is_new = os.open(path, flags), False
            except FileNotFoundError:
                continue  # its owner has just removed it
        try:
            _lock(file)
        except OSError as problem:
            is_taken = problem.errno in TAKEN
            if is_taken or not is_new:
                os.close(file)
                advice = "" if is_taken else f" (if none does, remove {path})"
                raise FileError(
                    f"another training writes into {folder}{advice}: name another folder with --out"
                ) from problem
        if _is_at(file, path):
            return file
        os.close(file)


def _lock(file: int) -> None:
    """Lock the open file, or raise OSError without waiting."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: int, path: Path) -> bool:
    """Whether the open file is still the file at that path."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False

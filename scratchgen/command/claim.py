"""A folder is claimed before a run writes into it, so that no two runs write into one.

The claim is a file in the folder, and a lock on it that the system holds for the process. It ends
with the process, however that ends: a file that was left behind is taken over. Where a file system
knows no locks, the file alone is the claim.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..ground.errors import FileError

NAME = ".training"
TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # what the systems say of a held lock


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Within it the folder is this run's alone.

    Raises FileError where it is another run's, or cannot be written.
    """
    path = folder / NAME
    try:
        file = _held(path, folder)
    except OSError as problem:
        if isinstance(problem, FileError):
            raise
        raise FileError(
            f"the folder {folder} cannot be written ({problem.strerror}): name another with --out"
        ) from problem
    try:
        yield
    finally:
        ours = _is_at(file, path)  # the folder may have been moved away
        with contextlib.suppress(OSError):
            if ours and sys.platform != "win32":
                path.unlink()  # before the lock ends, or it could be another run's
        os.close(file)
        with contextlib.suppress(OSError):
            if ours and sys.platform == "win32":
                path.unlink()  # Windows keeps files that are open, those of another run too


def _held(path: Path, folder: Path) -> int:
    """The file of the claim, open and locked; never one that a symbolic link points to."""
    only_here = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    while True:
        try:
            file, is_new = os.open(path, only_here | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                file, is_new = os.open(path, only_here), False
            except FileNotFoundError:
                continue  # whose it was has just removed it
        try:
            _lock(file)
        except OSError as problem:
            taken = problem.errno in TAKEN
            if taken or not is_new:
                os.close(file)
                sure = "" if taken else f" (if none does, remove {path})"
                raise FileError(
                    f"another training writes into {folder}{sure}: name another folder with --out"
                ) from problem
        if _is_at(file, path):
            return file
        os.close(file)


def _lock(file: int) -> None:
    """Lock the open file, or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: int, path: Path) -> bool:
    """Whether the open file is still the one of that path."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False

"""Printing lines whose text no terminal obeys, whatever names a user's files have.

A file may be called `\\x1b[2J`, which would clear a terminal. So a letter that cannot be printed is
shown as its escape, and a line stays one line.
"""

import contextlib
import os
import shlex
import string
import sys

from .errors import printable
from .tables import WIDTH


def shell_word(path: str | os.PathLike[str]) -> str:
    r"""A path as a word that can be pasted into a shell and that no command mistakes for an option.

    >>> print(shell_word("my run"), shell_word("--x"), shell_word("a\nb"))
    'my run' ./--x $'a\x0ab'
    """
    text = os.fspath(path)
    text = f"./{text}" if text.startswith("-") else text
    if text.isprintable():
        return shlex.quote(text)
    plain = set(map(ord, f"{string.ascii_letters}{string.digits}./-_ "))
    letters = (chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(text))
    return f"$'{''.join(letters)}'"


def to_stdout(*lines: object) -> None:
    """Print lines on stdout and flush it."""
    print("\n".join(map(printable, lines)), flush=True)


def give_up_stdout() -> None:
    """If stdout cannot be written, redirect it, so that Python does not try again at its end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def to_stderr(*lines: object) -> None:
    """Print lines on stderr; if that fails, nobody is reading them."""
    if sys.stderr is not None:  # print(file=None) would write to stdout
        with contextlib.suppress(OSError, ValueError):
            print("\n".join(map(printable, lines)), file=sys.stderr, flush=True)


def stderr_is_terminal() -> bool:
    """Whether stderr is a terminal; it may be closed, missing, or any object that can write."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def overwrite_line(text: str) -> None:
    """Print a line on a terminal's stderr that the next line will overwrite."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            line = printable(text)[:WIDTH]
            print(f"\r{line:{WIDTH}}", end="\r", file=sys.stderr, flush=True)

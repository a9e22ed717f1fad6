"""What is printed: lines in which nothing of a user's is obeyed by a terminal.

A file may have any name, and a terminal obeys some: `\\x1b[2J` would clear it. So a letter that
cannot be printed is shown as Python writes it, and a line is one line.
"""

import contextlib
import os
import shlex
import string
import sys

from .errors import printable
from .tables import WIDTH


def shell_word(path: str | os.PathLike[str]) -> str:
    r"""A path as a word that can be pasted into a shell, and that no command takes for an option.

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
    """Lines on stdout, at once."""
    print("\n".join(map(printable, lines)), flush=True)


def give_up_stdout() -> None:
    """Where stdout cannot be written: try it no more, nor when Python ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def to_stderr(*lines: object) -> None:
    """Lines on stderr; where they cannot be written, nobody needs them."""
    if sys.stderr is not None:  # print would take stdout
        with contextlib.suppress(OSError, ValueError):
            print("\n".join(map(printable, lines)), file=sys.stderr, flush=True)


def tell_over(text: str) -> None:
    """A line on stderr, which is a terminal, that the next one writes over."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            line = printable(text)[:WIDTH]
            print(f"\r{line:{WIDTH}}", end="\r", file=sys.stderr, flush=True)

"""All errors that scratchgen raises on purpose, in one tree.

    ScratchgenError
    ├── ShapeError         ValueError   an array, or a layer, whose shape does not fit
    ├── DataError          ValueError   values that cannot be used: none, NaN, out of range
    ├── KindError          TypeError    text, objects or complex numbers where numbers belong
    ├── OptionError        ValueError   an unknown name, or a value that a setting cannot have
    │   └── KeywordError   TypeError    an unknown keyword of a function or a class
    ├── TapeError          ValueError   a note or an argument that is missing on a tape
    ├── DivergedError      ValueError   a loss that is no longer a number
    ├── FileError          OSError      a file that is missing, broken, foreign or in the way
    └── MissingExtraError  ValueError   a missing optional package; also an ImportError

Warnings have a tree of their own:

    ScratchgenWarning
    └── ScaleWarning       UserWarning  data on a scale on which models learn little

An error says what came, what was wanted, and what to do. What came may be hostile, such as a name
of a million letters or one that controls a terminal, so the base class makes every text short and
printable.
"""

from typing import ClassVar

LONGEST_QUOTE = 80  # letters of a value that an error quotes
GAP = " ... "


def cut(text: object, most: int = LONGEST_QUOTE) -> str:
    """`text` in at most `most` printable letters; a longer text loses its middle.

    >>> cut("abcdefghijklmnopqrstuvwxyz", 15)
    'abcde ... vwxyz'
    >>> cut("red \\x1b[31m")
    'red \\\\x1b[31m'
    """
    text = _shortened(str(text), most)  # first: escaping a hostile text would be slow
    return _shortened(printable(text, but="\n"), most)


def printable(text: object, but: str = "") -> str:
    r"""The text with an escape for every letter that cannot be printed, except those in `but`.

    >>> print(printable("a\x1b[2J\nb"))
    a\x1b[2J\nb
    """
    return "".join(
        letter if letter.isprintable() or letter in but else ascii(letter)[1:-1]
        for letter in str(text)
    )


def _shortened(text: str, most: int) -> str:
    half = (most - len(GAP)) // 2
    return text if len(text) <= most else text[:half] + GAP + text[-half:]


class ScratchgenError(Exception):
    """The base class: `except ScratchgenError` catches all that scratchgen raises on purpose."""

    longest: ClassVar[int] = 600  # letters of its text

    def __init__(self, *args: object, **settings: object) -> None:
        readable = (cut(arg, self.longest) if isinstance(arg, str) else arg for arg in args)
        super().__init__(*readable, **settings)


class ShapeError(ScratchgenError, ValueError):
    """An array, or a layer, whose shape does not fit."""


class DataError(ScratchgenError, ValueError):
    """Values that cannot be used: none at all, NaN, infinity, or out of range."""


class KindError(ScratchgenError, TypeError):
    """Text, objects or complex numbers where real numbers belong."""


class OptionError(ScratchgenError, ValueError):
    """An unknown name, or a value that a setting cannot have."""


class KeywordError(OptionError, TypeError):
    """A keyword that a function or a class does not take."""


class TapeError(ScratchgenError, ValueError):
    """Something was read from a tape that its pass neither noted there nor was given."""


class DivergedError(ScratchgenError, ValueError):
    """The loss is no longer a number; `fit` has restored the last good weights."""


class FileError(ScratchgenError, OSError):
    """A file or folder that is missing, truncated, foreign, unsafe, or in the way."""


class MissingExtraError(ScratchgenError, ImportError, ValueError):
    """An optional package that is not installed; the text says how to install it."""


class ScratchgenWarning(UserWarning):
    """The base class of scratchgen's warnings."""


class ScaleWarning(ScratchgenWarning):
    """Data on a scale on which the models of this library learn little."""

"""Every error that scratchgen raises on purpose stands in one tree.

    ScratchgenError
    ├── ShapeError         ValueError   an array, or a layer, whose shape does not fit
    ├── DataError          ValueError   values nothing can be learnt from: none, NaN, out of range
    ├── KindError          TypeError    text, objects or complex numbers where numbers belong
    ├── OptionError        ValueError   a setting that has no such name or no such value
    │   └── KeywordError   TypeError    a keyword that a function or a class does not take
    ├── TapeError          ValueError   a note or an argument that a pass's tape does not hold
    ├── DivergedError      ValueError   a loss that stopped being a number
    ├── FileError          OSError      a file that is missing, broken, foreign or in the way
    └── MissingExtraError  ValueError   an optional package that is missing; also an ImportError

And what it warns of, in another:

    ScratchgenWarning
    └── ScaleWarning       UserWarning  data on a scale at which little can be learnt

The wording rule: an error says what came, what was wanted, and what to do. What came may be
hostile: a name of a million letters, or letters that write on a terminal. So every text is made
readable here, where all errors begin.
"""

from typing import ClassVar

LONGEST_QUOTE = 80  # letters of one thing that is quoted in it
GAP = " ... "


def cut(text: object, most: int = LONGEST_QUOTE) -> str:
    """`text` in at most `most` printable letters: what is too long loses its middle.

    >>> cut("abcdefghijklmnopqrstuvwxyz", 15)
    'abcde ... vwxyz'
    >>> cut("red \\x1b[31m")
    'red \\\\x1b[31m'
    """
    text = _shortened(str(text), most)  # first, because a hostile one is long
    return _shortened(printable(text, but="\n"), most)


def printable(text: object, but: str = "") -> str:
    r"""The text with every letter that cannot be printed, but for some, as its escape.

    >>> print(printable("a\x1b[2J\nb"))
    a\x1b[2J\nb
    """
    letters = (one if one.isprintable() or one in but else ascii(one)[1:-1] for one in str(text))
    return "".join(letters)


def _shortened(text: str, most: int) -> str:
    half = (most - len(GAP)) // 2
    return text if len(text) <= most else text[:half] + GAP + text[-half:]


class ScratchgenError(Exception):
    """The root: `except ScratchgenError` catches whatever scratchgen raises on purpose."""

    longest: ClassVar[int] = 600  # letters of its text

    def __init__(self, *args: object, **settings: object) -> None:
        readable = (cut(arg, self.longest) if isinstance(arg, str) else arg for arg in args)
        super().__init__(*readable, **settings)


class ShapeError(ScratchgenError, ValueError):
    """An array, or a layer, whose shape does not fit."""


class DataError(ScratchgenError, ValueError):
    """Values that nothing can be learnt from: none at all, NaN, infinity, or out of range."""


class KindError(ScratchgenError, TypeError):
    """Text, objects or complex numbers where real numbers belong."""


class OptionError(ScratchgenError, ValueError):
    """A setting that has no such name, or no such value."""


class KeywordError(OptionError, TypeError):
    """A keyword that is not one of a function's or a class's."""


class TapeError(ScratchgenError, ValueError):
    """Something was read off a tape that its pass neither noted on it nor was given."""


class DivergedError(ScratchgenError, ValueError):
    """The loss stopped being a number; `fit` has then restored the last good weights."""


class FileError(ScratchgenError, OSError):
    """A file or folder that is missing, truncated, foreign, unsafe, or in the way."""


class MissingExtraError(ScratchgenError, ImportError, ValueError):
    """An optional package that is not installed; the text says how to install it."""


class ScratchgenWarning(UserWarning):
    """The root of what scratchgen warns of."""


class ScaleWarning(ScratchgenWarning):
    """Data on a scale at which the models of this library learn little."""

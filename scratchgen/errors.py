"""Every error that scratchgen raises on purpose stands in one tree.

    ScratchgenError
    ├── ShapeError         ValueError   an array, or a layer, whose shape does not fit
    ├── DataError          ValueError   values nothing can be learnt from: none, NaN, out of range
    ├── KindError          TypeError    text, objects or complex numbers where numbers belong
    ├── OptionError        ValueError   a setting that has no such name or no such value
    ├── TapeError          ValueError   a note or an argument that a pass's tape does not hold
    ├── DivergedError      ValueError   a loss that stopped being a number
    ├── FileError          OSError      a file that is missing, broken, foreign or in the way
    └── MissingExtraError  ValueError   an optional package that is missing; also an ImportError

And what it warns of, in another:

    ScratchgenWarning
    └── ScaleWarning       UserWarning  data on a scale at which little can be learnt

The wording rule: an error says what came, what was wanted, and what to do.
"""


class ScratchgenError(Exception):
    """The root: `except ScratchgenError` catches whatever scratchgen raises on purpose."""


class ShapeError(ScratchgenError, ValueError):
    """An array, or a layer, whose shape does not fit."""


class DataError(ScratchgenError, ValueError):
    """Values that nothing can be learnt from: none at all, NaN, infinity, or out of range."""


class KindError(ScratchgenError, TypeError):
    """Text, objects or complex numbers where real numbers belong."""


class OptionError(ScratchgenError, ValueError):
    """A setting that has no such name, or no such value."""


class TapeError(ScratchgenError, ValueError):
    """Something was read off a tape that its pass neither noted on it nor was given."""


class DivergedError(ScratchgenError, ValueError):
    """The loss stopped being a number; `fit` has then restored the last good weights."""


class FileError(ScratchgenError, OSError):
    """A file or folder that is missing, truncated, foreign, unsafe, or in the way."""


class MissingExtraError(ScratchgenError, ImportError, ValueError):
    """An optional package that is not installed; the text names the extra that brings it."""


class ScratchgenWarning(UserWarning):
    """The root of what scratchgen warns of."""


class ScaleWarning(ScratchgenWarning):
    """Data on a scale at which the models of this library learn little."""

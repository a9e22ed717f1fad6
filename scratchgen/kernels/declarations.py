"""A kernel declares its operands in a line, in the letters of its docstring.

    x (M, D), rows (N,) int64 below M -> out (N, D)

Operands before the arrow are read, those after it are written. A letter is one size, wherever it
stands. The kernel allocates what it writes, and returns it, unless that is changed in place: then
it is an argument, as what is read. The other forms are

    (N, 2 Z)   (N, D + 1)   (N, K D)    sizes computed from others
    (N by 64,)                          the number of blocks of 64 that hold N
    (1+, D)                             at least one row
    (...)                               any shape, the same for all
    ()                                  a number, such as rate (): a float for the formula
    float64, int64, bool, int           a fixed dtype; all other operands share the kernel's float
    below M                             whole numbers from 0 to M - 1
    dividing D                          a whole number that divides D
    in place                            of a written operand: an argument, read and changed
    _terms (1+, D)                      scratch memory, a row for each part: a loop's last argument

What no check looks at, but the arguments of tests must have (cases.py):

    fractions, positive, spread         values in [0, 1), above 0, with no variance near 0
    classes K                           whole numbers 0 ... K - 1, as floats
"""

import re
from dataclasses import dataclass
from functools import cached_property

ANY_SHAPE = ("...",)
SOME_ROWS = "1+"
LETTER = re.compile(r"[A-Z]|\.\.\.")  # a size, or a shape
OPERANDS = re.compile(r"((?:\w+, )*\w+) \(([^)]*)\)((?: \w+)*)")  # x, y (N, D) int64 below M
CONDITIONS = ("below", "dividing")
VALUES = ("fractions", "positive", "spread", "classes")


@dataclass(frozen=True)
class Operand:
    """One array or number that a kernel reads or writes, as declared."""

    name: str
    axes: tuple[str, ...]
    dtype: str  # "" for the kernel's float
    condition: str  # "below", "dividing" or ""
    bound: str  # the letter that the condition, or `classes`, names
    values: str  # what cases.py draws, "" for N(0, 1)
    written: bool
    in_place: bool = False

    @property
    def is_number(self) -> bool:
        return self.axes == ()

    @property
    def is_scratch(self) -> bool:
        return self.name.startswith("_")

    @property
    def is_result(self) -> bool:
        """Whether the kernel allocates and returns it."""
        return self.written and not self.in_place and not self.is_scratch

    @cached_property
    def letters(self) -> set[str]:
        """The sizes that its shape depends on."""
        return {letter for axis in self.axes for letter in LETTER.findall(axis)}

    def __str__(self) -> str:
        """`x (N, D)`."""
        return f"{self.name} {in_brackets(self.axes)}"


def parsed(declaration: str) -> list[Operand]:
    """The operands, in the order of the declaration."""
    found = []
    for side, text in enumerate(declaration.split("->")):
        if rest := OPERANDS.sub("", text).replace(", ", "").strip():
            raise ValueError(
                f"cannot read {rest!r} in the declaration {declaration!r}: an operand is a name "
                f"and its shape, such as x (N, D), or rate () for a number"
            )
        for names, axes, words in OPERANDS.findall(text):
            dtype, condition, bound, values, in_place = "", "", "", "", " in place" in words
            for word in words.replace(" in place", "").split():
                if word in CONDITIONS:
                    condition = word
                elif word in VALUES:
                    values = word
                elif condition or values:
                    bound = word
                else:
                    dtype = word
            if in_place and side == 0:
                raise ValueError(f"{names} is changed and stands before the -> of {declaration!r}")
            shape = tuple(axis for axis in re.split(", ?", axes) if axis)  # of "N," too
            found += [
                Operand(name, shape, dtype, condition, bound, values, side == 1, in_place)
                for name in names.split(", ")
            ]
    return found


def expression(axis: str) -> str:
    """The size of an axis as an expression of Python: `2 * Z` for "2 Z"."""
    if " by " in axis:
        number, block = axis.split(" by ")
        return f"-(-{number} // {block})"
    return re.sub(r"(\w) (?=\w)", r"\1 * ", axis)


def in_brackets(axes: tuple[object, ...]) -> str:
    """`(N, D)`, `(N,)`."""
    return f"({', '.join(map(str, axes))}{',' if len(axes) == 1 and axes != ANY_SHAPE else ''})"

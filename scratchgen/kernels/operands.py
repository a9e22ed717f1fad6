"""The operands of a kernel are checked where Python enters it, in lines written for it alone.

A loop takes sizes from one operand and trusts the others: where one of these is too small, it
reads, and writes, what lies behind. So before a kernel runs, its operands are compared with what it
declares (declarations.py). Of `x (M, D), rows (N,) int64 below M -> out (N, D)` that is

    x_0, x_1, = x.shape                         M and D
    rows_0, = rows.shape                        N
    out_0, out_1, = out.shape
    out_0 == rows_0 and out_1 == x_1 and out.dtype == x.dtype and rows.dtype == int64 and ...

written as text, and compiled by Python, when the kernel is first called: a step that Python runs
has some sixty kernels, and a loop over a declaration would take several times as long. Where a
condition does not hold, misfits.py raises an error that says what is wrong; or it finds nothing
wrong, as with complex numbers, which the NumPy references take and the loops do not.

A replay calls the loops with the very arrays that were checked when it was recorded, and comes by
here no more.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .declarations import ANY_SHAPE, LETTER, SOME_ROWS, Operand, expression, parsed
from .misfits import NUMBERS, expect

SCOPE = {  # what the lines call by name
    **{name: np.dtype(name) for name in ("float32", "float64", "int64")},
    **{f"{name}_number": kinds for name, kinds in NUMBERS.items()},
    "uint64": np.uint64,
    "ndarray": np.ndarray,
}


class Operands:
    """What a kernel takes, in the order of `names`, or else in that of the declaration."""

    def __init__(self, kernel: str, declaration: str, names: Sequence[str] = ()) -> None:
        self.kernel, self.declaration, self.names = kernel, declaration, names

    @cached_property
    def all(self) -> list[Operand]:
        """In the order of the kernel's arguments."""
        found = {one.name: one for one in parsed(self.declaration)}
        names = self.names or tuple(found)
        if set(names) != set(found):
            raise ValueError(f"{self.kernel} takes {names}, and declares {self.declaration!r}")
        return [found[name] for name in names]

    @cached_property
    def written(self) -> list[int]:
        """Which of the kernel's arguments it writes."""
        return [i for i, one in enumerate(self.all) if one.written]

    @cached_property
    def check(self) -> Any:
        """check(*operands): whether a loop can take them; if not, the NumPy reference has to.

        Loops are for plain arrays of float32 and float64, in the byte order of the CPU and at
        addresses that it reads at once. Raises ShapeError, KindError or DataError where operands
        are not as declared.
        """
        scope = {"look": self._look, **SCOPE}
        exec(self.lines(), scope)
        return scope["check"]

    def _look(self, *given: Any) -> bool:
        expect(self.kernel, dict(zip(self.all, given, strict=True)))
        return False

    def lines(self) -> str:
        """The text of `check`."""
        names = ", ".join(one.name for one in self.all)
        arrays = [one for one in self.all if not one.is_number]
        of_floats = next(one for one in arrays if not one.dtype)
        sizes, fits = _shapes(arrays)
        fits.append(f"{' is '.join(f'type({one.name})' for one in arrays)} is ndarray")
        fits += [_dtype(one) for one in self.all if one is not of_floats]
        fits += [f"{one.name}.flags.{'behaved' if one.written else 'aligned'}" for one in arrays]
        fits += [_value(one, sizes[one.bound]) for one in self.all if one.condition]
        return "\n".join(
            [
                f"def check({names}):",
                "    try:",
                *(f"        {', '.join(_places(one))} = {one.name}.shape" for one in arrays),
                f"        dtype = {of_floats.name}.dtype",
                f"        if (dtype == float32 or dtype == float64) and {' and '.join(fits)}:",
                "            return True",
                # where a shape has other axes, or there is none
                "    except (AttributeError, TypeError, ValueError, ZeroDivisionError):",
                "        pass",
                f"    return look({names})",
            ]
        )


def _places(one: Operand) -> list[str]:
    """Names for the sizes of its axes; the last is empty, so that one alone is unpacked too."""
    if one.axes == ANY_SHAPE:
        return [f"{one.name}_shape"]
    return [*(f"{one.name}_{i}" for i in range(len(one.axes))), ""]


def _shapes(arrays: list[Operand]) -> tuple[dict[str, str], list[str]]:
    """For each letter, the name of its size in the lines; and a condition for each other axis.

    The size of a letter is that of the first axis that it stands for.
    """
    axes = [pair for one in arrays for pair in zip(one.axes, _places(one), strict=False)]
    sizes: dict[str, str] = {}
    for axis, place in axes:
        if LETTER.fullmatch(axis):
            sizes.setdefault(axis, place)
    fits = []
    for axis, place in axes:
        if axis == SOME_ROWS:
            fits.append(f"{place} > 0")
        elif sizes.get(axis) != place:
            for letter in set(LETTER.findall(axis)) - set(sizes):  # which only a product has
                factor = _text(axis.replace(letter, "1"), sizes)
                sizes[letter] = f"({place} // ({factor}))"
                fits.append(f"{place} > 0")
            fits.append(f"{place} == {_text(axis, sizes)}")
    return sizes, fits


def _text(axis: str, sizes: dict[str, str]) -> str:
    """The size of an axis, with texts for its letters."""
    return LETTER.sub(lambda letter: sizes[letter[0]], expression(axis))


def _dtype(one: Operand) -> str:
    """A condition on its dtype. A loop is for one float, whatever else NumPy would take."""
    if one.is_number:
        wanted = f"isinstance({one.name}, {one.dtype}_number)"
        return wanted if one.dtype else f"type({one.name}) is dtype.type"
    return f"{one.name}.dtype == {one.dtype or 'dtype'}"


def _value(one: Operand, bound: str) -> str:
    """A condition on its values."""
    if one.condition == "below":  # without a sign, negative numbers are huge
        return f"({one.name}.size == 0 or {one.name}.view(uint64).max() < {bound})"
    return f"{one.name} > 0 and {bound} % {one.name} == 0"

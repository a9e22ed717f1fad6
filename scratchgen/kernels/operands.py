"""The operands of a kernel are checked where Python enters it, in lines written for it alone.

A loop takes sizes from one operand and trusts the others: where one of these is too small, it
reads, and writes, what lies behind. So before a kernel runs, its operands are compared with what it
declares (declarations.py), and what it returns is made of the size that this says. Of
`x (M, D), rows (N,) int64 below M -> out (N, D)` that is

    x_0, x_1, = x.shape                         M and D
    rows_0, = rows.shape                        N
    rows.dtype == int64 and ...
    out = empty((rows_0, x_1), x.dtype)

written as text, and compiled by Python, when the kernel is first called: a step that Python runs
has some sixty kernels, and a loop over a declaration would take several times as long. Where a
condition does not hold, operand_errors.py raises an error that says what is wrong; or it finds
nothing wrong, as with complex numbers, which NumPy takes and the loops do not.

A replay calls the loops with the very arrays that were checked when it was recorded, and comes by
here no more.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from . import recording, sharing, workspaces
from .declarations import ANY_SHAPE, LETTER, SOME_ROWS, Operand, expression, parsed
from .operand_errors import FLOAT_NUMBERS, NUMBERS, expect

SCOPE = {  # what the lines call by name
    **{name: np.dtype(name) for name in ("float32", "float64", "int64")},
    **{f"{name}_number": kinds for name, kinds in NUMBERS.items()},
    "float_number": FLOAT_NUMBERS,
    "uint64": np.uint64,
    "ndarray": np.ndarray,
    "empty": workspaces.empty,
    "contiguous": recording.contiguous,
    "writable": workspaces.writable,
    "can_be_written": workspaces.can_be_written,
    "threads_now": sharing.threads_now,
}


class Operands:
    """What a kernel takes, in the order of `names`, or else in that of the declaration."""

    def __init__(
        self, kernel: str, declaration: str, names: Sequence[str] = (), strided: bool = False
    ) -> None:
        self.kernel, self.declaration, self.names = kernel, declaration, names
        self._strided = strided  # whether what is changed in place may lie in any order

    @cached_property
    def declared(self) -> list[Operand]:
        """As they are declared."""
        return parsed(self.declaration)

    @cached_property
    def arguments(self) -> list[Operand]:
        """What the kernel is given, in that order."""
        found = {one.name: one for one in self.declared if not (one.is_result or one.is_scratch)}
        names = self.names or tuple(found)
        if set(names) != set(found):
            raise ValueError(f"{self.kernel} takes {names}, and declares {self.declaration!r}")
        return [found[name] for name in names]

    @cached_property
    def allocated(self) -> list[Operand]:
        """What it makes and returns, and then what it works in: a loop's last arguments."""
        made = [one for one in self.declared if one.is_result]
        return [*made, *(one for one in self.declared if one.is_scratch)]

    @cached_property
    def written(self) -> list[int]:
        """Which of a loop's arguments, after part and parts, it writes."""
        return [i for i, one in enumerate([*self.arguments, *self.allocated]) if one.written]

    @cached_property
    def changed(self) -> list[int]:
        """Which of them it changes in place."""
        return [i for i, one in enumerate(self.arguments) if one.in_place]

    @cached_property
    def has_scratch(self) -> bool:
        """Whether its last argument is room to work in, a row for each part."""
        return any(one.is_scratch for one in self.declared)

    @cached_property
    def is_flat(self) -> bool:
        """Whether it is for arrays of any shape, of which a loop gets each as a row."""
        return any(one.axes == ANY_SHAPE for one in self.declared)

    @cached_property
    def prepare(self) -> Any:
        """prepare(*given): a loop's arguments and what it returns, or None, where NumPy has to run.

        Loops are for plain arrays of float32 and float64, in the byte order of the CPU. Raises
        ShapeError, KindError or DataError where operands are not as declared.
        """
        return self._compiled(self.lines())

    @cached_property
    def check(self) -> Any:
        """check(*given): whether a loop can take them; raises as `prepare`."""
        return self._compiled(self.lines(makes=False))

    def _compiled(self, lines: str) -> Any:
        scope = {"look": self._look, **SCOPE}
        exec(lines, scope)
        return scope["prepare"]

    def _look(self, *given: Any) -> None:
        by_name = dict(zip((one.name for one in self.arguments), given, strict=True))
        named = [one for one in self.declared if one.name in by_name]
        expect(self.kernel, {one: by_name[one.name] for one in named})

    def lines(self, makes: bool = True) -> str:
        """The text of `prepare`; without makes, of `check`."""
        names = ", ".join(one.name for one in self.arguments)
        arrays = [one for one in self.arguments if not one.is_number]
        of_floats = next((one for one in arrays if not one.dtype), None)
        sizes, fits = _shapes(arrays)
        fits += [f"type({one.name}) is ndarray" for one in arrays]
        fits += [_dtype(one) for one in self.arguments if one is not of_floats]
        fits += [_memory(one, self._strided) for one in arrays if one.in_place]
        fits += [_value(one, sizes[one.bound]) for one in self.arguments if one.condition]
        return "\n".join(
            [
                f"def prepare({names}):",
                "    try:",
                *(f"        {', '.join(_places(one))} = {one.name}.shape" for one in arrays),
                f"        dtype = {f'{of_floats.name}.dtype' if of_floats else 'float64'}",
                f"        fits = {' and '.join(['(dtype == float32 or dtype == float64)', *fits])}",
                # where a shape has other axes, or there is none
                "    except (AttributeError, TypeError, ValueError, ZeroDivisionError):",
                "        fits = False",
                "    if not fits:",
                f"        look({names})",
                f"        return {None if makes else False}",
                *(self._makes(sizes) if makes else ["    return True"]),
            ]
        )

    def _makes(self, sizes: dict[str, str]) -> list[str]:
        """The end of `prepare`: what is passed to a loop, and what is returned."""
        lines = []
        for one in self.arguments:
            if one.is_number and not one.dtype:
                lines.append(f"    {one.name} = dtype.type({one.name})")
            elif one.is_number and one.dtype == "float64":
                lines.append(f"    {one.name} = float({one.name})")
            elif not one.is_number and not one.in_place:
                lines.append(
                    f"    {one.name} = {one.name} if {one.name}.flags.carray "
                    f"else contiguous({one.name})"
                )
            elif one.in_place:
                lines.append(
                    f"    {one.name} = {one.name} if {one.name}.flags.writeable "
                    f"else writable({one.name})"
                )
        for one in self.allocated:
            lines.append(
                f"    {one.name} = empty({_made_shape(one, sizes)}, {one.dtype or 'dtype'})"
            )
        flat = ".reshape(-1)" if self.is_flat else ""
        passed = [
            f"{one.name}{'' if one.is_number else flat}, "
            for one in [*self.arguments, *self.allocated]
        ]
        returned = [f"{one.name}, " for one in self.allocated if one.is_result]
        return [*lines, f"    return ({''.join(passed)}), ({''.join(returned)})"]


def _made_shape(one: Operand, sizes: dict[str, str]) -> str:
    """The text of the shape of what is made."""
    if one.axes == ANY_SHAPE:
        return sizes["..."]
    axes = ("threads_now()" if axis == SOME_ROWS else _text(axis, sizes) for axis in one.axes)
    return f"({''.join(f'{axis}, ' for axis in axes)})"


def _memory(one: Operand, strided: bool) -> str:
    """A condition on memory that is changed in place: a copy of it would not do.

    A window that a step was given read-only is written all the same, by kernels alone.
    """
    order = "" if strided else f"{one.name}.flags.c_contiguous and "
    return f"{order}{one.name}.flags.aligned and can_be_written({one.name})"


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
        return f"isinstance({one.name}, {one.dtype or 'float'}_number)"
    return f"{one.name}.dtype == {one.dtype or 'dtype'}"


def _value(one: Operand, bound: str) -> str:
    """A condition on its values."""
    if one.condition == "below":  # without a sign, negative numbers are huge
        return f"({one.name}.size == 0 or {one.name}.view(uint64).max() < {bound})"
    return f"{one.name} > 0 and {bound} % {one.name} == 0"

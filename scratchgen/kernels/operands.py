"""A loop trusts the sizes of its operands, so they are checked wherever Python calls a kernel.

A loop takes sizes from one operand and never looks at the others: if one of these is too small, it
reads and writes beyond the end of the array. So before a kernel runs, its operands are compared
with the declaration (declarations.py), from which also follows the size of what it returns. For
`x (M, D), rows (N,) int64 below M -> out (N, D)` the check is

    x_0, x_1, = x.shape                         M and D
    rows_0, = rows.shape                        N
    rows.dtype == int64 and ...
    out = empty((rows_0, x_1), x.dtype)

It is generated as text, and compiled by Python when the kernel is first called. A step run by
Python calls some sixty kernels, and interpreting a declaration would take several times as long.
If a condition does not hold, operand_errors.py raises an error that says what is wrong, or finds
nothing wrong: complex numbers, for example, are for NumPy, and not for the loops.

A replay calls the loops with the arrays that were checked when it was recorded, and checks nothing.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from . import recording, sharing, workspaces
from .declarations import ANY_SHAPE, LETTER, SOME_ROWS, Operand, expression, parsed
from .operand_errors import FLOAT_NUMBERS, NUMBERS, expect

SCOPE = {  # names in the generated text
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
    """The operands of a kernel, its arguments in the order of `names`, or of the declaration."""

    def __init__(
        self, kernel: str, declaration: str, names: Sequence[str] = (), strided: bool = False
    ) -> None:
        self.kernel, self.declaration, self.names = kernel, declaration, names
        self._strided = strided  # whether an operand changed in place may have any strides

    @cached_property
    def declared(self) -> list[Operand]:
        """All operands, in the order of the declaration."""
        return parsed(self.declaration)

    @cached_property
    def arguments(self) -> list[Operand]:
        """What the kernel is called with, in that order."""
        found = {
            operand.name: operand
            for operand in self.declared
            if not (operand.is_result or operand.is_scratch)
        }
        names = self.names or tuple(found)
        if set(names) != set(found):
            raise ValueError(f"{self.kernel} takes {names}, and declares {self.declaration!r}")
        return [found[name] for name in names]

    @cached_property
    def allocated(self) -> list[Operand]:
        """What the kernel returns, and then its scratch memory: a loop's last arguments."""
        results = [operand for operand in self.declared if operand.is_result]
        return [*results, *(operand for operand in self.declared if operand.is_scratch)]

    @cached_property
    def written(self) -> list[int]:
        """The indices of the loop's arguments, after part and parts, that it writes."""
        return [
            i for i, operand in enumerate([*self.arguments, *self.allocated]) if operand.written
        ]

    @cached_property
    def changed(self) -> list[int]:
        """The indices of those that it changes in place."""
        return [i for i, operand in enumerate(self.arguments) if operand.in_place]

    @cached_property
    def has_scratch(self) -> bool:
        """Whether a loop's last argument is scratch memory, a row for each part."""
        return any(operand.is_scratch for operand in self.declared)

    @cached_property
    def is_flat(self) -> bool:
        """Whether it takes arrays of any shape, which are passed to a loop as vectors."""
        return any(operand.axes == ANY_SHAPE for operand in self.declared)

    @cached_property
    def prepare(self) -> Any:
        """prepare(*arguments): a loop's arguments and the results, or None if NumPy has to run.

        Loops are for plain arrays of float32 and float64, in the byte order of the CPU. Raises
        ShapeError, KindError or DataError if operands are not as declared.
        """
        return self._compiled(self.lines())

    @cached_property
    def check(self) -> Any:
        """check(*arguments): whether a loop can take them; raises as `prepare` does."""
        return self._compiled(self.lines(allocates=False))

    def _compiled(self, lines: str) -> Any:
        scope = {"explain": self._explain, **SCOPE}
        exec(lines, scope)
        return scope["prepare"]

    def _explain(self, *given: Any) -> None:
        by_name = dict(zip((operand.name for operand in self.arguments), given, strict=True))
        named = [operand for operand in self.declared if operand.name in by_name]
        expect(self.kernel, {operand: by_name[operand.name] for operand in named})

    def lines(self, allocates: bool = True) -> str:
        """The text of `prepare`, or of `check`, which allocates nothing."""
        names = ", ".join(operand.name for operand in self.arguments)
        arrays = [operand for operand in self.arguments if not operand.is_number]
        of_floats = next((operand for operand in arrays if not operand.dtype), None)
        sizes, fits = _shapes(arrays)
        fits += [f"type({operand.name}) is ndarray" for operand in arrays]
        fits += [_dtype(operand) for operand in self.arguments if operand is not of_floats]
        fits += [_memory(operand, self._strided) for operand in arrays if operand.in_place]
        fits += [
            _value(operand, sizes[operand.bound]) for operand in self.arguments if operand.condition
        ]
        return "\n".join(
            [
                f"def prepare({names}):",
                "    try:",
                *(
                    f"        {', '.join(_places(operand))} = {operand.name}.shape"
                    for operand in arrays
                ),
                f"        dtype = {f'{of_floats.name}.dtype' if of_floats else 'float64'}",
                f"        fits = {' and '.join(['(dtype == float32 or dtype == float64)', *fits])}",
                # if a shape has another number of axes, or an operand has no shape
                "    except (AttributeError, TypeError, ValueError, ZeroDivisionError):",
                "        fits = False",
                "    if not fits:",
                f"        explain({names})",
                f"        return {None if allocates else False}",
                *(self._allocates(sizes) if allocates else ["    return True"]),
            ]
        )

    def _allocates(self, sizes: dict[str, str]) -> list[str]:
        """The end of `prepare`: the loop's arguments, and the results."""
        lines = []
        for operand in self.arguments:
            x = operand.name
            if operand.is_number and not operand.dtype:
                lines.append(f"    {x} = dtype.type({x})")
            elif operand.is_number and operand.dtype == "float64":
                lines.append(f"    {x} = float({x})")
            elif not operand.is_number and not operand.in_place:
                lines.append(f"    {x} = {x} if {x}.flags.carray else contiguous({x})")
            elif operand.in_place:
                lines.append(f"    {x} = {x} if {x}.flags.writeable else writable({x})")
        for operand in self.allocated:
            shape, dtype = _shape_text(operand, sizes), operand.dtype or "dtype"
            lines.append(f"    {operand.name} = empty({shape}, {dtype})")
        flat = ".reshape(-1)" if self.is_flat else ""
        passed = [
            f"{operand.name}{'' if operand.is_number else flat}, "
            for operand in [*self.arguments, *self.allocated]
        ]
        returned = [f"{operand.name}, " for operand in self.allocated if operand.is_result]
        return [*lines, f"    return ({''.join(passed)}), ({''.join(returned)})"]


def _shape_text(operand: Operand, sizes: dict[str, str]) -> str:
    """The shape of an allocated array, as text."""
    if operand.axes == ANY_SHAPE:
        return sizes["..."]
    axes = ("threads_now()" if axis == SOME_ROWS else _text(axis, sizes) for axis in operand.axes)
    return f"({''.join(f'{axis}, ' for axis in axes)})"


def _memory(operand: Operand, strided: bool) -> str:
    """A condition on memory that is changed in place, which cannot be copied.

    Kernels may write into a window that is read-only to the code of a step.
    """
    order = "" if strided else f"{operand.name}.flags.c_contiguous and "
    return f"{order}{operand.name}.flags.aligned and can_be_written({operand.name})"


def _places(operand: Operand) -> list[str]:
    """Names for the sizes of its axes; an empty one behind them unpacks a single axis too."""
    if operand.axes == ANY_SHAPE:
        return [f"{operand.name}_shape"]
    return [*(f"{operand.name}_{i}" for i in range(len(operand.axes))), ""]


def _shapes(arrays: list[Operand]) -> tuple[dict[str, str], list[str]]:
    """For each letter, the name of its size in the text; and a condition for each other axis.

    A letter takes its size from the first axis that it names.
    """
    axes = [
        pair for operand in arrays for pair in zip(operand.axes, _places(operand), strict=False)
    ]
    sizes: dict[str, str] = {}
    for axis, place in axes:
        if LETTER.fullmatch(axis):
            sizes.setdefault(axis, place)
    fits = []
    for axis, place in axes:
        if axis == SOME_ROWS:
            fits.append(f"{place} > 0")
        elif sizes.get(axis) != place:
            for letter in set(LETTER.findall(axis)) - set(sizes):  # that stand in products only
                factor = _text(axis.replace(letter, "1"), sizes)
                sizes[letter] = f"({place} // ({factor}))"
                fits.append(f"{place} > 0")
            fits.append(f"{place} == {_text(axis, sizes)}")
    return sizes, fits


def _text(axis: str, sizes: dict[str, str]) -> str:
    """The size of an axis, its letters replaced by names."""
    return LETTER.sub(lambda letter: sizes[letter[0]], expression(axis))


def _dtype(operand: Operand) -> str:
    """A condition on its dtype: a loop is compiled for a single kind of float."""
    if operand.is_number:
        return f"isinstance({operand.name}, {operand.dtype or 'float'}_number)"
    return f"{operand.name}.dtype == {operand.dtype or 'dtype'}"


def _value(operand: Operand, bound: str) -> str:
    """A condition on its values."""
    if operand.condition == "below":  # read as unsigned, a negative number is huge
        return f"({operand.name}.size == 0 or {operand.name}.view(uint64).max() < {bound})"
    return f"{operand.name} > 0 and {bound} % {operand.name} == 0"

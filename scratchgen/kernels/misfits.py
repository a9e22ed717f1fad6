"""What is wrong with the operands of a kernel, in words that name the part of the model at fault.

Nothing here runs while all is well; see operands.py.
"""

import re
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..checks import Shape
from ..errors import DataError, KindError, ScratchgenError, ShapeError
from .declarations import ANY_SHAPE, LETTER, SOME_ROWS, Operand, expression, in_brackets

PLAIN = {"bool": (bool, np.bool_), "int": (int, np.integer)}  # numbers that are no floats
EVERYDAY = "efd"  # float16, float32 and float64


def expect(kernel: str, given: dict[Operand, Any]) -> None:
    """Raise ShapeError, KindError or DataError unless all is as it is declared."""
    try:
        for one, x in given.items():
            _expect_kind(one, x)
        _expect_one_float(given)
        sizes = _expect_shapes({one: x.shape for one, x in given.items() if not one.is_number})
        for one, x in given.items():
            _expect_values(one, x, sizes)
    except ScratchgenError as problem:
        raise type(problem)(f"{_caller()}{problem} (kernel {kernel})") from None


def _expect_kind(one: Operand, x: Any) -> None:
    dtype, wanted = getattr(x, "dtype", type(x).__name__), one.dtype or "float32 or float64"
    if one.dtype in PLAIN and one.is_number:
        fits = isinstance(x, PLAIN[one.dtype])
    elif not isinstance(x, np.generic if one.is_number else np.ndarray):
        fits, wanted = False, f"a NumPy {'number' if one.is_number else 'array'} of {wanted}"
    elif one.dtype in ("", "any"):
        fits = dtype.kind in ("fc" if one.dtype == "" else "biufc")
    else:
        fits = dtype.newbyteorder("=") == one.dtype
    if not fits:
        raise KindError(f"{one.name} is {dtype}, wants {wanted}")
    if one.written and not x.flags.writeable:
        raise KindError(f"{one.name} is read-only, wants memory that can be written")


def _expect_one_float(given: dict[Operand, Any]) -> None:
    """One dtype for all; but complex numbers, and those of more digits, NumPy may mix with others.

    The checker's complex step gives such to a reference, in one operand of several.
    """
    names: dict[np.dtype[Any], list[str]] = {}
    read, written = set(), set()
    for one, x in given.items():
        if one.dtype == "" or (one.written and x.dtype.kind == "f"):
            dtype = x.dtype.newbyteorder("=")
            (written if one.written else read).add(dtype)
            if one.dtype == "":
                names.setdefault(dtype, []).append(one.name)
    mixed = len(names) > 1 and (all(dtype.char in EVERYDAY for dtype in names) or written - read)
    if mixed or not all(np.can_cast(x, y, "same_kind") for x in read for y in written):
        came = _listed(f"{dtype} in {_listed(group)}" for dtype, group in names.items())
        raise KindError(f"wants one float type, and got {came}: make them alike with .astype()")


def _expect_shapes(shapes: dict[Operand, Shape]) -> dict[str, Any]:
    """What each letter stands for, or ShapeError.

    It blames the operand without which the others agree. What is written was mostly made for what
    is read, and is no witness where two of the latter differ; and what is given last, such as dy
    after x, is more likely to be wrong.
    """
    if (sizes := _sizes(shapes)) is not None:
        return sizes
    read = {one: shape for one, shape in shapes.items() if not one.written}
    suspects = shapes if _sizes(read) is not None else read
    for one in sorted(reversed(suspects), key=lambda one: one.written):
        others = {other: shape for other, shape in suspects.items() if other is not one}
        if (sizes := _sizes(others)) is not None:
            every = {other: shape for other, shape in shapes.items() if other is not one}
            wanted, because = _wanted(one, _sizes(every) or sizes), _witnesses(one, others)
            raise ShapeError(f"{one.name} has shape {shapes[one]}, wants {wanted}{because}")
    came = _listed(f"{one} is {shape}" for one, shape in shapes.items())
    raise ShapeError(f"the shapes do not fit each other: {came}")


def _witnesses(one: Operand, others: dict[Operand, Shape]) -> str:
    """`, because x (N, I) is (16, 8)`: as few of the others as have the same letters."""
    open_letters, found = set(one.letters), []
    for other, shape in others.items():
        if open_letters & other.letters:
            open_letters -= other.letters
            found.append(f"{other} is {shape}")
    return f", because {_listed(found)}" if found else ""


def _wanted(one: Operand, sizes: dict[str, Any]) -> str:
    """The shape that it should have; letters that nothing is known of stay letters."""
    if one.axes == ANY_SHAPE:
        return str(sizes["..."])
    return in_brackets(tuple(_size(axis, sizes) or axis for axis in one.axes))


def _sizes(shapes: dict[Operand, Shape]) -> dict[str, Any] | None:
    """What each letter stands for, or None if that cannot be."""
    pairs: list[tuple[str, Any]] = []
    for one, shape in shapes.items():
        if one.axes == ANY_SHAPE:
            pairs.append(("...", shape))
        elif len(one.axes) != len(shape):
            return None
        else:
            pairs += zip(one.axes, shape, strict=True)
    sizes: dict[str, Any] = {}
    for axis, size in sorted(pairs, key=lambda pair: len(pair[0])):  # letters by themselves first
        wanted = _size(axis, sizes)
        if axis == SOME_ROWS:
            fits = size > 0
        elif wanted is None:
            fits = _solved(axis, size, sizes)
        else:
            fits = size == wanted
        if not fits:
            return None
    return sizes


def _size(axis: str, sizes: dict[str, Any]) -> Any:
    """The size of an axis, or None where a letter in it is not known."""
    if axis in (SOME_ROWS, "..."):
        return sizes.get(axis)
    try:
        return eval(expression(axis), {}, sizes)
    except NameError:
        return None


def _solved(axis: str, size: Any, sizes: dict[str, Any]) -> bool:
    """Find out the one letter in the axis that is not known; False if no number will do."""
    unknown = [letter for letter in LETTER.findall(axis) if letter not in sizes]
    if axis == unknown[0]:
        sizes[axis] = size
    elif len(unknown) == 1 and re.fullmatch(r"\w( \w)*", axis):  # a product
        factor = _size(axis, {**sizes, unknown[0]: 1})
        if not factor or size % factor or not size:
            return False
        sizes[unknown[0]] = size // factor
    return True  # of what is left nothing can be said


def _expect_values(one: Operand, x: Any, sizes: dict[str, Any]) -> None:
    if one.condition == "below" and x.size and not 0 <= x.min() <= x.max() < sizes[one.bound]:
        wanted = f"whole numbers from 0 to {sizes[one.bound] - 1}"
        raise DataError(f"{one.name} goes from {x.min()} to {x.max()}, wants {wanted}")
    if one.condition == "dividing" and (x < 1 or sizes[one.bound] % x):
        raise ShapeError(f"{one.name} is {x}, wants a number that divides {sizes[one.bound]}")


def _caller() -> str:
    """`Dense(8 -> 1).backward: `: the part of a model that has called a kernel, and the verb.

    A part is what says of itself whether it replays; see nn/layer.py.
    """
    frame, part = sys._getframe(1), None
    while frame.f_back is not None:
        frame = frame.f_back
        if part is None and hasattr(type(frame.f_locals.get("self")), "replays"):
            part = frame.f_locals["self"]
        verb = frame.f_code.co_name
        if part is not None and frame.f_locals.get("self") is part and not verb.startswith("_"):
            kind, text = type(part).__name__, str(part)
            return f"{text if kind in text else f'{kind} {text}'}.{verb}: "
    return ""


def _listed(items: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last

"""When an operand does not fit its declaration, the error names the part of the model at fault.

Nothing here runs while all operands fit; see operands.py.
"""

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..ground.arguments import UNLIKE_ARRAYS, Shape
from ..ground.errors import DataError, KindError, ScratchgenError, ShapeError
from ..ground.keywords import ExplainsKeywords
from . import workspaces
from .declarations import ANY_SHAPE, LETTER, SOME_ROWS, Operand, expression, in_brackets

Shapes = dict[Operand, Shape]

FLOAT_NUMBERS = (float, int, np.floating, np.integer)
NUMBERS = {"bool": (bool, np.bool_), "int": (int, np.integer), "float64": FLOAT_NUMBERS}
EVERYDAY = "efd"  # float16, float32 and float64


def expect(kernel: str, given: dict[Operand, Any]) -> None:
    """Raise ShapeError, KindError or DataError unless all operands are as declared."""
    try:
        for operand, x in given.items():
            _expect_kind(operand, x)
        _expect_one_float(given)
        sizes = _expect_shapes(
            {operand: x.shape for operand, x in given.items() if not operand.is_number}
        )
        for operand, x in given.items():
            _expect_values(operand, x, sizes)
    except ScratchgenError as problem:
        raise type(problem)(f"{_caller()}{problem} (kernel {kernel})") from None


def _expect_kind(operand: Operand, x: Any) -> None:
    came = getattr(x, "dtype", type(x).__name__)
    wanted = operand.dtype or "float32 or float64"
    if operand.is_number:
        kinds = (
            NUMBERS[operand.dtype]
            if operand.dtype
            else (*FLOAT_NUMBERS, complex, np.complexfloating)
        )
        fits, wanted = (
            isinstance(x, kinds) and not (isinstance(x, bool) and operand.dtype != "bool"),
            (wanted if operand.dtype else "a number"),
        )
    elif not isinstance(x, np.ndarray):
        fits, wanted = False, f"a NumPy array of {wanted}"
    elif isinstance(x, UNLIKE_ARRAYS):
        fits, came, wanted = False, type(x).__name__, f"a plain NumPy array of {wanted}"
    elif not operand.dtype:
        fits = x.dtype.kind in "fc"
    else:
        fits = x.dtype.newbyteorder("=") == operand.dtype
    if not fits:
        raise KindError(f"{operand.name} is {came}, wants {wanted}")
    if operand.written and not workspaces.can_be_written(x):
        raise KindError(f"{operand.name} is read-only, wants memory that can be written")


def _expect_one_float(given: dict[Operand, Any]) -> None:
    """Expect one dtype for all, unless some are complex, or have more digits than float64.

    The checker's complex step passes one such operand among others, and NumPy can mix them.
    """
    names: dict[np.dtype[Any], list[str]] = {}
    read: set[np.dtype[Any]] = set()
    written: set[np.dtype[Any]] = set()
    for operand, x in given.items():
        if operand.is_number:
            continue  # it takes the dtype of the arrays
        if operand.dtype == "":
            names.setdefault(x.dtype.newbyteorder("="), []).append(operand.name)
        if operand.dtype == "" or (operand.written and x.dtype.kind == "f"):
            (written if operand.written else read).add(x.dtype.newbyteorder("="))
    may_differ = written <= read and any(dtype.char not in EVERYDAY for dtype in names)
    can_be_held = all(np.can_cast(a, b, "same_kind") for a in read for b in written)
    if not can_be_held or (len(names) > 1 and not may_differ):
        came = _listed(f"{dtype} in {_listed(group)}" for dtype, group in names.items())
        raise KindError(f"wants one float type, and got {came}: make them alike with .astype()")


def _expect_shapes(shapes: Shapes) -> dict[str, Any]:
    """The size of each letter, or ShapeError.

    The error blames the operand without which the others agree. A written operand was mostly
    allocated for those that are read, and proves nothing if these already differ. Of several, the
    last is the most likely to be wrong, as dy is after x.
    """
    if (sizes := _sizes(shapes)) is not None:
        return sizes
    read = {operand: shape for operand, shape in shapes.items() if not operand.written}
    suspects = shapes if _sizes(read) is not None else read
    last_first = list(suspects)[::-1]
    for operand in sorted(last_first, key=lambda operand: operand.written):
        if (sizes := _sizes(_without(operand, suspects))) is not None:
            sizes = _sizes(_without(operand, shapes)) or sizes
            wanted, because = (
                _wanted(operand, sizes),
                _witnesses(operand, _without(operand, suspects)),
            )
            raise ShapeError(f"{operand.name} has shape {shapes[operand]}, wants {wanted}{because}")
    came = _listed(f"{operand} is {shape}" for operand, shape in shapes.items())
    raise ShapeError(f"the shapes do not fit each other: {came}")


def _without(operand: Operand, shapes: Shapes) -> Shapes:
    return {other: shape for other, shape in shapes.items() if other is not operand}


def _witnesses(operand: Operand, others: Shapes) -> str:
    """`, because x (N, I) is (16, 8)`: as few other operands as have the same letters."""
    letters, found = set(operand.letters), []
    for other, shape in others.items():
        if letters & other.letters:
            letters -= other.letters
            found.append(f"{other} is {shape}")
    return f", because {_listed(found)}" if found else ""


def _wanted(operand: Operand, sizes: dict[str, Any]) -> str:
    """The shape that it should have; a letter of unknown size stays a letter."""
    if operand.axes == ANY_SHAPE:
        return str(sizes["..."])
    known = (_size(axis, sizes) for axis in operand.axes)
    return in_brackets(
        tuple(
            axis if size is None else size for axis, size in zip(operand.axes, known, strict=True)
        )
    )


def _sizes(shapes: Shapes) -> dict[str, Any] | None:
    """The size of each letter, or None if the shapes contradict each other."""
    pairs: list[tuple[str, Any]] = []
    for operand, shape in shapes.items():
        if operand.axes == ANY_SHAPE:
            pairs.append(("...", shape))
        elif len(operand.axes) != len(shape):
            return None
        else:
            pairs += zip(operand.axes, shape, strict=True)
    sizes: dict[str, Any] = {}
    # single letters come first, then sizes computed from them
    for axis, size in sorted(pairs, key=lambda pair: LETTER.fullmatch(pair[0]) is None):
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
    """The size of an axis, or None if a letter in it is unknown."""
    if axis in (SOME_ROWS, "..."):
        return sizes.get(axis)
    try:
        return eval(expression(axis), {}, sizes)
    except NameError:
        return None


def _solved(axis: str, size: Any, sizes: dict[str, Any]) -> bool:
    """Solve for the unknown letter of an axis; False if no whole number solves it."""
    unknown = [letter for letter in LETTER.findall(axis) if letter not in sizes]
    if axis == unknown[0]:
        sizes[axis] = size
    elif len(unknown) == 1 and " by " not in axis and "+" not in axis:  # in a product
        factor = _size(axis, {**sizes, unknown[0]: 1})
        if not factor or not size or size % factor:
            return False
        sizes[unknown[0]] = size // factor
    return True  # with several unknown letters, any size may be right


def _expect_values(operand: Operand, x: Any, sizes: dict[str, Any]) -> None:
    bound: Any = sizes.get(operand.bound)
    if operand.condition == "below" and x.size and not 0 <= x.min() <= x.max() < bound:
        came = f"{operand.name} goes from {x.min()} to {x.max()}"
        raise DataError(f"{came}, wants whole numbers from 0 to {bound - 1}")
    if operand.condition == "dividing" and (x < 1 or bound % x):
        raise ShapeError(f"{operand.name} is {x}, wants a number that divides {bound}")


def _caller() -> str:
    """`Dense(8 -> 1).backward: `: the part of a model that called the kernel, and its method.

    A part explains its keywords: layers, likelihoods, games, optimizers and models do.
    """
    frame, part = sys._getframe(1), None
    while frame.f_back is not None:
        frame = frame.f_back
        here, verb = frame.f_locals.get("self"), frame.f_code.co_name
        if part is None and isinstance(here, ExplainsKeywords):
            part = here
        if part is not None and here is part and not verb.startswith("_"):
            kind, text = type(part).__name__, str(part)
            return f"{text if kind in text else f'{kind} {text}'}.{verb}: "
    return ""


def _listed(items: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last

"""Call every kernel, as loop and as formula, with each operand wrong in each way.

This runs in a process of its own, because a kernel that trusts its operands may crash it.
test_operands.py reads the output: {"calls": their number, "accepted": those that raised no
ScratchgenError that names the operand}.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchgen.ground.errors import ScratchgenError
from scratchgen.kernels.cases import case, kernels
from scratchgen.kernels.declarations import ANY_SHAPE, LETTER, Operand
from scratchgen.kernels.formulas import by_formulas, by_loops

ROWS, COLUMNS = 3, 6


def is_right(operands: list[Operand], i: int, what: str) -> bool:
    """Whether such a change is allowed, because no other operand has the same size or dtype."""
    operand, others = operands[i], operands[:i] + operands[i + 1 :]
    if what == "dtype":
        return all(other.is_number or other.dtype for other in others)
    if operand.axes == ANY_SHAPE:
        return len(others) == sum(other.is_number for other in others)
    axis = {"rows": operand.axes[:1], "columns": operand.axes[-1:]}.get(what, ())
    letters = {letter for other in others for letter in other.letters}
    return any(LETTER.fullmatch(size) and size not in letters for size in axis)


def wrong(x: Any, in_place: bool) -> Iterator[tuple[str, Any]]:
    """Each way to make x wrong: its name, and the wrong operand."""
    if not isinstance(x, np.ndarray):  # a number
        for other in ([x], str(x), None, np.array([x])):
            yield "kind", other
        return
    yield "rows", np.concatenate([x, x[:1]])
    yield "rows", x[:-1]
    if x.ndim > 1:
        yield "columns", np.concatenate([x, x[..., :1]], axis=-1)
        yield "columns", x[..., :-1].copy()
    yield "dimension", x[None]
    yield "dimension", x[..., None]
    yield "dimension", x[0] if x.ndim > 1 else np.array(x[0])
    if x.dtype.kind == "f":
        yield "dtype", x.astype({"f": "f8", "d": "f4"}[x.dtype.char])
    for dtype in ("i4", "u8", "f2") if x.dtype.kind != "f" else ("i8", "?"):
        yield "kind", x.astype(dtype)
    yield "kind", x.astype("O")
    yield "kind", x.astype("U8")
    yield "kind", x.tolist()
    yield "kind", None
    yield "kind", memoryview(x)
    yield "kind", np.ma.masked_array(x, mask=x == x)
    if x.ndim == 2:
        yield "kind", np.matrix(x)
    if in_place:
        locked = x.copy()
        locked.flags.writeable = False
        yield "kind", locked
        yield "kind", np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape)


def main() -> None:
    calls, accepted = 0, []
    for way in (by_loops, by_formulas):
        with way(), np.errstate(all="ignore"):
            for name, kernel in kernels().items():
                right = case(name, ROWS, COLUMNS, "float32", 1)
                for i, operand in enumerate(kernel.operands.arguments):
                    for what, x in wrong(right[i], operand.in_place):
                        if is_right(kernel.operands.arguments, i, what):
                            continue
                        calls += 1
                        args = [y.copy() if isinstance(y, np.ndarray) else y for y in right]
                        args[i] = x
                        about = f"{way.__name__}: {name}, {operand.name}, {what}"
                        try:
                            kernel.call(*args)
                        except ScratchgenError as problem:
                            if what == "kind" and operand.name not in str(problem):
                                accepted.append(f"{about}: {problem}")
                        except Exception as problem:
                            accepted.append(f"{about}: {problem!r}")
                        else:
                            accepted.append(about)
    print(json.dumps({"calls": calls, "accepted": accepted}))


if __name__ == "__main__":
    main()

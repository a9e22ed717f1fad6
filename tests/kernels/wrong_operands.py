"""Every kernel is given every operand wrong in every way, by its loop and by its formula.

It runs in a process of its own, which a kernel that trusts its operands may end; test_operands.py
reads what it prints: {"calls": how many, "accepted": which raised no error of ours that names the
operand}.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchgen.bench.cases import case, kernels
from scratchgen.errors import ScratchgenError
from scratchgen.kernels.twins import references, twins

ROWS, COLUMNS = 3, 6
# What is right as well: more or fewer rows to choose from, to sum up or to look at, more or fewer
# columns that no other operand has, and another float where no other operand has to be like it.
RIGHT = {
    ("take_rows", "x", "rows"),
    ("take_rows", "x", "columns"),
    ("take_rows", "x", "dtype"),
    ("take_rows", "rows", "rows"),
    ("first_part", "dy", "columns"),
    ("join_to_each", "b", "rows"),
    ("clip_norm", "g", "rows"),
    ("negative_bound", "kl", "rows"),
}
SIZES = ("rows", "columns", "dtype")


def is_alone(name: str, role: str) -> bool:
    """Whether the operand shares no size and no dtype with any other."""
    return [one.name for one in kernels()[name].operands.given if not one.is_number] == [role]


def is_right(name: str, role: str, what: str) -> bool:
    return (name, role, what) in RIGHT or (what in SIZES and is_alone(name, role))


def wrong(x: Any, in_place: bool) -> Iterator[tuple[str, Any]]:
    """In which way, and x made wrong in it."""
    if not isinstance(x, np.ndarray):  # a number
        for one in ([x], str(x), None, np.array([x])):
            yield "kind", one
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
    for way in (twins, references):
        with way(), np.errstate(all="ignore"):
            for name, kernel in kernels().items():
                right = case(name, ROWS, COLUMNS, "float32", 1)
                for i, one in enumerate(kernel.operands.given):
                    for what, operand in wrong(right[i], one.in_place):
                        if is_right(name, one.name, what):
                            continue
                        calls += 1
                        args = [x.copy() if isinstance(x, np.ndarray) else x for x in right]
                        args[i] = operand
                        about = f"{way.__name__}: {name}, {one.name}, {what}"
                        try:
                            kernel.call(*args)
                        except ScratchgenError as problem:
                            if what == "kind" and one.name not in str(problem):
                                accepted.append(f"{about}: {problem}")
                        except Exception as problem:
                            accepted.append(f"{about}: {problem!r}")
                        else:
                            accepted.append(about)
    print(json.dumps({"calls": calls, "accepted": accepted}))


if __name__ == "__main__":
    main()

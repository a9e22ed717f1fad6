"""Every kernel is given every operand wrong in every way, by its twin and by its reference.

It runs in a process of its own, which a kernel that trusts its operands may end; test_operands.py
reads what it prints: {"calls": how many, "accepted": which raised no error of ours}.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from scratchgen import kernels
from scratchgen.bench.cases import CASES, normal, twins
from scratchgen.errors import ScratchgenError
from scratchgen.kernels.twins import references
from scratchgen.kernels.twins import twins as run_twins

ROWS, COLUMNS = 3, 6
# What is right as well: more or fewer rows to choose from, to sum up, to look at or to work in, and
# another float where no other operand has to be like it.
RIGHT = {
    *((name, "_terms", "rows") for name in CASES),
    ("take_rows", "x", "rows"),
    ("sum_blocks", "dy", "rows"),
    ("sum_rows", "dy", "rows"),
    ("column_moments", "x", "rows"),
    ("mean", "values", "rows"),
    ("mean", "values", "dtype"),
    *(("any_of", "x", what) for what in ("rows", "columns", "dtype")),
}


def cases() -> Iterator[tuple[str, Any, list[str], list[Any]]]:
    """Name, kernel, the names of its operands, and right ones."""
    for name, kernel in twins().items():
        roles = [operand.name for operand in kernel.operands.all]
        yield name, kernel, roles, CASES[name](ROWS, COLUMNS, "float32", 1)
    x, w, b, y, dy = normal(0, "float32", (4, 3), (3, 2), (2,), (4, 2), (4, 2))
    yield "times", kernels.times, ["x", "w", "out"], [x, w, y]
    yield "affine", kernels.affine, ["x", "w", "b", "out"], [x, w, b, y]
    yield "add_outer", kernels.add_outer, ["x", "dy", "into"], [x, dy, w]
    yield "times_transpose", kernels.times_transpose, ["dy", "w", "out"], [dy, w, x]
    for name, roles in {
        "bend": ["x", "y"],
        "pull": ["x", "y", "dy", "dx"],
        "pull_both": ["x", "y", "u", "dy", "dv", "dx", "du"],
    }.items():
        arrays = normal(0, "float32", *[(4, 3)] * len(roles))
        yield name, partial(activate, name), roles, arrays


def activate(name: str, *arrays: Any) -> None:
    kernels.activate(name, lambda *_: None, kernels.ACTIVATIONS["ReLU"], arrays, ())


def wrong(x: Any) -> Iterator[tuple[str, Any]]:
    """In which way, and x made wrong in it."""
    if not isinstance(x, np.ndarray):  # a number
        yield "dtype", "0" if isinstance(x, bool) else [x]
        yield "dimension", np.array([x])
        if isinstance(x, np.floating):
            yield "dtype", np.float64(x)
        return
    yield "rows", np.concatenate([x, x[:1]])
    yield "rows", x[:-1]
    if x.ndim > 1:
        yield "columns", np.concatenate([x, x[..., :1]], axis=-1)
        yield "columns", x[..., :-1].copy()
    yield "dimension", x[None]
    yield "dimension", x[..., None]
    yield "dimension", x[0] if x.ndim > 1 else np.array(x[0])
    other = {"f": "f8", "d": "f4", "l": "i4", "q": "i4"}[x.dtype.char]
    for dtype in (other, "i8" if x.dtype.kind == "f" else "f8", "c16", "O", "U8"):
        yield "dtype", x.astype(dtype)
    yield "dtype", x.tolist()
    yield "type", np.ma.masked_array(x, mask=x == x)
    if x.ndim == 2:
        yield "type", np.matrix(x)


def main() -> None:
    calls, accepted = 0, []
    for way in (run_twins, references):
        with way(), np.errstate(all="ignore"):
            for name, kernel, roles, right in cases():
                for i, role in enumerate(roles):
                    for what, operand in wrong(right[i]):
                        if (name, role, what) in RIGHT:
                            continue
                        calls += 1
                        args = [one.copy() if isinstance(one, np.ndarray) else one for one in right]
                        args[i] = operand
                        try:
                            kernel(*args)
                        except ScratchgenError:
                            continue
                        except Exception as problem:
                            accepted.append(f"{way.__name__}: {name}, {role}, {what}: {problem!r}")
                        else:
                            accepted.append(f"{way.__name__}: {name}, {role}, {what}")
    print(json.dumps({"calls": calls, "accepted": accepted}))


if __name__ == "__main__":
    main()

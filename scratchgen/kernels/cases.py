"""Arguments for every kernel: the tests compare on them, the bench times, `warmup` compiles.

    kernels()["take_rows"].call(*case("take_rows", rows, columns, dtype, seed))

A case follows from the kernel's declaration (declarations.py) and from docs/notation.md, so a new
kernel is added nowhere else. Its first array has some rows x columns numbers, drawn from N(0, 1)
unless the declaration says what values it takes, or the operand's name does: `heads` and `raw` hold
log-variances, `norm` is the slope of a critic, `v`, `var` and `r` are positive.
"""

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape
from . import arithmetic, products
from .activation_loops import LOOPS
from .declarations import ANY_SHAPE, LETTER, Operand, expression
from .formulas import FORMULAS
from .operands import Operands

OURS = __name__.split(".")[0]
ROOMS = ("nn", "distributions", "losses", "models", "optim")  # whose files declare kernels
BY_HAND = (products, arithmetic)  # whose functions may have a loop without being formulas
NUMBERS = {
    "eps": 1e-5, "low": -0.5, "high": 0.5, "least": -0.5, "weight": 10.0, "target": 1.5,
    "free_bits": 0.5,
}  # fmt: skip
A_NUMBER = 0.3  # of any other name
PRODUCT = re.compile("[A-Z] [A-Z]")  # an axis such as N K
Sizes = dict[str, Any]
Draw = Callable[[np.random.Generator, Shape], Array]


@dataclass(frozen=True)
class Kernel:
    """A kernel as it is called, its operands, and whether it has a loop."""

    call: Callable[..., Any]
    operands: Operands
    has_loop: bool


@functools.cache
def kernels() -> dict[str, Kernel]:
    """All kernels by name; those of activations are called `ReLU.activate`."""
    for room in ROOMS:
        importlib.import_module(f"{OURS}.{room}")
    found = {
        name: Kernel(call, call.definition.operands, call.definition.loop is not None)
        for name, call in FORMULAS.items()
        if call.__module__.startswith(f"{OURS}.")
    }
    for module in BY_HAND:
        for declared in vars(module).values():
            if isinstance(declared, Operands):
                call = getattr(module, declared.kernel)
                found[declared.kernel] = Kernel(call, declared, has_loop=True)
    for kind, loops in LOOPS.items():
        for verb in loops:
            call = getattr(kind(), verb)
            found[f"{kind.__name__}.{verb}"] = Kernel(call, call.operands, has_loop=True)
    return found


def with_loops() -> dict[str, Kernel]:
    """The kernels that have a loop."""
    return {name: kernel for name, kernel in kernels().items() if kernel.has_loop}


def case(name: str, rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    """Arguments for the kernel of that name."""
    kernel, rng = kernels()[name], np.random.default_rng(seed)
    sizes = sizes_for(kernel.operands, rows, columns, seed)
    drawn = {
        operand.name: draw(operand, sizes, dtype, rng) for operand in kernel.operands.arguments
    }
    if "." in name and "y" in drawn:  # an activation takes the y of its x
        layer: Any = kernel.call.__self__  # type: ignore[attr-defined]
        drawn["y"] = layer.value(drawn["x"]).astype(dtype)
    return list(drawn.values())


def sizes_for(operands: Operands, rows: int, columns: int, seed: int) -> Sizes:
    """The size for each letter of a declaration."""
    letters = set().union(*(operand.letters for operand in operands.declared))
    axes = {axis for operand in operands.declared for axis in operand.axes}
    factors = {letter for axis in axes if PRODUCT.fullmatch(axis) for letter in axis.split()}
    if all(len(operand.axes) < 2 for operand in operands.arguments):  # vectors alone
        size = max(rows * columns, 1 if summed_over(operands) else 0)
        return {**dict.fromkeys(letters, size), "...": (rows, columns)}
    if "N" in summed_over(operands) | factors:  # of no rows there would be no mean, and no K
        rows = max(rows, 1)
    sizes: Sizes = {**dict.fromkeys(letters, columns), "N": rows, "G": rows, "M": rows + 9}
    if any(" by " in axis for axis in axes) and rows < 64:  # more than one block of 64
        sizes["N"] = 30 * rows
    if "K" in factors:
        sizes["K"] = 2 + seed % 9
    return sizes | {"W": columns + 1 + seed % 5, "Z": max(columns // 2, 1)}


def summed_over(operands: Operands) -> set[str]:
    """The letters that a result does not have: its kernel takes a sum, or a mean, over them."""
    read = set().union(*(operand.letters for operand in operands.arguments))
    results = [operand for operand in operands.declared if operand.is_result]
    return set().union(*(read - operand.letters for operand in results))


def draw(operand: Operand, sizes: Sizes, dtype: str, rng: np.random.Generator) -> Any:
    """Values for an operand, as it is declared."""
    if operand.is_number:
        divisors = (1, sizes.get(operand.bound, 1))
        return (
            divisors[rng.integers(2)]
            if operand.dtype == "int"
            else NUMBERS.get(operand.name, A_NUMBER)
        )
    shape = (
        sizes["..."]
        if operand.axes == ANY_SHAPE
        else tuple(size(axis, sizes) for axis in operand.axes)
    )
    if operand.dtype == "bool":  # one in each row
        return rng.random(shape).argsort(axis=-1) == 0
    if operand.condition == "below":
        return rng.integers(0, sizes[operand.bound], shape)
    dtype = operand.dtype or dtype
    if operand.values == "classes":
        return rng.integers(0, sizes[operand.bound], shape).astype(dtype)
    values: Draw = VALUES.get(operand.values or operand.name, np.random.Generator.standard_normal)
    drawn: Array = values(rng, shape).astype(dtype)
    if operand.name == "coefficients":  # the last is the smallest normal number
        drawn[-1] = np.finfo(dtype).tiny
    return drawn


def size(axis: str, sizes: Sizes) -> int:
    """The size of an axis."""
    if axis.isdigit() or LETTER.search(axis):
        return int(eval(expression(axis), {}, sizes))
    raise ValueError(f"no size for the axis {axis!r}")


def fractions(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.random(shape)


def positive(rng: np.random.Generator, shape: Shape) -> Array:
    """From 1/2 to 3/2."""
    return 0.5 + rng.random(shape)


def spread(rng: np.random.Generator, shape: Shape) -> Array:
    """About 1 and -1 by turns: no two neighbours are alike, so no variance is near 0."""
    signs = (-1) ** np.add.outer(np.arange(shape[0]), np.arange(shape[1]))
    return signs + rng.random(shape) / 2


def slopes(rng: np.random.Generator, shape: Shape) -> Array:
    """Many are 0, and all others are above 1: none is so small that its rounding shows."""
    drawn = rng.standard_normal(shape)
    return np.maximum(drawn, 0) + (drawn > 0)


def scaled(scale: float) -> Draw:
    return lambda rng, shape: scale * rng.standard_normal(shape)


VALUES: dict[str, Draw] = {  # by a word of the declaration, or by the operand's name
    "fractions": fractions,
    "positive": positive,
    "spread": spread,
    "coefficients": lambda rng, shape: rng.random(shape) / 10,
    "heads": scaled(0.5),
    "kl": fractions,
    "mean": scaled(0.125),  # whose square is below `v`
    "norm": slopes,
    "r": positive,
    "raw": scaled(0.5),
    "uniform": fractions,
    "v": positive,
    "var": positive,
}

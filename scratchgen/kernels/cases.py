"""Arguments for every kernel: what the bench times, `scratchgen warmup` compiles, tests compare.

    kernels()["take_rows"].call(*case("take_rows", rows, columns, dtype, seed))

They are made as a kernel declares its operands (kernels/declarations.py): draws of N(0, 1), whose
first array has some rows x columns numbers. `SPECIAL` says where it takes other numbers.
"""

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import add_in_place, add_sum, arithmetic, products
from .activation_loops import LOOPS
from .declarations import ANY_SHAPE, LETTER, Operand, expression
from .formulas import FORMULAS
from .operands import Operands
from .products import BATCH

OURS = __name__.split(".")[0]
ROOMS = ("nn", "distributions", "losses", "models", "optim")  # whose files declare kernels
PRODUCTS: dict[str, tuple[Callable[..., Any], Operands]] = {
    "times": (products.times, products.TIMES),
    "affine": (products.affine, products.AFFINE),
    "add_outer": (products.add_outer, products.ADD_OUTER),
    "times_transpose": (products.times_transpose, products.TIMES_TRANSPOSE),
}
SUMS: dict[str, tuple[Callable[..., Any], Operands]] = {
    "add_in_place": (add_in_place, arithmetic.ADD),
    "add_sum": (add_sum, products.ADD_SUM),
}
NUMBERS = {"eps": 1e-5, "low": -0.5, "high": 0.5, "least": -0.5, "weight": 10.0, "target": 1.5}
A_NUMBER = 0.3  # of any other name
WANTS_ONE = (  # row, or more
    "draw_and_kl",
    "draws_and_log_ratio",
    "draws_and_log_ratio_backward",
    "draws_path_backward",
    "column_moments",
    "batch_norm_backward",
    "negative_bound",
)


@dataclass(frozen=True)
class Kernel:
    """A kernel as it is called, what it takes, and whether it has a loop."""

    call: Callable[..., Any]
    operands: Operands
    has_loop: bool


@functools.cache
def kernels() -> dict[str, Kernel]:
    """All there are, by name; those of activations are called `ReLU.activate`."""
    for room in ROOMS:
        importlib.import_module(f"{OURS}.{room}")
    found = {
        name: Kernel(one, one.definition.operands, one.definition.loop is not None)
        for name, one in FORMULAS.items()
        if one.__module__.startswith(f"{OURS}.")
    }
    # which have loops without being formulas
    found |= {name: Kernel(*one, has_loop=True) for name, one in {**PRODUCTS, **SUMS}.items()}
    for kind, loops in LOOPS.items():
        for verb in loops:
            call = getattr(kind(), verb)
            names = ", ".join(inspect.signature(call).parameters)
            operands = Operands(verb, f"{names} (...)")
            found[f"{kind.__name__}.{verb}"] = Kernel(call, operands, has_loop=True)
    return found


def with_loops() -> dict[str, Kernel]:
    """Those that have a loop."""
    return {name: one for name, one in kernels().items() if one.has_loop}


def case(name: str, rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    """The arguments of that kernel."""
    kernel, rng = kernels()[name], np.random.default_rng(seed)
    given = kernel.operands.given
    sizes = sizes_for(name, given, rows, columns, seed)
    drawn = {one.name: draw(one, sizes, dtype, rng) for one in given}
    special = SPECIAL.get(name.split(".")[-1])
    return list((special(drawn, kernel, rng) if special else drawn).values())


def sizes_for(
    name: str, given: list[Operand], rows: int, columns: int, seed: int
) -> dict[str, Any]:
    """What each letter of the declaration stands for."""
    rows = max(rows, 1) if name in WANTS_ONE else rows
    letters = set().union(*(one.letters for one in given))
    if all(len(one.axes) < 2 for one in given):  # vectors alone
        return {**dict.fromkeys(letters, rows * columns + (name == "mean")), "...": (rows, columns)}
    sizes = {**dict.fromkeys(letters, columns), "N": rows, "G": rows, "M": rows + 9}
    sizes |= {"K": 2 + seed % 9, "W": 1 + seed % 5, "Z": max(columns // 2, 1)}
    if name in ("first_part", "split_like"):  # of what is wider
        sizes["W"] += columns
    if name in ("importance_weights", "first_of"):  # of many draws, or of wide rows
        sizes["K"] = columns
    if name in ("sum_blocks", "add_sum") and rows < BATCH:  # more than a block
        sizes["N"] *= 30
    return sizes


def draw(one: Operand, sizes: dict[str, Any], dtype: str, rng: np.random.Generator) -> Any:
    """An operand as it is declared."""
    if one.is_number:
        divisors = (1, sizes.get(one.bound, 1))
        return divisors[rng.integers(2)] if one.dtype == "int" else NUMBERS.get(one.name, A_NUMBER)
    shape = sizes["..."] if one.axes == ANY_SHAPE else tuple(size(axis, sizes) for axis in one.axes)
    if one.dtype == "bool":  # one in each row
        return rng.random(shape).argsort(axis=-1) == 0
    if one.condition == "below":
        return rng.integers(0, sizes[one.bound], shape)
    return rng.standard_normal(shape).astype(one.dtype or dtype)


def size(axis: str, sizes: dict[str, Any]) -> int:
    """The size of an axis."""
    if axis.isdigit() or LETTER.search(axis):
        return int(eval(expression(axis), {}, sizes))
    raise ValueError(f"no size for the axis {axis!r}")


Drawn = dict[str, Any]
Special = Callable[[Drawn, Kernel, np.random.Generator], Drawn]


def with_coefficients(*coefficients: float) -> Special:
    """The case of an optimizer with these coefficients; no mean of squares is negative."""

    def change(drawn: Drawn, _kernel: Kernel, _rng: np.random.Generator) -> Drawn:
        theta = drawn["theta"]
        least = np.finfo(theta.dtype).tiny
        drawn["coefficients"] = np.array([*coefficients, least], theta.dtype)
        if "v" in drawn:
            np.abs(drawn["v"], out=drawn["v"])
        if "mean" in drawn:  # v far above its square: v - mean^2 loses no digits
            drawn["v"] += 4 * (1 + drawn["mean"] ** 2)
        return drawn

    return change


def apart(drawn: Drawn, _kernel: Kernel, rng: np.random.Generator) -> Drawn:
    """For norms: no two neighbours are alike, whose roundings would show, and nothing is small."""
    for name, x in drawn.items():
        if isinstance(x, np.ndarray) and x.ndim == 2:
            signs = (-1) ** np.add.outer(np.arange(len(x)), np.arange(x.shape[1]))
            x[...] = signs + rng.random(x.shape) / 2  # 1 and -1 by turns
        if name in ("r", "var"):
            x[...] = 0.5 + rng.random(x.shape)
    return drawn


def shares(*names: str) -> Special:
    """Those are in [0, 1)."""

    def change(drawn: Drawn, _kernel: Kernel, rng: np.random.Generator) -> Drawn:
        return drawn | {name: rng.random(drawn[name].shape, drawn[name].dtype) for name in names}

    return change


def labels(drawn: Drawn, _kernel: Kernel, rng: np.random.Generator) -> Drawn:
    """x holds classes."""
    x, logits = drawn["x"], drawn["logits"]
    classes = logits.shape[1] // max(x.shape[1], 1)
    return drawn | {"x": rng.integers(0, classes, x.shape).astype(x.dtype)}


def gentle(drawn: Drawn, _kernel: Kernel, _rng: np.random.Generator) -> Drawn:
    """Variances that are not far from 1."""
    return drawn | {name: drawn[name] / 2 for name in ("raw", "heads") if name in drawn}


def slopes(drawn: Drawn, _kernel: Kernel, _rng: np.random.Generator) -> Drawn:
    """Norms, of which many are 0, and none is next to it."""
    norm = drawn["norm"]
    return drawn | {"norm": np.maximum(norm, 0) + (norm > 0)}


def kl_of_latents(drawn: Drawn, _kernel: Kernel, rng: np.random.Generator) -> Drawn:
    """Some of the KL is free."""
    kl = rng.random(drawn["kl"].shape)
    return drawn | {"kl": kl, "beta": np.array([0.3]), "free_bits": 0.5}


def value_of_x(drawn: Drawn, kernel: Kernel, _rng: np.random.Generator) -> Drawn:
    """y = s(x)."""
    return drawn | {"y": kernel.call.__self__.value(drawn["x"]).astype(drawn["x"].dtype)}  # type: ignore[attr-defined]


SPECIAL: dict[str, Special] = {
    "adam_step": with_coefficients(1e-2, 0.1, 0.001, 1e-8, 10.0, 1000.0, 1e-3),
    "batch_norm": apart,
    "batch_norm_backward": apart,
    "centred_rmsprop_step": with_coefficients(1e-2, 0.01, 1e-8),
    "column_moments": apart,
    "draw_and_kl_backward": kl_of_latents,
    "draws_and_log_ratio": gentle,
    "draws_and_log_ratio_backward": gentle,
    "draws_path_backward": gentle,
    "drop_out": shares("uniform"),
    "gradient_penalty_pass": slopes,
    "layer_norm": apart,
    "layer_norm_backward": apart,
    "layer_norm_curvature": apart,
    "momentum_step": with_coefficients(1e-2, 0.9),
    "nesterov_step": with_coefficients(1e-2, 0.9),
    "norm_sums": apart,
    "times_slope": value_of_x,
    "times_slope_and_curvature": value_of_x,
    "r1_pass": slopes,
    "rmsprop_step": with_coefficients(1e-2, 0.01, 1e-8),
    "score_bernoulli": shares("x"),
    "score_categorical": labels,
    "score_gaussian": gentle,
    "score_shared_gaussian": gentle,
    "sgd_step": with_coefficients(1e-2),
}

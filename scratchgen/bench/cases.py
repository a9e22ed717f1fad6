"""Arguments for every kernel that has a twin: what the bench times, and the tests compare.

case(rows, columns, dtype, seed) -> the kernel's arguments, rows x columns numbers in the first
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..kernels import BATCH
from ..kernels.sharing import MOST_THREADS

Case = Callable[[int, int, str, int], list[Any]]


def twins() -> dict[str, Any]:
    """The kernels with a reference and a loop, by name, in every file of the room."""
    names = [one.name for one in pkgutil.iter_modules(kernels.__path__) if not one.ispkg]
    files = [importlib.import_module(f"{kernels.__name__}.{name}") for name in names]
    return {
        name: kernel
        for file in files
        for name, kernel in vars(file).items()
        if hasattr(kernel, "loop")
    }


def normal(seed: int, dtype: str, *shapes: tuple[int, ...]) -> list[Any]:
    """Arrays of draws of N(0, 1)."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def room(columns: int, dtype: str) -> Any:
    """What a twin needs to write in: a row for each of its parts."""
    return np.empty((MOST_THREADS, columns), dtype)


def step_of(arrays: int, positive: int | None, *numbers: float) -> Case:
    """The case of an optimizer: arrays, one of them without minus signs, and its numbers."""

    def case(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
        vectors = normal(seed, dtype, *[(rows * columns,)] * arrays)
        if positive is not None:
            np.abs(vectors[positive], out=vectors[positive])
        return [*vectors, np.array([*numbers, np.finfo(dtype).tiny], dtype)]

    return case


adam_step = step_of(4, 3, 1e-2, 0.1, 0.001, 1e-8, 10.0, 1000.0, 1e-3)


def centred_rmsprop_step(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    theta, g, v, mean, numbers = step_of(4, 2, 1e-2, 0.01, 1e-8)(rows, columns, dtype, seed)
    v += 4 * (1 + mean * mean)  # far above the square of the mean: v - mean^2 loses no digits
    return [theta, g, v, mean, numbers]


def sum_rows(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows, columns), (columns,))


def sum_blocks(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    batch = 30 * max(rows, 1)
    return [*normal(seed, dtype, (batch, columns)), room(columns, dtype)[: -(-batch // BATCH)]]


def add_scaled(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x, y, out = normal(seed, dtype, *[(rows * columns,)] * 3)
    return [x, y, np.dtype(dtype).type(0.4), out]


def drop_out(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x, out = normal(seed, dtype, *[(rows * columns,)] * 2)
    uniform = np.random.default_rng(seed).random(rows * columns).astype(dtype)
    return [x, uniform, np.dtype(dtype).type(0.3), out]


def approach(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return [*normal(seed, dtype, *[(rows * columns,)] * 2), np.array([0.3], dtype)]


def any_of(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x = np.zeros((rows, columns), dtype)
    x[rows // 2 :, seed % columns] = seed % 3  # 0 too
    return [x, np.full(1, 9)]


def draw_and_kl(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    n, latents = max(rows, 1), max(columns // 2, 1)
    heads, noise, z = normal(seed, dtype, (n, 2 * latents), (n, latents), (n, latents))
    return [heads, noise, z, np.zeros(latents)]


def draw_and_kl_back(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    half = max(columns // 2, 1)
    heads, noise, dz, dheads = normal(
        seed, dtype, (rows, 2 * half), (rows, half), (rows, half), (rows, 2 * half)
    )
    kl = np.random.default_rng(seed).random(half)
    return [heads, noise, dz, kl, np.array([0.3, 0.5], dtype), dheads]


def bernoulli_pass(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x = np.random.default_rng(seed).random((rows, columns)).astype(dtype)
    arrays = normal(seed, dtype, x.shape, x.shape[:1], x.shape[:1], x.shape)
    return [x, *arrays, room(columns, dtype)]


def categorical_pass(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    classes = 2 + seed % 9
    x = np.random.default_rng(seed).integers(0, classes, (rows, columns)).astype(dtype)
    wide = (rows, columns * classes)
    return [x, *normal(seed, dtype, wide, (rows,), (rows,), wide), room(2 * columns, dtype)]


def fixed_gaussian_pass(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    each = (rows, columns)
    x, mu, *others = normal(seed, dtype, each, each, (rows,), (rows,), each)
    return [x, mu, np.dtype(dtype).type(0.3), *others, room(columns, dtype)]


def shared_gaussian_pass(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    wide = (rows, columns + 1)
    x, raw, *others = normal(seed, dtype, (rows, columns), wide, (rows,), (rows,), wide)
    raw[:, -1] /= 2
    return [x, raw, np.dtype(dtype).type(-0.5), *others, room(columns, dtype)]


def gaussian_pass(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    width = columns if seed % 2 else 1  # a vector, or a picture
    wide = (rows, 2 * columns)
    x, raw, *others = normal(seed, dtype, (rows, columns), wide, (rows,), (rows,), wide)
    settings = np.dtype(dtype).type(-0.5), np.intp(width)
    return [x / 2, raw / 2, *settings, *others, room(3 * columns, dtype)]


def take_rows(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    many = rows + 9
    x, out = normal(seed, dtype, (many, columns), (rows, columns))
    return [x, np.random.default_rng(seed).integers(0, many, rows), out]


def mean(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return [*normal(seed, dtype, (rows * columns + 1,)), np.zeros(1)]


def between(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows, columns), (rows, columns), (rows,), (rows, columns))


def row_norms(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return [*normal(seed, dtype, (rows, columns), (rows,)), room(columns, dtype)]


def scale_rows(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows, columns), (rows,), (rows, columns))


def slopes(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    """Norms and dvalue, weight and target, and what is written."""
    number = np.dtype(dtype).type
    norm, dvalue, value, factor = normal(seed, dtype, *[(rows * columns,)] * 4)
    norm = np.maximum(norm, 0) + (norm > 0)  # many are 0, and none is next to it
    return [norm.astype(dtype), dvalue, number(10), number(1.5), value, factor]


def apart(rows: int, columns: int, dtype: str, seed: int) -> Any:
    """x (rows, columns) for norms: no two neighbours are alike, whose roundings would show."""
    signs = (-1) ** np.add.outer(np.arange(rows), np.arange(columns))  # 1 and -1 by turns
    x = signs + np.random.default_rng(seed).random((rows, columns)) / 2
    return x.astype(dtype)


def layer_norm(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x = apart(rows, columns, dtype, seed)
    arrays = normal(seed, dtype, (columns,), (columns,), (rows,), x.shape, x.shape)
    return [x, np.dtype(dtype).type(1e-5), *arrays, room(columns, dtype)]


def layer_norm_back(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    dy = apart(rows, columns, dtype, seed)
    arrays = normal(seed, dtype, (columns,), (rows,), dy.shape, dy.shape)
    return [dy, *arrays, room(columns, dtype)]


def layer_norm_bend(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    u, dk, h, k, du, dx = (apart(rows, columns, dtype, seed + i) for i in range(6))
    r = np.random.default_rng(seed).random(rows).astype(dtype)
    return [u, dk, r, h, k, du, dx, room(columns, dtype)]


def column_moments(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x = apart(max(rows, 1), columns, dtype, seed)
    return [x, *normal(seed, dtype, (columns,), (columns,))]


def batch_norm(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x, var = apart(rows, columns, dtype, seed), apart(1, columns, dtype, seed)[0] ** 2
    mean, gamma, beta, r = normal(seed, dtype, *[(columns,)] * 4)
    y, h = normal(seed, dtype, x.shape, x.shape)
    return [x, mean, var, np.dtype(dtype).type(1e-5), gamma, beta, r, h, y]


def batch_norm_back(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    each, column = (max(rows, 1), columns), (columns,)
    return normal(seed, dtype, each, column, column, each, column, column, each)


def norm_sums(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    dy, h = (apart(rows, columns, dtype, seed + i) for i in range(2))
    return [dy, h, *normal(seed, dtype, (columns,), (columns,))]


def logits(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows * columns,), (rows * columns,))


def judged(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    """Scores of real and fake examples, dvalue, and what is written."""
    return normal(seed, dtype, *[(rows * columns,)] * 6)


def made(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    """Scores of fake examples, dvalue, and what is written."""
    return normal(seed, dtype, *[(rows * columns,)] * 4)


CASES: dict[str, Case] = {
    "adam_step": adam_step,
    "norm_sums": norm_sums,
    "sum_rows": sum_rows,
    "sum_blocks": sum_blocks,
    "add_scaled": add_scaled,
    "any_of": any_of,
    "approach": approach,
    "drop_out": drop_out,
    "batch_norm": batch_norm,
    "batch_norm_back": batch_norm_back,
    "bernoulli_pass": bernoulli_pass,
    "between": between,
    "centred_rmsprop_step": centred_rmsprop_step,
    "draw_and_kl": draw_and_kl,
    "draw_and_kl_back": draw_and_kl_back,
    "mean": mean,
    "momentum_step": step_of(3, None, 1e-2, 0.9),
    "nesterov_step": step_of(3, None, 1e-2, 0.9),
    "rmsprop_step": step_of(3, 2, 1e-2, 0.01, 1e-8),
    "gradient_penalty_pass": slopes,
    "r1_pass": slopes,
    "row_norms": row_norms,
    "scale_rows": scale_rows,
    "sgd_step": step_of(2, None, 1e-2),
    "categorical_pass": categorical_pass,
    "column_moments": column_moments,
    "fixed_gaussian_pass": fixed_gaussian_pass,
    "gaussian_pass": gaussian_pass,
    "hinge_pass": judged,
    "layer_norm": layer_norm,
    "layer_norm_back": layer_norm_back,
    "layer_norm_bend": layer_norm_bend,
    "least_squares_generator_pass": made,
    "least_squares_pass": judged,
    "linear_generator_pass": made,
    "logistic_pass": judged,
    "minimax_generator_pass": made,
    "non_saturating_generator_pass": made,
    "shared_gaussian_pass": shared_gaussian_pass,
    "take_rows": take_rows,
    "wasserstein_pass": judged,
    "write_sigmoid": logits,
    "write_softplus": logits,
}

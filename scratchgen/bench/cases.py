"""Arguments for every kernel that has a twin: what the bench times, and the tests compare.

case(rows, columns, dtype, seed) -> the kernel's arguments, rows x columns numbers in the first
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels

MOST_PARTS = 256
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
    return np.empty((MOST_PARTS, columns), dtype)


def step_of(arrays: int, positive: int | None, *numbers: float) -> Case:
    """The case of an optimizer: so many arrays, one of them without minus signs, and numbers."""

    def case(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
        vectors = normal(seed, dtype, *[(rows * columns,)] * arrays)
        if positive is not None:
            np.abs(vectors[positive], out=vectors[positive])
        return [*vectors, *map(np.dtype(dtype).type, numbers), np.finfo(dtype).tiny]

    return case


adam_step = step_of(4, 3, 1e-2, 0.1, 0.001, 1e-8, 10.0, 1000.0, 1e-3)


def centred_rmsprop_step(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    theta, g, v, mean, *numbers = step_of(4, 2, 1e-2, 0.01, 1e-8)(rows, columns, dtype, seed)
    v += 1 + mean * mean  # a mean square is no smaller than the square of the mean
    return [theta, g, v, mean, *numbers]


def sgd_step(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return [*normal(seed, dtype, *[(rows * columns,)] * 2), np.dtype(dtype).type(1e-2)]


def add_rows(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return [*normal(seed, dtype, (rows, columns), (columns,)), bool(seed % 2)]


def draw_and_kl(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    n, latents = max(rows, 1), max(columns // 2, 1)
    heads, noise, z = normal(seed, dtype, (n, 2 * latents), (n, latents), (n, latents))
    return [heads, noise, z, np.zeros(latents)]


def draw_and_kl_back(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    half = max(columns // 2, 1)
    shapes = [(rows, 2 * half), (rows, half), (rows, half), (half,), (rows, 2 * half)]
    return normal(seed, dtype, *shapes)


def bernoulli_pass(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    x = np.random.default_rng(seed).random((rows, columns)).astype(dtype)
    arrays = normal(seed, dtype, x.shape, x.shape[:1], x.shape[:1], x.shape)
    return [x, *arrays, room(columns, dtype)]


def take_rows(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    many = rows + 9
    x, out = normal(seed, dtype, (many, columns), (rows, columns))
    return [x, np.random.default_rng(seed).integers(0, many, rows), out]


def between(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows, columns), (rows, columns), (rows,), (rows, columns))


def row_norms(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return [*normal(seed, dtype, (rows, columns), (rows,)), room(columns, dtype)]


def scale_rows(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows, columns), (rows,), (rows, columns))


def logits(rows: int, columns: int, dtype: str, seed: int) -> list[Any]:
    return normal(seed, dtype, (rows * columns,), (rows * columns,))


CASES: dict[str, Case] = {
    "adam_step": adam_step,
    "add_rows": add_rows,
    "bernoulli_pass": bernoulli_pass,
    "between": between,
    "centred_rmsprop_step": centred_rmsprop_step,
    "draw_and_kl": draw_and_kl,
    "draw_and_kl_back": draw_and_kl_back,
    "momentum_step": step_of(3, None, 1e-2, 0.9),
    "nesterov_step": step_of(3, None, 1e-2, 0.9),
    "rmsprop_step": step_of(3, 2, 1e-2, 0.01, 1e-8),
    "row_norms": row_norms,
    "scale_rows": scale_rows,
    "sgd_step": sgd_step,
    "take_rows": take_rows,
    "write_sigmoid": logits,
    "write_softplus": logits,
}

"""Arguments for every kernel that has a twin: what the bench times, and the tests compare.

case(size, dtype, seed) -> its arguments, `size` numbers in the first of them, about
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels

Case = Callable[[int, str, int], list[Any]]


def twins() -> dict[str, Any]:
    """The kernels with a reference and a loop, by name."""
    known = {name: getattr(kernels, name) for name in kernels.__all__}
    return {name: kernel for name, kernel in known.items() if hasattr(kernel, "loop")}


def adam_step(size: int, dtype: str, seed: int) -> list[Any]:
    rng, number = np.random.default_rng(seed), np.dtype(dtype).type
    theta, g, m = (rng.standard_normal(size).astype(dtype) for _ in range(3))
    v = rng.random(size).astype(dtype)
    numbers = (1e-2, 0.9, 0.999, 1e-8, 10.0, 1000.0, np.finfo(dtype).tiny)
    return [theta, g, m, v, *map(number, numbers)]


def add_rows(size: int, dtype: str, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    rows = 128 if size > 10_000 else size % 7
    across = size // 128 if size > 10_000 else size
    return [rng.standard_normal(shape).astype(dtype) for shape in ((rows, across), across)]


CASES: dict[str, Case] = {"adam_step": adam_step, "add_rows": add_rows}

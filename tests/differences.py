"""The derivative of a function from its values alone: central differences, one Richardson step.

    D(h) = (f(x + h) - f(x - h)) / 2h                  error O(h^2)      (1)
    f'(x) = (4 D(h/2) - D(h)) / 3                      error O(h^4)      (2)

For functions of float64 arrays, changed in place and put back.
"""

from collections.abc import Callable

import numpy as np


def numeric_gradient(f: Callable[[], float], x: np.ndarray, h: float = 2e-3) -> np.ndarray:
    """The gradient of f() with respect to the array x, which f reads, in x's shape."""
    gradient = np.empty_like(x)
    flat, out = x.reshape(-1), gradient.reshape(-1)
    assert x.flags.c_contiguous, "x must be contiguous to be changed in place"
    for i in range(flat.size):
        out[i] = (4 * _central(f, flat, i, h / 2) - _central(f, flat, i, h)) / 3  # (2)
    return gradient


def _central(f: Callable[[], float], flat: np.ndarray, i: int, h: float) -> float:
    before = flat[i]
    flat[i] = before + h
    above = f()
    flat[i] = before - h
    below = f()
    flat[i] = before
    return (above - below) / (2 * h)  # (1)


def assert_close(analytic: np.ndarray, numeric: np.ndarray, what: str = "gradient") -> None:
    """|numeric - analytic| <= 1e-7 |analytic| in the norm of the array (1e-10 where it is zero)."""
    assert analytic.shape == numeric.shape, f"{what}: {analytic.shape} against {numeric.shape}"
    error = np.linalg.norm(numeric - analytic)
    allowed = 1e-7 * np.linalg.norm(analytic) + 1e-10
    assert error <= allowed, f"{what}: off by {error:.2e}, allowed {allowed:.2e}"

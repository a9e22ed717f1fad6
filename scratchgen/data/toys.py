"""Toys: two-dimensional data whose true density is known, so that a model can be judged.

The ring and the grid are mixtures of M equally likely round Gaussians with means c_m:

    x = c_m + std noise,   noise ~ N(0, I)                                                   (1)
    p(x) = 1/M sum_m exp(-|x - c_m|^2 / (2 std^2)) / (2 pi std^2)                            (2)
    ring: c_m = (cos a_m, sin a_m),  a_m = 2 pi m / 8, m = 0 ... 7;   std = 0.01             (3)
    grid: c = (i, j),  i, j in {-4, -2, 0, 2, 4};   std = 0.05                               (4)

Protocol: Lin et al. 2018. Toys whose density has no closed form are in curves.py.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..ground.arguments import Array, count, examples
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng, generator

CHUNK = 2**20  # distances at a time: 8 MB


class Toy(Protocol):
    """Two-dimensional data with a known density."""

    @property
    def name(self) -> str: ...

    def draw(self, n: int, rng: Rng = None) -> tuple[Array, Array]:
        """n points (n, 2) float32, and the mode or arm of each (n,)."""

    def log_prob(self, x: Array) -> Array:
        """The true log-density, nats: x (N, 2) -> (N,)."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """M equally likely round Gaussians in the plane: `means` (M, 2), and one `std`.

    >>> Mixture("one", np.zeros((1, 2)), std=1.0).log_prob(np.zeros((1, 2))).round(4)
    array([-1.8379])
    """

    name: str
    means: Array
    std: float

    def draw(self, n: int, rng: Rng = None) -> tuple[Array, Array]:
        """n points (n, 2) float32, and the mode of each (n,).

        Raises OptionError for a bad n or rng.
        """
        n, rng = count(n), generator(rng)
        modes = rng.integers(len(self.means), size=n)  # (n,)
        x = self.means[modes] + self.std * rng.standard_normal((n, 2))  # (n, 2)   (1)
        return x.astype(np.float32), modes

    def log_prob(self, x: Array) -> Array:
        """The true log-density, nats: x (N, 2) -> (N,).

        Raises ShapeError, KindError or DataError if x is no array of points in the plane.
        """
        equal = np.full(len(self.means), 1 / len(self.means))  # (M,)
        return mixture_log_prob(examples(x, (2,), np.float64), self.means, equal, self.std)


def mixture_log_prob(x: Array, means: Array, weights: Array, std: float) -> Array:
    """log sum_m w_m N(x; c_m, std^2 I): x (N, 2), means (M, 2), weights (M,) -> (N,); (2).

    Works on a chunk of points at a time, so that memory does not grow with N.
    """
    log_weights = np.log(weights) - math.log(2 * math.pi * std**2)  # (M,)
    out = np.empty(len(x))
    rows = max(1, CHUNK // len(means))
    for start in range(0, len(x), rows):
        across, up = (x[start : start + rows, axis, None] - means[:, axis] for axis in (0, 1))
        terms = log_weights - (across**2 + up**2) / (2 * std**2)  # (rows, M)
        top = terms.max(axis=1, keepdims=True)  # (rows, 1)
        with np.errstate(under="ignore"):
            total = np.exp(terms - top).sum(axis=1)  # (rows,), at least 1
        out[start : start + rows] = top[:, 0] + np.log(total)  # (2)
    return out


_angles = 2 * np.pi * np.arange(8) / 8
RING = Mixture("ring", np.stack([np.cos(_angles), np.sin(_angles)], axis=1), 0.01)  # (3)
_ticks = np.arange(-4.0, 5.0, 2.0)
GRID = Mixture("grid", np.stack(np.meshgrid(_ticks, _ticks), axis=-1).reshape(-1, 2), 0.05)  # (4)

MIXTURES = {mixture.name: mixture for mixture in (RING, GRID)}


@explains_keywords
def ring(n: int, rng: Rng = None, return_labels: bool = False) -> Any:
    """Eight Gaussians on the unit circle: (n, 2) float32; labels are the modes (n,).

    Raises OptionError for a bad n or rng.

    >>> ring(5, rng=0).shape
    (5, 2)
    """
    x, modes = RING.draw(n, rng)
    return (x, modes) if return_labels else x


@explains_keywords
def grid(n: int, rng: Rng = None, return_labels: bool = False) -> Any:
    """Twenty-five Gaussians on a square grid: (n, 2) float32; labels are the modes (n,).

    Raises OptionError for a bad n or rng.

    >>> grid(5, rng=0).shape
    (5, 2)
    """
    x, modes = GRID.draw(n, rng)
    return (x, modes) if return_labels else x

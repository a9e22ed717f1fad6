"""Curves: points near one or two arms in the plane; their densities have no closed form.

A point is a position on one of J equally likely arms c_j, plus round noise:

    x = c_j(a) + std noise,   noise ~ N(0, I)                                                (1)
    a = low + (high - low) u^(1/q),   u ~ U(0, 1)                                            (2)
    swiss roll: c = a (cos a, sin a) / 10;                low = 1.5 pi, high = 4.5 pi,
                                                          q = 1, std = 0.05                  (3)
    two moons:  c_0 = (cos a, sin a),
                c_1 = (1 - cos a, 1/2 - sin a);           0 to pi, q = 1, std = 0.1          (4)
    spiral:     c_0 = a (cos a, sin a) / pi, c_1 = -c_0;  0 to 3 pi, q = 2, std = 0.1        (5)

The density is an integral over the arms, here over v = u^(1/q), so that du = q v^(q-1) dv:

    p(x) = 1/J sum_j int_0^1 N(x; c_j(a(v)), std^2 I) q v^(q-1) dv                           (6)
         ~ 1/J sum_j sum_i w_i q v_i^(q-1) N(x; c_j(a(v_i)), std^2 I)                        (7)

(6) has no closed form. With the nodes v_i and the weights w_i of Gauss and Legendre it becomes the
sum (7), which is the density of a mixture. With NODES nodes per arm the relative error is below
1e-10 where the data lie, and below 1e-8 on a square three times as wide. The integral runs over v,
not over u, because the spiral is smooth in v only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..ground.arguments import Array, count, examples
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng, generator
from .toys import MIXTURES, Toy, mixture_log_prob

NODES = 768  # on each arm


@dataclass(frozen=True, eq=False)
class Curves:
    """Arms in the plane, each a function of the angles (n,) -> (n, 2), with noise around them.

    >>> Curves("line", (lambda a: np.stack([a, 0 * a], axis=1),), 0, 1, std=0.1).draw(5)[0].shape
    (5, 2)
    """

    name: str
    arms: tuple[Callable[[Array], Array], ...]
    low: float
    high: float
    std: float
    q: float = 1  # 1: all angles are equally likely; 2: large angles are likelier
    nodes: int = NODES

    def draw(self, n: int, rng: Rng = None) -> tuple[Array, Array]:
        """n points (n, 2) float32, and the arm of each (n,).

        Raises OptionError for a bad n or rng.
        """
        n, rng = count(n), generator(rng)
        labels = rng.integers(len(self.arms), size=n)  # (n,)
        on_arms = self._on_arms(rng.random(n) ** (1 / self.q))  # (J, n, 2)   (2)
        noise = rng.standard_normal((n, 2))
        x = on_arms[labels, np.arange(n)] + self.std * noise  # (n, 2)   (1)
        return x.astype(np.float32), labels

    def log_prob(self, x: Array) -> Array:
        """The true log-density, nats: x (N, 2) -> (N,); an integral, computed by quadrature.

        Raises ShapeError, KindError or DataError if x is no array of points in the plane.
        """
        x = examples(x, (2,), np.float64)
        v, w = _gauss_legendre(self.nodes)  # (nodes,) each
        weights = w * self.q * v ** (self.q - 1) / len(self.arms)  # (nodes,)
        means = self._on_arms(v).reshape(-1, 2)  # (J nodes, 2)
        return mixture_log_prob(x, means, np.tile(weights, len(self.arms)), self.std)  # (7)

    def _on_arms(self, v: Array) -> Array:
        """c_j(a(v)), for v (n,) -> (J, n, 2)."""
        angles = self.low + (self.high - self.low) * v  # (n,)
        return np.stack([arm(angles) for arm in self.arms])


@cache
def _gauss_legendre(nodes: int) -> tuple[Array, Array]:
    """Nodes and weights (nodes,) for integrals from 0 to 1."""
    y, w = np.polynomial.legendre.leggauss(nodes)  # for integrals from -1 to 1
    return (y + 1) / 2, w / 2


def _circle(a: Array) -> Array:
    """(cos a, sin a): a (n,) -> (n, 2)."""
    return np.stack([np.cos(a), np.sin(a)], axis=1)


def _roll(a: Array) -> Array:
    return a[:, None] * _circle(a) / 10  # (3)


def _lower_moon(a: Array) -> Array:
    return [1.0, 0.5] - _circle(a)  # (4)


def _spiral_out(a: Array) -> Array:
    return a[:, None] * _circle(a) / math.pi  # (5)


def _spiral_back(a: Array) -> Array:
    return -_spiral_out(a)  # (5)


SWISS_ROLL = Curves("swiss_roll", (_roll,), 1.5 * math.pi, 4.5 * math.pi, std=0.05)
TWO_MOONS = Curves("two_moons", (_circle, _lower_moon), 0, math.pi, std=0.1)
SPIRAL = Curves("spiral", (_spiral_out, _spiral_back), 0, 3 * math.pi, std=0.1, q=2)

TOYS: dict[str, Toy] = {**MIXTURES, **{toy.name: toy for toy in (SWISS_ROLL, TWO_MOONS, SPIRAL)}}


@explains_keywords
def swiss_roll(n: int, rng: Rng = None, return_labels: bool = False) -> Any:
    """A rolled-up band, seen from its side: (n, 2) float32; all labels (n,) are 0, its one arm.

    `SWISS_ROLL.log_prob` is its true density, an integral. Raises OptionError for a bad n or rng.

    >>> swiss_roll(5, rng=0).shape
    (5, 2)
    """
    x, arms = SWISS_ROLL.draw(n, rng)
    return (x, arms) if return_labels else x


@explains_keywords
def two_moons(n: int, rng: Rng = None, return_labels: bool = False) -> Any:
    """Two half circles, each reaching into the other: (n, 2) float32; labels are the moons (n,).

    `TWO_MOONS.log_prob` is their true density, an integral. Raises OptionError for a bad n or rng.

    >>> two_moons(5, rng=0).shape
    (5, 2)
    """
    x, arms = TWO_MOONS.draw(n, rng)
    return (x, arms) if return_labels else x


@explains_keywords
def spiral(n: int, rng: Rng = None, return_labels: bool = False) -> Any:
    """Two arms that wind around each other: (n, 2) float32; labels are the arms (n,).

    `SPIRAL.log_prob` is their true density, an integral. Raises OptionError for a bad n or rng.

    >>> spiral(5, rng=0).shape
    (5, 2)
    """
    x, arms = SPIRAL.draw(n, rng)
    return (x, arms) if return_labels else x

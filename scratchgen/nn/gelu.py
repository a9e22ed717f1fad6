"""GELU weighs x by the share of a normal distribution below it (Hendrycks and Gimpel 2016).

    y = x Phi(x)                         (1)
    s' = Phi(x) + x phi(x)               (2)
    s'' = phi(x) (2 - x^2)               (3)

Phi is the distribution function of N(0, 1) and phi its density (kernels/normal.py). This is the
exact form; some libraries put a tanh in the place of Phi.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import kernels
from ..ground.arguments import Array
from ..kernels import loops_of
from ..kernels.functions import TWO, ZERO, normal_cdf, normal_density
from .activation import Activation

# mypy: disable-error-code="no-untyped-def"


@dataclass(frozen=True, eq=False)
class GELU(Activation):
    """x times the share of a normal distribution below it, exactly (no tanh in its place).

    >>> GELU().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = x Phi(x), Phi the normal cdf"

    def value(self, x: Array) -> Array:
        return x * kernels.normal_cdf(x)  # (1)

    def slope(self, x: Array, y: Array) -> Array:
        return kernels.normal_cdf(x) + x * kernels.normal_density(x)  # (2)

    def curvature(self, x: Array, y: Array) -> Any:
        a = np.minimum(np.abs(x), kernels.FAR)  # where phi is 0; x^2 could overflow
        return kernels.normal_density(x) * (2 - a * a)  # (3)


@loops_of(GELU)
class GELULoops:
    def value(x):
        return x * normal_cdf(x)

    def slope(x, y):
        return normal_cdf(x) + x * normal_density(x)

    def curvature(x, y):
        density = normal_density(x)
        return density * (TWO - x * x) if density > ZERO else density  # x^2 could overflow

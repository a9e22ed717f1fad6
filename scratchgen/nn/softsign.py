"""Softsign levels off at -1 and 1 more slowly than tanh does (Bergstra et al. 2009).

    y = x / (1 + |x|)                    (1)
    s' = 1 / (1 + |x|)^2                 (2)
    s'' = -2 sign(x) / (1 + |x|)^3       (3)

At x = 0, where s'' jumps from 2 to -2, (3) is the value on the left.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..ground.arguments import Array
from ..kernels import loops_of
from ..kernels.functions import ONE, TWO, ZERO
from .activation import Activation

# mypy: disable-error-code="no-untyped-def"


@dataclass(frozen=True, eq=False)
class Softsign(Activation):
    """Any number -> (-1, 1), with tails that fall as 1 / x.

    >>> Softsign().out_shape((128,))
    (128,)
    """

    formula: ClassVar[str] = "y = x / (1 + |x|)"

    def value(self, x: Array) -> Array:
        return x / (1 + np.abs(x))  # (1)

    def slope(self, x: Array, y: Array) -> Array:
        r = 1 / (1 + np.abs(x))
        return r * r  # (2)

    def curvature(self, x: Array, y: Array) -> Any:
        r = 1 / (1 + np.abs(x))
        return np.where(x > 0, -2, 2) * r * r * r  # (3)


@loops_of(Softsign)
class SoftsignLoops:
    def value(x):
        return x / (ONE + abs(x))

    def slope(x, y):
        r = ONE / (ONE + abs(x))
        return r * r

    def curvature(x, y):
        r = ONE / (ONE + abs(x))
        return (-TWO if x > ZERO else TWO) * r * r * r

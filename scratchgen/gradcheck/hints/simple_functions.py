"""Simple functions that may occur in a derivative, each with the digits of choosing it.

Those common in layers and losses take few digits: 1 - v^2 of tanh, exp(v / 2) of a log variance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...ground.arguments import Array


@dataclass(frozen=True)
class Function:
    """f, its text, the digits of choosing it, and whether it is a mask or a sign."""

    text: str
    of: Callable[[Array], Array]
    choice_digits: float
    is_mask: bool = False
    is_sign: bool = False


def _sigmoid(v: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * v)


def _normal_cdf(v: Array) -> Array:
    flat = [0.5 * math.erfc(-number / math.sqrt(2)) for number in v.ravel().tolist()]
    return np.array(flat).reshape(v.shape)


def _mask(v: Array) -> Array:
    return np.asarray(v, np.float64)


def _sign(v: Array) -> Array:
    return np.where(v == 0, np.nan, np.sign(v))  # with zeros it would be a mask


BASIC = (
    Function("{}", lambda v: v, 0.0),
    Function("{}^2", lambda v: v * v, 0.5),
    Function("1 / {}", lambda v: 1 / v, 0.5),
    Function("|{}|", np.abs, 0.8),
    Function("sign({})", _sign, 0.8, is_sign=True),
    Function("1 / {}^2", lambda v: 1 / (v * v), 1.0),
    Function("({} > 0)", lambda v: _mask(v > 0), 1.5, is_mask=True),
    Function("({} < 0)", lambda v: _mask(v < 0), 1.5, is_mask=True),
)
SCALAR = (
    Function("(1 - {})", lambda v: 1 - v, 0.4),
    Function("(1 + {})", lambda v: 1 + v, 0.6),
    Function("(1 - {}^2)", lambda v: 1 - v * v, 0.4),
    Function("exp({})", np.exp, 0.5),
    Function("exp(-{})", lambda v: np.exp(-v), 0.7),
    Function("exp({} / 2)", lambda v: np.exp(v / 2), 0.7),
    Function("exp(-{} / 2)", lambda v: np.exp(-v / 2), 0.8),
    Function("(exp({}) - 1)", np.expm1, 0.9),
    Function("tanh({})", np.tanh, 0.8),
    Function("(1 - tanh({})^2)", lambda v: 1 - np.tanh(v) ** 2, 0.8),
    Function("sigmoid({})", _sigmoid, 0.8),
    Function("sigmoid(-{})", lambda v: _sigmoid(-v), 0.9),
    Function("sigmoid'({})", lambda v: _sigmoid(v) * _sigmoid(-v), 0.9),
    Function("{}^3", lambda v: v**3, 0.9),
    Function("sqrt({})", np.sqrt, 0.9),
    Function("1 / sqrt({})", lambda v: 1 / np.sqrt(v), 0.9),
    Function("tanh''({})", lambda v: -2 * np.tanh(v) * (1 - np.tanh(v) ** 2), 1.2),
    Function("sigmoid''({})", lambda v: _sigmoid(v) * _sigmoid(-v) * -np.tanh(v / 2), 1.2),
    Function("cos({})", np.cos, 1.0),
    Function("sin({})", np.sin, 1.0),
    Function("normal pdf({})", lambda v: np.exp(-v * v / 2) / math.sqrt(2 * math.pi), 1.2),
    Function("normal cdf({})", _normal_cdf, 1.2),
    Function("({} != 0)", lambda v: _mask(v != 0), 1.8, is_mask=True),
    Function("max({}, 0)", lambda v: np.maximum(v, 0), 1.8, is_mask=True),
    Function("min({}, 0)", lambda v: np.minimum(v, 0), 1.8, is_mask=True),
)
EVERY = BASIC + SCALAR

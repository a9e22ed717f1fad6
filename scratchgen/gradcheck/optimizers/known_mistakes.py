"""Mistakes that optimizers are often written with, to tell which of them was made.

Each is the formula of the paper with a single change. A report names the change that leads along
the same path; no verdict depends on it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...ground.arguments import Array
from .textbook_updates import Past, Published, adam, adamw, momentum, nesterov, rmsprop, sgd

# the change, as a report words it -> its cause, for programs
ADAM = {
    "eps inside the root": "eps",
    "eps scaled by the bias correction": "eps",
    "eps missing": "eps",
    "no bias correction": "missing factor",
    "m not corrected for its start at 0": "missing factor",
    "v not corrected for its start at 0": "missing factor",
    "t counted from 0": "missing factor",
    "t one step ahead": "missing factor",
    "step size corrected again and again": "missing factor",
    "b1 and b2 swapped": "order",
    "v made of m, not of g": "missing factor",
    "m without the factor 1 - b1": "missing factor",
    "v without the factor 1 - b2": "missing factor",
    "no root of v": "missing factor",
}
DECAY = {
    "weight decay in the gradient (L2), not beside it": "missing term",
    "weight decay missing": "missing term",
    "weight decay not multiplied by the learning rate": "missing factor",
    "weight decay of the wrong sign": "sign",
}
RMSPROP = {
    "eps inside the root": "eps",
    "eps missing": "eps",
    "no root of v": "missing factor",
    "v summed, not averaged": "missing factor",
    "keep and 1 - keep swapped": "order",
    "v corrected for its start at 0": "missing factor",
    "centred where it should not be, or not where it should": "missing term",
}
BALL = {
    "velocity without momentum": "missing term",
    "gradients damped by 1 - momentum": "missing factor",
    "learning rate inside the velocity": "order",
}


def mistakes_of(right: Published) -> Iterator[tuple[str, str, Published]]:
    """The cause, text and formula of each mistake that this optimizer may have."""
    if right.formula in (adam, adamw):
        yield from _each(right, ADAM, _adam)
    if right.formula is adamw:
        yield from _each(right, DECAY, _adam)
    if right.formula is rmsprop:
        yield from _each(right, RMSPROP, _rmsprop)
    if right.formula in (momentum, nesterov):
        yield from _each(right, BALL, _ball(is_nesterov=right.formula is nesterov))
        other = momentum if right.formula is nesterov else nesterov
        name = "Polyak's" if other is momentum else "Nesterov's"
        yield "missing term", f"this is {name} ball", replace(right, formula=other)
    if right.formula is not sgd:
        late, early = (partial(_shifted, right.rate, by) for by in (-1, 1))
        yield "stale", "learning rate of the step before", replace(right, rate=late)
        yield "stale", "learning rate of the step after", replace(right, rate=early)
    for i in range(len(right.norms)):
        norms = right.norms[:i] + right.norms[i + 1 :]
        yield "missing factor", "gradient not clipped", replace(right, norms=norms)
        by_entry = partial(_clipped_by_entry, right.formula, right.norms[i])
        text = "gradient clipped entry by entry, not by its length"
        yield "axis", text, replace(right, norms=norms, formula=by_entry)


def _each(
    right: Published, texts: dict[str, str], formula: Callable[..., Array]
) -> Iterator[tuple[str, str, Published]]:
    for text, cause in texts.items():
        yield cause, text, replace(right, formula=partial(formula, text))


def _adam(
    change: str,
    theta: Array,
    g: Array,
    past: Past,
    t: int,
    rate: Any,
    b1: Any,
    b2: Any,
    eps: Any,
    weight_decay: Any = 0,
) -> Array:
    decay = rate * weight_decay * theta
    if change.startswith("weight decay in the gradient"):
        g, decay = g + weight_decay * theta, 0
    elif change == "weight decay missing":
        decay = 0
    elif change.startswith("weight decay not"):
        decay = weight_decay * theta
    elif change.startswith("weight decay of"):
        decay = -decay
    if change == "b1 and b2 swapped":
        b1, b2 = b2, b1
    past["m"] = m = b1 * past.get("m", 0) + (1 if "1 - b1" in change else 1 - b1) * g
    square = m**2 if change.startswith("v made of m") else g**2
    past["v"] = v = b2 * past.get("v", 0) + (1 if "1 - b2" in change else 1 - b2) * square
    count = t + {"t counted from 0": -1, "t one step ahead": 1}.get(change, 0)
    c1 = 1 if change == "no bias correction" or change.startswith("m not") else 1 - b1**count
    c2 = 1 if change == "no bias correction" or change.startswith("v not") else 1 - b2**count
    if change.startswith("step size corrected"):
        past["rate"] = past.get("rate", rate) * np.sqrt(1 - b2**t) / (1 - b1**t)
        return theta - decay - past["rate"] * m / (np.sqrt(v) + eps)
    if change == "eps inside the root":
        root = np.sqrt(v / c2 + eps)
    elif change.startswith("eps scaled"):
        root = np.sqrt(v / c2) + eps / np.sqrt(c2)
    elif change == "eps missing":
        root = np.sqrt(v / c2)
    elif change == "no root of v":
        root = v / c2 + eps
    else:
        root = np.sqrt(v / c2) + eps
    return theta - decay - rate * (m / c1) / root


def _rmsprop(
    change: str,
    theta: Array,
    g: Array,
    past: Past,
    t: int,
    rate: Any,
    keep: Any,
    eps: Any,
    centred: bool,
) -> Array:
    if change.startswith("keep and"):
        keep = 1 - keep
    past["v"] = keep * past.get("v", 0) + (1 - keep) * g**2
    if change.startswith("v summed"):
        past["sum"] = past["v"] = past.get("sum", 0) + g**2
    past["mean"] = keep * past.get("mean", 0) + (1 - keep) * g
    is_centred = centred != change.startswith("centred")
    variance = np.maximum(past["v"] - past["mean"] ** 2, 0) if is_centred else past["v"]
    if change.startswith("v corrected"):
        variance = variance / (1 - keep**t)
    if change == "eps inside the root":
        return theta - rate * g / np.sqrt(variance + eps)
    root = variance if change == "no root of v" else np.sqrt(variance)
    return theta - rate * g / (root if change == "eps missing" else root + eps)


def _ball(is_nesterov: bool) -> Callable[..., Array]:
    """The mistakes of momentum, for either kind."""

    def ball(
        change: str, theta: Array, g: Array, past: Past, _t: int, rate: Any, momentum: Any
    ) -> Array:
        keep = 0 if change.startswith("velocity without") else momentum
        damped = (1 - momentum) * g if change.startswith("gradients damped") else g
        inside = change.startswith("learning rate inside")
        past["velocity"] = keep * past.get("velocity", 0) + (rate * damped if inside else damped)
        ahead = past["velocity"]
        if is_nesterov:
            ahead = (rate * damped if inside else damped) + momentum * ahead
        return theta - (ahead if inside else rate * ahead)

    return ball


def _shifted(rate: Callable[[int], Any], by: int, step: int) -> Any:
    return rate(max(0, step + by))


def _clipped_by_entry(
    formula: Callable[..., Array],
    norm: float,
    theta: Array,
    g: Array,
    past: Past,
    t: int,
    rate: Any,
    **constants: Any,
) -> Array:
    limit = theta.dtype.type(norm)
    return formula(theta, np.clip(g, -limit, limit), past, t, rate, **constants)

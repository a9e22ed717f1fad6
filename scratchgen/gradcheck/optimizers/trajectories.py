"""Trajectories of many steps, of an optimizer or of the formula that it should follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ..library.points import signed
from ..measuring.passes import Stopped
from ..measuring.rounding import one_ulp_off
from ..pairs.budget import Budget
from .textbook_updates import Past

Reference = Callable[[Array, Array, Past, int], Array]  # theta, gradient, past, t -> next theta


class Rounded(dict[str, Any]):
    """A memory that rounds each array by an ulp of its old and its new value, at random."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            unit = value.dtype.type(np.finfo(value.dtype).eps / 2)
            size = (np.abs(value) + np.abs(self.get(name, 0))) * unit
            moved = value + size * self.rng.choice(np.array([-1, 1], value.dtype), value.shape)
            moved = np.where(moved * value < 0, 0, moved)  # squares stay >= 0
            value = np.where(value == 0, size, moved).astype(value.dtype)
        super().__setitem__(name, value)


@dataclass(frozen=True)
class Budgeted:
    """An optimizer that raises OutOfBudget once the budget is spent."""

    inner: Any
    budget: Budget

    def memory(self, theta: Array) -> Any:
        """The memory of the optimizer."""
        return self.inner.memory(theta)

    def update(self, theta: Array, gradient: Array, memory: Any) -> None:
        """One step of the optimizer."""
        self.budget.check()
        self.budget.count(theta.size)
        self.inner.update(theta, gradient, memory)


@dataclass(frozen=True)
class Inputs:
    """What all trajectories of a case share: the first theta (P,) and the gradients (T, P)."""

    theta: Array
    gradients: Array

    def trajectory(
        self, step: Reference, number: Any, nudge: np.random.Generator | None = None
    ) -> Array:
        """All theta (T + 1, P) of a formula, in the arithmetic of `number`; `nudge` draws ulps."""
        theta, past = self.theta.astype(number), {} if nudge is None else Rounded(nudge)
        path = [theta]
        for t, g in enumerate(self.gradients, start=1):
            gradient = g if nudge is None else np.where(g == 0, g, one_ulp_off(g, nudge))
            theta = np.asarray(step(theta, gradient.astype(number), past, t))
            if theta.shape != self.theta.shape:
                text = f"gives shape {theta.shape} for a theta of {self.theta.shape}"
                raise Stopped("reference", f"{text}: wants the next theta")
            path.append(theta)
        return np.array(path)

    def final_theta(self, optimizer: Any, gradients: Array | None = None) -> Array:
        """The last theta (P,) of an optimizer."""
        theta = self.theta.copy()
        memory = optimizer.memory(theta)
        for g in self.gradients if gradients is None else gradients:
            optimizer.update(theta, g.copy(), memory)
        return theta


def draw_inputs(shape: tuple[int, int], dtype: str, seed: int, norm: float | None = None) -> Inputs:
    """A random theta, and gradients (T, P) of many sizes, 0 for some parameters and some steps.

    Half of the parameters start at 0, which adds no rounding to their steps. With `norm`, the limit
    of an optimizer that clips, every other gradient is about that long, with entries of similar
    size.
    """
    rng = np.random.default_rng(seed)
    steps, size = shape
    theta = 0.1 * signed(rng, (size,)) * (np.arange(size) % 2)
    sizes = 10.0 ** (rng.uniform(-7, 2, size) + rng.uniform(-1, 1, (steps, 1)))
    gradients = rng.standard_normal(shape) * sizes
    if norm is not None:
        near = rng.standard_normal(gradients[::2].shape)
        lengths = np.linalg.norm(near, axis=1, keepdims=True)
        gradients[::2] = near * norm * 10.0 ** rng.uniform(-0.3, 0.3, lengths.shape) / lengths
    gradients[:, 2::7] = 0
    gradients[4::11] = 0
    return Inputs(theta.astype(dtype), gradients.astype(dtype))

"""Real mistakes, written by hand: a right forward pass with a wrong backward pass.

    ENTRIES     name -> Entry: the wrong pair, the right one, what is expected of a checker

`classes` are the letters of the design: D derivative, L linear in dy, P pure, S stale, Y layout,
T type and shape, B batch, X extremes, K kink, 2 second order, F meaning of the forward. `causes`
are the hints that are true of the mistake; they were written down before any checker had run.
Entries with must="PASS" are right code that a checker may not fail.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from proof_subjects import Subject, signed

sqrt, exp = np.sqrt, np.exp


@dataclass(frozen=True)
class Entry:
    """A mistake; `wrong()` and `right()` make a new pair with fresh state."""

    name: str
    classes: str
    causes: tuple[str, ...]
    wrong: Callable[[], Subject]
    right: Callable[[], Subject] | None
    must: str = "FAIL"


ENTRIES: dict[str, Entry] = {}


def pair(name: str, f: Any, vjp: Any, args: dict[str, Any]) -> Subject:
    """f(*args) and vjp(dy, *args)."""
    arrays = [np.array(value, float) for value in args.values()]
    return cached(
        name, lambda *a: (f(*a), a), lambda dy, a: vjp(dy, *a), dict(zip(args, arrays, strict=True))
    )


def cached(name: str, forward: Any, backward: Any, args: dict[str, Any]) -> Subject:
    """forward(*args) -> (y, cache) and backward(dy, cache)."""

    def as_tuple(dy: Any, cache: Any) -> Any:
        found = backward(dy, cache)
        return found if isinstance(found, tuple) else (found,)

    return Subject(name, name, list(args), list(args.values()), forward, as_tuple)


def add(
    name: str,
    classes: str,
    causes: str,
    f: Any,
    wrong: Any,
    args: Any,
    right: Any = None,
    must: str = "FAIL",
) -> None:
    """Add an entry whose backward is a function of dy and the arguments."""
    ENTRIES[name] = Entry(
        name,
        classes,
        tuple(cause.strip() for cause in causes.split(",") if cause.strip()),
        lambda: pair(name, f, wrong, args()),
        (lambda: pair(name, f, right, args())) if right else None,
        must,
    )


def add_made(
    name: str,
    classes: str,
    causes: str,
    make: Any,
    args: Any,
    right: Any = None,
    must: str = "FAIL",
) -> None:
    """Add an entry with state: make() -> (forward, backward)."""
    ENTRIES[name] = Entry(
        name,
        classes,
        tuple(cause.strip() for cause in causes.split(",") if cause.strip()),
        lambda: cached(name, *make(), args()),
        (lambda: cached(name, *right(), args())) if right else None,
        must,
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def x_args(shape: Any = (5, 4), scale: float = 1.0, seed: int = 5) -> Any:
    return lambda: {"x": scale * signed(rng(seed), shape)}


def sigmoid(x: Any) -> Any:
    e = exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(exp(-np.abs(x)))


_ERF = np.vectorize(math.erf)


def phi_cdf(x: Any) -> Any:
    return 0.5 * (1 + _ERF(x / math.sqrt(2)))


def phi(x: Any) -> Any:
    return exp(-x * x / 2) / math.sqrt(2 * math.pi)

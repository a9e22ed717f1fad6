"""What a mutant changes at a point: nothing, a gradient, a contract, or it raises an exception."""

from collections.abc import Callable
from typing import Any

import numpy as np
from operators import Mutant
from proof_subjects import Subject, at_work, signed

SAME = 1e-12  # relative: gradients that agree to this are the same


def draw_cotangents(subject: Subject, rng: np.random.Generator) -> list[np.ndarray]:
    """Random cotangents of both signs, some larger than 1."""
    return [np.asarray(signed(rng, y.shape, 0.3, 1.7)) for y in subject.outputs(*subject.args)]


def run_once(subject: Subject, dys: list[np.ndarray]) -> tuple[Any, ...]:
    """A forward and a backward pass for dys, on copies."""
    _, cache = subject.forward(*[array.copy() for array in subject.args])
    return owned(subject.call_backward([dy.copy() for dy in dys], cache))


def owned(gradients: Any) -> tuple[Any, ...]:
    return tuple(None if g is None else np.array(g, copy=True) for g in gradients)


def behaviour(make: Callable[[], Subject], mutant: Mutant) -> tuple[str, str]:
    """What the mutant changes at this point, and in what: ("derivative", "x"), ("same", "") ...

    Each look is at a subject made anew, since a mutant may write into what a subject holds.

    raises      an exception, or no array of the right shape
    derivative  a gradient, for fresh arrays and random cotangents
    contract    the same gradients, but: writes, twice, stale, layout, scales, far (not finite where
                arguments are large or tiny)
    elsewhere   the same gradients at this point, others far from it, or at 0 exactly
    same        nothing
    """
    with np.errstate(all="ignore"):
        subject = make()
        whole = _observe(make, None)
        try:
            spoilt = _observe(make, mutant)
        except Exception as problem:
            return "raises", f"{type(problem).__name__}: {problem}"
        for name, a, b in zip(_names(subject), _flat(whole), _flat(spoilt), strict=True):
            if b is None or np.shape(b) != np.shape(a) or b.dtype.kind not in "fiub":
                return "raises", f"{name}: {None if b is None else b.shape}"
        for name, a, b in zip(_names(subject), _flat(whole), _flat(spoilt), strict=True):
            if not same(a, b):
                return "derivative", name
        for contract, look in CONTRACTS.items():
            expected = look(make(), None)
            try:
                seen = look(make(), mutant)
            except Exception as problem:
                return "contract", f"{contract} ({type(problem).__name__})"
            both = list(zip(expected, seen, strict=True))
            if not all(same(a, b) for a, b in both):
                finite = all(same(np.isfinite(a), np.isfinite(b)) for a, b in both)
                away = contract == "at 0" or (contract == "far" and finite)
                return ("elsewhere" if away else "contract"), contract
    return "same", ""


def same(a: Any, b: Any, by: float = SAME) -> bool:
    """Whether two arrays agree within `by` times their largest number; NaN equals NaN."""
    if a is None or b is None or np.shape(a) != np.shape(b):
        return a is b
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not a.size:
        return True
    if (np.isnan(a) != np.isnan(b)).any() or (np.isinf(a) != np.isinf(b)).any():
        return False
    finite = np.isfinite(a)
    if not finite.any():
        return True
    a, b = a[finite], b[finite]
    return bool(abs(a - b).max() <= by * max(abs(a).max(), abs(b).max()) + 1e-300)


def _names(subject: Subject) -> list[str]:
    """The names of the observations of `_observe`, in order."""
    return [*subject.names * 5, *(["y", "v"] if "second order" in subject.kind else [])]


def _flat(rows: Any) -> list[Any]:
    return [report for row in rows for report in row]


def _observe(make: Callable[[], Subject], mutant: Mutant | None) -> list[tuple[Any, ...]]:
    """Gradients at the point for five random cotangents."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(5):
        subject = make()
        dys = draw_cotangents(subject, rng)
        with at_work(mutant):
            found.append(run_once(subject, dys))
    if "second order" in subject.kind:  # the mutant may be at work in v
        with at_work(mutant):
            found.append(tuple(output.copy() for output in subject.outputs(*subject.args)))
    return found


def _dys(subject: Subject) -> list[np.ndarray]:
    return draw_cotangents(subject, np.random.default_rng(12))


def _writes(subject: Subject, mutant: Mutant | None) -> list[Any]:
    args, dys = [array.copy() for array in subject.args], _dys(subject)
    with at_work(mutant):
        _, cache = subject.forward(*args)
        subject.call_backward(dys, cache)
    return [*args, *dys]


def _twice(subject: Subject, mutant: Mutant | None) -> list[Any]:
    with at_work(mutant):
        _, cache = subject.forward(*[array.copy() for array in subject.args])
        first = [dy.copy() for dy in _dys(subject)]
        other = [2 * dy for dy in _dys(subject)]
        a = owned(subject.call_backward(first, cache))
        b = owned(subject.call_backward(other, cache))
        c = owned(subject.call_backward([dy.copy() for dy in _dys(subject)], cache))
    return [*a, *b, *c]


def _stale(subject: Subject, mutant: Mutant | None) -> list[Any]:
    dys = _dys(subject)
    with at_work(mutant):
        _, cache = subject.forward(*[array.copy() for array in subject.args])
        subject.forward(*[-1.3 * array for array in subject.args])
        return list(owned(subject.call_backward(dys, cache)))


def _layout(subject: Subject, mutant: Mutant | None) -> list[Any]:
    found: list[Any] = []
    for laid_out in (np.asfortranarray, _strided, _backwards):
        with at_work(mutant):
            _, cache = subject.forward(*[laid_out(array.copy()) for array in subject.args])
            found += owned(subject.call_backward([laid_out(dy) for dy in _dys(subject)], cache))
    with at_work(mutant):
        _, cache = subject.forward(*[array.copy() for array in subject.args])
        flat = [np.broadcast_to(np.float64(0.7), dy.shape) for dy in _dys(subject)]
        found += owned(subject.call_backward(flat, cache))
    return found


def _strided(a: np.ndarray) -> np.ndarray:
    if not a.ndim:
        return a
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]))
    wide[..., ::2] = a
    return wide[..., ::2]


def _backwards(a: np.ndarray) -> np.ndarray:
    return a[::-1].copy()[::-1] if a.ndim else a


def _scales(subject: Subject, mutant: Mutant | None) -> list[Any]:
    found: list[Any] = []
    for scale in (0.0, 1e-3, -1.0, 1e3, 1e-9, 1e9):
        with at_work(mutant):
            found += run_once(subject, [scale * dy for dy in _dys(subject)])
    return found


def _far(subject: Subject, mutant: Mutant | None) -> list[Any]:
    found: list[Any] = []
    rng = np.random.default_rng(13)
    for value in (1e-8, -1e-8, 30.0, -30.0, 800.0, -800.0):
        found += _at(subject, mutant, value, rng)
    return found


def _at_zero(subject: Subject, mutant: Mutant | None) -> list[Any]:
    return _at(subject, mutant, 0.0, np.random.default_rng(14))


def _at(subject: Subject, mutant: Mutant | None, value: float, rng: Any) -> list[Any]:
    """Gradients with half of the first argument at `value`."""
    dys = _dys(subject)
    args = [array.copy() for array in subject.args]
    args[0] = np.where(rng.random(args[0].shape) < 0.6, value, args[0])
    with at_work(mutant):
        _, cache = subject.forward(*args)
        return list(owned(subject.call_backward(dys, cache)))


CONTRACTS = {
    "writes": _writes,
    "twice": _twice,
    "stale": _stale,
    "layout": _layout,
    "scales": _scales,
    "far": _far,
    "at 0": _at_zero,
}

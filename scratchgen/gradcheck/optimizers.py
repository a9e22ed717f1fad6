"""Optimizers, checked against the plain loops of published.py, in long double.

Fifty steps are walked side by side, by gradients of many sizes, zeros among them. For each
parameter, with u the rounding of its dtype, T steps and `moved` the sum of |step|, the two may be

    bar = 10 (noise + u (1 + sum over constants of c / (1 - c)) moved) + 2 u T |theta|    (1)

apart: PASS within the bar, FAIL beyond 10 bars, INCONCLUSIVE between. `noise` is how far the
formula itself strays when it is computed in that dtype, gradients and memory moved by an ulp: the
largest of three such walks. The sum is there since a constant is rounded, and 1 - c the more so.

What no formula says is asked besides: whether the gradient and the optimizer are left as they were,
whether two vectors have two memories, whether a gradient's buffer may be used again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checks import Array, whole
from ..errors import KindError
from ..optim import ClipNorm
from .confusions import confused
from .noise import one_ulp_off
from .pair import told
from .points import signed
from .probe import quiet
from .published import Past, Published, published
from .report import Report
from .results import (
    FAIL,
    INCONCLUSIVE,
    NOTE,
    PASS,
    BlockResult,
    CaseResult,
    Finding,
    Hint,
    Measurement,
)

STEPS, SIZE = 50, 16
FITS = 0.01  # share of the error that a named mistake may leave
TIE = 1e-6  # below it, a mistake fits as well as any, and named ones come first
Reference = Callable[[Array, Array, Past, int], Array]  # theta, gradient, past, t -> next theta


class Rounded(dict[str, Any]):
    """What is remembered, moved by an ulp of itself and of what it was: steps are sums of both."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            half = value.dtype.type(np.finfo(value.dtype).eps / 2)
            size = (np.abs(value) + np.abs(self.get(name, 0))) * half
            moved = value + size * self.rng.choice(np.array([-1, 1], value.dtype), value.shape)
            moved = np.where(moved * value < 0, 0, moved)  # a mean of squares is never below 0
            value = np.where(value == 0, size, moved).astype(value.dtype)
        super().__setitem__(name, value)


@dataclass(frozen=True)
class Walk:
    """What all walks of a case have in common: where they begin, and their gradients, (T, P)."""

    theta: Array
    gradients: Array

    def by(self, step: Reference, number: Any, nudge: np.random.Generator | None = None) -> Array:
        """Where `step` leads, theta by theta, (T + 1, P), in the arithmetic of `number`."""
        theta, past = self.theta.astype(number), {} if nudge is None else Rounded(nudge)
        path = [theta]
        for t, g in enumerate(self.gradients, start=1):
            given = g if nudge is None else one_ulp_off(g, nudge)
            theta = step(theta, given.astype(number), past, t)
            path.append(theta)
        return np.array(path)

    def taken(self, optimizer: Any, gradients: Array | None = None) -> Array:
        """Where the optimizer leads, (P,)."""
        theta = self.theta.copy()
        memory = optimizer.memory(theta)
        for g in self.gradients if gradients is None else gradients:
            optimizer.update(theta, g.copy(), memory)
        return theta


def is_optimizer(subject: Any) -> bool:
    """Whether it is an object with a memory and an update."""
    if isinstance(subject, type):
        return False
    return callable(getattr(subject, "memory", None)) and callable(getattr(subject, "update", None))


def check_optimizer(
    optimizer: Any,
    reference: Any = None,
    *,
    steps: int = STEPS,
    size: int = SIZE,
    seed: int = 0,
) -> Report:
    """Check an optimizer against the formula of its paper, or against a reference of yours.

    Args:
        optimizer: one of scratchgen.optim, or an object with `memory(theta)` and
            `update(theta, gradient, memory)`.
        reference: what it ought to do: a function (theta, gradient, state, t) -> the next theta,
            with `state` a dict that is empty at first, and t counted from 1; or an optimizer of
            scratchgen.optim. None is the optimizer's own paper; one that no paper is known of is
            INCONCLUSIVE.
        steps, size: how many steps are walked, by how many parameters.
        seed: of all that is drawn.

    Raises KindError for what is no optimizer, OptionError for a size that is none.
    """
    if not is_optimizer(optimizer):
        raise KindError(
            f"check_optimizer got {optimizer!r}: wants an optimizer, such as Adam(1e-3), or an "
            f"object with memory(theta) and update(theta, gradient, memory)"
        )
    began = time.perf_counter()
    seed = whole(seed, "seed")
    shape = (whole(steps, "steps", least=1), whole(size, "size", least=1))
    pairs = _settings(optimizer, optimizer if reference is None else reference)
    cases = [_case(one, right, label, shape, seed) for one, right, label in pairs]
    with quiet():
        cases[0].findings += contracts(optimizer, drawn(shape, "float64", seed))
    given = "" if reference is None else ", reference=..."
    replay = f"check_optimizer({optimizer}{given}, steps={steps}, size={size}, seed={seed})"
    return Report(str(optimizer), cases, seed, replay, time.perf_counter() - began)


def drawn(shape: tuple[int, int], dtype: str, seed: int) -> Walk:
    """A beginning, and gradients (T, P) of many sizes: some parameters have none, some steps too.

    Half of the parameters begin at 0, where their steps are not rounded beside them.
    """
    rng = np.random.default_rng(seed)
    steps, size = shape
    theta = 0.1 * signed(rng, (size,)) * (np.arange(size) % 2)
    sizes = 10.0 ** (rng.uniform(-7, 2, size) + rng.uniform(-1, 1, (steps, 1)))
    gradients = rng.standard_normal(shape) * sizes
    gradients[:, 2::7] = 0
    gradients[4::11] = 0
    return Walk(theta.astype(dtype), gradients.astype(dtype))


def _settings(optimizer: Any, reference: Any) -> Iterator[tuple[Any, Any, str]]:
    """As it is, in both dtypes, and with a learning rate that changes; each with its reference."""
    right = published(reference) if is_optimizer(reference) else reference
    yield optimizer, right, "float64"
    try:
        both = _with_rate(optimizer, _falling), published(_with_rate(reference, _falling))
        yield *both, "float64, a rate that changes"
    except TypeError:  # no dataclass, or one without a learning rate
        pass
    yield optimizer, right, "float32"


def _falling(step: int) -> float:
    return 0.1 / (1 + step) ** 0.7


def _with_rate(optimizer: Any, rate: Callable[[int], float]) -> Any:
    if isinstance(optimizer, ClipNorm):
        return replace(optimizer, optimizer=_with_rate(optimizer.optimizer, rate))
    return replace(optimizer, learning_rate=rate)


def _case(
    optimizer: Any,
    reference: Published | Reference | None,
    label: str,
    shape: tuple[int, int],
    seed: int,
) -> CaseResult:
    """One walk beside its reference."""
    case, walk = CaseResult(label), drawn(shape, label.split(",")[0], seed)
    result = BlockResult("theta", walk.theta.shape, INCONCLUSIVE)
    case.blocks.append(result)
    if reference is None:
        result.reason = (
            f"no reference is known for {type(optimizer).__name__}: give reference=, a function "
            f"(theta, gradient, state, t) -> the next theta"
        )
        return case
    case.backward_calls = shape[0]
    with quiet():
        try:
            got = walk.taken(optimizer)
        except Exception as problem:
            case.findings.append(Finding("raises", FAIL, told(problem, "update")))
            return case
        _compare(result, got, walk, reference, sum(c / (1 - c) for c in below_one(optimizer)), seed)
    return case


def below_one(optimizer: Any) -> Iterator[float]:
    """The constants of an optimizer, and of one within it, that lie between 0 and 1."""
    for value in getattr(optimizer, "__dict__", {}).values():
        if isinstance(value, float) and 0 < value < 1:
            yield value
        elif is_optimizer(value):
            yield from below_one(value)


def _compare(
    result: BlockResult,
    got: Array,
    walk: Walk,
    reference: Published | Reference,
    amplified: float,
    seed: int,
) -> None:
    """The verdict on where the optimizer led, and what a difference looks like."""
    step = reference.step if isinstance(reference, Published) else reference
    right = walk.by(step, np.longdouble)
    wanted, moved = right[-1], np.abs(np.diff(right, axis=0)).sum(axis=0)
    rng, dtype = np.random.default_rng(seed), walk.theta.dtype
    stray = [np.abs(walk.by(step, dtype.type, rng)[-1] - wanted) for _ in range(3)]
    u = np.finfo(dtype).eps / 2
    bar = 10 * (np.max(stray, axis=0) + u * (1 + amplified) * moved)  # (1)
    bar += 2 * u * np.abs(right).sum(axis=0)
    off = np.abs(got - wanted)
    bars = np.where(off > 0, off / np.maximum(bar, np.finfo(np.float64).tiny), 0)
    bars[~np.isfinite(off)] = np.inf
    worst = int(np.argmax(bars))
    numbers = (float(one[worst]) for one in (wanted, got, bar, moved))
    result.measurements = [Measurement(*numbers)]
    alone = (right[0] == 0) & (moved > 0)  # where steps are not rounded beside a first theta
    result.resolution = float(np.max(10 * bar[alone] / moved[alone], initial=0)) or None
    if bars[worst] <= 1:
        result.verdict = PASS
    elif bars[worst] <= 10:
        result.reason = "the difference is too close to the error bar to call"
    else:
        result.verdict = FAIL
        many = int((bars > 10).sum())
        result.reason = (
            f"{many} of {got.size} parameters are elsewhere after {len(right) - 1} steps"
        )
        result.hints = _hints(got, right, walk, reference)


def _hints(got: Array, right: Array, walk: Walk, reference: Published | Reference) -> list[Hint]:
    """Mistakes that lead where the optimizer led, the best first."""
    theta, wanted = right[0], right[-1]
    size = np.abs(np.diff(right, axis=0)).sum(axis=0)
    size = np.where(size > 0, size, size.max(initial=0) or 1)
    if (got == theta).all():
        return [Hint("zero", "theta stays where it was: update must write into it, in place")]
    error = _apart(got, wanted, size)
    found = []
    if isinstance(reference, Published):
        for cause, text, wrong in confused(reference):
            there = walk.by(wrong.step, np.longdouble)[-1]
            left = _apart(got, there, size) / error
            if left < FITS:
                found.append(Hint(cause, f"this walks where it leads: {text}", left))
    a, b = (wanted - theta) / size, (got - theta) / size
    factor = float(a @ b / max(float(a @ a), np.finfo(np.float64).tiny))
    left = _apart(b, factor * a, 1) / error
    if left < FITS:
        text = f"every step is {factor:.4g} times what it should be"
        text = "steps go uphill: the sign is wrong" if abs(factor + 1) < 1e-6 else text
        found.append(Hint("sign" if factor < 0 else "factor", text, left))
    return sorted(found, key=lambda hint: hint.residual > TIE)


def _apart(one: Array, other: Array, size: Any) -> float:
    """The distance in units of `size`; numbers that neither has do not count, others as 1."""
    away = np.where(np.isfinite(one) & np.isfinite(other), (one - other) / size, 1)
    away[~np.isfinite(one) & ~np.isfinite(other)] = 0
    return float(np.sqrt(np.sum(away * away)))


# Contracts. Each returns what is wrong, in words, or "".


def contracts(optimizer: Any, walk: Walk) -> list[Finding]:
    """What is asked besides the path, each a finding."""
    asked = {
        "pure": _leaves_the_gradient,
        "constants": _stays_the_same,
        "stale": _begins_afresh,
        "alias": _keeps_no_gradient,
        "layout": _takes_any_layout,
        "dtype": _keeps_the_dtype,
    }
    found = []
    for contract, question in asked.items():
        try:
            text = question(optimizer, walk)
        except Exception as problem:
            text = told(problem, "update")
        found.append(Finding(contract, FAIL if text else PASS, text))
    return [*found, _refuses(optimizer, walk)]


def _leaves_the_gradient(optimizer: Any, walk: Walk) -> str:
    theta = walk.theta.copy()
    memory = optimizer.memory(theta)
    for g in walk.gradients:
        given = g.copy()
        optimizer.update(theta, given, memory)
        if given.tobytes() != g.tobytes():
            return "update changes the gradient that it is given"
    return ""


def _stays_the_same(optimizer: Any, walk: Walk) -> str:
    before = repr(vars(optimizer)) if hasattr(optimizer, "__dict__") else repr(optimizer)
    walk.taken(optimizer)
    after = repr(vars(optimizer)) if hasattr(optimizer, "__dict__") else repr(optimizer)
    return "" if after == before else "update changes the optimizer, not the memory"


def _begins_afresh(optimizer: Any, walk: Walk) -> str:
    """Two vectors with two memories, in turns, walk as each by itself."""
    other = Walk(-walk.theta[::-1] + 1, walk.gradients[::-1, ::-1])
    alone = walk.taken(optimizer), other.taken(optimizer)
    thetas = walk.theta.copy(), other.theta.copy()
    memories = [optimizer.memory(theta) for theta in thetas]
    for both in zip(walk.gradients, other.gradients, strict=True):
        for theta, g, memory in zip(thetas, both, memories, strict=True):
            optimizer.update(theta, g.copy(), memory)
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(alone, thetas, strict=True))
    return "" if same else "two vectors with two memories are not independent of each other"


def _keeps_no_gradient(optimizer: Any, walk: Walk) -> str:
    theta, buffer = walk.theta.copy(), np.empty_like(walk.theta)
    memory = optimizer.memory(theta)
    for g in walk.gradients:
        buffer[:] = g
        optimizer.update(theta, buffer, memory)
        buffer[:] = np.nan
    same = np.array_equal(theta, walk.taken(optimizer), equal_nan=True)
    return "" if same else "it keeps the gradient's array, which its caller may write into"


def _takes_any_layout(optimizer: Any, walk: Walk) -> str:
    wide = np.repeat(walk.theta, 2)
    theta = wide[::2]
    memory = optimizer.memory(theta)
    for g in walk.gradients:
        optimizer.update(theta, np.repeat(g, 3)[::3], memory)
    tolerance = 100 * np.finfo(theta.dtype).eps
    same = np.allclose(theta, walk.taken(optimizer), rtol=tolerance, atol=tolerance, equal_nan=True)
    if not np.array_equal(wide[1::2], walk.theta):
        return "update writes between the numbers of a theta with strides"
    return "" if same else "a theta or gradient with strides goes elsewhere"


def _keeps_the_dtype(optimizer: Any, walk: Walk) -> str:
    theta = walk.theta.astype(np.float32)
    memory = optimizer.memory(theta)
    optimizer.update(theta, walk.gradients[0].astype(np.float32), memory)
    held = vars(memory).values() if hasattr(memory, "__dict__") else ()
    wide = [one.dtype for one in held if isinstance(one, np.ndarray) and one.dtype == np.float64]
    return "what is remembered of a float32 vector is float64" if wide else ""


def _refuses(optimizer: Any, walk: Walk) -> Finding:
    """Whether the memory of another vector is refused: ours must, others may."""
    memory = optimizer.memory(walk.theta.copy())
    try:
        optimizer.update(walk.theta.copy(), walk.gradients[0].copy(), memory)
    except Exception:
        return Finding("memory", PASS)
    text = "it takes the memory of another vector, and goes on with its moments"
    return Finding("memory", FAIL if published(optimizer) is not None else NOTE, text)

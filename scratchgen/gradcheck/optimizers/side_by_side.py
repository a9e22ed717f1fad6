"""An optimizer and the formula of its paper, side by side, the formula in long double.

Both make fifty steps with the same gradients of many sizes, zeros among them. For each parameter,
with u the rounding unit of its dtype, T steps and `moved` the sum of |step|, they may differ by

    bar = 10 (noise + u (1 + sum over constants of c / (1 - c)) moved)
          + 2 u sum over steps of |theta|                                               (1)

PASS within the bar, FAIL beyond 10 bars, INCONCLUSIVE in between. `noise` is how far the formula
strays from itself when it is computed in that dtype, with gradients and memory moved by an ulp: the
largest of three such trajectories. The sum over constants is there because rounding c by u changes
1 - c, relatively, by u c / (1 - c).

Beyond the formula, properties.py tests what any optimizer must keep.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...ground.arguments import Array, whole
from ...ground.errors import KindError
from ...ground.rng import chosen_seed
from ...optim import ClipNorm
from ..pairs.budget import SECONDS, Budget
from ..pairs.exception_texts import exception_text
from ..pairs.silence import quiet
from ..reports.report import Report
from ..results import FAIL, INCONCLUSIVE, PASS, BlockResult, CaseResult, EntryMap, Hint, Measurement
from .known_mistakes import mistakes_of
from .properties import exception_finding, property_findings
from .textbook_updates import Published, published
from .trajectories import Budgeted, Inputs, Reference, draw_inputs

STEPS, SIZE = 50, 16
FITS = 0.01  # fraction of the error that a named mistake may leave unexplained
TIE = 1e-6  # mistakes that leave less fit equally well, and named ones come first


def is_optimizer(subject: Any) -> bool:
    """Whether the subject has the methods of an optimizer, `memory` and `update`."""
    if isinstance(subject, type):
        return False
    return callable(getattr(subject, "memory", None)) and callable(getattr(subject, "update", None))


def check_optimizer(
    optimizer: Any,
    reference: Any = None,
    *,
    steps: int = STEPS,
    size: int = SIZE,
    seed: int | None = 0,
    seconds: float | None = SECONDS,
) -> Report:
    """Check an optimizer against the formula of its paper, or against your reference.

    Args:
        optimizer: one of scratchgen.optim, or an object with `memory(theta)` and
            `update(theta, gradient, memory)`.
        reference: the right steps: a function (theta, gradient, state, t) -> the next theta, with
            `state` a dict that is empty at first, and t counted from 1; or an optimizer of
            scratchgen.optim. None is the optimizer's own paper; without a known paper the verdict
            is INCONCLUSIVE.
        steps, size: the number of steps, and of parameters.
        seed: of all random draws.
        seconds: the longest that the check may take, None for 100,000 evaluations. What is
            unfinished by then is INCONCLUSIVE.

    Raises KindError unless both are what they should be, OptionError for sizes below 1.
    """
    if not is_optimizer(optimizer):
        raise KindError(
            f"check_optimizer got {optimizer!r}: wants an optimizer, such as Adam(1e-3), or an "
            f"object with memory(theta) and update(theta, gradient, memory)"
        )
    if not (reference is None or callable(reference) or is_optimizer(reference)):
        raise KindError(
            f"reference={reference!r}: wants a function (theta, gradient, state, t) -> the next "
            f"theta, or an optimizer of scratchgen.optim"
        )
    began = time.perf_counter()
    seed, budget = chosen_seed(seed), Budget(seconds)
    shape = (whole(steps, "steps", least=1), whole(size, "size", least=1))
    pairs = _settings(optimizer, optimizer if reference is None else reference)
    cases = [
        _case(Budgeted(setting, budget), right, label, shape, seed)
        for setting, right, label in pairs
    ]
    with quiet():
        inputs = draw_inputs(shape, "float64", seed)
        cases[0].findings += property_findings(Budgeted(optimizer, budget), inputs)
    given = "" if reference is None else ", reference=..."
    replay = f"check_optimizer({optimizer}{given}, steps={steps}, size={size}, seed={seed})"
    return Report(str(optimizer), cases, seed, replay, time.perf_counter() - began)


def check_properties(optimizer: Any, *, seed: int = 0) -> CaseResult:
    """What any optimizer must keep, for one whose right steps are not known (properties.py)."""
    with quiet():
        inputs = draw_inputs((STEPS, SIZE), "float64", seed)
        found = property_findings(Budgeted(optimizer, Budget(None)), inputs)
    return CaseResult("properties", findings=found)


def _settings(optimizer: Any, reference: Any) -> Iterator[tuple[Any, Any, str]]:
    """The optimizer in both dtypes, and with a learning rate that changes: with references."""
    right = published(reference) if is_optimizer(reference) else reference
    yield optimizer, right, "float64"
    try:
        changing = _with_rate(optimizer, _falling), published(_with_rate(reference, _falling))
        yield *changing, "float64, a rate that changes"
    except TypeError:  # not a dataclass, or it has no learning rate
        pass
    yield optimizer, right, "float32"


def _falling(step: int) -> float:
    return 0.1 / (1 + step) ** 0.7


def _with_rate(optimizer: Any, rate: Callable[[int], float]) -> Any:
    if isinstance(optimizer, ClipNorm):
        return replace(optimizer, optimizer=_with_rate(optimizer.optimizer, rate))
    return replace(optimizer, learning_rate=rate)


def _case(
    optimizer: Budgeted,
    reference: Published | Reference | None,
    label: str,
    shape: tuple[int, int],
    seed: int,
) -> CaseResult:
    """One trajectory beside its reference."""
    norm = min(getattr(reference, "norms", ()), default=None)
    case, inputs = CaseResult(label), draw_inputs(shape, label.split(",")[0], seed, norm)
    result = BlockResult("theta", inputs.theta.shape, INCONCLUSIVE)
    case.blocks.append(result)
    if reference is None:
        result.reason = (
            f"no reference is known for {type(optimizer.inner).__name__}: give reference=, a "
            f"function (theta, gradient, state, t) -> the next theta"
        )
        return case
    case.backward_calls = shape[0]
    with quiet():
        try:
            got = inputs.final_theta(optimizer)
        except (Exception, SystemExit) as problem:
            case.findings.append(exception_finding(problem, "update"))
            return case
        try:
            amplified = sum(c / (1 - c) for c in constants_below_one(optimizer.inner))
            _compare(result, got, inputs, reference, amplified, seed)
        except (Exception, SystemExit) as problem:
            result.reason = (
                f"the reference cannot be followed: {exception_text(problem, 'reference')}"
            )
    return case


def constants_below_one(optimizer: Any) -> Iterator[float]:
    """The constants between 0 and 1 of an optimizer, and of an optimizer inside it."""
    for value in getattr(optimizer, "__dict__", {}).values():
        if isinstance(value, float) and 0 < value < 1:
            yield value
        elif is_optimizer(value):
            yield from constants_below_one(value)


def _compare(
    result: BlockResult,
    got: Array,
    inputs: Inputs,
    reference: Published | Reference,
    amplified: float,
    seed: int,
) -> None:
    """The verdict on the last theta, and hints where it is wrong."""
    step = reference.step if isinstance(reference, Published) else reference
    right = inputs.trajectory(step, np.longdouble)
    expected, moved = right[-1], np.abs(np.diff(right, axis=0)).sum(axis=0)
    rng, dtype = np.random.default_rng(seed), inputs.theta.dtype
    stray = [np.abs(inputs.trajectory(step, dtype.type, rng)[-1] - expected) for _ in range(3)]
    u = np.finfo(dtype).eps / 2
    bar = 10 * (np.max(stray, axis=0) + u * (1 + amplified) * moved)  # (1)
    bar += 2 * u * np.abs(right).sum(axis=0)
    off = np.abs(got - expected)
    bars = np.where(off > 0, off / np.maximum(bar, np.finfo(np.float64).tiny), 0)
    bars[~np.isfinite(off)] = np.inf
    worst = int(np.argmax(bars))
    at = [float(array[worst]) for array in (expected, got, bar, moved)]
    result.measurements = [Measurement(at[0], at[1], at[2], at[3])]
    from_zero = (right[0] == 0) & (moved > 0)  # where theta_0 adds no rounding to the steps
    result.resolution = float(np.max(10 * bar[from_zero] / moved[from_zero], initial=0)) or None
    if bars[worst] <= 1:
        result.verdict = PASS
    elif bars[worst] <= 10:
        result.reason = "the difference is too close to the error bar to call"
    else:
        result.verdict = FAIL
        index, ours = np.arange(got.size), got.astype(np.float64)
        numeric, bars = expected.astype(np.float64), bar.astype(np.float64)
        result.entries = EntryMap(got.shape, index, ours, numeric, bars, complete=True)
        result.reason = f"theta is elsewhere after {len(right) - 1} steps"
        result.hints = _hints(got, right, inputs, reference)


def _hints(
    got: Array, right: Array, inputs: Inputs, reference: Published | Reference
) -> list[Hint]:
    """Mistakes that lead to the same last theta, the best first."""
    theta, expected = right[0], right[-1]
    size = np.abs(np.diff(right, axis=0)).sum(axis=0)
    size = np.where(size > 0, size, size.max(initial=0) or 1)
    if (got == theta).all():
        return [Hint("zero", "theta stays where it was: update must write into it, in place")]
    error = _distance(got, expected, size)
    hints = []
    if isinstance(reference, Published):
        for cause, text, wrong in mistakes_of(reference):
            reached = inputs.trajectory(wrong.step, np.longdouble)[-1]
            left = _distance(got, reached, size) / error
            if left < FITS:
                hints.append(Hint(cause, f"this explains the path: {text}", left))
    a, b = (expected - theta) / size, (got - theta) / size
    factor = float(a @ b / max(float(a @ a), np.finfo(np.float64).tiny))
    left = _distance(b, factor * a, 1) / error
    if left < FITS and np.isfinite(factor):
        text = f"every step is {factor:.10g} times what it should be"
        text = "steps go uphill: the sign is wrong" if abs(factor + 1) < 1e-6 else text
        hints.append(Hint("sign" if factor < 0 else "factor", text, left))
    return sorted(hints, key=lambda hint: hint.residual > TIE)


def _distance(a: Array, b: Array, size: Any) -> float:
    """|a - b| in units of `size`; an entry counts 1 if NaN in either, 0 if NaN in both."""
    away = np.where(np.isfinite(a) & np.isfinite(b), (a - b) / size, 1)
    away[~np.isfinite(a) & ~np.isfinite(b)] = 0
    return float(np.sqrt(np.sum(away * away)))

"""The checks that users call; each returns a report.

>>> import numpy as np
>>> def f(x, w): return np.tanh(x @ w)
>>> def vjp(dy, x, w):
...     d = dy * (1 - np.tanh(x @ w) ** 2)
...     return d @ w.T, x.T @ d
>>> rng = np.random.default_rng(0)
>>> check_pair(f, vjp, args=(rng.standard_normal((4, 5)), rng.standard_normal((5, 3)))).verdict
'PASS'
"""

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..ground.errors import KindError, OptionError, ScratchgenError
from ..ground.rng import chosen_seed
from .engine import examine
from .layer_case import LayerCase
from .library.second_order import second_order_cases
from .library.subjects import pairs_of
from .optimizers.side_by_side import check_optimizer, is_optimizer
from .pairs.budget import SECONDS, Budget
from .pairs.function_pairs import CachedPair, FunctionPair, VJPPair
from .pairs.pair import Pair
from .reports.report import Report
from .results import FAIL, INCONCLUSIVE

Wrt = str | int | Sequence[str | int] | None


class GradientError(ScratchgenError, AssertionError):
    """A gradient that is wrong; with `strict`, also a gradient that could not be checked."""

    longest: ClassVar[int] = 100_000  # letters, since its text is a report


class InconclusiveWarning(UserWarning):
    """A gradient that could not be checked, with the reason."""


def check(
    subject: Any,
    x: Any = None,
    *,
    wrt: Wrt = None,
    batch_axis: int | None = None,
    seed: int | None = 0,
    seconds: float | None = SECONDS,
    training: bool | None = None,
    labels: Any = None,
) -> Report:
    """Check the gradients of a part of scratchgen, or of a class of yours that keeps its rules.

    Args:
        subject: a layer or network, a likelihood, a game, a penalty, an optimizer, or a model, of
            which each player's objective is checked; or a class of layers, which is checked at its
            own examples (`Layer.example`); or a case from `strategies`, with its own x, mode and
            seed.
        x: the point, as an array or a shape with the batch in front; None picks a shape that fits.
        wrt: names of the blocks to check, such as "x" or "w"; None is all.
        batch_axis: the axis of the first argument, or of x, along which examples do not mix, for
            layers that do not declare it.
        seed: of all random draws; None picks a seed, which the report names.
        seconds: the longest that the check may take, for a person who waits; None is 100,000
            evaluations, for tests. What is unfinished by then is INCONCLUSIVE.
        training: whether to check in training or in evaluation; None is both where they differ.
        labels: for layers that join labels; None draws them.

    Raises KindError, ShapeError or OptionError if the arguments make no sense. What is wrong
    with the subject is in the report.
    """
    if isinstance(subject, LayerCase):
        subject, x, training, seed = subject.layer, subject.x, subject.training, subject.seed
    if is_optimizer(subject):
        given = {"x": x, "wrt": wrt, "batch_axis": batch_axis, "training": training}
        for name, value in {**given, "labels": labels}.items():
            if value is not None:
                raise OptionError(f"{name}={value!r}: an optimizer has no {name}; leave it out")
        return check_optimizer(subject, seed=seed, seconds=seconds)
    if not (training is None or isinstance(training, bool)):
        raise OptionError(f"training={training!r}: wants True, False or None, which is both")
    seed = chosen_seed(seed)
    pairs = pairs_of(subject, x, seed=seed, training=training, labels=labels)
    shown = f", x={_shape_text(x)}" if x is not None else ""
    if training is not None:
        shown += f", training={training}"
    if labels is not None:
        shown += ", labels=..."
    name = subject.__name__ if isinstance(subject, type) else str(subject)
    return run(pairs, name, f"check({name}{shown}", wrt, batch_axis, seed, seconds)


def check_pair(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    args: Any,
    *,
    wrt: Wrt = None,
    batch_axis: int | None = None,
    seed: int | None = 0,
    seconds: float | None = SECONDS,
    surrogate: Callable[..., Any] | None = None,
) -> Report:
    """Check f(*args) -> y, or a tuple of outputs, and vjp(dy, *args) -> a gradient per argument.

    Arguments may be nested dicts and lists of arrays. Arrays of floats, and floats, are
    differentiated; whole numbers, booleans and everything else are constants. vjp returns gradients
    as a tuple or list in the order of the arguments, or as a dict by their names; gradients of
    constants may be None or left out.

    Where vjp is deliberately not the derivative of f (straight-through), `surrogate` is the
    function whose derivative it is. The other options are those of `check`.
    """
    pair = VJPPair(f, vjp, args, surrogate=surrogate)
    replay = f"check_pair({_name(f)}, {_name(vjp)}, args=...{_surrogate_of(surrogate)}"
    return run([("", pair)], _name(f), replay, wrt, batch_axis, seed, seconds)


def check_cached(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    args: Any,
    *,
    wrt: Wrt = None,
    batch_axis: int | None = None,
    seed: int | None = 0,
    seconds: float | None = SECONDS,
    surrogate: Callable[..., Any] | None = None,
) -> Report:
    """Check forward(*args) -> (y, cache) and backward(dy, cache) -> a gradient per argument.

    Everything else is as in `check_pair`; a surrogate returns y alone.
    """
    pair = CachedPair(forward, backward, args, surrogate=surrogate)
    replay = f"check_cached({_name(forward)}, {_name(backward)}, args=...{_surrogate_of(surrogate)}"
    return run([("", pair)], _name(forward), replay, wrt, batch_axis, seed, seconds)


def check_second_order(
    layer: Any,
    x: Any = None,
    *,
    wrt: Wrt = None,
    seed: int | None = 0,
    seconds: float | None = SECONDS,
) -> Report:
    """Check a layer's tangent and tangent_backward, which gradient penalties need.

    The options are those of `check`.
    """
    began, seed = time.perf_counter(), chosen_seed(seed)
    choose = partial(chosen_blocks, wrt=wrt)
    cases = second_order_cases(layer, x, choose=choose, seed=seed, seconds=seconds)
    shown = f", x={_shape_text(x)}" if x is not None else ""
    shown += "" if wrt is None else f", wrt={wrt!r}"
    replay = f"check_second_order({layer}{shown}, seed={seed})"
    return Report(f"{layer}, second order", cases, seed, replay, time.perf_counter() - began)


def assert_gradients(
    subject: Any,
    x: Any = None,
    *,
    strict: bool = False,
    seconds: float | None = None,
    **options: Any,
) -> Report:
    """`check` as an assertion; its budget counts evaluations unless `seconds` is given.

    Returns the report. Raises GradientError, an AssertionError with the report as its text, on a
    FAIL. INCONCLUSIVE is a warning, or with strict=True an error.
    """
    return settle(check(subject, x, seconds=seconds, **options), strict)


def settle(report: Report, strict: bool = False) -> Report:
    """The report, or GradientError or a warning as for `assert_gradients`."""
    if report.verdict == FAIL or (strict and not report.ok):
        raise GradientError(f"\n{report}")
    if report.verdict == INCONCLUSIVE:
        warnings.warn(f"\n{report}", InconclusiveWarning, stacklevel=3)
    return report


def run(
    pairs: Sequence[tuple[str, Pair]],
    subject: str,
    replay: str,
    wrt: Wrt = None,
    batch_axis: int | None = None,
    seed: int | None = 0,
    seconds: float | None = SECONDS,
) -> Report:
    """Check pairs, each with its label, and return the report."""
    began, seed, budget = time.perf_counter(), chosen_seed(seed), Budget(seconds)
    for _, pair in pairs:
        pair.checked = chosen_blocks(pair, wrt)
        if batch_axis is not None:
            pair.declare_batch(batch_axis)
    cases = [examine(pair, label, seed, budget) for label, pair in pairs]
    replay += "".join(
        f", {name}={value!r}"
        for name, value in (("wrt", wrt), ("batch_axis", batch_axis))
        if value is not None
    )
    return Report(subject, cases, seed, f"{replay}, seed={seed})", time.perf_counter() - began)


def chosen_blocks(pair: Pair, wrt: Wrt) -> list[str]:
    """The names of the blocks that `wrt` selects; an argument selects all of its blocks."""
    if wrt is None:
        return pair.checked
    entries = list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    if not entries:
        raise OptionError("wrt=[]: wants at least one name; leave it out to check them all")
    arguments = pair.names if isinstance(pair, FunctionPair) else pair.checked
    selected: list[str] = []
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, str | int | np.integer):
            raise KindError(f"wrt={wrt!r}: wants names of arguments, or their numbers")
        name = entry
        if not isinstance(entry, str):
            name = arguments[entry] if 0 <= entry < len(arguments) else str(entry)
        matches = [block for block in pair.checked if block == name or _begins(block, str(name))]
        if not matches:
            known = ", ".join(map(repr, pair.checked)) or "none"
            raise OptionError(f"wrt={entry!r}: wants one of {known}, which can be differentiated")
        selected += [block for block in matches if block not in selected]
    return selected


def _begins(block: str, name: str) -> bool:
    """Whether `block` belongs to the argument, the layer or the network of that name."""
    return block.startswith((f"{name}[", f"{name}."))


def _surrogate_of(surrogate: Any) -> str:
    return "" if surrogate is None else f", surrogate={_name(surrogate)}"


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _shape_text(x: Any) -> str:
    shape = getattr(x, "shape", x)
    return str(tuple(shape) if isinstance(shape, Sequence) else shape)

"""The first calls of a pair: two equal passes give equal results, of the right kinds.

    f(x) = f(x), again, to 1e-12                                                                 (1)

Nothing is measured here. Where the check cannot go on, `Stopped` says why. Everything else worth
reporting is a finding.
"""

import numpy as np

from ...ground.arguments import Array
from ..measuring.claims import cotangent
from ..measuring.passes import OutOfBudget, Run, Stopped
from ..pairs.pair import Pair
from ..pairs.silence import quiet
from ..results import NOTE, Finding
from .comparing import distance, percent, share_memory
from .gradient_shapes import NARROW, gradient_findings, in_single, raw_kinds
from .purity import by_name, copies_of, purity

HUGE = 10**7  # numbers in one block
COPIES = 10  # of a block that exist at a time
SAME = 1e-12  # relative difference between two equal passes that threads may cause
CALLS = 8  # to see whether results drift or jump


def first_calls(
    pair: Pair, rng: np.random.Generator, findings: list[Finding] | None = None
) -> list[Finding]:
    """What the first calls show, added to `findings`, which survive a Stopped."""
    found = [] if findings is None else findings
    pair.copies = True  # until we know what it writes into
    with quiet() as printed:
        try:
            found += argument_findings(pair)
            run = first_forward(pair)
            found += output_findings(pair, run)
            dy = [cotangent(pair, y, rng) for y in run.outputs]
            found += purity(pair, dy)
            found += repetition(pair, run)
            found += gradient_findings(pair, dy)
            found += in_single(pair, dy)
        finally:
            if lines := printed.text.strip().splitlines():
                found.append(Finding("prints", NOTE, f"it prints {lines[0]!r}"))
    return found


def argument_findings(pair: Pair) -> list[Finding]:
    """Notes on what is differentiated and what is not. Stopped where nothing is."""
    found = []
    if pair.constants:
        names = ", ".join(pair.constants)
        found.append(Finding("constants", NOTE, f"taken as constants: {names}"))
    if pair.surrogate is not None:
        text = "the derivative is that of the declared surrogate, not of forward"
        found.append(Finding("surrogate", NOTE, text))
    if not pair.checked:
        given = ", ".join(f"{name} is {kind}" for name, kind in pair.kinds.items())
        text = f"no argument holds floats ({given}): give 1.0 for 1, or an array of floats"
        raise Stopped("empty", text)
    for name, block in pair.blocks.items():
        if not block.size:
            found.append(Finding("empty", NOTE, f"{name} {block.shape} holds no numbers"))
        if block.size > HUGE:
            memory = f"about {COPIES * block.nbytes / 2**30:.1f} GiB are used at a time"
            text = f"{name} holds {block.size:,} numbers: {memory}, and the budget may not suffice"
            found.append(Finding("slow", NOTE, text))
        if name in pair.checked and (text := _not_finite(name, block)):
            raise Stopped("finite", f"{text}: nothing can be differentiated there")
    return found


def first_forward(pair: Pair) -> Run:
    """A forward pass on copies. Stopped where the outputs are not finite, or whole numbers."""
    try:
        run = pair.forward(copies_of(pair.blocks))
    except OutOfBudget:
        raise
    except Stopped as stop:
        if all(block.size for block in pair.blocks.values()):
            raise
        raise Stopped("empty", f"it takes no empty arrays: {stop.text}") from stop
    for name, y in by_name(run.outputs, "y").items():
        if text := _not_finite(name, y):
            raise Stopped("finite", f"{text}, as forward gives it: it has no derivative there")
    if not any(y.dtype.kind == "f" for y in run.outputs):
        kinds = ", ".join(str(y.dtype) for y in run.outputs)
        raise Stopped("empty", f"forward gives whole numbers only ({kinds}): no derivative")
    return run


def _not_finite(name: str, array: Array) -> str:
    """Where an array holds NaN or infinity, in words; "" where it does not."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    bad = np.argwhere(~np.isfinite(array))
    at = f"{name}{list(map(int, bad[0]))}" if array.ndim else name
    return f"{at} is {array[tuple(bad[0])]} ({len(bad)} of {array.size} entries are not finite)"


def output_findings(pair: Pair, run: Run) -> list[Finding]:
    """Notes on outputs: constants, empty ones, float32 where float64 went in."""
    found = []
    for name, y in by_name(run.outputs, "y").items():
        if y.dtype.kind != "f":
            text = f"{name} holds whole numbers ({y.dtype}), which have no derivative"
            found.append(Finding("constants", NOTE, text))
        elif not y.size:
            found.append(Finding("empty", NOTE, f"{name} {y.shape} holds no numbers"))
    kinds = raw_kinds(pair, run)
    for kind in NARROW:
        if kind in kinds:
            found.append(Finding("dtype", NOTE, f"y is {kind}, though all arguments are float64"))
    return found


def repetition(pair: Pair, run: Run) -> list[Finding]:
    """(1). Stopped where it fails although all random generators repeat their draws."""
    found = []
    second = pair.forward(copies_of(pair.blocks)).outputs
    off = distance(run.outputs, second)
    if any(map(share_memory, second, pair.forward(copies_of(pair.blocks)).outputs)):
        text = "forward returns the same array each time: a later pass overwrites what it returned"
        found.append(Finding("alias", NOTE, text))
        pair.copies = True
    if off <= SAME:
        return found
    pair.frozen.freeze_shared()
    first = [y.copy() for y in pair.forward(copies_of(pair.blocks)).outputs]
    if distance(first, pair.forward(copies_of(pair.blocks)).outputs) > SAME:
        pair.frozen.shared = None
        raise _unsteady(pair, off)
    text = "it draws from the global generator of Python or NumPy, which is reset before each pass"
    return [*found, Finding("stochastic", NOTE, text)]


def _unsteady(pair: Pair, off: float) -> Stopped:
    """Why a forward pass gives another result each time: does it drift, or jump?"""
    rows = []
    for _ in range(CALLS):
        outputs = pair.forward(copies_of(pair.blocks)).outputs
        rows.append(np.concatenate([np.ravel(y).astype(np.float64) for y in outputs]))
    text = f"two forward passes at the same point differ by {percent(off)}"
    if len({row.size for row in rows}) == 1:
        steps = np.diff(np.array(rows), axis=0)
        drifts = ((steps >= 0).all(axis=0) | (steps <= 0).all(axis=0)).all()
        alternates = (steps[1:] == -steps[:-1]).all()
        if drifts or alternates:
            how = "more go on in the same direction" if drifts else "more alternate"
            return Stopped("stale", f"{text}, and {how}: forward keeps state from call to call")
    how = "it draws random numbers that could not be repeated: give it a Generator"
    return Stopped("stochastic", f"{text}: {how}")

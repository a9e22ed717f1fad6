"""Words for what a check found: numbers, entries and their places, contracts, calls."""

import math
from collections.abc import Sequence

import numpy as np

from ...ground.arguments import Array, Shape
from ..results import BlockResult, CaseResult, EntryMap, Measurement

HOLDS = {  # a contract that holds, in words; others are called by their name
    "linear": "linear in dy",
    "places": "adds to what is there",
    "stale": "no stale state",
    "layout": "layout-free",
    "shape": "shapes",
    "count": "a gradient each",
    "kind": "arrays of floats",
    "extremes": "finite at extremes",
    "raises": "raises nothing",
    "stochastic": "repeatable",
    "batch": "batch laws",
    "dtype": "dtype kept",
    "alias": "memory of its own",
    "prints": "prints nothing",
    "budget": "within its budget",
    "empty": "batch 0 and 1 ok",
}


def as_ascii(text: str) -> str:
    """On one line, in ASCII: what else there is stands as Python would escape it.

    >>> as_ascii("Größe\\n of  x")
    'Gr\\\\xf6\\\\xdfe of x'
    """
    one_line = " ".join(str(text).split())
    return "".join(
        sign if " " <= sign <= "~" else sign.encode("unicode_escape").decode() for sign in one_line
    )


def cut(text: str, width: int) -> str:
    """`text`, or its beginning and "..." where it is longer than `width`."""
    return text if len(text) <= width else text[: max(0, width - 3)].rstrip() + "..."[:width]


def rough(value: float | None) -> str:
    """A number of which only the size matters, in one digit; "unknown" for None."""
    return "unknown" if value is None else f"{float(value):.1g}"


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with their signs, with as many digits as show how they differ.

    >>> told_apart(0.3127, 0.2893), told_apart(1.0, 1 + 1e-9)
    (('+0.3127', '+0.2893'), ('+1', '+1.000000001'))
    """
    pairs = [(f"{a:+.{digits}g}", f"{b:+.{digits}g}") for digits in range(4, 18)]
    first, second = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    return first.replace("+nan", "nan"), second.replace("+nan", "nan")


def duration(seconds: float) -> str:
    """Seconds, or milliseconds below one.

    >>> duration(0.0081), duration(2.34)
    ('8 ms', '2.3 s')
    """
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"


def calls(forward: int, backward: int, seconds: float) -> str:
    """What a check cost: `1,204 forward, 61 backward calls, 8 ms`."""
    return f"{forward:,} forward, {backward:,} backward calls, {duration(seconds)}"


def holds(contract: str) -> str:
    """A contract that holds, in words."""
    return HOLDS.get(contract, contract)


def place(flat: int, shape: Shape) -> str:
    """Where the entry with this flat index stands: `[2,3,0,1]`; nothing for a single number."""
    if not shape:
        return ""
    return f"[{','.join(str(i) for i in np.unravel_index(int(flat), shape))}]"


def errors_of(entries: EntryMap) -> Array:
    """(M,) analytic - numeric; infinite where that is no number."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.asarray(entries.analytic - entries.numeric, dtype=np.float64)
    return np.where(np.isnan(error), np.inf, error)


def worst_first(entries: EntryMap) -> Array:
    """The order of the entries by the size of their errors, the largest first."""
    order: Array = np.argsort(-abs(errors_of(entries)), kind="stable")
    return order


def extent(entries: EntryMap) -> str:
    """How many entries are wrong, and what their places have in common."""
    wrong = entries.wrong
    n, measured = int(wrong.sum()), len(wrong)
    if n == measured:
        return f"all {measured:,} {'' if entries.complete else 'measured '}entries wrong"
    which = "entries wrong" if entries.complete else "measured entries wrong"
    text = f"{n or 'none'} of {measured:,} {which}"
    common = shared_places(entries)
    return f"{text}, all with {common}" if common else text


def shared_places(entries: EntryMap) -> str:
    """`index 1 in axis 3` where that holds for all wrong entries, but not for all measured."""
    wrong = entries.wrong
    if wrong.sum() < 2:
        return ""
    found = []
    for axis, at in enumerate(np.unravel_index(entries.index, entries.shape or (1,))):
        here = at[wrong]
        if (here == here[0]).all() and (at != here[0]).any():
            found.append(f"index {here[0]} in axis {axis}")
    return " and ".join(found)


def badness(measurement: Measurement) -> float:
    """How many error bars lie between what was measured and what was claimed."""
    distance, bar = abs(float(measurement.numeric) - float(measurement.analytic)), measurement.bar
    if distance == 0:
        return 0.0
    return distance / float(bar) if bar > 0 and not math.isnan(distance) else math.inf


def worst_measurement(block: BlockResult) -> Measurement | None:
    """The one that is most error bars off; None where nothing was measured."""
    return max(block.measurements, key=badness, default=None)


def resolution_of(blocks: Sequence[BlockResult]) -> float | None:
    """The worst of their resolutions; None where there is none."""
    found = [float(one.resolution) for one in blocks if one.resolution is not None]
    return max((math.inf if math.isnan(one) else one for one in found), default=None)


def said(case: CaseResult, verdict: str) -> dict[str, list[str]]:
    """The contracts with this verdict, each with what was said of it, once."""
    found: dict[str, list[str]] = {}
    for one in case.findings:
        if one.verdict == verdict:
            texts = found.setdefault(one.contract, [])
            text = f"d{one.block}: {one.text}" if one.block and one.text else one.text
            if text not in texts:
                texts.append(text)
    return found

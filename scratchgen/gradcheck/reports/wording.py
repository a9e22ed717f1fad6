"""Numbers, entries, contracts and calls in words, for every form of a report."""

import math
from collections.abc import Sequence

import numpy as np

from ...ground.arguments import Array, Shape
from ..results import BlockResult, CaseResult, EntryMap, Measurement

HOLDS = {  # contracts that passed, in words; others go by their name
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
    """`text` on one line, with characters outside ASCII escaped as in Python.

    >>> as_ascii("Größe\\n of  x")
    'Gr\\\\xf6\\\\xdfe of x'
    """
    one_line = " ".join(str(text).split())
    return "".join(
        sign if " " <= sign <= "~" else sign.encode("unicode_escape").decode() for sign in one_line
    )


def shorten(text: str, width: int) -> str:
    """`text`, cut to `width` characters with "..." at its end."""
    return text if len(text) <= width else text[: max(0, width - 3)].rstrip() + "..."[:width]


def one_digit(value: float | None) -> str:
    """A number in one significant digit; "unknown" for None."""
    return "unknown" if value is None else f"{float(value):.1g}"


def digits_that_differ(a: float, b: float) -> tuple[str, str]:
    """Two signed numbers with enough digits to show how they differ.

    >>> digits_that_differ(0.3127, 0.2893), digits_that_differ(1.0, 1 + 1e-9)
    (('+0.3127', '+0.2893'), ('+1', '+1.000000001'))
    """
    pairs = [(f"{a:+.{digits}g}", f"{b:+.{digits}g}") for digits in range(4, 18)]
    first, second = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    return first.replace("+nan", "nan"), second.replace("+nan", "nan")


def duration(seconds: float) -> str:
    """Seconds, or milliseconds below one second.

    >>> duration(0.0081), duration(2.34)
    ('8 ms', '2.3 s')
    """
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"


def calls(forward: int, backward: int, seconds: float) -> str:
    """The cost of a check: `1,204 forward, 61 backward calls, 8 ms`."""
    return f"{forward:,} forward, {backward:,} backward calls, {duration(seconds)}"


def contract_in_words(contract: str) -> str:
    """A contract that passed, in words."""
    return HOLDS.get(contract, contract)


def place(flat: int, shape: Shape) -> str:
    """The index of an entry from its flat index: `[2,3,0,1]`; "" for a scalar."""
    if not shape:
        return ""
    return f"[{','.join(str(i) for i in np.unravel_index(int(flat), shape))}]"


def errors_of(entries: EntryMap) -> Array:
    """(M,) analytic - numeric; infinite where that is NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.asarray(entries.analytic - entries.numeric, dtype=np.float64)
    return np.where(np.isnan(error), np.inf, error)


def worst_first(entries: EntryMap) -> Array:
    """The order of the entries by |error|, the largest first."""
    order: Array = np.argsort(-abs(errors_of(entries)), kind="stable")
    return order


def extent(entries: EntryMap) -> str:
    """How many entries are wrong, and which index they share."""
    wrong = entries.wrong
    n, measured = int(wrong.sum()), len(wrong)
    if n == measured:
        return f"all {measured:,} {'' if entries.complete else 'measured '}entries wrong"
    which = "entries wrong" if entries.complete else "measured entries wrong"
    text = f"{n or 'none'} of {measured:,} {which}"
    common = shared_places(entries)
    return f"{text}, all with {common}" if common else text


def shared_places(entries: EntryMap) -> str:
    """`index 1 in axis 3` if all wrong entries have it, but not all measured ones."""
    wrong = entries.wrong
    if wrong.sum() < 2:
        return ""
    found = []
    for axis, at in enumerate(np.unravel_index(entries.index, entries.shape or (1,))):
        here = at[wrong]
        if (here == here[0]).all() and (at != here[0]).any():
            found.append(f"index {here[0]} in axis {axis}")
    return " and ".join(found)


def error_bars_off(measurement: Measurement) -> float:
    """The distance of measured and claimed derivative, in error bars."""
    distance, bar = abs(float(measurement.numeric) - float(measurement.analytic)), measurement.bar
    if distance == 0:
        return 0.0
    return distance / float(bar) if bar > 0 and not math.isnan(distance) else math.inf


def worst_measurement(block: BlockResult) -> Measurement | None:
    """The measurement with the most error bars off; None if there is none."""
    return max(block.measurements, key=error_bars_off, default=None)


def resolution_of(blocks: Sequence[BlockResult]) -> float | None:
    """The worst resolution of the blocks; None if there is none."""
    found = [float(block.resolution) for block in blocks if block.resolution is not None]
    return max(
        (math.inf if math.isnan(resolution) else resolution for resolution in found), default=None
    )


def texts_by_contract(case: CaseResult, verdict: str) -> dict[str, list[str]]:
    """The contracts with this verdict, each with its distinct texts."""
    found: dict[str, list[str]] = {}
    for finding in case.findings:
        if finding.verdict == verdict:
            texts = found.setdefault(finding.contract, [])
            text = (
                f"d{finding.block}: {finding.text}"
                if finding.block and finding.text
                else finding.text
            )
            if text not in texts:
                texts.append(text)
    return found

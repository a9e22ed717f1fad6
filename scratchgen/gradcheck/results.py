"""What a check finds out, as plain records: measurements, blocks, findings, cases.

A *block* is one array that a gradient is wanted for: an argument, or a parameter by its name. A
*case* is one pass that was checked, at one point: a layer in training, say, or one player of a
model. A *finding* is what one contract said (contracts/).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ground.arguments import Array, Shape

PASS, FAIL, INCONCLUSIVE, NOTE = "PASS", "FAIL", "INCONCLUSIVE", "NOTE"
WORST_FIRST = (FAIL, INCONCLUSIVE, PASS, NOTE)


def worst(verdicts: Sequence[str]) -> str:
    """The worst of them, notes aside; without any, INCONCLUSIVE: nothing was checked."""
    found = [verdict for verdict in WORST_FIRST if verdict in verdicts and verdict != NOTE]
    return found[0] if found else INCONCLUSIVE


@dataclass(frozen=True)
class Ladder:
    """Central differences D(h) along one direction: steps h and values (K,), h falling."""

    steps: Array
    values: Array


@dataclass(frozen=True)
class Measurement:
    """The derivative of <w, f> along one direction u: measured, and claimed by the backward pass.

    Attributes:
        numeric: the derivative, measured by differences.
        analytic: <backward(w), u>, what the backward pass claims.
        bar: the largest error that the measurement is taken to have; the stated error bar.
        scale: how large the derivative would be if nothing in its sum cancelled.
        ladders: the differences that `numeric` comes from, two families of steps.
        typical: the root mean square of what single entries contribute; None is `scale`.
    """

    numeric: float
    analytic: float
    bar: float
    scale: float
    ladders: tuple[Ladder, ...] = ()
    typical: float | None = None

    @property
    def resolution(self) -> float:
        """The relative error of one entry of typical size that would have been called FAIL."""
        size = self.scale if self.typical is None else self.typical
        return 10 * self.bar / size if size else float("inf")


@dataclass(frozen=True)
class EntryMap:
    """Single entries of a block's gradient, measured one by one.

    Attributes:
        shape: of the block.
        index: (M,) flat places in the block, ascending; all of them where `complete`.
        analytic, numeric, bar: (M,) what was claimed, what was measured, and its error bar.
        complete: whether every entry was measured.
    """

    shape: Shape
    index: Array
    analytic: Array
    numeric: Array
    bar: Array
    complete: bool

    @property
    def wrong(self) -> Array:
        """(M,) which of the entries lie more than ten error bars off."""
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is wrong, too
            right = abs(self.analytic - self.numeric) <= 10 * self.bar
        wrong: Array = ~right
        return wrong


@dataclass(frozen=True)
class Hint:
    """A cause that fits the error, in words, and how well: the share of the error it leaves.

    `cause` is one of CAUSES in hints/naming.py, for programs.
    """

    cause: str
    text: str
    residual: float = 0.0


@dataclass(frozen=True)
class Finding:
    """What one contract said: its name, a verdict (or NOTE), and in words what was seen."""

    contract: str
    verdict: str
    text: str = ""
    block: str = ""


@dataclass
class BlockResult:
    """The derivative of one block: a verdict, and what it rests on.

    `resolution` is the worst of its measurements; None where there is none. `reason` says why a
    verdict is not PASS, or what kind of PASS it is.
    """

    name: str
    shape: Shape
    verdict: str
    reason: str = ""
    resolution: float | None = None
    measurements: list[Measurement] = field(default_factory=list)
    entries: EntryMap | None = None
    hints: list[Hint] = field(default_factory=list)
    exact: float | None = None  # relative distance to the complex step, where that agreed


@dataclass
class CaseResult:
    """One pass, checked at one point; `label` tells it from the other cases of a report."""

    label: str
    blocks: list[BlockResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    forward_calls: int = 0
    backward_calls: int = 0

    @property
    def verdict(self) -> str:
        """The worst of its blocks and findings."""
        found = [block.verdict for block in self.blocks] + [
            finding.verdict for finding in self.findings
        ]
        if self.blocks and all(block.verdict == NOTE for block in self.blocks):
            found.append(INCONCLUSIVE)  # contracts alone are no PASS
        return worst(found)

"""The results of a check as plain records: measurements, blocks, findings, cases.

A *block* is an array that has a gradient: an argument, or a parameter by its name. A *case* is one
pass, checked at one point: a layer in training, say, or one player of a model. A *finding* is the
result of one contract (contracts/).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ground.arguments import Array, Shape

PASS, FAIL, INCONCLUSIVE, NOTE = "PASS", "FAIL", "INCONCLUSIVE", "NOTE"
WORST_FIRST = (FAIL, INCONCLUSIVE, PASS, NOTE)


def worst(verdicts: Sequence[str]) -> str:
    """The worst verdict, notes aside; INCONCLUSIVE where there is none: nothing was checked."""
    ranked = [verdict for verdict in WORST_FIRST if verdict in verdicts and verdict != NOTE]
    return ranked[0] if ranked else INCONCLUSIVE


@dataclass(frozen=True)
class Ladder:
    """Central differences along one direction: steps h (K,), falling, and values D(h) (K,)."""

    steps: Array
    values: Array


@dataclass(frozen=True)
class Measurement:
    """The derivative of <w, f> along one direction u: measured, and claimed by the backward pass.

    Attributes:
        numeric: the derivative, measured by differences.
        analytic: <backward(w), u>, what the backward pass claims.
        bar: the error bar: the largest error that the measurement may have.
        scale: the size of the derivative if no terms of its sum cancelled.
        ladders: the differences behind `numeric`, for two sequences of steps.
        typical: the root mean square contribution of an entry; None is `scale`.
    """

    numeric: float
    analytic: float
    bar: float
    scale: float
    ladders: tuple[Ladder, ...] = ()
    typical: float | None = None

    @property
    def resolution(self) -> float:
        """The relative error in a single entry, of typical size, that would have been a FAIL."""
        size = self.scale if self.typical is None else self.typical
        return 10 * self.bar / size if size else float("inf")


@dataclass(frozen=True)
class EntryMap:
    """Single entries of a block's gradient, measured one by one.

    Attributes:
        shape: of the block.
        index: (M,) flat indices in the block, ascending; all of them if `complete`.
        analytic, numeric, bar: (M,) the claims, the measurements, and their error bars.
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
        """(M,) which entries are more than ten error bars off."""
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is NaN, and wrong
            right = abs(self.analytic - self.numeric) <= 10 * self.bar
        wrong: Array = ~right
        return wrong


@dataclass(frozen=True)
class Hint:
    """A cause that fits the error, in words.

    `cause` is one of CAUSES in hints/naming.py, for programs. `residual` is the fraction of the
    error that it does not explain.
    """

    cause: str
    text: str
    residual: float = 0.0


@dataclass(frozen=True)
class Finding:
    """The result of one contract: its name, a verdict (or NOTE), and what was seen, in words."""

    contract: str
    verdict: str
    text: str = ""
    block: str = ""


@dataclass
class BlockResult:
    """The verdict on the derivative of one block, with its evidence.

    `resolution` is the worst of its measurements, or None. `reason` says why the verdict is not
    PASS, or what kind of PASS it is.
    """

    name: str
    shape: Shape
    verdict: str
    reason: str = ""
    resolution: float | None = None
    measurements: list[Measurement] = field(default_factory=list)
    entries: EntryMap | None = None
    hints: list[Hint] = field(default_factory=list)
    exact: float | None = None  # relative distance to the complex step, if that agrees


@dataclass
class CaseResult:
    """One pass, checked at one point; `label` names it among the cases of a report."""

    label: str
    blocks: list[BlockResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    forward_calls: int = 0
    backward_calls: int = 0

    @property
    def verdict(self) -> str:
        """The worst verdict of its blocks and findings."""
        verdicts = [*(b.verdict for b in self.blocks), *(f.verdict for f in self.findings)]
        if self.blocks and all(block.verdict == NOTE for block in self.blocks):
            verdicts.append(INCONCLUSIVE)  # contracts alone are no PASS
        return worst(verdicts)

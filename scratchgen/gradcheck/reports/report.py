"""The report of a check, for people and for programs: text, picture, JSON and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..results import PASS, WORST_FIRST, CaseResult, worst
from .markup import PathLike, case_section, facts_list, how_to_read, page, verdict_badge, written
from .picture_data import picture_of
from .plain import as_json, plain_case, versions
from .svg import escape
from .text import report_text
from .wording import calls, resolution_of

if TYPE_CHECKING:
    from ...plots.figures import DisplayedFigure


@dataclass(repr=False)
class Report:
    """The result of a check; printed, it says in at most 15 lines what is wrong and why.

    Attributes:
        subject: what was checked, for example `Dense(3 -> 2)`.
        cases: a case for each checked pass and point.
        seed: the seed of all random draws.
        replay: the call that repeats the check.
        seconds: the time it took.
        kind: "layer", for example; certificates are grouped by it.
    """

    subject: str
    cases: list[CaseResult]
    seed: int
    replay: str
    seconds: float
    kind: str = ""

    @property
    def verdict(self) -> str:
        """The worst of its cases: "PASS", "FAIL" or "INCONCLUSIVE"."""
        return worst([case.verdict for case in self.cases])

    @property
    def ok(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == PASS

    @property
    def forward_calls(self) -> int:
        """The number of forward passes."""
        return sum(case.forward_calls for case in self.cases)

    @property
    def backward_calls(self) -> int:
        """The number of backward passes."""
        return sum(case.backward_calls for case in self.cases)

    @property
    def resolution(self) -> float | None:
        """The smallest relative error of an entry that would be a FAIL, in the worst block."""
        return resolution_of([block for case in self.cases for block in case.blocks])

    def __str__(self) -> str:
        return report_text(self.subject, self.cases, self.seed, self.replay, self.seconds)

    __repr__ = __str__

    def to_json(self, path: PathLike | None = None) -> str:
        """The report as JSON, with the 1,000 worst entries of each block; also written to `path`.

        NaN and infinities become the texts "nan", "inf" and "-inf". Raises FileError if the file
        cannot be written.
        """
        return written(as_json({**plain_report(self), "versions": versions()}), path)

    def to_html(self, path: PathLike | None = None) -> str:
        """The report as a single HTML page; also written to `path` (FileError if that fails)."""
        cost = calls(self.forward_calls, self.backward_calls, self.seconds)
        facts = {
            "seed": str(self.seed),
            "cost": cost,
            "replay": self.replay,
            "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        }
        body = [
            f"<h1>{verdict_badge(self.verdict)} {escape(self.subject)}</h1>",
            facts_list(facts),
            *[case_section(case) for case in cases_worst_first(self.cases)],
            how_to_read(),
        ]
        return written(page(f"{self.verdict} {self.subject}", body), path)

    def plot(self, path: PathLike | None = None) -> "DisplayedFigure":
        """A picture of the worst case; with a path, written as PNG, PDF or SVG, by its extension.

        Raises MissingExtraError without matplotlib, FileError if `path` cannot be written.
        """
        from ...plots.gradient_reports import draw_report

        case = (cases_worst_first(self.cases) or [CaseResult("nothing was checked")])[0]
        words = [self.verdict, self.subject, case.label, f"seed {self.seed}"]
        return draw_report(picture_of("   ".join(filter(None, words)), case), path)


def cases_worst_first(cases: Sequence[CaseResult]) -> list[CaseResult]:
    """The cases, FAIL first."""
    return sorted(cases, key=lambda case: WORST_FIRST.index(case.verdict))


def plain_report(report: Report, ladders: bool = True) -> dict[str, Any]:
    """A report as plain dicts and lists; `ladders=False` leaves out the differences."""
    return {
        "verdict": report.verdict,
        "subject": report.subject,
        "kind": report.kind,
        "seed": report.seed,
        "replay": report.replay,
        "seconds": report.seconds,
        "forward_calls": report.forward_calls,
        "backward_calls": report.backward_calls,
        "resolution": report.resolution,
        "cases": [plain_case(case, ladders) for case in report.cases],
    }

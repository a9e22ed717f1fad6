"""What a check found, for people and for programs: text, picture, JSON and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..results import PASS, WORST_FIRST, CaseResult, worst
from .drawings import escape
from .markup import PathLike, case_section, facts_list, how_to_read, page, verdict_badge, written
from .pictured import picture_of
from .plain import as_json, plain_case, versions
from .text import report_text
from .wording import calls, resolution_of


@dataclass(repr=False)
class Report:
    """What a check found; printed, it says in at most 15 lines what is wrong and why.

    Attributes:
        subject: what was checked, as `Dense(3 -> 2)`.
        cases: one for each pass and point that was checked.
        seed: of all that was drawn.
        replay: the call that makes the same check again.
        seconds: how long it took.
        kind: what the subject is one of, as "layer"; certificates are sorted by it.
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
        """How often the forward pass ran."""
        return sum(case.forward_calls for case in self.cases)

    @property
    def backward_calls(self) -> int:
        """How often the backward pass ran."""
        return sum(case.backward_calls for case in self.cases)

    @property
    def resolution(self) -> float | None:
        """The relative error of one wrong entry that would have failed, in the worst block."""
        return resolution_of([block for case in self.cases for block in case.blocks])

    def __str__(self) -> str:
        return report_text(self.subject, self.cases, self.seed, self.replay, self.seconds)

    __repr__ = __str__

    def to_json(self, path: PathLike | None = None) -> str:
        """All of it as JSON, of each block the 1,000 worst entries; also written to `path`.

        What is no number stands as a text: "nan", "inf" or "-inf". FileError where the file cannot
        be written.
        """
        return written(as_json({**plain_report(self), "versions": versions()}), path)

    def to_html(self, path: PathLike | None = None) -> str:
        """One page that needs no other file; also written to `path` (FileError where it fails)."""
        cost = calls(self.forward_calls, self.backward_calls, self.seconds)
        facts = {
            "seed": str(self.seed),
            "cost": cost,
            "replay": self.replay,
            "versions": ", ".join(f"{name} {one}" for name, one in versions().items()),
        }
        body = [
            f"<h1>{verdict_badge(self.verdict)} {escape(self.subject)}</h1>",
            facts_list(facts),
            *[case_section(case) for case in cases_worst_first(self.cases)],
            how_to_read(),
        ]
        return written(page(f"{self.verdict} {self.subject}", body), path)

    def plot(self, path: PathLike) -> None:
        """A picture of the worst case: PNG, PDF or SVG, by the ending of `path`.

        Raises MissingExtraError without matplotlib, FileError where the path cannot be written.
        """
        from ...plots.gradient_reports import draw_report

        case = (cases_worst_first(self.cases) or [CaseResult("nothing was checked")])[0]
        words = [self.verdict, self.subject, case.label, f"seed {self.seed}"]
        draw_report(picture_of("   ".join(filter(None, words)), case), path)


def cases_worst_first(cases: Sequence[CaseResult]) -> list[CaseResult]:
    """The cases by their verdicts."""
    return sorted(cases, key=lambda case: WORST_FIRST.index(case.verdict))


def plain_report(report: Report, ladders: bool = True) -> dict[str, Any]:
    """A report as plain dicts and lists; without the differences where `ladders` is False."""
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

"""The certificate of a whole library, a report per subject: as a page, a table, JSON."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ...ground.tables import columns
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, WORST_FIRST, BlockResult, worst
from .markup import SIGNS, facts_list, page, table, verdict_badge
from .picture_data import Mark, marks_of
from .plain import as_json, versions
from .report import Report, plain_report
from .svg import escape
from .wording import as_ascii, contract_in_words, one_digit, resolution_of, shorten

MOST_CHIPS = 12  # gradients shown per subject
DECADES = range(-14, -4)  # each has its own colour
LEGEND = (
    "A number is a resolution: the relative error of one entry of typical size that would "
    "have been called FAIL, at the worst of all shapes and modes. The smaller, the sharper: "
)


def certificate_page(
    reports: Sequence[Report], title: str, facts: Mapping[str, str] | None = None
) -> str:
    """All subjects on a page, their gradients coloured by resolution; failed reports in full.

    `facts` are listed at the top: versions, seed, date, command, calls, seconds.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p><b>{counts_line(reports)}</b></p>",
        facts_list(facts or {}),
        f"<p>{escape(LEGEND)}</p>{_legend()}<p>{escape(_contracts_named(reports))}</p>",
    ]
    for kind in dict.fromkeys(report.kind for report in reports):
        rows = [_row(report) for report in reports if report.kind == kind]
        heads = ("verdict", kind or "subject", "gradients", "contracts", "cases")
        body.append(
            f"<section><h2>{escape(kind)}</h2>{table(heads, rows, 'certificate')}</section>"
        )
    body += [f"<pre>{escape(report)}</pre>" for report in _not_passed(reports)]
    return page(title, body)


def certificate_json(reports: Sequence[Report], facts: Mapping[str, str] | None = None) -> str:
    """All reports as JSON, without the differences behind each measurement."""
    found = Counter(report.verdict for report in reports)
    return as_json(
        {
            "facts": dict(facts or {}),
            "versions": versions(),
            "counts": {verdict: found[verdict] for verdict in (PASS, FAIL, INCONCLUSIVE)},
            "reports": [plain_report(report, ladders=False) for report in reports],
        }
    )


def certificate_table(reports: Sequence[Report]) -> str:
    """A line per subject, every report that is not PASS in full, and counts of the verdicts."""
    rows = [("verdict", "subject", "would see", "contracts", "cases")]
    for report in sorted(reports, key=lambda report: WORST_FIRST.index(report.verdict)):
        seen = "" if report.resolution is None else one_digit(report.resolution)
        subject = shorten(as_ascii(report.subject), 32)
        rows.append(
            (report.verdict, subject, seen, _contracts_passed(report), str(len(report.cases)))
        )
    texts = ["\n".join(columns(rows, "<<>>>")), *map(str, _not_passed(reports))]
    return "\n\n".join([*texts, counts_line(reports)])


def counts_line(reports: Sequence[Report]) -> str:
    """`12 PASS, 1 FAIL, 0 INCONCLUSIVE`."""
    found = Counter(report.verdict for report in reports)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in (PASS, FAIL, INCONCLUSIVE))


def _not_passed(reports: Sequence[Report]) -> list[Report]:
    """The reports that are not PASS, FAIL first."""
    return [
        report
        for verdict in (FAIL, INCONCLUSIVE)
        for report in reports
        if report.verdict == verdict
    ]


def _contracts_passed(report: Report) -> str:
    """How many contracts passed, `11 of 12`, without notes."""
    verdicts = [mark.verdict for mark in _marks(report) if mark.verdict != NOTE]
    return f"{verdicts.count(PASS)} of {len(verdicts)}" if verdicts else ""


def _marks(report: Report) -> list[Mark]:
    """The contracts of all cases, each with its worst verdict, the worst first."""
    order = WORST_FIRST.index
    marks = [mark for case in report.cases for mark in marks_of(case)]
    marks.sort(key=lambda mark: order(mark.verdict))
    return list({mark.contract: mark for mark in reversed(marks)}.values())[::-1]


def _row(report: Report) -> list[str]:
    blocks = [block for case in report.cases for block in case.blocks]
    by_name: dict[str, list[BlockResult]] = {}
    for block in blocks:
        by_name.setdefault(block.name, []).append(block)
    chips = _chips(by_name)
    return [
        verdict_badge(report.verdict),
        escape(report.subject),
        f'<div class="chips">{chips}</div>' if chips else "",
        _contracts(_marks(report)),
        str(len(report.cases)),
    ]


def _chips(by_name: Mapping[str, Sequence[BlockResult]]) -> str:
    """The gradients of a subject; of many only the coarsest, and a count of the others."""

    def coarseness(name: str) -> tuple[int, float]:
        verdict = worst([block.verdict for block in by_name[name]])
        return WORST_FIRST.index(verdict), -(resolution_of(by_name[name]) or 0)

    names = list(by_name)
    if len(names) > MOST_CHIPS:
        names = sorted(names, key=coarseness)[:MOST_CHIPS]
    left = len(by_name) - len(names)
    more = f'<span class="chip">and {left} sharper ones</span>' if left else ""
    return "".join(_chip(f"d{name}", by_name[name]) for name in names) + more


def _chip(name: str, blocks: Sequence[BlockResult]) -> str:
    """A gradient of a subject with its worst verdict and resolution over all cases."""
    verdict, resolution = worst([block.verdict for block in blocks]), resolution_of(blocks)
    text = verdict if verdict != PASS else "" if resolution is None else one_digit(resolution)
    colour = f' style="background:{shade_of(resolution)}"' if verdict == PASS else ""
    return f'<span class="chip {verdict}"{colour}>{escape(name)} {text}</span>'


def _contracts(marks: Sequence[Mark]) -> str:
    """The names of the contracts, after a tick, a cross or another sign."""
    found = []
    for verdict in WORST_FIRST:
        names = sorted(escape(mark.contract) for mark in marks if mark.verdict == verdict)
        if names:
            found.append(f'<b class="{verdict}">{SIGNS[verdict]}</b> {" ".join(names)}')
    return f"<small>{' '.join(found)}</small>" if found else ""


def _contracts_named(reports: Sequence[Report]) -> str:
    """The contracts that occur, with what they mean."""
    names = sorted({mark.contract for report in reports for mark in _marks(report)})
    words = [
        f"{name} ({contract_in_words(name)})" if contract_in_words(name) != name else name
        for name in names
    ]
    return f"Contracts, where they apply: {', '.join(words)}." if words else ""


def _legend() -> str:
    """The colours of the decades."""
    chips = "".join(
        f'<span class="chip" style="background:{shade_of(10.0**k)}">1e{k:03d}</span>'
        for k in DECADES
    )
    others = "".join(
        f'<span class="chip {verdict}">{verdict}</span>' for verdict in (FAIL, INCONCLUSIVE)
    )
    return f'<div class="chips">{chips}{others}</div>'


def shade_of(resolution: float | None) -> str:
    """Green for a fine resolution, blue for a coarse one, grey if it is unknown."""
    if resolution is None or not math.isfinite(resolution):
        return "#eee"
    first, last = DECADES[0], DECADES[-1]
    decade = round(math.log10(resolution)) if resolution > 0 else first
    share = (min(max(decade, first), last) - first) / (last - first)
    return f"hsl({140 + 75 * share:.0f} {60 + 15 * share:.0f}% {74 + 14 * share:.0f}%)"

"""Pages of HTML that stand alone: no script, no file beside them, and they print."""

import os
from collections.abc import Mapping, Sequence

from ...ground.writing import write_atomically
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, BlockResult, CaseResult
from .drawings import curve_drawn, escape, points_drawn, tiles_drawn
from .pictured import Mark, blocks_worst_first, curve_of, marks_of, points_of
from .tiles import tiles_of
from .wording import extent, rough

PathLike = str | os.PathLike[str]

MOST_DRAWN = 6  # blocks of a case
SIGNS = {PASS: "✓", FAIL: "✗", INCONCLUSIVE: "?", NOTE: "i"}

STYLE = """
* { box-sizing: border-box; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: .2rem 0; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p { margin: .4rem 0; } code, pre { font: .85em/1.4 ui-monospace, monospace; }
pre { background: #f6f6f6; padding: .6rem; overflow-x: auto; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th:first-child { width: 8.5rem; } .blocks th:nth-child(-n+4) { width: 7rem; }
.blocks th:first-child { width: 8.5rem; } .certificate th:nth-child(2) { width: 17%; }
.certificate th:nth-child(4) { width: 37%; } .certificate th:nth-child(5) { width: 4rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #ddd; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .6rem 0; }
dt { color: #555; } dd { margin: 0; }
ul { list-style: none; padding: 0; margin: .4rem 0; } li { padding-left: 1.4rem;
  text-indent: -1.4rem; } li b { display: inline-block; width: 1.4rem; text-indent: 0; }
.verdict { font-weight: 700; white-space: nowrap; }
.PASS { color: #00577f; } .FAIL { color: #b04400; } .INCONCLUSIVE { color: #7a5300; }
.NOTE, .quiet { color: #555; }
.chips { display: flex; flex-wrap: wrap; gap: .25rem; }
.chip { padding: 0 .4rem; border-radius: .2rem; border: 1px solid #0002;
  color: #1a1a1a; font-size: .9rem; }
.chip.FAIL { background: #f7c4a8; font-weight: 700; }
.chip.INCONCLUSIVE { background: #fde9b5; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr));
  gap: .8rem; } figure { margin: 0; break-inside: avoid; }
small { font-size: .78rem; } figcaption { font-size: .85rem; color: #444; }
svg { width: 100%; max-width: 26rem; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: #333; }
svg .title { font-weight: 700; fill: #111; } svg .x { text-anchor: middle; }
svg .y { text-anchor: end; }
@media (max-width: 36rem) { table, tbody, tr, td { display: block; border: 0; padding: .1rem 0; }
  thead { display: none; } tr { border-bottom: 1px solid #ddd; padding: .4rem 0; }
  td:empty { display: none; } td:nth-child(n+3)::before { content: attr(data-head) " ";
  color: #555; } }
@media print { body { font-size: 11px; max-width: none; padding: 0; } h2 { break-after: avoid; }
  tr { break-inside: avoid; } }
"""

BLOCK_HEADS = ("verdict", "gradient", "shape", "would see", "found")
HOW_TO_READ = (
    "Curves: central differences with step h, two families of them, and how far each lies from the "
    "derivative that the backward pass claims. They fall until rounding takes over. Dashed: the "
    "extrapolated derivative, which decides: PASS in the blue band, FAIL above the yellow one.",
    "Entries: each as claimed and as measured; crosses are wrong, grey lines are error bars.",
    "Maps: blue is claimed too small, orange too large, and a black dot marks what is wrong.",
    "Would see: the relative error of one wrong entry that would have been called FAIL.",
)


def page(title: str, body: Sequence[str]) -> str:
    """A whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def written(text: str, path: PathLike | None) -> str:
    """`text`, also written to a file where `path` names one; FileError where that fails."""
    if path is not None:
        write_atomically(path, text.encode(errors="replace"))
    return text


def verdict_badge(verdict: str) -> str:
    """A verdict in its colour."""
    return f'<span class="verdict {verdict}">{verdict}</span>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """A table, whose kind has its widths in STYLE; its cells are HTML already."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(f"<tr>{_cells(heads, row)}</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cells(heads: Sequence[str], row: Sequence[str]) -> str:
    """One line of a table; on a narrow page each cell says what it is."""
    return "".join(
        f'<td data-head="{escape(head)}">{cell}</td>' for head, cell in zip(heads, row, strict=True)
    )


def facts_list(facts: Mapping[str, str]) -> str:
    """Facts by name."""
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(one)}</dd>" for name, one in facts.items()]
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def case_section(case: CaseResult) -> str:
    """One case: its blocks, their pictures, and the contracts."""
    blocks = blocks_worst_first(case.blocks)
    drawn = [one for one in blocks if one.measurements or one.entries][:MOST_DRAWN]
    figures = [figure for block in drawn for figure in _figures(block)]
    parts = [
        f"<h2>{verdict_badge(case.verdict)} {escape(case.label or 'the only case')}</h2>",
        f'<p class="quiet">{case.forward_calls:,} forward, {case.backward_calls:,} backward '
        f"calls</p>",
        table(BLOCK_HEADS, [_row(one) for one in blocks], "blocks")
        if blocks
        else "<p>No gradient was asked for.</p>",
        f'<div class="figures">{"".join(figures)}</div>' if figures else "",
        f'<p class="quiet">{len(blocks) - len(drawn)} more blocks are not drawn.</p>'
        if figures and len(blocks) > len(drawn)
        else "",
        marks_list(marks_of(case)),
    ]
    return f"<section>{''.join(parts)}</section>"


def how_to_read() -> str:
    """What the pictures and numbers of a report mean."""
    lines = "".join(f"<p>{escape(one)}</p>" for one in HOW_TO_READ)
    return f'<div class="quiet">{lines}</div>'


def marks_list(marks: Sequence[Mark]) -> str:
    """Contracts with ticks and crosses."""
    items = [
        f'<li><b class="{one.verdict}">{SIGNS[one.verdict]}</b>{escape(one.words)}'
        + (f': <span class="quiet">{escape(one.text)}</span>' if one.text else "")
        + "</li>"
        for one in marks
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _row(block: BlockResult) -> list[str]:
    """One block's line of the table."""
    found = [escape(block.reason)] if block.reason else []
    if block.entries is not None and block.verdict == FAIL:
        found.append(escape(extent(block.entries)))
    for hint in block.hints:
        fit = f" (residual {rough(hint.residual)})" if hint.residual else ""
        found.append(f"cause{fit}: {escape(hint.text)}")
    if block.exact is not None:
        found.append(f"complex step agrees to {rough(block.exact)}")
    seen = "" if block.resolution is None else rough(block.resolution)
    shape = escape(tuple(block.shape))
    return [verdict_badge(block.verdict), f"d{escape(block.name)}", shape, seen, "<br>".join(found)]


def _figures(block: BlockResult) -> list[str]:
    """The pictures of one block, each with what it shows."""
    curve, points, tiles = curve_of(block), points_of(block), tiles_of(block)
    found = [curve_drawn(curve)] if curve else []
    if points:
        found.append(points_drawn(points))
    if tiles:
        found.append(f"{tiles_drawn(tiles)}<figcaption>{escape(tiles.note)}</figcaption>")
    return [f"<figure>{one}</figure>" for one in found]

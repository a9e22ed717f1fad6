"""HTML pages without scripts or other files, which also print well."""

import os
from collections.abc import Mapping, Sequence

from ...ground.writing import write_atomically
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, BlockResult, CaseResult
from .error_maps import error_map_of
from .picture_data import Mark, blocks_worst_first, curve_of, marks_of, points_of
from .svg import curve_svg, error_map_svg, escape, points_svg
from .wording import extent, one_digit

PathLike = str | os.PathLike[str]

MOST_DRAWN = 6  # blocks per case
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
    """A complete page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def written(text: str, path: PathLike | None) -> str:
    """`text`, also written to `path` unless it is None; FileError if that fails."""
    if path is not None:
        write_atomically(path, text.encode(errors="replace"))
    return text


def verdict_badge(verdict: str) -> str:
    """A verdict in colour."""
    return f'<span class="verdict {verdict}">{verdict}</span>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """A table of HTML cells; `kind` is its class in STYLE, which sets the widths."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{_cells(heads, row)}</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cells(heads: Sequence[str], row: Sequence[str]) -> str:
    """A row of a table; on a narrow page each cell repeats its heading."""
    return "".join(
        f'<td data-head="{escape(head)}">{cell}</td>' for head, cell in zip(heads, row, strict=True)
    )


def facts_list(facts: Mapping[str, str]) -> str:
    """Names and facts as a list."""
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items()]
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def case_section(case: CaseResult) -> str:
    """A case: its blocks, their pictures, and its contracts."""
    blocks = blocks_worst_first(case.blocks)
    drawn = [block for block in blocks if block.measurements or block.entries][:MOST_DRAWN]
    figures = [figure for block in drawn for figure in _figures(block)]
    parts = [
        f"<h2>{verdict_badge(case.verdict)} {escape(case.label or 'the only case')}</h2>",
        f'<p class="quiet">{case.forward_calls:,} forward, {case.backward_calls:,} backward '
        f"calls</p>",
        table(BLOCK_HEADS, [_row(block) for block in blocks], "blocks")
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
    """An explanation of the pictures and numbers."""
    lines = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in HOW_TO_READ)
    return f'<div class="quiet">{lines}</div>'


def marks_list(marks: Sequence[Mark]) -> str:
    """The contracts as a list with ticks and crosses."""
    items = [
        f'<li><b class="{mark.verdict}">{SIGNS[mark.verdict]}</b>{escape(mark.words)}'
        + (f': <span class="quiet">{escape(mark.text)}</span>' if mark.text else "")
        + "</li>"
        for mark in marks
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _row(block: BlockResult) -> list[str]:
    """A block's row of the table."""
    found = [escape(block.reason)] if block.reason else []
    if block.entries is not None and block.verdict == FAIL:
        found.append(escape(extent(block.entries)))
    for hint in block.hints:
        fit = f" (residual {one_digit(hint.residual)})" if hint.residual else ""
        found.append(f"cause{fit}: {escape(hint.text)}")
    if block.exact is not None:
        found.append(f"complex step agrees to {one_digit(block.exact)}")
    seen = "" if block.resolution is None else one_digit(block.resolution)
    shape = escape(tuple(block.shape))
    return [verdict_badge(block.verdict), f"d{escape(block.name)}", shape, seen, "<br>".join(found)]


def _figures(block: BlockResult) -> list[str]:
    """The pictures of a block."""
    curve, points, error_map = curve_of(block), points_of(block), error_map_of(block)
    found = [curve_svg(curve)] if curve else []
    if points:
        found.append(points_svg(points))
    if error_map:
        found.append(f"{error_map_svg(error_map)}<figcaption>{escape(error_map.note)}</figcaption>")
    return [f"<figure>{drawing}</figure>" for drawing in found]

"""Text in columns: numbers with three digits, rows that line up, and lines that fit a terminal.

In a table that is too wide, the widest column becomes narrower and its texts wrap.
"""

import textwrap
from collections.abc import Sequence

WIDTH = 79
INDENT, GAP = "  ", "  "
PLAIN = 10**6  # numbers below this are written without an exponent


def number(value: float) -> str:
    """The value in three significant digits; "0" means exactly 0.

    >>> [number(value) for value in (0.5, -0.0, 123.4, 12345, 1.5e-7, float("nan"))]
    ['0.500', '0', '123', '12,300', '1.50e-07', 'nan']
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    if 1000 <= abs(rounded) < PLAIN:
        return f"{rounded:,.0f}"
    return f"{value:#.3g}".removesuffix(".")


def columns(rows: Sequence[Sequence[str]], sides: str, width: int = WIDTH) -> list[str]:
    """The lines of a table, indented; `sides` has "<" or ">" for each column.

    >>> for line in columns([("layer", "shape"), ("Dense(2 -> 128)", "(128,)")], "<>", 21):
    ...     print(line)
      layer        shape
      Dense(2 ->  (128,)
      128)
    """
    widths = _fitted(rows, width - len(INDENT) - len(GAP) * (len(sides) - 1))
    wrapped = [[_wrapped(*cell) for cell in zip(row, widths, strict=True)] for row in rows]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*wrapped, strict=True)
    ]
    return [line for row in wrapped for line in _lines(row, sides, widths)]


def paragraph(text: str, indent: str = "") -> list[str]:
    """The lines of `text`, wrapped, with a hanging indent of two letters."""
    more = {"initial_indent": indent, "subsequent_indent": indent + "  "}
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False, **more)  # type: ignore[arg-type]


def _fitted(rows: Sequence[Sequence[str]], space: int) -> list[int]:
    """The width of each column: what it needs, or less if the table would be too wide.

    Words are broken only as a last resort.
    """
    table = list(zip(*rows, strict=True))
    widths = [max([1, *map(len, column)]) for column in table]
    words = [max([1, *(len(word) for cell in column for word in cell.split())]) for column in table]
    while sum(widths) > max(space, len(widths)):
        wrappable = [k for k, width in enumerate(widths) if width > words[k]]
        widest = max(wrappable or range(len(widths)), key=lambda k: widths[k])
        widths[widest] -= 1
    return widths


def _wrapped(cell: str, width: int) -> list[str]:
    return textwrap.wrap(cell, width, break_on_hyphens=False) or [""]


def _lines(row: list[list[str]], sides: str, widths: list[int]) -> list[str]:
    """One row of a table, each cell given as its lines."""
    lines = []
    for k in range(max(map(len, row), default=0)):
        cells = [
            f"{cell[k] if k < len(cell) else '':{side}{width}}"
            for cell, side, width in zip(row, sides, widths, strict=True)
        ]
        lines.append((INDENT + GAP.join(cells)).rstrip())
    return lines

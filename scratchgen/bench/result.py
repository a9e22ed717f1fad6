"""The result of a part of the bench: a table, a few lines, and the numbers."""

from dataclasses import dataclass, field
from typing import Any

from ..ground.printing import overwrite_line, stderr_is_terminal
from ..ground.tables import columns, paragraph

Row = tuple[str, ...]


@dataclass
class Result:
    """One part: `rows` under `head`, `lines` below, `data` for programs."""

    title: str
    head: Row = ()
    rows: list[Row] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    sides: str = ""  # alignment of the columns; by default only the first is left-aligned

    def text(self) -> str:
        """The printed text, at most 79 columns wide."""
        text = [self.title, ""]
        if self.rows:
            sides = self.sides or "<" + ">" * (len(self.rows[0]) - 1)
            text += columns([*([self.head] if self.head else []), *self.rows], sides)
        if self.rows and self.lines:
            text.append("")
        for line in self.lines:
            text += paragraph(line, "  ")
        return "\n".join(text)


def progress(text: str) -> None:
    """Show what is being measured, on one line of the terminal that is overwritten each time."""
    if stderr_is_terminal():
        overwrite_line(text)


def time_text(seconds: float) -> str:
    """Seconds in a unit that fits, with three digits.

    >>> [time_text(t) for t in (2.5e-8, 1.234e-4, 0.0123, 3.21)]
    ['25.0 ns', '123 us', '12.3 ms', '3.21 s']
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:#.3g}".removesuffix(".") + f" {unit}"
    return f"{seconds * 1e9:#.3g}".removesuffix(".") + " ns"


def spread_text(least: float, most: float) -> str:
    """`121-130 us`: the range, in the unit of its upper end.

    >>> spread_text(1.21e-4, 1.3e-4)
    '121-130 us'
    """
    most_text = time_text(most)
    number, unit = most_text.split()
    size = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
    low = f"{least / size:#.3g}".removesuffix(".")
    return f"{low}-{number} {unit}"

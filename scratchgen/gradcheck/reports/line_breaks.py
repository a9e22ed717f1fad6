"""Breaking text into lines that fit a width and a number of lines."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...ground.tables import INDENT, WIDTH
from .wording import as_ascii, shorten


@dataclass(frozen=True)
class Item:
    """Lines that are kept or left out together; `kind` names them where they are left out."""

    kind: str
    lines: list[str]


def fitted(items: Sequence[Item], space: int) -> list[str]:
    """The lines of as many items as fit, and a line that counts those left out."""
    kept, used = len(items), sum(len(item.lines) for item in items)
    if used > space:
        while used > space - 1:
            kept -= 1
            used -= len(items[kept].lines)
    lines = [line for item in items[:kept] for line in item.lines]
    left_out = Counter(item.kind for item in items[kept:])
    texts = [f"{n} more {kind}{'s' * (n > 1)}" for kind, n in left_out.items()]
    return [*lines, INDENT + "... and " + ", ".join(texts)] if texts else lines


def prose(text: str, indent: str, most: int, lead: str = "") -> list[str]:
    """Text after a lead, in at most `most` lines; " ..." where it is cut."""
    return textwrap.wrap(
        as_ascii(text),
        WIDTH,
        initial_indent=indent + lead,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" ...",
    )


def packed(parts: Sequence[str], indent: str) -> list[str]:
    """Parts side by side, three spaces apart, in as many lines as they need."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= WIDTH:
            lines[-1] += "   " + part
        else:
            lines.append(shorten((indent + "  " if lines else indent) + part, WIDTH))
    return lines
